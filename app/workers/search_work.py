"""The work of a search for settings: tries reach the window through a list it looks into, ten times a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from core.engine.control import Control
from core.events import Emit, Progress
from core.job import Job
from core.runs.folder import RunFolder

if TYPE_CHECKING:
    from core.selection import Selection
    from core.session.bench import Bench
    from core.session.tuning import Try, Tuning


class SearchWork:
    """Called by the run thread; `tries` grow as it goes. `job` and `kept` are there once the work has ended."""

    def __init__(self, make_job: Callable[[], Job], bench: Bench, selection: Selection, count: int) -> None:
        self._make_job, self._bench, self._selection, self._count = make_job, bench, selection, count
        self.tries: list[Try] = []  # what was tried so far
        self.place = RunFolder("search")  # gives events their id; nothing is written there
        self.job: Job | None = None  # the job with the best try's settings
        self.kept: Path | None = None

    def __call__(self, control: Control, emit: Emit) -> Tuning:
        """Search; raises the AppErrors of the job and of the search."""
        from core.session.tuning import tries_file, tune, tuned

        job = self._make_job()
        kept = tries_file(job)

        def tell(what: str, done: int, total: int) -> None:
            emit(Progress(run=self.place.id, step=0, time=time.time(), what=what, done=done, total=total))

        found = tune(job, self._bench.telling(tell), self._selection, self._count, keep=kept, control=control,
                     tried=self.tries.append)  # fmt: skip
        if found.best is not None:
            self.job, self.kept = tuned(job, found, kept), kept
        return found
