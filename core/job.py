"""What a run is asked to do: model, data, forget set, method, parameters, seed, device. Saved as job.json."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from core.errors import InputError, UsageError
from core.files import check_schema, convert
from core.suspicion import Trigger
from core.text import named

SCHEMA_VERSION = 1


def entry_key(form: Mapping[str, Any]) -> str:
    """Return what --key says to choose the weights that stand in a file like `form` (fields of a CheckpointForm)."""
    parts = (form.get("container") or "", (form.get("prefix") or "").removesuffix("."))
    return ".".join(part for part in parts if part)


def weights_id(sha256: str, key: str) -> str:
    """Return what names weights: their file's SHA-256, and where they stand in it."""
    return f"{sha256}:{key}" if key else sha256


@dataclass(frozen=True, kw_only=True)
class ModelPart:
    """The original model. `path` is empty where the job trains a fresh model."""

    path: str = ""
    sha256: str = ""
    architecture: str
    num_classes: int
    in_channels: int
    input_size: tuple[int, int]
    classes: tuple[str, ...] = ()
    preprocessing: dict[str, Any] = field(default_factory=dict)
    form: dict[str, Any] = field(default_factory=dict)  # how the file wrapped its weights; for `export --format same`
    user_code: str = ""  # "path.py:factory", only used with trust
    proof: dict[str, Any] = field(default_factory=dict)  # that it is used as it was trained: see core.session.proof

    @property
    def key(self) -> str:
        """What --key says to choose the weights in the file; empty where they are all it holds."""
        return entry_key(self.form)

    @property
    def weights_id(self) -> str:
        """What names its weights."""
        return weights_id(self.sha256, self.key)

    @property
    def builder(self) -> str:
        """What builds the network: the user's code, else the architecture's name; `arch` of those who open weights."""
        return self.user_code or self.architecture


@dataclass(frozen=True, kw_only=True)
class DataPart:
    """The data set and the options it was opened with."""

    spec: str
    fingerprint: str = ""
    data_root: str = ""
    test_fraction: float | None = None
    classes_file: str = ""
    preprocess_file: str = ""
    test_origin: str = "own"
    notices: tuple[str, ...] = ()  # what was said of how the data was read, and of images that were left out


CORRECTIVE: Literal["corrective"] = "corrective"
Purpose = Literal["", "encoder", "labels", "trigger"]
"""What a method is asked for: "" forgetting in a classifier, or in an encoder, or to correct labels or a trigger."""


def purpose_from(encoder: bool, corrective: bool, trigger: Trigger | None) -> Purpose:
    """Return what a method is asked for: of a network without a head, or as a correction, with the patch if known."""
    if encoder:
        return "encoder"
    return "" if not corrective else "labels" if trigger is None else "trigger"


@dataclass(frozen=True, kw_only=True)
class ForgetPart:
    """The forget set in short; its samples stand in forget.csv beside the job."""

    mode: str  # "none" (training a model), "class", "sample", "mixed"
    classes: tuple[int, ...] = ()
    class_names: tuple[str, ...] = ()
    count: int = 0
    total: int = 0
    sha256: str = ""  # of the packed mask
    weights_sha256: str = ""  # of the samples' weights; empty where all count the same
    similar: int = 0  # images of these that were added for looking like others
    similar_from: float = 0.0  # the lowest agreement from which they were
    purpose: Literal["", "corrective"] = ""  # "corrective": they should not have been as they are
    trigger: Trigger | None = None  # the patch they carry, where it is known

    @property
    def corrective(self) -> bool:
        """Whether the images go because they should not have been as they are."""
        return self.purpose == CORRECTIVE

    def as_dict(self) -> dict[str, Any]:
        """Return kind, classes by name and number of images, as model cards and documents state them."""
        return {"mode": self.mode, "classes": list(self.class_names), "count": self.count}


@dataclass(frozen=True, kw_only=True)
class TuningPart:
    """How a search chose the parameters; its tries stand in tuning.json beside the job."""

    asked: int  # tries asked for
    tried: int
    best: int  # number of the try whose values the job has, from 1
    score: float | None
    judged_by: str
    images: int  # training images each try was run on
    searched: tuple[str, ...]  # the parameters that were varied
    sha256: str = ""  # of tuning.json


@dataclass(frozen=True, kw_only=True)
class RequestPart:
    """One request of a chain: what it asked for beyond earlier ones. The job's own comes last and names no run."""

    method: str
    mode: str
    class_names: tuple[str, ...] = ()
    count: int = 0
    run: str = ""
    job_sha256: str = ""
    purpose: Literal["", "corrective"] = ""  # as that of a ForgetPart
    trigger: Trigger | None = None

    @property
    def corrective(self) -> bool:
        """Whether its images should not have been as they are."""
        return self.purpose == CORRECTIVE


@dataclass(frozen=True, kw_only=True)
class PluginPart:
    """The installed package that the method comes from."""

    distribution: str
    version: str


@dataclass(frozen=True, kw_only=True)
class OriginPart:
    """The model before the first request of a chain, which results are compared with."""

    path: str
    sha256: str
    key: str = ""  # as that of a ModelPart

    @property
    def weights_id(self) -> str:
        """What names its weights."""
        return weights_id(self.sha256, self.key)


@dataclass(frozen=True, kw_only=True)
class StartPart:
    """Where a training began: with fresh weights, or with those of a file, which are pretrained.

    Of a training it is its own, of an unlearning that of the original, which references must share. `path` may be
    empty where only a card tells; `said_by` is who does, in words.
    """

    kind: Literal["fresh", "pretrained"]
    path: str = ""
    sha256: str = ""
    key: str = ""  # as that of a ModelPart
    said_by: str = ""

    @property
    def pretrained(self) -> bool:
        """Whether it began with the weights of a file."""
        return self.kind == "pretrained"

    @property
    def weights_id(self) -> str:
        """What names the weights; empty where they were fresh."""
        return weights_id(self.sha256, self.key)


LAUNCHERS = "thread, process, torchrun N or ssh HOST [PROGRAM]"


@dataclass(frozen=True)
class Launcher:
    """What starts a run, as `--on` and job.json say it: LAUNCHERS.

    "thread" is the process that asks for the run, "process" one of its own; "torchrun" are `processes` that share the
    work, and "ssh" is the program on another machine, `host`, where it is called `program`.
    """

    kind: Literal["thread", "process", "torchrun", "ssh"] = "thread"
    processes: int = 1
    host: str = ""
    program: str = ""

    @property
    def remote(self) -> bool:
        """Whether the run goes on another machine."""
        return self.kind == "ssh"

    @classmethod
    def parse(cls, text: str) -> Launcher:
        """Read a launcher. Raises UsageError where it is none; no text can become an option or a second command."""
        match text.split():
            case ["thread" | "process" as kind]:
                return cls(kind)
            case ["torchrun", number] if number.isdecimal() and 1 <= len(number) <= 4 and int(number):
                return cls("torchrun", int(number))
            case ["ssh", host, *program] if len(program) <= 1 and all(map(_WORD.fullmatch, [host, *program])):
                return cls("ssh", host=host, program=program[0] if program else PROGRAM)
        raise UsageError(
            f"{text!r} does not say what starts a run",
            f"Use {LAUNCHERS}; HOST as ssh knows it, PROGRAM the command's path on that machine",
        )

    def __str__(self) -> str:
        """Return the launcher in words."""
        parts = {"torchrun": [str(self.processes)], "ssh": [self.host, *([self.program] * (self.program != PROGRAM))]}
        return " ".join([self.kind, *parts.get(self.kind, [])])


PROGRAM = "unlearn-studio"
_WORD = re.compile(r"[\w~/.][\w.@:%+/~\[\]-]*", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job. Parameters of the method are checked by core.methods."""

    schema_version: int = SCHEMA_VERSION
    kind: Literal["unlearn", "train"] = "unlearn"
    model: ModelPart
    data: DataPart
    forget: ForgetPart
    method: str
    plugin: PluginPart | None = None  # where the method is none of the program's own
    preset: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)  # all of them, also those left at their default
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0  # 0: chosen at the start
    launcher: str = "thread"  # what starts the run: a Launcher in words
    monitoring_budget: float = 0.1
    checkpoint_seconds: float = 20.0
    tuning: TuningPart | None = None
    chain: tuple[str, ...] = ()  # SHA-256 of the jobs of earlier runs that this one starts from, oldest first
    requests: tuple[RequestPart, ...] = ()  # of the chain, this job's own last; empty where there is no chain
    origin: OriginPart | None = None
    start: StartPart | None = None  # where the training began; of an unlearning the original's; None: nobody says it
    app_version: str = ""
    libraries: dict[str, str] = field(default_factory=dict)

    @property
    def purpose(self) -> Purpose:
        """What its method is asked for."""
        return purpose_from(not self.model.num_classes, self.forget.corrective, self.forget.trigger)

    @property
    def forget_text(self) -> str:
        """The forget set in a few words: "class 3 (140 of 1,437)"."""
        forget = self.forget
        if forget.mode == "none":
            return "nothing"
        names = ", ".join(map(named, forget.class_names))
        chain = f", {len(self.requests)} requests" if self.requests else ""
        what = f"{'class' if len(forget.class_names) == 1 else 'classes'} {names}" if names else "single images"
        chain += ", correction" if forget.corrective else ""
        more = " and single images" if forget.mode == "mixed" else ""
        return f"{what}{more} ({forget.count:,} of {forget.total:,}{chain})"


MIGRATIONS: list[Callable[[dict[str, Any]], dict[str, Any]]] = []  # MIGRATIONS[v - 1] turns schema v into v + 1


def from_dict(data: Any) -> Job:
    """Rebuild a job from job.json's content, of this schema version or an earlier one.

    Raises InputError where it is not a job, MismatchError where a newer version wrote it.
    """
    if not isinstance(data, dict) or "schema_version" not in data:
        raise InputError("This is not a job file: it has no schema_version")
    version = check_schema(data["schema_version"], SCHEMA_VERSION, "The job")
    for migrate in MIGRATIONS[version - 1 :]:
        data = migrate(data)
    return convert({**data, "schema_version": SCHEMA_VERSION}, Job, "The job file")
