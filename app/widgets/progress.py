"""A progress bar 4 high with its text beside it."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QWidget

from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import theme
from app.widgets.labels import Label

_PARTS = 1000


class ProgressLine(QWidget):
    """Determinate where a total is known; the text says what goes on, the accessible description how far."""

    def __init__(self, name: str = "Progress", parent: QWidget | None = None, with_text: bool = True) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.px(t.S))
        self._bar = QProgressBar(self)
        self._bar.setProperty("part", "line")
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(name)
        self._label = Label("", "caption", "text-2")
        row.addWidget(self._bar, 1)
        row.addWidget(self._label)
        self._label.setVisible(with_text)
        self._with_text = with_text
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
        self._label.setText(shown)
        self._label.setVisible(self._with_text and bool(shown))
        self._bar.setAccessibleDescription(shown)

    def text(self) -> str:
        """The text beside the bar."""
        return self._label.text()

    def share(self) -> float | None:
        """How far, 0..1; None while indeterminate."""
        return self._bar.value() / _PARTS if self._bar.maximum() else None
