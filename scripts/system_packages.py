"""Names the system packages that Qt or the tests need and this Linux machine lacks, one a line.

Asks the dynamic loader (`ldd`) about the Qt that is installed in the virtual environment, so the answer
follows the Qt version instead of a list that grows old. Called by setup.sh; standard library only.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

MANAGERS = ("apt-get", "dnf", "pacman")

# Library -> the package that holds it, per manager. Newer Debian adds t64 to some names; apt knows both.
PACKAGES: dict[str, tuple[str, str, str]] = {
    "libEGL.so.1": ("libegl1", "libglvnd-egl", "libglvnd"),
    "libGL.so.1": ("libgl1", "libglvnd-glx", "libglvnd"),
    "libGLX.so.0": ("libgl1", "libglvnd-glx", "libglvnd"),
    "libOpenGL.so.0": ("libopengl0", "libglvnd-opengl", "libglvnd"),
    "libGLdispatch.so.0": ("libgl1", "libglvnd", "libglvnd"),
    "libxkbcommon.so.0": ("libxkbcommon0", "libxkbcommon", "libxkbcommon"),
    "libdbus-1.so.3": ("libdbus-1-3", "dbus-libs", "dbus"),
    "libfontconfig.so.1": ("libfontconfig1", "fontconfig", "fontconfig"),
    "libfreetype.so.6": ("libfreetype6", "freetype", "freetype2"),
    "libglib-2.0.so.0": ("libglib2.0-0", "glib2", "glib2"),
    "libgthread-2.0.so.0": ("libglib2.0-0", "glib2", "glib2"),
    "libzstd.so.1": ("libzstd1", "libzstd", "zstd"),
    "libz.so.1": ("zlib1g", "zlib-ng-compat", "zlib"),
    "libatomic.so.1": ("libatomic1", "libatomic", "gcc-libs"),
    "libX11.so.6": ("libx11-6", "libX11", "libx11"),
    "libX11-xcb.so.1": ("libx11-xcb1", "libX11-xcb", "libx11"),
    "libSM.so.6": ("libsm6", "libSM", "libsm"),
    "libICE.so.6": ("libice6", "libICE", "libice"),
    "libxcb.so.1": ("libxcb1", "libxcb", "libxcb"),
    "libxcb-cursor.so.0": ("libxcb-cursor0", "xcb-util-cursor", "xcb-util-cursor"),
    "libxcb-glx.so.0": ("libxcb-glx0", "libxcb", "libxcb"),
    "libxcb-icccm.so.4": ("libxcb-icccm4", "xcb-util-wm", "xcb-util-wm"),
    "libxcb-image.so.0": ("libxcb-image0", "xcb-util-image", "xcb-util-image"),
    "libxcb-keysyms.so.1": ("libxcb-keysyms1", "xcb-util-keysyms", "xcb-util-keysyms"),
    "libxcb-randr.so.0": ("libxcb-randr0", "libxcb", "libxcb"),
    "libxcb-render.so.0": ("libxcb-render0", "libxcb", "libxcb"),
    "libxcb-render-util.so.0": ("libxcb-render-util0", "xcb-util-renderutil", "xcb-util-renderutil"),
    "libxcb-shape.so.0": ("libxcb-shape0", "libxcb", "libxcb"),
    "libxcb-shm.so.0": ("libxcb-shm0", "libxcb", "libxcb"),
    "libxcb-sync.so.1": ("libxcb-sync1", "libxcb", "libxcb"),
    "libxcb-util.so.1": ("libxcb-util1", "xcb-util", "xcb-util"),
    "libxcb-xfixes.so.0": ("libxcb-xfixes0", "libxcb", "libxcb"),
    "libxcb-xkb.so.1": ("libxcb-xkb1", "libxcb", "libxcb"),
    "libxkbcommon-x11.so.0": ("libxkbcommon-x11-0", "libxkbcommon-x11", "libxkbcommon-x11"),
    "libwayland-client.so.0": ("libwayland-client0", "libwayland-client", "wayland"),
    "libwayland-cursor.so.0": ("libwayland-cursor0", "libwayland-cursor", "wayland"),
    "libwayland-egl.so.1": ("libwayland-egl1", "libwayland-egl", "wayland"),
}
FONT = ("fonts-dejavu-core", "dejavu-sans-fonts", "ttf-dejavu")

ALWAYS = ("QtGui.abi3.so", "QtWidgets.abi3.so", "QtSvg.abi3.so", "Qt/plugins/platforms/libqoffscreen.so")
XCB, WAYLAND = "Qt/plugins/platforms/libqxcb.so", "Qt/plugins/platforms/libqwayland.so"

FONT_KINDS = ("ttf", "otf", "ttc", "pfb")
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts")
DATASETS = Path("/usr/share/datasets")


def missing_libraries(ldd_output: str) -> set[str]:
    """Return the libraries that the loader did not find, from the text `ldd` prints."""
    return set(re.findall(r"^\s*(\S+) => not found", ldd_output, flags=re.MULTILINE))


def packages_for(libraries: Iterable[str], manager: str) -> list[str]:
    """Return the packages that hold the known `libraries`, sorted; the libraries for other managers."""
    if manager not in MANAGERS:
        return sorted(libraries)
    column = MANAGERS.index(manager)
    return sorted({PACKAGES[name][column] for name in libraries if name in PACKAGES})


def needed(manager: str, *, tests: bool) -> list[str]:
    """Return the packages without which the window cannot open here (tests open it on X, too)."""
    files = list(ALWAYS)
    if tests or os.environ.get("DISPLAY"):
        files.append(XCB)
    if os.environ.get("WAYLAND_DISPLAY"):
        files.append(WAYLAND)
    libraries = missing_libraries(_ldd(files))
    packages = packages_for(libraries, manager)
    for name in sorted(libraries - PACKAGES.keys()):
        sys.stderr.write(f"Qt also needs {name}, and the package that holds it is not known here.\n")
    if not _has_font():
        packages.append(FONT[MANAGERS.index(manager)] if manager in MANAGERS else "a TrueType font")
    return packages


def useful(manager: str) -> list[str]:
    """Return the packages some tests use and are skipped without: a display, an example data set, a C compiler."""
    names = []
    if shutil.which("cc") is None:  # what stands between the program and the disk, and lets its calls fail
        names += {"apt-get": ["gcc", "libc6-dev"]}.get(manager, ["gcc"])
    if shutil.which("Xvfb") is None:
        names.append({"apt-get": "xvfb", "dnf": "xorg-x11-server-Xvfb"}.get(manager, "xorg-server-xvfb"))
    if manager == "apt-get" and not (DATASETS / "fashion-mnist").is_dir():
        names.append("dataset-fashion-mnist")
    return names


def _ldd(files: Iterable[str]) -> str:
    """Return what `ldd` says about these files of the installed PySide6; nothing where either is absent."""
    found = importlib.util.find_spec("PySide6")
    if found is None or found.origin is None or shutil.which("ldd") is None:
        return ""
    folder = Path(found.origin).parent
    paths = [str(folder / name) for name in files if (folder / name).exists()]
    if not paths:
        return ""
    return subprocess.run(["ldd", *paths], capture_output=True, text=True, check=False).stdout


def _has_font() -> bool:
    folders = (Path(name).expanduser() for name in FONT_FOLDERS)
    return any(next(folder.rglob(f"*.{kind}"), None) for folder in folders for kind in FONT_KINDS)


def main(argv: list[str] | None = None) -> int:
    """Print the packages of one group, one a line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("group", choices=("needed", "useful"))
    parser.add_argument("--manager", default="apt-get", help="apt-get, dnf or pacman")
    parser.add_argument("--tests", action="store_true", help="also what a window on a virtual display needs")
    options = parser.parse_args(argv)
    useful_only = options.group == "useful"
    for name in useful(options.manager) if useful_only else needed(options.manager, tests=options.tests):
        sys.stdout.write(f"{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
