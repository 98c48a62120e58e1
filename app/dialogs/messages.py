"""What the program had to say in this session: when, how serious, in full, for a report."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence

from PySide6.QtCore import qVersion
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPlainTextEdit, QTableWidget, QWidget

from app.dialogs.sheet import Dialog
from app.services import tokens as t
from app.services.notifications import Notification
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.buttons import SecondaryButton, TextButton
from app.widgets.frame import open_log_folder
from app.widgets.layout import STRETCH, column, named, row
from app.widgets.table import text_table
from core.version import VERSION

LEVELS = {"info": mark("Information"), "caution": mark("Caution"), "error": mark("Error")}
SIZE = (760, 480)  # of the dialog, in pixels of the design


class MessagesDialog(Dialog):
    """A list of messages, newest first, and below it the one chosen, with its details. A single one needs no list."""

    def __init__(
        self, messages: Sequence[Notification], parent: QWidget | None = None, chosen: Notification | None = None
    ) -> None:
        super().__init__(tr("Messages"), parent)
        self.resize(*(theme.px(side) for side in SIZE))
        self._messages = list(reversed(messages))
        rows = [(time.strftime("%H:%M:%S", time.localtime(one.when)), tr(LEVELS[one.level]), one.sentence)
                for one in self._messages]  # fmt: skip
        self.table = text_table(tr("Messages, newest first"), [tr("Time"), tr("Kind"), tr("Message")], rows)
        self.table.setSelectionMode(QTableWidget.SelectionMode.SingleSelection)
        self.table.setVisible(len(self._messages) > 1)
        nothing = tr("There was nothing to say yet.")
        self.details = named(QPlainTextEdit(readOnly=True, placeholderText=nothing), tr("The message in full"))
        self.details.setFont(theme.font("fixed"))
        self._copy = SecondaryButton(tr("Copy"), self.copy)
        self._copy.setEnabled(bool(self._messages))
        close = SecondaryButton(tr("Close"), self.accept)
        close.setDefault(True)
        column((self.table, 1), (self.details, 1),
               row(TextButton(tr("Open log folder"), open_log_folder), STRETCH, self._copy, close),
               on=self, margins=t.L, spacing=t.M)  # fmt: skip
        self.table.itemSelectionChanged.connect(self._show)
        if self._messages:
            self.table.selectRow(self._messages.index(chosen) if chosen in self._messages else 0)

    def copy(self) -> None:
        """Put the message with its details on the clipboard."""
        QGuiApplication.clipboard().setText(self.details.toPlainText())
        self._copy.setText(tr("Copied"))

    def _show(self) -> None:
        self.details.setPlainText(report_text(self._messages[self.table.currentRow()]))
        self._copy.setText(tr("Copy"))


def report_text(message: Notification) -> str:
    """Return a message with its details and the environment, for a report."""
    versions = f"Unlearn Studio {VERSION}, Python {platform.python_version()}, Qt {qVersion()}"
    environment = f"{versions}, {platform.platform()}"
    return "\n".join(part for part in (message.sentence, environment, message.details) if part)
