"""Where searches for settings keep what they tried, so that one that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

from core.data.preprocessing import numbers_of
from core.job import Job
from core.jsonio import dumps
from core.models.architectures import network_key
from core.places import cache_home
from core.runs.folder import TUNING, RunFolder
from core.version import VERSION


def asked_of(job: Job) -> tuple[Any, ...]:
    """Return what of a job determines the tries of a search around its values."""
    return (
        job.model.sha256, network_key(job.model), job.data.fingerprint, numbers_of(job.model.preprocessing),
        job.forget.sha256, job.forget.weights_sha256, job.method, sorted(job.parameters.items()), job.seed, job.device,
        job.precision, job.threads,
    )  # fmt: skip


def tries_file(job: Job, fixed: Collection[str] = ()) -> Path:
    """Return the file for a search of `core.session.tuning.tune`, named by what determines its tries."""
    asked = (VERSION, asked_of(job), sorted(fixed))
    return cache_home() / "searches" / f"{hashlib.sha256(dumps(asked)).hexdigest()[:32]}.json"


def same_asked(job: Job, searched: Job) -> bool:
    """Whether a job asks for what a search found: method, settings, model, data and forget set are the same."""
    return all(
        getattr(job, name) == getattr(searched, name) for name in ("method", "parameters", "model", "data", "forget")
    )


def keep_tries(tries: Path, folder: RunFolder) -> None:
    """Copy a search's file into the folder of a run that is about to be made; the job names it by its hash."""
    folder.path.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(tries, folder.file(TUNING))
