"""What a run reports: its state, and events of plain scalars and lists, the same on disk, in a pipe and in the window.

Every event has the id of its run, the step it belongs to and the wall-clock time (seconds since the epoch).
Accuracies and ratios are 0..1; a value that could not be taken is None. An event is one JSON object, `type` first.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import msgspec
from msgspec import Meta, Struct

from core.files import loads

if TYPE_CHECKING:  # a run is described without loading it
    import numpy as np
    from numpy.typing import NDArray

LARGEST = 1e100
"""A number beyond it is none that was measured; squares and sums of smaller ones can still be written."""

Number = Annotated[float, Meta(ge=-LARGEST, le=LARGEST)]
Count = Annotated[int, Meta(ge=0, le=2**53)]

MOST_STEPS = 100_000
"""Steps one event may tell of: it is written every few tenths of a second."""

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


class Event(Struct, frozen=True, kw_only=True, tag_field="type", gc=False):
    """Common fields of all events. None leads back to itself, so Python's garbage collector need not look at them."""

    run: str
    step: Count
    time: Number

    @property
    def type(self) -> str:
        """The kind of event, as files name it."""
        return str(self.__struct_config__.tag)


Emit = Callable[[Event], object]
"""Gets each event of a run, in order, in the thread that runs it."""


class StagePart(TypedDict):
    """A stage of the plan, from step `first` to `last`, which is no longer part of it."""

    name: str
    phase: str
    first: Count
    last: Count


class RunStarted(Event, frozen=True, kw_only=True, tag="run_started"):
    """The plan is laid out; steps are counted from 0 to `steps`. Sent again, with `resumed_at`, on a resume."""

    method: str
    steps: Count
    stages: list[StagePart]
    forget_mode: str  # "class", "sample" or "mixed"
    counts: dict[str, Count]  # retain_train, forget_train, retain_test, forget_test
    device: str
    precision: str
    threads: Count
    resumed_at: Count | None = None
    host: str = ""  # name of the machine it runs on
    processes: Count = 1  # that share the run


class PhaseChanged(Event, frozen=True, kw_only=True, tag="phase_changed"):
    """A stage begins, or the run's state changes (`state` is one of the state names in lower case)."""

    state: str
    stage: str = ""
    phase: str = ""
    detail: str = ""


class StepMetrics(Event, frozen=True, kw_only=True, tag="step_metrics"):
    """Loss terms of one or more steps; lists run over `steps` and hold None where a term does not apply."""

    phase: str
    steps: list[Count]
    terms: dict[str, list[Number | None]]
    learning_rate: Number
    samples_per_second: Number

    def __post_init__(self) -> None:
        """Refuse a file's lists that are of different or absurd lengths."""
        lengths = {len(self.steps), *map(len, self.terms.values())}
        if len(lengths) > 1 or len(self.steps) > MOST_STEPS:
            raise ValueError(f"terms and steps must be of one length, and of {MOST_STEPS:,} at most")


class Evaluation(Event, frozen=True, kw_only=True, tag="evaluation"):
    """Accuracies on fixed sets. `scope` is "subset" (while running) or "full" (start and end)."""

    scope: str
    retain_accuracy: Number | None  # on training images
    forget_accuracy: Number | None
    retain_test_accuracy: Number | None
    forget_test_accuracy: Number | None
    retain_loss: Number | None = None
    forget_loss: Number | None = None
    counts: dict[str, Count] = {}
    forget_predictions: dict[str, Number] = {}  # class -> share of forget-test images
    forget_losses: list[Number | None] = []  # sample forgetting: per-image losses, forget set
    unseen_losses: list[Number | None] = []  # the same on unseen images


class AlignmentMeasured(Event, frozen=True, kw_only=True, tag="alignment"):
    """Dimensional alignment of the forget set with the retain set; meaningless without k, energy and centring."""

    scope: str
    value: Number | None
    k: Count
    energy: Number | None  # share of retain energy in the k leading directions
    centred: bool
    profile: list[Number]  # value at k = 1, 2, ..., C
    floor: Number  # sqrt(k / C), a random subspace's value
    sample_energy: Number | None = None  # mean over forget samples of |U_k^T f|^2 / |f|^2


class SpectrumMeasured(Event, frozen=True, kw_only=True, tag="spectrum"):
    """Eigenvalues of the uncentred feature Gram matrices divided by the number of samples, largest first."""

    scope: str
    retain: list[Number]
    forget: list[Number]
    retain_rank: Number | None  # effective rank
    forget_rank: Number | None
    forget_norm: Number | None  # mean feature norm
    retain_norm: Number | None


class FeatureMap(Event, frozen=True, kw_only=True, tag="feature_map"):
    """The images that `features_moved` follows and the fixed plane they are seen in; sent again on a resume.

    The plane is that in which the features of the model at the start vary most: there, and there alone, a point is
    (feature - centre) @ axes / radius.
    """

    counts: dict[str, Count]  # points by set, in the order they stand in: retain ones first
    ids: list[Count]  # of the images: positions in the training part for sets ending in "train", else in the test part
    labels: list[str]  # the images' class names
    channels: Count  # C, of a feature
    centre: str  # base64 of little-endian float32: (C,)
    axes: str  # the same: (C, 2), orthonormal columns
    radius: Number  # root mean square distance of the points from the centre in the plane, at the start
    points: str  # where they are at the start, packed as in `features_moved`
    share: Number | None  # of the features' variance that lies in the plane, at the start

    def __post_init__(self) -> None:
        """Refuse a file's map whose parts are not of the same points and of `channels`."""
        points = sum(self.counts.values())
        lengths = {points, len(self.ids), len(self.labels), len(unpack_points(self.points))}
        plane = [len(base64.b64decode(part, validate=True)) for part in (self.centre, self.axes)]
        if len(lengths) > 1 or plane != [4 * self.channels, 8 * self.channels]:
            raise ValueError("a map must have as many points as it counts, in a plane of its channels")

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
    share: Number | None  # of the features' variance that lies in the plane
    forget_energy: list[Number] = []  # share of the forget features' energy in each of the leading retain directions

    def __post_init__(self) -> None:
        """Refuse a file's points that are none."""
        _packed(self.points)

    def coordinates(self) -> NDArray[np.float32]:
        """Return the points, (n, 2), NaN where a feature is not finite."""
        return unpack_points(self.points)


class CheckpointSaved(Event, frozen=True, kw_only=True, tag="checkpoint_saved"):
    """A resumable checkpoint is on disk."""

    path: str  # relative to the run folder
    bytes: Count
    seconds: Number


class Resources(Event, frozen=True, kw_only=True, tag="resources"):
    """What the run uses."""

    elapsed: Number  # seconds of training and monitoring, without pauses
    remaining: Number | None
    samples_per_second: Number
    memory_bytes: Count
    monitoring_share: Number


class Log(Event, frozen=True, kw_only=True, tag="log"):
    """A line for people. `level` is "info", "warning" or "error"; `code` names known situations."""

    level: str
    message: str
    code: str = ""


class Progress(Event, frozen=True, kw_only=True, tag="progress"):
    """Something outside the steps goes on (loading, caching, checking); on disk twice a second."""

    what: str
    done: Count
    total: Count


class MeasureTaken(Event, frozen=True, kw_only=True, tag="measure_taken"):
    """A check has (part of) one model's measures, under the keys of report.json; for screens, never on disk."""

    model: str  # "original", "unlearned", "head_only", "fresh", or a retrained model's name
    values: dict[str, Any]


class RunFinished(Event, frozen=True, kw_only=True, tag="run_finished"):
    """The run ended with a result kept (state "finished" or "stopped") or thrown away ("discarded")."""

    state: str
    seconds: Number
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


def from_dict(data: Any) -> Event | None:
    """Return the event that the content of a line of events.jsonl is; unknown fields are ignored.

    None for a type this version does not know, and where fields are missing or of another type.
    """
    try:
        return msgspec.convert(data, _ANY)
    except (msgspec.ValidationError, RecursionError):
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

    steps = np.frombuffer(_packed(packed), "<i2").reshape(-1, 2)
    return np.where(steps == _NO_NUMBER, np.nan, steps / POINT_UNIT).astype(np.float32)


def _packed(points: str) -> bytes:
    """Return the bytes of packed points; ValueError where they are none. A long log has a hundred thousand of them."""
    data = binascii.a2b_base64(points, strict_mode=True)
    if len(data) % 4:
        raise ValueError("a point has two coordinates of two bytes each")
    return data


class _Newer(Struct):
    """What is asked of an event whose type only a newer version knows."""

    type: str
    step: Count = 0


_LINES: msgspec.json.Decoder[Event] = msgspec.json.Decoder(_ANY)
_KINDS = frozenset(str(kind.__struct_config__.tag) for kind in _ANY.__args__)


def from_line(line: bytes) -> Event | None:
    """Return the event that a line of events.jsonl holds, as `from_dict` does; None for a damaged line, too."""
    try:
        return _LINES.decode(line)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def from_lines(data: bytes) -> list[Event]:
    """Return the events in whole lines of events.jsonl, all at once; what `from_line` makes nothing of is left out."""
    with suppress(msgspec.DecodeError, ValueError, RecursionError):
        events = _LINES.decode_lines(data)
        if len(events) == data.count(b"\n"):  # one a line, as they are written
            return events
    return [event for event in map(from_line, data.split(b"\n")) if event is not None]


def read_lines(data: bytes) -> tuple[list[dict[str, Any]], int]:
    """Return the events in lines of events.jsonl as plain data, each proven to be what its type declares.

    Also how many lines are damaged. Of events that only a newer version knows, the step is proven.
    """
    events, damaged = [], 0
    for line in data.split(b"\n"):
        if not line:
            continue
        content: Any = None
        with suppress(ValueError):
            content = loads(line)
        kind = str(content.get("type")) if isinstance(content, dict) else ""
        try:
            msgspec.convert(content, _ANY if kind in _KINDS else _Newer)
        except (msgspec.ValidationError, RecursionError):
            damaged += 1
        else:
            events.append(content)
    return events, damaged
