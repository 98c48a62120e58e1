"""Where the window was, its switches, and what was opened lately: kept in QSettings, never trusted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from PySide6.QtCore import QByteArray, QDate, QLocale, QObject, QSettings, Signal
from PySide6.QtWidgets import QSplitter, QWidget

from app.services.kept_files import clear_place
from app.services.run_words import describe_forget
from app.services.translation import locale, tr
from app.workers.jobs import Jobs
from core.errors import AppError
from core.files import home
from core.runs.folder import JOB, MODEL, MODEL_PT, RunFolder

VERSION = 1
MOST_RECENT = 10
MOST_BYTES = 1 << 20  # of the file
PLACES = ("model", "data", "export")  # kinds of recent entries that are places on a disk


class WindowState(QObject):
    """Geometry, splitter positions and recent files.

    Whether recent files are still there, and how a person names them, is looked up in a worker of its own: a network
    that does not answer holds up nothing else.
    """

    recent_changed = Signal()  # of places, or of what is known of them

    def __init__(self, path: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        file = path or home("config") / "window.ini"
        damage = clear_place(file, MOST_BYTES)
        # What was wrong with the file, for the window to show once.
        self.warning = tr("Recent files and the window's places are not known. {error}", error=damage) if damage else ""
        self._settings = QSettings(str(file), QSettings.Format.IniFormat, self)
        self._jobs = Jobs(1, self, name="a look for recent files")
        self._found: dict[str, str | None] = {}  # names of places at the last look; None: it is not there
        if self._number("version", 0) != VERSION:
            self._settings.clear()
            self._settings.setValue("version", VERSION)
        self.look()

    def save_window(self, window: QWidget) -> None:
        """Remember where a window is."""
        self._settings.setValue("window/geometry", window.saveGeometry())

    def restore_window(self, window: QWidget) -> bool:
        """Put a window back, on a screen that is there; False (and nothing done) where there is nothing usable."""
        data = self._settings.value("window/geometry")
        return isinstance(data, QByteArray) and window.restoreGeometry(data)

    def keep_splitter(self, name: str, splitter: QSplitter) -> None:
        """Give a splitter, which has its parts, the sizes it had, and remember what it is moved to."""
        key = f"splitter/{name}"
        data = self._settings.value(key)
        if isinstance(data, QByteArray):
            splitter.restoreState(data)
        splitter.splitterMoved.connect(lambda *_: self._settings.setValue(key, splitter.saveState()))

    def flag(self, name: str, default: bool = False) -> bool:
        """A remembered switch, such as whether the log panel is shown."""
        return bool(self._number(f"flag/{name}", int(default)))

    def set_flag(self, name: str, value: bool) -> None:
        self._settings.setValue(f"flag/{name}", int(value))

    def recent(self, kind: str) -> list[str]:
        """Recent entries of a kind ("model", "data", "run"), newest first.

        What was not there at the last look is left out.
        """
        return [entry for entry in self._list(f"recent/{kind}") if self._found.get(entry, "") is not None]

    def name(self, entry: str) -> str:
        """Name an entry as a person would: what a run here made by data, network and day, else by file and folder."""
        return self._found.get(entry) or file_name(entry)

    def recent_folder(self, kind: str) -> str:
        """The folder of the newest entry that is known to be there; "" without one."""
        return next((str(Path(entry).parent) for entry in self._list(f"recent/{kind}") if self._found.get(entry)), "")

    def add_recent(self, kind: str, entry: str) -> None:
        """Put an entry on top, also of those that another window has put there since."""
        self._found.pop(entry, None)  # it was just opened
        self._settings.sync()
        entries = [entry, *(old for old in self._list(f"recent/{kind}") if old != entry)]
        self._settings.setValue(f"recent/{kind}", entries[:MOST_RECENT])
        self._settings.sync()
        if kind in PLACES:
            self.recent_changed.emit()
            self.look()

    def look(self) -> None:
        """Look which places are there; of two looks the later one counts."""
        places = {entry for kind in PLACES for entry in self._list(f"recent/{kind}") if "/" in entry or "\\" in entry}
        if places:  # data sets may also be named: "digits"
            self._jobs.submit(found, sorted(places), key="look").then(self._looked)

    def shutdown(self) -> bool:
        """End the worker."""
        return self._jobs.shutdown()

    def _looked(self, found: dict[str, str | None]) -> None:
        self._found = found
        self.recent_changed.emit()

    def sync(self) -> None:
        self._settings.sync()

    def _list(self, name: str) -> list[str]:
        value = self._settings.value(name)
        if isinstance(value, str):
            return [value] if value else []
        return [str(item) for item in value] if isinstance(value, list) else []

    def _number(self, name: str, default: int) -> int:
        try:
            return int(str(self._settings.value(name, default)))
        except ValueError:
            return default


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
