"""Buttons of every kind, and chips: a fact in 20 pixels, which may open something."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAction, QIcon, QKeySequence
from PySide6.QtWidgets import (
    QButtonGroup,
    QDialog,
    QDialogButtonBox,
    QFrame,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from app.services import icons
from app.services import tokens as t
from app.services.theme import set_property, theme
from app.widgets.labels import ElidedLabel, Icon
from app.widgets.layout import row

Slot = Callable[[], object]


class Button(QPushButton):
    """A push button of one kind; `kind` is what the style sheet selects on."""

    kind = ""

    def __init__(self, text: str, on_click: Slot | None = None, parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        if self.kind:
            self.setProperty("kind", self.kind)
        self.setAutoDefault(False)
        if on_click is not None:
            self.clicked.connect(lambda _checked=False: on_click())

    def set_busy(self, busy: bool, text: str = "") -> None:
        """Disable while something it started goes on, with what that is as the text."""
        if busy and not self.property("idle_text"):
            self.setProperty("idle_text", self.text())
        self.setEnabled(not busy)
        if busy and text:
            self.setText(text)
        elif not busy and self.property("idle_text"):
            self.setText(str(self.property("idle_text")))
            self.setProperty("idle_text", "")


class PrimaryButton(Button):
    """The next step; one per page."""

    kind = "primary"


class SecondaryButton(Button):
    """Any other command."""

    def set_menu(self, menu: QMenu) -> None:
        """Open `menu` on a click and show the arrow that says so."""
        self.setMenu(menu)
        set_property(self, "menu", True)


class DestructiveButton(Button):
    """Deletes something; `filled` only inside its own confirming dialog."""

    kind = "destructive"

    def __init__(
        self, text: str, on_click: Slot | None = None, parent: QWidget | None = None, filled: bool = False
    ) -> None:
        super().__init__(text, on_click, parent)
        if filled:
            self.setProperty("kind", "destructive-filled")


class TextButton(Button):
    """A command in the accent colour without an edge."""

    kind = "text"

    def __init__(self, text: str, on_click: Slot | None = None, parent: QWidget | None = None) -> None:
        super().__init__(text, on_click, parent)
        self.setCursor(Qt.CursorShape.PointingHandCursor)


class IconButton(QToolButton):
    """A 28 x 28 button with an icon, an accessible name and a tool tip that names its shortcut."""

    def __init__(
        self,
        icon: str,
        name: str,
        on_click: Slot | None = None,
        parent: QWidget | None = None,
        shortcut: str = "",
        checkable: bool = False,
    ) -> None:
        super().__init__(parent)
        self.setProperty("kind", "icon")
        self.setAccessibleName(name)
        keys = QKeySequence(shortcut).toString(QKeySequence.SequenceFormat.NativeText) if shortcut else ""
        self.setToolTip(f"{name} ({keys})" if keys else name)
        if shortcut:
            self.setShortcut(QKeySequence(shortcut))
        self.setCheckable(checkable)
        self.setIconSize(QSize(theme.px(16), theme.px(16)))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAutoRaise(True)
        icons.set_icon(self, icon, "text_2")
        if on_click is not None:
            self.clicked.connect(lambda _checked=False: on_click())

    @classmethod
    def from_action(cls, action: QAction, parent: QWidget | None = None) -> IconButton:
        """Build the button of an action: icon, tip, shortcut and state follow the action."""
        button = cls("more", action.text().replace("&", ""), None, parent)
        icons.set_icon(button, "")
        button.setDefaultAction(action)
        button.setAccessibleName(action.text().replace("&", ""))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        return button


class Segmented(QWidget):
    """A row of exclusive choices ("at k | profile"); `changed` carries the chosen key."""

    changed = Signal(str)

    def __init__(
        self, choices: Sequence[tuple[str, str]], name: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        line = row(on=self, spacing=0)
        self._group = QButtonGroup(self)
        self._keys = [key for key, _ in choices]
        for index, (_, title) in enumerate(choices):
            button = QToolButton(self)
            button.setText(title)
            button.setAccessibleName(f"{name}: {title}")
            button.setCheckable(True)
            button.setProperty("kind", "segment")
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            self._group.addButton(button, index)
            line.addWidget(button)
        self._group.button(0).setChecked(True)
        self._group.idToggled.connect(self._toggled)

    def value(self) -> str:
        return self._keys[self._group.checkedId()]

    def set_value(self, key: str) -> None:
        self._group.button(self._keys.index(key)).setChecked(True)

    def set_enabled(self, key: str, enabled: bool, why: str = "") -> None:
        """Enable or disable one choice; `why` is its tool tip."""
        button = self._group.button(self._keys.index(key))
        button.setEnabled(enabled)
        button.setToolTip(why)

    def _toggled(self, index: int, on: bool) -> None:
        if on:
            self.changed.emit(self._keys[index])


def close_box(dialog: QDialog) -> QDialogButtonBox:
    """Return the row with *Close* of a dialog that only shows something; no desktop's icon is put on it."""
    box = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    box.button(QDialogButtonBox.StandardButton.Close).setIcon(QIcon())
    box.rejected.connect(dialog.reject)
    return box


STATE_GLYPHS = {"empty": "○", "ready": "◐", "running": "▶", "done": "✓", "problem": "!"}
STATE_ICONS = {"empty": "empty", "ready": "ready", "running": "running", "done": "tick", "problem": "problem"}
STATE_WORDS = {
    "empty": "nothing yet", "ready": "ready", "running": "running", "done": "done", "problem": "problem",
}  # fmt: skip


class Chip(QFrame):
    """A fact with an icon; not clickable. `severity`: "", "caution" or "error"."""

    def __init__(self, text: str = "", icon: str = "", parent: QWidget | None = None, severity: str = "") -> None:
        super().__init__(parent)
        self.setProperty("part", "chip")
        theme.set_height(self, t.CHIP_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._icon = Icon(size=14)
        self._label = ElidedLabel("", "caption")
        self._label.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        row(self._icon, self._label, on=self, margins=(t.S, 0, t.S, 0), spacing=t.XS)
        self.set(text, icon, severity)

    def set(self, text: str, icon: str = "", severity: str = "", tip: str = "") -> None:
        """Show another fact."""
        self._label.setText(text)
        self._icon.set(icon, {"caution": "caution", "error": "danger"}.get(severity, "text-2"))
        self.setAccessibleName(text)
        self.setToolTip(tip)
        set_property(self, "severity", severity)
        set_property(self._label, "severity", severity)

    def text(self) -> str:
        return self._label.text()


class StateChip(Chip):
    """A state as shape and word: empty ○, ready ◐, running ▶, done ✓, problem !."""

    def set_state(self, state: str, text: str = "") -> None:
        """Show a state of `STATE_ICONS` with a word of its own or the usual one."""
        severity = "error" if state == "problem" else ""
        self.set(text or STATE_WORDS[state].capitalize(), STATE_ICONS[state], severity)


class ChipButton(QToolButton):
    """A chip with ▾: opens a menu or does something on a click."""

    def __init__(
        self,
        text: str = "",
        icon: str = "",
        name: str = "",
        parent: QWidget | None = None,
        on_click: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(parent)
        self.setProperty("kind", "chip")
        self._name = name
        theme.set_height(self, t.CHIP_HEIGHT)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setIconSize(QSize(theme.px(14), theme.px(14)))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        if icon:
            icons.set_icon(self, icon, "text_2")
        self.set(text)
        if on_click is not None:
            self.clicked.connect(lambda _checked=False: on_click())

    def set(self, text: str, tip: str = "") -> None:
        """Show another fact."""
        self.setText(f"{text} ▾")
        self.setAccessibleName(f"{self._name}: {text}" if self._name else text)
        self.setToolTip(tip or self._name)

    def set_menu(self, menu: QMenu) -> None:
        """The menu that opens on a click."""
        self.setMenu(menu)
