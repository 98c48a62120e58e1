"""Looks for images that have a duplicate, in a worker, once the gallery is filtered or ordered by it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from core.errors import StoppedError

if TYPE_CHECKING:
    from app.context import AppContext
    from core.data.duplicates import Twins

KEY = "twins"


class TwinsPresenter(QObject):
    """`changed` where they are known now; `progressed(done, total)` and `failed(error)` until then."""

    changed = Signal()
    progressed = Signal(int, int)
    failed = Signal(object)

    def __init__(self, context: AppContext, parent: QObject) -> None:
        super().__init__(parent)
        self._context = context
        self._held: tuple[str, Twins] | None = None  # of the data with which fingerprint
        self._asked = ""

    @property
    def found(self) -> Twins | None:
        """Which training images have a duplicate; None where it is not known."""
        dataset = self._context.project.dataset
        return self._held[1] if self._held and dataset and self._held[0] == dataset.fingerprint else None

    def want(self, wanted: bool) -> None:
        """Look for them where that is wanted and was not done yet; else stop looking."""
        dataset = self._context.project.dataset
        if not wanted or dataset is None:
            self._asked = ""
            self._context.jobs.cancel(KEY)
        elif self.found is None and self._asked != dataset.fingerprint:
            self._asked = dataset.fingerprint
            handle = self._context.jobs.submit(look, dataset, key=KEY)
            handle.progress.connect(self._progressed)
            handle.done.connect(partial(self._came, dataset.fingerprint))
            handle.failed.connect(self._failed)

    def _progressed(self, _what: str, done: int, total: int) -> None:
        self.progressed.emit(done, total)

    def _came(self, fingerprint: str, twins: Twins) -> None:
        self._held, self._asked = (fingerprint, twins), ""
        self.changed.emit()

    def _failed(self, error: BaseException) -> None:
        self._asked = ""
        self.failed.emit(error)


def look(dataset: Any, progress: Any, cancelled: Any) -> Twins:
    """Return which training images have a duplicate; runs in a worker."""
    from core.session.near import image_twins

    def tell(what: str, done: int, total: int) -> None:
        if cancelled():
            raise StoppedError("The search is not wanted any more")
        progress(what, done, total)

    return image_twins(dataset, tell)
