"""What this program is, and what it runs on."""

from __future__ import annotations

import platform

import PySide6
from PySide6.QtCore import Qt, qVersion
from PySide6.QtWidgets import QDialog, QVBoxLayout, QWidget

from app.services import tokens as t
from app.services.theme import theme
from app.widgets.buttons import close_box
from app.widgets.facts import FactTable
from app.widgets.labels import Label

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
