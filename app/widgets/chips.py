"""Chips: a fact in 20 pixels (device, run, split); the button form has an arrow and opens something."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenu, QSizePolicy, QToolButton, QWidget

from app.services import icons
from app.services import tokens as t
from app.services.theme import set_property, theme

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
        self.setFixedHeight(theme.px(t.CHIP_HEIGHT))
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.px(t.S), 0, theme.px(t.S), 0)
        row.setSpacing(theme.px(t.XS))
        self._icon_label = QLabel(self)
        self._label = QLabel(self)
        self._label.setTextFormat(Qt.TextFormat.PlainText)
        self._label.setFont(theme.font("caption"))
        row.addWidget(self._icon_label)
        row.addWidget(self._label)
        self._icon = ""
        theme.changed.connect(self._draw_icon)
        self.set(text, icon, severity)

    def set(self, text: str, icon: str = "", severity: str = "", tip: str = "") -> None:
        """Show another fact."""
        self._label.setText(text)
        self._icon = icon
        self.setAccessibleName(text)
        self.setToolTip(tip)
        set_property(self, "severity", severity)
        set_property(self._label, "severity", severity)
        self._draw_icon()

    def text(self) -> str:
        """The fact."""
        return self._label.text()

    def _draw_icon(self) -> None:
        self._icon_label.setVisible(bool(self._icon))
        if self._icon:
            severity = str(self.property("severity") or "")
            token = {"caution": "caution", "error": "danger"}.get(severity, "text_2")
            size = theme.px(14)
            self._icon_label.setPixmap(icons.pixmap(self._icon, size, token, self.devicePixelRatioF()))


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
        self.setFixedHeight(theme.px(t.CHIP_HEIGHT))
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
