"""Through how many files of app a walk of the window leads: four acts of a user, done in a window without a screen.

python -m scripts.window_walks prints one JSON document, which `scripts.structure` shows. Only the window's own thread
counts, and not what paints: a widget's `paintEvent` and `grab`, a delegate's or an item's `paint`, an icon's drawing,
with all they call.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from core.runs.folder import MODEL, RunFolder
from scripts.structure import APP, Walk

# What Qt asks for as it paints, and the picture of a page that fades.
PAINTING = frozenset({"paintEvent", "paint", "drawBackground", "paintSection", "paintCell", "scaledPixmap", "isNull"})
PATIENCE = 300.0  # seconds until an act that does not end fails
QUIET = 0.4  # seconds a window is watched after an act, for what was put off to the next turn
Figures = dict[str, dict[str, int]]


@contextmanager
def in_the_window(walk: Walk) -> Iterator[None]:
    """Note into `walk` what this thread enters, painting left out."""
    painting: FrameType | None = None

    def note(frame: FrameType, event: str, told: Any) -> None:
        nonlocal painting
        if painting is frame and (event == "return" or (event == "c_return" and _is_grab(told))):
            painting = None
        elif painting is None and event == "c_call" and _is_grab(told):
            painting = frame
        if event != "call" or painting is not None:
            return
        if frame.f_code.co_name in PAINTING:
            painting = frame
        elif walk.holds(frame.f_code):
            walk.enter(frame.f_code, frame.f_back)

    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)


def _is_grab(function: Any) -> bool:
    return bool(getattr(function, "__name__", "") == "grab")


class Window:
    """The program as it starts, in a home of its own; `figures` fills with the walks."""

    def __init__(self, home: Path) -> None:
        os.environ["UNLEARN_STUDIO_HOME"] = str(home)
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        from app.bootstrap import Options, Session, create_application

        self.app = create_application()
        self.session = Session(self.app, Options())
        self.context = self.session.context
        self.figures: Figures = {}
        self.session.show()

    def wait(self, reached: Callable[[], Any], what: str) -> None:
        """Work on events until something is reached. Raises TimeoutError where it never is."""
        end = time.monotonic() + PATIENCE
        while not reached():
            if time.monotonic() > end:
                raise TimeoutError(f"the window never came to: {what}")
            self.app.processEvents()
            time.sleep(0.002)

    def rest(self, seconds: float = QUIET) -> None:
        """Work on events for a while."""
        end = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() > end, "rest")

    def take(self, name: str, act: Callable[[], object], reached: Callable[[], Any]) -> None:
        """Note a walk from an act to what it comes to, with what was put off meanwhile."""
        walk = Walk(root=APP)
        with in_the_window(walk):
            act()
            self.wait(reached, name)
            self.rest()
        self.figures[name] = walk.figures()

    def at_rest(self) -> bool:
        """Whether nothing is opened, measured or run."""
        context = self.context
        jobs = context.jobs.active() + context.device_jobs.active()
        return not (context.opening.measuring.active or context.run_controller.busy or jobs)

    def close(self) -> None:
        """End as the program does."""
        self.session.window.close()
        self.session.close()


def walks() -> Figures:
    """Do the four acts and return their figures."""
    from core.events import Evaluation

    with tempfile.TemporaryDirectory() as home:
        os.environ["UNLEARN_STUDIO_HOME"] = home
        window = Window(Path(home))
        context = window.context
        window.wait(lambda: context.jobs.active() == 0 and context.device_jobs.active() == 0, "a window at rest")
        points: list[Evaluation] = []

        def note(events: list[Any]) -> None:
            points.extend(event for event in events if isinstance(event, Evaluation))

        context.run_controller.events.connect(note)
        context.opening.open_example(start_run=True)
        window.wait(lambda: points, "the example's run")
        window.wait(window.at_rest, "the end of the example's run")
        context.project.set_run(None)
        window.rest()
        points.clear()
        window.take("start to first point", lambda: context.actions.trigger("run.start"), lambda: points)
        window.wait(window.at_rest, "the end of the run")
        path = context.project.run.path
        context.show_page("runs")
        window.rest()
        window.wait(window.at_rest, "a window at rest")
        window.rest()
        window.take("open a run", lambda: context.opening.open_run(path), lambda: context.project.run.from_disk)
        _live_batch(window, RunFolder(path))
        files = [Path(home) / "dropped.safetensors", Path(home) / "shapes"]
        _write_drop(RunFolder(path), *files)
        context.show_page("project")
        window.rest()
        before = context.project.opened_model
        window.take("files dropped", lambda: _drop(window, files),
                    lambda: context.project.opened_model is not before and window.at_rest())  # fmt: skip
        window.close()
        return window.figures


def _live_batch(window: Window, recorded: RunFolder) -> None:
    """Note the walk of one batch of a run's events: all of a recorded run's but the last ones are told before it."""
    from app.plots.export import Figure
    from core.events import Evaluation, Resources, RunFailed, RunFinished, State
    from core.runs.following import read_new

    left_out = (RunFinished, RunFailed, Resources)  # what ends the run, and what overtakes what was told before it
    told = [event for event in read_new(recorded).events if not isinstance(event, left_out)]
    last = max(number for number, event in enumerate(told) if isinstance(event, Evaluation) and event.scope != "full")
    go_on, end = threading.Event(), threading.Event()

    def work(control: Any, emit: Callable[[Any], object]) -> State:
        for event in told[:last]:
            emit(event)
        go_on.wait()
        emit(told[last])
        end.wait()
        return State.STOPPED

    def drawn() -> bool:
        return not any(figure.dirty and figure.isVisible() for figure in window.session.window.findChildren(Figure))

    controller, project = window.context.run_controller, window.context.project
    window.wait(window.at_rest, "a window at rest")
    window.rest()
    run = controller.start_work(recorded, "unlearn", "replayed", work, recorded.job())
    project.set_run(run)
    window.context.show_page("unlearn")
    window.wait(lambda: run.step >= told[last - 1].step, "a run that goes")
    window.wait(drawn, "plots that show all of it")
    window.rest()
    window.take("a live batch", go_on.set, lambda: run.step == told[last].step)
    end.set()
    window.wait(lambda: not controller.busy, "the end of the replayed run")


def _write_drop(run: RunFolder, model: Path, data: Path) -> None:
    """Write a model and a folder of images that fit: the run's own model, and pictures of its classes."""
    import numpy as np
    from PIL import Image

    shutil.copyfile(run.file(MODEL), model)
    pixels, about = np.random.default_rng(0), run.job().model
    for part, count in (("train", 6), ("test", 3)):
        for name in about.classes:
            place = data / part / name
            place.mkdir(parents=True)
            for number in range(count):
                image = pixels.integers(0, 255, about.input_size, dtype=np.uint8)
                Image.fromarray(image).save(place / f"{number}.png")


def _drop(window: Window, paths: list[Path]) -> None:
    """Drop files on the window."""
    from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
    from PySide6.QtGui import QDragEnterEvent, QDropEvent

    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    for event in (QDragEnterEvent(QPoint(5, 5), copy, data, left, none),
                  QDropEvent(QPointF(5, 5), copy, data, left, none)):  # fmt: skip
        window.app.sendEvent(window.session.window, event)


if __name__ == "__main__":
    print(json.dumps(walks()))
