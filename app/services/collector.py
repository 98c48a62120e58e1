"""Python's search for objects that only hold each other, made by the window's thread between two events of Qt.

Left to itself, Python searches wherever objects are made: also inside a call of Qt that holds a lock, where a widget
that goes takes the same lock and the window stands still for good, and in workers' threads, where no widget may go.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

INTERVAL_MS = 1000


class Collector(QObject):
    """Takes the search over from Python for as long as it lives."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._was_on = gc.isenabled()
        gc.disable()
        self._timer = QTimer(self, interval=INTERVAL_MS)
        self._timer.timeout.connect(self.collect)
        self._timer.start()

    def collect(self) -> None:
        """Search the generations that have grown as much as Python itself lets them grow."""
        limits = gc.get_threshold()
        due = [generation for generation, count in enumerate(gc.get_count()) if count > limits[generation]]
        if due:
            gc.collect(due[-1])

    def settle(self) -> None:
        """Leave what is there now, a million objects of libraries, out of every later search."""
        gc.freeze()

    def close(self) -> None:
        """Give the search back."""
        self._timer.stop()
        if self._was_on:
            gc.enable()
