"""The preferences: a field for each, grouped, with when it takes effect; every change counts at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QBoxLayout, QCheckBox, QComboBox, QLineEdit, QSpinBox, QWidget

from app.dialogs.sheet import Dialog, ask_folder
from app.services import tokens as t
from app.services.settings import Preferences
from app.services.theme import theme
from app.services.translation import LANGUAGES, mark, tr
from app.widgets.buttons import SecondaryButton, close_box
from app.widgets.form import pad_spin_box
from app.widgets.labels import Label, caption, section
from app.widgets.layout import STRETCH, column, form, row, scrolling, widget_of
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
        Field("threads", mark("Threads"), NEXT_RUN, span=(0, physical_cores()), least=mark("Default ({threads})")),
        Field("monitoring_budget", mark("Monitoring budget"), NEXT_RUN, unit="%", span=(0, 50), factor=100),
        Field("checkpoint_seconds", mark("Checkpoint every"), NEXT_RUN, unit="s", span=(1, 3600)),
    )),
    (mark("Confirmations"), (
        Field("confirm_discard", mark("Ask before a run is discarded")),
        Field("confirm_trash", mark("Ask before runs are moved to the trash")),
    )),
)  # fmt: skip


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
        self._fill()

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
        changes = [name for name in self.fields if getattr(self._values, name) != getattr(DEFAULTS, name)]
        for name in changes:
            self._set(name, getattr(DEFAULTS, name))
        self._fill()

    def _set(self, name: str, value: Any) -> None:
        if getattr(self._values, name) != value:
            self._values = dataclasses.replace(self._values, **{name: value})
            self.changed.emit(name, value)

    def _add(self, field: Field, lines: Any) -> None:
        title = tr(field.title)
        default = getattr(DEFAULTS, field.name)
        if isinstance(default, bool):
            widget: QWidget = self._check(field, title)
        elif field.choices:
            widget = self._choice(field)
        elif isinstance(default, str):
            widget = self._folder(field, title)
        else:
            widget = self._number(field)
        self.fields[field.name] = widget
        widget.setAccessibleName(title)
        when = [caption(tr(field.when))] if field.when else []
        if isinstance(widget, QLineEdit):
            choose = SecondaryButton(tr("Choose…"), lambda: self._choose(field, widget))
            choose.setAccessibleName(tr("Choose: {what}", what=title))
            widget.setMinimumWidth(theme.px(FIELD_WIDTH))
            content: QBoxLayout = column(row((widget, 1), choose), *when, spacing=2)
        else:
            if not isinstance(widget, QCheckBox):
                widget.setFixedWidth(theme.px(FIELD_WIDTH))
            content = row(widget, *when, STRETCH)
        label = Label("" if isinstance(widget, QCheckBox) else title, "body", "text-2")
        label.setFixedSize(theme.px(LABEL_WIDTH), theme.px(t.CONTROL_HEIGHT))
        label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        label.setBuddy(widget)
        lines.addRow(label, content)

    def _check(self, field: Field, title: str) -> QCheckBox:
        box = QCheckBox(title)
        box.toggled.connect(lambda on: self._set(field.name, on))
        return box

    def _choice(self, field: Field) -> QComboBox:
        box = QComboBox()
        for value, text in field.choices:
            box.addItem(tr(text), value)
        box.activated.connect(lambda _index: self._set(field.name, box.currentData()))
        return box

    def _number(self, field: Field) -> QSpinBox:
        box = QSpinBox()
        box.setRange(*field.span)
        if field.unit:
            box.setSuffix(f" {field.unit}")
        if field.least:
            box.setSpecialValueText(tr(field.least, threads=default_threads()))
        kind = type(getattr(DEFAULTS, field.name))
        box.valueChanged.connect(lambda number: self._set(field.name, kind(number / field.factor)))
        pad_spin_box(box)
        return box

    def _folder(self, field: Field, title: str) -> QLineEdit:
        line = QLineEdit()
        line.setPlaceholderText(str(runs_home() if field.name == "runs_folder" else data_home()))
        line.setClearButtonEnabled(True)
        line.editingFinished.connect(lambda: self._set(field.name, line.text().strip()))
        line.textChanged.connect(line.setToolTip)
        return line

    def _choose(self, field: Field, line: QWidget) -> None:
        assert isinstance(line, QLineEdit)

        def chosen(folder: str) -> None:
            line.setText(folder)
            self._set(field.name, folder)

        ask_folder(self, tr(field.title), chosen, line.text() or line.placeholderText())

    def _fill(self) -> None:
        """Show the values as they are."""
        for _, fields in GROUPS:
            for field in fields:
                widget, value = self.fields[field.name], getattr(self._values, field.name)
                widget.blockSignals(True)
                if isinstance(widget, QCheckBox):
                    widget.setChecked(value)
                elif isinstance(widget, QSpinBox):
                    widget.setValue(round(value * field.factor))
                elif isinstance(widget, QLineEdit):
                    widget.setText(value)
                    widget.setToolTip(value)
                elif isinstance(widget, QComboBox):
                    if widget.findData(value) < 0:
                        widget.addItem(str(value), value)
                    widget.setCurrentIndex(widget.findData(value))
                widget.blockSignals(False)


def device_titles() -> list[tuple[str, str]]:
    """Return the devices of this machine, (id, title); loads torch, so it runs in a worker."""
    from core.devices import list_devices

    return [(device.id, device.title) for device in list_devices()]
