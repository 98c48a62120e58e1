"""What a run reports: its state, and events of plain scalars and lists, the same on disk, in a pipe and in the window.

Every event has the id of its run, the step it belongs to and the wall-clock time (seconds since the epoch).
Accuracies and ratios are 0..1; a value that could not be taken is None. An event is one JSON object, `type` first.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

if TYPE_CHECKING:  # a run is described without loading it
    import numpy as np
    from numpy.typing import NDArray

Tell = Callable[[str, int, int], object]
"""Told what goes on, how much of it is done, and of how much (0: not known). May raise to interrupt the work."""


def untold(what: str, done: int, total: int) -> None:
    """Tell nobody."""


class State(StrEnum):
    """A run's state; the value is what status.json holds."""

    QUEUED = "queued"
    PREPARING = "preparing"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"
    DISCARDING = "discarding"
    DISCARDED = "discarded"
    FINISHED = "finished"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @classmethod
    def named(cls, value: str) -> State | None:
        """Return the state of this name; None for one that only a newer version knows."""
        return cls.__members__.get(str(value).upper())


ACTIVE = frozenset({State.PREPARING, State.RUNNING, State.PAUSED, State.STOPPING, State.DISCARDING})
"""States of a run that a process is working on."""

ENDED = frozenset({State.FINISHED, State.STOPPED})
"""States of a run that has ended with a result."""


class Event(Struct, frozen=True, kw_only=True, tag_field="type"):
    """Common fields of all events."""

    run: str
    step: int
    time: float

    @property
    def type(self) -> str:
        """The kind of event, as files name it."""
        return str(self.__struct_config__.tag)


Emit = Callable[[Event], object]
"""Gets each event of a run, in order, in the thread that runs it."""


class RunStarted(Event, frozen=True, kw_only=True, tag="run_started"):
    """The plan is laid out; steps are counted from 0 to `steps`. Sent again, with `resumed_at`, on a resume."""

    method: str
    steps: int
    stages: list[dict[str, Any]]  # {"name", "phase", "first", "last"} with last exclusive
    forget_mode: str  # "class", "sample" or "mixed"
    counts: dict[str, int]  # retain_train, forget_train, retain_test, forget_test
    device: str
    precision: str
    threads: int
    resumed_at: int | None = None


class PhaseChanged(Event, frozen=True, kw_only=True, tag="phase_changed"):
    """A stage begins, or the run's state changes (`state` is one of the state names in lower case)."""

    state: str
    stage: str = ""
    phase: str = ""
    detail: str = ""


class StepMetrics(Event, frozen=True, kw_only=True, tag="step_metrics"):
    """Loss terms of one or more steps; lists run over `steps` and hold None where a term does not apply."""

    phase: str
    steps: list[int]
    terms: dict[str, list[float | None]]
    learning_rate: float
    samples_per_second: float


class Evaluation(Event, frozen=True, kw_only=True, tag="evaluation"):
    """Accuracies on fixed sets. `scope` is "subset" (while running) or "full" (start and end)."""

    scope: str
    retain_accuracy: float | None  # on training images
    forget_accuracy: float | None
    retain_test_accuracy: float | None
    forget_test_accuracy: float | None
    retain_loss: float | None = None
    forget_loss: float | None = None
    counts: dict[str, int] = {}
    forget_predictions: dict[str, float] = {}  # class -> share of forget-test images
    forget_losses: list[float] = []  # sample forgetting: per-image losses, forget set
    unseen_losses: list[float] = []  # the same on unseen images


class AlignmentMeasured(Event, frozen=True, kw_only=True, tag="alignment"):
    """Dimensional alignment of the forget set with the retain set; meaningless without k, energy and centring."""

    scope: str
    value: float | None
    k: int
    energy: float | None  # share of retain energy in the k leading directions
    centred: bool
    profile: list[float]  # value at k = 1, 2, ..., C
    floor: float  # sqrt(k / C), a random subspace's value
    sample_energy: float | None = None  # mean over forget samples of |U_k^T f|^2 / |f|^2


class SpectrumMeasured(Event, frozen=True, kw_only=True, tag="spectrum"):
    """Eigenvalues of the uncentred feature Gram matrices divided by the number of samples, largest first."""

    scope: str
    retain: list[float]
    forget: list[float]
    retain_rank: float | None  # effective rank
    forget_rank: float | None
    forget_norm: float | None  # mean feature norm
    retain_norm: float | None


class FeatureMap(Event, frozen=True, kw_only=True, tag="feature_map"):
    """The images that `features_moved` follows and the fixed plane they are seen in; sent again on a resume.

    The plane is that in which the features of the model at the start vary most: there, and there alone, a point is
    (feature - centre) @ axes / radius.
    """

    counts: dict[str, int]  # points by set, in the order they stand in: retain ones first
    ids: list[int]  # of the images: positions in the training part for sets ending in "train", else in the test part
    labels: list[str]  # the images' class names
    channels: int  # C, of a feature
    centre: str  # base64 of little-endian float32: (C,)
    axes: str  # the same: (C, 2), orthonormal columns
    radius: float  # root mean square distance of the points from the centre in the plane, at the start
    points: str  # where they are at the start, packed as in `features_moved`
    share: float | None  # of the features' variance that lies in the plane, at the start

    @property
    def forget_from(self) -> int:
        """The position of the first point that is to be forgotten."""
        return sum(count for name, count in self.counts.items() if name.startswith("retain"))

    def coordinates(self) -> NDArray[np.float32]:
        """Return where the points are at the start, (n, 2)."""
        return unpack_points(self.points)


class FeaturesMoved(Event, frozen=True, kw_only=True, tag="features_moved"):
    """Where the points of the latest `feature_map` are now; with whole classes, what energy retain directions hold.

    The features were turned and scaled as a whole to fit those of the start: what has moved, no turn brings back.
    """

    points: str  # base64 of little-endian int16, (n, 2), in thousandths of the radius; -32768 is no number
    share: float | None  # of the features' variance that lies in the plane
    forget_energy: list[float] = []  # share of the forget features' energy in each of the leading retain directions

    def coordinates(self) -> NDArray[np.float32]:
        """Return the points, (n, 2), NaN where a feature is not finite."""
        return unpack_points(self.points)


class CheckpointSaved(Event, frozen=True, kw_only=True, tag="checkpoint_saved"):
    """A resumable checkpoint is on disk."""

    path: str  # relative to the run folder
    bytes: int
    seconds: float


class Resources(Event, frozen=True, kw_only=True, tag="resources"):
    """What the run uses."""

    elapsed: float  # seconds of training and monitoring, without pauses
    remaining: float | None
    samples_per_second: float
    memory_bytes: int
    monitoring_share: float


class Log(Event, frozen=True, kw_only=True, tag="log"):
    """A line for people. `level` is "info", "warning" or "error"; `code` names known situations."""

    level: str
    message: str
    code: str = ""


class Progress(Event, frozen=True, kw_only=True, tag="progress"):
    """Something outside the steps goes on (loading, caching, checking); not written to disk."""

    what: str
    done: int
    total: int


class MeasureTaken(Event, frozen=True, kw_only=True, tag="measure_taken"):
    """A check has (part of) one model's measures, under the keys of report.json; for screens, never on disk."""

    model: str  # "original", "unlearned", "head_only", "fresh", or a retrained model's name
    values: dict[str, Any]


class RunFinished(Event, frozen=True, kw_only=True, tag="run_finished"):
    """The run ended with a result kept (state "finished" or "stopped") or thrown away ("discarded")."""

    state: str
    seconds: float
    measures: dict[str, Any] = {}
    unchanged: bool = False
    cost: dict[str, Any] = {}  # as in the model card
    model_sha256: str = ""  # of model.safetensors


class RunFailed(Event, frozen=True, kw_only=True, tag="run_failed"):
    """The run failed; the last checkpoint stays."""

    error: str
    hint: str = ""
    details: str = ""  # traceback, folded in the window


_ANY = (
    RunStarted
    | PhaseChanged
    | StepMetrics
    | Evaluation
    | AlignmentMeasured
    | SpectrumMeasured
    | FeatureMap
    | FeaturesMoved
    | CheckpointSaved
    | Resources
    | Log
    | Progress
    | RunFinished
    | RunFailed
)


def from_dict(data: dict[str, Any]) -> Event | None:
    """Return the event that a line of events.jsonl holds; unknown fields are ignored.

    None for a type this version does not know, and where fields are missing or of another type.
    """
    try:
        return msgspec.convert(data, _ANY)
    except msgspec.ValidationError:
        return None


# --- points of a feature map ---------------------------------------------------------------------------------------

POINT_UNIT = 1000  # steps of a packed coordinate in one radius
_NO_NUMBER, _FARTHEST = -(2**15), 2**15 - 1


def pack_points(points: NDArray[np.floating]) -> str:
    """Return points (n, 2) as an event holds them: to a thousandth, cut off at 32 radii."""
    import numpy as np

    steps = np.where(np.isfinite(points), np.clip(np.rint(points * POINT_UNIT), -_FARTHEST, _FARTHEST), _NO_NUMBER)
    return base64.b64encode(steps.astype("<i2").tobytes()).decode()


def unpack_points(packed: str) -> NDArray[np.float32]:
    """Return the points (n, 2) that an event holds."""
    import numpy as np

    steps = np.frombuffer(base64.b64decode(packed), "<i2").reshape(-1, 2)
    return np.where(steps == _NO_NUMBER, np.nan, steps / POINT_UNIT).astype(np.float32)


_LINES = msgspec.json.Decoder(_ANY)


def from_line(line: bytes) -> Event | None:
    """Return the event that a line of events.jsonl holds, as `from_dict` does; None for a damaged line, too."""
    try:
        return _LINES.decode(line)
    except msgspec.DecodeError:
        return None
