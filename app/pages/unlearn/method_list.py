"""The methods as cards: several may be ticked, one of them is shown beside; those that do not suit come last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from app.services import tokens as t
from app.services.theme import theme
from app.widgets.cards import Card, SelectableCard
from app.widgets.labels import Label
from app.widgets.scroll import scrolling

if TYPE_CHECKING:
    from core.session.planning import Choice

_NEEDS = {"forget set": "forget images", "retain set": "retain images", "teacher": "the original as teacher"}


class MethodList(Card):
    """`changed`: what is ticked or shown. Unsuitable methods cannot be ticked and say why."""

    changed = Signal()
    opened = Signal()  # double click or Return on a card: go on with it

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Methods", parent, padding=t.M)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search methods")
        self.search.setAccessibleName("Search methods")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._filter)
        self.body.addWidget(self.search)
        self._list = QWidget()
        self._column = QVBoxLayout(self._list)
        self._column.setContentsMargins(theme.px(2), theme.px(2), theme.px(t.S), theme.px(2))
        self._column.setSpacing(theme.px(t.S))
        self._column.addStretch(1)
        self._none = Label("No method of that name.", "body", "text-2")
        self._none.hide()
        self.body.addWidget(self._none)
        self._list.setProperty("ground", "surface")
        self._area = scrolling(self._list, "surface")
        self.body.addWidget(self._area, 1)
        self._cards: dict[str, SelectableCard] = {}
        self._choices: dict[str, Choice] = {}
        self._shown = ""

    @property
    def shown(self) -> str:
        """Id of the method whose parameters are shown; "" before there are any."""
        return self._shown

    def ticked(self) -> list[str]:
        """Ids of the ticked methods, in the order of the cards."""
        return [key for key, card in self._cards.items() if card.isChecked()]

    def choice(self, method_id: str) -> Choice:
        """One method with whether it suits."""
        return self._choices[method_id]

    def set_choices(self, choices: Sequence[Choice]) -> None:
        """Show these methods in this order; ticks stay where the method still suits, else the first one gets it."""
        before, shown = self.ticked(), self._shown
        for card in self._cards.values():
            self._column.removeWidget(card)
            card.hide()
            card.deleteLater()
        self._cards, self._choices = {}, {choice.method.id: choice for choice in choices}
        for number, choice in enumerate(choices):
            card = SelectableCard(choice.method.title, choice.method.summary, _note(choice), check=True)
            card.setEnabled(choice.suits)
            card.setChecked(choice.suits and choice.method.id in before)
            card.clicked.connect(self._clicked)
            card.opened.connect(self._opened)
            self._column.insertWidget(number, card)
            self._cards[choice.method.id] = card
        if not self.ticked():
            first = next((c.method.id for c in choices if c.suits), "")
            if first:
                self._cards[first].setChecked(True)
        ticked = self.ticked()
        self._shown = shown if shown in ticked else ticked[0] if ticked else ""
        self._filter(self.search.text())
        self.changed.emit()

    def tick(self, method_id: str, only: bool = False) -> None:
        """Tick a method and show it."""
        if method_id not in self._cards or not self._choices[method_id].suits:
            return
        for key, card in self._cards.items():
            if key == method_id:
                card.setChecked(True)
            elif only:
                card.setChecked(False)
        self._shown = method_id
        self.changed.emit()

    def _clicked(self) -> None:
        key = next((key for key, card in self._cards.items() if card is self.sender()), "")
        ticked = self.ticked()
        if key in ticked:
            self._shown = key
        elif self._shown == key:
            self._shown = ticked[0] if ticked else key
        self.changed.emit()

    def _opened(self) -> None:
        self._clicked()
        self.opened.emit()

    def _filter(self, text: str) -> None:
        wanted = text.strip().lower()
        found = False
        for key, card in self._cards.items():
            method = self._choices[key].method
            match = wanted in f"{method.id} {method.title} {method.summary}".lower()
            card.setVisible(match)
            found = found or match
        self._none.setVisible(not found and bool(self._cards))


def _note(choice: Choice) -> str:
    if not choice.suits:
        return choice.reason
    needs = [_NEEDS.get(need, need) for need in sorted(choice.method.needs)]
    return f"Needs {', '.join(needs)}" if needs else ""
