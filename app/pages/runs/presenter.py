"""What the Runs page does: follows the list of runs and the queue, and carries out commands on the chosen ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint, QTimer

from app.dialogs.sheet import ask_to_open
from app.pages.runs.run_actions import Reopening, ask_delete
from app.services.commands import resume
from app.services.run_library import DELETING, NEWER, RunRow
from core.errors import AppError
from core.events import ACTIVE, State
from core.job import Job
from core.runs.folder import RunFolder

if TYPE_CHECKING:
    from app.context import AppContext
    from app.pages.runs.page import RunsView

LATER = (
    "Open the model this run made and forget more with it. What was forgotten before stays forgotten: those images are "
    "kept out of the retain set."
)
CHECK = "Compare the chosen runs with retrained models, which they share, and rank them in one table"
WATCH_MS = 2000  # how often the folder is looked at while the page is in view: runs of a terminal appear by themselves
LIVE_MS = 500


class RunsPresenter(QObject):
    """Commands are methods by their name; why one cannot be used now comes from the functions below."""

    def __init__(self, context: AppContext, page: RunsView) -> None:
        super().__init__(page)
        self._context, self._page = context, page
        self._reopening = Reopening(context, self)
        self._commands = {
            "open": self.open_chosen, "resume": self.resume_chosen, "compare": self.compare_chosen,
            "check": self.check_chosen, "later": self.start_later, "duplicate": self.duplicate_chosen,
            "delete": self.delete_chosen,
        }  # fmt: skip
        self._watch, self._live = QTimer(self), QTimer(self)
        self._watch.setInterval(WATCH_MS)
        self._watch.timeout.connect(context.run_library.refresh)
        self._live.setInterval(LIVE_MS)
        self._live.timeout.connect(self._show_live)
        page.asked.connect(self._asked)
        page.activated.connect(self.open_run)
        page.chosen_changed.connect(self._update)
        page.folder_asked.connect(self._choose_folder)
        page.batches_asked.connect(self.show_batches)
        page.shown_now.connect(self._entered)
        page.hidden_now.connect(self._left)
        page.table.customContextMenuRequested.connect(self._menu)
        context.run_library.changed.connect(self._rows_changed)
        controller = context.run_controller
        controller.queue_changed.connect(self._queue_changed)
        controller.run_started.connect(self._started)
        controller.run_ended.connect(self._run_ended)
        page.queue.moved.connect(controller.move)
        page.queue.removed.connect(controller.remove)
        context.actions.add("runs.later", "Start a &later request", self.start_later, menu="run", icon="forget",
                            shortcut="Ctrl+Shift+L", tip=LATER, why_disabled=self._why_no_later_now)  # fmt: skip
        context.actions.add("runs.batches", "Show &batch results", self.show_batches, menu="view", icon="runs")
        self._rows_changed()
        self._queue_changed()
        context.jobs.submit(_titles).done.connect(page.model.set_titles)

    def _asked(self, command: str) -> None:
        self._commands[command]()

    # ---- commands

    def open_chosen(self) -> None:
        """Bring the chosen run into view, live or as it ended."""
        if rows := self._page.chosen():
            self.open_run(rows[0])

    def open_run(self, row: RunRow) -> None:
        """Open one run; the one under way here is shown as it is."""
        if row.state == DELETING:
            return
        controller = self._context.run_controller
        here = next((run for run in (controller.current, *controller.queue) if run and run.path == row.path), None)
        if here is not None:
            self._context.project.set_run(here)
            self._context.show_page("unlearn")
        else:
            self._context.opening.open_run(row.path)

    def resume_chosen(self) -> None:
        """Go on with an interrupted run."""
        rows = self._page.chosen()
        if rows and not why_no_resume(rows):
            resume(self._context, RunFolder(rows[0].path), self._page.window())

    def compare_chosen(self) -> None:
        """Hold the chosen runs side by side on the Verify page."""
        rows = self._page.chosen()
        if not why_no_compare(rows):
            rows = sorted(rows, key=lambda row: (row.method, row.seed))
            self._context.project.set_compared(tuple(RunFolder(row.path) for row in rows))
            self._context.show_page("verify")

    def check_chosen(self) -> None:
        """Check the chosen runs against retrained models they share; they end in one ranked table."""
        if not why_no_check(self._page.chosen()):
            self.compare_chosen()
            self._context.actions.trigger("verify.check_all")

    def duplicate_chosen(self) -> None:
        """Set up a new run with the settings of the chosen one."""
        rows = self._page.chosen()
        if not rows or why_no_duplicate(rows):
            return
        if not (job := self._job_of(rows[0], "The run cannot be started again")):
            return
        if job.kind == "train":
            self._context.project.set_run(self._context.run_controller.train_again(RunFolder(rows[0].path), job))
            self._context.show_page("unlearn")
        else:
            self._reopening.open(RunFolder(rows[0].path), job, self._set_up)

    def start_later(self) -> None:
        """Open the model that the chosen run made, to forget more with it; what it forgot stays forgotten."""
        rows = self._page.chosen()
        if why_no_later(rows):
            return
        if job := self._job_of(rows[0], "No later request can start from this run"):
            self._context.show_page("project")
            then = partial(self._context.show_page, "forget")
            self._reopening.open_result(RunFolder(rows[0].path), job, then)

    def show_batches(self) -> None:
        """Show the results of batch files, side by side on the Verify page."""
        self._context.project.show_batch()
        self._context.show_page("verify")

    def delete_chosen(self) -> None:
        """Move the chosen runs to the trash, after asking."""
        rows = self._page.chosen()
        if rows and not self._why_no_delete(rows):
            ask_delete(self._context, [RunFolder(row.path) for row in rows], self._page.window())

    def _job_of(self, row: RunRow, refused: str) -> Job | None:
        try:
            return RunFolder(row.path).job()
        except AppError as error:
            self._context.notifications.error(error, refused)
            return None

    def _choose_folder(self) -> None:
        ask_to_open(self._context, self._page.window(), "run")

    def _set_up(self, job: Job) -> None:
        self._context.show_page("unlearn")
        self._context.run_controller.setup_wanted.emit(job)

    # ---- what is shown

    def _entered(self) -> None:
        self._context.run_library.refresh()
        self._watch.start()
        self._show_live()

    def _left(self) -> None:
        self._watch.stop()
        self._live.stop()

    def _rows_changed(self) -> None:
        self._page.set_rows(self._context.run_library.rows)
        self._show_part()
        self._show_live()
        self._update()

    def _queue_changed(self) -> None:
        self._page.queue.set_runs(self._context.run_controller.queue)
        self._show_part()
        self._update()

    def _show_part(self) -> None:
        """All runs, or what will be here."""
        there = self._context.run_library.rows or self._context.run_controller.queue
        self._page.stack.setCurrentIndex(1 if there else 0)

    def _show_live(self) -> None:
        current = self._context.run_controller.current
        live = current if current is not None and current.makes_model else None
        self._page.model.set_live(live)
        if live is not None and self._page.isVisible():
            self._live.start()
        else:
            self._live.stop()

    def _started(self, _run: object) -> None:
        self._show_live()
        self._update()

    def _run_ended(self, _run: object) -> None:
        self._page.model.set_live(None)
        self._update()

    def _reasons(self, rows: list[RunRow]) -> dict[str, str]:
        """Return why each command cannot be used on these runs; "" where it can."""
        return {
            "open": why_no_open(rows), "resume": why_no_resume(rows), "compare": why_no_compare(rows),
            "check": why_no_check(rows), "later": why_no_later(rows), "duplicate": why_no_duplicate(rows),
            "delete": self._why_no_delete(rows),
        }  # fmt: skip

    def _update(self, *_: object) -> None:
        rows = self._page.chosen()
        reasons = self._reasons(rows)
        for command, why in reasons.items():
            self._page.show_reason(command, why, {"later": LATER, "check": CHECK}.get(command, ""))
        self._page.resume_button.setVisible(not reasons["resume"])
        self._page.check_button.setVisible(len(rows) > 1)
        self._page.set_missing((why_unreadable(rows[0]) if len(rows) == 1 else "") if rows else "Choose a run.")
        self._context.actions.refresh()

    def _menu(self, position: QPoint) -> None:
        reasons = self._reasons(self._page.chosen())
        titles = {
            "open": "Open", "resume": "Resume", "compare": "Compare", "check": "Check all",
            "later": "Start a later request from here", "duplicate": "Start again…", "delete": "Delete…",
        }  # fmt: skip
        self._page.show_menu(position, [(title, command, reasons[command]) for command, title in titles.items()])

    def _why_no_later_now(self) -> str:
        return why_no_later(self._page.chosen()) if self._page.isVisible() else "Choose a run on the Runs page."

    def _why_no_delete(self, rows: list[RunRow]) -> str:
        controller = self._context.run_controller
        held = {run.path for run in (controller.current, *controller.queue) if run is not None}
        return why_no_delete(rows, held)


def _titles() -> dict[str, str]:
    from core.methods import METHODS

    return {method.id: method.title for method in METHODS.values()}


# ---- why a command cannot be used on the chosen runs; "" where it can ------------------------------------------------

CHOOSE_ONE = "Choose one run."
WHY_UNREADABLE = {
    NEWER: "This run was written by a newer version. Update Unlearn Studio to open it.",
    DELETING: "This run is being deleted.",
}


def why_unreadable(row: RunRow) -> str:
    """Why nothing can be done with a run but deleting it."""
    return "" if row.readable else WHY_UNREADABLE.get(row.state, "This run cannot be read.")


def why_no_open(rows: Sequence[RunRow]) -> str:
    """Why no run can be opened."""
    if len(rows) != 1:
        return CHOOSE_ONE
    return why_unreadable(rows[0])


def why_no_resume(rows: Sequence[RunRow]) -> str:
    """Why no run can go on."""
    if len(rows) != 1:
        return CHOOSE_ONE
    return "" if rows[0].state == State.INTERRUPTED.value else "Only an interrupted run can be resumed."


def why_no_compare(rows: Sequence[RunRow]) -> str:
    """Why runs cannot be held side by side."""
    if len(rows) < 2:
        return "Choose two or more runs."
    return "" if all(row.has_report for row in rows) else "Only finished runs that forget can be compared."


def why_no_check(rows: Sequence[RunRow]) -> str:
    """Why runs cannot be checked together."""
    if why := why_no_compare(rows):
        return why
    if len({row.forget_set for row in rows}) > 1:
        return "Only runs that forget the same images share retrained models."
    return "" if all(row.has_list for row in rows) else "The forget list of one of these runs was removed."


def why_no_duplicate(rows: Sequence[RunRow]) -> str:
    """Why no run can be started again."""
    if len(rows) != 1:
        return CHOOSE_ONE
    if not rows[0].readable:
        return why_unreadable(rows[0])
    return ""


def why_no_later(rows: Sequence[RunRow]) -> str:
    """Why no later request can start from a run's result."""
    if len(rows) != 1:
        return CHOOSE_ONE
    if not rows[0].readable:
        return why_unreadable(rows[0])
    if rows[0].kind != "unlearn":
        return "This run trained a model and forgot nothing. Open its model on Project."
    if not rows[0].has_report:
        return "A later request starts from a run that ended with a model."
    if not rows[0].has_model:
        return "The model of this run is gone."
    if not rows[0].has_list:
        return "The forget list of this run was removed, so nobody knows which images must not come back."
    return ""


def why_no_delete(rows: Sequence[RunRow], held: Collection[Path]) -> str:
    """Why runs cannot be deleted; `held` are the folders of runs that go or wait here."""
    if not rows:
        return "Choose a run."
    if any(row.state == DELETING for row in rows):
        return "This run is being deleted." if len(rows) == 1 else "One of these runs is being deleted."
    active = {state.value for state in ACTIVE}
    busy = any(row.state in active or not row.state or row.path in held for row in rows)
    return "Stop the run first." if busy else ""
