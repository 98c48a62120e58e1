"""A section that folds: a head with an arrow and a summary, and its content."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from app.services import icons
from app.services import tokens as t
from app.services.theme import theme
from app.widgets.labels import ElidedLabel


class CollapsibleSection(QWidget):
    """Folded or open; add content to `body`. `strong` sets the title as a heading over what it holds."""

    toggled = Signal(bool)

    def __init__(
        self, title: str, open_: bool = False, parent: QWidget | None = None, strong: bool = False
    ) -> None:
        super().__init__(parent)
        self._open = open_
        self._held = False
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.px(t.S))
        self._head = QToolButton(self)
        self._head.setProperty("kind", "link")
        self._head.setText(title)
        if strong:
            font = theme.font("body")
            font.setWeight(QFont.Weight.DemiBold)
            self._head.setFont(font)
        self._head.setCheckable(False)
        self._head.setIconSize(QSize(theme.px(12), theme.px(12)))
        self._head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._head.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._head.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._head.clicked.connect(self._clicked)
        self._summary = ElidedLabel("", "caption", "text-2", mode=Qt.TextElideMode.ElideRight)
        row = QHBoxLayout()
        row.setSpacing(theme.px(t.S))
        row.addWidget(self._head)
        row.addWidget(self._summary, 1)
        self._row = row
        column.addLayout(row)
        self.content = QWidget(self)
        self.body = QVBoxLayout(self.content)
        self.body.setContentsMargins(0, 0, 0, 0)
        self.body.setSpacing(theme.px(t.S))
        column.addWidget(self.content)
        self._show()

    def is_open(self) -> bool:
        """Whether the content shows."""
        return not self.content.isHidden()

    def set_open(self, open_: bool) -> None:
        """Fold or open."""
        self._open = open_
        self._show()

    def set_held_open(self, held: bool) -> None:
        """Show the content whether folded or not, as while a search has found something in it."""
        if held != self._held:
            self._held = held
            self._show()

    def title(self) -> str:
        """The title."""
        return self._head.text()

    def set_title(self, title: str) -> None:
        """Change the title."""
        self._head.setText(title)
        self._head.setAccessibleName(title)

    def set_summary(self, text: str) -> None:
        """A few words beside the title, such as how many values were changed."""
        self._summary.setText(text)

    def summary(self) -> str:
        """The words beside the title."""
        return self._summary.text()

    def add_action(self, widget: QWidget) -> None:
        """Put a button at the right of the head."""
        self._row.addWidget(widget)

    def set_tip(self, text: str) -> None:
        """Say in a tool tip what the section is about."""
        self._head.setToolTip(text)

    def _show(self) -> None:
        open_ = self._open or self._held
        self.content.setVisible(open_)
        icons.set_icon(self._head, "chevron-down" if open_ else "chevron-right", "text_2")
        self._head.setAccessibleName(self._head.text())
        self._head.setAccessibleDescription("open" if open_ else "folded")

    def _clicked(self) -> None:
        self.set_open(not self.is_open())
        self.toggled.emit(self.is_open())
