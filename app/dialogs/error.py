"""An error in full: what happened, what to do, details folded, copy, and the folder of the log."""

from __future__ import annotations

import platform

from PySide6.QtCore import Qt, qVersion
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from app.services import tokens as t
from app.services.notifications import Notification
from app.services.theme import theme
from app.widgets.buttons import SecondaryButton, TextButton
from app.widgets.labels import Label
from app.widgets.log_panel import open_log_folder
from core.version import VERSION


class ErrorDialog(QDialog):
    """Shows one notification; the details are there only when asked for."""

    def __init__(self, notification: Notification, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Unlearn Studio")
        self._notification = notification
        column = QVBoxLayout(self)
        margin = theme.px(t.XL)
        column.setContentsMargins(margin, margin, margin, margin)
        column.setSpacing(theme.px(t.M))
        title = Label(notification.text, "section", wrap=True)
        title.setMinimumWidth(theme.px(440))
        column.addWidget(title)
        if notification.hint:
            column.addWidget(Label(notification.hint, wrap=True))
        self.details = QPlainTextEdit(report_text(notification))
        self.details.setReadOnly(True)
        self.details.setAccessibleName("Details")
        self.details.setFont(theme.font("fixed"))
        self.details.setMinimumSize(theme.px(560), theme.px(200))
        self.details.hide()
        row = QHBoxLayout()
        self._toggle = TextButton("Show details", self._toggle_details)
        row.addWidget(self._toggle)
        row.addWidget(TextButton("Open log folder", open_log_folder))
        row.addStretch(1)
        self._copy = SecondaryButton("Copy", self._copy_text)
        row.addWidget(self._copy)
        close = SecondaryButton("Close", self.accept)
        close.setDefault(True)
        row.addWidget(close)
        column.addWidget(self.details, 1)
        column.addLayout(row)

    def _toggle_details(self) -> None:
        shown = self.details.isHidden()
        self.details.setVisible(shown)
        self._toggle.setText("Hide details" if shown else "Show details")
        self.adjustSize()

    def _copy_text(self) -> None:
        QGuiApplication.clipboard().setText(report_text(self._notification))
        self._copy.setText("Copied")


def report_text(notification: Notification) -> str:
    """The error with its traceback and the environment, for a report."""
    environment = (
        f"Unlearn Studio {VERSION}, Python {platform.python_version()}, Qt {qVersion()}, {platform.platform()}"
    )
    return "\n".join(part for part in (notification.sentence, environment, notification.details) if part)
