"""Below the map: how many kept images look like forget images, and the way to look at them."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import theme
from app.widgets.buttons import SecondaryButton
from app.widgets.cards import Card
from app.widgets.labels import Label

TIP = (
    "Kept images that show the same picture as forget images: resized, recompressed, mirrored, moved, turned or cut. "
    "None is added before you have seen it."
)


class SimilarCard(Card):
    """`review_wanted` where the user wants to see the pairs."""

    review_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent, padding=t.S)
        row = QHBoxLayout()
        row.setSpacing(theme.px(t.S))
        self._text = Label("", "body", wrap=True)
        self.setToolTip(TIP)
        self.setAccessibleName("Similar images kept")
        self.review = SecondaryButton("Review", self.review_wanted.emit)
        row.addWidget(self._text, 1)
        row.addWidget(self.review)
        self.body.addLayout(row)
        self.say_nothing()

    def text(self) -> str:
        """What is said."""
        return self._text.text()

    def say_nothing(self) -> None:
        """There is no forget set to look around."""
        self._text.setText("Choose images to look for near-duplicates.")
        self.review.setEnabled(False)

    def say_looking(self, done: int = 0, total: int = 0) -> None:
        """They are being looked for."""
        share = f" ({fmt.count(done)} of {fmt.count(total)})" if total else ""
        self._text.setText(f"Looking for similar images kept{share} …")
        self.review.setEnabled(False)

    def say_failed(self, why: str) -> None:
        """They could not be looked for."""
        self._text.setText(f"Similar images kept: not known. {why}")
        self.review.setEnabled(False)

    def show_count(self, same: int, nearly: int, complete: bool) -> None:
        """So many show the same picture, and so many nearly do (the same ones among them)."""
        more = "" if complete else " or more"
        beside = f"; nearly the same: {fmt.count(nearly)}" if nearly and not same else ""
        self._text.setText(
            f"Similar images kept ({fmt.count(same)}{more})" if same else f"No similar images kept{beside or '.'}"
        )
        self.review.setEnabled(bool(nearly))
