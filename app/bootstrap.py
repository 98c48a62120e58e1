"""The one place of wiring: fault handler, log, QApplication, theme, window, then torch in the background."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtWidgets import QApplication, QWidget

from app.services.faults import EXIT_STOPPED, CrashReporter, SignalBridge
from app.services.icons import icon
from app.services.notifications import install_log, remove_log, start_file_log
from app.services.platform import check_platform
from app.services.theme import theme
from app.services.translation import mark, tr
from app.workers.jobs import shut_down
from core.libraries import load_on_the_way
from core.version import VERSION

if TYPE_CHECKING:
    from app.context import AppContext
    from app.main_window import MainWindow, PageSpec
    from app.widgets.page import Page

log = logging.getLogger(__name__)

PAGES = (  # id, name, title, icon
    ("project", mark("Project"), mark("Model and data"), "model"),
    ("forget", mark("Forget"), mark("What to forget"), "forget"),
    ("unlearn", mark("Unlearn"), mark("Unlearn"), "unlearn"),
    ("verify", mark("Verify"), mark("Check the result"), "verify"),
    ("export", mark("Export"), mark("Export"), "export"), ("runs", mark("Runs"), mark("Runs"), "runs"),
)


@dataclass(frozen=True)
class Options:
    """What the command line asked of the window."""

    paths: tuple[Path, ...] = ()
    example: bool = False
    scheme: Literal["light", "dark"] | None = None
    out: Path | None = None


def run(options: Options | None = None) -> int:
    """Open the window and return the exit code when it closes.

    Raises PlatformError where Qt could not start.
    """
    check_platform()
    app = create_application()
    session = Session(app, options or Options())
    try:
        session.show()
        code = app.exec()
    finally:
        left = session.close()
    if left:
        leave(code if session.context.run_controller.current is None else EXIT_STOPPED)
    return code


def leave(code: int) -> None:
    """End the process over threads that do not end: they must not be waited for, nor destroyed while they work."""
    logging.shutdown()
    os._exit(code)


LOADING_MS = 5  # of a turn of the window that loads plots
SWITCH_SECONDS = 0.001  # for so long at most does a training keep Python from the window; Python's own value is 5 ms


def create_application() -> QApplication:
    """Return the QApplication with its names set; the one that exists already, in a test."""
    QApplication.setOrganizationName("Unlearn Studio")
    QApplication.setApplicationName("unlearn-studio")
    QApplication.setApplicationDisplayName("Unlearn Studio")
    QApplication.setApplicationVersion(VERSION)
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    sys.setswitchinterval(SWITCH_SECONDS)
    app = QApplication([sys.argv[0] if sys.argv else "unlearn-studio"])
    app.setDesktopFileName("unlearn-studio")
    return app


class Session(QObject):
    """Everything that lives as long as the window, made in order and taken down in the opposite one."""

    loaded = Signal()  # torch is there, and what the command line named is being opened

    def __init__(self, app: QApplication, options: Options) -> None:
        super().__init__()
        from app.context import create_context
        from app.main_window import MainWindow
        from app.services.collector import Collector
        from app.services.last_project import LastProject
        from app.widgets.focus_ring import FocusRing

        self._options = options
        self._collector = Collector(self)
        self._loading = load_plots()
        self._turns = QTimer(self, interval=0)
        self._turns.timeout.connect(self._load_on)
        self.reporter = CrashReporter(self)
        left_over = self.reporter.start_fault_file()
        self.context: AppContext = create_context(self)
        context, say = self.context, self.context.notifications
        context.opening.example_folder = options.out
        self._handlers = (start_file_log(), context.log_lines)
        install_log(*self._handlers)
        self.reporter.install()
        log.info("Unlearn Studio %s, Python %s", VERSION, sys.version.split()[0])
        theme.apply(app, options.scheme or context.settings.values.scheme)
        app.setWindowIcon(icon("unlearn", "accent"))
        self.window: MainWindow = MainWindow(context, page_specs())
        self.last_project = LastProject(context.project, context.opening, say.caution, self)
        install_runs(context, self.window, ask_interrupted=not (options.example or options.paths))
        self._ring = FocusRing(app)
        self.reporter.reported.connect(say.error)
        self._signals = SignalBridge(self)
        self._signals.stop_asked.connect(self._stop_asked)
        app.commitDataRequest.connect(self._session_ends)
        self.window.installEventFilter(self)
        for warning in filter(None, (context.settings.warning, context.window_state.warning)):
            say.caution(warning)
        if left_over:
            told = tr("The program ended without closing last time.")
            say.caution(told, tr("The log folder holds what is known about it."), left_over)

    def show(self) -> None:
        """Show the window; loading begins after its first paint."""
        self.window.show_first()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            watched.removeEventFilter(self)
            QTimer.singleShot(0, self, self._load)
        return False

    def close(self) -> list[str]:
        """Take everything down: what has threads first, then hooks, last the log. Returns what is still at work."""
        self._turns.stop()
        self.last_project.keep()
        left = shut_down()
        for name in left:
            log.warning("%s did not end in time", name)
        if self.context.run_controller.current is not None:
            log.warning("the run can be resumed from its last checkpoint")
        self._signals.close()
        self._ring.close()
        self._collector.close()
        self.reporter.remove()
        remove_log(*self._handlers)
        return left

    def _load(self) -> None:
        context = self.context
        handle = context.device_jobs.submit(load_libraries, context.settings.values.device)
        context.shell.follow(handle, "loading", tr("Loading PyTorch…"))
        failed = partial(context.notifications.error, what=tr("PyTorch could not be loaded"))
        handle.then(self._libraries_loaded, failed, finished=self.loaded)

    def _libraries_loaded(self, device: tuple[str, str]) -> None:
        self._collector.settle()
        self.context.shell.device_named.emit(*device)
        self.context.device_jobs.submit(load_on_the_way)
        self._turns.start()
        if self._options.example:
            self.context.opening.open_example(start_run=True)
        elif self._options.paths:
            self.context.opening.open_paths(list(self._options.paths))
        elif self.context.settings.values.restore_project:
            self.last_project.restore()

    def _load_on(self) -> None:
        """Load for some milliseconds, then let the window have its turn."""
        end = time.perf_counter() + LOADING_MS / 1000
        for _ in self._loading:
            if time.perf_counter() >= end:
                return
        self._turns.stop()

    def _stop_asked(self) -> None:
        if self.window.guard.leave():
            self.window.close()

    def _session_ends(self, *_: object) -> None:
        self.window.guard.leave()


def page_specs() -> list[PageSpec]:
    """Return the pages in their order; each is imported when it is first shown."""
    from app.main_window import PageSpec

    return [
        PageSpec(page_id, tr(name), tr(title), icon, partial(_make_page, page_id), below_line=page_id == "runs")
        for page_id, name, title, icon in PAGES
    ]


def _make_page(page_id: str, context: AppContext) -> Page:
    page: Page = getattr(importlib.import_module(f"{__package__}.pages.{page_id}"), f"{page_id.title()}Page")(context)
    return page


def install_runs(context: AppContext, window: QWidget, *, ask_interrupted: bool = True) -> None:
    """Make what shows runs and asks about them; call once. `ask_interrupted`: offer interrupted runs of before."""
    from app.dialogs.batch import BatchQueue
    from app.dialogs.runs import RunsLeft
    from app.services.commands import register_run_commands

    context.run_controller.window = window
    register_run_commands(context)
    context.actions.install(window)
    BatchQueue(context, window)
    library = context.run_library
    if ask_interrupted:
        left = RunsLeft(context, window)
        library.first_read.connect(lambda: left.offer(library.rows))
    library.refresh()


def load_libraries(device: str) -> tuple[str, str]:
    """Load torch and return what runs compute on, and a caution where a GPU stands idle; runs in a worker."""
    from core.devices import choose_device, list_devices, unused_gpu

    chosen = choose_device(device)
    titles = {info.id: info.title for info in list_devices()}
    name = titles.get(str(chosen), str(chosen))
    idle = unused_gpu(chosen)
    return name, tr("Running on the processor; {gpu} is free. Use it from the next run on.", gpu=idle) if idle else ""


def load_plots() -> Iterator[None]:
    """Load what plots are drawn with, a class of Qt a step and pyqtgraph last; in the window's thread.

    PySide makes a class of Qt when its name is first read, and notes it, and every class that is derived from one, in
    a table that Qt itself reads without Python's lock, at each event. A class made in a worker changes the table under
    it, which ends the process now and then. pyqtgraph reads the names of all classes and derives a hundred of its own.
    """
    from PySide6 import QtCore, QtGui, QtWidgets

    for module in (QtCore, QtGui, QtWidgets):
        for name in dir(module):
            getattr(module, name)
            yield
    importlib.import_module("pyqtgraph")
