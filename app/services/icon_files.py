"""Icon drawings as SVG text, and tinted copies on disk for the style sheet (which can only name files)."""

from __future__ import annotations

import functools
import logging
import tempfile
from pathlib import Path

from app.services.paths import cache_dir, resources_dir

log = logging.getLogger(__name__)

# A filled dot inside a checked radio button; not an icon of the family.
_DOT = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
    '<circle cx="8" cy="8" r="3.6" fill="currentColor"/></svg>'
)


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


def tinted_file(name: str, colour: str) -> Path:
    """Return the path of a tinted copy, written once into the cache folder."""
    folder = _folder()
    path = folder / f"{name}-{colour.lstrip('#')}.svg"
    text = tinted(name, colour)
    try:
        if path.read_text(encoding="utf-8") == text:
            return path
    except OSError:
        pass
    path.write_text(text, encoding="utf-8")
    return path


def _folder() -> Path:
    folder = cache_dir() / "theme"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        return folder
    except OSError as error:  # a read-only home must not stop the window
        log.warning("theme images go to a temporary folder: %s", error)
        return Path(_temporary().name)


@functools.cache
def _temporary() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="unlearn-studio-theme-")
