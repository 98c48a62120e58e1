"""Asks, once, how many images to set aside from data that has no test part."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.dialogs.sheet import Sheet
from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import theme
from app.widgets.buttons import Segmented
from app.widgets.labels import Label, caption

FRACTIONS = ("0.05", "0.1", "0.2")
USUAL = "0.1"
QUESTION = (
    "This {what} has no test images. {count} can be set aside, but the model has already seen them, "
    "so results on them look better than they are."
)


class NoTestPartDialog(Sheet):
    """`chosen` carries the share of the images to set aside."""

    chosen = Signal(float)

    def __init__(self, class_counts: Sequence[int], what: str = "folder", parent: QWidget | None = None) -> None:
        super().__init__("No test images", "Set aside", parent)
        self._counts, self._what = tuple(class_counts), what
        self._text = Label("", wrap=True)
        self._text.setMinimumWidth(theme.px(420))
        self._share = Segmented([(f, fmt.percent(float(f)).replace(".0", "")) for f in FRACTIONS], "Share of images")
        self._share.set_value(USUAL)
        row = QHBoxLayout()
        row.setSpacing(theme.px(t.S))
        row.addWidget(Label("Set aside", "body", "text-2"))
        row.addWidget(self._share)
        row.addWidget(Label("of every class", "body", "text-2"))
        row.addStretch(1)
        self.body.addWidget(self._text)
        self.body.addLayout(row)
        self.body.addWidget(caption("They are called “seen before” wherever they appear. No file is moved.", True))
        self._share.changed.connect(self._show)
        self.accepted.connect(self._accepted)
        self._show()

    def count(self) -> int:
        """How many images the present choice sets aside."""
        from core.data.splits import count_set_aside

        return count_set_aside(self._counts, float(self._share.value()))

    def choose(self, fraction: str) -> None:
        """Choose a share, one of `FRACTIONS`."""
        self._share.set_value(fraction)

    def text(self) -> str:
        """The question shown."""
        return self._text.text()

    def _show(self, *_changed: object) -> None:
        count = self.count()
        self._text.setText(QUESTION.format(what=self._what, count=fmt.count(count)))
        self.accept_button.setText(f"Set aside {fmt.images(count)}")
        self.set_reason("" if count else "Every class has one image only, too few to set any aside.")

    def _accepted(self) -> None:
        self.chosen.emit(float(self._share.value()))
