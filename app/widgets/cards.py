"""Cards: a framed group with a title row, one that is a choice, and sections that fold."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QFrame, QSizePolicy, QToolButton, QWidget

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

    def __init__(self, title: str = "", parent: QWidget | None = None, padding: int = t.L) -> None:
        super().__init__(parent)
        self.setProperty("part", "card")
        self._title = heading(title)
        self._actions = row(self._title, STRETCH)
        self._row = widget_of(self._actions, self)
        theme.set_height(self._row, t.CONTROL_HEIGHT)
        self._row.setVisible(bool(title))
        self.body = column()
        column(self._row, (self.body, 1), on=self, margins=(padding, t.S if title else padding, padding, padding))
        if title:
            self.setAccessibleName(title)

    def title(self) -> str:
        """The title."""
        return self._title.text()

    def set_title(self, title: str) -> None:
        """Change the title."""
        self._title.setText(title)
        self._row.setVisible(bool(title))
        self.setAccessibleName(title)

    def add_action(self, widget: QWidget) -> None:
        """Put a button or chip at the right of the title row."""
        self._actions.addWidget(widget)
        self._row.show()


class SelectableCard(QAbstractButton):
    """One choice: a card that is a single radio button (or check box) to keyboard and screen reader.

    Selected shows as a 2 px accent edge and a tick, not by tint alone. With `check=True` several may be chosen.
    """

    opened = Signal()  # double click or Return: choose this one and go on

    def __init__(
        self, title: str, text: str = "", note: str = "", parent: QWidget | None = None, check: bool = False
    ) -> None:
        super().__init__(parent)
        self.setCheckable(True)
        self.setAutoExclusive(not check)
        self._check = check
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.set_texts(title, text, note)

    def set_texts(self, title: str, text: str = "", note: str = "") -> None:
        """Title, one line of explanation, and a note (why it suits or does not)."""
        self._title, self._text, self._note = title, text, note
        self.setText(title)
        self.setAccessibleName(title)
        self.setAccessibleDescription(" ".join(part for part in (text, note) if part))
        self.setToolTip(" ".join(part for part in (text, note) if part))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        lines = 1 + bool(self._text) + bool(self._note)
        return QSize(theme.px(240), theme.px(22 + 18 * lines))

    def minimumSizeHint(self) -> QSize:
        return QSize(theme.px(160), self.sizeHint().height())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.setChecked(True)
            self.opened.emit()
            return
        super().keyPressEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        super().mouseDoubleClickEvent(event)
        self.setChecked(True)
        self.opened.emit()

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.HoverEnter, QEvent.Type.HoverLeave):
            self.update()
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_frame(painter)
        self._paint_mark(painter)
        self._paint_texts(painter, self.text_area())
        painter.end()

    def mark_area(self) -> QRectF:
        """Where the box or radio mark is."""
        mark, pad = theme.px(16), theme.px(t.M)
        return QRectF(pad, pad, mark, mark)

    def text_area(self) -> QRectF:
        """Where the texts are: right of the mark."""
        left = self.mark_area().right() + theme.px(t.S)
        return QRectF(left, theme.px(t.S), self.width() - left - theme.px(t.M), self.height() - 2 * theme.px(t.S))

    def ground(self) -> str:
        """Token of the colour the texts lie on."""
        return "sunken" if self.underMouse() and self.isEnabled() and not self.isChecked() else "surface"

    def _paint_frame(self, painter: QPainter) -> None:
        selected = self.isChecked()
        width = 2 if selected else 1
        painter.setPen(theme.pen("accent" if selected else "line", width))
        painter.setBrush(theme.brush(self.ground()))
        inset = width / 2
        frame = QRectF(self.rect()).adjusted(inset, inset, -inset, -inset)
        painter.drawRoundedRect(frame, theme.px(t.RADIUS_CARD), theme.px(t.RADIUS_CARD))

    def _paint_mark(self, painter: QPainter) -> None:
        selected, box = self.isChecked(), self.mark_area()
        painter.setPen(theme.pen("accent" if selected else "outline" if self.isEnabled() else "line"))
        painter.setBrush(theme.brush("accent" if selected else "surface"))
        radius = theme.px(3) if self._check else box.width() / 2
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
        if selected:
            small = theme.px(12)
            tick = icons.pixmap("tick", small, "on_accent", self.devicePixelRatioF())
            painter.drawPixmap(box.topLeft() + (box.center() - box.topLeft()) * (1 - small / box.width()), tick)

    def _paint_texts(self, painter: QPainter, area: QRectF) -> None:
        y = area.top()
        lines = (
            (self._title, theme.font("body"), "text", True),
            (self._text, theme.font("caption"), "text_2", False),
            (self._note, theme.font("caption"), "text_2", False),
        )
        for text, font, token, strong in lines:
            if not text:
                continue
            if strong:
                font.setWeight(font.Weight.DemiBold)
            painter.setFont(font)
            painter.setPen(theme.color(token if self.isEnabled() else "disabled"))
            line = QRectF(area.left(), y, area.width(), theme.px(20))
            shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(area.width()))
            painter.drawText(line, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), shown)
            y += theme.px(18)


class CollapsibleSection(QWidget):
    """Folded or open; add content to `body`. `strong` sets the title as a heading over what it holds."""

    toggled = Signal(bool)

    def __init__(
        self, title: str, open_: bool = False, parent: QWidget | None = None, strong: bool = False
    ) -> None:
        super().__init__(parent)
        self._open = open_
        self._held = False
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
        self._row = row(self._head, (self._summary, 1))
        self.content = QWidget(self)
        self.body = column(on=self.content)
        column(self._row, self.content, on=self)
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
