"""Runs jobs one after the other: the queue, the thread of the run under way, and what the user asks of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QWidget

from app.services.translation import tr
from app.services.trust import TrustedFiles
from app.workers.jobs import Executor
from app.workers.live_run import LiveRun, Work
from app.workers.mailbox import Mailbox, RunThread
from app.workers.queue_files import Check, QueueStore, Waiting, begin_waiting, keep_tries
from core.engine.control import Control
from core.errors import AppError
from core.events import Emit, State
from core.files import write_atomic
from core.job import Job
from core.models.trust import Trust
from core.runs.folder import FORGET, RunFolder

if TYPE_CHECKING:
    from app.workers.search_work import SearchWork
    from core.selection import Selection
    from core.session.bench import Bench

TELL_MS = 100
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
        self._window: QWidget | None = None
        self._looking = QTimer(self)
        self._looking.timeout.connect(self._look)
        self._telling = QTimer(self)  # numbers change many times a second: they are told ten times
        self._telling.setInterval(TELL_MS)
        self._telling.timeout.connect(self._tell)
        self._held = False  # while closing: nothing further starts

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

    def attach_window(self, window: QWidget) -> None:
        """Hand over once a second only while this window is hidden."""
        self._window = window
        window.destroyed.connect(self._window_gone)

    # -- starting --------------------------------------------------------------------------------------------------

    def start(
        self, job: Job, bench: Bench, selection: Selection, folder: Path | None = None, tries: Path | None = None
    ) -> LiveRun:
        """Start an unlearning job, or let it wait for the run under way. Its folder is written by the worker.

        `tries`: the file of the search that gave the job its settings; it goes into the folder.
        """
        place = RunFolder(folder) if folder is not None else self._unused(f"{job.method}-s{job.seed}")

        def make() -> None:
            from core.session.jobs import create_run

            if tries is not None:
                keep_tries(tries, place)
            create_run(place.path, job, selection, bench.dataset)

        live = LiveRun(place, "unlearn", job=job, work=_run_work(place, bench.trusting(self._trust.of(job)), make))
        live.inputs = (bench, selection)
        self._add(live)
        self._keep(live, lambda: job, bench, selection, tries)
        return live

    def start_training(
        self, bench: Bench, architecture: str, *, folder: Path | None = None, exclude: Selection | None = None,
        **settings: Any,
    ) -> LiveRun:  # fmt: skip
        """Train a model on the bench's data; `settings` are those of core.session.jobs.make_train_job."""
        name = f"train-{architecture}-s{settings.get('seed', 0)}"
        place = RunFolder(folder) if folder is not None else self._unused(name)

        def job() -> Job:
            from core.session.jobs import make_train_job

            return make_train_job(bench, architecture, exclude=exclude, **settings)

        def make() -> None:
            from core.session.jobs import create_run

            create_run(place.path, job(), exclude, bench.dataset)

        title = tr("Training {network}", network=architecture)
        live = self.start_work(place, "train", title, _run_work(place, bench, make))
        self._keep(live, job, bench, exclude)
        return live

    def train_again(self, trained: RunFolder, job: Job) -> LiveRun:
        """Do a training anew, in a folder of its own; it opens its data, and what it leaves out, by itself."""
        place = self._unused(f"train-{job.model.architecture}-s{job.seed}")

        def make() -> None:
            listed = trained.file(FORGET).read_bytes() if job.forget.count else b""
            RunFolder.create(place.path, job)
            if listed:
                write_atomic(place.file(FORGET), listed)

        work = _run_work(place, self._trust.of(job), make)
        return self.start_work(place, "train", tr("Training {network}", network=job.model.architecture), work, job)

    def start_reference(
        self, folder: RunFolder, seeds: tuple[int, ...] = (), *, bench: Bench | None = None,
        retrained: Mapping[str, Path] | None = None, which: str = "quick",
    ) -> LiveRun:  # fmt: skip
        """Check a finished run anew, training the retrained references of `seeds` that are not on disk yet.

        `which` is the suite, "quick" or "full".
        """
        job, asked = folder.job(), Check(tuple(seeds), dict(retrained or {}), which)
        trust = self._trust.of(job, asked.retrained.values())
        work = _check_work(folder, trust if bench is None else bench.trusting(trust), asked)
        live = self._add(LiveRun(folder, "check", job=job, work=work, suite=which))
        self._keep(live, lambda: job, check=asked)
        return live

    def start_search(self, work: SearchWork, title: str) -> LiveRun:
        """Search settings for a method; nothing of it is a run, and what was tried is in the work's hands."""
        work.place = self._unused("search")
        return self.start_work(work.place, "search", title, work)

    def start_waiting(self, waiting: Waiting) -> LiveRun:
        """Queue a run, training or check that waited when the program ended; it opens model and data by itself.

        Where a run begins it leaves the store by itself, once its folder is made.
        """
        job, asked, folder = waiting.job, waiting.check, RunFolder(waiting.folder)
        live = LiveRun(folder, job.kind if asked is None else "check", job=job)
        live.adopted = True
        moved, kept = self._store.adopt(live, waiting)

        def make() -> None:
            moved.result()
            begin_waiting(waiting, kept, live.folder)

        if asked is not None:
            live.suite = asked.which
            live.work = _check_work(folder, self._trust.of(job, asked.retrained.values()), asked, make)
        else:
            name = job.method if job.kind == "unlearn" else f"train-{job.model.architecture}"
            if folder.path.exists() or folder.path in {run.path for run in self._queue}:
                live.folder = self._unused(f"{name}-s{job.seed}")
            live.work = _run_work(live.folder, self._trust.of(job), make)
        return self._add(live)

    def resume_run(self, run_again: LiveRun, bench: Bench | None = None) -> LiveRun:
        """Go on with an interrupted run, read from its folder for this, from its last checkpoint.

        Model and data are opened where `bench` is None. A run that goes or waits already is returned as it is there.
        """
        job, folder = run_again.job, run_again.folder
        assert job is not None  # one that was read from a folder has it
        here = next((run for run in self._known() if run.makes_model and run.path == folder.path), None)
        if here is not None:
            return here
        trust = self._trust.of(job)
        run_again.work = _run_work(folder, trust if bench is None else bench.trusting(trust), resume=True)
        run_again.from_disk, run_again.state = False, State.QUEUED
        return self._add(run_again)

    def start_work(self, folder: RunFolder, kind: str, title: str, work: Work, job: Job | None = None) -> LiveRun:
        """Run any work that reports as a run does."""
        return self._add(LiveRun(folder, kind, job=job, title=title, work=work))

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
        """Let nothing further start, while the window closes."""
        self._held = held
        if not held:
            self._next()

    # -- what the user asks ----------------------------------------------------------------------------------------

    def pause(self) -> bool:
        """Hold after the current step; False where there is nothing to pause."""
        return self._ask("pause")

    def resume(self) -> bool:
        """Go on after a pause."""
        return self._ask("resume")

    def end(self, run: LiveRun) -> None:
        """Stop a run where it goes, or take it out of the queue where it waits."""
        if run is self.current:
            self.stop()
        else:
            self.remove(run)

    def stop(self) -> bool:
        """End after the current step and keep the model as it is now."""
        return self._ask("stop")

    def discard(self) -> bool:
        """End and keep nothing. The caller has asked the user."""
        return self._ask("discard")

    def checkpoint(self) -> bool:
        """Save a resumable checkpoint after the current step."""
        return self._ask("checkpoint")

    def close(self) -> None:
        """Stop and keep what is going; on the usual way out the close guard has seen to it already."""
        self.hold()
        if self._current is not None:
            self._current.control.stop()

    def wait(self, milliseconds: int) -> bool:
        """Wait for the run, and for the queue to be on disk; False where one of them did not end in time."""
        end = time.monotonic() + milliseconds / 1000
        if self._thread is not None:
            if not self._thread.wait(milliseconds):
                return False
            self._finish()
        return self._store.close(max(0.0, end - time.monotonic()))

    # -- parts -----------------------------------------------------------------------------------------------------

    def _ask(self, action: str) -> bool:
        run = self._current
        if run is None or not run.ask(action):
            return False
        self._turned(run)
        return True

    def _add(self, run: LiveRun) -> LiveRun:
        self._queue.append(run)
        self._next()
        if run is not self._current:
            self.queue_changed.emit()
        return run

    def _keep(
        self, run: LiveRun, job: Callable[[], Job], bench: Bench | None = None, selection: Selection | None = None,
        tries: Path | None = None, check: Check | None = None,
    ) -> None:  # fmt: skip
        """Keep on disk what waits; a check also while it goes, for it cannot be resumed."""
        if run in self._queue or check is not None:
            place = float(self._queue.index(run)) if run in self._queue else -1.0
            self._store.put(run, job, place, bench.dataset if bench is not None else None, selection, tries, check)

    def _next(self) -> None:
        if self._current is not None or self._held or not self._queue:
            return
        run = self._queue.pop(0)
        assert run.work is not None
        if run.kept_in is not None and run.makes_model and not run.adopted:  # that drops itself once it has begun
            self._store.drop(run)
        self._mailbox = Mailbox("" if run.kind == "check" else run.id)  # a check also carries its references' events
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
        hidden = self._window is not None and (not self._window.isVisible() or self._window.isMinimized())
        wanted = HIDDEN_MS if hidden else PERIOD_MS
        if self._looking.isActive() and self.period != wanted:
            self._looking.setInterval(wanted)

    @Slot()
    def _tell(self) -> None:
        if self._current is not None:
            self.state_changed.emit(self._current)

    def _turned(self, run: LiveRun) -> None:
        self.turned.emit(run)
        self.state_changed.emit(run)

    @Slot()
    def _window_gone(self) -> None:
        self._window = None

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
        if run.kind == "check":  # a run that was cut off resumes; a check begins anew
            self._store.drop(run)
        if run.job is None and run.makes_model and run.folder.exists:  # of a training, whose work made it
            with contextlib.suppress(AppError):
                run.job = run.folder.job()
        self._current = self._thread = None
        self._turned(run)
        self.run_ended.emit(run)
        self._next()

    def _known(self) -> list[LiveRun]:
        return [*([self._current] if self._current is not None else []), *self._queue]

    def _unused(self, name: str) -> RunFolder:
        """Name a folder by time and content; queued runs have none on disk yet, so their names count too."""
        taken = {run.path for run in self._known()}
        base = self._runs_folder() / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"
        path, number = base, 1
        while path in taken or path.exists():
            number += 1
            path = base.with_name(f"{base.name}-{number}")
        return RunFolder(path)


def _run_work(
    place: RunFolder, bench: Bench | Trust, make: Callable[[], None] | None = None, resume: bool = False
) -> Work:
    """Return the work of a run: its folder is made, then it goes; with a trust for a bench it opens all itself."""

    def work(control: Control, emit: Emit) -> Any:
        from core.session.running import run

        if make is not None:
            make()
        return run(place, control, emit, _opened(bench), resume=resume)

    return work


def _check_work(place: RunFolder, bench: Bench | Trust, asked: Check, make: Callable[[], None] | None = None) -> Work:
    """Return the work of a check, as `_run_work` does."""

    def work(control: Control, emit: Emit) -> Any:
        from core.session.checking import check

        if make is not None:
            make()
        return check(place, control, emit, _opened(bench), seeds=asked.seeds, retrained=dict(asked.retrained),
                     which=asked.which)  # fmt: skip

    return work


def _opened(bench: Bench | Trust) -> Bench:
    from core.session.bench import Bench

    return Bench(trust=bench) if isinstance(bench, Trust) else bench
