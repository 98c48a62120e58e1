"""The form of a training: the same as the command `train`, with the same parameters, made from their declaration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.dialogs.sheet import Sheet, ask_folder
from app.services import tokens as t
from app.services.theme import theme
from app.widgets.buttons import SecondaryButton
from app.widgets.form import ParameterForm
from app.widgets.labels import Label, caption
from core.parameters import Parameter

OPEN_DATA = ""  # the spec that stands for the data that is open
LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True)
class DataChoice:
    """Data a model can be trained on. `spec` is `OPEN_DATA` for what is open."""

    spec: str
    title: str
    note: str = ""
    channels: int = 0  # 0: not known before it is opened
    side: int = 0  # the smaller one, in pixels


@dataclass(frozen=True)
class NetworkChoice:
    """An architecture; `least_side` is the smallest height and width of images it takes."""

    id: str
    title: str
    summary: str
    least_side: int


@dataclass(frozen=True)
class RecipeChoice:
    """A named set of values of the recipe."""

    name: str
    title: str
    reason: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Choices:
    """All there is to choose from; read in a worker, because it loads the networks' code."""

    data: tuple[DataChoice, ...]
    networks: tuple[NetworkChoice, ...]
    recipe: tuple[Parameter, ...]
    presets: tuple[RecipeChoice, ...]


@dataclass(frozen=True)
class Training:
    """What the user asked for. `folder` is None for a new one in the runs folder."""

    data: str
    architecture: str
    recipe: Mapping[str, Any]
    seed: int
    folder: Path | None


class TrainDialog(Sheet):
    """`chosen` carries a Training."""

    chosen = Signal(object)

    def __init__(self, choices: Choices, runs_folder: Path, parent: QWidget | None = None) -> None:
        super().__init__("Train a model", "Start training", parent)
        self._choices = choices
        self.body.addWidget(caption("A run like any other, with live curves, pause and a folder of its own.", True))
        form = QFormLayout()
        form.setHorizontalSpacing(theme.px(t.S))
        form.setVerticalSpacing(theme.px(t.S))
        form.setLabelAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.data = _combo("Data", [(c.title + (f" ({c.note})" if c.note else ""), c.spec) for c in choices.data])
        self.network = _combo("Network", [(n.title, n.id) for n in choices.networks])
        self.preset = _combo("Recipe", [(p.title, p.name) for p in choices.presets])
        self.seed = QSpinBox()
        self.seed.setRange(0, LARGEST_SEED)
        self.seed.setAccessibleName("Seed")
        self.seed.setFixedWidth(theme.px(120))
        self.seed.lineEdit().setTextMargins(theme.px(t.XS), 0, 0, 0)
        self.folder = QLineEdit()
        self.folder.setAccessibleName("Folder")
        self.folder.setPlaceholderText(f"A new one in {runs_folder}")
        self.folder.setToolTip(f"A new folder in {runs_folder} where nothing is named.")
        place = QHBoxLayout()
        place.setSpacing(theme.px(t.S))
        place.addWidget(self.folder, 1)
        place.addWidget(SecondaryButton("Browse…", self._browse))
        for text, field, buddy in (
            ("&Data", self.data, self.data), ("&Network", self.network, self.network),
            ("&Recipe", self.preset, self.preset), ("&Seed", self.seed, self.seed), ("&Folder", place, self.folder),
        ):  # fmt: skip
            label = Label(text, "body", "text-2")
            label.setBuddy(buddy)
            form.addRow(label, field)
        self.body.addLayout(form)
        self._note = caption("", True)
        self.body.addWidget(self._note)
        self.recipe = ParameterForm(choices.recipe, open_groups=("", "Training"))
        scroll = QScrollArea()
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidgetResizable(True)
        held = QWidget()
        column = QVBoxLayout(held)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.recipe)
        column.addStretch(1)
        scroll.setWidget(held)
        scroll.setMinimumSize(theme.px(480), theme.px(240))
        self.body.addWidget(scroll, 1)
        for box in (self.data, self.network):
            box.currentIndexChanged.connect(self._check)
        self.preset.currentIndexChanged.connect(self._preset_chosen)
        self.recipe.changed.connect(self._check)
        self.accepted.connect(self._accepted)
        self._preset_chosen()

    def training(self) -> Training:
        """What the form says."""
        text = self.folder.text().strip()
        return Training(
            self.data.currentData(),
            self.network.currentData(),
            self.recipe.values(),
            self.seed.value(),
            Path(text).expanduser() if text else None,
        )

    def _check(self, *_index: object) -> None:
        network = self._choices.networks[max(0, self.network.currentIndex())]
        data = self._choices.data[max(0, self.data.currentIndex())]
        preset = self._choices.presets[max(0, self.preset.currentIndex())]
        self._note.setText(" ".join(part for part in (network.summary, preset.reason) if part))
        self.set_reason(_misfit(network, data) or " ".join(self.recipe.problems()))

    def _preset_chosen(self, *_index: object) -> None:
        preset = self._choices.presets[max(0, self.preset.currentIndex())]
        self.recipe.set_baseline(preset.values)
        self._check()

    def _browse(self) -> None:
        ask_folder(self, "Folder for the trained model", self.folder.setText)

    def _accepted(self) -> None:
        self.chosen.emit(self.training())


def _misfit(network: NetworkChoice, data: DataChoice) -> str:
    """Why a network cannot be trained on the data; "" where it can or it is not known yet."""
    if data.side and data.side < network.least_side:
        return f"{network.title} needs images of at least {network.least_side} pixels; these have {data.side}."
    return ""


def _combo(name: str, entries: Sequence[tuple[str, str]]) -> QComboBox:
    box = QComboBox()
    box.setAccessibleName(name)
    for title, value in entries:
        box.addItem(title, value)
    box.setMaxVisibleItems(16)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(24)
    return box
