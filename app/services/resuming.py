"""Going on with an interrupted run: asked about its program code, read in a worker, then started like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.dialogs.trust import with_trusted_code
from app.workers.live_run import LiveRun
from core.errors import AppError

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from app.context import AppContext
    from core.job import Job
    from core.runs.folder import RunFolder
    from core.session.bench import Bench

NOT_RESUMED = "The run cannot be resumed"


def resume(context: AppContext, folder: RunFolder, parent: QWidget | None = None) -> None:
    """Go on with a run and bring it into view; where its network is program code, once that may run.

    The history of a long run is megabytes of JSON, so it is there a moment later.
    """

    def failed(error: BaseException) -> None:
        context.notifications.error(error, NOT_RESUMED)

    def read() -> None:
        handle = context.jobs.submit(LiveRun.from_folder, folder, key=f"resume {folder.path}")
        handle.done.connect(go_on)
        handle.failed.connect(failed)

    def go_on(run: LiveRun) -> None:
        context.project.set_run(context.run_controller.resume_run(run, _fitting(context.project.bench, run.job)))
        context.show_page("unlearn")

    if context.run_library is not None and context.run_library.is_deleting(folder.path):
        context.notifications.caution(NOT_RESUMED + ".", "It is being deleted.")
        return
    try:
        job = folder.job()
    except AppError as error:
        failed(error)
        return
    with_trusted_code(context.trust, job, "Resuming the run", parent, read)


def _fitting(bench: Bench | None, job: Job | None) -> Bench | None:
    """Return what is open, where it is the run's; else the run opens its model and data by itself."""
    if bench is None or job is None:
        return None
    same = bench.model.weights_id == job.model.weights_id and bench.dataset.fingerprint == job.data.fingerprint
    return bench if same else None
