"""Measures what lies near the forget set, in a worker, while the gallery is ordered by it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from app.services.opening import explain
from core.errors import StoppedError

if TYPE_CHECKING:
    from app.context import AppContext
    from core.selection import Selection
    from core.session.bench import Bench
    from core.session.near import Near

Key = tuple["Selection", str, int]  # forget set, model, and how many images were forgotten before
PAUSE_MS = 400  # after the last change of the forget set: while it is chosen, the order stays
KEY = "near"


class NearPresenter(QObject):
    """`changed` where the gallery is to be arranged anew."""

    changed = Signal()

    def __init__(self, context: AppContext, parent: QObject) -> None:
        super().__init__(parent)
        self._context = context
        self._wanted = False
        self._held: tuple[Key, Near] | None = None
        self._asked: Key | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE_MS)
        self._timer.timeout.connect(self._measure)

    @property
    def found(self) -> Near | None:
        """What is near the forget set; while another one is measured, of the one before."""
        project, held = self._context.project, self._held
        if held is None or project.selection is None or project.opened_model is None:
            return None
        (selection, model, _), near = held
        same = len(selection.mask) == project.selection.total and model == project.opened_model.weights_id
        return near if same else None

    def want(self, wanted: bool) -> None:
        """Whether the gallery is ordered by it."""
        self._wanted = wanted
        self.refresh()

    def refresh(self) -> None:
        """The forget set, the model or the order changed."""
        project = self._context.project
        bench, selection = project.bench, project.selection
        if not self._wanted or bench is None or selection is None or "baseline" not in project.evaluation:
            self._timer.stop()
            return
        known = self._held[0] if self._held is not None else None
        now = self._key(bench, selection)
        if not selection.count or selection.count == selection.total or now in (self._asked, known):
            return
        self._timer.start()

    def _key(self, bench: Bench, selection: Selection) -> Key:
        gone = self._context.project.forgotten_before
        return selection, bench.model.weights_id, 0 if gone is None else int(gone.sum())

    def _measure(self) -> None:
        bench, selection = self._context.project.bench, self._context.project.selection
        if bench is None or selection is None:
            return
        self._asked = self._key(bench, selection)
        gone = self._context.project.forgotten_before
        handle = self._context.jobs.submit(measure_near, bench, selection, gone, key=KEY)
        handle.done.connect(partial(self._measured, self._asked))
        handle.failed.connect(self._failed)

    def _measured(self, asked: Key, near: Near) -> None:
        self._held, self._asked = (asked, near), None
        if self._wanted:
            self.changed.emit()

    def _failed(self, error: BaseException) -> None:
        self._asked = None
        self._context.notifications.caution(f"What lies near the forget set is not known. {explain(error)}")


def measure_near(bench: Bench, selection: Selection, gone: Any, progress: Any, cancelled: Any) -> Near:
    """Return what lies near a forget set; runs in a worker. The model's outputs come from the cache.

    gone: (n,) bool, what was forgotten in earlier requests; None: nothing.
    """
    from core.session.near import near_forget_set

    def tell(what: str, done: int, total: int) -> None:
        if cancelled():
            raise StoppedError("The measurement is not wanted any more")
        progress(what, done, total)

    return near_forget_set(bench.on("cpu").telling(tell).outputs(bench.model), selection.mask, gone)
