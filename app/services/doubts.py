"""Whether a model is used as it was trained: measured in the background, and what speaks against it in words."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

from app.services import format as fmt
from app.services.project import is_order
from app.services.translation import tr
from app.workers.jobs import JobHandle

if TYPE_CHECKING:
    from app.services.settings import Pairings
    from app.services.shell import Services
    from core.events import Tell
    from core.session.baseline import Baseline
    from core.session.bench import Bench
    from core.session.proof import Proof


def doubt_words(proof: Proof) -> str:
    """Say what is doubtful; the candidates are listed elsewhere."""
    if is_order(proof):
        assert proof.order is not None
        now, found = fmt.percent(proof.order.accuracy_now), fmt.percent(proof.order.accuracy_better)
        return tr("Only {now} correct. The class order probably differs between model and folders. With the order "
                  "found on half of the images, {found} of the other half are correct.", now=now,
                  found=found)  # fmt: skip
    trial = proof.trial
    if trial is None or trial.sure:
        return " ".join(proof.doubts)
    networks = {attempt.network.architecture for attempt in (trial.best, *trial.rivals)}
    several = len(networks) > 1 if trial.rivals else trial.networks > 1
    if trial.stated:
        said = [tr("Nothing says which network it is.")]
    elif several:
        said = [tr("Nothing says which network it is and how images are prepared.")]
    else:
        said = [tr("Nothing says how images are prepared.")]
    if trial.rivals:
        said.append(tr("The training images do not tell %n of those tried apart.", n=len(trial.rivals) + 1))
    else:
        said.append(tr("None of what was tried is right often enough to be used without asking."))
    return " ".join([*said, *proof.doubts[1:]])


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

    def __init__(self, services: Services, pairings: Pairings) -> None:
        super().__init__(services.project)
        self._context, self._pairings = services, pairings
        self._handle: JobHandle | None = None
        # Model and data may change together; one measurement is enough.
        self._soon = QTimer(self, singleShot=True)
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
        self._handle = handle = self._context.device_jobs.submit(measure, bench, key=ACTIVITY)
        self._context.shell.follow(handle, ACTIVITY)
        handle.done.connect(self._done)
        handle.failed.connect(self._failed)

    def again(self) -> None:
        """Try again after a failure."""
        self._context.project.evaluation = {}
        self._context.project.evaluation_changed.emit()
        self.start()

    def _changed(self) -> None:
        self._context.device_jobs.cancel(ACTIVITY)
        self._handle = None
        if self._context.project.ready:
            self._soon.start(0)

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


def measure(bench: Bench, progress: Tell) -> tuple[Baseline, Proof]:
    """Return the baseline and the proof; runs in a worker."""
    from core.session.baseline import baseline
    from core.session.proof import weigh

    bench = bench.telling(progress)
    return baseline(bench), weigh(bench, bench.model, bench.outputs(bench.model))
