"""The form of a training: the same as the command `train`, with the same parameters, made from their declaration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import QComboBox, QWidget

from app.dialogs.sheet import ALL_FILES, Sheet, ask_file
from app.services.theme import theme
from app.services.translation import tr
from app.widgets.buttons import SecondaryButton
from app.widgets.form import ParameterForm, add_field, combo_box, spin_box
from app.widgets.labels import caption
from app.widgets.layout import STRETCH, add_to, column, form, row, scrolling, widget_of
from core.parameters import Parameter

if TYPE_CHECKING:
    from core.methods.base import Preset
    from core.models.architectures import Architecture

OPEN_DATA = ""  # the spec that stands for the data that is open
LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True)
class DataChoice:
    """Data a model can be trained on. `spec` is `OPEN_DATA` for what is open."""

    spec: str
    title: str
    note: str = ""
    side: int = 0  # the smaller one, in pixels; 0: not known before it is opened


@dataclass(frozen=True)
class Choices:
    """All there is to choose from; read in a worker, because it loads the networks' code."""

    data: tuple[DataChoice, ...]
    networks: tuple[Architecture, ...]
    recipe: tuple[Parameter, ...]
    presets: tuple[Preset, ...]


@dataclass(frozen=True)
class Training:
    """What the user asked for."""

    data: str
    architecture: str
    recipe: Mapping[str, Any]
    seed: int
    start: str = ""  # the file of the weights to begin with; "" for fresh ones


class TrainDialog(Sheet):
    """`chosen` carries a Training."""

    def __init__(
        self, choices: Choices, parent: QWidget | None = None, starts: Sequence[tuple[str, str]] = ()
    ) -> None:
        """`starts`: words and file of weights that a training may begin with."""
        super().__init__(tr("Train a model"), tr("Start training"), parent, width=480,
                         text=tr("A run like any other, with live curves, pause and a folder of its own."))  # fmt: skip
        self._choices = choices
        data = [(f"{one.title} ({one.note})" if one.note else one.title, one.spec) for one in choices.data]
        self.data = _box(tr("Data"), data)
        self.network = _box(tr("Network"), [(network.title, network.id) for network in choices.networks])
        self.preset = _box(tr("Recipe"), [(preset.title, preset.name) for preset in choices.presets])
        self.start = _box(tr("Begins with"), [(tr("Fresh weights"), ""), *starts])
        self._file = SecondaryButton(tr("File…"), self._ask_file)
        self.seed = spin_box(tr("Seed"), 0, LARGEST_SEED)
        lines = form()
        for title, field in ((tr("&Data"), self.data), (tr("&Network"), self.network),
                             (tr("&Recipe"), self.preset)):  # fmt: skip
            add_field(lines, title, field)
        add_field(lines, tr("&Begins with"), row((self.start, 1), self._file), self.start)
        add_field(lines, tr("&Seed"), self.seed)
        self._note = caption("", True)
        self.recipe = ParameterForm(choices.recipe)
        area = scrolling(widget_of(column(self.recipe, STRETCH)), "none")
        area.setMinimumSize(theme.px(480), theme.px(240))
        add_to(self.body, lines, self._note, (area, 1))
        for box in (self.data, self.network):
            box.currentIndexChanged.connect(self._check)
        self.preset.currentIndexChanged.connect(self._preset_chosen)
        self.recipe.changed.connect(self._check)
        self._preset_chosen()

    def answer(self) -> Training:
        """What the form says."""
        return Training(self.data.currentData(), self.network.currentData(), self.recipe.values(),
                        self.seed.value(), self.start.currentData())  # fmt: skip

    def begin_with(self, file: str) -> None:
        """Take a file as what training begins with."""
        if self.start.findData(file) < 0:
            self.start.addItem(Path(file).name, file)
        self.start.setCurrentIndex(self.start.findData(file))

    def _ask_file(self) -> None:
        ask_file(self, tr("The pretrained weights to begin with"), self.begin_with, (ALL_FILES,))

    def _preset_chosen(self) -> None:
        self.recipe.set_baseline(self._choices.presets[self.preset.currentIndex()].values)
        self._check()

    def _check(self) -> None:
        network = self._choices.networks[self.network.currentIndex()]
        data = self._choices.data[self.data.currentIndex()]
        self._note.setText(network.summary)
        misfit = ""
        if data.side and data.side < network.min_size:
            misfit = tr("{network} needs images of at least {least} pixels; these have {side}.", network=network.title,
                        least=network.min_size, side=data.side)  # fmt: skip
        self.set_reason(misfit or " ".join(self.recipe.problems()))


def _box(name: str, entries: Sequence[tuple[str, str]]) -> QComboBox:
    box = combo_box(name, entries)
    box.setMaxVisibleItems(16)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(24)
    return box
