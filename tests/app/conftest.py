"""What tests with Qt get: the theme, and a check that no widget, timer or Qt warning is left behind."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import QCoreApplication, QEvent, QLocale, QTimer
from PySide6.QtWidgets import QApplication

from app.services.theme import theme

QLocale.setDefault(QLocale(QLocale.Language.English, QLocale.Country.UnitedStates))
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # for `helpers`, which stands beside this file
# What the offscreen platform says of itself.
OFFSCREEN = ("This plugin does not support", "QFontDatabase", "propagateSizeHints")


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.qt_log_level_fail("WARNING"))
            item.add_marker(pytest.mark.qt_log_ignore(*OFFSCREEN))


@pytest.fixture(scope="session")
def qapp_args():
    return ["unlearn-studio-tests"]


@pytest.fixture(autouse=True)
def themed(request):
    """Dress the application as the program does; the design's sizes are those of a 13 px font."""
    if "qapp" not in request.fixturenames and "qtbot" not in request.fixturenames:
        return
    app = request.getfixturevalue("qapp")
    if theme._app is None:
        font = app.font()
        font.setPixelSize(13)
        app.setFont(font)
    theme.apply(app, "light")


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_teardown(item):
    yield
    if HERE not in item.path.parents:
        return
    app = QApplication.instance()
    if app is None:
        return
    left = _left_over()
    if left:
        gc.collect()
        left = _left_over()
    for widget in QApplication.topLevelWidgets():
        if widget.isVisible():
            widget.close()
            widget.deleteLater()
    assert not left, f"left behind: {left}"


def _left_over() -> list[str]:
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    found = [f"window {_name(w)}" for w in QApplication.topLevelWidgets() if w.isVisible()]
    for timer in [obj for obj in gc.get_objects() if type(obj) is QTimer]:
        if shiboken6.isValid(timer) and timer.isActive():
            found.append(f"timer of {_name(timer.parent())} ({timer.interval()} ms)")
    return found


def _name(thing: object) -> str:
    name = thing.objectName() if thing is not None else ""
    return f"{type(thing).__name__} {name}".strip()
