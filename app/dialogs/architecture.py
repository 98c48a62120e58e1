"""Asks what a model file is: which of several networks in it, or which of several architectures."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QLineEdit, QRadioButton, QWidget

from app.dialogs.sheet import Sheet
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
            button = QRadioButton(candidate)
            button.setAccessibleDescription(reason)
            self.group.addButton(button, number)
            self.body.addWidget(button)
            if reason:
                self.body.addWidget(caption(reason, True))
        self.group.buttons()[0].setChecked(True)
        self.group.buttons()[0].setFocus()
        self.accepted.connect(self._accepted)

    def choose(self, name: str) -> None:
        """Choose one of the candidates."""
        self.group.button(self._names.index(name)).setChecked(True)

    def choice(self) -> str:
        """The name chosen."""
        return self._names[self.group.checkedId()]

    def _accepted(self) -> None:
        self.chosen.emit(self.choice())


class ArchitectureDialog(EntryDialog):
    """`chosen` carries an architecture: one of those that fit the weights, or one that is typed in."""

    title, action = "Which architecture?", "Open as this"
    question = (
        "These fit the weights of {name} and compute differently. How images are prepared is found out anew for the "
        "one you choose, where nobody stated it."
    )

    def __init__(self, name: str, candidates: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
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

    def choice(self) -> str:
        return self.field.text().strip() if self._another.isChecked() else super().choice()

    def _typed(self, _text: str) -> None:
        self._another.setChecked(True)
        self._check()

    def _check(self, *_toggled: object) -> None:
        self.set_reason("" if self.choice() else "Type the name of an architecture, or FILE.py:FACTORY.")
