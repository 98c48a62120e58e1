"""A term: dotted underline; hover, focus or F1 opens two sentences, *More* the glossary."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QSize, Qt, QTimer
from PySide6.QtGui import QEnterEvent, QFocusEvent, QHideEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QSizePolicy, QVBoxLayout, QWidget

from app.services import tokens as t
from app.services.glossary import Term, term, term_of
from app.services.theme import Role, theme
from app.widgets.buttons import TextButton
from app.widgets.flow import FlowLayout
from app.widgets.labels import Label, caption

_OPEN_MS, _CLOSE_MS = 400, 250


class TermPopup(QFrame):
    """Two sentences and *More*, under a term."""

    def __init__(self, entry: Term, owner: TermLabel) -> None:
        super().__init__(owner.window(), Qt.WindowType.ToolTip)
        self.setProperty("part", "popup")
        self._owner = owner
        column = QVBoxLayout(self)
        pad = theme.px(t.M)
        column.setContentsMargins(pad, pad, pad, theme.px(t.S))
        column.setSpacing(theme.px(t.XS))
        column.addWidget(Label(entry.word, "section"))
        text = Label(entry.short, wrap=True)
        text.setFixedWidth(theme.px(320))
        column.addWidget(text)
        column.addWidget(TextButton("More", owner.open_glossary), 0, Qt.AlignmentFlag.AlignRight)

    def leaveEvent(self, event: QEvent) -> None:
        self._owner.close_soon()


class TermLabel(QWidget):
    """Shows a word of the glossary; `text` where the sentence needs another form of it."""

    def __init__(
        self, key: str, text: str = "", role: Role = "body", parent: QWidget | None = None, tone: str = "text"
    ) -> None:
        super().__init__(parent)
        self._term = term(key)
        self._tone = tone
        self._text = text or self._term.word
        self.setFont(theme.font(role))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.WhatsThisCursor)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self._text)
        self.setAccessibleDescription(self._term.short)
        self._popup: TermPopup | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._timed_out)
        self._opening = False
        theme.changed.connect(self.update)

    def text(self) -> str:
        """The words shown."""
        return self._text

    def setText(self, text: str) -> None:
        """Show other words for the same term."""
        self._text = text
        self.setAccessibleName(text)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(self._text) + 1, metrics.height() + theme.px(3))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def open_popup(self) -> None:
        """Show the two sentences now."""
        self._timer.stop()
        if self._popup is None:
            self._popup = TermPopup(self._term, self)
            self._popup.adjustSize()
            self._popup.move(self._place(self._popup.size()))
            self._popup.show()

    def close_popup(self) -> None:
        """Hide them."""
        self._timer.stop()
        if self._popup is not None:
            self._popup.close()
            self._popup.deleteLater()
            self._popup = None

    def close_soon(self) -> None:
        """Hide them unless the mouse comes back."""
        self._opening = False
        self._timer.start(_CLOSE_MS)

    def popup(self) -> TermPopup | None:
        """The pop-up, while it is open."""
        return self._popup

    def open_glossary(self) -> None:
        """Show the whole glossary at this term."""
        from app.dialogs.glossary import GlossaryDialog

        self.close_popup()
        GlossaryDialog(self._term.key, self.window()).open()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_F1:
            self.open_popup()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.open_glossary()
        elif event.key() == Qt.Key.Key_Escape and self._popup is not None:
            self.close_popup()
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        overrides = event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent)
        if overrides and event.key() == Qt.Key.Key_F1:  # type: ignore[attr-defined]
            event.accept()  # before the window's F1
            return True
        return super().event(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        self._opening = True
        self._timer.start(_OPEN_MS)

    def leaveEvent(self, event: QEvent) -> None:
        self.close_soon()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.open_popup()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        by_tab = event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        # Qt calls it a Tab, too, where a button that was clicked goes and passes its focus on.
        if by_tab and self.window().testAttribute(Qt.WidgetAttribute.WA_KeyboardFocusChange):
            self.open_popup()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.close_popup()

    def hideEvent(self, event: QHideEvent) -> None:
        self.close_popup()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(theme.color(self._tone))
        metrics = self.fontMetrics()
        painter.drawText(0, metrics.ascent(), self._text)
        pen = QPen(theme.color("text_2"), 1, Qt.PenStyle.DotLine)
        painter.setPen(pen)
        y = metrics.height() + 1
        painter.drawLine(0, y, metrics.horizontalAdvance(self._text), y)
        painter.end()

    def _place(self, size: QSize) -> QPoint:
        """Under the word; above it where the screen ends."""
        gap, room = theme.px(2), self.screen().availableGeometry()
        below = self.mapToGlobal(QPoint(0, self.height() + gap))
        if below.y() + size.height() > room.bottom() + 1:
            below.setY(self.mapToGlobal(QPoint(0, 0)).y() - gap - size.height())
        below.setX(max(room.left(), min(below.x(), room.right() + 1 - size.width())))
        return below

    def _timed_out(self) -> None:
        if self._opening:
            self.open_popup()
        elif self._popup is None or not self._popup.underMouse():
            self.close_popup()


def heading(text: str, role: Role = "section") -> TermLabel | Label:
    """Return a title: a term where the glossary holds it, so that whoever wonders about the word can ask."""
    found = term_of(text)
    return TermLabel(found.key, text, role) if found is not None else Label(text, role)


class TermRow(QWidget):
    """The words of a page that stand where nothing can be pointed at, such as in a table's rows."""

    def __init__(self, keys: tuple[str, ...], title: str = "Glossary", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        inside = QWidget()
        flow = FlowLayout(inside, theme.px(t.M))
        self._words = [caption(title), *(TermLabel(key, role="caption", tone="text_2") for key in keys)]
        for word in self._words:
            flow.addWidget(word)
        column = QVBoxLayout(self)  # in the middle of a higher bar
        column.setContentsMargins(0, 0, 0, 0)
        column.addStretch(1)
        column.addWidget(inside)
        column.addStretch(1)

    def sizeHint(self) -> QSize:
        hints = [word.sizeHint() for word in self._words]
        width = sum(hint.width() + theme.px(t.M) for hint in hints)
        return QSize(width, max(hint.height() for hint in hints))
