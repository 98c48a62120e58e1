"""The program among the system's applications: an entry and an icon in the user's own folders, on Linux. No Qt."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from core.errors import InputError, NotFoundError
from core.files import RESOURCES, read_text, write_atomic
from core.program import NAME

ENTRY, ICON = f"applications/{NAME}.desktop", f"icons/hicolor/scalable/apps/{NAME}.svg"
_QUOTED = re.compile(r'(["`$\\])')


def install() -> list[Path]:
    """Write entry and icon, for the command of this very installation; returns what was written.

    Raises InputError where the system has no such entries, and NotFoundError where the command is not there.
    """
    entry, icon = _places()
    command = Path(sys.executable).parent / f"{NAME}-gui"
    if not command.is_file():
        raise NotFoundError(f"There is no command {command}", "Install the program into this Python first, with pip")
    source = RESOURCES / "desktop"
    # As the specification has it: quoted for a shell first, then as any text of the file, and % doubled.
    quoted = _QUOTED.sub(r"\\\1", str(command)).replace("\\", "\\\\").replace("%", "%%")
    text = read_text(source / entry.name).replace(f"Exec={NAME}-gui", f'Exec="{quoted}"')
    for path, data in ((icon, (source / icon.name).read_bytes()), (entry, text.encode())):
        write_atomic(path, data)
    return [entry, icon]


def remove() -> list[Path]:
    """Remove entry and icon; returns what was there."""
    there = [path for path in _places() if path.exists()]
    for path in there:
        path.unlink()
    return there


def _places() -> tuple[Path, Path]:
    if not sys.platform.startswith("linux"):
        raise InputError(
            "Desktop entries are for Linux", "On Windows and macOS make a shortcut to the command unlearn-studio-gui"
        )
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return data / ENTRY, data / ICON
