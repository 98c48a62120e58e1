"""Cards: a framed group with a title row, and sections that fold."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QFrame, QSizePolicy, QToolButton, QWidget

from app.services import icons
from app.services import tokens as t
from app.services.theme import theme
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
        self.title = heading(title)
        self._actions = row(self.title, STRETCH)
        self._row = widget_of(self._actions)
        theme.set_height(self._row, t.CONTROL_HEIGHT)
        self.body = column()
        column(self._row, (self.body, 1), on=self, margins=(padding, t.S if title else padding, padding, padding))
        self.set_title(title)

    def set_title(self, title: str) -> None:
        self.title.setText(title)
        self._row.setVisible(bool(title))
        self.setAccessibleName(title)

    def add_action(self, widget: QWidget) -> None:
        """Put a button or chip at the right of the title row."""
        self._actions.addWidget(widget)
        self._row.show()


class CollapsibleSection(QWidget):
    """Shows `body` while its head is checked; `summary` stands beside the head. `strong` sets the title as a heading.

    Add content to `body`, and what stands at the right of the head to `row`.
    """

    def __init__(self, title: str, open_: bool = False, strong: bool = False) -> None:
        super().__init__()
        self.head = QToolButton()
        self.head.setText(title)
        self.head.setCheckable(True)
        self.head.setChecked(open_)
        self.head.setProperty("kind", "link")
        self.head.setProperty("strong", strong)
        self.head.setIconSize(QSize(theme.px(12), theme.px(12)))
        self.head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.head.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.head.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.head.toggled.connect(self._show)
        self.summary = ElidedLabel("", "caption", "text-2", Qt.TextElideMode.ElideRight)
        self.row, self.body = row(self.head, (self.summary, 1)), column()
        self._content = widget_of(self.body)
        column(self.row, self._content, on=self)
        self._show(open_)

    def _show(self, open_: bool) -> None:
        self._content.setVisible(open_)
        icons.set_icon(self.head, "chevron-down" if open_ else "chevron-right", "text_2")
