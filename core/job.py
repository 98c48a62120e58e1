"""What was asked: model, data, forget set, method, parameters, seed, device; strict JSON with a schema version."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import msgspec

from core.errors import InputError, MismatchError

SCHEMA_VERSION = 1


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


@dataclass(frozen=True, kw_only=True)
class TuningPart:
    """How the parameters were chosen, where a search chose them; the tries stand in tuning.json beside the job."""

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
    """One request of a chain: what it asked for beyond the requests before it. The job's own comes last, unnamed."""

    method: str
    mode: str
    class_names: tuple[str, ...] = ()
    count: int = 0
    run: str = ""
    job_sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class OriginPart:
    """The model before the first request of a chain, which results are held against."""

    path: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job. Frozen: a change makes a new job. Method parameters are validated in core.methods."""

    kind: str = "unlearn"  # or "train"
    model: ModelPart
    data: DataPart
    forget: ForgetPart
    method: str
    preset: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)  # all of them, also those left at their default
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0  # 0: chosen at the start
    monitoring_budget: float = 0.1
    checkpoint_seconds: float = 20.0
    tuning: TuningPart | None = None
    chain: tuple[str, ...] = ()  # hashes of earlier runs' jobs this one starts from, oldest first
    requests: tuple[RequestPart, ...] = ()  # of the chain, this job's own last; empty where there is no chain
    origin: OriginPart | None = None
    app_version: str = ""
    libraries: dict[str, str] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION


def to_dict(job: Job) -> dict[str, Any]:
    """Return the job as plain data, `schema_version` first."""
    data = dataclasses.asdict(job)
    return {"schema_version": data.pop("schema_version"), **data}


def from_dict(data: Any) -> Job:
    """Rebuild a job from job.json's content.

    Raises InputError where it is not a job, MismatchError where a newer version wrote it.
    """
    if not isinstance(data, dict) or "schema_version" not in data:
        raise InputError("This is not a job file: it has no schema_version")
    version = data["schema_version"]
    if not isinstance(version, int) or version < 1:
        raise InputError(f"The job's schema_version must be a whole number from 1, got {version!r}")
    if version > SCHEMA_VERSION:
        raise MismatchError(
            f"The job was written by a newer version (schema {version}; this one reads up to {SCHEMA_VERSION})",
            "Update Unlearn Studio to open it",
        )
    for migrate in MIGRATIONS[version - 1 :]:
        data = migrate(data)
    try:
        return msgspec.convert(data, Job)
    except msgspec.ValidationError as error:
        raise InputError(f"The job file is damaged: {error}") from error


MIGRATIONS: list[Any] = []  # MIGRATIONS[v - 1] turns schema v into v + 1
