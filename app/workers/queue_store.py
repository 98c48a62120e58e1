"""Keeps the runs, trainings and checks that wait on disk, from a thread of its own: the window waits for no disk."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import NotFoundError

if TYPE_CHECKING:
    from app.services.queue_files import Check, Waiting, WaitingRoom
    from app.workers.live_run import LiveRun
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

    def put(self, run: LiveRun, place: float, tries: Path | None) -> None:
        """Keep an unlearning run that waits."""
        from app.services.queue_files import Waiting

        if run.job is None or run.inputs is None:
            return
        bench, selection = run.inputs
        run.kept_in = self._our_room().entry()
        waiting = Waiting(run.kept_in, run.job, run.path, place, tries)
        self._do(self._our_room().put, waiting, selection, bench.dataset)

    def put_training(self, run: LiveRun, make: Callable[[], Job], dataset: Dataset, exclude: Selection | None,
                     place: float) -> None:  # fmt: skip
        """Keep a training that waits; `make` gives its job, and is called by the store's thread."""
        run.kept_in = self._our_room().entry()
        self._do(self._write_training, run.kept_in, run.path, make, dataset, exclude, place)

    def put_check(self, run: LiveRun, check: Check, place: float) -> None:
        """Keep a check that waits or is under way."""
        run.kept_in = self._our_room().entry()
        self._do(self._our_room().put_check, run.kept_in, run.path, check, place)

    def adopt(self, run: LiveRun, waiting: Waiting) -> Future[None]:
        """Keep a run that an earlier program left as one of this program's; what is returned ends when it is done."""
        run.kept_in = self._our_room().entry()
        return self._do(self._our_room().adopt, waiting, run.kept_in)

    def order(self, runs: Sequence[LiveRun]) -> None:
        """Note the order of the runs that wait."""
        from app.services.queue_files import move_waiting

        for place, run in enumerate(runs):
            if run.kept_in is not None:
                self._do(move_waiting, run.kept_in, float(place))

    def drop(self, run: LiveRun) -> None:
        """Forget a run: it began, or was taken out."""
        from app.services.queue_files import drop_waiting

        if run.kept_in is not None:
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

    def _write_training(
        self, entry: Path, path: Path, make: Callable[[], Job], dataset: Dataset, exclude: Selection | None,
        place: float,
    ) -> None:  # fmt: skip
        from app.services.queue_files import Waiting
        from core.selection import Selection

        chosen = exclude if exclude is not None else Selection.empty(dataset.train.labels.numpy(), dataset.classes)
        self._our_room().put(Waiting(entry, make(), path, place), chosen, dataset)

    def _our_room(self) -> WaitingRoom:
        from app.services.queue_files import WaitingRoom

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
