"""How late the window's event loop is while a run trains with live plots: a 10 ms timer and its delays.

python -m benchmarks.gui [--quick] [--json]
"""

from __future__ import annotations

import os
import tempfile
import time

from benchmarks.common import arguments, report

PERIOD = 10  # milliseconds


def main() -> None:
    options = arguments(__doc__ or "")
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as home:
        os.environ["UNLEARN_STUDIO_HOME"] = home
        late, steps = measure(12.0 if options.quick else 30.0)
    late.sort()

    def at(share: float) -> float:
        return late[min(len(late) - 1, int(len(late) * share))]

    figures = {
        "gui_lateness_p50_ms": round(at(0.5), 2),
        "gui_lateness_p95_ms": round(at(0.95), 2),
        "gui_lateness_p99_ms": round(at(0.99), 2),
        "gui_lateness_max_ms": round(late[-1], 2),
        "steps": steps,
    }
    rows = [["lateness of a 10 ms timer", "ms"], *([name[13:-3], f"{figures[name]:.1f}"] for name in list(figures)[:4])]
    report(f"Window while the example trains, {len(late):,} ticks, {steps:,} steps", figures, rows, options)


def measure(longest: float) -> tuple[list[float], int]:
    """Run the example in the window, over and over, and return the timer's delays in ms while a run was going."""
    from PySide6.QtCore import QElapsedTimer, QObject, Qt, QTimer

    from app.bootstrap import Options, Session, create_application

    class Watch(QObject):
        """Notes how late each tick comes, from a second after a run's first step until its last."""

        def __init__(self, session: Session) -> None:
            super().__init__()
            self._session = session
            self.late: list[float] = []
            self.steps = 0
            self._began: float | None = None
            self._clock = QElapsedTimer()
            self._timer = QTimer(self, timerType=Qt.TimerType.PreciseTimer, interval=PERIOD)
            self._timer.timeout.connect(self._tick)
            self._clock.start()
            self._timer.start()

        def _tick(self) -> None:
            elapsed = self._clock.nsecsElapsed() / 1e6
            self._clock.restart()
            controller = self._session.context.run_controller
            run = controller.current if controller is not None else None
            running = run is not None and str(run.state) == "running" and run.step > 0
            if self._began is None:
                if running:
                    self._began = time.monotonic() + 1.0
                return
            if running and time.monotonic() > self._began:
                self.steps = run.step
                self.late.append(max(0.0, elapsed - PERIOD))
            if not running or time.monotonic() - self._began > longest:
                self._timer.stop()
                if run is not None:
                    controller.discard()
                QTimer.singleShot(1500, create_application().quit)

    app = create_application()
    session = Session(app, Options(example=True))
    session.window.resize(1280, 720)
    session.show()
    watch = Watch(session)
    app.exec()
    session.window.close()
    session.close()
    return watch.late, watch.steps


if __name__ == "__main__":
    main()
