"""Keeps the runs, trainings and checks that wait on disk, from a thread of its own: the window waits for no disk."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import NotFoundError

if TYPE_CHECKING:
    from app.workers.live_run import LiveRun
    from app.workers.queue_files import Check, Waiting, WaitingRoom
    from core.data.dataset import Dataset
    from core.job import Job
    from core.selection import Selection

log = logging.getLogger(__name__)


class QueueStore:
    """Called from the window's thread; what is asked for is done in order. A disk that fails costs the memory of the
    queue, and nothing else.
    """  # noqa: D205

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._room: WaitingRoom | None = None

    def put(
        self, run: LiveRun, job: Callable[[], Job], place: float, dataset: Dataset | None, selection: Selection | None,
        tries: Path | None, check: Check | None,
    ) -> None:  # fmt: skip
        """Keep a run, a training or a check that waits; `job` is called by the store's thread."""
        from app.workers.queue_files import Waiting

        room = self._our_room()
        entry = run.kept_in = room.entry()
        self._do(lambda: room.put(Waiting(entry, job(), run.path, place, tries, check), selection, dataset))

    def adopt(self, run: LiveRun, waiting: Waiting) -> tuple[Future[None], Path]:
        """Keep a run that an earlier program left as one of ours; returns its entry, and what ends with that."""
        room = self._our_room()
        entry = run.kept_in = room.entry()
        return self._do(room.adopt, waiting, entry), entry

    def order(self, runs: Sequence[LiveRun]) -> None:
        """Note the order of the runs that wait."""
        from app.workers.queue_files import move_waiting

        for place, run in enumerate(runs):
            if run.kept_in is not None:
                self._do(move_waiting, run.kept_in, float(place))

    def drop(self, run: LiveRun) -> None:
        """Forget a run: it began, or was taken out."""
        if run.kept_in is not None:
            from app.workers.queue_files import drop_waiting

            self._do(drop_waiting, run.kept_in)
            run.kept_in = None

    def close(self, seconds: float) -> bool:
        """Finish what was asked for; what still waits is found at the next start. False where that takes longer."""
        if self._pool is None:
            return True
        last = self._pool.submit(self._close_room)  # after what was asked for, which may still need the room
        self._pool.shutdown(wait=False)
        self._pool = None
        return not wait([last], seconds).not_done

    def _close_room(self) -> None:
        room, self._room = self._room, None
        if room is not None:
            room.close()

    def _our_room(self) -> WaitingRoom:
        from app.workers.queue_files import WaitingRoom

        if self._room is None:
            self._room = WaitingRoom()
        return self._room

    def _do(self, act: Callable[..., object], *args: Any) -> Future[None]:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="queue")
        return self._pool.submit(_logged, act, *args)


def _logged(act: Callable[..., object], *args: Any) -> None:
    try:
        act(*args)
    except NotFoundError as error:
        log.info("%s", error.text)
    except Exception:
        log.warning("the queue is not kept on disk", exc_info=True)
