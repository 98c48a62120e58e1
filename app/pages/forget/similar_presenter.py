"""Looks for kept images that look like forget images, in a worker, a moment after the forget set was changed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from app.dialogs.selection import SimilarSheet
from app.models.gallery import Images
from app.pages.forget.similar_card import SimilarCard
from app.services.opening import explain
from app.workers.thumbnails import Thumbnails
from core.errors import StoppedError
from core.likeness import LEVELS, SAME

if TYPE_CHECKING:
    from app.context import AppContext
    from core.data.duplicates import Duplicates
    from core.selection import Selection

PAUSE_MS = 700  # after the last change: whoever is choosing chooses on
KEY = "similar"


class SimilarPresenter(QObject):
    """`added` carries positions of images to take into the forget set, and from which agreement they were shown."""

    added = Signal(object, float)

    def __init__(self, context: AppContext, card: SimilarCard, thumbnails: Thumbnails, parent: QObject) -> None:
        super().__init__(parent)
        self._context, self._card, self._thumbnails = context, card, thumbnails
        self._found: tuple[Selection, Duplicates] | None = None
        self.earlier: np.ndarray | None = None  # images forgotten before: (n,) bool; they are not kept either
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE_MS)
        self._timer.timeout.connect(self._look)
        card.review_wanted.connect(self.review)

    @property
    def found(self) -> Duplicates | None:
        """What was found for the forget set as it stands, from the lowest level on; None while it is not known."""
        held = self._found
        return held[1] if held is not None and held[0] == self._context.project.selection else None

    def refresh(self) -> None:
        """The forget set, model or data changed, or the page is shown."""
        selection = self._context.project.selection
        if self.found is not None:
            return
        self._context.jobs.cancel(KEY)
        if selection is None or not selection.count or selection.count == selection.total:
            self._timer.stop()
            self._card.say_nothing()
        else:
            self._timer.start()
            self._card.say_looking()

    def stop(self) -> None:
        """The page is left: nothing is looked for meanwhile."""
        self._timer.stop()
        self._context.jobs.cancel(KEY)

    def review(self) -> None:
        """Show the pairs."""
        found, dataset = self.found, self._context.project.dataset
        if found is None or dataset is None or not len(found):
            return
        images = Images(dataset, self._context.project.evaluation.get("baseline"))
        sheet = SimilarSheet(found, images, self._thumbnails, self._card.window())
        sheet.added.connect(self.added)
        sheet.open()

    def _look(self) -> None:
        project = self._context.project
        selection, dataset = project.selection, project.dataset
        if selection is None or dataset is None:
            return
        mask = selection.mask if self.earlier is None else selection.mask | self.earlier
        handle = self._context.jobs.submit(look, dataset, mask, key=KEY)
        handle.progress.connect(self._progressed)
        handle.done.connect(partial(self._looked, selection))
        handle.failed.connect(self._failed)

    def _progressed(self, _what: str, done: int, total: int) -> None:
        self._card.say_looking(done, total)

    def _looked(self, selection: Selection, found: Duplicates) -> None:
        self._found = (selection, found)
        self._card.show_count(len(found.at(SAME)), len(found), found.complete)

    def _failed(self, error: BaseException) -> None:
        self._card.say_failed(explain(error))


def look(dataset: Any, mask: np.ndarray, progress: Any, cancelled: Any) -> Duplicates:
    """Return kept images similar to those in `mask`, from the lowest level on; runs in a worker."""
    from core.session.near import similar_images

    def tell(what: str, done: int, total: int) -> None:
        if cancelled():
            raise StoppedError("The search is not wanted any more")
        progress(what, done, total)

    return similar_images(dataset, mask, LEVELS["near"], tell)
