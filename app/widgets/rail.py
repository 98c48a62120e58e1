"""The rail: the pages in order with icon, name, state shape and one caption line."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QFrame, QSizePolicy, QVBoxLayout, QWidget

from app.services import icons
from app.services import tokens as t
from app.services.theme import theme
from app.widgets.chips import STATE_ICONS, STATE_WORDS
from app.widgets.labels import separator


class RailEntry(QAbstractButton):
    """One page: 52 high; the state is a shape at the right and a word in the accessible description."""

    def __init__(self, title: str, icon: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setText(title)
        self.setAccessibleName(title)
        self._icon = icon
        self._state = ""
        self._caption = ""
        self.setCheckable(True)
        self.setAutoExclusive(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def set_state(self, state: str, caption: str) -> None:
        """Show a state ("" for none, or one of empty, ready, running, done, problem) and a caption."""
        if (state, caption) == (self._state, self._caption):
            return
        self._state, self._caption = state, caption
        word = STATE_WORDS.get(state, "")
        self.setAccessibleDescription(": ".join(part for part in (word, caption) if part))
        self.update()

    @property
    def state(self) -> str:
        """The state shown."""
        return self._state

    @property
    def caption(self) -> str:
        """The caption shown."""
        return self._caption

    def sizeHint(self) -> QSize:
        return QSize(theme.px(t.RAIL_WIDTH), theme.px(t.RAIL_ENTRY))

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.HoverEnter, QEvent.Type.HoverLeave):
            self.update()
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        current = self.isChecked()
        if current:
            painter.fillRect(self.rect(), theme.color("accent_tint"))
            painter.fillRect(0, 0, theme.px(3), self.height(), theme.color("accent"))
        elif self.underMouse():
            painter.fillRect(self.rect(), theme.color("sunken"))
        ratio = self.devicePixelRatioF()
        size, left = theme.px(20), theme.px(t.L)
        token = "accent" if current else "text_2"
        painter.drawPixmap(left, (self.height() - size) // 2, icons.pixmap(self._icon, size, token, ratio))

        mark = theme.px(12)
        right = self.width() - theme.px(t.M) - mark
        text_left = left + size + theme.px(t.M)
        two_lines = bool(self._caption)
        line = theme.px(18)
        top = self.height() // 2 - (line if two_lines else line // 2)
        if self._state:
            token = "danger" if self._state == "problem" else "accent" if self._state == "running" else "text_2"
            shape = icons.pixmap(STATE_ICONS[self._state], mark, token, ratio)
            painter.drawPixmap(right, top + (line - mark) // 2, shape)
        font = theme.font("body")
        if current:
            font.setWeight(font.Weight.DemiBold)
        align = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
        painter.setFont(font)
        painter.setPen(theme.color("text"))
        painter.drawText(QRect(text_left, top, right - text_left, line), align, self.text())
        if two_lines:
            painter.setFont(theme.font("caption"))
            painter.setPen(theme.color("text_2"))
            room = self.width() - text_left - theme.px(t.S)
            shown = painter.fontMetrics().elidedText(self._caption, Qt.TextElideMode.ElideRight, room)
            painter.drawText(QRect(text_left, top + line, room, line), align, shown)
        painter.end()


class Rail(QFrame):
    """All entries; `chosen` carries a page id. Up and Down move between entries."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("part", "rail")
        self.setFixedWidth(theme.px(t.RAIL_WIDTH))
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, theme.px(t.S), 0, theme.px(t.S))
        self._column.setSpacing(0)
        self._column.addStretch(1)
        self._group = QButtonGroup(self)
        self._entries: dict[str, RailEntry] = {}
        self._group.buttonClicked.connect(self._clicked)
        self._group.buttonToggled.connect(self._toggled)

    def add_entry(self, page_id: str, title: str, icon: str, tip: str = "", below_line: bool = False) -> RailEntry:
        """Append an entry; `below_line` draws a line above it."""
        if below_line:
            self._insert(separator())
        entry = RailEntry(title, icon, self)
        entry.setToolTip(tip)
        self._entries[page_id] = entry
        self._group.addButton(entry)
        self._insert(entry)
        return entry

    def entry(self, page_id: str) -> RailEntry:
        """The entry of a page."""
        return self._entries[page_id]

    def set_state(self, page_id: str, state: str, caption: str) -> None:
        """Show a page's state and caption."""
        self._entries[page_id].set_state(state, caption)

    def set_current(self, page_id: str) -> None:
        """Mark the page that is shown."""
        self._entries[page_id].setChecked(True)

    def _insert(self, widget: QWidget) -> None:
        self._column.insertWidget(self._column.count() - 1, widget)

    def _clicked(self, button: QAbstractButton) -> None:
        self._choose(button)

    def _toggled(self, button: QAbstractButton, on: bool) -> None:
        if on and button.hasFocus():  # arrow keys move the check mark with the focus
            self._choose(button)

    def _choose(self, button: QAbstractButton) -> None:
        for page_id, entry in self._entries.items():
            if entry is button:
                self.chosen.emit(page_id)
