"""Icon drawings as SVG text; and, for the style sheet, which can only name files, files that are in memory."""

from __future__ import annotations

import functools
import itertools
import struct
from collections.abc import Mapping

from PySide6.QtCore import qRegisterResourceData

from app.services.paths import resources_dir

# A filled dot inside a checked radio button; not an icon of the family.
_DOT = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
    '<circle cx="8" cy="8" r="3.6" fill="currentColor"/></svg>'
)
_numbers = itertools.count(1)
_registered: list[tuple[bytes, bytes, bytes]] = []  # Qt reads them where they are


@functools.cache
def svg_text(name: str) -> str:
    """Return the SVG of an icon; raises KeyError for a name that has no drawing."""
    if name == "dot":
        return _DOT
    path = resources_dir() / "icons" / f"{name}.svg"
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise KeyError(f"there is no icon {name!r}") from error


def tinted(name: str, colour: str) -> str:
    """Return an icon's SVG in one colour."""
    return svg_text(name).replace("currentColor", colour)


def files_in_memory(contents: Mapping[str, bytes]) -> str:
    """Give Qt files to read that are on no disk, which may be full; return the folder they are in, a ":/…".

    They are laid out as Qt's resource compiler does: a tree of entries that are in the order of their names' hashes,
    the names, and the data, with lengths and places as big-endian numbers.
    """
    folder = f"theme-{next(_numbers)}"
    files = sorted(contents, key=_hash)
    places, names, data = {}, b"", b""
    for name in (folder, *files):
        places[name] = len(names)
        names += struct.pack(">HI", len(name), _hash(name)) + name.encode("utf-16-be")
    tree = struct.pack(">IHIIQ", 0, 2, 1, 1, 0) + struct.pack(">IHIIQ", places[folder], 2, len(files), 2, 0)
    for name in files:
        tree += struct.pack(">IHHHIQ", places[name], 0, 0, 1, len(data), 0)
        data += struct.pack(">I", len(contents[name])) + contents[name]
    _registered.append((tree, names, data))
    qRegisterResourceData(3, tree, names, data)
    return f":/{folder}"


def _hash(name: str) -> int:
    value = 0
    for letter in name:
        value = (value << 4) + ord(letter)
        value = (value ^ (value & 0xF0000000) >> 23) & 0x0FFFFFFF
    return value
