"""How many clicks lead from two dropped files to a run that forgets a class; with a mouse, through the real pages."""

from __future__ import annotations

from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication

from app.models.class_table import NAME
from core.session.example import ORIGINAL, SHIPPED
from tests.app.runner import context, window

__all__ = ["context", "window"]


def drop(window, *paths) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    rest = (Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(window, QDragEnterEvent(QPoint(600, 400), *rest))
    QApplication.sendEvent(window, QDropEvent(QPointF(600, 400), *rest))


def click(window, text: str) -> bool:
    """Click the button with this text on the page in view; False while there is none to click."""
    for button in window.page(window.current_page).findChildren(QAbstractButton):
        if button.isVisible() and button.isEnabled() and button.text().replace("&", "") == text:
            QTest.mouseClick(button, Qt.MouseButton.LeftButton)
            return True
    return False


def test_four_clicks_lead_from_two_dropped_files_to_a_run_that_forgets_a_class(window, context, qtbot):
    drop(window, SHIPPED / ORIGINAL / "model.safetensors", SHIPPED / "images")
    opening, project = context.opening, context.project
    qtbot.waitUntil(lambda: project.ready and not context.jobs.active() and not opening.measuring.active)
    assert click(window, "Choose what to forget") and window.current_page == "forget"
    table = window.page("forget").class_panel.table
    qtbot.wait(300)  # the page that was there fades, and the table has its width
    rect = table.visualRect(table.model().index(2, NAME))
    box = QPoint(rect.left() + 14, rect.center().y())
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=box)
    qtbot.waitUntil(lambda: project.selection.count > 0)
    assert len(project.selection.complete_classes) == 1
    assert click(window, "Choose a method") and window.current_page == "unlearn"
    qtbot.waitUntil(lambda: click(window, "Start unlearning"))
    qtbot.waitUntil(lambda: context.run_controller.current is not None)
    run = context.run_controller.current
    assert run.job.forget.mode == "class"
    context.run_controller.ask("discard")
    qtbot.waitUntil(lambda: run.ended)
