"""A dialog that collects something: a title, content, and at its foot *Cancel* and one primary button."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from app.services import tokens as t
from app.services.theme import theme
from app.widgets.buttons import PrimaryButton, SecondaryButton
from app.widgets.labels import Label


class Sheet(QDialog):
    """Put content into `body`; connect to `accepted`. Non-blocking: `open()` returns at once.

    A sentence set with `set_reason` stands left of the buttons and disables the primary one; "" enables it.
    """

    def __init__(self, title: str, accept: str, parent: QWidget | None = None, cancel: str = "Cancel") -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        column = QVBoxLayout(self)
        margin = theme.px(t.XL)
        column.setContentsMargins(margin, margin, margin, margin)
        column.setSpacing(theme.px(t.M))
        column.addWidget(Label(title, "section"))
        self.body = QVBoxLayout()
        self.body.setSpacing(theme.px(t.M))
        column.addLayout(self.body, 1)
        self._reason = Label("", "caption", "text-2", wrap=True)
        self._foot = QHBoxLayout()
        self._foot.setSpacing(theme.px(t.S))
        self._foot.addWidget(self._reason, 1)
        self.cancel_button = SecondaryButton(cancel, self.reject)
        self.accept_button = PrimaryButton(accept, self.accept)
        self.accept_button.setDefault(True)
        self._foot.addWidget(self.cancel_button)
        self._foot.addWidget(self.accept_button)
        column.addSpacing(theme.px(t.S))
        column.addLayout(self._foot)

    def add_foot(self, widget: QWidget) -> None:
        """Put a further button at the left of the foot."""
        self._foot.insertWidget(self._foot.count() - 3, widget)

    def set_reason(self, sentence: str) -> None:
        """Say why it cannot be accepted yet; "" where it can."""
        self._reason.setText(sentence)
        self.accept_button.setEnabled(not sentence)

    def reason(self) -> str:
        """The sentence shown."""
        return self._reason.text()
