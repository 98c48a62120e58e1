"""Walks over a page the way the keyboard and a screen reader do."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QWidget


def unnamed_widgets(page: QWidget) -> list[str]:
    """Visible widgets that take the focus and have no accessible name."""
    found = []
    for widget in page.findChildren(QWidget):
        if not widget.isVisible() or not widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
            continue
        parent = widget.parentWidget()
        if isinstance(parent, QAbstractScrollArea) and parent.viewport() is widget:
            continue  # hands the focus to its view
        interface = QAccessible.queryAccessibleInterface(widget)
        if interface is not None and not interface.text(QAccessible.Text.Name).strip():
            found.append(f"{type(widget).__name__} in {type(widget.parentWidget()).__name__}")
    return found


def reached_by_tab(qtbot, page: QWidget, presses: int = 60) -> set[QWidget]:
    """The widgets that the Tab key comes to, starting from the page."""
    reached: set[QWidget] = set()
    page.activateWindow()
    qtbot.waitActive(page)
    for _ in range(presses):
        qtbot.keyClick(QApplication.focusWidget() or page, Qt.Key.Key_Tab)
        focused = QApplication.focusWidget()
        if focused is not None:
            reached.add(focused)
    return reached
