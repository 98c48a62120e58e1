"""The table of keyboard shortcuts, generated from the registry of commands."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDialog, QTableWidget, QTableWidgetItem, QVBoxLayout, QWidget

from app.actions import MENU_TITLES, Actions
from app.services import tokens as t
from app.services.theme import theme
from app.widgets.buttons import close_box
from app.widgets.table import set_up_table

# Keys that belong to a part of a page rather than to a command.
LOCAL_KEYS = (
    ("Plots", "Add to the selection while drawing", "Shift"),
    ("Plots", "Remove from the selection while drawing", "Ctrl"),
    ("Plots", "Give up drawing", "Esc"),
    ("Gallery", "Mark or unmark an image", "Space"),
    ("Fields", "Next or previous field", "Tab, Shift+Tab"),
    ("Rail", "Next or previous page", "Up, Down"),
)


class ShortcutTable(QDialog):
    """All commands with a shortcut, by menu."""

    def __init__(self, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Keyboard shortcuts")
        rows = [
            (MENU_TITLES.get(c.menu, "Window").replace("&", ""), c.text,
             c.action.shortcut().toString(QKeySequence.SequenceFormat.NativeText))
            for c in actions if not c.action.shortcut().isEmpty()
        ]  # fmt: skip
        rows += LOCAL_KEYS
        self.table = QTableWidget(len(rows), 3, self)
        self.table.setAccessibleName("Keyboard shortcuts")
        self.table.setHorizontalHeaderLabels(["Where", "What", "Keys"])
        for at, row in enumerate(rows):
            for column, text in enumerate(row):
                self.table.setItem(at, column, QTableWidgetItem(text))
        set_up_table(self.table)
        self.table.setColumnWidth(0, theme.px(96))
        self.table.setColumnWidth(1, theme.px(300))
        self.table.horizontalHeader().setStretchLastSection(True)
        column_layout = QVBoxLayout(self)
        margin = theme.px(t.L)
        column_layout.setContentsMargins(margin, margin, margin, margin)
        column_layout.addWidget(self.table)
        column_layout.addWidget(close_box(self))
        self.resize(theme.px(600), theme.px(520))
