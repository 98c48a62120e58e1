"""What every page is: content with a margin of 16, an action bar at its foot; and files dropped on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QBoxLayout, QWidget

from app.services import tokens as t
from app.services.theme import theme
from app.widgets.labels import Label
from app.widgets.layout import STRETCH, column, row
from app.widgets.notices import Banner

if TYPE_CHECKING:
    from app.context import AppContext


class Page(QWidget):
    """Base of the pages: fill `content`, add commands with `add_action`, say what is missing with `set_missing`.

    `banner` stands above the content. The frame calls `entered` and `left` and shows `header_widget` beside the title.
    """

    header_widget: QWidget | None = None

    def __init__(self, context: AppContext) -> None:
        super().__init__()
        self.context = context
        self.banner = Banner()
        self.content = column(spacing=t.M)
        self._missing = Label("", "body", "text-2")
        self.action_start, self.action_end = row(), row()
        self._bar = QWidget()
        right = row(STRETCH, self._missing, self.action_end)
        (column if theme.large else row)(self.action_start, (right, 1), on=self._bar)
        column(self.banner, (self.content, 1), self._bar, on=self, margins=t.L, spacing=t.M)
        self._bar.hide()

    def add_action(self, widget: QWidget, start: bool = False) -> None:
        """Put a widget into the action bar: at its right (the primary button last) or its start."""
        (self.action_start if start else self.action_end).addWidget(widget)
        self._bar.show()

    def show_error(self, text: str, buttons: Sequence[tuple[str, Callable[[], object]]] = ()) -> None:
        """Say above the content what failed, and keep it among the messages."""
        self.context.notifications.keep(text)
        self.banner.show_message(text, "error", list(buttons))

    def give_room_to_start(self) -> None:
        """Give what is spare in the action bar to its start, which has something that can grow."""
        bar = self._bar.layout()
        assert isinstance(bar, QBoxLayout)
        bar.setStretch(0, 1)
        bar.setStretch(1, 0)

    def set_missing(self, sentence: str) -> None:
        """Name, left of the primary button, what is missing before it can be pressed."""
        self._missing.setText(sentence)

    def missing(self) -> str:
        """The sentence of what is missing."""
        return self._missing.text()

    def entered(self) -> None:
        """The page is shown now."""

    def left(self) -> None:
        """Another page is shown now."""
