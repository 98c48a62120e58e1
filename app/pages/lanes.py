"""Keeps the three lanes of the run in view: what is known of other models, the live accuracy, what a check measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.services.translation import tr
from app.widgets.lanes import Lanes
from core.events import Evaluation, Event
from core.verify.lanes import Lane, lanes_of_report, lanes_so_far, merged

if TYPE_CHECKING:
    from app.context import AppContext
    from app.workers.live_run import LiveRun
    from core.job import Job
    from core.runs.folder import RunFolder

Found = tuple[tuple[Lane, ...], str]  # lanes, and the sentence of the verdict


class LanesPresenter(QObject):
    """Shows `context.project.run` in a Lanes widget where whole classes are forgotten; several widgets may have one."""

    def __init__(self, context: AppContext, lanes: Lanes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context, self._widget = context, lanes
        self._job_key = f"lanes-{id(self)}"
        self._known: tuple[Lane, ...] = ()
        self._taken = 0  # measures of the check under way that are shown
        controller = context.run_controller
        controller.events.connect(self._events)
        controller.state_changed.connect(self._changed)
        controller.run_ended.connect(self._ended)
        context.project.run_changed.connect(self._run_changed)
        self._run_changed()

    @property
    def _run(self) -> LiveRun | None:
        run = self._context.project.run
        wanted = run is not None and run.kind == "unlearn" and run.forget_mode in ("class", "mixed")
        return run if wanted else None

    def _run_changed(self) -> None:
        self._known = ()
        self._widget.clear()
        self._read()

    def _read(self) -> None:
        """Read what is known, and the report where there is one."""
        self._context.jobs.cancel(self._job_key)
        run = self._run
        if run is not None and run.job is not None:
            handle = self._context.jobs.submit(read_lanes, run.folder, run.job, key=self._job_key)
            handle.done.connect(self._show)

    def _show(self, found: Found) -> None:
        self._known, verdict = found
        self._set(self._known)
        run = self._run
        if verdict:
            self._widget.set_verdict(verdict)
        elif run is not None and not run.ended:
            self._widget.set_state(tr("The verdict comes with the check, once the run has ended."))
        else:
            self._widget.set_state(tr("Not checked yet: Verify holds the result against retrained models."))

    def _set(self, lanes: tuple[Lane, ...]) -> None:
        run = self._run
        if run is not None and run.job is not None and lanes:
            self._widget.set_lanes(lanes, ", ".join(run.job.forget.class_names))

    def _events(self, events: list[Event]) -> None:
        if self._run is None or self._run is not self._context.run_controller.current:
            return
        newest = next((event for event in reversed(events) if isinstance(event, Evaluation)), None)
        if newest is not None:
            self._widget.set_accuracy(newest.forget_test_accuracy)

    def _changed(self, run: LiveRun) -> None:
        """Show what a check of the run has measured until now."""
        if run.kind != "check" or self._run is None or run.path != self._run.path:
            return
        if not run.ended:
            what = run.progress.what if run.progress is not None else ""
            self._widget.set_state(tr("The result is being checked. {what}", what=what))
        if run.taken_count != self._taken:
            self._taken = run.taken_count
            self._set(merged(lanes_so_far(run.taken), self._known))

    def _ended(self, run: LiveRun) -> None:
        if self._run is not None and run.path == self._run.path:
            self._taken = 0
            self._read()


def read_lanes(folder: RunFolder, job: Job) -> Found:
    """Return the lanes of a run and its verdict, as far as they are on disk; runs in a worker."""
    from core.session.checking import known_lanes

    report = folder.report() or {}
    verdict = report.get("verdict") or {}
    sentence = str(verdict.get("sentence") or "") if report.get("retrained") else ""
    return merged(lanes_of_report(report), known_lanes(job)), sentence
