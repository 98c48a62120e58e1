"""Part of the gallery's benchmark: a folder of many JPEGs that are streamed, indexed, opened again and scrolled."""

from __future__ import annotations

import os
import statistics
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.common import anonymous_memory
from benchmarks.gallery_window import Window

OPENED_AGAIN = 5
SCROLLS = 24
PASSED = 12  # places the gallery passes before a scroll stops
LOST = 60.0  # seconds until a thumbnail that does not come is given up
LOOKS = 0.05  # seconds between two looks at the memory


def folder(root: str, home: str) -> dict[str, Any]:
    """Return the figures of a window that opens the folder `root`, twice, and scrolls through it."""
    os.environ["UNLEARN_STUDIO_MEMORY"] = "0"  # nothing is held: all images are streamed
    import torch

    torch.set_num_threads(1)
    window = Window(Path(home))
    start, highest, ended = anonymous_memory(), [0], threading.Event()

    def watch() -> None:
        while not ended.wait(LOOKS):
            highest[0] = max(highest[0], anonymous_memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        figures = _opened(window, root) | _scrolled(window)
    finally:
        ended.set()
        watcher.join()
    window.close()
    return {**figures, "memory_peak_megabytes": round((highest[0] - start) / 2**20, 1)}


def _opened(window: Window, root: str) -> dict[str, Any]:
    """Open the folder as the window does, and then again."""
    opening, project = window.context.opening, window.context.project

    def open_it() -> float:
        before = project.dataset
        began = time.perf_counter()
        opening.open_data(root)
        window.wait(lambda: not window.context.jobs.active())
        window.drawn()
        if project.dataset is before:
            raise SystemExit(f"{root} was not opened")
        return time.perf_counter() - began

    with window.watched() as lateness:
        seconds = open_it()
    again = [open_it() for _ in range(OPENED_AGAIN)]
    return {
        "index_seconds": round(seconds, 2),
        "index_lateness_p50_ms": lateness.at(0.5),
        "index_lateness_p99_ms": lateness.at(0.99),
        "index_lateness_max_ms": lateness.at(1.0),
        "open_again_seconds": round(statistics.median(again), 2),
    }


def _scrolled(window: Window) -> dict[str, Any]:
    """Scroll to far places; note how long after the last step all images in view are drawn."""
    import numpy as np

    view, model, thumbnails = window.page.gallery_panel.view, window.page.gallery_model, window.page.thumbnails
    bar = view.verticalScrollBar()
    rng, took, many = np.random.default_rng(0), [], 0

    def in_view() -> list[Any]:
        first, last = view.rowAt(0), view.rowAt(view.viewport().height() - 1)
        last = last if last >= 0 else model.rowCount() - 1
        shown = model.ids(first * model.columns, (last + 1) * model.columns - 1)
        return [("train", image) for image in shown.tolist()]

    for target in rng.integers(0, bar.maximum(), SCROLLS).tolist():
        for passed in np.linspace(bar.value(), target, PASSED + 1)[:-1].astype(int).tolist():
            bar.setValue(passed)
            window.app.processEvents()
        began = time.perf_counter()
        bar.setValue(target)
        window.drawn()
        keys = in_view()
        while any(thumbnails.get(key) is None for key in keys):
            if time.perf_counter() - began > LOST:
                raise SystemExit("thumbnails in view did not come")
            window.app.processEvents()
            time.sleep(0.0005)
        window.drawn()
        took.append(1000 * (time.perf_counter() - began))
        many = max(many, len(keys))
    return {
        "thumbnails_in_view": many,
        "thumbnails_p50_ms": round(float(np.quantile(took, 0.5)), 1),
        "thumbnails_p95_ms": round(float(np.quantile(took, 0.95)), 1),
        "thumbnails_max_ms": round(max(took), 1),
    }
