"""Asks which of several architectures a model is, where its weights fit them all."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QRadioButton, QWidget

from app.dialogs.sheet import Sheet
from app.services.theme import theme
from app.widgets.labels import Label, caption

QUESTION = (
    "The weights of {name} fit several architectures that compute differently. "
    "The wrong one shows as low accuracy; the model can then be opened again as another."
)


class ArchitectureDialog(Sheet):
    """`chosen` carries the name of an architecture; `candidates` holds each name with what sets it apart."""

    chosen = Signal(str)

    def __init__(self, name: str, candidates: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__("Which architecture?", "Open as this", parent)
        text = Label(QUESTION.format(name=name), wrap=True)
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
