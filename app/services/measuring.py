"""Measures the opened model on the opened data in the background, whenever one of them changes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from app.workers.jobs import JobHandle
from core.errors import StoppedError

if TYPE_CHECKING:
    from app.context import AppContext
    from app.services.pairings import Pairings
    from core.events import Tell
    from core.session.baseline import Baseline
    from core.session.bench import Bench
    from core.session.proof import Proof

ACTIVITY = "baseline"


class Measuring(QObject):
    """Fills `project.evaluation` with "baseline" and "proof", or with "failure" where that went wrong.

    What is doubtful counts as accepted where the user took the same of this pair as it is before.
    """

    progress = Signal(str, int, int)

    def __init__(self, context: AppContext, pairings: Pairings) -> None:
        super().__init__(context.project)
        self._context, self._pairings = context, pairings
        self._handle: JobHandle | None = None
        # Model and data may change together; one measurement is enough.
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self.start)
        context.project.model_changed.connect(self._changed)
        context.project.dataset_changed.connect(self._changed)

    @property
    def active(self) -> bool:
        """Whether a measurement goes on or is about to."""
        return self._handle is not None or self._soon.isActive()

    def start(self) -> None:
        """Measure what is open now, where it was not measured yet."""
        project, settings = self._context.project, self._context.settings.values
        bench = project.bench
        if bench is None or "baseline" in project.evaluation:
            return
        bench = bench.on(settings.device, threads=settings.threads)
        handle = self._context.device_jobs.submit(measure, bench, key=ACTIVITY)
        handle.progress.connect(self._progressed)
        handle.done.connect(self._done)
        handle.failed.connect(self._failed)
        handle.finished.connect(self._finished)
        self._handle = handle

    def again(self) -> None:
        """Try again after a failure."""
        self._context.project.evaluation = {}
        self._context.project.evaluation_changed.emit()
        self.start()

    def _changed(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        if self._context.project.ready:
            self._soon.start(0)

    def _progressed(self, what: str, done: int, total: int) -> None:
        if self._context.status is not None:
            self._context.status.set_activity(ACTIVITY, what, done, total)
        self.progress.emit(what, done, total)

    def _done(self, found: tuple[Baseline, Proof]) -> None:
        self._handle = None
        baseline, proof = found
        project, bench = self._context.project, self._context.project.bench
        if bench is not None and proof.doubts:
            taken = self._pairings.accepted(bench.model.weights_id, bench.dataset.spec)
            proof = dataclasses.replace(proof, accepted=taken == proof.doubts)
        project.set_evaluation(baseline=baseline, proof=proof)

    def _failed(self, error: BaseException) -> None:
        self._handle = None
        self._context.project.set_evaluation(failure=error)

    def _finished(self) -> None:
        if self.sender() is self._handle:
            self._handle = None
        if self._handle is None and self._context.status is not None:
            self._context.status.end_activity(ACTIVITY)


def measure(bench: Bench, progress: Tell, cancelled: Callable[[], bool]) -> tuple[Baseline, Proof]:
    """Return the baseline and the proof; runs in a worker. Raises StoppedError where the result is not wanted."""
    from core.session.baseline import baseline
    from core.session.proof import weigh

    def tell(what: str, done: int, total: int) -> None:
        if cancelled():
            raise StoppedError("The measurement is not wanted any more")
        progress(what, done, total)

    bench = bench.telling(tell)
    return baseline(bench), weigh(bench, bench.model, bench.outputs(bench.model))
