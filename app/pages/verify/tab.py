"""What the tabs of plots are: something with words below it, or one sentence and the way to what is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QStackedWidget

from app.services import tokens as t
from app.services.translation import mark, tr
from app.widgets.labels import Label, caption
from app.widgets.layout import STRETCH, Part, column, widget_of
from app.widgets.notices import EmptyState, ProgressLine

if TYPE_CHECKING:
    from core.session.feature_maps import Embeddings
    from core.session.single_images import SingleImages

QUICK_ONLY = mark("Needs full checks.")
SAME_CURVE = mark("A head-only edit has the original's features, so it has the original's curve.")
CURVES = ("original", "unlearned", "retrained")  # a head-only edit has the original's features, bit for bit
CONTENT, MISSING, WAITING = range(3)


class Tab(QStackedWidget):
    """Shows CONTENT with its words, or what is MISSING."""

    full_asked = Signal()  # the full checks would get it

    def __init__(self, *parts: Part, words: str = "", missing: str = "") -> None:
        super().__init__()
        self.words, self.empty = caption(words, wide=True), EmptyState("verify", missing)
        self.addWidget(widget_of(column(*parts, self.words, margins=(0, t.S, 0, 0), spacing=t.XS)))
        self.addWidget(self.empty)

    def show_content(self, words: str) -> None:
        """Show what there is, and what must be said of it."""
        self.words.setText(words)
        self.words.setVisible(bool(words))
        self.setCurrentIndex(CONTENT)

    def show_missing(self, sentence: str, button: str = "", act: Callable[[], object] | None = None) -> None:
        """Say why there is nothing, with a button for what can be done about it."""
        self.empty.set(sentence, button, act)
        self.setCurrentIndex(MISSING)


class LooksTab(Tab):
    """What the run's models make of its images: asked for when it is looked at, as a worker takes a while for it."""

    wanted = Signal()

    def __init__(self, *parts: Part, words: str, waiting: str, name: str) -> None:
        super().__init__(*parts, words=words)
        self.progress, text = ProgressLine(name), Label(waiting, "body", "text-2")
        text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.addWidget(widget_of(column(STRETCH, text, self.progress, STRETCH)))
        self.setCurrentIndex(WAITING)

    @property
    def has_looks(self) -> bool:
        """Whether they are there."""
        return self.currentIndex() == CONTENT

    def set_looks(self, embeddings: Embeddings | None, images: SingleImages | None) -> None:
        """Show them; None: they are not there yet. `images` are of single ones that were forgotten."""
        if embeddings is not None:
            self.show_looks(embeddings, images)
            self.setCurrentIndex(CONTENT)
            return
        self.show_progress("", 0, 0)
        if self.isVisible():
            self.wanted.emit()

    def show_looks(self, embeddings: Embeddings, images: SingleImages | None) -> None:
        """Show what is there now; for subclasses."""
        raise NotImplementedError

    def show_progress(self, what: str, done: int, total: int) -> None:
        """Show how far they are."""
        self.progress.set(done, total, what)
        self.setCurrentIndex(WAITING)

    def show_problem(self, sentence: str) -> None:
        """Say why there are none."""
        self.show_missing(sentence, tr("Try again"), self.wanted.emit)

    def showEvent(self, event: QShowEvent) -> None:
        if self.currentIndex() == WAITING:
            self.wanted.emit()

