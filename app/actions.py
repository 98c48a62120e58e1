"""The one registry of commands: menus, buttons, the command palette and the shortcut table are fed from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

from app.services import icons
from app.services.translation import mark

MENUS = ("file", "edit", "run", "view", "help")
MENU_TITLES = {"file": mark("&File"), "edit": mark("&Edit"), "run": mark("&Run"), "view": mark("&View"),
               "help": mark("&Help")}  # fmt: skip
WhyDisabled = Callable[[], str]


@dataclass(frozen=True)
class Command:
    """One command: its action, the menu it stands in and the rule that says why it is not available."""

    id: str
    action: QAction
    menu: str
    why_disabled: WhyDisabled | None
    tip: str

    @property
    def text(self) -> str:
        """Its text without mnemonic and dots."""
        return self.action.text().replace("&", "").removesuffix("…")


class Actions(QObject):
    """All commands by id. `why_disabled` returns "" where the command is available, else one sentence."""

    used = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._commands: dict[str, Command] = {}

    def add(
        self,
        action_id: str,
        text: str,
        callback: Callable[[], object],
        *,
        menu: str = "",
        icon: str = "",
        shortcut: str | QKeySequence.StandardKey = "",
        tip: str = "",
        checkable: bool = False,
        why_disabled: WhyDisabled | None = None,
    ) -> QAction:
        """Register a command; raises ValueError for an id or a shortcut that is taken.

        With `checkable`, the callback reads the state from `action.isChecked()`.
        """
        if action_id in self._commands:
            raise ValueError(f"the command {action_id!r} exists already")
        action = QAction(text, self)
        action.setObjectName(action_id)
        if shortcut:
            keys = QKeySequence(shortcut)
            taken = self.by_shortcut(keys)
            if taken is not None:
                raise ValueError(f"{keys.toString()} belongs to {taken.id!r} already")
            action.setShortcut(keys)
            action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        action.setCheckable(checkable)
        if icon:
            icons.set_icon(action, icon, "text_2")
        self._commands[action_id] = Command(action_id, action, menu, why_disabled, tip)
        action.triggered.connect(lambda _checked=False: self._triggered(action_id, callback))
        self._update(self._commands[action_id])
        return action

    def __getitem__(self, action_id: str) -> QAction:
        return self._commands[action_id].action

    def __contains__(self, action_id: object) -> bool:
        return action_id in self._commands

    def __iter__(self) -> Iterator[Command]:
        return iter(self._commands.values())

    def remove(self, action_id: str) -> None:
        """Remove a command."""
        command = self._commands.pop(action_id)
        command.action.deleteLater()

    def trigger(self, action_id: str) -> None:
        """Do a command where it is available."""
        command = self._commands[action_id]
        self._update(command)
        command.action.trigger()

    def refresh(self) -> None:
        """Ask every command's rule again; called when model, data, selection or run changed."""
        for command in self:
            self._update(command)

    def reason(self, action_id: str) -> str:
        """Why a command is not available; "" where it is."""
        rule = self._commands[action_id].why_disabled
        return rule() if rule else ""

    def by_shortcut(self, keys: QKeySequence) -> Command | None:
        """The command of a shortcut."""
        return next((c for c in self if not keys.isEmpty() and c.action.shortcut() == keys), None)

    def install(self, window: QWidget) -> None:
        """Make all shortcuts work in a window, also while their menus are closed."""
        for command in self:
            if command.action not in window.actions():
                window.addAction(command.action)

    def fill_menu(self, menu: QMenu, name: str) -> None:
        """Put all commands of one menu into it, in the order they were registered."""
        menu.clear()
        for command in self:
            if command.menu == name:
                menu.addAction(command.action)
        menu.setToolTipsVisible(True)

    def search(self, text: str, recent: Sequence[str] = ()) -> list[Command]:
        """Commands whose text holds the letters of `text` in order; recent ones first, then the closest match."""
        ranked: list[tuple[tuple[int, int, int], Command]] = []
        for position, command in enumerate(self):
            score = match(text, command.text)
            if score is not None and command.text:
                lately = recent.index(command.id) if command.id in recent else len(recent) + 1
                key = (score, lately, position) if text else (lately, 0, position)
                ranked.append((key, command))
        return [command for _, command in sorted(ranked, key=lambda pair: pair[0])]

    def _triggered(self, action_id: str, callback: Callable[[], object]) -> None:
        self.used.emit(action_id)
        callback()

    def _update(self, command: Command) -> None:
        reason = command.why_disabled() if command.why_disabled else ""
        command.action.setEnabled(not reason)
        keys = command.action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        tip = command.tip or command.text
        command.action.setToolTip(" · ".join(part for part in (f"{tip} ({keys})" if keys else tip, reason) if part))


def match(letters: str, text: str) -> int | None:
    """Return how far apart the letters lie in `text` (0 is best), or None where they are not there in order.

    A match at the start of words counts as close.
    """
    wanted, lower = letters.lower().replace(" ", ""), text.lower()
    if not wanted:
        return 0
    found = lower.find(letters.lower().strip())
    if found >= 0:
        return 0 if found == 0 or lower[found - 1] == " " else 1
    position, cost = -1, 2
    for letter in wanted:
        following = lower.find(letter, position + 1)
        if following < 0:
            return None
        word_start = following == 0 or not lower[following - 1].isalnum()
        cost += 0 if word_start else following - position - 1
        position = following
    return cost
