"""Everything that has threads, and how all of it ends; and short jobs with progress, cancel, and results."""

from __future__ import annotations

import contextlib
import inspect
import logging
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import shiboken6
from PySide6.QtCore import QObject, Qt, QThreadPool, Signal, SignalInstance

from core.errors import AppError, StoppedError, of_system

log = logging.getLogger(__name__)

Slot = Callable[..., object] | SignalInstance
PATIENCE_MS = 3000  # of who closes the window


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
        self._name = name  # no name for the jobs: PySide does not survive a child that holds its parent
        self._woken = jobs._woken.emit  # made here: the workers find no signals of their own
        self._cancelled = threading.Event()
        # Told by the worker. Progress that was not shown yet is replaced, so that a fast job cannot flood the window.
        self._told: tuple[str, int, int] | None = None
        self._result: Any = None
        self._error: BaseException | None = None
        self._over = self._ended = False  # for the worker; and delivered

    def then(
        self,
        done: Slot | None = None,
        failed: Slot | None = None,
        progress: Slot | None = None,
        finished: Slot | None = None,
    ) -> JobHandle:
        """Connect to its signals, and return it: `jobs.submit(read, path).then(self._read, self._not_read)`."""
        pairs = ((self.done, done), (self.failed, failed), (self.progress, progress), (self.finished, finished))
        for signal, slot in pairs:
            if slot is not None:
                signal.connect(slot)
        return self

    def cancel(self) -> None:
        """Ask the job to stop and drop whatever it still delivers."""
        self._cancelled.set()

    def _work(self, function: Callable[[], Any]) -> None:
        """Do the work; in the worker."""
        try:
            if not self._cancelled.is_set():
                self._result = function()
        except BaseException as error:
            self._error = of_system(error) or error
        self._over = True
        self._wake()

    def _tell(self, what: object, done: int, total: int) -> None:
        self._told = str(what), done, total
        self._wake()

    def _wake(self) -> None:
        # Any thread. The window may take it in, and delete this object, before the next line: its own signals are the
        # window's alone, and the worker only speaks through the jobs, which outlive it.
        with contextlib.suppress(RuntimeError):  # the window is gone, and nobody waits for the result
            self._woken(self)

    def _deliver(self, over: bool) -> None:
        if self._ended:  # all of it came at once with what was before
            return
        self._ended, told, self._told = over, self._told, None
        if told is not None and not self._cancelled.is_set():
            self.progress.emit(*told)
        if not over:
            return
        if not self._cancelled.is_set():
            if self._error is None:
                self.done.emit(self._result)
            else:
                self._fail(self._error)
        self.finished.emit()
        self.deleteLater()

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, StoppedError):
            log.info("the job %s was stopped", self._name)
        elif isinstance(error, AppError):
            log.warning("the job %s ended: %s", self._name, error.text)
        else:
            log.error("the job %s failed", self._name, exc_info=error)
        self.failed.emit(error)


class Jobs(Executor):
    """A pool of threads for jobs of seconds; `Jobs(1)` serves as the executor of the device."""

    _woken = Signal(object)  # JobHandle that something arrived for

    def __init__(self, workers: int = 2, parent: QObject | None = None, name: str = "short jobs") -> None:
        super().__init__(name, parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(workers)
        self._handles: dict[JobHandle, str] = {}  # with the key of each
        self._closed = False
        self._woken.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def submit(self, function: Callable[..., Any], *args: Any, key: str = "", **kwargs: Any) -> JobHandle:
        """Run `function(*args, **kwargs)` in a worker and return its handle; connect to it at once.

        A function that has parameters called `progress` or `cancelled` is handed `progress(what, done, total)` and
        `cancelled() -> bool`; where it does not ask for the latter, `progress` ends it once it is cancelled. A new job
        with the `key` of one that still runs cancels that one: its result is stale.
        """
        handle = JobHandle(getattr(function, "__qualname__", repr(function)), self)
        self.cancel(key)
        self._handles[handle] = key
        parameters = _parameters(function)

        def progress(what: object, done: int, total: int) -> None:
            if handle._cancelled.is_set() and "cancelled" not in parameters:
                raise StoppedError("Nobody waits for it any more")
            handle._tell(what, done, total)

        for name, given in (("progress", progress), ("cancelled", handle._cancelled.is_set)):
            if name in parameters:
                kwargs.setdefault(name, given)

        def work() -> None:
            handle._work(partial(function, *args, **kwargs))

        if self._closed:
            handle.cancel()
            work()
        else:
            self._pool.start(work)
        return handle

    def cancel(self, key: str) -> None:
        """Cancel the jobs submitted under `key`, where there are any."""
        for handle, known in self._handles.items():
            if key and known == key:
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
        over = handle._over
        if over:
            self._handles.pop(handle, None)
        handle._deliver(over)


def _parameters(function: Callable[..., Any]) -> set[str]:
    try:
        return set(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return set()
