"""Questions about runs at the end of the program and at its start: one that goes, was cut off, or was waiting."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QElapsedTimer, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from app.dialogs.sheet import Choice, ConfirmDialog, Dialog, ask
from app.dialogs.trust import with_trusted_code
from app.services import format as fmt
from app.services import run_words as words
from app.services import tokens as t
from app.services.accessibility import announce
from app.services.commands import resume
from app.services.faults import EXIT_STOPPED
from app.services.run_words import describe_run
from app.services.theme import theme
from app.widgets.buttons import DestructiveButton
from app.widgets.labels import Label
from app.widgets.notices import ProgressLine
from core.events import State
from core.runs.folder import RunFolder

if TYPE_CHECKING:
    from app.context import AppContext
    from app.services.queue_files import Waiting
    from app.services.run_library import RunRow
    from app.workers.live_run import LiveRun

log = logging.getLogger(__name__)

PATIENCE_MS = 3000  # before "Quit anyway" is offered
KEEP, STOP, DISCARD = "keep", "stop", "discard"


class RunCloseGuard(QObject):
    """Stands between the window and its end (`window.guard`). Never terminates a thread."""

    def __init__(self, context: AppContext, window: QWidget, leave: Callable[[], object] | None = None) -> None:
        super().__init__(window)
        self._context, self._window = context, window
        self._leave = leave or _leave
        self._asking: QDialog | None = None
        self._stopping: StoppingDialog | None = None
        self._closing = False
        context.run_controller.run_ended.connect(self._ended)

    def may_close(self) -> bool:
        """True where no run is going; else ask, and close later."""
        run = self._context.run_controller.current
        if run is None:
            return True
        if self._closing:
            self._show_stopping(run)
        elif self._asking is None:
            self._ask(run)
        return False

    def stop_and_save(self) -> bool:
        """The session ends: stop and keep without asking. True where no run is going."""
        run = self._context.run_controller.current
        if run is None:
            return True
        self._end(run, STOP)
        return False

    # ---- parts

    def _ask(self, run: LiveRun) -> None:
        if not run.makes_model:
            choices = [Choice(KEEP, "Keep running"), Choice(STOP, "Stop and quit")]
        else:
            choices = [
                Choice(KEEP, "Keep running"), Choice(STOP, "Stop, save and quit"),
                Choice(DISCARD, "Discard and quit", destructive=True),
            ]  # fmt: skip
        details = [] if not run.makes_model else [words.on_disk(run)]
        waiting = len(self._context.run_controller.queue)
        if waiting:
            behind = fmt.plural(waiting, "run waits", "runs wait")
            details.append(f"{behind} behind it and will be offered at the next start.")
        self._asking = ask(
            self._window, words.close_question(run), choices, lambda answer: self._answered(run, answer),
            " ".join(details),
        )  # fmt: skip

    def _answered(self, run: LiveRun, answer: str) -> None:
        self._asking = None
        if answer == KEEP:
            return
        if run is not self._context.run_controller.current:  # it ended while the question stood there
            self._close()
        else:
            self._end(run, answer)

    def _end(self, run: LiveRun, how: str) -> None:
        self._closing = True
        controller = self._context.run_controller
        controller.hold()
        if how == DISCARD:
            controller.discard()
        else:
            controller.stop()
        self._show_stopping(run)

    def _show_stopping(self, run: LiveRun) -> None:
        if self._stopping is None:
            self._stopping = StoppingDialog(self._window, self._quit_anyway)
            self._context.run_controller.state_changed.connect(self._stopping.show_run)
            self._stopping.open()
        self._stopping.show_run(run)

    def _ended(self, run: LiveRun) -> None:
        if self._asking is not None:
            # Nothing is left to decide: the question goes, the window stays.
            self._asking.reject()
        if self._closing:
            if self._stopping is not None:
                self._stopping.finish()
                self._stopping = None
            # After whoever else listens has heard that the run is over.
            QTimer.singleShot(0, self, self._close)

    def _close(self) -> None:
        self._closing = True
        self._window.close()

    def _quit_anyway(self) -> None:
        log.warning("left while a run was still stopping; it can be resumed from its last checkpoint")
        self._context.window_state.sync()
        self._leave()


class StoppingDialog(Dialog):
    """What the run still finishes, for how long already, and after a while the way out."""

    def __init__(self, parent: QWidget, quit_anyway: Callable[[], object]) -> None:
        super().__init__("Unlearn Studio", parent)
        self.setModal(True)
        self._may_close = False
        self._quit_anyway = quit_anyway
        column = QVBoxLayout(self)
        margin = theme.px(t.XL)
        column.setContentsMargins(margin, margin, margin, margin)
        column.setSpacing(theme.px(t.M))
        self.text = Label("", "section", wrap=True)
        self.text.setFixedWidth(theme.px(440))
        self.text.setMinimumHeight(2 * self.text.fontMetrics().lineSpacing())  # whatever it will say
        self.text.setAlignment(Qt.AlignmentFlag.AlignTop)
        column.addWidget(self.text)
        self.progress = ProgressLine("Stopping", with_text=False)
        self.progress.set(0, 0)
        column.addWidget(self.progress)
        row = QHBoxLayout()
        self.elapsed = Label("", "caption", "text-2")
        row.addWidget(self.elapsed, 1)
        self.quit = DestructiveButton("Quit anyway", self._quit)
        self.quit.setToolTip("What was recorded is on disk; the run can be resumed from its last checkpoint.")
        policy = self.quit.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.quit.setSizePolicy(policy)
        self.quit.hide()
        row.addWidget(self.quit)
        column.addLayout(row)
        self._clock = QElapsedTimer()
        self._clock.start()
        self._timer = QTimer(self)
        self._timer.setInterval(500)
        self._timer.timeout.connect(self._tick)
        self._timer.start()
        self._tick()

    def show_run(self, run: LiveRun) -> None:
        """Say what is being finished."""
        text = words.headline(run)
        if text != self.text.text():
            self.text.setText(text)
            announce(self, text)

    def finish(self) -> None:
        """The run is over."""
        self._may_close = True
        self._timer.stop()
        self.close()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() != Qt.Key.Key_Escape:  # there is nothing to take back any more
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._may_close:
            super().closeEvent(event)
        else:
            event.ignore()

    def _tick(self) -> None:
        seconds = self._clock.elapsed() / 1000
        self.elapsed.setText(f"{fmt.duration(seconds)} so far")
        if self._clock.elapsed() >= PATIENCE_MS:
            self.quit.show()

    def _quit(self) -> None:
        self._quit_anyway()


def _leave() -> None:
    # Everything recorded is on disk. A thread cannot be ended from outside without the risk of a broken lock, so the
    # process goes as a whole.
    os._exit(EXIT_STOPPED)


KEPT = "kept interrupted run"
MOST_ASKED = 5  # more than that is a list to look at, not a series of questions


class InterruptedRuns(QObject):
    """Asks about each interrupted run of the folder of runs, newest first, one question at a time."""

    answered = Signal()  # all of them, or there were none

    def __init__(self, context: AppContext, window: QWidget) -> None:
        super().__init__(window)
        self._context, self._window = context, window
        self._waiting: deque[RunRow] = deque()
        self.dialog: ConfirmDialog | None = None

    def offer(self, rows: tuple[RunRow, ...]) -> None:
        """Ask about those among these runs that were interrupted and not asked about before."""
        kept = set(self._context.window_state.recent(KEPT))
        found = [r for r in rows if r.state == State.INTERRUPTED.value and str(r.path) not in kept]
        self._waiting.extend(found[:MOST_ASKED])
        self._next()

    def _next(self) -> None:
        if self.dialog is not None:
            return
        if not self._waiting:
            self.answered.emit()
            return
        row = self._waiting.popleft()
        what = f"{row.method}, {row.forget_text}, seed {row.seed}" if row.kind == "unlearn" else f"training, {row.id}"
        self.dialog = ask(
            self._window, words.interrupted(row.step),
            [Choice("keep", "Keep as it is"), Choice("resume", "Resume"), Choice("delete", "Delete", destructive=True)],
            lambda answer: self._answered(row, answer), f"{what}. {row.path}",
        )  # fmt: skip

    def _answered(self, row: RunRow, answer: str) -> None:
        self.dialog = None
        folder = RunFolder(row.path)
        if answer == "resume":
            resume(self._context, folder, self._window)
        elif answer == "delete":
            from app.pages.runs.run_actions import delete

            delete(self._context, [folder], self._window)
        else:
            self._context.window_state.add_recent(KEPT, str(row.path))
        self._next()


_NAMED = 3


class WaitingRuns(QObject):
    """Reads what was left in a worker and asks once."""

    def __init__(self, context: AppContext, window: QWidget) -> None:
        super().__init__(window)
        self._context, self._window = context, window
        self.dialog: ConfirmDialog | None = None

    def look(self) -> None:
        """Ask where runs were left."""
        self._context.jobs.submit(left, key="left runs").done.connect(self._ask)

    def _ask(self, found: tuple[Waiting, ...]) -> None:
        if not found:
            return
        named = "; ".join(words_of(one) for one in found[:_NAMED])
        more = f"; and {fmt.count(len(found) - _NAMED)} more" if len(found) > _NAMED else ""
        was = "was" if len(found) == 1 else "were"
        choices = [Choice("later", "Ask again next time"), Choice("start", "Start"), Choice("drop", "Remove", True)]
        self.dialog = ask(
            self._window, f"{_counted(found)} {was} waiting when the app ended.", choices,
            lambda answer: self._answered(found, answer), f"{named}{more}.",
        )  # fmt: skip

    def _answered(self, found: tuple[Waiting, ...], answer: str) -> None:
        self.dialog = None
        if answer == "start":
            self._start(found)
        elif answer == "drop":
            self._context.jobs.submit(drop, found)


    def _start(self, found: tuple[Waiting, ...]) -> None:
        """Start all, once the program code that networks of theirs are made by may run."""
        trust = self._context.trust
        for one in found:
            brought = list(one.check.retrained.values()) if one.check is not None else []
            if trust.asked(one.job, brought):
                go_on = partial(self._start, found)
                with_trusted_code(trust, one.job, "Starting what waited", self._window, go_on, brought)
                return
        runs = [self._context.run_controller.start_waiting(one) for one in found]
        made = [run for run in runs if run.makes_model]
        if made:
            self._context.project.set_run(made[0])
        self._context.show_page("unlearn" if made else "runs")


def words_of(one: Waiting) -> str:
    """Name what waits in a few words."""
    if one.job.kind == "train":
        return f"training of {one.job.model.architecture}, seed {one.job.seed}"
    about = f"{describe_run(one.job)}, seed {one.job.seed}"
    return f"check of {about}" if one.check is not None else about


def _counted(found: tuple[Waiting, ...]) -> str:
    checks = sum(one.check is not None for one in found)
    runs = len(found) - checks
    parts = [fmt.plural(runs, "run")] if runs else []
    return " and ".join([*parts, fmt.plural(checks, "check")] if checks else parts)


def left() -> tuple[Waiting, ...]:
    """Return what was left; runs in a worker."""
    from app.services.queue_files import left_waiting

    return left_waiting()


def drop(found: tuple[Waiting, ...]) -> None:
    """Remove what was left; runs in a worker."""
    from app.services.queue_files import drop_waiting

    for one in found:
        drop_waiting(one.entry)
