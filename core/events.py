"""What a run reports: frozen records of plain Python scalars and lists, the same on disk, in a pipe and in the window.

Every event carries the id of its run, the step it belongs to and the wall-clock time (seconds since the epoch).
Accuracies and ratios are 0..1; a value that could not be taken is None.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

Tell = Callable[[str, int, int], object]
"""Told what goes on, how much of it is done, and of how much (0: not known). May raise to interrupt the work."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Common fields of all events."""

    type: ClassVar[str] = ""
    run: str
    step: int
    time: float

    def as_dict(self) -> dict[str, Any]:
        """Return the event as written to events.jsonl, `type` first."""
        return {"type": self.type, **dataclasses.asdict(self)}


Emit = Callable[[Event], object]
"""Gets each event of a run, in order, in the thread that runs it."""


@dataclass(frozen=True, kw_only=True)
class RunStarted(Event):
    """The plan is laid out; steps are counted from 0 to `steps`. Sent again, with `resumed_at`, on a resume."""

    type: ClassVar[str] = "run_started"
    method: str
    steps: int
    stages: list[dict[str, Any]]  # {"name", "phase", "first", "last"} with last exclusive
    forget_mode: str  # "class", "sample" or "mixed"
    counts: dict[str, int]  # retain_train, forget_train, retain_test, forget_test
    device: str
    precision: str
    threads: int
    resumed_at: int | None = None


@dataclass(frozen=True, kw_only=True)
class PhaseChanged(Event):
    """A stage begins, or the run's state changes (`state` is one of the state names in lower case)."""

    type: ClassVar[str] = "phase_changed"
    state: str
    stage: str = ""
    phase: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class StepMetrics(Event):
    """Loss terms of one or more steps; lists run over `steps` and hold None where a term does not apply."""

    type: ClassVar[str] = "step_metrics"
    phase: str
    steps: list[int]
    terms: dict[str, list[float | None]]
    learning_rate: float
    samples_per_second: float


@dataclass(frozen=True, kw_only=True)
class Evaluation(Event):
    """Accuracies on fixed sets. `scope` is "subset" (while running) or "full" (start and end)."""

    type: ClassVar[str] = "evaluation"
    scope: str
    retain_accuracy: float | None  # on training images
    forget_accuracy: float | None
    retain_test_accuracy: float | None
    forget_test_accuracy: float | None
    retain_loss: float | None = None
    forget_loss: float | None = None
    counts: dict[str, int] = field(default_factory=dict)
    forget_predictions: dict[str, float] = field(default_factory=dict)  # class -> share of forget-test images
    forget_losses: list[float] = field(default_factory=list)  # sample forgetting: per-image losses, forget set
    unseen_losses: list[float] = field(default_factory=list)  # the same on unseen images


@dataclass(frozen=True, kw_only=True)
class AlignmentMeasured(Event):
    """Dimensional alignment of the forget set with the retain set; meaningless without k, energy and centring."""

    type: ClassVar[str] = "alignment"
    scope: str
    value: float | None
    k: int
    energy: float | None  # share of retain energy in the k leading directions
    centred: bool
    profile: list[float]  # value at k = 1, 2, ..., C
    floor: float  # sqrt(k / C), a random subspace's value
    sample_energy: float | None = None  # mean over forget samples of |U_k^T f|^2 / |f|^2


@dataclass(frozen=True, kw_only=True)
class SpectrumMeasured(Event):
    """Eigenvalues of the uncentred feature Gram matrices divided by the number of samples, largest first."""

    type: ClassVar[str] = "spectrum"
    scope: str
    retain: list[float]
    forget: list[float]
    retain_rank: float | None  # effective rank
    forget_rank: float | None
    forget_norm: float | None  # mean feature norm
    retain_norm: float | None


@dataclass(frozen=True, kw_only=True)
class CheckpointSaved(Event):
    """A resumable checkpoint is on disk."""

    type: ClassVar[str] = "checkpoint_saved"
    path: str  # relative to the run folder
    bytes: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Resources(Event):
    """What the run uses."""

    type: ClassVar[str] = "resources"
    elapsed: float  # seconds of training and monitoring, without pauses
    remaining: float | None
    samples_per_second: float
    memory_bytes: int
    monitoring_share: float


@dataclass(frozen=True, kw_only=True)
class Log(Event):
    """A line for people. `level` is "info", "warning" or "error"; `code` names known situations."""

    type: ClassVar[str] = "log"
    level: str
    message: str
    code: str = ""


@dataclass(frozen=True, kw_only=True)
class Progress(Event):
    """Something outside the steps goes on (loading, caching, checking); not written to disk."""

    type: ClassVar[str] = "progress"
    what: str
    done: int
    total: int


@dataclass(frozen=True, kw_only=True)
class MeasureTaken(Event):
    """A check has (part of) one model's measures, under the keys of report.json; for screens, never on disk."""

    type: ClassVar[str] = "measure_taken"
    model: str  # "original", "unlearned", "head_only", "fresh", or a retrained model's name
    values: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class RunFinished(Event):
    """The run ended with a result kept (state "finished" or "stopped") or thrown away ("discarded")."""

    type: ClassVar[str] = "run_finished"
    state: str
    seconds: float
    measures: dict[str, Any] = field(default_factory=dict)
    unchanged: bool = False


@dataclass(frozen=True, kw_only=True)
class RunFailed(Event):
    """The run failed; the last checkpoint stays."""

    type: ClassVar[str] = "run_failed"
    error: str
    hint: str = ""
    details: str = ""  # traceback, folded in the window


EVENT_TYPES: dict[str, type[Event]] = {
    cls.type: cls
    for cls in (
        RunStarted,
        PhaseChanged,
        StepMetrics,
        Evaluation,
        AlignmentMeasured,
        SpectrumMeasured,
        CheckpointSaved,
        Resources,
        Log,
        Progress,
        RunFinished,
        RunFailed,
    )
}


def from_dict(data: dict[str, Any]) -> Event | None:
    """Rebuild an event read from a file; None for a type this version does not know. Unknown fields are ignored."""
    cls = EVENT_TYPES.get(str(data.get("type")))
    if cls is None:
        return None
    names = {f.name for f in dataclasses.fields(cls)}
    try:
        return cls(**{key: value for key, value in data.items() if key in names})
    except TypeError:
        return None
