"""The one registry of commands: menus, buttons, the command palette and the shortcut table are fed from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget

from app.services import icons
from app.services.translation import mark

TITLES = {"file": mark("&File"), "edit": mark("&Edit"), "view": mark("&View"), "run": mark("&Run"),
          "help": mark("&Help")}  # fmt: skip
WhyDisabled = Callable[[], str]
Key = str | QKeySequence.StandardKey  # "Ctrl+L", or what the system's own programs use for it


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

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._commands: dict[str, Command] = {}

    def add(
        self,
        action_id: str,
        text: str,
        callback: Callable[[], object],
        icon: str = "",
        shortcut: Key | tuple[Key, ...] = (),
        why_disabled: WhyDisabled | None = None,
        *,
        menu: str = "",
        tip: str = "",
        checkable: bool = False,
        role: QAction.MenuRole = QAction.MenuRole.NoRole,
    ) -> QAction:
        """Register a command; raises ValueError for an id or a shortcut that is taken.

        Without `menu` its id says which: "file.open" stands in "file". Of several shortcuts the first is the one that
        is shown. With `checkable`, the callback reads the state from `action.isChecked()`. `role` moves the command
        where the system has a place of its own for it.
        """
        if action_id in self._commands:
            raise ValueError(f"the command {action_id!r} exists already")
        action = QAction(text, self)
        action.setObjectName(action_id)
        keys = sequences(shortcut if isinstance(shortcut, tuple) else (shortcut,))
        for command in self:
            for one in command.action.shortcuts():
                if one in keys:
                    raise ValueError(f"{one.toString()} belongs to {command.id!r} already")
        action.setShortcuts(keys)
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        action.setMenuRole(role)
        action.setCheckable(checkable)
        if icon:
            icons.set_icon(action, icon, "text_2")
        command = self._commands[action_id] = Command(
            action_id, action, menu or action_id.split(".")[0], why_disabled, tip
        )
        action.triggered.connect(lambda: callback())
        self._update(command)
        return action

    def __getitem__(self, action_id: str) -> QAction:
        return self._commands[action_id].action

    def __contains__(self, action_id: object) -> bool:
        return action_id in self._commands

    def __iter__(self) -> Iterator[Command]:
        return iter(self._commands.values())

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

    def install(self, window: QWidget) -> None:
        """Make all shortcuts work in a window, also while their menus are closed."""
        window.addActions([command.action for command in self])  # Qt moves those that it has already

    def _update(self, command: Command) -> None:
        reason = self.reason(command.id)
        command.action.setEnabled(not reason)
        keys = command.action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        tip = command.tip or command.text
        command.action.setToolTip(" · ".join(part for part in (f"{tip} ({keys})" if keys else tip, reason) if part))


def sequences(keys: Sequence[Key]) -> list[QKeySequence]:
    """Return the shortcuts that `keys` stand for, each once; a standard key may stand for several or for none."""
    found: list[QKeySequence] = []
    for key in keys:
        bound = QKeySequence.keyBindings(key) if isinstance(key, QKeySequence.StandardKey) else [QKeySequence(key)]
        found += [one for one in bound if not one.isEmpty() and one not in found]
    return found


def unless(holds: Callable[[], object], reason: str) -> WhyDisabled:
    """Return the rule that a command is available while something holds, and for what reason it is not otherwise."""
    return lambda: "" if holds() else reason
