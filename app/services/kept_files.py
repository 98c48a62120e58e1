"""The program's own small files, read so that none of them keeps the window from starting: a damaged one is set aside.

Whatever stands in the place of such a file (rubbish, another document, a folder, a pipe) is renamed, not written over:
what a person wrote into it can be taken back from there.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TypeVar

from app.services.translation import tr
from core.errors import InputError
from core.files import read_json, read_text

log = logging.getLogger(__name__)

Kind = TypeVar("Kind")
MOST_ASIDE = 100  # of one name


def read_kept(path: Path, kind: type[Kind]) -> tuple[Kind | None, str]:
    """Return what a file holds, None where there is none or it is damaged, and what to say of a damaged one."""
    if not os.path.lexists(path):
        return None, ""
    try:
        return read_json(path, kind), ""
    except InputError as error:
        return None, set_aside(path, error.message)


def set_aside(path: Path, why: str) -> str:
    """Rename what stands in the place of a file of the program's, and return what to say: why, and where it is."""
    log.warning("%s", why)
    for number in range(1, MOST_ASIDE):
        more = f"-{number}" if number > 1 else ""
        aside = path.with_name(f"{path.stem}.damaged{more}{path.suffix}")
        if os.path.lexists(aside):
            continue
        try:
            path.rename(aside)
        except OSError as error:
            log.warning("%s stays where it is: %s", path, error)
            break
        return tr("{why} It is kept as {name}.", why=why, name=aside.name)
    return tr("{why} It stays where it is, and nothing is kept in its place.", why=why)


def clear_place(path: Path, most: int) -> str:
    """Have no other thing stand where a library reads and writes a text file: what is none, or larger, is set aside.

    Returns what to say of it. The library opens what is there by itself, and a pipe would hold it for ever.
    """
    if not os.path.lexists(path):
        return ""
    try:
        text = read_text(path, most)
    except InputError as error:
        return set_aside(path, error.message)
    return set_aside(path, tr("{file} is damaged.", file=path)) if "\0" in text else ""
