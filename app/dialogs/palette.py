"""The command palette: type some letters of a command, press Return."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QIcon, QKeyEvent, QKeySequence, QPixmap
from PySide6.QtWidgets import QDialog, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from app.context import AppContext
from app.services import tokens as t
from app.services.theme import theme


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
