"""A batch file in the window: what it would run is asked about once, then every combination waits in the queue."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app.dialogs.confirm import Choice, ConfirmDialog, ask
from app.services import format as fmt
from core.errors import AppError, StoppedError

if TYPE_CHECKING:
    from app.context import AppContext
    from core.job import Job
    from core.selection import Selection
    from core.session.opening import Pair

_NAMED = 3


@dataclass(frozen=True)
class Ready:
    """A batch file with what can be started of it; `problems` are sentences on what cannot."""

    path: Path
    pair: Pair
    runs: tuple[tuple[str, Job, Selection], ...]  # name of the run folder, job, forget set
    problems: tuple[str, ...]


class BatchQueue(QObject):
    """Listens for batch files that are opened or dropped."""

    def __init__(self, context: AppContext, window: QWidget) -> None:
        super().__init__(window)
        self._context, self._window = context, window
        self.dialog: ConfirmDialog | None = None
        if context.opening is not None:
            context.opening.batch_wanted.connect(self.read)

    def read(self, path: Path) -> None:
        """Read a batch file, and open its model and data, in a worker."""
        handle = self._context.jobs.submit(read, path, key="batch")
        handle.done.connect(self._ask)
        handle.failed.connect(self._failed)
        handle.progress.connect(self._progressed)
        handle.finished.connect(self._ended)

    def _ask(self, ready: Ready) -> None:
        if ready.problems:
            more = f" And {fmt.count(len(ready.problems) - _NAMED)} more." if len(ready.problems) > _NAMED else ""
            self._context.notifications.caution(
                f"{fmt.plural(len(ready.problems), 'run')} of {ready.path.name} cannot be started.",
                " ".join(ready.problems[:_NAMED]) + more,
            )
        if not ready.runs:
            return
        named = ", ".join(name for name, _, _ in ready.runs[:_NAMED])
        rest = f" and {fmt.count(len(ready.runs) - _NAMED)} more" if len(ready.runs) > _NAMED else ""
        self.dialog = ask(
            self._window, f"Queue {fmt.plural(len(ready.runs), 'run')} of {ready.path.name}?",
            [Choice("no", "Cancel"), Choice("yes", "Queue runs")], lambda answer: self._answered(ready, answer),
            f"{named}{rest}, on {ready.pair.dataset.title}.",
        )  # fmt: skip

    def _answered(self, ready: Ready, answer: str) -> None:
        self.dialog = None
        if answer != "yes":
            return
        controller, home = self._context.run_controller, self._context.runs_folder()
        busy = controller.busy
        taken = {run.path for run in controller.queue}
        started = []
        for name, job, selection in ready.runs:
            place = home / f"{ready.path.stem}-{name}"
            free = not place.exists() and place not in taken
            started.append(controller.start(job, ready.pair, selection, place if free else None))
        if not busy:
            self._context.project.set_run(started[0])
            self._context.show_page("unlearn")
        self._context.notifications.info(f"{fmt.plural(len(started), 'run')} of {ready.path.name} queued.")

    def _progressed(self, what: str, done: int, total: int) -> None:
        if self._context.status is not None:
            self._context.status.set_activity("batch", what, done, total)

    def _ended(self) -> None:
        if self._context.status is not None:
            self._context.status.end_activity("batch")

    def _failed(self, error: BaseException) -> None:
        self._context.notifications.error(error, "The batch file was not opened")


def read(path: Path, progress: Any, cancelled: Any) -> Ready:
    """Read a batch file and make its jobs; runs in a worker."""
    from core.session.batch import make_item, open_batch
    from core.session.batch_file import read_batch

    def tell(what: str, done: int, total: int) -> None:
        if cancelled():
            raise StoppedError("The batch file is not wanted any more")
        progress(what, done, total)

    batch = read_batch(path)
    pair = open_batch(batch, tell=tell, cancelled=cancelled)
    runs, problems = [], []
    for item in batch.items():
        try:
            selection, job = make_item(item, pair, batch)
            runs.append((item.name, job, selection))
        except AppError as error:
            problems.append(f"{item.name}: {error.text}")
    return Ready(path, pair, tuple(runs), tuple(problems))
