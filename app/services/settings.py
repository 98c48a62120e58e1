"""What the user prefers, in a file with a schema version; and which doubtful pairs of model and data were accepted."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.services.kept_files import read_kept, set_aside
from app.services.tokens import Scheme
from app.services.translation import Language, tr
from core.files import home, write_json

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Preferences:
    """All settings with their defaults; the dialog of preferences has a field for each."""

    scheme: Scheme = "system"
    language: Language = "system"  # takes effect at the next start
    data_root: str = ""  # where data sets are looked for; "" is the data folder
    runs_folder: str = ""  # where new runs go; "" is below the data folder
    device: str = "auto"
    launcher: str = "thread"  # what starts runs: a core.job.Launcher in words
    threads: int = 0  # 0: all physical cores but one
    monitoring_budget: float = 0.1
    checkpoint_seconds: float = 20.0  # of a run, between two checkpoints
    thumbnail_size: int = 96
    restore_project: bool = True  # open the last model and data at the start
    confirm_discard: bool = True  # ask before a run is discarded
    confirm_trash: bool = True  # ask before runs are moved to the trash
    schema_version: int = SCHEMA_VERSION


class Settings(QObject):
    """The preferences in use; `change` writes the file and says which ones changed."""

    changed = Signal(list)

    def __init__(self, path: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.path = path or home("config") / "settings.json"
        self.values, self._problem = self._read()

    @property
    def warning(self) -> str:
        """What was wrong with the file, for the window to show once."""
        if not self._problem:
            return ""
        return tr("The settings file could not be read, so defaults are used. {error}", error=self._problem)

    def change(self, **values: Any) -> None:
        """Set some preferences and write the file; a file that cannot be written is a warning, not an error.

        What another window has set since then stays in the file.
        """
        new = dataclasses.replace(self.values, **values)
        names = [name for name in values if getattr(new, name) != getattr(self.values, name)]
        if not names:
            return
        self.values = new
        try:
            write_json(self.path, dataclasses.replace(self._read()[0], **values))
        except OSError as error:
            log.warning("settings could not be written: %s", error)
        self.changed.emit(names)

    def _read(self) -> tuple[Preferences, str]:
        """Return what is in the file, defaults where nothing is, and what to say of a file that cannot be read."""
        found, problem = read_kept(self.path, Preferences)
        if found is not None and found.schema_version != SCHEMA_VERSION:
            why = tr("It has schema version {version}, which this version does not read.", version=found.schema_version)
            found, problem = None, set_aside(self.path, why)
        return found or Preferences(), problem


MOST_PAIRS = 100


@dataclass(frozen=True)
class _Accepted:
    """What was said against a pair that the user took as it is."""

    accepted: tuple[str, ...]


class Pairings:
    """What the user takes as it is, by the weights and the data's name; a file that cannot be read is none."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or home("config") / "pairings.json"

    def accept(self, weights: str, data: str, doubts: Sequence[str]) -> None:
        """Note that the user takes a pair as it is, though these sentences speak against it."""
        known, key = self._read(), f"{weights} {data}"
        known.pop(key, None)  # it becomes the newest
        newest = [*known.items(), (key, _Accepted(tuple(doubts)))][-MOST_PAIRS:]
        try:
            write_json(self.path, dict(newest))
        except OSError as error:
            log.warning("what was taken as it is could not be remembered: %s", error)

    def accepted(self, weights: str, data: str) -> tuple[str, ...]:
        """Return the doubts of a pair that the user took as it is."""
        said = self._read().get(f"{weights} {data}")
        return said.accepted if said is not None else ()

    def _read(self) -> dict[str, _Accepted]:
        return read_kept(self.path, dict[str, _Accepted])[0] or {}
