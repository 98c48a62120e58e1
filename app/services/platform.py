"""What must be there before Qt starts: on Linux the libraries of its xcb platform, whose absence aborts the process."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from core.errors import AppError

XCB_LIBRARIES = {  # of the xcb platform, and the packages that hold them: Debian, Fedora
    "libxcb-cursor.so.0": ("libxcb-cursor0", "xcb-util-cursor"),
    "libxcb-icccm.so.4": ("libxcb-icccm4", "xcb-util-wm"),
    "libxcb-image.so.0": ("libxcb-image0", "xcb-util-image"),
    "libxcb-keysyms.so.1": ("libxcb-keysyms1", "xcb-util-keysyms"),
    "libxcb-render-util.so.0": ("libxcb-render-util0", "xcb-util-renderutil"),
    "libxcb-shape.so.0": ("libxcb-shape0", "libxcb"),
    "libxcb-xkb.so.1": ("libxcb-xkb1", "libxcb"),
    "libxkbcommon-x11.so.0": ("libxkbcommon-x11-0", "libxkbcommon-x11"),
    "libxkbcommon.so.0": ("libxkbcommon0", "libxkbcommon"),
    "libEGL.so.1": ("libegl1", "libglvnd-egl"),
    "libGL.so.1": ("libgl1", "libglvnd-glx"),
    "libfontconfig.so.1": ("libfontconfig1", "fontconfig"),
    "libdbus-1.so.3": ("libdbus-1-3", "dbus-libs"),
}


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


def missing_libraries(load: Callable[[str], object] = ctypes.CDLL) -> list[str]:
    """Return the libraries of the xcb platform that cannot be loaded."""
    missing = []
    for file in XCB_LIBRARIES:
        try:
            load(file)
        except OSError:
            missing.append(file)
    return missing


def check_platform() -> None:
    """Raise PlatformError where Qt would abort the process."""
    missing = missing_libraries() if uses_xcb() else []
    if missing:
        raise PlatformError(f"The window needs {', '.join(missing)}, which this system lacks", install_hint(missing))


def install_hint(missing: list[str], release: Path = Path("/etc/os-release")) -> str:
    """Return the line to type for the packages, by distribution."""
    text = release.read_text(encoding="utf-8").lower() if release.is_file() else ""
    fedora = any(name in text for name in ("fedora", "rhel", "suse"))
    packages = " ".join(dict.fromkeys(XCB_LIBRARIES[file][fedora] for file in missing))
    return f"Install them with: sudo {'dnf' if fedora else 'apt'} install {packages}"
