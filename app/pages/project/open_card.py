"""The card of the model or of the data: how to open one, the facts of what is open, how far the opening is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QMenu, QStackedWidget, QVBoxLayout, QWidget

from app.dialogs.sheet import ask_to_open
from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import set_property, theme
from app.services.translation import tr
from app.widgets.buttons import SecondaryButton, TextButton
from app.widgets.cards import Card
from app.widgets.labels import Label
from app.widgets.notices import EmptyState, ProgressLine
from app.widgets.terms import FactTable

if TYPE_CHECKING:
    from app.context import AppContext
    from core.data.dataset import Dataset
    from core.models.checkpoint import OpenedModel

HEIGHT = 240
MENU_CHARACTERS = 60


class OpenCard(Card):
    """Empty text or facts, with *Open…*, *Recent ▾* and *Example* in its title row.

    `change_wanted` carries the key of a fact whose *Change…* was pressed.
    """

    open_wanted = Signal()
    example_wanted = Signal()
    recent_chosen = Signal(str)
    recent_opened = Signal()  # the menu of recent entries shows
    change_wanted = Signal(str)
    cancel_wanted = Signal()

    def __init__(
        self, title: str, icon: str, text: str, first: QWidget | None = None, parent: QWidget | None = None
    ) -> None:
        """`first` is a further button, left of the others."""
        super().__init__(title, parent)
        if first is not None:
            self.add_action(first)
        self.setFixedHeight(theme.px(HEIGHT))
        self._recent: Callable[[], Sequence[str]] = tuple
        self._named: Callable[[str], str] = str
        self.open_button = SecondaryButton("Open…", self.open_wanted.emit)
        self.open_button.setAccessibleName(f"Open {title.lower()}")
        self.recent_button = SecondaryButton("Recent")
        self.recent_button.setAccessibleName(f"Recent {title.lower()}")
        menu = QMenu(self.recent_button)
        menu.setToolTipsVisible(True)
        menu.aboutToShow.connect(self._open_recent)
        self._looking = QAction("Looking whether they are still there…", self)
        self._looking.setEnabled(False)
        self.recent_button.set_menu(menu)
        self.example_button = SecondaryButton("Example", self.example_wanted.emit)
        self.example_button.setAccessibleName(f"Example {title.lower()}")
        self.example_button.setToolTip(tr("Open the example: a small network and the images it was trained on"))
        buttons = QHBoxLayout()
        buttons.setSpacing(theme.px(t.XS))
        buttons.addStretch(1)
        if theme.large:  # beside the title there is no room for them
            self.body.addLayout(buttons)
        for button in (self.open_button, self.recent_button, self.example_button):
            if theme.large:
                buttons.addWidget(button)
            else:
                self.add_action(button)
        self.stack = QStackedWidget()
        self.empty = EmptyState(icon, text)
        self.facts = FactTable()
        held = QWidget()
        column = QVBoxLayout(held)
        column.setContentsMargins(0, theme.px(t.XS), 0, 0)
        column.addWidget(self.facts)
        column.addStretch(1)
        self.stack.addWidget(self.empty)
        self.stack.addWidget(held)
        self.body.addWidget(self.stack, 1)
        self.body.addWidget(self._progress_row())
        self.show_progress(None)

    def show_drop(self, fits: bool) -> None:
        """Show that a drop would fill this card."""
        set_property(self, "drop", fits)

    def set_recent(self, entries: Callable[[], Sequence[str]], name: Callable[[str], str] = str) -> None:
        """Where the entries of *Recent* come from, newest first, and how each is named."""
        self._recent, self._named = entries, name
        self.recent_button.setEnabled(bool(entries()))

    def show_looking(self, looking: bool, missing: Collection[str] = ()) -> None:
        """Say in the open menu that the disk is being asked, and afterwards which entries are `missing` there.

        An entry keeps its place while the menu is open, so that nobody chooses another one.
        """
        menu = self.recent_button.menu()
        for action in menu.actions():
            if action.data() in missing:
                action.setEnabled(False)
                action.setText(f"{self._name(str(action.data()))}, not found")
        menu.removeAction(self._looking)
        if looking:
            menu.addAction(self._looking)

    def set_facts(self, facts: Sequence[Fact]) -> None:
        """Show facts; none at all shows the empty text."""
        wanted = {fact.key for fact in facts}
        shown = list(self.facts.values())
        if [key for key in shown if key in wanted] != [fact.key for fact in facts if fact.key in shown] or (
            wanted != set(shown)
        ):
            self.facts.clear()
        for fact in facts:
            change = self._changer(fact.key) if fact.change else None
            self.facts.set(fact.key, fact.label, fact.value, hint=fact.hint, on_change=change, fixed=fact.fixed,
                           change_text=fact.change)  # fmt: skip
        self.stack.setCurrentIndex(1 if facts else 0)

    def show_progress(self, text: str | None, done: int = 0, total: int = 0) -> None:
        """Say how far the opening is; None takes it away."""
        self._progress.setVisible(text is not None)
        if text is not None:
            self._text.setText(text)
            self._bar.set(done, total)

    def _progress_row(self) -> QWidget:
        self._progress = QWidget()
        row = QHBoxLayout(self._progress)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.px(t.S))
        self._text = Label("", "caption", "text-2")
        self._bar = ProgressLine("Progress of opening", with_text=False)
        self._cancel = TextButton("Cancel", self.cancel_wanted.emit)
        row.addWidget(self._text)
        row.addWidget(self._bar, 1)
        row.addWidget(self._cancel)
        return self._progress

    def _changer(self, key: str) -> Callable[[], None]:
        return lambda: self.change_wanted.emit(key)

    def _open_recent(self) -> None:
        self._fill_recent()
        self.recent_opened.emit()

    def _fill_recent(self) -> None:
        menu = self.recent_button.menu()
        menu.clear()
        for entry in self._recent():
            action = menu.addAction(self._name(entry))
            action.setToolTip(entry)
            action.setData(entry)
            action.triggered.connect(self._recent_triggered)
        if menu.isEmpty():
            nothing = menu.addAction("Nothing was opened yet")
            nothing.setEnabled(False)

    def _name(self, entry: str) -> str:
        text = self._named(entry).replace("&", "&&")
        return text if len(text) <= MENU_CHARACTERS else f"{text[: MENU_CHARACTERS - 1]}…"

    def _recent_triggered(self) -> None:
        self.recent_chosen.emit(str(self.sender().data()))  # type: ignore[attr-defined]


SHORT_HASH = 12


@dataclass(frozen=True)
class Fact:
    """One row. `hint` is its tool tip; `change` names what the button of the row opens, as it says on it."""

    key: str
    label: str
    value: str
    hint: str = ""
    fixed: bool = False
    change: str = ""


def model_facts(model: OpenedModel, dataset: Dataset | None) -> list[Fact]:
    """Facts of a model; how images are prepared for it is known once the data is open."""
    spec = model.spec
    size = times(*spec.input_size)
    known = model.size_known or dataset is not None
    listed = "names in the file" if model.names else "no names in the file"
    names = "names in the model card" if model.classes else listed
    facts = [
        Fact("file", "File", model.path.name, str(model.path)),
        Fact("architecture", "Architecture", f"{spec.architecture} · {fmt.short_number(model.parameters)} parameters",
             change="Change…" if model.alternatives and dataset is not None else ""),
        Fact("input", "Input", f"{size if known else size + ' (usual)'} · {fmt.plural(spec.in_channels, 'channel')}",
             "" if known else "The file does not tell its input size; it follows from the data."),
        Fact("classes", "Outputs", f"{fmt.plural(spec.num_classes, 'class', 'classes')} · {names}"),
    ]  # fmt: skip
    if others := [name for name in model.file.weights.entries if name not in entry(model).split("+")]:
        facts.insert(1, Fact("entry", "Entry", f"{entry(model)} · beside it {', '.join(others)}", change="Change…"))
    if dataset is not None:
        from core.data.preprocessing import SOURCES

        said = dataset.preparation.replace(SOURCES["file"], "set by hand")
        done, _, who = said.rpartition("; ")
        facts.append(Fact("preprocessing", "Preprocessing", done, said, change="Change…"))
        facts.append(Fact("stated", "", who, said))
    if model.evaluation_only:
        facts.append(Fact("limit", "Use", "can be measured, not unlearned", "TorchScript is a program, not weights."))
    facts.append(Fact("sha256", "SHA-256", model.sha256[:SHORT_HASH], model.sha256, fixed=True))
    return facts


def entry(model: OpenedModel) -> str:
    """Return which entry of its file a model is, as --key takes it; "" where the file holds nothing beside it."""
    name = model.form.key or model.form.container or ""  # may lead into the entry, to the network in it
    return max((one for one in model.file.weights.entries if f"{name}.".startswith(f"{one}.")), key=len, default=name)


def data_facts(dataset: Dataset, own_size: tuple[int, int] | None = None) -> list[Fact]:
    """Facts of a data set; `own_size` is that of its first file, before the images were prepared."""
    own = dataset.test_origin == "own"
    place = str(dataset.root) if dataset.root is not None else dataset.spec
    train, test = fmt.count(len(dataset.train)), fmt.count(len(dataset.test))
    facts = [
        Fact("source", "Data", dataset.title, place),
        Fact("images", "Images", f"{train} to train on · {test} to test"),
        Fact("test", "Test images", "separate test split" if own else "set aside · seen before",
             "" if own else "Taken out of the training images, so the model has already seen them."),
        Fact("classes", "Classes", fmt.count(dataset.num_classes), ", ".join(dataset.classes[:50])),
        Fact("size", "Image size", " · ".join((_sizes(dataset.image_size, own_size),
                                               fmt.plural(dataset.channels, "channel")))),
    ]  # fmt: skip
    if dataset.notices:
        facts.append(Fact("notice", "Note", " ".join(dataset.notices), "\n".join(dataset.notices), change="Show…"))
    if dataset.listed:
        facts.append(Fact("unreadable", "Left out", _left_out(dataset), change="Show…"))
    facts.append(Fact("fingerprint", "Fingerprint", dataset.fingerprint[:SHORT_HASH], dataset.fingerprint, fixed=True))
    return facts


def _left_out(dataset: Dataset) -> str:
    black = len(dataset.undecoded)
    said = [f"{fmt.plural(len(dataset.unreadable), 'file')} could not be read"] if dataset.unreadable else []
    if black:
        said.append(f"{fmt.count(black)} {'counts' if black == 1 else 'count'} as black")
    return " · ".join(said)


def _sizes(prepared: tuple[int, int], own: tuple[int, int] | None) -> str:
    if own is None or own == prepared:
        return times(*prepared)
    return tr("{own}, prepared to {prepared}", own=times(*own), prepared=times(*prepared))


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

    def __init__(self, context: AppContext, parent: QWidget) -> None:
        super().__init__(parent)
        self._context, self._button = context, parent
        self._asked = False
        self.setToolTipsVisible(True)
        self.addAction("Folder…", self._ask_folder)
        self.addAction("File…", self._ask_file)
        self.addSeparator()
        self._loading = self.addAction("Looking for known data sets…")
        self._loading.setEnabled(False)
        self.aboutToShow.connect(self._look)

    def _look(self) -> None:
        if self._asked:
            return
        self._asked = True
        handle = self._context.jobs.submit(known_data, self._context.settings.values.data_root, key="catalogue")
        handle.done.connect(self._fill)
        handle.failed.connect(self._not_found)

    def _fill(self, known: list[tuple[str, str, bool]]) -> None:
        self.removeAction(self._loading)
        for spec, title, here in known:
            text = title if here else f"{title} (download)"
            self.addAction(text.replace("&", "&&"), partial(self._context.opening.open_data, spec))

    def _not_found(self, error: BaseException) -> None:
        self._asked = False
        self._loading.setText("Known data sets could not be listed")
        self._context.notifications.error(error, "Known data sets could not be listed")

    def _ask_folder(self) -> None:
        ask_to_open(self._context, self._button.window(), "data")

    def _ask_file(self) -> None:
        ask_to_open(self._context, self._button.window(), "data_file")


def known_data(data_root: str) -> list[tuple[str, str, bool]]:
    """Return id, title and whether it is on this machine of every known data set, those at hand first."""
    from core.data.named import SOURCES

    found = [(source.id, source.title, source.available(data_root or None)) for source in SOURCES]
    return sorted(found, key=lambda entry: not entry[2])
