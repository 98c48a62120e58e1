"""Asks what a model file is: which of several networks in it, or which of several architectures."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QLineEdit, QRadioButton, QVBoxLayout, QWidget

from app.dialogs.sheet import Sheet
from app.services import tokens as t
from app.services.theme import theme
from app.widgets.labels import Label, caption


class EntryDialog(Sheet):
    """`chosen` carries the name of the entry that is the network, as --key takes it.

    `candidates` holds each name with what sets it apart.
    """

    chosen = Signal(str)
    title, action = "Which network?", "Open this one"
    question = "{name} holds several networks. The others are not given back with the one you choose."

    def __init__(self, name: str, candidates: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__(self.title, self.action, parent)
        text = Label(self.question.format(name=name), wrap=True)
        text.setMinimumWidth(theme.px(440))
        self.body.addWidget(text)
        self.group = QButtonGroup(self)
        self._names = [candidate for candidate, _ in candidates]
        for number, (candidate, reason) in enumerate(candidates):
            column = QVBoxLayout()
            column.setSpacing(0)
            button = QRadioButton(candidate)
            button.setAccessibleDescription(reason)
            self.group.addButton(button, number)
            column.addWidget(button)
            if reason:
                text = caption(reason, True)
                text.setIndent(theme.px(t.XL))
                column.addWidget(text)
            self.body.addLayout(column)
        for first in self.group.buttons()[:1]:
            first.setChecked(True)
            first.setFocus()
        self.accepted.connect(lambda: self.chosen.emit(self.choice()))

    def choose(self, name: str) -> None:
        """Choose one of the candidates."""
        self.group.button(self._names.index(name)).setChecked(True)

    def choice(self) -> str:
        """The name chosen."""
        return self._names[self.group.checkedId()]


class ArchitectureDialog(EntryDialog):
    """`chosen` carries an architecture: one of those that fit the weights, or one that is typed in."""

    title, action = "Which architecture?", "Open as this"
    question = (
        "These fit the weights of {name} and compute differently. How images are prepared is found out anew for the "
        "one you choose, where nobody stated it."
    )
    unknown = "No network that is known here fits the weights of {name}. Name one that does, or the code that makes it."

    def __init__(self, name: str, candidates: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
        if not candidates:
            self.question = self.unknown
        super().__init__(name, candidates, parent)
        self._another = QRadioButton("Another:")
        self.group.addButton(self._another, len(candidates))
        self.field = QLineEdit()
        self.field.setPlaceholderText("resnet18:stem=3,pool=max   or   network.py:make_network")
        self.field.setAccessibleName("Another architecture")
        self.field.textEdited.connect(self._typed)
        self.group.idToggled.connect(self._check)
        self.body.addWidget(self._another)
        self.body.addWidget(self.field)
        if not candidates:
            self._another.setChecked(True)
            self._another.hide()
            self.field.setFocus()

    def choice(self) -> str:
        return self.field.text().strip() if self._another.isChecked() else super().choice()

    def _typed(self, _text: str) -> None:
        self._another.setChecked(True)
        self._check()

    def _check(self, *_toggled: object) -> None:
        self.set_reason("" if self.choice() else "Type the name of an architecture, or FILE.py:FACTORY.")
