"""What must be there before Qt starts: on Linux the libraries of its xcb platform, whose absence aborts the process."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.errors import AppError


@dataclass(frozen=True)
class Library:
    """A library of the xcb platform and the packages that hold it."""

    file: str
    debian: str
    fedora: str


XCB_LIBRARIES = (
    Library("libxcb-cursor.so.0", "libxcb-cursor0", "xcb-util-cursor"),
    Library("libxcb-icccm.so.4", "libxcb-icccm4", "xcb-util-wm"),
    Library("libxcb-image.so.0", "libxcb-image0", "xcb-util-image"),
    Library("libxcb-keysyms.so.1", "libxcb-keysyms1", "xcb-util-keysyms"),
    Library("libxcb-render-util.so.0", "libxcb-render-util0", "xcb-util-renderutil"),
    Library("libxcb-shape.so.0", "libxcb-shape0", "libxcb"),
    Library("libxcb-xkb.so.1", "libxcb-xkb1", "libxcb"),
    Library("libxkbcommon-x11.so.0", "libxkbcommon-x11-0", "libxkbcommon-x11"),
    Library("libxkbcommon.so.0", "libxkbcommon0", "libxkbcommon"),
    Library("libEGL.so.1", "libegl1", "libglvnd-egl"),
    Library("libGL.so.1", "libgl1", "libglvnd-glx"),
    Library("libfontconfig.so.1", "libfontconfig1", "fontconfig"),
    Library("libdbus-1.so.3", "libdbus-1-3", "dbus-libs"),
)


class PlatformError(AppError):
    """Qt cannot start here; the message names what is missing and how to install it."""


def uses_xcb(environment: Mapping[str, str] = os.environ, system: str = sys.platform) -> bool:
    """Tell whether Qt will take its xcb platform."""
    if not system.startswith("linux"):
        return False
    chosen = environment.get("QT_QPA_PLATFORM", "")
    if chosen:
        return chosen.split(";")[0].split(":")[0] == "xcb"
    return bool(environment.get("DISPLAY")) and not environment.get("WAYLAND_DISPLAY")


def missing_libraries(load: Callable[[str], object] = ctypes.CDLL) -> list[Library]:
    """Return the libraries of the xcb platform that cannot be loaded."""
    missing = []
    for library in XCB_LIBRARIES:
        try:
            load(library.file)
        except OSError:
            missing.append(library)
    return missing


def check_platform() -> None:
    """Raise PlatformError where Qt would abort the process."""
    if uses_xcb():
        missing = missing_libraries()
        if missing:
            names = ", ".join(library.file for library in missing)
            raise PlatformError(f"The window needs {names}, which this system lacks", install_hint(missing))


def install_hint(missing: list[Library], release: Path = Path("/etc/os-release")) -> str:
    """Return the line to type for the packages, by distribution."""
    try:
        text = release.read_text(encoding="utf-8").lower()
    except OSError:
        text = ""
    if "fedora" in text or "rhel" in text or "suse" in text or "arch" in text.split("id=")[-1][:8]:
        packages = " ".join(dict.fromkeys(library.fedora for library in missing))
        return f"Install them with: sudo dnf install {packages}"
    packages = " ".join(dict.fromkeys(library.debian for library in missing))
    return f"Install them with: sudo apt install {packages}"
