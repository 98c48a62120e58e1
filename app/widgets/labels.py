"""Text on a page: by role, elided, as a term of the glossary, and facts with their labels."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QPoint, QSize, Qt, QTimer
from PySide6.QtGui import (
    QEnterEvent,
    QFocusEvent,
    QFontMetrics,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from app.services import tokens as t
from app.services.glossary import Term, open_help, term, term_of
from app.services.theme import Role, set_tone, theme
from app.widgets.buttons import TextButton
from app.widgets.layout import FlowLayout

_LINE_CHARACTERS = 80


class Label(QLabel):
    """A plain-text label of one role and tone."""

    def __init__(
        self, text: str = "", role: Role = "body", tone: str = "", wrap: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(text, parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        theme.set_font(self, role)
        if tone:
            set_tone(self, tone)
        if wrap:
            self.setWordWrap(True)
            self.setMaximumWidth(_LINE_CHARACTERS * QFontMetrics(self.font()).averageCharWidth())
            self.setMinimumWidth(1)

    def heightForWidth(self, width: int) -> int:
        # A layout asks for the width it has, which may be more than the label takes.
        return super().heightForWidth(min(width, self.maximumWidth()))


def caption(text: str = "", wrap: bool = False) -> Label:
    """Return a caption: small, in text-2."""
    return Label(text, "caption", "text-2", wrap)


def section(text: str) -> Label:
    """Return a section title."""
    return Label(text, "section")


def separator() -> QWidget:
    """Return a one-pixel line."""
    from PySide6.QtWidgets import QFrame

    line = QFrame()
    line.setProperty("part", "separator")
    return line


class ElidedLabel(QLabel):
    """A one-line label that elides in the middle; the whole text is its tool tip and accessible name."""

    def __init__(
        self, text: str = "", role: Role = "body", tone: str = "", parent: QWidget | None = None,
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideMiddle,
    ) -> None:
        super().__init__(parent)
        self._mode = mode
        self._hint = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        theme.set_font(self, role)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(theme.px(24))
        if tone:
            set_tone(self, tone)
        self.setText(text)

    def setText(self, text: str) -> None:
        super().setText(text)
        self.setAccessibleName(text)
        self._update_tip()

    def set_hint(self, hint: str) -> None:
        """Tool tip to show where the text is not elided."""
        self._hint = hint
        self._update_tip()

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(self.text()) + 2, metrics.height() + 2)

    def minimumSizeHint(self) -> QSize:
        return QSize(theme.px(24), self.fontMetrics().height() + 2)

    def resizeEvent(self, event: object) -> None:
        self._update_tip()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        text = self.fontMetrics().elidedText(self.text(), self._mode, self.width())
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.rect(), int(self.alignment() | Qt.AlignmentFlag.AlignVCenter), text)
        painter.end()

    def _update_tip(self) -> None:
        elided = self.fontMetrics().horizontalAdvance(self.text()) > self.width()
        self.setToolTip(self.text() if elided else self._hint)


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
        theme.set_font(self, role)
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
        self.close_popup()
        open_help("glossary", self._term.key)

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


LABEL_WIDTH = 120


class FactRow(QWidget):
    """One value; `set_value` changes it."""

    def __init__(self, value: str = "", fixed: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.px(t.S))
        self._value = ElidedLabel(value, "fixed" if fixed else "body")
        self._value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._value.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._change = TextButton("Change…")
        self._label = ""
        self._callback: Callable[[], object] | None = None
        self._change.setProperty("compact", True)  # so that all rows are as high
        self._change.clicked.connect(self._clicked)
        row.addWidget(self._value, 1)
        row.addWidget(self._change)
        self._change.hide()

    def set_value(
        self,
        value: str,
        hint: str = "",
        on_change: Callable[[], object] | None = None,
        change_text: str = "Change…",
    ) -> None:
        """Show a value; `hint` is the tool tip where it is not elided."""
        self._value.setText(value)
        self._value.set_hint(hint)
        self._callback = on_change
        self._change.setText(change_text)
        self._change.setAccessibleName(f"{change_text.removesuffix('…')} {self._label}".strip())
        self._change.setVisible(on_change is not None)

    def value(self) -> str:
        """The value shown."""
        return self._value.text()

    def set_label(self, label: str) -> None:
        """Name the row for a screen reader."""
        self._label = label.lower()

    def _clicked(self) -> None:
        if self._callback is not None:
            self._callback()


class FactTable(QWidget):
    """Rows of facts by key, in the order they were first set."""

    def __init__(self, parent: QWidget | None = None, label_width: int = LABEL_WIDTH) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(theme.px(t.S))
        self._grid.setVerticalSpacing(theme.px(t.XS))
        self._grid.setColumnMinimumWidth(0, theme.px(label_width))
        self._grid.setColumnStretch(1, 1)
        self._rows: dict[str, tuple[Label | TermLabel, FactRow]] = {}

    def set(
        self,
        key: str,
        label: str,
        value: str,
        *,
        hint: str = "",
        on_change: Callable[[], object] | None = None,
        fixed: bool = False,
        change_text: str = "Change…",
        term: str = "",
    ) -> FactRow:
        """Set one fact, adding its row where it is new; `term` names the word of the glossary its label is."""
        if key not in self._rows:
            name = TermLabel(term, label, tone="text_2") if term else Label(label, "body", "text-2")
            row = FactRow(fixed=fixed)
            at = self._grid.rowCount()
            self._grid.addWidget(name, at, 0)
            self._grid.addWidget(row, at, 1)
            self._rows[key] = (name, row)
        name, row = self._rows[key]
        name.setText(label)
        row.set_label(label)
        row.set_value(value, hint, on_change, change_text)
        return row

    def remove(self, key: str) -> None:
        """Remove one fact where it is there."""
        for widget in self._rows.pop(key, ()):
            self._grid.removeWidget(widget)
            widget.deleteLater()

    def clear(self) -> None:
        """Remove all facts."""
        for key in list(self._rows):
            self.remove(key)

    def values(self) -> dict[str, str]:
        """All values shown, by key."""
        return {key: row.value() for key, (_, row) in self._rows.items()}
