"""What was set by hand for a model and its data: class order and preprocessing, offered when they are opened again."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from app.services.paths import config_dir
from core.errors import AppError
from core.files import read_json, write_json

log = logging.getLogger(__name__)

MOST = 100
FIELDS = ("classes_file", "preprocess_file")  # of DataOptions


class Pairings:
    """Remembers by the model's hash and the data's name; a file that cannot be read or written is none."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or config_dir() / "pairings.json"

    def remember(self, sha256: str, data: str, options: Any) -> None:
        """Note what `options` (of DataOptions) says beside the names; nothing said is forgotten."""
        known = self._read()
        key = _key(sha256, data)
        said = {name: getattr(options, name) for name in FIELDS if getattr(options, name)}
        if known.get(key, {}) == said:
            return
        known.pop(key, None)
        if said:
            known[key] = said
        try:
            write_json(self.path, dict(list(known.items())[-MOST:]))
        except OSError as error:
            log.warning("class order and preprocessing could not be remembered: %s", error)

    def recall(self, sha256: str, data: str) -> dict[str, str]:
        """Return the fields of DataOptions that were set by hand and whose files are still there."""
        found = self._read().get(_key(sha256, data), {})
        return {name: str(found[name]) for name in FIELDS if name in found and Path(found[name]).is_file()}

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            found = read_json(self.path) if self.path.exists() else {}
        except AppError as error:
            log.warning("what was set by hand before is not known: %s", error)
            return {}
        entries = found.items() if isinstance(found, dict) else ()
        return {str(key): said for key, said in entries if isinstance(said, dict)}


def _key(sha256: str, data: str) -> str:
    return f"{sha256} {data}"
