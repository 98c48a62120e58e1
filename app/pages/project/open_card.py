"""The card of the model or of the data: how to open one, what is open, and how far the opening is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QMenu, QStackedWidget, QVBoxLayout, QWidget

from app.pages.project.facts import Fact
from app.services import tokens as t
from app.services.glossary import term_of
from app.services.theme import set_property, theme
from app.services.translation import tr
from app.widgets.buttons import SecondaryButton, TextButton
from app.widgets.cards import Card
from app.widgets.labels import Label
from app.widgets.notices import EmptyState, ProgressLine
from app.widgets.terms import FactTable

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
            term = term_of(fact.label)
            self.facts.set(fact.key, fact.label, fact.value, hint=fact.hint, on_change=change, fixed=fact.fixed,
                           change_text=fact.change, term=term.key if term is not None else "")  # fmt: skip
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
