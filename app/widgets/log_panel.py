"""The log panel: the last lines, with copy and the folder of the log files."""

from __future__ import annotations

from PySide6.QtCore import QAbstractItemModel, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QAbstractItemView, QFrame, QHBoxLayout, QListView, QVBoxLayout, QWidget

from app.services import tokens as t
from app.services.logs import LogModel
from app.services.paths import log_dir
from app.services.theme import theme
from app.widgets.buttons import TextButton
from app.widgets.labels import Label

HEIGHT = 180


def open_log_folder() -> None:
    """Show the folder of the log files in the system's file manager."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(log_dir())))


class LogPanel(QFrame):
    """Lines as they come; it stays where the user scrolled to, and follows at the end."""

    def __init__(self, model: LogModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("part", "panel")
        self.setFixedHeight(theme.px(HEIGHT))
        self._model = model
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.px(t.L), theme.px(t.XS), theme.px(t.S), theme.px(t.XS))
        column.setSpacing(theme.px(t.XS))
        row = QHBoxLayout()
        row.addWidget(Label("Log", "section"))
        row.addStretch(1)
        row.addWidget(TextButton("Copy all", self.copy))
        row.addWidget(TextButton("Open log folder", open_log_folder))
        column.addLayout(row)
        self.view = QListView(self)
        self.view.setAccessibleName("Log lines")
        self.view.setFont(theme.font("caption"))
        self.view.setUniformItemSizes(True)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.view.setModel(model)
        self._follow = True
        bar = self.view.verticalScrollBar()
        bar.valueChanged.connect(self._scrolled)
        bar.rangeChanged.connect(self._range_changed)
        column.addWidget(self.view, 1)

    def copy(self) -> None:
        """Put all lines on the clipboard."""
        QGuiApplication.clipboard().setText(self._model.text())

    def model(self) -> QAbstractItemModel:
        """The lines."""
        return self._model

    def _scrolled(self, value: int) -> None:
        self._follow = value >= self.view.verticalScrollBar().maximum() - 1

    def _range_changed(self, _low: int, high: int) -> None:
        if self._follow:
            self.view.verticalScrollBar().setValue(high)
