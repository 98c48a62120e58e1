"""The card of the model or of the data: how to open one, and the facts of what is open."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QMenu, QWidget

from app.dialogs.sheet import ask_to_open
from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import set_property, theme
from app.services.translation import mark, tr
from app.widgets.buttons import SecondaryButton
from app.widgets.cards import Card
from app.widgets.layout import STRETCH, column, row, stacked, widget_of
from app.widgets.notices import EmptyState
from app.widgets.terms import Fact, FactTable

if TYPE_CHECKING:
    from app.context import AppContext
    from core.data.dataset import Dataset
    from core.models.checkpoint import OpenedModel

HEIGHT = 240
WORDS = {  # of the card of each kind: title, what is there at first, and what a screen reader calls the three buttons
    "model": (mark("Model"), mark("Drop a checkpoint here, or open one. It is only read, never changed."),
              (mark("Open a model"), mark("Recent models"), mark("Example model"))),
    "data": (mark("Data"), mark("Drop the folder the model was trained on. Each class is a sub-folder."),
             (mark("Open data"), mark("Recent data"), mark("Example data"))),
}  # fmt: skip


class OpenCard(Card):
    """Empty text or facts, with *Open…*, *Recent ▾* and *Example* in its title row.

    `change_wanted` carries the key of a fact whose *Change…* was pressed.
    """

    open_wanted = Signal()
    example_wanted = Signal()
    recent_chosen = Signal(str)
    recent_opened = Signal()  # the menu of recent entries is about to show
    change_wanted = Signal(str)

    def __init__(self, kind: str, first: QWidget | None = None) -> None:
        """`kind` is one of `WORDS`; `first` is a further button, left of the others."""
        title, text, names = WORDS[kind]
        super().__init__(tr(title))
        if first is not None:
            self.add_action(first)
        self.setFixedHeight(theme.px(HEIGHT))
        self.open_button = SecondaryButton(tr("Open…"), self.open_wanted.emit)
        self.recent_button = SecondaryButton(tr("Recent"))
        self.example_button = SecondaryButton(tr("Example"), self.example_wanted.emit)
        self.example_button.setToolTip(tr("Open the example: a small network and the images it was trained on"))
        self._recent = QMenu(self.recent_button)
        self._recent.setToolTipsVisible(True)
        self._recent.aboutToShow.connect(self.recent_opened)
        self.recent_button.set_menu(self._recent)
        buttons = (self.open_button, self.recent_button, self.example_button)
        for button, name in zip(buttons, names, strict=True):
            button.setAccessibleName(tr(name))
            if not theme.large:
                self.add_action(button)
        if theme.large:  # beside the title there is no room for them
            self.body.addLayout(row(STRETCH, *buttons, spacing=t.XS))
        self.facts = FactTable()
        self.facts.change_wanted.connect(self.change_wanted)
        self.empty = EmptyState(kind, tr(text))
        self.stack = stacked(self.empty, widget_of(column(self.facts, STRETCH, margins=(0, t.XS, 0, 0))))
        self.body.addWidget(self.stack, 1)

    def show_drop(self, fits: bool) -> None:
        """Show that a drop would fill this card."""
        set_property(self, "drop", fits)

    def show_recent(self, entries: Sequence[tuple[str, str]]) -> None:
        """Fill the menu with places and their names, newest first."""
        self._recent.clear()
        for place, name in entries:
            action = self._recent.addAction(name.replace("&", "&&"), partial(self.recent_chosen.emit, place))
            action.setToolTip(fmt.plain(place))

    def show_facts(self, facts: Sequence[Fact]) -> None:
        """Show facts; none at all shows the empty text."""
        self.facts.show_facts(facts)
        self.stack.setCurrentIndex(1 if facts else 0)


SHORT_HASH = 12

def model_facts(model: OpenedModel, dataset: Dataset | None, start: Fact | None = None) -> list[Fact]:
    """Facts of a model; how images are prepared for it is known once the data is open. `start`: of its training."""
    spec, change = model.spec, tr("Change…")
    size, known = times(*spec.input_size), model.size_known or dataset is not None
    if not known:
        size = tr("{size} (usual)", size=size)
    names = tr("names in the file") if model.names else tr("no names in the file")
    if model.classes:
        names = tr("names in the model card")
    network = tr("{architecture} · {count} parameters", architecture=spec.architecture,
                 count=fmt.short_number(model.parameters))  # fmt: skip
    facts = [
        Fact("file", tr("File"), model.path.name, str(model.path)),
        Fact("architecture", tr("Architecture"), network,
             change=change if model.alternatives and dataset is not None else ""),
        Fact("input", tr("Input"), f"{size} · {tr('%n channels', n=spec.in_channels)}",
             "" if known else tr("The file does not tell its input size; it follows from the data.")),
        Fact("classes", tr("Outputs"), f"{tr('%n classes', n=spec.num_classes)} · {names}" if spec.num_classes
             else tr("features, no classes: an encoder without a head")),
    ]  # fmt: skip
    if others := [name for name in model.file.weights.entries if name not in entry(model).split("+")]:
        beside = tr("{entry} · beside it {others}", entry=entry(model), others=", ".join(others))
        facts.insert(1, Fact("entry", tr("Entry"), beside, change=change))
    if dataset is not None:
        from core.data.preprocessing import SOURCES

        said = dataset.preparation.replace(SOURCES["file"], tr("set by hand"))
        done, _, who = said.rpartition("; ")
        facts += [Fact("preprocessing", tr("Preprocessing"), done, said, change=change), Fact("stated", "", who, said)]
    if start is not None:
        facts.append(start)
    if model.evaluation_only:
        facts.append(Fact("limit", tr("Use"), tr("can be measured, not unlearned"),
                          tr("TorchScript is a program, not weights.")))  # fmt: skip
    facts.append(Fact("sha256", "SHA-256", model.sha256[:SHORT_HASH], model.sha256, fixed=True))
    return facts


def entry(model: OpenedModel) -> str:
    """Return which entry of its file a model is, as --key takes it; "" where the file holds nothing beside it."""
    name = model.form.key or model.form.container or ""  # may lead into the entry, to the network in it
    return max((one for one in model.file.weights.entries if f"{name}.".startswith(f"{one}.")), key=len, default=name)


def data_facts(dataset: Dataset, own_size: tuple[int, int] | None = None) -> list[Fact]:
    """Facts of a data set; `own_size` is that of its first file, before the images were prepared."""
    own, show = dataset.test_origin == "own", tr("Show…")
    place = str(dataset.root) if dataset.root is not None else dataset.spec
    images = tr("{train} to train on · {test} to test", train=fmt.count(len(dataset.train)),
                test=fmt.count(len(dataset.test)))  # fmt: skip
    size = times(*dataset.image_size)
    if own_size not in (None, dataset.image_size):
        size = tr("{own}, prepared to {prepared}", own=times(*own_size), prepared=size)
    facts = [
        Fact("source", tr("Data"), dataset.title, place),
        Fact("images", tr("Images"), images),
        Fact("test", tr("Test images"), tr("separate test split") if own else tr("set aside · seen before"),
             "" if own else tr("Taken out of the training images, so the model has already seen them.")),
        Fact("classes", tr("Classes"), fmt.count(dataset.num_classes), ", ".join(dataset.classes[:50])),
        Fact("size", tr("Image size"), f"{size} · {tr('%n channels', n=dataset.channels)}"),
    ]  # fmt: skip
    if notices := dataset.notices:
        facts.append(Fact("notice", tr("Note"), " ".join(notices), "\n".join(notices), change=show))
    if dataset.listed:
        left = [tr("%n files could not be read", n=len(dataset.unreadable))] if dataset.unreadable else []
        if black := len(dataset.undecoded):
            left.append(tr("%n count as black", n=black))
        facts.append(Fact("unreadable", tr("Left out"), " · ".join(left), change=show))
    facts.append(Fact("fingerprint", tr("Fingerprint"), dataset.fingerprint[:SHORT_HASH], dataset.fingerprint, True))
    return facts


def size_of_first(dataset: Dataset) -> tuple[int, int] | None:
    """Return height and width of the first image as its file has it; None where it is no file. Runs in a worker."""
    from PIL import Image

    if dataset.root is None or not dataset.train.paths:
        return None
    try:
        with Image.open(dataset.root / dataset.train.paths[0]) as image:
            return image.height, image.width
    except OSError:
        return None


def times(height: int, width: int) -> str:
    """"28 × 28"."""
    return f"{height} × {width}"


class DataMenu(QMenu):
    """The names are looked up in a worker when the menu is first opened: that loads PyTorch."""

    def __init__(self, context: AppContext, button: SecondaryButton) -> None:
        super().__init__(button)
        self._context = context
        self.setToolTipsVisible(True)
        for text, what in ((tr("Folder…"), "data"), (tr("File…"), "data_file")):
            self.addAction(text, partial(ask_to_open, context, button, what))
        self.addSeparator()
        self._loading = self.addAction(tr("Looking for known data sets…"))
        self._loading.setEnabled(False)
        self.aboutToShow.connect(self._look, Qt.ConnectionType.SingleShotConnection)
        button.set_menu(self)

    def _look(self) -> None:
        failed = partial(self._context.notifications.error, what=tr("Known data sets could not be listed"))
        self._context.jobs.submit(known_data, self._context.settings.values.data_root, key="catalogue").then(
            self._fill, failed, finished=partial(self.removeAction, self._loading)
        )

    def _fill(self, known: list[tuple[str, str, bool]]) -> None:
        for spec, title, here in known:
            text = title if here else tr("{title} (download)", title=title)
            self.addAction(text.replace("&", "&&"), partial(self._context.opening.open_data, spec))


def known_data(data_root: str) -> list[tuple[str, str, bool]]:
    """Return id, title and whether it is on this machine of every known data set, those at hand first."""
    from core.data.named import SOURCES

    found = [(source.id, source.title, source.available(data_root or None)) for source in SOURCES]
    return sorted(found, key=lambda entry: not entry[2])
