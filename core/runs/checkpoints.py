"""Checkpoints of a run: written whole or not at all, read without running code; the last two are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from core.errors import MismatchError, RunError
from core.files import replacing
from core.jsonio import check_schema
from core.runs.folder import CHECKPOINTS, RunFolder

KEEP = 2
SCHEMA_VERSION = 1


def save_checkpoint(folder: RunFolder, state: dict[str, Any]) -> tuple[str, int]:
    """Write a state under its step and drop all but the last two; return its path in the run folder and its bytes.

    Checkpoints of later steps go too: they are of an attempt that diverged, and the run began again from an earlier
    one. Raises RunError where the disk does not take the file: a failed save must not be silent.
    """
    path = folder.file(CHECKPOINTS) / f"step-{state['step']:09d}.pt"
    try:
        with replacing(path) as temporary, temporary.open("wb") as file:
            torch.save({"schema_version": SCHEMA_VERSION, "job_sha256": folder.job_sha256(), **state}, file)
    except (OSError, RuntimeError) as error:
        raise RunError(
            f"The checkpoint could not be written: {error}", "Free some disk space and resume the run"
        ) from error
    saved = list_checkpoints(folder)
    last = saved.index(path) + 1
    for other in (*saved[: max(0, last - KEEP)], *saved[last:]):
        other.unlink(missing_ok=True)
    return f"{CHECKPOINTS}/{path.name}", path.stat().st_size


def list_checkpoints(folder: RunFolder) -> list[Path]:
    """Return the checkpoints of a run, oldest first."""
    return sorted(folder.file(CHECKPOINTS).glob("step-*.pt"))


def load_checkpoint(folder: RunFolder) -> dict[str, Any] | None:
    """Return the newest checkpoint that can be read, or None. Raises MismatchError where it belongs to another job."""
    for path in reversed(list_checkpoints(folder)):
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception:  # a damaged file may raise anything; the run goes on from the one before
            continue
        check_schema(state.get("schema_version"), SCHEMA_VERSION, path.name)
        if state.get("job_sha256") != folder.job_sha256():
            raise MismatchError(
                f"{path.name} belongs to another job than job.json", "The job file was changed after the start"
            )
        return state
    return None
