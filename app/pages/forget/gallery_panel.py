"""The images: how many are shown, the grid, and what stands there when none is."""

from __future__ import annotations

from PySide6.QtWidgets import QStackedWidget, QWidget

from app.models.gallery import GalleryModel
from app.pages.forget.gallery_view import GalleryView
from app.services import tokens as t
from app.widgets.cards import Card
from app.widgets.labels import caption
from app.widgets.notices import EmptyState
from app.workers.thumbnails import Thumbnails

HINT = (
    "Click marks or unmarks an image, Shift reaches from the last one, dragging takes all in a rectangle, "
    "with Ctrl it takes them out."
)


class GalleryPanel(Card):
    """A card around the gallery view."""

    def __init__(self, model: GalleryModel, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__("Images", parent, padding=t.S)
        self.view = GalleryView(model, thumbnails)
        self.view.setAccessibleDescription(HINT)
        self.empty = EmptyState("search", "")
        self.stack = QStackedWidget()
        self.stack.addWidget(self.view)
        self.stack.addWidget(self.empty)
        self._count = caption()
        self._count.setToolTip(HINT)
        self.add_action(self._count)
        self.body.addWidget(self.stack, 1)

    def set_count(self, text: str) -> None:
        """Say how many images are shown."""
        self._count.setText(text)

    def count(self) -> str:
        """What is said of how many are shown."""
        return self._count.text()

    def show_nothing(self, text: str, button: str = "", on_click=None) -> None:  # type: ignore[no-untyped-def]
        """Say why there is no image; an empty text shows the grid."""
        if text:
            self.empty.set(text, button, on_click)
        self.stack.setCurrentIndex(1 if text else 0)
