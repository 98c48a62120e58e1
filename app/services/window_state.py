"""Where the window was, what was open lately, which commands were used: kept in QSettings, never trusted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import QByteArray, QObject, QRect, QSettings, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QSplitter, QWidget

from core.files import home

VERSION = 1
MOST_RECENT = 10
PLACES = ("model", "data", "export")  # kinds of recent entries that are places on a disk
_VISIBLE_PART = 64  # a window with less of it on a screen cannot be reached


class WindowState(QObject):
    """Geometry, splitter positions, recent files and commands."""

    recent_changed = Signal()  # of places

    def __init__(self, path: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        file = path or home("config") / "window.ini"
        self._settings = QSettings(str(file), QSettings.Format.IniFormat, self)
        self._found: dict[str, bool] = {}  # of places on a disk: whether they were there at the last look
        if self._number("version", 0) != VERSION:
            self._settings.clear()
            self._settings.setValue("version", VERSION)

    def save_window(self, window: QWidget) -> None:
        """Remember where a window is."""
        self._settings.setValue("window/geometry", window.saveGeometry())

    def restore_window(self, window: QWidget) -> bool:
        """Put a window back; False (and nothing done) where there is nothing usable or it would be off-screen."""
        data = self._settings.value("window/geometry")
        there = isinstance(data, QByteArray) and window.restoreGeometry(data)
        return there and on_a_screen(window.frameGeometry())

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
        """Recent entries of a kind ("model", "data", "run", "command"), newest first.

        What was not there at the last look is left out. Asks no disk: `RecentFiles` looks, in a worker.
        """
        return [entry for entry in self._list(f"recent/{kind}") if self._found.get(entry, True)]

    def places(self, kind: str) -> list[str]:
        """All entries of a kind that are places on a disk, whether there or not."""
        return [entry for entry in self._list(f"recent/{kind}") if _is_path(entry)]

    def is_there(self, entry: str) -> bool:
        """Tell whether a place was there at the last look; False while nobody has looked."""
        return self._found.get(entry, False)

    def recent_folder(self, kind: str) -> str:
        """The folder of the newest entry that is known to be there; "" without one."""
        return next((str(Path(entry).parent) for entry in self.places(kind) if self.is_there(entry)), "")

    def set_found(self, found: Mapping[str, bool]) -> None:
        """Note of places whether they are there."""
        self._found = dict(found)

    def add_recent(self, kind: str, entry: str) -> None:
        """Put an entry on top."""
        self._found.pop(entry, None)  # it was just opened
        entries = [entry, *(old for old in self._list(f"recent/{kind}") if old != entry)]
        self._settings.setValue(f"recent/{kind}", entries[:MOST_RECENT])
        if kind in PLACES:
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


def on_a_screen(frame: QRect) -> bool:
    """Tell whether enough of a window's frame lies on a screen to be seen and moved."""
    parts = (screen.availableGeometry().intersected(frame) for screen in QGuiApplication.screens())
    return any(min(part.width(), part.height()) >= _VISIBLE_PART for part in parts)


def _is_path(entry: str) -> bool:
    return "/" in entry or "\\" in entry  # data sets may also be named: "digits"
