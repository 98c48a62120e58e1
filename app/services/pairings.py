"""What was said of a model and its data, offered when they are opened again, and what the user took as it is."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.services.paths import config_dir
from core.errors import AppError
from core.files import read_json, write_json

log = logging.getLogger(__name__)

MOST = 100
FILES = ("classes_file", "preprocess_file")  # of DataOptions
ARCH, ACCEPTED = "arch", "accepted"


class Pairings:
    """Remembers by the weights and the data's name; a file that cannot be read or written is none."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or config_dir() / "pairings.json"

    def remember(self, weights: str, data: str, options: Any, arch: str = "") -> None:
        """Note what `options` (of DataOptions) says beside the names, and the architecture that the user named."""
        said = {**{name: getattr(options, name) for name in FILES}, ARCH: arch}
        said[ACCEPTED] = self._of(weights, data).get(ACCEPTED)
        self._write(weights, data, {name: value for name, value in said.items() if value})

    def accept(self, weights: str, data: str, doubts: Sequence[str]) -> None:
        """Note that the user takes a pair as it is, though these sentences speak against it."""
        self._write(weights, data, {**self._of(weights, data), ACCEPTED: list(doubts)})

    def accepted(self, weights: str, data: str) -> tuple[str, ...]:
        """Return the doubts of a pair that the user took as it is."""
        said = self._of(weights, data).get(ACCEPTED)
        return tuple(map(str, said)) if isinstance(said, list) else ()

    def recall(self, weights: str, data: str) -> dict[str, str]:
        """Return what was set by hand: fields of DataOptions whose files are still there, and "arch"."""
        found = {name: str(value) for name, value in self._of(weights, data).items()}
        return {name: found[name] for name in (*FILES, ARCH)
                if name in found and (name == ARCH or Path(found[name]).is_file())}  # fmt: skip

    def _of(self, weights: str, data: str) -> dict[str, Any]:
        return self._read().get(_key(weights, data), {})

    def _write(self, weights: str, data: str, said: dict[str, Any]) -> None:
        """Keep what is said of a pair; nothing said is forgotten."""
        known = self._read()
        key = _key(weights, data)
        if known.get(key, {}) == said:
            return
        known.pop(key, None)
        if said:
            known[key] = said
        try:
            write_json(self.path, dict(list(known.items())[-MOST:]))
        except OSError as error:
            log.warning("class order and preprocessing could not be remembered: %s", error)

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            found = read_json(self.path) if self.path.exists() else {}
        except AppError as error:
            log.warning("what was set by hand before is not known: %s", error)
            return {}
        entries = found.items() if isinstance(found, dict) else ()
        return {str(key): said for key, said in entries if isinstance(said, dict)}


def _key(weights: str, data: str) -> str:
    return f"{weights} {data}"
