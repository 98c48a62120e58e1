"""What was opened lately: which of it is still there, and how a person names it; looked at in a worker."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from PySide6.QtCore import QDate, QLocale, QObject, Signal

from app.services.run_words import describe_forget
from app.services.translation import locale, tr
from app.services.window_state import PLACES, WindowState
from app.workers.jobs import Jobs
from core.errors import AppError
from core.runs.folder import JOB, MODEL, MODEL_PT, RunFolder


class RecentFiles(QObject):
    """`checked` comes whenever a look has ended. Has a worker of its own: a network that does not answer holds up
    nothing else.
    """  # noqa: D205

    checked = Signal()

    def __init__(self, window_state: WindowState, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = window_state
        self._jobs = Jobs(1, self, name="a look for recent files")
        self.looking = False
        self._names: dict[str, str] = {}
        window_state.recent_changed.connect(self.look)
        self.look()

    def look(self) -> None:
        """Look which entries are there; of two looks the later one counts."""
        if places := sorted({place for kind in PLACES for place in self._state.places(kind)}):
            self.looking = True
            self._jobs.submit(found, places, key="look").then(self._found)

    def name(self, entry: str) -> str:
        """Name an entry as a person would: what a run here made by data, network and day, else by file and folder."""
        return self._names.get(entry) or file_name(entry)

    def shutdown(self) -> bool:
        """End the worker."""
        return self._jobs.shutdown()

    def _found(self, found: dict[str, str | None]) -> None:
        self._names = {place: name for place, name in found.items() if name}
        self._state.set_found({place: name is not None for place, name in found.items()})
        self.looking = False
        self.checked.emit()


def found(places: Iterable[str]) -> dict[str, str | None]:
    """Return of each place how a person names it, and None where it is not there; runs in a worker."""
    return {place: _named(Path(place)) for place in places}


def file_name(entry: str) -> str:
    """Name a file or folder with the folder it lies in; a data set known by name is named so."""
    path = Path(entry)
    return f"{path.name} – {path.parent.name}" if path.parent.name else entry


def _named(path: Path) -> str | None:
    try:
        if not path.exists():
            return None
        run = RunFolder(path if path.is_dir() else path.parent)
        made = path.is_dir() or path.name in (MODEL, MODEL_PT)
        return _made_here(run) if made and run.exists else file_name(str(path))
    except (AppError, OSError):  # a network that is away, a run that cannot be read
        return file_name(str(path)) if path.name else None


def _made_here(run: RunFolder) -> str:
    job = run.job()
    what = f"{Path(job.data.spec).name} {job.model.architecture}"
    if job.kind == "unlearn":
        what = tr("{model} without {forgotten}", model=what, forgotten=describe_forget(job))
    return f"{what} – {day(run.file(JOB).stat().st_mtime)}"


def day(when: float) -> str:
    """Name the day of a time (seconds since the epoch): today, yesterday, or its date."""
    then = date.fromtimestamp(when)
    ago = (date.today() - then).days
    if ago in (0, 1):
        return tr("today") if ago == 0 else tr("yesterday")
    return locale().toString(QDate(then.year, then.month, then.day), QLocale.FormatType.ShortFormat)
