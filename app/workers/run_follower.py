"""Follows a run that another process works on: reads what its event log gained, in a job, at intervals."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from app.workers.live_run import LiveRun, Look, read_new
from core.events import State

if TYPE_CHECKING:
    from app.workers.jobs import Jobs

log = logging.getLogger(__name__)

PERIOD_MS = 500


class RunFollower(QObject):
    """One run at a time; signals come in the window's thread. Stops by itself when the run is over."""

    events = Signal(object)  # list[Event] that are new
    renewed = Signal(object)  # LiveRun: its history was read again from the start
    changed = Signal(object)  # LiveRun: state, step or progress
    ended = Signal(object)  # LiveRun

    def __init__(self, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._run: LiveRun | None = None
        self._asked: LiveRun | None = None  # whose log is being read
        self._timer = QTimer(self)
        self._timer.setInterval(PERIOD_MS)
        self._timer.timeout.connect(self.look)

    @property
    def run(self) -> LiveRun | None:
        """The run followed."""
        return self._run

    def follow(self, run: LiveRun | None) -> None:
        """Follow another run, or none. Only a run of another process that is under way is worth following."""
        self._run = run if _worth(run) else None
        if self._run is None:
            self._timer.stop()
        else:
            self._timer.start()

    def look(self) -> None:
        """Read what is new; one job at a time."""
        if self._run is None or self._asked is not None:
            return
        self._asked = self._run
        self._jobs.submit(read_new, self._run.folder, self._run.offset).then(self._read, self._failed)

    def _read(self, look: Look) -> None:
        run, self._asked = self._asked, None
        if run is None or run is not self._run:
            return  # another run is in view by now
        before = run.state
        run.renew(look)
        if look.restarted:
            self.renewed.emit(run)
        elif look.events:
            self.events.emit(look.events)
        if look.events or run.state is not before:
            self.changed.emit(run)
        if run.ended or (run.state is not before and not run.active):
            self.follow(None)
            self.ended.emit(run)

    def _failed(self, error: object) -> None:
        run, self._asked = self._asked, None
        if run is not None and run is self._run:
            log.info("%s cannot be followed any more: %s", run.path, error)
            self.follow(None)
            self.ended.emit(run)


def _worth(run: LiveRun | None) -> bool:
    return run is not None and run.from_disk and (run.active or run.state is State.QUEUED)
