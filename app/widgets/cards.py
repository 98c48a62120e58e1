"""Cards: a framed group with a title row, one that is a choice, and sections that fold."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QSizePolicy, QToolButton, QWidget

from app.services import icons
from app.services import tokens as t
from app.services.theme import theme
from app.services.translation import tr
from app.widgets.labels import ElidedLabel
from app.widgets.layout import STRETCH, column, row, widget_of
from app.widgets.terms import heading


class Card(QFrame):
    """Surface with a 1 px line, radius 6 and padding 16; the title row (28 high) holds its actions at the right.

    Add content to `body`, actions with `add_action`. No card inside a card.
    """

    def __init__(self, title: str = "", padding: int = t.L) -> None:
        super().__init__()
        self.setProperty("part", "card")
        self._title = heading(title)
        self._actions = row(self._title, STRETCH)
        self._row = widget_of(self._actions)
        theme.set_height(self._row, t.CONTROL_HEIGHT)
        self.body = column()
        column(self._row, (self.body, 1), on=self, margins=(padding, t.S if title else padding, padding, padding))
        self._row.setVisible(bool(title))
        if title:
            self.setAccessibleName(title)

    def title(self) -> str:
        return self._title.text()

    def set_title(self, title: str) -> None:
        self._title.setText(title)
        self._row.setVisible(bool(title))
        self.setAccessibleName(title)

    def add_action(self, widget: QWidget) -> None:
        """Put a button or chip at the right of the title row."""
        self._actions.addWidget(widget)
        self._row.show()


class CollapsibleSection(QWidget):
    """Folded or open; add content to `body`. `strong` sets the title as a heading over what it holds."""

    toggled = Signal(bool)

    def __init__(self, title: str, open_: bool = False, strong: bool = False) -> None:
        super().__init__()
        self._open = open_
        self._head = QToolButton()
        self._head.setProperty("kind", "link")
        self._head.setProperty("strong", strong)
        self._head.setText(title)
        self._head.setIconSize(QSize(theme.px(12), theme.px(12)))
        self._head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._head.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._head.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._head.clicked.connect(self._clicked)
        self._summary = ElidedLabel("", "caption", "text-2", Qt.TextElideMode.ElideRight)
        self._row = row(self._head, (self._summary, 1))
        self.body = column()
        self.content = widget_of(self.body)
        column(self._row, self.content, on=self)
        self._show()

    def is_open(self) -> bool:
        """Whether the content shows."""
        return not self.content.isHidden()

    def set_open(self, open_: bool) -> None:
        self._open = open_
        self._show()

    def title(self) -> str:
        return self._head.text()

    def set_title(self, title: str) -> None:
        self._head.setText(title)

    def set_summary(self, text: str) -> None:
        """A few words beside the title, such as how many values were changed."""
        self._summary.setText(text)

    def summary(self) -> str:
        """The words beside the title."""
        return self._summary.text()

    def add_action(self, widget: QWidget) -> None:
        """Put a button at the right of the head."""
        self._row.addWidget(widget)

    def _show(self) -> None:
        self.content.setVisible(self._open)
        icons.set_icon(self._head, "chevron-down" if self._open else "chevron-right", "text_2")
        self._head.setAccessibleDescription(tr("open") if self._open else tr("folded"))

    def _clicked(self) -> None:
        self.set_open(not self.is_open())
        self.toggled.emit(self.is_open())
