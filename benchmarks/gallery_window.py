"""The window of the gallery's benchmark: what an action takes until it is drawn, and how late the event loop is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PERIOD = 10  # milliseconds between two ticks
PATIENCE = 600.0  # seconds until what never comes is given up


@dataclass
class Lateness:
    """How late ticks of a 10 ms timer came, in milliseconds."""

    late: list[float] = field(default_factory=list)

    def at(self, share: float) -> float:
        """Return a quantile; 0 where there was no tick."""
        ordered = sorted(self.late)
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 1) if ordered else 0.0


class Window:
    """A real window without a screen, 1280 x 720, with the Forget page in view."""

    def __init__(self, home: Path) -> None:
        """`home` is where settings and caches go; the environment names it already."""
        from app.bootstrap import Options, Session, create_application

        self.app = create_application()
        self.session = Session(self.app, Options())
        self.session.window.resize(1280, 720)
        loaded: list[bool] = []
        self.session.loaded.connect(lambda: loaded.append(True))
        self.session.show()
        self.context: Any = self.session.context
        self.wait(lambda: bool(loaded) and self.context.device_jobs.active() == 0)
        self.context.show_page("forget")
        self.page: Any = self.session.window.page("forget")
        self.drawn()

    def close(self) -> None:
        """End everything."""
        self.session.window.close()
        self.session.close()

    def drawn(self) -> float:
        """Work on all events there are, and on those they cause; return the longest stretch in seconds."""
        longest = 0.0
        for _ in range(4):
            began = time.perf_counter()
            self.app.processEvents()
            longest = max(longest, time.perf_counter() - began)
        return longest

    def took(self, action: Callable[[], object], done: Callable[[], bool] = lambda: True) -> tuple[float, float]:
        """Act; return the milliseconds until it is done and drawn, and the longest the window was held up."""
        self.drawn()
        began = time.perf_counter()
        action()
        longest = time.perf_counter() - began
        longest = max(longest, self.drawn())
        while not done():
            if time.perf_counter() - began > PATIENCE:
                raise SystemExit("what was waited for did not come")
            time.sleep(0.0005)
            longest = max(longest, self.drawn())
        total = time.perf_counter() - began
        self.page.presenter.similar.stop()  # it would begin 0.7 s after a change, and take a core
        return 1000 * total, 1000 * longest

    def wait(self, done: Callable[[], bool]) -> None:
        """Let the event loop run until something holds."""
        from PySide6.QtCore import QEventLoop, QTimer

        loop, timer = QEventLoop(), QTimer()
        end = time.monotonic() + PATIENCE

        def look() -> None:
            if done() or time.monotonic() > end:
                loop.quit()

        timer.timeout.connect(look)
        timer.start(PERIOD)
        if not done():
            loop.exec()
        timer.stop()
        if not done():
            raise SystemExit("what was waited for did not come")

    @contextmanager
    def watched(self) -> Iterator[Lateness]:
        """Note how late the event loop is meanwhile; whoever waits does so with `wait`."""
        from PySide6.QtCore import QElapsedTimer, Qt, QTimer

        found, clock = Lateness(), QElapsedTimer()
        timer = QTimer()
        timer.setTimerType(Qt.TimerType.PreciseTimer)

        def tick() -> None:
            found.late.append(max(0.0, clock.nsecsElapsed() / 1e6 - PERIOD))
            clock.restart()

        timer.timeout.connect(tick)
        clock.start()
        timer.start(PERIOD)
        try:
            yield found
        finally:
            timer.stop()
