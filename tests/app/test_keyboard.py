"""The main path by the keyboard alone: choose what to forget, start, look at the result, have it checked."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget

from app.main_window import MainWindow
from core.events import State
from tests.app.runner import context, example, example_home, home, opened, window

__all__ = ["context", "example", "example_home", "home", "opened", "window"]


def press(window: MainWindow, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(QApplication.focusWidget() or window, key, modifiers)


def tab_to(window: MainWindow, wanted: Callable[[QWidget | None], bool]) -> None:
    """Press Tab until the focus is where it is wanted."""
    for _ in range(120):
        press(window, Qt.Key.Key_Tab)
        if wanted(QApplication.focusWidget()):
            return
    raise AssertionError("Tab does not come there")


def tab_to_button(window: MainWindow, text: str) -> None:
    tab_to(window, lambda widget: isinstance(widget, QAbstractButton) and widget.text().replace("&", "") == text)


def test_the_main_path_leads_to_a_check_by_the_keyboard_alone(opened, window, qtbot):
    control, project, controller = Qt.KeyboardModifier.ControlModifier, opened.project, opened.run_controller
    project.set_selection(project.selection.cleared())
    press(window, Qt.Key.Key_2, control)
    table = window.page("forget").class_panel.table
    tab_to(window, lambda widget: widget is table)
    press(window, Qt.Key.Key_Down)
    press(window, Qt.Key.Key_Space)
    assert len(project.selection.complete_classes) == 1
    press(window, Qt.Key.Key_Return, control)  # leads on, and starts
    qtbot.waitUntil(lambda: project.run is not None and project.run.step > 0, timeout=60_000)
    controller.ask("stop")  # the rest is no matter of keys
    qtbot.waitUntil(lambda: project.run.ended, timeout=60_000)
    assert window.current_page == "unlearn" and project.run.state is State.STOPPED
    tab_to_button(window, "Check the result")
    press(window, Qt.Key.Key_Space)
    assert window.current_page == "verify"
    qtbot.waitUntil(lambda: window.page("verify").presenter.checks.facts is not None)
    tab_to_button(window, "Run checks")
    press(window, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: controller.current is not None and controller.current.kind == "check")
    controller.ask("stop")
    qtbot.waitUntil(lambda: not controller.busy, timeout=60_000)
