"""Draws the pictures of README and docs from real runs: every page light and dark, the loop, the README's picture.

    python -m scripts.screenshots [--out docs/images] [--only pages|picture] [--quick]

The window runs the bundled example for real, in folders of its own, and is taken when what it shows has settled. The
picture of the README comes from a run of `benchmarks.quality`, made where it is missing.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PySide6.QtGui import QImage
    from PySide6.QtWidgets import QApplication

Condition = Callable[[], Any]
Script = Generator[Condition, None, None]

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("project", "forget", "unlearn", "verify", "export", "runs")
SCHEMES = ("light", "dark")
SIZES = {"": (1280, 720), "-1920": (1920, 1080)}
FONT_PX = 13  # the system font the sizes of the design were drawn for
PATIENCE = 300.0  # seconds for one condition: the machine may be busy
SETTLED = 0.9  # seconds without a job under way before a page is taken: some begin a moment after the page is shown
FADED = 0.3  # seconds until a page that was left has faded away
FRAME_EVERY = 0.1  # seconds between two frames of the loop
LOOP_WIDTH = 960


def main() -> int:
    """Draw everything into --out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--only", choices=("pages", "picture"))
    parser.add_argument("--quick", action="store_true", help="draw the README's picture from the digits")
    options = parser.parse_args()
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    app = _application()
    if options.only != "picture":
        draw_pages(app, options.out)
    if options.only != "pages":
        draw_picture(options.out, options.quick)
    return 0


def draw_pages(app: QApplication, out: Path) -> None:
    """Run the example in a window of its own and take its pages and the loop."""
    from app.bootstrap import Options, Session

    with tempfile.TemporaryDirectory(prefix="unlearn-studio-") as home:
        os.environ["UNLEARN_STUDIO_HOME"] = os.environ["HOME"] = home  # no path of this machine in a picture
        session = Session(app, Options(scheme="light"))
        try:
            Stage(session, out).play()
        finally:
            session.window.hide()
            session.close()


class Stage:
    """Leads the window through the example and takes its pictures."""

    def __init__(self, session: Any, out: Path) -> None:
        self._session, self._out = session, out
        self._window, self._context = session.window, session.context
        self._quiet_since = time.monotonic()

    def play(self) -> None:
        """Go through the script inside the application's event loop."""
        from PySide6.QtCore import QEventLoop, QTimer

        loop, timer = QEventLoop(), QTimer()
        script, failure = self._script(), list[BaseException]()
        state: dict[str, Any] = {"condition": lambda: True, "since": time.monotonic()}

        def look() -> None:
            try:
                if state["condition"]():
                    state["condition"], state["since"] = next(script), time.monotonic()
                elif time.monotonic() - state["since"] > PATIENCE:
                    raise TimeoutError(f"waited {PATIENCE:.0f} s in vain")
            except StopIteration:
                loop.quit()
            except BaseException as error:
                failure.append(error)
                loop.quit()

        timer.timeout.connect(look)
        timer.start(20)
        loop.exec()
        timer.stop()
        if failure:
            raise failure[0]

    def _script(self) -> Script:
        context, window = self._context, self._window
        window.resize(*SIZES[""])
        window.show()
        loaded: list[bool] = []
        self._session.loaded.connect(lambda: loaded.append(True))
        yield lambda: bool(loaded)
        yield from self._take_all("start", "project")
        context.opening.open_example(start_run=True)
        yield lambda: context.run_controller.current is not None
        yield from self._record()
        yield from self._check()
        for page in PAGES:
            yield from self._take_all(page, page)

    def _record(self) -> Script:
        """Take the Unlearn page every tenth of a second while the example runs, and a moment of its middle."""
        from scripts.recording import Recorder, save_png

        controller, run = self._context.run_controller, self._context.run_controller.current
        self._context.show_page("unlearn")
        recorder, middle = Recorder(LOOP_WIDTH), False
        yield self._after(FADED)
        while controller.current is run:
            recorder.add(self._grab())
            if not middle and run.steps and run.step > run.steps / 2:
                middle = True
                self._say("running-light.png", save_png(self._grab(), self._out / "running-light.png"))
            yield self._after(FRAME_EVERY)
        yield lambda: controller.current is None  # its check, too: the loop ends with the verdict
        yield self._settled()
        recorder.add(self._grab())
        print(f"example.gif: {recorder.save(self._out / 'example.gif')}", flush=True)

    def _check(self) -> Script:
        """Show the example's result, which was held against retrained models by itself, and export it."""
        context = self._context
        context.show_page("verify")
        page = self._window.page("verify")
        yield lambda: page.presenter.facts is not None and page.presenter.facts.has_retrained
        context.show_page("export")
        export = self._window.page("export")
        yield lambda: export.presenter.facts is not None
        export.file_card.set_path(Path("~") / "without-bag.safetensors")
        export.export_button.click()
        yield lambda: not export.presenter.busy and export.file_card.outcome.isVisible()

    def _take_all(self, name: str, page: str) -> Script:
        """Take a page in every scheme and size."""
        from PySide6.QtWidgets import QApplication

        from app.services.theme import theme
        from scripts.recording import save_png

        app = QApplication.instance()
        for scheme in SCHEMES:
            theme.apply(app, scheme)  # type: ignore[arg-type]
            for suffix, size in SIZES.items():
                self._window.resize(*size)
                self._context.show_page(page)
                yield self._settled()
                path = self._out / f"{name}-{scheme}{suffix}.png"
                self._say(path.name, save_png(self._grab(), path))
        theme.apply(app, "light")  # type: ignore[arg-type]
        self._window.resize(*SIZES[""])

    def _settled(self) -> Condition:
        """Return a condition that holds once no job has been under way, and no page has faded away, for a moment."""
        from PySide6.QtCore import QAbstractAnimation

        self._quiet_since = time.monotonic()

        def settled() -> bool:
            jobs = self._context.jobs.active() or self._context.device_jobs.active()
            moving = self._window.stack.findChildren(QAbstractAnimation)
            if jobs or any(one.state() == QAbstractAnimation.State.Running for one in moving):
                self._quiet_since = time.monotonic()
            return time.monotonic() - self._quiet_since > SETTLED

        return settled

    @staticmethod
    def _after(seconds: float) -> Condition:
        until = time.monotonic() + seconds
        return lambda: time.monotonic() >= until

    def _grab(self) -> QImage:
        return self._window.grab().toImage()

    @staticmethod
    def _say(name: str, size: int) -> None:
        print(f"{name}: {size:,} bytes", flush=True)


def draw_picture(out: Path, quick: bool) -> None:
    """Draw the README's picture from a run of the quality benchmark."""
    from benchmarks import quality
    from benchmarks.quality_cells import Place
    from core.session.feature_maps import embeddings
    from scripts.readme_picture import draw
    from scripts.recording import save_png

    place = Place(quality.QUICK, "digits") if quick else Place(quality.NETWORKS["small-cnn"], "fashion-mnist")
    cell = quality.cells_of(place)[0]
    found = place.make([cell])[0].report
    image = draw(found, embeddings(place.described(cell)[2]))
    print(f"readme.png: {save_png(image, out / 'readme.png', 400_000):,} bytes", flush=True)


def _application() -> QApplication:
    from app.bootstrap import create_application

    app = create_application()
    font = app.font()
    font.setPixelSize(FONT_PX)
    app.setFont(font)
    from app.services.theme import theme

    theme.apply(app, "light")
    return app


if __name__ == "__main__":
    sys.exit(main())
