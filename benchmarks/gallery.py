"""The Forget page at scale: a million images, 21,000 classes, and a folder of 100,000 JPEGs.

    python -m benchmarks.gallery [--quick] [--json]

Real widgets in a window without a screen. A million made-up images (with --quick 100,000) are opened, marked, filtered
and ordered; each time is the median of five until the window has drawn it, and the longest that one event held the
window up is reported, too. Then a folder of JPEGs (with --quick 5,000) is indexed by the window's own opening job while
a 10 ms timer notes its delays, opened again, and scrolled through. Each part has a process of its own.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.common import arguments, report
from benchmarks.gallery_choosing import choosing
from benchmarks.gallery_folder import folder
from benchmarks.scaling import SIDE, make_up

IMAGES, QUICK_IMAGES = 1_000_000, 100_000
FEW_CLASSES, MANY_CLASSES = 10, 21_000
FILES, QUICK_FILES = 100_000, 5_000

LIMITS = {
    "open_ms": 100, "select_all_ms": 50, "select_all_images_ms": 50, "invert_ms": 50, "class_toggle_ms": 50,
    "lasso_ms": 100, "undo_ms": 50, "save_list_seconds": 1, "index_lateness_p99_ms": 16, "open_again_seconds": 1,
    "thumbnails_p95_ms": 200,
}  # fmt: skip


def main() -> None:
    options = arguments(__doc__ or "")
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    images = QUICK_IMAGES if options.quick else IMAGES
    files = QUICK_FILES if options.quick else FILES
    few = _alone(choosing, images, FEW_CLASSES)
    many = _alone(choosing, images, MANY_CLASSES)
    with tempfile.TemporaryDirectory() as root:
        make_up(Path(root), files)
        streamed = _alone(folder, root)
    figures: dict[str, Any] = {"images": images, **few, "many_classes": many, "files": files, "folder": streamed}
    rows = [["", f"{FEW_CLASSES} classes", f"{MANY_CLASSES:,} classes", "at most"]]
    rows += _rows(few, many)
    rows.append([f"{files:,} JPEGs of {SIDE}×{SIDE}, streamed", "", "", ""])
    rows += [[_words(key), f"{value:,}", "", _limit(key)] for key, value in streamed.items()]
    report(f"Forget page with {images:,} images", figures, rows, options)


def _alone(work: Callable[..., dict[str, Any]], *args: Any) -> dict[str, Any]:
    """Do something in a process of its own, with a home of its own."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["UNLEARN_STUDIO_HOME"] = home
        spawn = multiprocessing.get_context("spawn")
        ours, theirs = spawn.Pipe(duplex=False)
        process = spawn.Process(target=_send, args=(theirs, work, *args, home))
        process.start()
        theirs.close()
        try:
            figures: dict[str, Any] | str = ours.recv()
        except EOFError:
            process.join()
            said = "\n".join(path.read_text() for path in Path(home).rglob("*.log"))  # a native crash, too
            raise SystemExit(f"{work.__name__} ended with {process.exitcode}, without figures.\n{said}") from None
        process.join()
        if isinstance(figures, str):
            raise SystemExit(figures)
    return figures


def _send(connection: Connection, work: Callable[..., dict[str, Any]], *args: Any) -> None:
    """Send the figures, or how the work failed, and end at once: a window that is left open is not waited for."""
    try:
        connection.send(work(*args))
    except BaseException:
        connection.send(traceback.format_exc())
    connection.close()
    os._exit(0)


def _rows(few: dict[str, Any], many: dict[str, Any]) -> list[list[str]]:
    found = []
    for key, value in few.items():
        if key == "longest_block_ms":
            blocks = [", ".join(f"{name} {ms:.0f}" for name, ms in list(part[key].items())[:2]) for part in (few, many)]
            found.append(["window held up, longest, ms", *blocks, ""])
        elif isinstance(value, dict):
            what = key.removesuffix("_ms")
            pairs = ((name, value[name], many[key][name]) for name in value)
            found += [[f"{what}: {_words(name)}, ms", f"{one:,}", f"{other:,}", ""] for name, one, other in pairs]
        else:
            found.append([_words(key), f"{value:,}", f"{many[key]:,}", _limit(key)])
    return found


def _words(key: str) -> str:
    for ending, unit in (("_ms", "ms"), ("_seconds", "seconds"), ("_megabytes", "MB")):
        if key.endswith(ending):
            return f"{key.removesuffix(ending).replace('_', ' ')}, {unit}"
    return key.replace("_", " ")


def _limit(key: str) -> str:
    return str(LIMITS[key]) if key in LIMITS else ""


if __name__ == "__main__":
    main()
