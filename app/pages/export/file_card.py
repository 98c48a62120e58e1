"""The card where form and place of the exported file are chosen; the forms, and whether they can be written here."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QStandardPaths, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QButtonGroup,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QRadioButton,
    QWidget,
)

from app.services import icons
from app.services import tokens as t
from app.services.theme import theme
from app.widgets.buttons import SecondaryButton, TextButton
from app.widgets.cards import Card
from app.widgets.labels import ElidedLabel, Label, caption
from app.widgets.notices import ProgressLine
from core.files import SAVED_AS_TAR, ending, without_ending

if TYPE_CHECKING:
    from core.job import Job

IDS = ("same", "safetensors", "pt", "onnx", "pt2")


class FileCard(Card):
    """Radio buttons for the form, the path with Browse…, and the outcome where it happened."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("File", parent)
        self._formats: dict[str, Format] = {choice.id: choice for choice in formats(None, "")}
        self._folder = _documents()
        self._name = "model-unlearned"
        self.radios: dict[str, QRadioButton] = {}
        self._texts: dict[str, ElidedLabel] = {}
        self._group = QButtonGroup(self)
        self._written: Path | None = None
        self.body.addLayout(self._choices())
        self.body.addSpacing(theme.px(t.XS))
        self.body.addLayout(self._place())
        self.progress = ProgressLine("Export")
        self.progress.hide()
        self.body.addWidget(self.progress)
        self.body.addWidget(self._result())
        self.body.addStretch(1)
        self._group.idToggled.connect(self._format_toggled)

    # ---- what is chosen

    def set_job(self, job: Job) -> None:
        """Offer the forms and a name for a run's model."""
        self._formats = {choice.id: choice for choice in formats(job.model.form, job.model.path)}
        self._name = suggested_name(job.model.path, job.data.spec, job.model.architecture)
        for key, choice in self._formats.items():
            self.radios[key].setEnabled(not choice.missing)
            self._texts[key].setText(choice.missing or choice.text)
            self.radios[key].setAccessibleDescription(choice.missing or choice.text)
        if not self.path_edit.isModified():
            self.set_path(self._folder / (self._name + self._formats[self.format()].suffix))
        self.show_outcome("")

    def format(self) -> str:
        """The chosen form."""
        return IDS[self._group.checkedId()]

    def set_format(self, key: str) -> None:
        """Choose a form."""
        self.radios[key].setChecked(True)

    def path(self) -> Path | None:
        """Where the file goes; None while nothing is named."""
        text = self.path_edit.text().strip()
        return Path(text).expanduser() if text else None

    def set_path(self, path: Path) -> None:
        """Name the file."""
        self.path_edit.setText(str(path))
        self.path_edit.setModified(False)

    def set_folder(self, folder: Path) -> None:
        """The folder files go to unless another one is named."""
        self._folder = folder

    # ---- what happens

    def show_progress(self, text: str, done: int = 0, total: int = 0) -> None:
        """Show how far the export is."""
        self._outcome.hide()
        self.progress.show()
        self.progress.set(done, total, text)

    def show_outcome(self, sentence: str, path: Path | None = None, notes: tuple[str, ...] = ()) -> None:
        """Say how it ended, with a way to the file; an empty sentence clears it."""
        self.progress.hide()
        self._outcome.setVisible(bool(sentence))
        self._sentence.setText(sentence)
        self._notes.setText(" ".join(notes))
        self._notes.setVisible(bool(notes))
        self._written = path
        self.open_folder.setVisible(path is not None)

    def outcome(self) -> str:
        """The sentence shown."""
        return self._sentence.text()

    # ---- parts

    def _choices(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(theme.px(t.M))
        grid.setVerticalSpacing(theme.px(t.XS))
        for number, key in enumerate(IDS):
            choice = self._formats[key]
            radio = QRadioButton(choice.title)
            radio.setAccessibleName(choice.title)
            text = ElidedLabel(choice.missing or choice.text, "caption", "text-2", mode=Qt.TextElideMode.ElideRight)
            self._group.addButton(radio, number)
            self.radios[key], self._texts[key] = radio, text
            grid.addWidget(radio, number, 0)
            grid.addWidget(text, number, 1)
        grid.setColumnStretch(1, 1)
        self.radios["same"].setChecked(True)
        return grid

    def _place(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(theme.px(t.S))
        label = QLabel("&Path")
        self.path_edit = QLineEdit()
        self.path_edit.setAccessibleName("Path of the exported file")
        self.path_edit.textChanged.connect(self.changed)
        label.setBuddy(self.path_edit)
        self.browse = SecondaryButton("Browse…", self._browse)
        row.addWidget(label)
        row.addWidget(self.path_edit, 1)
        row.addWidget(self.browse)
        return row

    def _result(self) -> QWidget:
        self._outcome = QWidget()
        row = QHBoxLayout(self._outcome)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.px(t.S))
        self._tick = QLabel()
        theme.changed.connect(self._draw_tick)
        self._draw_tick()
        self._sentence = Label("", wrap=True)
        self._sentence.setMaximumWidth(16_777_215)
        self._notes = caption("", wrap=True)
        self._notes.setMaximumWidth(16_777_215)
        self.open_folder = TextButton("Open folder", self._open_folder)
        grid = QGridLayout()
        grid.setVerticalSpacing(0)
        grid.setHorizontalSpacing(theme.px(t.S))
        grid.addWidget(self._tick, 0, 0)
        grid.addWidget(self._sentence, 0, 1)
        grid.addWidget(self._notes, 1, 1)
        grid.setColumnStretch(1, 1)
        row.addLayout(grid, 1)
        row.addWidget(self.open_folder)
        self._outcome.hide()
        return self._outcome

    def _draw_tick(self) -> None:
        self._tick.setPixmap(icons.pixmap("tick", theme.px(16), "text_2", self.devicePixelRatioF()))

    def _format_toggled(self, number: int, on: bool) -> None:
        if not on:
            return
        path = self.path()
        if path is not None:
            known = {choice.suffix for choice in self._formats.values()} | {".pth", ".ckpt", ".bin"}
            base = path.with_name(without_ending(path)) if ending(path) in known else path
            modified = self.path_edit.isModified()
            self.set_path(base.with_name(base.name + self._formats[IDS[number]].suffix))
            self.path_edit.setModified(modified)
        self.changed.emit()

    def _browse(self) -> None:
        choice = self._formats[self.format()]
        start = self.path() or self._folder / (self._name + choice.suffix)
        dialog = QFileDialog(self.window(), "Export checkpoint", str(start.parent))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setOption(QFileDialog.Option.DontConfirmOverwrite)  # Export asks
        dialog.setNameFilters([f"{choice.title} (*{choice.suffix})", "All files (*)"])
        dialog.setDefaultSuffix(choice.suffix.removeprefix("."))
        dialog.selectFile(start.name)
        dialog.fileSelected.connect(self._browsed)
        dialog.open()

    def _browsed(self, name: str) -> None:
        self.set_path(Path(name))
        self.path_edit.setModified(True)

    def _open_folder(self) -> None:
        if self._written is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._written.parent)))


def _documents() -> Path:
    found = Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation) or ".")
    return found if found.is_dir() else Path.home()


INSTALL_ONNX = 'Not installed. To add it: pip install "unlearn-studio[onnx]"'
_ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")  # write, write, read back


@dataclass(frozen=True)
class Format:
    """One choice. `missing`: why it cannot be written on this machine; empty where it can."""

    id: str
    title: str
    text: str
    suffix: str
    missing: str = ""


def formats(form: Mapping[str, Any] | None, original: str) -> tuple[Format, ...]:
    """Return the choices for a model that came in as `form` from the file `original`."""
    packages = [name for name in _ONNX_PACKAGES if importlib.util.find_spec(name) is None]
    return (
        Format("same", "Same format as the original", describe_form(form), same_suffix(form, original)),
        Format(
            "safetensors", "safetensors", "Weights and a short description, no program code.", ".safetensors",
        ),
        Format("pt", "PyTorch state dict (.pt)", "Plain keys in float32, for torch.load with weights_only.", ".pt"),
        Format(
            "onnx", "ONNX (.onnx)", "Network and weights, for any batch size.", ".onnx",
            INSTALL_ONNX if packages else "",
        ),
        Format("pt2", "torch.export program (.pt2)", "Network and weights, for any batch size.", ".pt2"),
    )  # fmt: skip


def describe_form(form: Mapping[str, Any] | None) -> str:
    """Say in a line how the file that came in held its weights."""
    if not form:
        return "A plain PyTorch state dict."
    kind = {"safetensors": "safetensors", "pt": "PyTorch file", "torchscript": "state dict of a TorchScript file",
            "pt2": "torch.export program"}.get(str(form.get("format")), str(form.get("format")))  # fmt: skip
    parts = ["whole pickled network" if form.get("module") else kind]
    if form.get("container"):
        parts.append(f"weights under “{form['container']}”")
    if form.get("prefix"):
        parts.append(f"keys begin with {form['prefix']}")
    types = sorted(set((form.get("dtypes") or {}).values()) - {"int64"})
    if types:
        parts.append(" and ".join(types))
    return " · ".join(parts)


def same_suffix(form: Mapping[str, Any] | None, original: str) -> str:
    """Return the ending of a file in the form that came in: the original's own, where that fits."""
    kind = str((form or {}).get("format") or "pt")
    if kind == "safetensors":
        return ".safetensors"
    if kind == "pt2":
        return ".pt2"
    own = ending(original)
    return own if own in (".pt", ".pth", ".ckpt", ".bin", *SAVED_AS_TAR) else ".pt"


def suggested_name(original: str, data: str, architecture: str) -> str:
    """Name the exported file, without ending, after the file that came in."""
    stem = without_ending(original)
    if not stem or stem == "model":  # what this app calls every model it trains
        stem = f"{Path(data).stem or data}-{architecture}"
    return f"{stem}-unlearned"
