"""The row for a newcomer: one button to a finished run of the bundled example."""

from __future__ import annotations

from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.buttons import SecondaryButton
from app.widgets.cards import Card
from app.widgets.labels import Label, caption

HEIGHT = 96
NOTE = mark("Network, images and retrained models come with the program; everything stays on this computer.")


class FirstRunRow(Card):
    """`run_wanted`: the button was pressed."""

    run_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent)
        self.setAccessibleName(tr("Example"))
        self.setMaximumHeight(theme.px(HEIGHT))  # less where a banner takes the room
        row = QHBoxLayout()
        row.setSpacing(theme.px(t.L))
        self._text = Label("", "section")
        self.button = SecondaryButton(tr("Run the example"), self.run_wanted.emit)
        self.body.addStretch(1)
        self.body.addLayout(row)
        self.body.addStretch(1)
        words = QVBoxLayout()
        words.setSpacing(theme.px(t.XS))
        words.addWidget(self._text)
        words.addWidget(caption(tr(NOTE)))
        row.addLayout(words, 1)
        row.addWidget(self.button)

    def sizeHint(self) -> QSize:
        return QSize(super().sizeHint().width(), theme.px(HEIGHT))

    def set_words(self, forgotten: str, seconds: float | None) -> None:
        """Name the class, and how long it took here the last time where that is known."""
        if seconds is None:
            text = tr("New here? Watch a small network forget the class {name}.", name=forgotten)
        else:
            text = tr(
                "New here? Watch a small network forget the class {name}. Takes {time}.",
                name=forgotten, time=fmt.about(seconds),
            )  # fmt: skip
        self._text.setText(text)

    def text(self) -> str:
        """The sentence shown."""
        return self._text.text()
