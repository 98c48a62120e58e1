"""Walks over windows: as the keyboard and a screen reader see them, and whether everything fits."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QLabel,
    QPushButton,
    QScrollArea,
    QWidget,
)


def focusable(root: QWidget) -> list[QWidget]:
    """Visible, enabled widgets that take the focus by Tab."""
    return [
        widget
        for widget in [root, *root.findChildren(QWidget)]
        if widget.isVisible()
        and widget.isEnabled()
        and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and widget.focusProxy() is None
    ]


def describe(widget: QWidget) -> str:
    """A widget in a message: class, name and text."""
    text = widget.text() if hasattr(widget, "text") and callable(widget.text) else ""
    return " ".join(part for part in (type(widget).__name__, widget.objectName(), repr(text) if text else "") if part)


def unnamed(root: QWidget) -> list[str]:
    """Focusable widgets a screen reader has no name for."""
    found = []
    for widget in focusable(root):
        interface = QAccessible.queryAccessibleInterface(widget)
        if interface is None or not interface.text(QAccessible.Text.Name).strip():
            found.append(describe(widget))
    return found


def unreachable(window: QWidget, limit: int = 400) -> list[str]:
    """Focusable widgets that Tab never comes to. In a group of exclusive buttons one is enough: arrows do the rest."""
    wanted = focusable(window)
    QApplication.setActiveWindow(window) if hasattr(QApplication, "setActiveWindow") else window.activateWindow()
    reached: set[QWidget] = set()
    for _ in range(limit):
        QTest.keyClick(QApplication.focusWidget() or window, Qt.Key.Key_Tab)
        now = QApplication.focusWidget()
        if now is None or (now in reached and len(reached) > len(wanted)):
            continue
        reached.add(now)
    groups = {_group(widget) for widget in reached} - {None}
    return [describe(w) for w in wanted if w not in reached and _group(w) not in groups]


def _group(widget: QWidget) -> object:
    if isinstance(widget, QAbstractButton):
        if widget.group() is not None and widget.group().exclusive():
            return widget.group()
        if widget.autoExclusive():
            return widget.parentWidget()
    return None


def assert_accessible(window: QWidget) -> None:
    """Every focusable widget has a name and Tab reaches it."""
    assert not unnamed(window), f"no accessible name: {unnamed(window)}"
    lost = unreachable(window)
    assert not lost, f"Tab does not reach: {lost}"


def cut_off(window: QWidget) -> list[str]:
    """Labels and buttons that are smaller than they need, or lie outside of what holds them."""
    found = []
    for widget in window.findChildren(QWidget):
        if not widget.isVisible() or not isinstance(widget, QLabel | QPushButton):
            continue
        least = widget.minimumSizeHint()
        if widget.width() + 1 < least.width() or (not _wraps(widget) and widget.height() + 1 < least.height()):
            found.append(f"{describe(widget)} {widget.size().toTuple()} < {least.toTuple()}")
        elif not _in_scroll_area(widget) and not _inside(window, widget):
            found.append(f"{describe(widget)} lies outside of the window")
    return found


def assert_fits(window: QWidget, width: int = 1280, height: int = 720) -> None:
    """Nothing is cut at the smallest size."""
    least = window.minimumSizeHint()
    assert least.width() <= width, f"needs {least.width()} px of width"
    assert least.height() <= height, f"needs {least.height()} px of height"
    assert not cut_off(window), f"cut: {cut_off(window)}"


def _wraps(widget: QWidget) -> bool:
    return isinstance(widget, QLabel) and widget.wordWrap()


def _in_scroll_area(widget: QWidget) -> bool:
    parent = widget.parentWidget()
    while parent is not None:
        if isinstance(parent, QScrollArea):
            return True
        parent = parent.parentWidget()
    return False


def _inside(window: QWidget, widget: QWidget) -> bool:
    place = QRect(widget.mapTo(window, QPoint(0, 0)), widget.size())
    return window.rect().adjusted(-1, -1, 1, 1).contains(place) or widget.window() is not window


def pressable(buttons: Mapping[str, QWidget]) -> set[str]:
    """Names of the buttons that show and can be pressed."""
    return {name for name, button in buttons.items() if not button.isHidden() and button.isEnabled()}
