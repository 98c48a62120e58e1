"""Runs jobs one after the other: the queue, the thread of the run under way, and what the user asks of it."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QWidget

from app.services.trust import TrustedFiles
from app.workers.jobs import Executor
from app.workers.live_run import LiveRun, Work
from app.workers.mailbox import Mailbox, MailboxPump, RunThread
from core.engine.control import Control
from core.errors import AppError
from core.events import Emit, Event, State
from core.files import write_atomic
from core.job import Job
from core.runs.folder import FORGET, RunFolder

if TYPE_CHECKING:
    from app.services.queue_files import Check, Waiting
    from app.workers.queue_store import QueueStore
    from app.workers.search_work import SearchWork
    from core.selection import Selection
    from core.session.bench import Bench

log = logging.getLogger(__name__)

TELL_MS = 100


class RunController(Executor):
    """At most one run is under way; others wait in the order shown. All signals come in the window's thread."""

    run_started = Signal(object)  # LiveRun
    run_ended = Signal(object)  # LiveRun
    state_changed = Signal(object)  # LiveRun: a new state at once, new numbers ten times a second
    turned = Signal(object)  # LiveRun: a new state or another wish of the user's, whatever its numbers
    queue_changed = Signal()
    events = Signal(object)  # list[Event] of the current run, in order
    setup_wanted = Signal(object)  # Job: its settings are to be shown, to start it again
    start_wanted = Signal()  # Ctrl+Return: whoever has a set-up in view starts it

    def __init__(
        self,
        runs_folder: Callable[[], Path],
        parent: QObject | None = None,
        store: QueueStore | None = None,
        trust: TrustedFiles | None = None,
    ) -> None:
        """`store` keeps waiting runs on disk; without one they are gone when the program ends.

        `trust`: what the user allowed to run program code; looked at when a run is put in.
        """
        super().__init__("a run or the queue on disk", parent)
        self._trust = trust or TrustedFiles()
        self._runs_folder = runs_folder
        self._store = store
        self._queue: list[LiveRun] = []
        self._current: LiveRun | None = None
        self._thread: RunThread | None = None
        self._pump = MailboxPump(Mailbox(), self._consume)
        self._pump.setParent(self)
        self._told: tuple[object, ...] = ()
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
        return self._pump.period

    def attach_window(self, window: QWidget) -> None:
        """Draw once a second only while this window is hidden."""
        self._pump.set_window(window)
        window.destroyed.connect(self._window_gone)

    # -- starting --------------------------------------------------------------------------------------------------

    def start(
        self,
        job: Job,
        bench: Bench,
        selection: Selection,
        folder: Path | RunFolder | None = None,
        tries: Path | None = None,
    ) -> LiveRun:
        """Start an unlearning job, or let it wait for the run under way. Its folder is written by the worker.

        `tries`: the file of the search that gave the job its settings; it goes into the folder.
        """
        place = _as_folder(folder) or self._unused(f"{job.method}-s{job.seed}")
        trust = self._trust.of(job)

        def work(control: Control, emit: Emit) -> Any:
            from app.services.queue_files import keep_tries
            from core.session.jobs import create_run
            from core.session.running import run

            if tries is not None:
                keep_tries(tries, place)
            create_run(place.path, job, selection, bench.dataset)
            return run(place, control, emit, bench.trusting(trust))

        live = LiveRun(place, "unlearn", job=job, work=work)
        live.inputs = (bench, selection)
        self._add(live)
        if self._store is not None and live in self._queue:
            self._store.put(live, float(self._queue.index(live)), tries)
        return live

    def start_waiting(self, waiting: Waiting) -> LiveRun:
        """Queue a run, training or check that waited when the program ended; it opens model and data by itself.

        Where a run begins it leaves the store by itself, once its folder is made.
        """
        if waiting.check is not None:
            return self._start_waiting_check(waiting, waiting.check)
        name = waiting.job.method if waiting.job.kind == "unlearn" else f"train-{waiting.job.model.architecture}"
        taken = {run.path for run in self._queue}
        free = waiting.folder not in taken and not waiting.folder.exists()
        place = RunFolder(waiting.folder) if free else self._unused(f"{name}-s{waiting.job.seed}")
        job, tries = waiting.job, waiting.tries
        trust = self._trust.of(job)
        live = LiveRun(place, job.kind, job=job)
        live.adopted = True

        def work(control: Control, emit: Emit) -> Any:
            from app.services.queue_files import begin_waiting, drop_waiting
            from core.session.bench import Bench
            from core.session.running import run

            if moved is not None:
                moved.result()
            entry = kept if kept is not None and kept.is_dir() else waiting.entry
            begin_waiting(entry, job, place.path, tries)
            drop_waiting(entry)
            return run(place, control, emit, Bench(trust=trust))

        live.work = work
        moved = self._store.adopt(live, waiting) if self._store is not None else None
        kept = live.kept_in
        return self._add(live)

    def start_training(
        self,
        bench: Bench,
        architecture: str,
        *,
        folder: Path | RunFolder | None = None,
        exclude: Selection | None = None,
        **settings: Any,
    ) -> LiveRun:
        """Train a model on the bench's data; `settings` are those of core.session.jobs.make_train_job."""
        place = _as_folder(folder) or self._unused(f"train-{architecture}-s{settings.get('seed', 0)}")

        def make() -> Job:
            from core.session.jobs import make_train_job

            return make_train_job(bench, architecture, exclude=exclude, **settings)

        def work(control: Control, emit: Emit) -> Any:
            from core.session.jobs import create_run
            from core.session.running import run

            create_run(place.path, make(), exclude, bench.dataset)
            return run(place, control, emit, bench)

        live = self._add(LiveRun(place, "train", title=f"Training {architecture}", work=work))
        if self._store is not None and live in self._queue:
            self._store.put_training(live, make, bench.dataset, exclude, float(self._queue.index(live)))
        return live

    def train_again(self, trained: RunFolder, job: Job) -> LiveRun:
        """Do a training anew, in a folder of its own; it opens its data, and what it leaves out, by itself."""
        place = self._unused(f"train-{job.model.architecture}-s{job.seed}")
        trust = self._trust.of(job)

        def work(control: Control, emit: Emit) -> Any:
            from core.session.bench import Bench
            from core.session.running import run

            listed = trained.file(FORGET).read_bytes() if job.forget.count else b""
            folder = RunFolder.create(place.path, job)
            if listed:
                write_atomic(folder.file(FORGET), listed)
            return run(folder, control, emit, Bench(trust=trust))

        return self._add(LiveRun(place, "train", job=job, title=f"Training {job.model.architecture}", work=work))

    def start_reference(
        self,
        folder: RunFolder,
        seeds: tuple[int, ...] = (),
        *,
        bench: Bench | None = None,
        retrained: Mapping[str, Path] | None = None,
        which: str = "quick",
    ) -> LiveRun:
        """Check a finished run anew, training the retrained references of `seeds` that are not on disk yet.

        `which` is the suite, "quick" or "full".
        """
        job, brought = folder.job(), dict(retrained or {})
        trust = self._trust.of(job, brought.values())

        def work(control: Control, emit: Emit) -> Any:
            from core.session.bench import Bench
            from core.session.checking import check

            own = bench.trusting(trust) if bench is not None else Bench(trust=trust)
            return check(folder, control, emit, own, seeds=tuple(seeds), retrained=brought, which=which)

        live = self._add(LiveRun(folder, "check", job=job, title="Check", work=work))
        if self._store is not None:
            from app.services.queue_files import Check

            place = float(self._queue.index(live)) if live in self._queue else -1.0
            self._store.put_check(live, Check(tuple(seeds), brought, which), place)
        return live

    def _start_waiting_check(self, waiting: Waiting, asked: Check) -> LiveRun:
        folder, job = RunFolder(waiting.folder), waiting.job
        trust = self._trust.of(job, asked.retrained.values())

        def work(control: Control, emit: Emit) -> Any:
            from app.services.queue_files import taken_over
            from core.session.bench import Bench
            from core.session.checking import check

            if moved is not None:
                moved.result()
                if kept is not None and not kept.is_dir():
                    raise taken_over()
            return check(folder, control, emit, Bench(trust=trust), seeds=asked.seeds,
                         retrained=dict(asked.retrained), which=asked.which)  # fmt: skip

        live = LiveRun(folder, "check", job=job, title="Check", work=work)
        moved = self._store.adopt(live, waiting) if self._store is not None else None
        kept = live.kept_in
        return self._add(live)

    def start_search(self, work: SearchWork, title: str) -> LiveRun:
        """Search settings for a method; nothing of it is a run, and what was tried is in the work's hands."""
        work.place = self._unused("search")
        return self._add(LiveRun(work.place, "search", title=title, work=work))

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

        def work(control: Control, emit: Emit) -> Any:
            from core.session.bench import Bench
            from core.session.running import run

            own = bench.trusting(trust) if bench is not None else Bench(trust=trust)
            return run(folder, control, emit, own, resume=True)

        run_again.from_disk, run_again.work, run_again.state = False, work, State.QUEUED
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
        if self._store is not None:
            self._store.order(self._queue)
        self.queue_changed.emit()

    def remove(self, run: LiveRun) -> None:
        """Take a waiting run out of the queue; it has no run folder yet."""
        if run in self._queue:
            self._queue.remove(run)
            run.state, run.work = State.DISCARDED, None
            if self._store is not None:
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
        return self._store is None or self._store.close(max(0.0, end - time.monotonic()))

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

    def _next(self) -> None:
        if self._current is not None or self._held or not self._queue:
            return
        run = self._queue.pop(0)
        assert run.work is not None
        if self._store is not None and run.makes_model and not run.adopted:  # that drops itself once it has begun
            self._store.drop(run)
        mailbox = Mailbox("" if run.kind == "check" else run.id)  # a check also carries its references' events
        thread = RunThread(run.work, run.control, mailbox)
        thread.announced.connect(self._announced, Qt.ConnectionType.QueuedConnection)
        thread.finished.connect(self._thread_finished, Qt.ConnectionType.QueuedConnection)
        self._current, self._thread, self._pump.mailbox = run, thread, mailbox
        run.begin()
        self._pump.start()
        self._telling.start()
        thread.start()
        self.run_started.emit(run)
        self.queue_changed.emit()
        self._turned(run)

    @Slot()
    def _tell(self) -> None:
        """Tell where the run stands: its state where that is another, else its numbers alone."""
        run = self._current
        if run is None:
            return
        now = (run, run.state, run.asked)
        turned, self._told = now != self._told, now
        if turned:
            self._turned(run)
        else:
            self.state_changed.emit(run)

    def _turned(self, run: LiveRun) -> None:
        self.turned.emit(run)
        self.state_changed.emit(run)

    @Slot(object)
    def _announced(self, event: Event) -> None:
        # Queued, so it may come after its run is over and the next one has begun.
        run = self._current
        if run is not None and (event.run == run.id or run.kind == "check"):
            self._pump.drain()

    @Slot()
    def _window_gone(self) -> None:
        self._pump.set_window(None)

    @Slot()
    def _thread_finished(self) -> None:
        # A late signal of an older thread finds a thread that still runs, or none.
        if self._thread is not None and self._thread.isFinished():
            self._finish()

    def _finish(self) -> None:
        run, thread = self._current, self._thread
        if run is None or thread is None:
            return
        self._pump.stop()
        self._telling.stop()
        thread.wait()
        run.end(thread.result, thread.error, thread.details)
        if self._store is not None and run.kind == "check":  # a run that was cut off resumes; a check begins anew
            self._store.drop(run)
        self._know_job(run)
        self._current = self._thread = None
        self._pump.mailbox = Mailbox()
        self._turned(run)
        self.run_ended.emit(run)
        self._next()

    @staticmethod
    def _know_job(run: LiveRun) -> None:
        """Read the job of a training, which its work made."""
        if run.job is None and run.makes_model and run.folder.exists:
            with contextlib.suppress(AppError):
                run.job = run.folder.job()

    def _consume(self, events: list[Event]) -> None:
        run = self._current
        if run is None:
            return
        taken = run.apply(events)
        if taken:
            self.events.emit(taken)
            if self._told != (run, run.state, run.asked):
                self._tell()

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


def _as_folder(folder: Path | RunFolder | None) -> RunFolder | None:
    return RunFolder(folder) if isinstance(folder, Path) else folder
