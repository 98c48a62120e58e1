"""The methods as cards under headings: several may be ticked, one is shown beside; what does not suit comes last."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QCheckBox, QWidget

from app.services import format as fmt
from app.services import run_words as words
from app.services import tokens as t
from app.services.theme import set_property, theme
from app.services.translation import tr
from app.widgets.cards import Card
from app.widgets.labels import Label, caption
from app.widgets.layout import STRETCH, column, scrolling, widget_of
from app.widgets.table import search_field
from app.widgets.terms import heading

if TYPE_CHECKING:
    from core.session.planning import Choice

_MOVES = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
_BOX = 36  # the width at the left in which the box stands, beside the texts


class MethodCard(QCheckBox):
    """One method as a check box that is a card: what it does, when it makes sense, what it costs and needs.

    The style sheet draws it. One that does not suit cannot be ticked and says why.
    """

    move_wanted = Signal(int)  # so many cards further

    def __init__(self, choice: Choice) -> None:
        super().__init__()
        method = choice.method
        self.choice, self.shown, self._on_box = choice, False, True
        self.setEnabled(choice.suits)
        self.setProperty("part", "method")
        self.setAccessibleName(method.title)
        title, reason, self._facts = Label(method.title, wrap=True), caption(wrap=True), caption(wrap=True)
        title.setProperty("strong", True)
        reason.setProperty("part", "reason")
        citation = Label("", "caption", "text-3", wrap=True)
        for label in (title, reason, self._facts, citation):
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._texts = column(title, reason, self._facts, citation, on=self, spacing=2, margins=(_BOX, t.S, t.S, t.S))
        reason.say(choice.reason)  # now that they have a parent: a label without one that shows is a window
        citation.say(method.citation)
        self.set_cost("")
        self.set_shown(False)

    def set_cost(self, cost: str) -> None:
        """Say what training costs, in words; "" where it is not known."""
        choice, method = self.choice, self.choice.method
        package = tr("From the package {package}", package=choice.package) if choice.package else ""
        facts = [method.summary, words.suits(method) if choice.suits else "", words.needs(method), cost, package]
        self._facts.setText("\n".join(filter(None, facts)))
        self.setAccessibleDescription("\n".join(filter(None, (choice.reason, *facts, method.citation))))

    def set_shown(self, shown: bool) -> None:
        """Tint the card whose parameters stand beside; it is the one that Tab comes to."""
        self.shown = shown
        set_property(self, "shown", shown)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if shown else Qt.FocusPolicy.ClickFocus)

    # ---- what a check box does otherwise

    def sizeHint(self) -> QSize:
        return self._texts.totalSizeHint()

    def minimumSizeHint(self) -> QSize:
        return self._texts.totalMinimumSize()

    def hitButton(self, at: QPoint) -> bool:
        return self.rect().contains(at)

    def nextCheckState(self) -> None:
        """A click on the texts of a ticked card that is not in view brings it into view, and it stays ticked."""
        if self._on_box or self.shown or not self.isChecked():
            super().nextCheckState()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._on_box = event.position().x() < theme.px(_BOX)
        super().mouseReleaseEvent(event)
        self._on_box = True

    def keyPressEvent(self, event: QKeyEvent) -> None:
        move = _MOVES.get(Qt.Key(event.key()))
        if move is None:
            super().keyPressEvent(event)
        else:
            self.move_wanted.emit(move)


class MethodList(Card):
    """`changed`: what is ticked or shown. A search hides cards that are not ticked, and shows them."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__(tr("Methods"), padding=t.M)
        self.ticks = caption()
        self.add_action(self.ticks)
        self.search = search_field(tr("Search methods"))
        self.search.setToolTip(tr("By title, id, what they do, citation or group"))
        self.search.textChanged.connect(self._filter)
        self._none = Label("", "body", "text-2", wrap=True)
        self._area = scrolling(QWidget(), "surface")
        for widget in (self.search, self._none):
            self.body.addWidget(widget)
        self.body.addWidget(self._area, 1)
        self._cards: dict[str, MethodCard] = {}  # in the order shown
        self._headings: dict[Label, list[MethodCard]] = {}
        self.shown = ""  # id of the method whose parameters are shown; "" before there are any

    def ticked(self) -> list[str]:
        """Ids of the ticked methods, in the order of the cards."""
        return [key for key, card in self._cards.items() if card.isChecked()]

    def choice(self, method_id: str) -> Choice:
        """One method with whether it suits."""
        return self._cards[method_id].choice

    def knows(self, method_id: str) -> bool:
        """Whether there is a card of this method."""
        return method_id in self._cards

    def set_choices(self, choices: Sequence[Choice], left_out: Sequence[str] = ()) -> None:
        """Show these under the headings of their groups, those that do not suit under one of their own, last.

        Ticks stay where the method still suits, else the first one gets it. `left_out`: what is said below of methods
        of packages that have no card.
        """
        before = self.ticked()
        titled: dict[str, list[MethodCard]] = {}
        for choice in choices:
            title = words.group_title(choice.method.group) if choice.suits else tr(words.UNSUITABLE)
            title = tr(words.CORRECTING) if choice.corrects else title
            titled.setdefault(title, []).append(MethodCard(choice))
        self._cards = {card.choice.method.id: card for cards in titled.values() for card in cards}
        self._headings = {heading(title, "body"): cards for title, cards in titled.items()}
        for above in self._headings:
            above.setProperty("strong", True)
            above.setToolTip(words.group_line(above.text()))
        for key, card in self._cards.items():
            card.setChecked(card.choice.suits and key in before)
            card.clicked.connect(partial(self._clicked, key))
            card.move_wanted.connect(partial(self._move, key))
        if not self.ticked() and choices and choices[0].suits:
            self._cards[choices[0].method.id].setChecked(True)
        parts = [part for above, cards in self._headings.items() for part in (above, *cards)]
        parts += [caption(text, wrap=True) for text in left_out]
        inside = widget_of(column(*parts, STRETCH, margins=(2, 2, t.S, 2)))
        inside.setProperty("ground", "surface")
        self._area.setWidget(inside)
        for one, after in itertools.pairwise((self.search, *self._cards.values())):
            QWidget.setTabOrder(one, after)  # Qt puts what is new last, behind the start
        ticked = self.ticked()
        self._show(self.shown if self.shown in ticked else next(iter(ticked), ""))
        self._filter(self.search.text())

    def set_costs(self, costs: Mapping[str, float | None]) -> None:
        """Show training costs beside retraining's, by method id; cards that are not named stay as they are."""
        for key in costs.keys() & self._cards.keys():
            self._cards[key].set_cost(words.cost(costs[key], key))

    def tick(self, method_id: str, only: bool = False) -> None:
        """Tick a method and show it."""
        if method_id not in self._cards or not self.choice(method_id).suits:
            return
        for key, card in self._cards.items():
            card.setChecked(key == method_id or (card.isChecked() and not only))
        self._area.ensureWidgetVisible(self._cards[method_id])
        self._show(method_id)

    # ---- parts

    def _clicked(self, key: str, *_: object) -> None:
        ticked = self.ticked()
        self._show(key if key in ticked else next(iter(ticked), key) if key == self.shown else self.shown)

    def _show(self, key: str) -> None:
        self.shown = key
        for other, card in self._cards.items():
            card.set_shown(other == key)
        number, all_ = fmt.count(len(self.ticked())), fmt.count(len(self._cards))
        self.ticks.setText(tr("{number} of {all} ticked", number=number, all=all_))
        self.changed.emit()

    def _filter(self, text: str) -> None:
        wanted, found = text.strip(), 0
        for card in self._cards.values():
            matches = words.matches(words.haystack(card.choice.method), wanted.lower())
            found += matches
            card.setVisible(matches or card.isChecked() or card.shown)
        for above, cards in self._headings.items():
            above.setVisible(not all(card.isHidden() for card in cards))
        self._none.say("" if found or not self._cards else tr("No method matches “{text}”.", text=wanted))
        self._area.verticalScrollBar().setValue(0)

    def _move(self, key: str, by: int) -> None:
        """Arrows go from card to card that can be ticked; a ticked one comes into view."""
        cards = [other for other, card in self._cards.items() if card.isVisible() and card.isEnabled()]
        place = cards.index(key) + by
        if 0 <= place < len(cards):
            card = self._cards[cards[place]]
            card.setFocus(Qt.FocusReason.TabFocusReason)
            self._area.ensureWidgetVisible(card, 0, theme.px(t.S))
            if card.isChecked():
                self._show(cards[place])
