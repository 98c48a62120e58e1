"""A question with two or three answers; the default is always the harmless one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from app.services import tokens as t
from app.services.theme import theme
from app.widgets.buttons import Button, DestructiveButton, SecondaryButton
from app.widgets.labels import Label


@dataclass(frozen=True)
class Choice:
    """One answer: its key, its words (a verb first), and whether it destroys something."""

    key: str
    text: str
    destructive: bool = False


class ConfirmDialog(QDialog):
    """Asks; `answer` is called with the key of the choice, or with the first (harmless) one on Esc.

    Non-blocking: `ConfirmDialog(...).open()` returns at once.
    """

    def __init__(
        self,
        question: str,
        choices: Sequence[Choice],
        answer: Callable[[str], object],
        parent: QWidget | None = None,
        details: str = "",
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Unlearn Studio")
        self._answer = answer
        self._chosen = choices[0].key
        column = QVBoxLayout(self)
        margin = theme.px(t.XL)
        column.setContentsMargins(margin, margin, margin, margin)
        column.setSpacing(theme.px(t.M))
        text = Label(question, "section", wrap=True)
        text.setMinimumWidth(theme.px(400))
        column.addWidget(text)
        if details:
            column.addWidget(Label(details, wrap=True))
        column.addSpacing(theme.px(t.S))
        row = QHBoxLayout()
        row.setSpacing(theme.px(t.S))
        row.addStretch(1)
        self.buttons: dict[str, Button] = {}
        for choice in reversed(choices):
            choose = functools.partial(self._choose, choice.key)
            button: Button
            if choice.destructive:
                button = DestructiveButton(choice.text, choose, filled=True)
            else:
                button = SecondaryButton(choice.text, choose)
            row.addWidget(button)
            if choice.destructive:
                row.addSpacing(theme.px(t.L))
            self.buttons[choice.key] = button
        column.addLayout(row)
        harmless = self.buttons[choices[0].key]
        harmless.setDefault(True)
        harmless.setFocus()
        self.finished.connect(self._finished)

    def _choose(self, key: str) -> None:
        self._chosen = key
        self.accept()

    def _finished(self, _code: int) -> None:
        self._answer(self._chosen)


def ask(
    parent: QWidget | None,
    question: str,
    choices: Sequence[Choice],
    answer: Callable[[str], object],
    details: str = "",
) -> ConfirmDialog:
    """Ask a question without blocking; the first choice is the harmless default and what Esc means."""
    dialog = ConfirmDialog(question, choices, answer, parent, details)
    dialog.open()
    return dialog
