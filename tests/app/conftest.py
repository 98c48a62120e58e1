"""What tests with Qt get: the theme, and a check that no widget, timer or Qt warning is left behind."""

from __future__ import annotations

import functools
import gc
import sys
import time
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import QCoreApplication, QEvent, QLocale, QTimer
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app.services.theme import BASE_PX, theme
from app.services.translation import use_language
from app.workers.jobs import Executor, Jobs
from app.workers.mailbox import RunThread

QLocale.setDefault(QLocale(QLocale.Language.English, QLocale.Country.UnitedStates))
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # for `helpers`, which stands beside this file
gc.disable()  # as in the program (app.services.collector); a test's own garbage goes when it has ended
PATIENCE_MS = 180_000  # a wait ends when what it waits for comes, so only a test that fails takes as long
Executor.shutdown.__defaults__ = (PATIENCE_MS,)
# What the offscreen platform says of itself.
OFFSCREEN = ("This plugin does not support", "QFontDatabase", "propagateSizeHints")


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.qt_log_level_fail("WARNING"))
            item.add_marker(pytest.mark.qt_log_ignore(*OFFSCREEN))


@pytest.fixture
def german():
    """The window speaks German and writes numbers so."""
    usual = QLocale()
    use_language("de")
    yield
    use_language("en")
    QLocale.setDefault(usual)


@pytest.fixture
def german_numbers():
    """Numbers as German writes them, in an English window."""
    usual = QLocale()
    QLocale.setDefault(QLocale(QLocale.Language.German, QLocale.Country.Germany))
    yield
    QLocale.setDefault(usual)


@pytest.fixture(scope="session")
def qapp_args():
    return ["unlearn-studio-tests"]


class PatientBot(QtBot):
    """Waits as long as a machine needs whose cores are taken: five seconds, as usual, are what a slow one loses."""

    late = 0  # ms before a wait first looks

    def waitUntil(self, callback, *, timeout=PATIENCE_MS):
        if self.late:
            self.wait(self.late)
        super().waitUntil(callback, timeout=max(timeout, PATIENCE_MS))

    def waitSignal(self, signal, *, timeout=PATIENCE_MS, raising=True, **more):
        if raising:  # else no signal is what is hoped for, and each wait would last to its end
            timeout = max(timeout, PATIENCE_MS)
        return super().waitSignal(signal, timeout=timeout, raising=raising, **more)

    def waitSignals(self, signals, *, timeout=PATIENCE_MS, **more):
        return super().waitSignals(signals, timeout=max(timeout, PATIENCE_MS), **more)

    def waitActive(self, widget, *, timeout=PATIENCE_MS):
        return super().waitActive(widget, timeout=timeout)


@pytest.fixture
def qtbot(qapp, request):
    bot = PatientBot(request)
    bot.late = request.config.getoption("--late")
    return bot


@pytest.fixture(autouse=True)
def slow_workers(request, monkeypatch):
    """With `--slow`, have every job of a worker begin late, as where other processes take the cores."""
    seconds = request.config.getoption("--slow") / 1000
    if not seconds:
        return
    start, submit = RunThread.run, Jobs.submit

    def start_late(self):
        time.sleep(seconds)
        start(self)

    def submit_late(self, function, *args, **kwargs):
        @functools.wraps(function)
        def late(*args, **kwargs):
            time.sleep(seconds)
            return function(*args, **kwargs)

        return submit(self, late, *args, **kwargs)

    monkeypatch.setattr(RunThread, "run", start_late)
    monkeypatch.setattr(Jobs, "submit", submit_late)


@pytest.fixture(autouse=True)
def themed(request):
    """Dress the application as the program does; the design's sizes are those of a 13 px font."""
    if "qapp" not in request.fixturenames and "qtbot" not in request.fixturenames:
        return
    app = request.getfixturevalue("qapp")
    if theme.px(BASE_PX) != BASE_PX:  # also where the program itself ran in this process before
        font = app.font()
        font.setPixelSize(BASE_PX)
        app.setFont(font)
        theme._app = None  # so that it looks at the font again
    theme.apply(app, "light")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item):
    result = yield
    gc.collect(1)
    if HERE in item.path.parents and QApplication.instance() is not None:
        left = _left_over()
        if left:
            gc.collect()
            left = _left_over()
        names = [_name(thing) for thing in left]
        for thing in left:  # so that the next test does not take the blame
            if isinstance(thing, QTimer):
                thing.stop()
            else:
                thing.close()
                thing.deleteLater()
        assert not names, f"left behind: {names}"
    return result


def _left_over() -> list[QTimer | QWidget]:
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    windows = [widget for widget in QApplication.topLevelWidgets() if widget.isVisible()]
    timers = [
        thing for thing in gc.get_objects() if type(thing) is QTimer and shiboken6.isValid(thing) and thing.isActive()
    ]
    return [*windows, *timers]


def _name(thing: QTimer | QWidget) -> str:
    if isinstance(thing, QTimer):
        parent = thing.parent()
        return f"timer of {type(parent).__name__} ({thing.interval()} ms)"
    return f"window {type(thing).__name__} {thing.objectName()}".strip()
