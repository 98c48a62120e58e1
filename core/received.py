"""Files that a job names by their path on the machine it was made on, where another machine runs it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from core.files import data_home, file_sha256


def received_file(path: str | Path) -> Path:
    """Return where a file of another machine's is kept on this one; those of one folder lie together."""
    there = Path(path)
    return data_home() / "received" / hashlib.sha256(os.fsencode(there.parent)).hexdigest()[:24] / there.name


def located(path: str, sha256: str = "") -> str:
    """Return the path of a file that a job names: as it stands there, or where this machine has received it.

    `sha256` decides where both are there. Where neither is, the path is returned as it is, for an error that names it.
    """
    if not path:
        return path
    places = [place for place in (Path(path), received_file(path)) if place.is_file()]
    if len(places) > 1 and sha256:
        places = [place for place in places if file_sha256(place) == sha256] or places
    return str(places[0]) if places else path
