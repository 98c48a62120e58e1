"""One method as a card: title, what it does, when it makes sense, what it costs and needs, where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFont, QFontMetrics, QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.services import run_words as words
from app.services import tokens as t
from app.services.theme import Role, theme
from app.widgets.cards import SelectableCard

if TYPE_CHECKING:
    from core.session.planning import Choice

SUMMARY_LINES = FACT_LINES = 2
_WIDE = 10_000  # pixels: no text wraps
_WIDTHS_KEPT = 8
_MOVES = {
    Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1, Qt.Key.Key_PageUp: -4, Qt.Key.Key_PageDown: 4,
    Qt.Key.Key_Home: -1000, Qt.Key.Key_End: 1000,
}  # fmt: skip


@dataclass(frozen=True)
class _Line:
    text: str
    role: Role
    token: str
    most: int = 1  # lines it may take; the last one is elided
    strong: bool = False
    space: int = 0  # above it


@dataclass(frozen=True)
class _Drawn:
    text: str
    font: QFont
    token: str
    top: int
    height: int


class MethodCard(SelectableCard):
    """A check box to keyboard and reader. Arrow keys go from card to card; the one in view beside is tinted."""

    move_wanted = Signal(int)  # so many cards further
    focused = Signal(bool)  # whether by the keyboard

    def __init__(self, choice: Choice, parent: QWidget | None = None) -> None:
        self._choice = choice
        self._cost = ""
        self._shown = False
        self.on_texts = False  # while a click on the texts, not on the box, is told
        self._laid_out: dict[int, tuple[list[_Drawn], int]] = {}  # by width: a layout asks for several
        super().__init__(choice.method.title, parent=parent, check=True)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.haystack = words.haystack(choice.method)
        self.set_choice(choice)

    def set_choice(self, choice: Choice) -> None:
        """Show whether the method suits; one that does not cannot be ticked and says why."""
        self._choice = choice
        self.setEnabled(choice.suits)
        self._texts_changed()

    def set_cost(self, text: str) -> None:
        """Show what training costs, in words; "" where it is not known."""
        if text != self._cost:
            self._cost = text
            self._texts_changed()

    def set_shown(self, shown: bool) -> None:
        """Mark the card whose parameters stand beside."""
        if shown != self._shown:
            self._shown = shown
            self.update()

    def lines(self) -> list[str]:
        """All texts of the card, whole."""
        return [line.text for line in self._lines()]

    # ---- size and drawing

    def heightForWidth(self, width: int) -> int:
        return self._layout(width)[1] + 2 * theme.px(t.S)

    def sizeHint(self) -> QSize:
        return QSize(theme.px(300), self.heightForWidth(_WIDE))  # the least; narrower cards are higher

    def minimumSizeHint(self) -> QSize:
        return QSize(theme.px(160), theme.px(22 + 18))

    def ground(self) -> str:
        if self._shown and self.isChecked():
            return "accent_tint"
        return super().ground()

    def _paint_texts(self, painter: QPainter, area: QRectF) -> None:
        for line in self._layout(self.width())[0]:
            painter.setFont(line.font)
            painter.setPen(theme.color(line.token))
            place = QRectF(area.left(), area.top() + line.top, area.width(), line.height)
            painter.drawText(place, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), line.text)

    def _lines(self) -> list[_Line]:
        method, suits = self._choice.method, self._choice.suits
        plain = "text_2" if suits else "disabled"
        found = [_Line(method.title, "body", "text" if suits else "disabled", strong=True)]
        if not suits:
            found.append(_Line(self._choice.reason, "caption", "text_2"))
        found.append(_Line(method.summary, "caption", plain, SUMMARY_LINES))
        if suits:
            found.append(_Line(words.suits(method), "caption", plain, FACT_LINES, space=t.XS))
        found.append(_Line(words.needs(method), "caption", plain, FACT_LINES, space=0 if suits else t.XS))
        if suits and self._cost:
            found.append(_Line(self._cost, "caption", plain, FACT_LINES))
        if method.citation:
            found.append(_Line(method.citation, "caption", "text_3" if suits else "disabled"))
        return found

    def _layout(self, width: int) -> tuple[list[_Drawn], int]:
        """Return what is drawn at a width of the card, and how high that is; kept until texts change."""
        if width not in self._laid_out:
            if len(self._laid_out) >= _WIDTHS_KEPT:
                self._laid_out.clear()
            room = width - int(self.mark_area().right()) - theme.px(t.S) - theme.px(t.M)
            found, top = [], 0
            for line in self._lines():
                font = theme.font(line.role)
                if line.strong:
                    font.setWeight(QFont.Weight.DemiBold)
                metrics = QFontMetrics(font)
                height = metrics.height() + theme.px(1)
                top += theme.px(line.space)
                for text in wrapped(line.text, metrics, room, line.most):
                    found.append(_Drawn(text, font, line.token, top, height))
                    top += height
            self._laid_out[width] = (found, top)
        return self._laid_out[width]

    def _texts_changed(self) -> None:
        self._laid_out.clear()
        title, *others = self.lines()
        self.setAccessibleDescription(" ".join(_sentence(text) for text in others))
        self.setToolTip(f"{title}\n" + "\n".join(others))
        self.updateGeometry()
        self.update()

    # ---- keyboard and mouse

    def keyPressEvent(self, event: QKeyEvent) -> None:
        move = _MOVES.get(Qt.Key(event.key()))
        if move is not None and event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier == Qt.KeyboardModifier(0):
            self.move_wanted.emit(move)
            return
        super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.focused.emit(event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.on_texts = event.position().x() > self.mark_area().right() + theme.px(t.XS)
        super().mouseReleaseEvent(event)
        self.on_texts = False

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.FontChange:
            self._texts_changed()
        super().changeEvent(event)


def wrapped(text: str, metrics: QFontMetrics, room: int, most: int) -> list[str]:
    """Break `text` into at most `most` lines of `room` pixels; the last one is elided."""
    lines: list[str] = []
    rest = text.split()
    while rest and len(lines) < most - 1:
        number = 1
        while number < len(rest) and metrics.horizontalAdvance(" ".join(rest[: number + 1])) <= room:
            number += 1
        lines.append(" ".join(rest[:number]))
        rest = rest[number:]
    if rest:
        lines.append(metrics.elidedText(" ".join(rest), Qt.TextElideMode.ElideRight, room))
    return lines


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."
