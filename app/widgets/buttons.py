"""Buttons of every kind, and chips: a fact in 20 pixels, which may open a menu."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAction, QIcon
from PySide6.QtWidgets import (
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
from app.services.format import plain
from app.services.theme import set_property, theme
from app.widgets.labels import ElidedLabel, Icon
from app.widgets.layout import row

Slot = Callable[[], object]


class Button(QPushButton):
    """A push button of one kind; `kind` is what the style sheet selects on."""

    kind = ""

    def __init__(self, text: str, on_click: Slot | None = None) -> None:
        super().__init__(text)
        self.setProperty("kind", self.kind)
        self.setAutoDefault(False)
        self._idle_text = ""  # while busy: the text to go back to
        self.on_click = on_click
        self.clicked.connect(lambda: self.on_click and self.on_click())

    def set_busy(self, busy: bool, text: str = "") -> None:
        """Disable while something it started goes on, with what that is as the text."""
        self.setEnabled(not busy)
        idle = self._idle_text or self.text()
        self.setText((text or self.text()) if busy else idle)
        self._idle_text = idle if busy else ""


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
    """Deletes something."""

    kind = "destructive"


class ConfirmButton(Button):
    """Deletes something in a dialog that asks whether to: filled."""

    kind = "destructive-filled"


class TextButton(Button):
    """A command in the accent colour without an edge."""

    kind = "text"

    def __init__(self, text: str, on_click: Slot | None = None) -> None:
        super().__init__(text, on_click)
        self.setCursor(Qt.CursorShape.PointingHandCursor)


class IconButton(QToolButton):
    """A 28 x 28 button with an icon; its name is its tool tip and what a screen reader says."""

    def __init__(self, icon: str, name: str, on_click: Slot | None = None, checkable: bool = False) -> None:
        super().__init__()
        self.setProperty("kind", "icon")
        self.setAccessibleName(name)
        self.setToolTip(name)
        self.setCheckable(checkable)
        self.setIconSize(QSize(theme.px(16), theme.px(16)))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAutoRaise(True)
        icons.set_icon(self, icon, "text_2")
        if on_click is not None:
            self.clicked.connect(lambda: on_click())

    @classmethod
    def from_action(cls, action: QAction) -> IconButton:
        """Return the button of an action: icon, state and tip, which names the shortcut, follow the action."""
        button = cls("", action.text().replace("&", ""))
        button.setDefaultAction(action)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        return button


class Segmented(QWidget):
    """A row of exclusive choices ("at k | profile"); `changed` carries the chosen key."""

    changed = Signal(str)

    def __init__(self, choices: Sequence[tuple[str, str]], name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self._buttons = {key: QToolButton() for key, _ in choices}
        row(*self._buttons.values(), on=self, spacing=0)
        self._value = choices[0][0]
        for key, title in choices:
            button = self._buttons[key]
            button.setText(title)
            button.setAccessibleName(f"{name}: {title}")
            button.setCheckable(True)
            button.setAutoExclusive(True)
            button.setChecked(key == self._value)
            button.setProperty("kind", "segment")
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            button.toggled.connect(partial(self._toggled, key))

    def value(self) -> str:
        return self._value

    def set_value(self, key: str) -> None:
        self._buttons[key].setChecked(True)

    def disable(self, key: str, why: str) -> None:
        """Disable one choice for a reason, which is its tool tip; without one it can be chosen."""
        self._buttons[key].setEnabled(not why)
        self._buttons[key].setToolTip(why)

    def _toggled(self, key: str, on: bool) -> None:
        if on:
            self._value = key
            self.changed.emit(key)


def close_box(dialog: QDialog) -> QDialogButtonBox:
    """Return the row with *Close* of a dialog that only shows something; no desktop's icon is put on it."""
    box = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    box.button(QDialogButtonBox.StandardButton.Close).setIcon(QIcon())
    box.rejected.connect(dialog.reject)
    return box


STATE_ICONS = {"empty": "empty", "ready": "ready", "running": "running", "done": "tick", "problem": "problem"}


class Chip(QFrame):
    """A fact with an icon; not clickable. `severity`: "", "caution" or "error"."""

    def __init__(self, text: str = "", icon: str = "") -> None:
        super().__init__()
        self.setProperty("part", "chip")
        theme.set_height(self, t.CHIP_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._icon = Icon(size=14)
        self._label = ElidedLabel("", "caption")
        self._label.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        row(self._icon, self._label, on=self, margins=(t.S, 0, t.S, 0), spacing=t.XS)
        self.set(text, icon)

    def set(self, text: str, icon: str = "", severity: str = "", tip: str = "") -> None:
        """Show another fact."""
        self._label.setText(text)
        self._icon.set(icon, {"caution": "caution", "error": "danger"}.get(severity, "text-2"))
        self.setAccessibleName(text)
        self.setToolTip(plain(tip))
        set_property(self, "severity", severity)
        set_property(self._label, "severity", severity)

    def text(self) -> str:
        return self._label.text()


class ChipButton(QToolButton):
    """A chip with ▾, which opens the menu that is set with `setMenu`; `name` says what it is about."""

    def __init__(self, text: str, name: str) -> None:
        super().__init__()
        self.setProperty("kind", "chip")
        self._name = name
        theme.set_height(self, t.CHIP_HEIGHT)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.set(text)

    def set(self, text: str, tip: str = "") -> None:
        """Show another fact."""
        self.setText(f"{text} ▾")
        self.setAccessibleName(f"{self._name}: {text}")
        self.setToolTip(plain(tip or self._name))
