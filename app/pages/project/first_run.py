"""The row for a newcomer: one button to a finished run of the bundled example."""

from __future__ import annotations

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import theme
from app.widgets.buttons import SecondaryButton
from app.widgets.cards import Card
from app.widgets.labels import Label, caption

HEIGHT = 96
NOTE = "The network is trained here first, and everything stays on this computer."


class FirstRunRow(Card):
    """`run_wanted`: the button was pressed."""

    run_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self.setAccessibleName("Example")
        self.setMaximumHeight(theme.px(HEIGHT))  # less where a banner takes the room
        row = QHBoxLayout()
        row.setSpacing(theme.px(t.L))
        self._text = Label("", "section")
        self.button = SecondaryButton("Run the example", self.run_wanted.emit)
        self.body.addStretch(1)
        self.body.addLayout(row)
        self.body.addStretch(1)
        words = QVBoxLayout()
        words.setSpacing(theme.px(t.XS))
        words.addWidget(self._text)
        words.addWidget(caption(NOTE))
        row.addLayout(words, 1)
        row.addWidget(self.button)

    def sizeHint(self) -> QSize:
        return QSize(super().sizeHint().width(), theme.px(HEIGHT))

    def set_words(self, digit: str, seconds: float | None) -> None:
        """Name the digit, and how long it took here the last time where that is known."""
        text = f"New here? Watch a small network forget the digit {digit}."
        if seconds is not None:
            text += f" Takes {fmt.about(seconds)}."
        self._text.setText(text)

    def text(self) -> str:
        """The sentence shown."""
        return self._text.text()
