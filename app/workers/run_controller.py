"""Runs jobs one after the other: the queue, the thread of the run under way, and what the user asks of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import shiboken6
from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QWidget

from app.services.translation import tr
from app.services.trust import TrustedFiles
from app.workers.jobs import Executor
from app.workers.live_run import LiveRun, Work
from app.workers.mailbox import Mailbox, RunThread
from app.workers.queue_files import Files, QueueStore
from core.engine.control import Control
from core.errors import AppError, InputError, NotFoundError
from core.events import Emit, State
from core.files import read_bytes
from core.job import Job, Launcher
from core.runs.asked import ask
from core.runs.folder import FORGET, RunFolder
from core.runs.waiting import Check, Waiting, begin_waiting, free_place

if TYPE_CHECKING:
    from app.workers.search_work import SearchWork
    from core.selection import Selection
    from core.session.bench import Bench

TELL_MS = 100
FIRST = -1.0  # a place in the queue
HAND_OVER_SECONDS = 5.0  # at least, for what goes on without the window
Quit = Literal["stop", "discard", "leave", "go on"]
PERIOD_MS, HIDDEN_MS = 33, 1000  # between two looks into the mailbox; while the window is hidden


class RunController(Executor):
    """At most one run is under way; others wait in the order shown. All signals come in the window's thread.

    What the mailbox holds is handed over at once a period and only kept; how often it is drawn is up to DrawTurns.
    """

    run_started = Signal(object)  # LiveRun
    run_ended = Signal(object)  # LiveRun
    state_changed = Signal(object)  # LiveRun: a new state at once, new numbers ten times a second
    turned = Signal(object)  # LiveRun: a new state or another wish of the user's, whatever its numbers
    queue_changed = Signal()
    events = Signal(object)  # list[Event] of the current run, in order
    setup_wanted = Signal(object)  # Job: its settings are to be shown, to start it again
    start_wanted = Signal()  # Ctrl+Return: whoever has a set-up in view starts it

    def __init__(
        self, runs_folder: Callable[[], Path], parent: QObject | None = None, trust: TrustedFiles | None = None
    ) -> None:
        """`trust`: what the user allowed to run program code; looked at when a run is put in."""
        super().__init__("a run or the queue on disk", parent)
        self._trust = trust or TrustedFiles()
        self._runs_folder = runs_folder
        self._store = QueueStore()
        self._queue: list[LiveRun] = []
        self._current: LiveRun | None = None
        self._thread: RunThread | None = None
        self._mailbox = Mailbox()
        self.window: QWidget | None = None  # while it is hidden, what is new is handed over once a second only
        self._looking = QTimer(self)
        self._looking.timeout.connect(self._look)
        self._telling = QTimer(self)  # numbers change many times a second: they are told ten times
        self._telling.setInterval(TELL_MS)
        self._telling.timeout.connect(self._tell)
        self._held = False  # while closing: nothing further starts
        self._behind = False  # a process goes on with the queue once the program is closed
        self._cut_off = False  # the check under way was told to end because the program closes
        self._after: Path | None = None  # the run in a process of its own that it waits for

    # -- what there is ---------------------------------------------------------------------------------------------

    @property
    def current(self) -> LiveRun | None:
        """The run under way; None between runs."""
        return self._current

    @property
    def queue(self) -> list[LiveRun]:
        """The runs that wait, next one first."""
        return list(self._queue)

    @property
    def busy(self) -> bool:
        """Whether a run is under way or waits."""
        return self._current is not None or bool(self._queue)

    @property
    def period(self) -> int:
        """Milliseconds between two looks into the mailbox."""
        return self._looking.interval()

    # -- starting --------------------------------------------------------------------------------------------------

    def start(
        self, job: Job, bench: Bench, selection: Selection, folder: Path | None = None, tries: Path | None = None
    ) -> LiveRun:
        """Start an unlearning job, or let it wait for the run under way. Its folder is written by the worker.

        `tries`: the file of the search that gave the job its settings; it goes into the folder.
        """
        live = LiveRun(self._place(folder, f"{job.method}-s{job.seed}"), "unlearn", job=job)
        live.inputs = (bench, selection)

        def files(job: Job) -> dict[str, bytes]:
            from core.session.jobs import run_files

            return run_files(job, selection, bench.dataset, tries)

        def make() -> None:
            RunFolder.create(live.path, job, files(job))

        self._add(live, self._work(live, bench, make, wanted=folder is not None))
        self._keep(live, lambda: job, files)
        return live

    def start_training(
        self, bench: Bench, architecture: str, *, exclude: Selection | None = None, **settings: Any
    ) -> LiveRun:
        """Train a model on the bench's data; `settings` are those of core.session.jobs.make_train_job."""
        place = self._place(None, f"train-{architecture}-s{settings.get('seed', 0)}")
        live = LiveRun(place, "train", title=tr("Training {network}", network=architecture))

        def job() -> Job:
            from core.session.jobs import make_train_job

            return make_train_job(bench, architecture, exclude=exclude, **settings)

        def files(job: Job) -> dict[str, bytes]:
            from core.session.jobs import run_files

            return run_files(job, exclude, bench.dataset)

        def make() -> None:
            made = job()
            RunFolder.create(live.path, made, files(made))

        self._add(live, self._work(live, bench, make))
        self._keep(live, job, files)
        return live

    def train_again(self, trained: RunFolder, job: Job) -> LiveRun:
        """Do a training anew, in a folder of its own; it opens its data, and what it leaves out, by itself."""
        network = job.model.architecture
        live = LiveRun(self._place(None, f"train-{network}-s{job.seed}"), "train", job=job,
                       title=tr("Training {network}", network=network))  # fmt: skip

        def files(job: Job) -> dict[str, bytes]:
            return {FORGET: read_bytes(trained.file(FORGET))} if job.forget.count else {}

        def make() -> None:
            RunFolder.create(live.path, job, files(job))

        live.chosen = False
        self._add(live, self._work(live, None, make))
        self._keep(live, lambda: job, files)
        return live

    def start_reference(self, folder: RunFolder, check: Check | None = None, bench: Bench | None = None) -> LiveRun:
        """Check a finished run anew, training the retrained references that are not on disk yet."""
        job = folder.job()
        live = LiveRun(folder, "check", job=job, check=check or Check())
        self._add(live, self._work(live, bench))
        self._keep(live, lambda: job)
        return live

    def start_search(self, work: SearchWork, title: str) -> LiveRun:
        """Search settings for a method; nothing of it is a run, and what was tried is in the work's hands."""
        work.place = self._place(None, "search")
        return self.start_work(work.place, "search", title, work)

    def start_waiting(self, waiting: Waiting) -> LiveRun:
        """Queue a run, training or check that waited when the program ended; it opens model and data by itself.

        Where a run begins it leaves the store by itself, once its folder is made.
        """
        check, path = waiting.check, waiting.folder
        folder = RunFolder(path if check is not None else self._free(path))
        live = LiveRun(folder, "check" if check is not None else waiting.job.kind, job=waiting.job, check=check)
        live.adopted, live.chosen = True, waiting.chosen
        moved, kept = self._store.adopt(live, waiting)

        def make() -> None:
            moved.result()
            begin_waiting(waiting, kept, live.folder)

        return self._add(live, self._work(live, None, make))

    def resume_run(self, run_again: LiveRun, bench: Bench | None = None) -> LiveRun:
        """Go on with an interrupted run, read from its folder for this, from its last checkpoint.

        Model and data are opened where `bench` is None. A run that goes or waits already is returned as it is there.
        """
        here = next((run for run in self._known() if run.makes_model and run.path == run_again.path), None)
        if here is not None:
            return here
        run_again.from_disk, run_again.state = False, State.QUEUED
        return self._add(run_again, self._work(run_again, bench, resume=True))

    def start_work(self, folder: RunFolder, kind: str, title: str, work: Work, job: Job | None = None) -> LiveRun:
        """Run any work that reports as a run does."""
        return self._add(LiveRun(folder, kind, job=job, title=title), work)

    # -- the queue -------------------------------------------------------------------------------------------------

    def move(self, run: LiveRun, by: int) -> None:
        """Let a waiting run start earlier (negative) or later."""
        if run not in self._queue:
            return
        place = self._queue.index(run)
        self._queue.insert(max(0, place + by), self._queue.pop(place))
        self._store.order(self._queue)
        self.queue_changed.emit()

    def remove(self, run: LiveRun) -> None:
        """Take a waiting run out of the queue; it has no run folder yet."""
        if run in self._queue:
            self._queue.remove(run)
            run.state, run.work = State.DISCARDED, None
            self._store.drop(run)
            self.queue_changed.emit()
            self._turned(run)

    def hold(self, held: bool = True) -> None:
        """Let nothing further start."""
        self._held = held
        if not held:
            self._next()

    # -- what the user asks ----------------------------------------------------------------------------------------

    def ask(self, action: str, run: LiveRun | None = None) -> bool:
        """Ask the run under way, or one that another process works on, for one of live_run.ACTIONS.

        False where its state does not allow that. Before "discard" the caller has asked the user.
        """
        run = run or self._current
        if run is None or not run.ask(action):
            return False
        self._turned(run)
        return True

    def end(self, run: LiveRun) -> None:
        """Stop a run where it goes, or take it out of the queue where it waits."""
        if run is self.current:
            self.ask("stop")
        else:
            self.remove(run)

    def quit(self, how: Quit) -> None:
        """Let nothing further start, and end what goes; the program closes once it is over.

        "stop" and "discard" are the user's actions. With "leave" the run goes on where it has a process of its own, or
        ends as one to be gone on with. So it does with "go on", and a process is left behind that goes on with it and
        with all that waits.
        """
        self.hold()
        run = self._current
        self._behind = how == "go on" or (how == "leave" and self._behind)
        if self._behind:
            for waiting in self._queue:
                self._keep_to_resume(waiting)
            self._store.order([*([run] if run is not None and run.check is not None else []), *self._queue])
        if run is None:
            return
        if how in ("stop", "discard"):
            self.ask(how, run)
        elif run.outlasts:
            if self._behind:
                self._unpause(run)
            run.control.part()
        elif run.makes_model:
            self.ask("leave", run)
        else:
            self._cut_off = self.ask("stop", run) or self._cut_off

    def abandon(self) -> None:
        """Hand over what is to go on although the run under way has not ended; the process is about to end as it is."""
        if self._behind and (run := self._current) is not None:
            self._hand_over(run)
            self._after = run.path  # until this process is gone
            self._store.close(HAND_OVER_SECONDS, self._leave_behind)

    def close(self) -> None:
        """Let nothing further start; what goes was told to end on the usual way out, and else is left."""
        run = self._current
        if run is None or run.control.ending or run.control.parting:
            self.hold()
        else:
            self.quit("leave")

    def wait(self, milliseconds: int) -> bool:
        """Wait for the run, and for the queue to be on disk; False where one of them did not end in time."""
        end = time.monotonic() + milliseconds / 1000
        if self._thread is not None:
            if not self._thread.wait(milliseconds):
                return False
            self._finish()
        seconds = max(HAND_OVER_SECONDS if self._behind else 0.0, end - time.monotonic())
        return self._store.close(seconds, self._leave_behind if self._behind else None)

    # -- parts -----------------------------------------------------------------------------------------------------

    def _work(
        self, live: LiveRun, bench: Bench | None, make: Callable[[], None] | None = None, *, resume: bool = False,
        wanted: bool = False,
    ) -> Work:  # fmt: skip
        """Return the work of a run or a check: its folder is made, then it goes; without a bench it opens all itself.

        Program code it may run is what the user has allowed by now. wanted: whether the user named the folder.
        """
        check, job = live.check, live.job
        trust = self._trust.of(job, check.brought.values() if check is not None else ()) if job is not None else None

        def work(control: Control, emit: Emit) -> Any:
            from core.session.bench import Bench

            if make is not None and wanted:
                make()
            elif make is not None:
                self._make(live, make)
            opened = bench or Bench()
            if trust is not None:
                opened = opened.trusting(trust)
            if check is None:
                from core.launch import launch

                named = Launcher.parse(live.folder.job().launcher) if make is not None and live.chosen else None
                return launch(live.folder, control, emit, opened, resume=resume, launcher=named)
            from core.session import checking

            return checking.check(live.folder, control, emit, opened, seeds=check.seeds, retrained=check.brought,
                                  which=check.which, start=check.start)  # fmt: skip

        return work

    def _make(self, live: LiveRun, make: Callable[[], None]) -> None:
        """Make a run's folder; under another name where the one it was queued with is another window's by now."""
        queued = live.path
        while True:
            try:
                make()
                return
            except InputError as error:
                if isinstance(error, NotFoundError) or not live.path.exists():
                    raise
                live.folder = RunFolder(self._free(queued))

    def _add(self, run: LiveRun, work: Work) -> LiveRun:
        run.work = work
        self._queue.append(run)
        self._next()
        if run is not self._current:
            self.queue_changed.emit()
        return run

    def _keep(self, run: LiveRun, job: Callable[[], Job], files: Files | None = None) -> None:
        """Keep on disk what waits; a check also while it goes, for it cannot be resumed."""
        if run in self._queue or run.check is not None:
            self._store.put(run, job, self._queue.index(run) if run in self._queue else -1, files)

    def _keep_to_resume(self, run: LiveRun, place: float = 0.0) -> None:
        """Keep on disk that an interrupted run is to go on, for who is left behind."""
        if run.kept_in is None and run.makes_model and run.job is not None and run.folder.exists:
            self._store.put(run, lambda: run.folder.job(), place)

    def _unpause(self, run: LiveRun) -> None:
        """Have a run in a process of its own go on that pauses, or is about to, whoever has asked for that."""
        run.control.resume()
        with contextlib.suppress(AppError):  # its process reads it here where it was paused from elsewhere
            ask(run.folder, "resume")

    def _hand_over(self, run: LiveRun) -> None:
        """Note what is to become of the run that went as the program closed."""
        if run.ended or not run.makes_model:
            return
        if run.outlasts and run.job is not None and not Launcher.parse(run.job.launcher).remote:
            self._after = run.path
        else:  # on another machine it goes on, and is followed again
            self._store.drop(run)  # where it waited before it began
            self._keep_to_resume(run, FIRST)

    def _leave_behind(self, room: Path) -> None:
        """Start who works through the queue, in the thread that has kept it."""
        from core.launch.queue import leave_behind

        leave_behind(room, self._trust.everything(), self._after)

    def _next(self) -> None:
        if self._current is not None or self._held or not self._queue:
            return
        run = self._queue.pop(0)
        assert run.work is not None
        if run.kept_in is not None and run.makes_model and not run.adopted:  # that drops itself once it has begun
            self._store.drop(run)
        thread = RunThread(run.work, run.control, self._mailbox)
        thread.announced.connect(self._look, Qt.ConnectionType.QueuedConnection)
        thread.finished.connect(self._finish, Qt.ConnectionType.QueuedConnection)
        self._current, self._thread = run, thread
        run.begin()
        self._looking.start(PERIOD_MS)
        self._telling.start()
        thread.start()
        self.run_started.emit(run)
        self.queue_changed.emit()
        self._turned(run)

    @Slot()
    def _look(self) -> None:
        """Take in what the run has told since the last look."""
        run, told = self._current, self._mailbox.take()
        if run is not None and told:
            before = (run.state, run.asked)
            if taken := run.apply(told):
                self.events.emit(taken)
            if (run.state, run.asked) != before:
                self._turned(run)
        window = self.window if shiboken6.isValid(self.window) else None
        hidden = window is not None and (not window.isVisible() or window.isMinimized())
        self._looking.setInterval(HIDDEN_MS if hidden else PERIOD_MS)

    @Slot()
    def _tell(self) -> None:
        if self._current is not None:
            self.state_changed.emit(self._current)

    def _turned(self, run: LiveRun) -> None:
        self.turned.emit(run)
        self.state_changed.emit(run)

    @Slot()
    def _finish(self) -> None:
        # A late signal of an older thread finds a thread that still runs, or none.
        run, thread = self._current, self._thread
        if run is None or thread is None or not thread.isFinished():
            return
        self._look()
        self._looking.stop()
        self._telling.stop()
        thread.wait()
        run.end(thread.result, thread.error, thread.details)
        if run.kind == "check" and not (self._cut_off and run.state is State.DISCARDED):
            self._store.drop(run)  # a check that was cut off begins anew, as one of a killed program does
        if run.job is None and run.makes_model and run.folder.exists:  # of a training, whose work made it
            with contextlib.suppress(AppError):
                run.job = run.folder.job()
        self._current = self._thread = None
        if self._behind:
            self._hand_over(run)
        self._turned(run)
        self.run_ended.emit(run)
        self._next()

    def _known(self) -> list[LiveRun]:
        return [*([self._current] if self._current is not None else []), *self._queue]

    def _place(self, folder: Path | None, name: str) -> RunFolder:
        """Return the folder wanted, else one named by time and content."""
        return RunFolder(folder or self._free(self._runs_folder() / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"))

    def _free(self, base: Path) -> Path:
        """Return a path that no run has; queued runs have no folder on disk yet, so they count too."""
        return free_place(base, {run.path for run in self._known()})
