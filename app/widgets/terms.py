"""Terms of the glossary, which explain themselves where they stand; and facts: a label and a value."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QPoint, QSize, Qt, QTimer
from PySide6.QtGui import (
    QEnterEvent,
    QFocusEvent,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QFrame, QSizePolicy, QWidget

from app.services import tokens as t
from app.services.glossary import Term, open_help, term, term_of
from app.services.theme import Role, theme
from app.services.translation import tr
from app.widgets.buttons import TextButton
from app.widgets.labels import ElidedLabel, Label, caption
from app.widgets.layout import STRETCH, FlowLayout, column, form, row

_OPEN_MS, _CLOSE_MS = 400, 250


class TermPopup(QFrame):
    """Two sentences and *More*, under a term."""

    def __init__(self, entry: Term, owner: TermLabel) -> None:
        super().__init__(owner.window(), Qt.WindowType.ToolTip)
        self.setProperty("part", "popup")
        theme.dress(self)
        self._owner = owner
        text = Label(entry.short, wrap=True)
        text.setFixedWidth(theme.px(320))
        more = TextButton(tr("More"), owner.open_glossary)
        column(Label(entry.word, "section"), text, (more, 0, Qt.AlignmentFlag.AlignRight),
               on=self, margins=(t.M, t.M, t.M, t.S), spacing=t.XS)  # fmt: skip

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

    def __init__(self, keys: tuple[str, ...], title: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        inside = QWidget()
        flow = FlowLayout(inside, theme.px(t.M))
        terms = (TermLabel(key, role="caption", tone="text_2") for key in keys)
        self._words = [caption(title or tr("Glossary")), *terms]
        for word in self._words:
            flow.addWidget(word)
        column(STRETCH, inside, STRETCH, on=self)  # in the middle of a higher bar

    def sizeHint(self) -> QSize:
        hints = [word.sizeHint() for word in self._words]
        width = sum(hint.width() + theme.px(t.M) for hint in hints)
        return QSize(width, max(hint.height() for hint in hints))


LABEL_WIDTH = 120


class FactRow(QWidget):
    """One value; `set_value` changes it."""

    def __init__(self, value: str = "", fixed: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value = ElidedLabel(value, "fixed" if fixed else "body")
        self._value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._value.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._change = TextButton("Change…")
        self._label = ""
        self._callback: Callable[[], object] | None = None
        self._change.setProperty("compact", True)  # so that all rows are as high
        self._change.clicked.connect(self._clicked)
        row((self._value, 1), self._change, on=self)
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
        self._form = form(on=self, spacing=t.XS)
        self._form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self._width = theme.px(label_width)
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
            name.setMinimumWidth(self._width)
            self._rows[key] = (name, FactRow(fixed=fixed))
            self._form.addRow(*self._rows[key])
        name, shown = self._rows[key]
        name.setText(label)
        shown.set_label(label)
        shown.set_value(value, hint, on_change, change_text)
        return shown

    def remove(self, key: str) -> None:
        """Remove one fact where it is there."""
        if key in self._rows:
            self._form.takeRow(self._rows[key][1])
            for widget in self._rows.pop(key):
                widget.hide()
                widget.deleteLater()  # it may be the one whose *Change…* was pressed

    def clear(self) -> None:
        for key in list(self._rows):
            self.remove(key)

    def values(self) -> dict[str, str]:
        """All values shown, by key."""
        return {key: row.value() for key, (_, row) in self._rows.items()}
