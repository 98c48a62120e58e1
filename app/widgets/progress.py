"""A progress bar 4 high with its text beside it."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QSizePolicy, QWidget

from app.services import format as fmt
from app.services import tokens as t
from app.services.accessibility import describe
from app.services.theme import theme
from app.widgets.labels import Label

_PARTS = 1000


class _Bar(QProgressBar):
    """A progress bar to whoever asks, two rectangles to draw: it moves many times a second."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextVisible(False)
        self.setFixedHeight(theme.px(4))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)  # nothing behind it is drawn again

    def sizeHint(self) -> QSize:
        return QSize(theme.px(160), theme.px(4))

    def minimumSizeHint(self) -> QSize:
        return QSize(theme.px(40), theme.px(4))

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self.maximum():  # indeterminate: the style moves it
            super().paintEvent(event)
            return
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.color("sunken"))
        share = self.value() / self.maximum()
        painter.fillRect(QRectF(0, 0, self.width() * share, self.height()), theme.color("accent"))
        painter.end()


class ProgressLine(QWidget):
    """Determinate where a total is known; the text says what goes on, the accessible description how far."""

    def __init__(self, name: str = "Progress", parent: QWidget | None = None, with_text: bool = True) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.px(t.S))
        self._bar = _Bar(self)
        self._bar.setProperty("part", "line")
        self._bar.setAccessibleName(name)
        self._label = Label("", "caption", "text-2")
        row.addWidget(self._bar, 1)
        row.addWidget(self._label)
        self._label.setVisible(with_text)
        self._with_text = with_text
        self._text = ""
        self.set(0, 1)

    def set(self, done: float, total: float, text: str = "", left: float | None = None) -> None:
        """Show `done` of `total`; a total of 0 is indeterminate. `left` is in seconds."""
        if total > 0:
            share = min(1.0, max(0.0, done / total))
            self._bar.setRange(0, _PARTS)
            self._bar.setValue(round(share * _PARTS))
        else:
            self._bar.setRange(0, 0)
        shown = " · ".join(part for part in (text, f"{fmt.duration(left)} left" if left is not None else "") if part)
        self._text = shown
        if self._with_text:
            self._label.setText(shown)
            self._label.setVisible(bool(shown))
        describe(self._bar, shown)

    def text(self) -> str:
        """The text beside the bar."""
        return self._text

    def share(self) -> float | None:
        """How far, 0..1; None while indeterminate."""
        return self._bar.value() / _PARTS if self._bar.maximum() else None
