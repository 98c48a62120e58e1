"""The methods as cards under headings: several may be ticked, one is shown beside; what does not suit comes last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QRect, QRectF, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFont, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QShortcut
from PySide6.QtWidgets import QAbstractButton, QLineEdit

from app.services import format as fmt
from app.services import icons
from app.services import run_words as words
from app.services import tokens as t
from app.services.theme import set_tone, theme
from app.services.translation import tr
from app.widgets.cards import Card, CollapsibleSection
from app.widgets.labels import Label, caption
from app.widgets.layout import STRETCH, column, scrolling, widget_of

if TYPE_CHECKING:
    from core.session.planning import Choice

_MOVES = {
    Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1, Qt.Key.Key_PageUp: -4, Qt.Key.Key_PageDown: 4,
    Qt.Key.Key_Home: -1000, Qt.Key.Key_End: 1000,
}  # fmt: skip


class MethodCard(QAbstractButton):
    """One method as a check box that is a card: what it does, when it makes sense, what it costs and needs.

    Ticked shows as a 2 px accent edge and a tick, not by tint alone; the one whose parameters stand beside is tinted.
    One that does not suit cannot be ticked and says why.
    """

    opened = Signal()  # double click or Return: choose this one and go on
    move_wanted = Signal(int)  # so many cards further
    focused = Signal(bool)  # whether by the keyboard

    def __init__(self, choice: Choice) -> None:
        super().__init__()
        self.choice, self.cost, self.shown = choice, "", False
        self.on_texts = False  # while a click on the texts, not on the box, is told
        self.setCheckable(True)
        self.setEnabled(choice.suits)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self._labels = tuple(Label("", "caption" if number else "body", wrap=True) for number in range(5))
        bold = self._labels[0].font()
        bold.setWeight(QFont.Weight.DemiBold)
        self._labels[0].setFont(bold)
        for label in self._labels:
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        pad, box = theme.px(t.S), self.mark_area()
        column(*self._labels, on=self, spacing=2, margins=(int(box.right()) + pad, pad, pad, pad))
        self.write("")

    def write(self, cost: str) -> None:
        """Write all texts; `cost` is what training costs, in words, "" where it is not known."""
        method, suits = self.choice.method, self.choice.suits
        facts = [words.suits(method), words.needs(method), cost] if suits else [words.needs(method)]
        texts = (method.title, self.choice.reason, method.summary, "\n".join(filter(None, facts)), method.citation)
        tones = ("text", "text-2", "text-2", "text-2", "text-3")
        for label, text, tone in zip(self._labels, texts, tones, strict=True):
            label.say(text)
            set_tone(label, tone if suits or text is self.choice.reason else "disabled")
        self.setAccessibleName(method.title)
        ended = (text if text.endswith((".", "?", "!")) else f"{text}." for text in self.lines()[1:])
        self.setAccessibleDescription(" ".join(ended))

    def set_shown(self, shown: bool) -> None:
        """Mark the card whose parameters stand beside."""
        self.shown = shown
        self.update()

    def lines(self) -> list[str]:
        """All texts of the card."""
        return [line for label in self._labels if label.text() for line in label.text().split("\n")]

    def mark_area(self) -> QRectF:
        """Where the box is."""
        mark, pad = theme.px(16), theme.px(t.M)
        return QRectF(pad, pad, mark, mark)

    def paintEvent(self, event: QPaintEvent) -> None:
        ticked, box, small = self.isChecked(), self.mark_area(), theme.px(12)
        hovered = self.underMouse() and self.isEnabled() and not ticked
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width = 2 if ticked else 1
        painter.setPen(theme.pen("accent" if ticked else "line", width))
        painter.setBrush(theme.brush("accent_tint" if ticked and self.shown else "sunken" if hovered else "surface"))
        frame = QRectF(self.rect()).adjusted(width / 2, width / 2, -width / 2, -width / 2)
        painter.drawRoundedRect(frame, theme.px(t.RADIUS_CARD), theme.px(t.RADIUS_CARD))
        painter.setPen(theme.pen("accent" if ticked else "outline" if self.isEnabled() else "line"))
        painter.setBrush(theme.brush("accent" if ticked else "surface"))
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), theme.px(3), theme.px(3))
        if ticked:
            place = QRect(0, 0, small, small)
            place.moveCenter(box.center().toPoint())
            icons.icon("tick", "on_accent").paint(painter, place)
        painter.end()

    # ---- keyboard and mouse

    def keyPressEvent(self, event: QKeyEvent) -> None:
        move = _MOVES.get(Qt.Key(event.key()))
        if move is not None and event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier == Qt.KeyboardModifier(0):
            self.move_wanted.emit(move)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.opened.emit()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.focused.emit(event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.on_texts = event.position().x() > self.mark_area().right() + theme.px(t.XS)
        super().mouseReleaseEvent(event)
        self.on_texts = False

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.opened.emit()


class MethodList(Card):
    """`changed`: what is ticked or shown. A search hides cards and shows them."""

    changed = Signal()
    opened = Signal()  # double click or Return on a card: go on with it

    def __init__(self) -> None:
        super().__init__(tr("Methods"), padding=t.M)
        self.ticks = caption()
        self.add_action(self.ticks)
        self.search = QLineEdit(placeholderText=tr("Search methods"), clearButtonEnabled=True)
        self.search.setAccessibleName(tr("Search methods"))
        self.search.setToolTip(tr("By title, id, what they do, citation or group"))
        self.search.textChanged.connect(self._filter)
        for key, act in ((Qt.Key.Key_Down, self.focus_card), (Qt.Key.Key_Escape, self.search.clear)):
            QShortcut(key, self.search, act).setContext(Qt.ShortcutContext.WidgetShortcut)
        self._none = Label("", "body", "text-2", wrap=True)
        self._column = column(STRETCH, margins=(2, 2, t.S, 2))
        self._area = scrolling(widget_of(self._column), "surface")
        for widget in (self.search, self._none):
            self.body.addWidget(widget)
        self.body.addWidget(self._area, 1)
        self._cards: dict[str, MethodCard] = {}  # in the order shown
        self._sections: dict[CollapsibleSection, list[MethodCard]] = {}
        self.shown = ""  # id of the method whose parameters are shown; "" before there are any
        self._stop = ""  # the card that Tab comes to

    def ticked(self) -> list[str]:
        """Ids of the ticked methods, in the order of the cards."""
        return [key for key, card in self._cards.items() if card.isChecked()]

    def choice(self, method_id: str) -> Choice:
        """One method with whether it suits."""
        return self._cards[method_id].choice

    def set_choices(self, choices: Sequence[Choice]) -> None:
        """Show these under the headings of their groups, those that do not suit under one of their own, last.

        Ticks stay where the method still suits, else the first one gets it.
        """
        before, folded = self.ticked(), {section.title() for section in self._sections if not section.is_open()}
        for section in self._sections:
            self._column.removeWidget(section)
            section.hide()
            section.deleteLater()
        titled: dict[str, list[MethodCard]] = {}
        for choice in choices:
            title = words.group_title(choice.method.group) if choice.suits else tr(words.UNSUITABLE)
            titled.setdefault(title, []).append(MethodCard(choice))
        self._cards = {card.choice.method.id: card for cards in titled.values() for card in cards}
        self._sections = {self._section(title, cards, title not in folded): cards for title, cards in titled.items()}
        for key, card in self._cards.items():
            card.setChecked(card.choice.suits and key in before)
            for signal, slot in ((card.clicked, self._clicked), (card.opened, self._opened),
                                 (card.move_wanted, self._move), (card.focused, self._focused)):  # fmt: skip
                signal.connect(partial(slot, key))
        if not self.ticked() and choices and choices[0].suits:
            self._cards[choices[0].method.id].setChecked(True)
        ticked = self.ticked()
        self._stop = ""
        self._show(self.shown if self.shown in ticked else next(iter(ticked), ""))
        self._filter(self.search.text())

    def set_costs(self, costs: Mapping[str, float | None]) -> None:
        """Show training costs beside retraining's, by method id; cards that are not named stay as they are."""
        for key in costs.keys() & self._cards.keys():
            self._cards[key].write(words.cost(costs[key], key))

    def tick(self, method_id: str, only: bool = False) -> None:
        """Tick a method and show it."""
        if method_id not in self._cards or not self.choice(method_id).suits:
            return
        for key, card in self._cards.items():
            card.setChecked(key == method_id or (card.isChecked() and not only))
        self._area.ensureWidgetVisible(self._cards[method_id])
        self._show(method_id)

    def focus_card(self) -> None:
        """Go to the card that Tab would come to."""
        if self._stop:
            self._go_to(self._stop)

    # ---- parts

    def _section(self, title: str, cards: Sequence[MethodCard], open_: bool) -> CollapsibleSection:
        section = CollapsibleSection(title, open_, strong=True)
        section.set_tip(words.group_line(title))
        section.toggled.connect(self._place_stop)
        for card in cards:
            section.body.addWidget(card)
        self._column.insertWidget(self._column.count() - 1, section)
        return section

    def _clicked(self, key: str, *_: object) -> None:
        card = self._cards[key]
        if card.on_texts and not card.isChecked() and key != self.shown:
            card.setChecked(True)  # a ticked card that was not in view comes into view and stays ticked
        ticked = self.ticked()
        self._show(key if key in ticked else next(iter(ticked), key) if key == self.shown else self.shown)

    def _opened(self, key: str) -> None:
        self.tick(key)
        self.opened.emit()

    def _show(self, key: str) -> None:
        self.shown = key
        for other, card in self._cards.items():
            card.set_shown(other == key)
        if key:
            self._set_stop(key)
        self._count()
        self.changed.emit()

    def _count(self) -> None:
        ticked = self.ticked()
        counted = tr("{number} of {all} ticked", number=fmt.count(len(ticked)), all=fmt.count(len(self._cards)))
        if unseen := sum(self._cards[key].isHidden() for key in ticked):
            counted = tr("{counted}, {unseen} of them not shown", counted=counted, unseen=fmt.count(unseen))
        self.ticks.setText(counted)
        for section, cards in self._sections.items():
            found, number = sum(not card.isHidden() for card in cards), sum(card.isChecked() for card in cards)
            methods = tr("%n methods", n=len(cards))
            parts = [methods if found == len(cards) else tr("{found} of {methods}", found=found, methods=methods)]
            section.set_summary(" · ".join([*parts, *([tr("{number} ticked", number=number)] if number else [])]))

    def _filter(self, text: str) -> None:
        wanted = text.strip().lower()
        for card in self._cards.values():
            card.setVisible(words.matches(words.haystack(card.choice.method), wanted))
        for section, cards in self._sections.items():
            section.setVisible(not all(card.isHidden() for card in cards))
            section.set_held_open(bool(wanted))  # what was found must show, also in a folded group
        nothing = bool(self._cards) and all(card.isHidden() for card in self._cards.values())
        self._none.say(tr("No method matches “{text}”.", text=text.strip()) if nothing else "")
        self._area.verticalScrollBar().setValue(0)
        self._count()
        self._place_stop()

    # ---- the keyboard: one stop for Tab among the cards, arrows from card to card

    def _reachable(self) -> list[str]:
        """Cards the arrows go through: those that show and can be ticked."""
        return [
            card.choice.method.id
            for section, cards in self._sections.items() if section.is_open()
            for card in cards if card.isEnabled() and not card.isHidden()
        ]  # fmt: skip

    def _set_stop(self, key: str) -> None:
        for name, policy in ((self._stop, Qt.FocusPolicy.ClickFocus), (key, Qt.FocusPolicy.StrongFocus)):
            if name in self._cards:
                self._cards[name].setFocusPolicy(policy)
        self._stop = key

    def _place_stop(self) -> None:
        cards = self._reachable()
        if self._stop not in cards:
            self._set_stop(self.shown if self.shown in cards else next(iter(cards), ""))

    def _focused(self, key: str, by_keyboard: bool) -> None:
        self._set_stop(key)
        if by_keyboard and self._cards[key].isChecked() and key != self.shown:
            self._show(key)

    def _move(self, key: str, by: int) -> None:
        cards = self._reachable()
        place = cards.index(key) + by
        if place < 0 and by == -1:
            self.search.setFocus(Qt.FocusReason.BacktabFocusReason)
        else:
            self._go_to(cards[min(max(place, 0), len(cards) - 1)])

    def _go_to(self, key: str) -> None:
        card = self._cards[key]
        card.setFocus(Qt.FocusReason.TabFocusReason)
        self._area.ensureWidgetVisible(card, 0, theme.px(t.S))
