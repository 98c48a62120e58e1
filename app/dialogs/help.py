"""What helps to find one's way: glossary, shortcuts, the palette of commands, what this program is."""

from __future__ import annotations

import platform
from html import escape

import PySide6
from PySide6.QtCore import QEvent, QObject, Qt, qVersion
from PySide6.QtGui import QIcon, QKeyEvent, QKeySequence, QPixmap
from PySide6.QtWidgets import (
    QDialog,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QTableWidget,
    QTableWidgetItem,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from app.actions import MENU_TITLES, Actions
from app.context import AppContext
from app.services import tokens as t
from app.services.glossary import TERMS, Term
from app.services.theme import theme
from app.widgets.buttons import close_box
from app.widgets.labels import FactTable, Label
from app.widgets.table import set_up_table


class GlossaryDialog(QDialog):
    """Shows all terms, scrolled to one where asked for."""

    def __init__(self, key: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Glossary")
        column = QVBoxLayout(self)
        margin = theme.px(t.L)
        column.setContentsMargins(margin, margin, margin, margin)
        self.browser = QTextBrowser(self)
        self.browser.setAccessibleName("Glossary")
        self.browser.setHtml("".join(_entry(term) for term in sorted(TERMS.values(), key=lambda x: x.word)))
        column.addWidget(self.browser)
        column.addWidget(close_box(self))
        self.resize(theme.px(560), theme.px(520))
        if key:
            self.browser.scrollToAnchor(key)


def _entry(term: Term) -> str:
    text = " ".join(part for part in (term.short, term.more) if part)
    return f'<p style="line-height:140%"><a name="{term.key}"></a><b>{escape(term.word)}</b><br>{escape(text)}</p>'


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


class CommandPalette(QDialog):
    """Finds commands by their letters in order; recent ones come first; unavailable ones say why."""

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Dialog | Qt.WindowType.FramelessWindowHint)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Find a command")
        self._context = context
        column = QVBoxLayout(self)
        margin = theme.px(t.S)
        column.setContentsMargins(margin, margin, margin, margin)
        column.setSpacing(theme.px(t.S))
        self.field = QLineEdit(self)
        self.field.setPlaceholderText("Type a command")
        self.field.setAccessibleName("Command")
        self.list = QListWidget(self)
        self.list.setAccessibleName("Commands found")
        self.list.setUniformItemSizes(True)
        column.addWidget(self.field)
        column.addWidget(self.list)
        self.setFixedSize(theme.px(520), theme.px(360))
        context.actions.refresh()
        blank = QPixmap(64, 64)  # as wide as the icons, so that all names begin at one place
        blank.fill(Qt.GlobalColor.transparent)
        self._no_icon = QIcon(blank)
        self._recent = context.window_state.recent("command")
        self.field.textChanged.connect(self._fill)
        self.field.installEventFilter(self)
        self.list.itemActivated.connect(self._activated)
        self._fill("")
        if parent is not None:
            frame = parent.frameGeometry()
            self.move(frame.center().x() - self.width() // 2, frame.top() + theme.px(80))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: 8, Qt.Key.Key_PageUp: -8}.get(
                Qt.Key(event.key())
            )
            if step is not None:
                row = min(max(self.list.currentRow() + step, 0), self.list.count() - 1)
                self.list.setCurrentRow(row)
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.list.currentItem():
                self._activated(self.list.currentItem())
                return True
        return super().eventFilter(watched, event)

    def _fill(self, text: str) -> None:
        self.list.clear()
        for command in self._context.actions.search(text, self._recent):
            keys = command.action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
            reason = self._context.actions.reason(command.id)
            label = "   ".join(part for part in (command.text, f"({keys})" if keys else "", reason) if part)
            icon = command.action.icon()
            item = QListWidgetItem(self._no_icon if icon.isNull() else icon, label)
            item.setData(Qt.ItemDataRole.UserRole, command.id)
            if reason:
                item.setForeground(theme.color("text_3"))
            self.list.addItem(item)
        self.list.setCurrentRow(0)

    def _activated(self, item: QListWidgetItem) -> None:
        action_id = str(item.data(Qt.ItemDataRole.UserRole))
        if self._context.actions.reason(action_id):
            return
        self.accept()
        self._context.actions.trigger(action_id)


SENTENCE = (
    "Removes chosen classes or images from a trained image classifier, shows what happens inside the network, "
    "measures how far it got and exports the result."
)


class AboutDialog(QDialog):
    """Name, version and libraries."""

    def __init__(self, version: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("About Unlearn Studio")
        column = QVBoxLayout(self)
        margin = theme.px(t.XL)
        column.setContentsMargins(margin, margin, margin, margin)
        column.setSpacing(theme.px(t.M))
        column.addWidget(Label("Unlearn Studio", "title"))
        text = Label(SENTENCE, wrap=True)
        text.setMinimumWidth(theme.px(400))
        column.addWidget(text)
        facts = FactTable()
        facts.set("version", "Version", version)
        facts.set("python", "Python", platform.python_version())
        facts.set("qt", "Qt", f"{qVersion()} (PySide6 {PySide6.__version__})")
        facts.set("system", "System", platform.platform())
        column.addWidget(facts)
        column.addWidget(close_box(self))
