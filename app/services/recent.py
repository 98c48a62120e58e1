"""Which of the files and folders opened lately are still there: looked at in a worker, for a network may be slow."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.services.window_state import WindowState
from app.workers.jobs import Jobs

KINDS = ("model", "data", "export")
"""The kinds of recent entries that are places on a disk; runs are looked at when the list of runs is read."""


class RecentFiles(QObject):
    """`checked` comes whenever a look has ended. Has a worker of its own: a network that does not answer holds up
    nothing else.
    """  # noqa: D205

    checked = Signal()

    def __init__(self, window_state: WindowState, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = window_state
        self._jobs = Jobs(1, self, name="a look for recent files")
        self._looking = self._again = False
        window_state.recent_changed.connect(self._changed)
        self.look()

    @property
    def looking(self) -> bool:
        """Whether a look is under way."""
        return self._looking

    def look(self) -> None:
        """Look which entries are there; a second call while looking looks once more afterwards."""
        places = sorted({place for kind in KINDS for place in self._state.places(kind)})
        if self._looking:
            self._again = True
        elif places:
            self._looking, self._again = True, False
            handle = self._jobs.submit(found, places)
            handle.done.connect(self._state.set_found)
            handle.finished.connect(self._ended)

    def shutdown(self) -> bool:
        """End the worker."""
        return self._jobs.shutdown()

    def _changed(self, kind: str) -> None:
        if kind in KINDS:
            self.look()

    def _ended(self) -> None:
        self._looking = False
        if self._again:
            self.look()
        else:
            self.checked.emit()


def found(places: Iterable[str]) -> dict[str, bool]:
    """Return of each place whether it is there; runs in a worker."""
    return {place: _is_there(Path(place)) for place in places}


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a network that is away
        return False
