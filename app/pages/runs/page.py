"""The Runs page: follows the list of runs and the queue, and carries out commands on the chosen runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QKeySequence

from app.dialogs.sheet import ask_to_open
from app.pages.runs.cards import QueueCard, RunsCard
from app.pages.runs.run_actions import Reopening, ask_delete
from app.services import tokens as t
from app.services.commands import resume
from app.services.run_library import DELETING, NEWER, RunRow
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.buttons import Button, DestructiveButton, PrimaryButton, SecondaryButton
from app.widgets.layout import column, stacked, widget_of
from app.widgets.notices import EmptyState
from app.widgets.page import Page
from core.errors import AppError
from core.events import ACTIVE
from core.job import Job
from core.runs.folder import RunFolder

if TYPE_CHECKING:
    from app.context import AppContext

EMPTY = mark("Runs you start or open are listed here, also those started from a terminal.")
LATER = mark(
    "Open the model this run made and forget more with it. What was forgotten before stays forgotten: those images are "
    "kept out of the retain set."
)
COMMANDS = {  # on the chosen runs: what the button and the menu say, and what it does
    "open": (mark("Open"), ""), "resume": (mark("Resume"), ""),
    "compare": (mark("Compare"), mark("Measures of two or more finished runs side by side, means over seeds")),
    "check": (mark("Check all"), mark("Compare the chosen runs with retrained models, which they share, and rank them "
                                      "in one table")),
    "later": (mark("Later request"), LATER),
    "duplicate": (mark("Start again…"), mark("Set up a new run with the same model, data, forget set and settings")),
    "delete": (mark("Delete…"), ""),
}  # fmt: skip
BUTTONS = ("resume", "compare", "check", "later", "duplicate", "open")  # at the right of the foot
WATCH_MS = 2000  # how often the folder is looked at while the page is in view: runs of a terminal appear by themselves
TITLES_MS = 100  # after rows came: they are drawn by then


class RunsPage(Page):
    """A table with commands for the chosen runs; the queue stands above it while anything waits.

    `asked` carries a key of `COMMANDS`.
    """

    asked = Signal(str)
    folder_asked = Signal()
    batches_asked = Signal()

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.queue, self.runs = QueueCard(), RunsCard(context.window_state)
        self.empty = EmptyState("runs", tr(EMPTY), tr("Open a run folder…"), self.folder_asked.emit)
        self.stack = stacked(self.empty, widget_of(column(self.queue, (self.runs, 1), spacing=t.M)))
        self.content.addWidget(self.stack, 1)
        self.buttons: dict[str, Button] = {}
        self.entries: dict[str, QAction] = {}  # of the table's menu
        for key, (title, _) in COMMANDS.items():
            kind = {"open": PrimaryButton, "delete": DestructiveButton}.get(key, SecondaryButton)
            self.buttons[key] = kind(tr(title), partial(self.asked.emit, key))
            self.entries[key] = QAction(tr(title), self.runs.table)
            self.entries[key].triggered.connect(self.buttons[key].click)
        self.entries["delete"].setShortcut(QKeySequence.StandardKey.Delete)
        self.entries["delete"].setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        self.runs.table.addActions(list(self.entries.values()))
        self.runs.table.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self.batch_button = SecondaryButton(tr("Batch results"), self.batches_asked.emit)
        self.batch_button.setToolTip(tr("Runs of batch files by method and forget set, means over seeds"))
        self.add_action(SecondaryButton(tr("Open a run folder…"), self.folder_asked.emit), start=True)
        self.add_action(self.batch_button, start=True)
        self.action_start.addSpacing(theme.px(t.L))
        self.add_action(self.buttons["delete"], start=True)
        for key in BUTTONS:
            self.add_action(self.buttons[key])
        self.presenter = RunsPresenter(context, self)

    def entered(self) -> None:
        self.presenter.watch(True)

    def left(self) -> None:
        self.presenter.watch(False)

    def show_reasons(self, reasons: dict[str, str]) -> None:
        """Say of each command why it cannot be used now; "": it can."""
        for key, why in reasons.items():
            tip = COMMANDS[key][1]
            self.entries[key].setEnabled(not why)
            self.buttons[key].setEnabled(not why)
            self.buttons[key].setToolTip(why or (tr(tip) if tip else ""))
            self.buttons[key].setAccessibleDescription(why)
        self.buttons["resume"].setVisible(not reasons["resume"])


class RunsPresenter(QObject):
    """Commands are functions of the chosen runs, each with a function that says why it cannot be used on them."""

    def __init__(self, context: AppContext, page: RunsPage) -> None:
        super().__init__(page)
        self._context, self._page = context, page
        self._reopening = Reopening(context, self)
        self._commands: dict[str, tuple[Callable[[list[RunRow]], object], Callable[[list[RunRow]], str]]] = {
            "open": (self._open, why_not_one), "resume": (self._resume, why_no_resume),
            "compare": (self._compare, why_no_compare), "check": (self._check, why_no_check),
            "later": (self._start_later, why_no_later), "duplicate": (self._duplicate, why_not_one),
            "delete": (self._delete, self._why_no_delete),
        }  # fmt: skip
        self._watch = QTimer(self, interval=WATCH_MS)
        self._watch.timeout.connect(context.run_library.refresh)
        page.asked.connect(self._asked)
        page.runs.activated.connect(self.open_run)
        page.runs.chosen_changed.connect(self._update)
        page.folder_asked.connect(lambda: ask_to_open(context, page.window(), "run"))
        page.batches_asked.connect(self._show_batches)
        context.run_library.changed.connect(self._rows_changed)
        controller = context.run_controller
        controller.queue_changed.connect(self._queue_changed)
        controller.turned.connect(self._update)
        page.queue.moved.connect(controller.move)
        page.queue.removed.connect(controller.remove)
        self._naming = QTimer(self, interval=TITLES_MS, singleShot=True)
        self._naming.timeout.connect(self._ask_titles)
        if context.run_library.rows:
            self._naming.start()
        else:
            context.run_library.changed.connect(self._naming.start, Qt.ConnectionType.SingleShotConnection)
        self._rows_changed()
        self._queue_changed()

    def _asked(self, key: str) -> None:
        act, why_not = self._commands[key]
        rows = self._page.runs.chosen()
        if not why_not(rows):
            act(rows)

    # ---- commands

    def open_run(self, row: RunRow) -> None:
        """Bring a run into view, live or as it ended; the one under way here is shown as it is."""
        if row.state == DELETING:
            return
        controller = self._context.run_controller
        here = next((run for run in (controller.current, *controller.queue) if run and run.path == row.path), None)
        if here is not None:
            self._context.project.set_run(here)
            self._context.show_page("unlearn")
        else:
            self._context.opening.open_run(row.path)

    def _open(self, rows: list[RunRow]) -> None:
        self.open_run(rows[0])

    def _resume(self, rows: list[RunRow]) -> None:
        resume(self._context, RunFolder(rows[0].path), self._page.window())

    def _compare(self, rows: list[RunRow]) -> None:
        """Hold runs side by side on the Verify page."""
        rows = sorted(rows, key=lambda row: (row.method, row.seed or 0))
        self._context.project.set_compared(tuple(RunFolder(row.path) for row in rows))
        self._context.show_page("verify")

    def _check(self, rows: list[RunRow]) -> None:
        self._compare(rows)
        self._context.actions.trigger("verify.check_all")

    def _duplicate(self, rows: list[RunRow]) -> None:
        """Set up a new run with the settings of one."""
        folder = RunFolder(rows[0].path)
        if not (job := self._job_of(folder, tr("The run cannot be started again"))):
            return
        if job.kind == "train":
            self._context.project.set_run(self._context.run_controller.train_again(folder, job))
            self._context.show_page("unlearn")
        else:
            self._reopening.open(folder, job, partial(self._set_up, job))

    def _set_up(self, job: Job) -> None:
        self._context.show_page("unlearn")
        self._context.run_controller.setup_wanted.emit(job)

    def _start_later(self, rows: list[RunRow]) -> None:
        """Open the model that a run made, to forget more with it; what it forgot stays forgotten."""
        folder = RunFolder(rows[0].path)
        if job := self._job_of(folder, tr("No later request can start from this run")):
            self._context.show_page("project")
            self._reopening.open_result(folder, job, partial(self._context.show_page, "forget"))

    def _delete(self, rows: list[RunRow]) -> None:
        ask_delete(self._context, [RunFolder(row.path) for row in rows], self._page.window())

    def _show_batches(self) -> None:
        self._context.project.show_batch()
        self._context.show_page("verify")

    def _job_of(self, folder: RunFolder, refused: str) -> Job | None:
        try:
            return folder.job()
        except AppError as error:
            self._context.notifications.error(error, refused)
            return None

    # ---- what is shown

    def watch(self, seen: bool) -> None:
        """Look at the folder every now and then, and at the run under way, as long as the page is seen."""
        if seen == self._watch.isActive():
            return
        told = self._context.run_controller.state_changed
        if seen:
            self._context.run_library.refresh()
            self._watch.start()
            told.connect(self._show_live)
            self._show_live()
        else:
            self._watch.stop()
            told.disconnect(self._show_live)

    def _rows_changed(self) -> None:
        self._page.runs.set_rows(self._context.run_library.rows)
        self._update()

    def _ask_titles(self) -> None:
        """Have methods named: it loads PyTorch, beside which reading and drawing the rows takes thrice as long."""
        self._context.jobs.submit(_titles).done.connect(self._page.runs.model.set_titles)

    def _queue_changed(self) -> None:
        self._page.queue.set_runs(self._context.run_controller.queue)
        self._update()

    def _show_live(self) -> None:
        current = self._context.run_controller.current
        self._page.runs.model.set_live(current if current is not None and current.makes_model else None)

    def _update(self) -> None:
        rows, page = self._page.runs.chosen(), self._page
        page.stack.setCurrentIndex(bool(self._context.run_library.rows or self._context.run_controller.queue))
        page.show_reasons({key: why_not(rows) for key, (_, why_not) in self._commands.items()})
        page.buttons["check"].setVisible(len(rows) > 1)
        page.set_missing((why_not_one(rows) if len(rows) == 1 else "") if rows else tr("Choose a run."))

    def _why_no_delete(self, rows: Sequence[RunRow]) -> str:
        controller = self._context.run_controller
        held = {run.path for run in (controller.current, *controller.queue) if run is not None}
        if not rows:
            return tr("Choose a run.")
        if any(row.state == DELETING for row in rows):
            return tr("This run is being deleted.") if len(rows) == 1 else tr("One of these runs is being deleted.")
        busy = any(row.state in ("", *ACTIVE) or row.path in held for row in rows)
        return tr("Stop the run first.") if busy else ""


def _titles() -> dict[tuple[str, str], str]:
    from core.methods import methods

    known = methods().values()
    presets = {(method.id, preset.name): preset.title for method in known for preset in method.presets}
    return presets | {(method.id, ""): method.title for method in known}


# ---- why a command cannot be used on the chosen runs; "" where it can ------------------------------------------------


def why_not_one(rows: Sequence[RunRow]) -> str:
    """Why nothing can be done with what is chosen but deleting it: it is not one run that can be read."""
    if len(rows) != 1:
        return tr("Choose one run.")
    if rows[0].readable:
        return ""
    if rows[0].state == DELETING:
        return tr("This run is being deleted.")
    if rows[0].state == NEWER:
        return tr("This run was written by a newer version. Update Unlearn Studio to open it.")
    return tr("This run cannot be read.")


def why_no_resume(rows: Sequence[RunRow]) -> str:
    """Why no run can go on."""
    if len(rows) == 1 and rows[0].resumable:
        return ""
    return why_not_one(rows) or tr("Only a run that was interrupted or failed can be resumed.")


def why_no_compare(rows: Sequence[RunRow]) -> str:
    """Why runs cannot be held side by side."""
    if len(rows) < 2:
        return tr("Choose two or more runs.")
    return "" if all(row.has_report for row in rows) else tr("Only finished runs that forget can be compared.")


def why_no_check(rows: Sequence[RunRow]) -> str:
    """Why runs cannot be checked together."""
    if why := why_no_compare(rows):
        return why
    if len({row.forget_set for row in rows}) > 1:
        return tr("Only runs that forget the same images share retrained models.")
    return "" if all(row.has_list for row in rows) else tr("The forget list of one of these runs was removed.")


def why_no_later(rows: Sequence[RunRow]) -> str:
    """Why no later request can start from a run's result."""
    if why := why_not_one(rows):
        return why
    if rows[0].kind != "unlearn":
        return tr("This run trained a model and forgot nothing. Open its model on Project.")
    if not rows[0].has_report:
        return tr("A later request starts from a run that ended with a model.")
    if not rows[0].has_model:
        return tr("The model of this run is gone.")
    return "" if rows[0].has_list else tr(
        "The forget list of this run was removed, so nobody knows which images must not come back."
    )
