"""Everything that has threads, and how all of it ends; and short jobs with progress, cancel, and results."""

from __future__ import annotations

import contextlib
import inspect
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Literal

import shiboken6
from PySide6.QtCore import QObject, Qt, QThreadPool, Signal

from core.errors import AppError, StoppedError

log = logging.getLogger(__name__)

PATIENCE_MS = 3000  # of who closes the window

Outcome = tuple[Literal["done", "failed", "progress", "end"], Any]


class Cancelled(Exception):  # noqa: N818  (it is not a fault)
    """Raised by a job's own code to say that it stopped because it was asked to."""


class Executor(QObject):
    """Something that has threads. All there are end in one way, whoever made them: see `shut_down`."""

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        _executors.add(self)

    def close(self) -> None:
        """Take in nothing more, and ask what goes on to end."""
        raise NotImplementedError

    def wait(self, milliseconds: int) -> bool:
        """Wait for the threads; False where one did not end in time."""
        raise NotImplementedError

    def shutdown(self, milliseconds: int = 15_000) -> bool:
        """End this one alone, as `shut_down` ends all."""
        self.close()
        return self.wait(milliseconds)


_executors: weakref.WeakSet[Executor] = weakref.WeakSet()


def shut_down(milliseconds: int = PATIENCE_MS) -> list[str]:
    """End all executors of the program; together they get `milliseconds`. Returns the names of those still at work.

    Such a thread, as one that waits for a disk that is gone, cannot be ended from outside: the process has to go.
    """
    executors = [executor for executor in _executors if shiboken6.isValid(executor)]
    for executor in executors:
        executor.close()
    end = time.monotonic() + milliseconds / 1000
    return [one.objectName() for one in executors if not one.wait(max(0, round(1000 * (end - time.monotonic()))))]


class JobHandle(QObject):
    """One job under way. All signals are emitted in the thread of the window, whatever is connected to them.

    After `cancel()` neither `done` nor `failed` comes any more, only `finished`. Every failure goes into the log, those
    that whoever listens makes nothing of, too.
    """

    done = Signal(object)
    failed = Signal(object)
    progress = Signal(str, int, int)
    finished = Signal()

    def __init__(self, name: str, jobs: Jobs) -> None:
        super().__init__(jobs)
        self.name = name
        self._wake = jobs._woken.emit
        self._outcomes: deque[Outcome] = deque()
        self._cancelled = threading.Event()
        self._ended = False

    def cancel(self) -> None:
        """Ask the job to stop and drop whatever it still delivers."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether it was asked to stop."""
        return self._cancelled.is_set()

    @property
    def ended(self) -> bool:
        """Whether it is over and everything was delivered."""
        return self._ended

    def _post(self, *outcomes: Outcome) -> None:
        # Any thread. The window may take these in, and delete this object, before the next line: its own signals are
        # the window's alone, and the worker only speaks through the jobs, which outlive it.
        self._outcomes.extend(outcomes)
        with contextlib.suppress(RuntimeError):  # the window is gone, and nobody waits for the result
            self._wake(self)

    def _deliver(self) -> None:
        # Progress that was not shown yet is replaced, so that a fast job cannot flood the window.
        latest_progress: tuple[str, int, int] | None = None
        while self._outcomes:
            kind, value = self._outcomes.popleft()
            if kind == "progress":
                latest_progress = value
                continue
            if latest_progress and not self.cancelled:
                self.progress.emit(*latest_progress)
            latest_progress = None
            if kind == "end":
                self._ended = True
                self.finished.emit()
            elif self.cancelled:
                continue
            elif kind == "done":
                self.done.emit(value)
            else:
                self._fail(value)
        if latest_progress and not self.cancelled:
            self.progress.emit(*latest_progress)

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, StoppedError):
            log.info("the job %s was stopped", self.name)
        elif isinstance(error, AppError):
            log.warning("the job %s ended: %s", self.name, error.text)
        else:
            log.error("the job %s failed", self.name, exc_info=error)
        self.failed.emit(error)


class Jobs(Executor):
    """A pool of threads for jobs of seconds; `Jobs(1)` serves as the executor of the device.

    `before` runs in the worker at the start of every job, for thread limits.
    """

    active_changed = Signal(int)
    _woken = Signal(object)  # JobHandle that something arrived for

    def __init__(
        self, workers: int = 2, parent: QObject | None = None, before: Callable[[], object] | None = None,
        name: str = "short jobs",
    ) -> None:  # fmt: skip
        super().__init__(name, parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(workers)
        self._before = before
        self._handles: set[JobHandle] = set()
        self._by_key: dict[str, JobHandle] = {}
        self._closed = False
        self._woken.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def submit(self, function: Callable[..., Any], *args: Any, key: str = "", **kwargs: Any) -> JobHandle:
        """Run `function(*args, **kwargs)` in a worker and return its handle; connect to it at once.

        A function that has parameters called `progress` or `cancelled` is handed `progress(what, done, total)` and
        `cancelled() -> bool`; where it does not ask for the latter, `progress` ends it once it is cancelled. A new job
        with the `key` of one that still runs cancels that one: its result is stale.
        """
        name = getattr(function, "__qualname__", repr(function))
        handle = JobHandle(name, self)
        if key:
            self.cancel(key)
            self._by_key[key] = handle
        parameters = _parameters(function)

        def progress(what: object, done: int, total: int) -> None:
            if handle.cancelled and "cancelled" not in parameters:
                raise StoppedError("Nobody waits for it any more")
            handle._post(("progress", (str(what), done, total)))

        if "progress" in parameters:
            kwargs.setdefault("progress", progress)
        if "cancelled" in parameters and "cancelled" not in kwargs:
            kwargs["cancelled"] = handle._cancelled.is_set
        handle.finished.connect(self._ended)
        self._handles.add(handle)
        self.active_changed.emit(len(self._handles))
        before = self._before

        def run() -> None:
            outcome: list[Outcome] = []
            try:
                if not handle.cancelled:
                    if before is not None:
                        before()
                    outcome.append(("done", function(*args, **kwargs)))
            except Cancelled:
                handle.cancel()
            except BaseException as error:
                outcome.append(("failed", error))
            handle._post(*outcome, ("end", None))

        if self._closed:
            handle.cancel()
            handle._post(("end", None))
        else:
            self._pool.start(run)
        return handle

    def cancel(self, key: str) -> None:
        """Cancel the job submitted under `key`, where there is one."""
        handle = self._by_key.pop(key, None)
        if handle is not None:
            handle.cancel()

    def active(self) -> int:
        """How many jobs run or wait."""
        return len(self._handles)

    def close(self) -> None:
        """Cancel everything."""
        self._closed = True
        for handle in self._handles:
            handle.cancel()
        self._pool.clear()

    def wait(self, milliseconds: int) -> bool:
        """Wait for the workers; False where one did not end in time."""
        return self._pool.waitForDone(milliseconds)

    def _deliver(self, handle: JobHandle) -> None:
        if not handle.ended:  # else all of it came at once with what was before
            handle._deliver()

    def _ended(self) -> None:
        handle = self.sender()
        if not isinstance(handle, JobHandle):
            return
        self._handles.discard(handle)
        for key in [key for key, value in self._by_key.items() if value is handle]:
            del self._by_key[key]
        self.active_changed.emit(len(self._handles))
        handle.deleteLater()


def _parameters(function: Callable[..., Any]) -> set[str]:
    try:
        return set(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return set()
