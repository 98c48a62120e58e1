"""Training a model on the bench's data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.engine.control import Control
from core.events import Emit, State
from core.runs.folder import RunFolder
from core.selection import Selection
from core.session.bench import Bench
from core.session.jobs import create_run, make_train_job
from core.session.running import run


def train(
    out: Path | str,
    bench: Bench,
    architecture: str,
    control: Control,
    emit: Emit,
    *,
    exclude: Selection | None = None,
    **settings: Any,
) -> tuple[RunFolder, State]:
    """Train a model on the bench's data into the run folder `out`; `settings` are those of `make_train_job`."""
    job = make_train_job(bench, architecture, exclude=exclude, **settings)
    folder = create_run(out, job, exclude, bench.dataset)
    return folder, run(folder, control, emit, bench)
