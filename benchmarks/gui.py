"""How late the window's event loop is while a run trains with live plots: a 10 ms timer and its delays.

A thread that could run and finds no free core is late, whatever it does. Linux counts that wait for each thread; it is
taken out of each delay, and what is left is the window's own part: that is judged (p99 of at most 8 ms, at worst 40).

python -m benchmarks.gui [--quick] [--json]
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.common import arguments, report

PERIOD = 10  # milliseconds
OWN_P99, OWN_WORST = 8.0, 40.0  # what must hold, in ms
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}


def main() -> None:
    options = arguments(__doc__ or "")
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as home:
        os.environ["UNLEARN_STUDIO_HOME"] = home
        ticks, steps = measure(12.0 if options.quick else 30.0)
    figures: dict[str, object] = {"ticks": len(ticks), "steps": steps}
    rows = [["ms", *SHARES]]
    waited = ticks and all(wait is not None for _, wait, _ in ticks)
    columns = {"lateness": [late for late, _, _ in ticks], "thread's own time": [busy for *_, busy in ticks]}
    if waited:
        columns["waiting for a core"] = [wait or 0.0 for _, wait, _ in ticks]
        columns["own lateness"] = own = [own_part(late, wait or 0.0) for late, wait, _ in ticks]
    for title, values in columns.items():
        found = {name: percentile(values, share) for name, share in SHARES.items()}
        rows.append([title, *(f"{value:.1f}" for value in found.values())])
        key = title.replace("'s", "").replace(" ", "_")
        figures |= {f"gui_{key}_{name}_ms": round(value, 2) for name, value in found.items()}
    if waited:
        holds = percentile(own, 0.99) <= OWN_P99 and max(own, default=0.0) <= OWN_WORST
        figures["own_part_holds"] = holds
        judged = f"own lateness: p99 ≤ {OWN_P99:g}, worst ≤ {OWN_WORST:g}"
        rows.append([judged, "holds" if holds else "fails", "", "", ""])
    else:
        rows.append(["how long a thread waited for a core is told on Linux only", "", "", "", ""])
    report(f"Window while the example trains, {len(ticks):,} ticks, {steps:,} steps", figures, rows, options)


def own_part(late: float, wait: float) -> float:
    """Return what of a delay is not waiting for a core, in ms."""
    return max(0.0, late - wait)


def percentile(values: list[float], share: float) -> float:
    """Return the value that a share of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def waited_for_a_core(thread: int) -> float | None:
    """Return for how long a thread of this process could have run and had no core, in ms; None where nobody counts."""
    try:
        return int(Path(f"/proc/self/task/{thread}/schedstat").read_text().split()[1]) / 1e6
    except (OSError, ValueError, IndexError):
        return None


def measure(longest: float) -> tuple[list[tuple[float, float | None, float]], int]:
    """Run the example in the window, over and over, while a run is going.

    Returns for each tick its delay, how long the window's thread waited for a core meanwhile (None where that is not
    told), and the processor time it took, all in ms; and the steps of the run.
    """
    from PySide6.QtCore import QElapsedTimer, QObject, Qt, QTimer

    from app.bootstrap import Options, Session, create_application

    class Watch(QObject):
        """Notes how late each tick comes, from a second after a run's first step until its last."""

        def __init__(self, session: Session) -> None:
            super().__init__()
            self._session = session
            self.ticks: list[tuple[float, float | None, float]] = []
            self.steps = 0
            self._began: float | None = None
            self._thread = threading.get_native_id()
            self._waited, self._busy = waited_for_a_core(self._thread), time.thread_time()
            self._clock = QElapsedTimer()
            self._timer = QTimer(self, timerType=Qt.TimerType.PreciseTimer, interval=PERIOD)
            self._timer.timeout.connect(self._tick)
            self._clock.start()
            self._timer.start()

        def _tick(self) -> None:
            elapsed = self._clock.nsecsElapsed() / 1e6
            self._clock.restart()
            waited, busy = waited_for_a_core(self._thread), time.thread_time()
            wait = waited - self._waited if waited is not None and self._waited is not None else None
            took = 1e3 * (busy - self._busy)
            self._waited, self._busy = waited, busy
            controller = self._session.context.run_controller
            run = controller.current if controller is not None else None
            running = run is not None and str(run.state) == "running" and run.step > 0
            if self._began is None:
                if running:
                    self._began = time.monotonic() + 1.0
                return
            if running and time.monotonic() > self._began:
                self.steps = run.step
                self.ticks.append((max(0.0, elapsed - PERIOD), wait, took))
            if not running or time.monotonic() - self._began > longest:
                self._timer.stop()
                if run is not None:
                    controller.ask("discard")
                QTimer.singleShot(1500, create_application().quit)

    app = create_application()
    session = Session(app, Options(example=True))
    session.window.resize(1280, 720)
    session.show()
    watch = Watch(session)
    app.exec()
    session.window.close()
    session.close()
    return watch.ticks, watch.steps


if __name__ == "__main__":
    main()
