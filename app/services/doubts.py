"""Whether a model is used as it was trained: measured in the background, and what speaks against it in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from app.services import format as fmt
from app.services.project import open_doubts
from app.workers.jobs import JobHandle
from core.errors import StoppedError

if TYPE_CHECKING:
    from app.services.settings import Pairings
    from app.services.shell import Services
    from core.events import Tell
    from core.session.baseline import Baseline
    from core.session.bench import Bench
    from core.session.proof import Proof

ORDER = (
    "Only {now} correct. The class order probably differs between model and folders. With the order found on half of "
    "the images, {found} of the other half are correct."
)
UNANSWERED = "First say on Project whether this is your network and your preprocessing."
UNORDERED = "First say on Project which order the classes are in."


def is_order(proof: Proof) -> bool:
    """Whether what is doubtful is the order of the classes."""
    return bool(proof.doubts) and proof.order is not None and proof.order.offered


def what_first(proof: Proof | None) -> str:
    """Say what has to be answered before a run can start; "" for nothing."""
    if proof is None or not open_doubts(proof):
        return ""
    return UNORDERED if is_order(proof) else UNANSWERED


def doubt_words(proof: Proof) -> str:
    """Say what is doubtful; the candidates are listed elsewhere."""
    if is_order(proof):
        assert proof.order is not None
        now, found = fmt.percent(proof.order.accuracy_now), fmt.percent(proof.order.accuracy_better)
        return ORDER.format(now=now, found=found)
    trial = proof.trial
    if trial is None or trial.sure:
        return " ".join(proof.doubts)
    networks = {attempt.network.architecture for attempt in (trial.best, *trial.rivals)}
    several = len(networks) > 1 if trial.rivals else trial.networks > 1
    open_ = ["which network it is"] * (trial.stated or several) + ["how images are prepared"] * (not trial.stated)
    what = " and ".join(open_)
    if trial.rivals:
        told = f"Nothing says {what}, and the training images do not tell {len(trial.rivals) + 1} of those tried apart."
    else:
        told = f"Nothing says {what}. Of what was tried none is right often enough to be taken unasked."
    return " ".join([told, *proof.doubts[1:]])


def settled(bench: Bench) -> Bench:
    """Return the bench with the proof of its model, weighed now where that was not done yet; runs in a worker.

    Raises UnprovenError where something is in doubt and was not accepted.
    """
    from core.session.proof import proven

    return bench if bench.proof is not None else proven(bench)


ACTIVITY = "baseline"


class Measuring(QObject):
    """Fills `project.evaluation` with "baseline" and "proof", or with "failure" where that went wrong.

    What is doubtful counts as accepted where the user took the same of this pair as it is before.
    """

    progress = Signal(str, int, int)

    def __init__(self, services: Services, pairings: Pairings) -> None:
        super().__init__(services.project)
        self._context, self._pairings = services, pairings
        self._handle: JobHandle | None = None
        # Model and data may change together; one measurement is enough.
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self.start)
        services.project.model_changed.connect(self._changed)
        services.project.dataset_changed.connect(self._changed)

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
        self._context.shell.set_activity(ACTIVITY, what, done, total)
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
        if self._handle is None:
            self._context.shell.end_activity(ACTIVITY)


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
