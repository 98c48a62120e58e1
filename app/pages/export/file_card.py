"""The card where form and place of the exported file are chosen; the forms, and whether they can be written here."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QStandardPaths, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QCheckBox, QGridLayout, QLabel, QLineEdit, QRadioButton

from app.dialogs.sheet import ALL_FILES, ask_save
from app.services import tokens as t
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.buttons import SecondaryButton
from app.widgets.cards import Card
from app.widgets.labels import ElidedLabel
from app.widgets.layout import STRETCH, add_to, row
from app.widgets.notices import Banner, ProgressLine
from core.files import SAVED_AS_TAR, ending, user_path, without_ending

if TYPE_CHECKING:
    from core.job import Job

QUANTISED = mark("Says whether what was forgotten comes back when weights are rounded. Opens the run's data.")
NO_CLASSES = mark("An encoder names no class, so nobody can say whether it recognises what was forgotten.")

WEIGHTS = (".pt", ".pth", ".ckpt", ".bin", *SAVED_AS_TAR)  # endings of PyTorch's own files


class FileCard(Card):
    """Radio buttons for the form, the path with Browse…, and the outcome where it happened."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__(tr("File"))
        found = Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation) or ".")
        self.folder = found if found.is_dir() else Path.home()  # files go to unless another one is named
        self._name = "model-unlearned"
        self._formats = formats(None, "")
        self.radios: dict[str, QRadioButton] = {}
        self._texts: dict[str, ElidedLabel] = {}
        grid = QGridLayout()
        grid.setHorizontalSpacing(theme.px(t.M))
        grid.setVerticalSpacing(theme.px(t.XS))
        grid.setColumnStretch(1, 1)
        for number, choice in enumerate(self._formats):
            radio = self.radios[choice.id] = QRadioButton(choice.title)
            text = ElidedLabel("", "caption", "text-2", mode=Qt.TextElideMode.ElideRight)
            self._texts[choice.id] = text
            radio.toggled.connect(self._format_toggled)
            grid.addWidget(radio, number, 0)
            grid.addWidget(text, number, 1)
        label = QLabel(tr("&Path"))
        self.path_edit = QLineEdit()
        self.path_edit.setAccessibleName(tr("Path of the exported file"))
        self.path_edit.textChanged.connect(self.changed)
        label.setBuddy(self.path_edit)
        self.browse = SecondaryButton(tr("Browse…"), self._browse)
        self.quantised = QCheckBox(tr("Check &int8 and 4-bit weights first"))
        self.progress, self.outcome = ProgressLine(tr("Export")), Banner()
        place = row(label, (self.path_edit, 1), self.browse)
        add_to(self.body, grid, t.XS, place, self.quantised, self.progress, self.outcome, STRETCH)
        self.radios["same"].setChecked(True)
        self.clear_outcome()

    def set_job(self, job: Job) -> None:
        """Offer the forms and a name for a run's model."""
        self._formats = formats(job.model.form, job.model.path)
        self.quantised.setVisible(job.kind == "unlearn")
        self.quantised.setChecked(False)
        self.quantised.setEnabled(job.model.num_classes > 0)
        self.quantised.setToolTip(tr(QUANTISED if job.model.num_classes else NO_CLASSES))
        self._name = suggested_name(job.model.path, job.data.spec, job.model.architecture)
        for choice in self._formats:
            text = choice.missing or choice.text
            self.radios[choice.id].setEnabled(not choice.missing)
            self.radios[choice.id].setAccessibleDescription(text)
            self._texts[choice.id].setText(text)
        if not self.path_edit.isModified():
            self.set_path(self._suggested())
        self.clear_outcome()

    def format(self) -> Format:
        """The chosen form."""
        return next(choice for choice in self._formats if self.radios[choice.id].isChecked())

    def path(self) -> Path | None:
        """Where the file goes; None while nothing is named."""
        text = self.path_edit.text().strip()
        return user_path(text) if text else None

    def set_path(self, path: Path, chosen: bool = False) -> None:
        """Name the file; one that the user has `chosen` stays when another run is shown."""
        self.path_edit.setText(str(path))
        self.path_edit.setModified(chosen)

    def show_progress(self, text: str, done: int = 0, total: int = 0) -> None:
        """Show how far the export is."""
        self.outcome.hide()
        self.progress.show()
        self.progress.set(done, total, text)

    def show_written(self, path: Path, sentence: str) -> None:
        """Say how it ended, with a way to the file."""
        self.clear_outcome()
        folder = QUrl.fromLocalFile(str(path.parent))
        self.outcome.show_message(
            sentence, buttons=[(tr("Open folder"), partial(QDesktopServices.openUrl, folder))], closable=False
        )

    def clear_outcome(self) -> None:
        """Show neither how far it is nor how it ended."""
        self.progress.hide()
        self.outcome.hide()

    def _suggested(self) -> Path:
        return self.folder / (self._name + self.format().suffix)

    def _format_toggled(self, on: bool) -> None:
        if not on:
            return
        if (path := self.path()) is not None:
            known = {choice.suffix for choice in self._formats}.union(WEIGHTS)
            base = path.with_name(without_ending(path)) if ending(path) in known else path
            self.set_path(base.with_name(base.name + self.format().suffix), self.path_edit.isModified())
        self.changed.emit()

    def _browse(self) -> None:
        choice = self.format()
        kinds = (f"{choice.title} (*{choice.suffix})", ALL_FILES)
        start = str(self.path() or self._suggested())
        ask_save(self.window(), tr("Export checkpoint"), self._browsed, kinds, start, replaces=True)  # Export asks

    def _browsed(self, name: str) -> None:
        self.set_path(Path(name), chosen=True)


INSTALL_ONNX = mark('Not installed. To add it: pip install "unlearn-studio[onnx]"')
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
    no_onnx = not all(map(importlib.util.find_spec, _ONNX_PACKAGES))
    whole = tr("Network and weights, for any batch size.")
    return (
        Format("same", tr("Same format as the original"), tr("Keys, types and wrapping as they came in."),
               same_suffix(form, original)),
        Format(
            "safetensors", tr("safetensors"), tr("Weights and a short description, no program code."), ".safetensors",
        ),
        Format("pt", tr("PyTorch state dict (.pt)"),
               tr("Plain keys in float32, for torch.load with weights_only."), ".pt"),
        Format("onnx", tr("ONNX (.onnx)"), whole, ".onnx", tr(INSTALL_ONNX) if no_onnx else ""),
        Format("pt2", tr("torch.export program (.pt2)"), whole, ".pt2"),
    )  # fmt: skip


def same_suffix(form: Mapping[str, Any] | None, original: str) -> str:
    """Return the ending of a file in the form that came in: the original's own, where that fits."""
    kind, own = (form or {}).get("format"), ending(original)
    if kind in ("safetensors", "pt2"):
        return f".{kind}"
    return own if own in WEIGHTS else ".pt"


def suggested_name(original: str, data: str, architecture: str) -> str:
    """Name the exported file, without ending, after the file that came in."""
    stem = without_ending(original)
    if not stem or stem == "model":  # what this app calls every model it trains
        stem = f"{Path(data).stem or data}-{architecture}"
    return f"{stem}-unlearned"
