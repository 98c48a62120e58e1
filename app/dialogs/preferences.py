"""The preferences: a field for each, grouped, with when it takes effect; every change counts at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QBoxLayout, QCheckBox, QComboBox, QFormLayout, QLineEdit, QWidget

from app.dialogs.sheet import Dialog, ask_file
from app.services import tokens as t
from app.services.settings import Preferences
from app.services.theme import theme
from app.services.translation import LANGUAGES, mark, tr
from app.widgets.buttons import SecondaryButton, close_box
from app.widgets.form import add_field, combo_box, on_change, show_value, spin_box, value_of
from app.widgets.labels import caption, section
from app.widgets.layout import STRETCH, column, form, named, row, scrolling, widget_of
from core.devices import default_threads, physical_cores
from core.files import data_home, runs_home

DEFAULTS = Preferences()
NEXT_START, NEXT_RUN = mark("From the next start on."), mark("From the next run on.")
FIELD_WIDTH, LABEL_WIDTH = 220, 170


@dataclass(frozen=True)
class Field:
    """One preference: its name in `Preferences`, what it is called, when it takes effect, and what may be chosen."""

    name: str
    title: str
    when: str = ""  # at once
    choices: tuple[tuple[Any, str], ...] = ()
    unit: str = ""
    span: tuple[int, int] = (0, 0)  # of a whole number
    factor: float = 1  # a number shown is the value times this
    least: str = ""  # what the lowest number means

    @property
    def is_number(self) -> bool:
        return self.span[1] > 0


GROUPS: tuple[tuple[str, tuple[Field, ...]], ...] = (
    (mark("Appearance"), (
        Field("scheme", mark("Colours"), choices=(
            ("system", mark("As the system")), ("light", mark("Light")), ("dark", mark("Dark")))),
        Field("language", mark("Language"), NEXT_START, choices=(
            ("system", mark("As the system")), *LANGUAGES.items())),
        Field("thumbnail_size", mark("Size of thumbnails"), choices=((64, "64"), (96, "96"), (128, "128"))),
    )),
    (mark("Start"), (
        Field("restore_project", mark("Open the last model and data"), NEXT_START),
    )),
    (mark("Folders"), (
        Field("runs_folder", mark("Folder of runs"), NEXT_RUN),
        Field("data_root", mark("Folder of data sets"), mark("For data opened from now on.")),
    )),
    (mark("Runs"), (
        Field("device", mark("Device"), NEXT_RUN, choices=(("auto", mark("Default")),)),
        Field("launcher", mark("Runs go in"), NEXT_RUN, choices=(
            ("thread", mark("this window")), ("process", mark("a process of their own")))),
        Field("threads", mark("Threads"), NEXT_RUN, span=(0, physical_cores()), least=mark("Default ({threads})")),
        Field("monitoring_budget", mark("Monitoring budget"), NEXT_RUN, unit="%", span=(0, 50), factor=100),
        Field("checkpoint_seconds", mark("Checkpoint every"), NEXT_RUN, unit="s", span=(1, 3600)),
    )),
    (mark("Confirmations"), (
        Field("confirm_discard", mark("Ask before a run is discarded")),
        Field("confirm_trash", mark("Ask before runs are moved to the trash")),
    )),
)  # fmt: skip
FIELDS = [field for _, fields in GROUPS for field in fields]


class PreferencesDialog(Dialog):
    """`changed` carries the name of a preference and its new value, as soon as the user has set it."""

    changed = Signal(str, object)

    def __init__(self, values: Preferences, parent: QWidget | None = None) -> None:
        super().__init__(tr("Preferences"), parent)
        self._values = values
        self.fields: dict[str, QWidget] = {}
        groups = column(spacing=t.L)
        for title, fields in GROUPS:
            lines = form(spacing=t.XS)
            for field in fields:
                self._add(field, lines)
            groups.addLayout(column(section(tr(title)), lines))
        groups.addStretch(1)
        self._inside = widget_of(groups)
        self._area = scrolling(self._inside, "none")
        foot = row(SecondaryButton(tr("Reset to default"), self.reset), STRETCH, close_box(self))
        column((self._area, 1), foot, on=self, margins=t.XL, spacing=t.M)

    def showEvent(self, event: QShowEvent) -> None:
        """Be as wide as all fields, and as high as the screen lets them be."""
        self.ensurePolished()
        hint = self._inside.sizeHint()
        width = hint.width() + self._area.verticalScrollBar().sizeHint().width()
        self._area.setMinimumWidth(width)
        self.resize(width + theme.px(2 * t.XL), hint.height() + theme.px(t.CONTROL_HEIGHT + t.M + 2 * t.XL) + 4)
        super().showEvent(event)

    def set_devices(self, devices: Sequence[tuple[str, str]]) -> None:
        """Offer these devices, (id, title), beside the default one."""
        field = self.fields["device"]
        assert isinstance(field, QComboBox)
        for device, title in devices:
            if field.findData(device) < 0:
                field.addItem(title, device)
            else:
                field.setItemText(field.findData(device), title)

    def reset(self) -> None:
        """Set everything to its default."""
        for field in FIELDS:
            default = getattr(DEFAULTS, field.name)
            self._set(field.name, default)
            self._show(field, default)

    def _set(self, name: str, value: Any) -> None:
        if getattr(self._values, name) != value:
            self._values = replace(self._values, **{name: value})
            self.changed.emit(name, value)

    def _show(self, field: Field, value: Any) -> None:
        show_value(self.fields[field.name], round(value * field.factor) if field.is_number else value)

    def _read(self, field: Field) -> None:
        value = value_of(self.fields[field.name])
        if field.is_number:
            value = type(getattr(DEFAULTS, field.name))(value / field.factor)
        self._set(field.name, value.strip() if isinstance(value, str) else value)

    def _add(self, field: Field, lines: QFormLayout) -> None:
        title, value = tr(field.title), getattr(self._values, field.name)
        when = [caption(tr(field.when))] if field.when else []
        self.fields[field.name] = widget = self._field(field, title)
        self._show(field, value)
        if isinstance(widget, QLineEdit):
            widget.editingFinished.connect(partial(self._read, field))
            browse = SecondaryButton(tr("Choose…"), partial(self._ask_folder, title, widget))
            browse.setAccessibleName(tr("Choose: {what}", what=title))
            content: QBoxLayout = column(row((widget, 1), browse), *when, spacing=2)
        else:
            on_change(widget, partial(self._read, field))
            content = row(widget, *when, STRETCH)
        add_field(lines, "" if isinstance(value, bool) else title, content, widget).setFixedWidth(theme.px(LABEL_WIDTH))

    def _field(self, field: Field, title: str) -> QWidget:
        default = getattr(DEFAULTS, field.name)
        if isinstance(default, bool):
            return named(QCheckBox(title), title)
        if field.choices:
            choices = combo_box(title, [(tr(text), one) for one, text in field.choices])
            choices.setFixedWidth(theme.px(FIELD_WIDTH))
            return choices
        if field.is_number:
            number = spin_box(title, *field.span, width=FIELD_WIDTH)
            number.setSuffix(field.unit and f" {field.unit}")
            number.setSpecialValueText(field.least and tr(field.least, threads=default_threads()))
            return number
        usual = str(runs_home() if field.name == "runs_folder" else data_home())
        line = named(QLineEdit(placeholderText=usual, clearButtonEnabled=True), title)
        line.setMinimumWidth(theme.px(FIELD_WIDTH))
        return line

    def _ask_folder(self, title: str, line: QLineEdit) -> None:
        def chosen(folder: str) -> None:
            line.setText(folder)
            line.editingFinished.emit()

        ask_file(self, title, chosen, start=line.text() or line.placeholderText())


def device_titles() -> list[tuple[str, str]]:
    """Return the devices of this machine, (id, title); loads torch, so it runs in a worker."""
    from core.devices import list_devices

    return [(device.id, device.title) for device in list_devices()]
