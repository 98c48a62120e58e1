"""Asks what a model file is: which of several architectures, or which of several networks in it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QRadioButton, QWidget

from app.dialogs.sheet import Sheet
from app.services.theme import theme
from app.widgets.labels import Label, caption


class ArchitectureDialog(Sheet):
    """`chosen` carries the name of an architecture; `candidates` holds each name with what sets it apart."""

    chosen = Signal(str)
    title, action = "Which architecture?", "Open as this"
    question = (
        "The weights of {name} fit several architectures that compute differently. "
        "The wrong one shows as low accuracy; the model can then be opened again as another."
    )

    def __init__(self, name: str, candidates: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__(self.title, self.action, parent)
        text = Label(self.question.format(name=name), wrap=True)
        text.setMinimumWidth(theme.px(440))
        self.body.addWidget(text)
        self._group = QButtonGroup(self)
        self._names = [architecture for architecture, _ in candidates]
        for number, (architecture, reason) in enumerate(candidates):
            button = QRadioButton(architecture)
            button.setAccessibleDescription(reason)
            self._group.addButton(button, number)
            self.body.addWidget(button)
            self.body.addWidget(caption(reason, True))
        self._group.buttons()[0].setChecked(True)
        self._group.buttons()[0].setFocus()
        self.accepted.connect(self._accepted)

    def choose(self, architecture: str) -> None:
        """Choose one of the candidates."""
        self._group.button(self._names.index(architecture)).setChecked(True)

    def _accepted(self) -> None:
        self.chosen.emit(self._names[self._group.checkedId()])


class EntryDialog(ArchitectureDialog):
    """`chosen` carries the name of the entry that is the network, as --key takes it."""

    title, action = "Which network?", "Open this one"
    question = "{name} holds several networks. The others are not given back with the one you choose."
