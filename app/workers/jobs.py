"""Short jobs on a thread pool, with progress, cancel, and results that arrive in the window's thread."""

from __future__ import annotations

import contextlib
import inspect
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Literal

from PySide6.QtCore import QMetaMethod, QObject, Qt, QThreadPool, Signal

log = logging.getLogger(__name__)

Outcome = tuple[Literal["done", "failed", "progress", "end"], Any]


class Cancelled(Exception):  # noqa: N818  (it is not a fault)
    """Raised by a job's own code to say that it stopped because it was asked to."""


class JobHandle(QObject):
    """One job under way. All signals are emitted in the thread of the window, whatever is connected to them.

    After `cancel()` neither `done` nor `failed` comes any more, only `finished`. A failure that nobody is connected to
    goes into the log.
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
        if not self.isSignalConnected(QMetaMethod.fromSignal(self.failed)):
            log.error("the job %s failed", self.name, exc_info=error)
        self.failed.emit(error)


class Jobs(QObject):
    """A pool of threads for jobs of seconds; `Jobs(1)` serves as the executor of the device.

    `before` runs in the worker at the start of every job, for thread limits.
    """

    active_changed = Signal(int)
    _woken = Signal(object)  # JobHandle that something arrived for

    def __init__(
        self, workers: int = 2, parent: QObject | None = None, before: Callable[[], object] | None = None
    ) -> None:
        super().__init__(parent)
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
        `cancelled() -> bool`. A new job with the `key` of one that still runs cancels that one: its result is stale.
        """
        name = getattr(function, "__qualname__", repr(function))
        handle = JobHandle(name, self)
        if key:
            self.cancel(key)
            self._by_key[key] = handle
        parameters = _parameters(function)
        if "progress" in parameters and "progress" not in kwargs:
            kwargs["progress"] = lambda what, done, total: handle._post(("progress", (str(what), done, total)))
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

    def shutdown(self, milliseconds: int = 5000) -> bool:
        """Cancel everything and wait for the threads; False where one did not end in time."""
        self._closed = True
        for handle in self._handles:
            handle.cancel()
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
