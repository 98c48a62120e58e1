"""Questions about runs at the end of the program and at its start: one that goes, was cut off, or was waiting."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from app.dialogs.sheet import Choice, ConfirmDialog, Dialog, ask
from app.dialogs.trust import with_trusted_code
from app.services import format as fmt
from app.services import run_words as words
from app.services import tokens as t
from app.services.commands import resume
from app.services.faults import EXIT_STOPPED
from app.services.theme import theme
from app.services.translation import tr
from app.widgets.buttons import DestructiveButton
from app.widgets.labels import Label, announce
from app.widgets.layout import STRETCH, column, row
from app.widgets.notices import ProgressLine
from core.events import ACTIVE, State
from core.runs.folder import RunFolder
from core.runs.waiting import Left, Waiting, claimed, drop_waiting, left_waiting

if TYPE_CHECKING:
    from app.context import AppContext
    from app.services.run_library import RunRow
    from app.workers.live_run import LiveRun
    from app.workers.run_controller import Quit
log = logging.getLogger(__name__)

PATIENCE_MS = 3000  # before "Quit anyway" is offered


class RunCloseGuard(QObject):
    """Stands between the window and its end (`window.guard`). Never terminates a thread."""

    def __init__(self, context: AppContext, window: QWidget, leave: Callable[[int], object] = os._exit) -> None:
        super().__init__(window)
        self._context, self._controller, self._window, self._leave = context, context.run_controller, window, leave
        self._asking: ConfirmDialog | None = None
        self._stopping: StoppingDialog | None = None
        self._closing = False
        self._controller.run_ended.connect(self._ended)

    def may_close(self) -> bool:
        """True where no run is going; else ask, and close later."""
        run = self._controller.current
        if run is not None and self._closing:
            self._show_stopping(run)
        elif run is not None and self._asking is None:
            self._ask(run)
        return run is None

    def leave(self) -> bool:
        """The session ends: what goes is left to be gone on with, or begun anew. True where nothing is going."""
        run = self._controller.current
        if run is not None:
            self._end(run, "leave")
        return run is None

    # ---- parts

    def _ask(self, run: LiveRun) -> None:
        stop = tr("Stop, save and quit") if run.makes_model else tr("Stop and quit")
        choices, details = [Choice("keep", tr("Keep running"))], []
        if run.goes_on:
            choices.append(Choice("go on", tr("Quit, work goes on"), act=partial(self._end, run, "go on")))
            details.append(words.without_window(run))
        choices.append(Choice("stop", stop, act=partial(self._end, run, "stop")))
        if run.makes_model:
            choices.append(Choice("discard", tr("Discard and quit"), True, partial(self._end, run, "discard")))
            details.append(words.on_disk(run))
        waiting = len(self._controller.queue)
        if waiting and run.goes_on:
            said = tr("%n runs wait behind it: they go on with it or are offered at the next start.", n=waiting)
            details.append(said)
        elif waiting:
            details.append(tr("%n runs wait behind it and will be offered at the next start.", n=waiting))
        self._asking = ask(self._window, words.close_question(run), choices, "\n".join(details))
        self._asking.finished.connect(self._answered)

    def _answered(self) -> None:
        self._asking = None

    def _end(self, run: LiveRun, how: Quit) -> None:
        self._closing, self._asking = True, None
        if run is not self._controller.current:  # it ended while the question stood there
            self._window.close()
            return
        self._controller.quit(how)
        self._show_stopping(run)

    def _show_stopping(self, run: LiveRun) -> None:
        if self._stopping is None:
            self._stopping = StoppingDialog(self._window, self._quit_anyway)
            self._controller.state_changed.connect(self._stopping.show_run)
            self._stopping.open()
        self._stopping.show_run(run)

    def _ended(self) -> None:
        if self._asking is not None:
            self._asking.reject()  # nothing is left to decide: the question goes, the window stays
        if self._closing:
            if self._stopping is not None:
                self._stopping.accept()
                self._stopping = None
            # After whoever else listens has heard that the run is over.
            QTimer.singleShot(0, self, self._window.close)

    def _quit_anyway(self) -> None:
        log.warning("left while a run was still stopping; it can be resumed from its last checkpoint")
        self._context.window_state.sync()
        self._controller.abandon()
        # Everything recorded is on disk. A thread cannot be ended from outside without the risk of a broken lock, so
        # the process goes as a whole.
        self._leave(EXIT_STOPPED)


class StoppingDialog(Dialog):
    """What the run still finishes, and after a while the way out."""

    def __init__(self, parent: QWidget, quit_anyway: Callable[[], object]) -> None:
        super().__init__(QGuiApplication.applicationDisplayName(), parent)
        self.setModal(True)
        self.text = Label("", "section", wrap=True)
        self.text.setFixedWidth(theme.px(440))
        self.text.setMinimumHeight(2 * self.text.fontMetrics().lineSpacing())  # whatever it will say
        self.text.setAlignment(Qt.AlignmentFlag.AlignTop)
        progress = ProgressLine(tr("Stopping"))
        progress.set(0, 0)
        self.quit = DestructiveButton(tr("Quit anyway"), quit_anyway)
        self.quit.setToolTip(tr("What was recorded is on disk; the run can be resumed from its last checkpoint."))
        self.quit.setEnabled(False)
        column(self.text, progress, row(STRETCH, self.quit), on=self, margins=t.XL, spacing=t.M)
        patience = QTimer(self, singleShot=True)
        patience.timeout.connect(partial(self.quit.setEnabled, True))
        patience.start(PATIENCE_MS)

    def show_run(self, run: LiveRun) -> None:
        """Say what is being finished."""
        text = words.headline(run)
        if text != self.text.text():
            self.text.setText(text)
            announce(self, text)

    def reject(self) -> None:
        """Neither Esc nor closing it takes anything back: it goes when the run is over."""


KEPT = "kept interrupted run"
MOST_ASKED = 5  # more than that is a list to look at, not a series of questions
_NAMED = 3


class RunsLeft(QObject):
    """Asks at the start about each run that was interrupted, newest first, then once about those that waited, and once
    about those that wait for work that goes on without a window.
    """  # noqa: D205

    def __init__(self, context: AppContext, window: QWidget) -> None:
        super().__init__(window)
        self._context, self._window = context, window
        self._rows: tuple[RunRow, ...] = ()
        self._interrupted: deque[RunRow] = deque()
        self._left = Left()
        self.dialog: ConfirmDialog | None = None

    def offer(self, rows: tuple[RunRow, ...]) -> None:
        """Ask about those among these runs that were interrupted and not asked about before; say which go on."""
        self._rows = rows
        self._context.jobs.submit(left_waiting, key="left runs").then(self._ask_about, self._not_read)

    def _not_read(self, error: BaseException) -> None:
        """Ask about interrupted runs alone."""
        self._context.notifications.error(error, tr("What waited cannot be read"))
        self._ask_about(Left())

    def _ask_about(self, left: Left) -> None:
        kept, self._left = set(self._context.window_state.recent(KEPT)), left
        if going := [row.id for row in self._rows if row.state in ACTIVE or row.path in left.going]:
            said = tr("%n runs go on in other processes: {runs}. Runs shows them.", n=len(going), runs=fmt.some(going))
            self._context.notifications.info(said)
        elsewhere = left.going | {one.folder for one in (*left.waiting, *left.behind) if one.resume}
        found = [
            row for row in self._rows
            if row.state == State.INTERRUPTED.value and str(row.path) not in kept and row.path not in elsewhere
        ]  # fmt: skip
        self._interrupted.extend(found[:MOST_ASKED])
        if left.aside:
            self._context.notifications.caution(
                tr("%n entries of the queue cannot be read.", n=len(left.aside)),
                tr("Such entries are kept in {folder}.", folder=left.aside[0].parent),
            )
        if self.dialog is None:
            self._next()

    def _next(self) -> None:
        self.dialog = None
        if not self._interrupted:
            self._ask_waiting()
            return
        from app.pages.runs.run_actions import delete

        run = self._interrupted.popleft()
        folder = RunFolder(run.path)
        what = tr("Training, {name}", name=run.id)
        if run.kind == "unlearn":
            what = tr("{method}, {forget}, seed {seed}", method=run.method, forget=run.forget_text, seed=run.seed)
        keep = partial(self._context.window_state.add_recent, KEPT, str(run.path))
        choices = [
            Choice("keep", tr("Keep as it is"), act=keep),
            Choice("resume", tr("Resume"), act=partial(resume, self._context, folder, self._window)),
            Choice("delete", tr("Delete"), True, partial(delete, self._context, [folder], self._window)),
        ]
        self.dialog = ask(self._window, run.error or words.interrupted(run.step), choices, f"{what}\n{run.path}")
        self.dialog.finished.connect(self._next)

    def _ask_waiting(self) -> None:
        """Ask about what waited, then about what waits behind work that goes on."""
        self.dialog = None
        found, self._left = self._left.waiting, self._left._replace(waiting=())
        question, later = tr("Start what was waiting when the program ended?"), tr("Ask again next time")
        start = tr("Start")
        if not found:
            found, self._left = self._left.behind, Left()
            question = tr("%n runs wait behind work that goes on without a window.", n=len(found))
            later, start = tr("Let them wait there"), tr("Take them over")
        if not found:
            return
        lines = [words_of(one) for one in found[:_NAMED]]
        if len(found) > _NAMED:
            lines.append(tr("and %n more", n=len(found) - _NAMED))
        choices = [
            Choice("later", later, act=self._ask_waiting), Choice("start", start, act=partial(self._start, found)),
            Choice("drop", tr("Remove"), True, partial(self._drop, found)),
        ]  # fmt: skip
        self.dialog = ask(self._window, question, choices, "\n".join(lines))

    def _drop(self, found: tuple[Waiting, ...]) -> None:
        self._context.jobs.submit(drop, found)
        self._ask_waiting()

    def _start(self, found: tuple[Waiting, ...]) -> None:
        """Start all, once the program code that networks of theirs are made by may run."""
        trust = self._context.trust
        files = [file for one in found
                 for file in trust.asked(one.job, one.check.brought.values() if one.check else ())]  # fmt: skip
        with_trusted_code(trust, files, self._window, partial(self._begin, found))

    def _begin(self, found: tuple[Waiting, ...]) -> None:
        resumed = [one for one in found if one.resume]
        if resumed:
            self._context.jobs.submit(claimed, resumed).done.connect(self._resume)
        runs = [self._context.run_controller.start_waiting(one) for one in found if not one.resume]
        made = [run for run in runs if run.makes_model]
        if made:
            self._context.project.set_run(made[0])
        self._context.show_page("unlearn" if made or resumed else "runs")
        self._ask_waiting()

    def _resume(self, taken: tuple[Waiting, ...]) -> None:
        """Go on with interrupted runs that no other process was quicker with."""
        for one in taken:
            resume(self._context, RunFolder(one.folder), self._window)


def words_of(one: Waiting) -> str:
    """Name what waits in a few words."""
    seed = one.job.seed
    if one.job.kind == "train":
        return tr("training of {network}, seed {seed}", network=one.job.model.architecture, seed=seed)
    run = words.describe_run(one.job)
    if one.check is not None:
        return tr("check of {run}, seed {seed}", run=run, seed=seed)
    return tr("{run}, seed {seed}", run=run, seed=seed)


def drop(found: tuple[Waiting, ...]) -> None:
    """Remove what was left; runs in a worker."""
    for one in found:
        drop_waiting(one.entry)
