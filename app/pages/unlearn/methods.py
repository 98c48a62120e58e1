"""The methods as cards under headings: several may be ticked, one is shown beside; what does not suit comes last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QFocusEvent, QFont, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QLineEdit, QVBoxLayout, QWidget

from app.services import format as fmt
from app.services import icons
from app.services import run_words as words
from app.services import tokens as t
from app.services.theme import set_tone, theme
from app.services.translation import tr
from app.widgets.cards import Card, CollapsibleSection
from app.widgets.labels import Label
from app.widgets.layout import column, scrolling

if TYPE_CHECKING:
    from core.session.planning import Choice

_MOVES = {
    Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1, Qt.Key.Key_PageUp: -4, Qt.Key.Key_PageDown: 4,
    Qt.Key.Key_Home: -1000, Qt.Key.Key_End: 1000,
}  # fmt: skip


class MethodCard(QAbstractButton):
    """One method as a check box that is a card: what it does, when it makes sense, what it costs and needs.

    Ticked shows as a 2 px accent edge and a tick, not by tint alone. Arrow keys go from card to card; the one whose
    parameters stand beside is tinted.
    """

    opened = Signal()  # double click or Return: choose this one and go on
    move_wanted = Signal(int)  # so many cards further
    focused = Signal(bool)  # whether by the keyboard

    def __init__(self, choice: Choice, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._choice, self._cost, self._shown = choice, "", False
        self.on_texts = False  # while a click on the texts, not on the box, is told
        self.haystack = words.haystack(choice.method)
        self.setCheckable(True)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.title, self.reason, self.summary, self.facts, self.citation = self._labels = tuple(
            Label("", "caption" if number else "body", wrap=True) for number in range(5)
        )
        bold = self.title.font()
        bold.setWeight(QFont.Weight.DemiBold)
        self.title.setFont(bold)
        for label in self._labels:
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        pad, box = theme.px(t.S), self.mark_area()
        column(*self._labels, on=self, spacing=2, margins=(int(box.right()) + pad, pad, pad, pad))
        self.set_choice(choice)

    def set_choice(self, choice: Choice) -> None:
        """Show whether the method suits; one that does not cannot be ticked and says why."""
        self._choice = choice
        self.setEnabled(choice.suits)
        self._write()

    def set_cost(self, text: str) -> None:
        """Show what training costs, in words; "" where it is not known."""
        if text != self._cost:
            self._cost = text
            self._write()

    def set_shown(self, shown: bool) -> None:
        """Mark the card whose parameters stand beside."""
        if shown != self._shown:
            self._shown = shown
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
        painter.setBrush(theme.brush("accent_tint" if ticked and self._shown else "sunken" if hovered else "surface"))
        frame = QRectF(self.rect()).adjusted(width / 2, width / 2, -width / 2, -width / 2)
        painter.drawRoundedRect(frame, theme.px(t.RADIUS_CARD), theme.px(t.RADIUS_CARD))
        painter.setPen(theme.pen("accent" if ticked else "outline" if self.isEnabled() else "line"))
        painter.setBrush(theme.brush("accent" if ticked else "surface"))
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), theme.px(3), theme.px(3))
        if ticked:
            tick = icons.pixmap("tick", small, "on_accent", self.devicePixelRatioF())
            painter.drawPixmap(box.topLeft() + (box.center() - box.topLeft()) * (1 - small / box.width()), tick)
        painter.end()

    def _write(self) -> None:
        method, suits = self._choice.method, self._choice.suits
        facts = [words.suits(method), words.needs(method), self._cost] if suits else [words.needs(method)]
        texts = (method.title, "" if suits else self._choice.reason, method.summary,
                 "\n".join(fact for fact in facts if fact), method.citation)  # fmt: skip
        tones = ("text", "text-2", "text-2", "text-2", "text-3")
        for label, text, tone in zip(self._labels, texts, tones, strict=True):
            label.setText(text)
            label.setVisible(bool(text))
            set_tone(label, tone if suits or label is self.reason else "disabled")
        self.setAccessibleName(method.title)
        self.setAccessibleDescription(" ".join(_sentence(text) for text in self.lines()[1:]))

    # ---- keyboard and mouse

    def keyPressEvent(self, event: QKeyEvent) -> None:
        move = _MOVES.get(Qt.Key(event.key()))
        if move is not None and event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier == Qt.KeyboardModifier(0):
            self.move_wanted.emit(move)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open()
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
        self._open()

    def _open(self) -> None:
        self.setChecked(True)
        self.opened.emit()


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


class MethodList(Card):
    """`changed`: what is ticked or shown. Cards are built once; a search hides and shows them."""

    changed = Signal()
    opened = Signal()  # double click or Return on a card: go on with it

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Methods", parent, padding=t.M)
        self.ticks = Label("", "caption", "text-2")
        self.add_action(self.ticks)
        self.search = SearchField()
        self.search.textChanged.connect(self._searched)
        self.search.left.connect(self.focus_card)
        self.body.addWidget(self.search)
        self._list = QWidget()
        self._column = QVBoxLayout(self._list)
        self._column.setContentsMargins(theme.px(2), theme.px(2), theme.px(t.S), theme.px(2))
        self._column.setSpacing(theme.px(t.S))
        self._column.addStretch(1)
        self._none = Label("", "body", "text-2", wrap=True)
        self._none.hide()
        self.body.addWidget(self._none)
        self._list.setProperty("ground", "surface")
        self._area = scrolling(self._list, "surface")
        self.body.addWidget(self._area, 1)
        self._cards: dict[str, MethodCard] = {}  # in the order shown
        self._choices: dict[str, Choice] = {}
        self._sections: dict[str, CollapsibleSection] = {}
        self._section_of: dict[str, str] = {}  # by method id
        self._shown = ""
        self._stop = ""  # the card that Tab comes to

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

    def visible(self) -> list[str]:
        """Ids of the methods a search leaves, in the order of the cards."""
        return [key for key, card in self._cards.items() if not card.isHidden()]

    def headings(self) -> list[str]:
        """The headings over cards that show, in order."""
        return [title for title, section in self._sections.items() if not section.isHidden()]

    def set_choices(self, choices: Sequence[Choice]) -> None:
        """Show these methods in this order; ticks stay where the method still suits, else the first one gets it."""
        before, shown, cards = self.ticked(), self._shown, self._cards
        self._choices = {choice.method.id: choice for choice in choices}
        self._cards = {}
        for choice in choices:
            key = choice.method.id
            card = cards.pop(key, None) or self._make_card(choice)
            card.set_choice(choice)
            card.setChecked(choice.suits and key in before)
            self._cards[key] = card
        for card in cards.values():
            card.hide()
            card.deleteLater()
        self._arrange()
        if not self.ticked():
            first = next((c.method.id for c in choices if c.suits), "")
            if first:
                self._cards[first].setChecked(True)
        ticked = self.ticked()
        self._show(shown if shown in ticked else ticked[0] if ticked else "")
        self._filter(self.search.text())
        self.changed.emit()

    def set_costs(self, costs: Mapping[str, float | None]) -> None:
        """Show training costs beside retraining's, by method id; cards that are not named stay as they are."""
        for key, share in costs.items():
            if key in self._cards:
                self._cards[key].set_cost(words.cost(share, key))

    def tick(self, method_id: str, only: bool = False) -> None:
        """Tick a method and show it."""
        if method_id not in self._cards or not self._choices[method_id].suits:
            return
        for key, card in self._cards.items():
            if key == method_id:
                card.setChecked(True)
            elif only:
                card.setChecked(False)
        self._show(method_id)
        self._area.ensureWidgetVisible(self._cards[method_id])
        self.changed.emit()

    def focus_card(self) -> None:
        """Go to the card that Tab would come to."""
        if self._stop:
            self._go_to(self._stop)

    # ---- parts

    def _make_card(self, choice: Choice) -> MethodCard:
        card = MethodCard(choice)
        card.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        card.clicked.connect(self._clicked)
        card.opened.connect(self._opened)
        card.move_wanted.connect(self._move)
        card.focused.connect(self._focused)
        return card

    def _arrange(self) -> None:
        """Put each card under its group's heading; those that do not suit under one of their own, last."""
        wanted: dict[str, list[str]] = {}
        for key, choice in self._choices.items():
            title = words.group_title(choice.method.group) if choice.suits else tr(words.UNSUITABLE)
            wanted.setdefault(title, []).append(key)
        for title in [title for title in self._sections if title not in wanted]:
            section = self._sections.pop(title)
            self._column.removeWidget(section)
            section.hide()
            section.deleteLater()
        sections, self._section_of = {}, {}
        for place, (title, keys) in enumerate(wanted.items()):
            section = self._sections.get(title) or self._make_section(title)
            self._column.removeWidget(section)
            self._column.insertWidget(place, section)
            for row, key in enumerate(keys):
                section.body.insertWidget(row, self._cards[key])
                self._section_of[key] = title
            sections[title] = section
        self._sections = sections
        self._cards = {key: self._cards[key] for keys in wanted.values() for key in keys}

    def _make_section(self, title: str) -> CollapsibleSection:
        section = CollapsibleSection(title, True, strong=True)
        section.set_tip(words.group_line(title))
        section.toggled.connect(self._place_stop)
        return section

    def _sender_key(self) -> str:
        return next((key for key, card in self._cards.items() if card is self.sender()), "")

    def _clicked(self) -> None:
        key = self._sender_key()
        card = self._cards[key]
        if card.on_texts and not card.isChecked() and key != self._shown:
            card.setChecked(True)  # a ticked card that was not in view comes into view and stays ticked
        ticked = self.ticked()
        if key in ticked:
            self._show(key)
        elif self._shown == key:
            self._show(ticked[0] if ticked else key)
        self._count()
        self.changed.emit()

    def _opened(self) -> None:
        self._show(self._sender_key())
        self._count()
        self.changed.emit()
        self.opened.emit()

    def _show(self, key: str) -> None:
        self._shown = key
        for other, card in self._cards.items():
            card.set_shown(other == key)
        if key:
            self._set_stop(key)
        self._count()

    def _count(self) -> None:
        ticked = self.ticked()
        unseen = sum(self._cards[key].isHidden() for key in ticked)
        counted = tr("{number} of {all} ticked", number=fmt.count(len(ticked)), all=fmt.count(len(self._cards)))
        behind = tr("{counted}, {unseen} of them not shown", counted=counted, unseen=fmt.count(unseen))
        self.ticks.setText(behind if unseen else counted)
        for title, section in self._sections.items():
            members = [key for key, place in self._section_of.items() if place == title]
            number = sum(key in ticked for key in members)
            found = sum(not self._cards[key].isHidden() for key in members)
            of_all = "" if found == len(members) else f"{found} of "
            parts = [of_all + fmt.plural(len(members), "method"), *([f"{number} ticked"] if number else [])]
            section.set_summary(" · ".join(parts))

    def _searched(self, text: str) -> None:
        self._filter(text)
        self._area.verticalScrollBar().setValue(0)

    def _filter(self, text: str) -> None:
        wanted = text.strip().lower()
        found: set[str] = set()
        for key, card in self._cards.items():
            match = words.matches(card.haystack, wanted)
            if card.isHidden() == match:
                card.setVisible(match)
            if match:
                found.add(self._section_of[key])
        for title, section in self._sections.items():
            section.setVisible(title in found)
            section.set_held_open(bool(wanted))  # what was found must show, also in a folded group
        self._none.setText(f"No method matches “{text.strip()}”.")
        self._none.setVisible(not found and bool(self._cards))
        self._count()
        self._place_stop()

    # ---- the keyboard: one stop for Tab among the cards, arrows from card to card

    def _reachable(self) -> list[str]:
        """Cards the arrows go through: those that show and can be ticked."""
        return [
            key for key in self.visible()
            if self._cards[key].isEnabled() and self._sections[self._section_of[key]].is_open()
        ]  # fmt: skip

    def _set_stop(self, key: str) -> None:
        if key == self._stop:
            return
        for name, policy in ((self._stop, Qt.FocusPolicy.ClickFocus), (key, Qt.FocusPolicy.StrongFocus)):
            if name in self._cards:
                self._cards[name].setFocusPolicy(policy)
        self._stop = key

    def _place_stop(self) -> None:
        cards = self._reachable()
        if self._stop not in cards:
            self._set_stop(self._shown if self._shown in cards else cards[0] if cards else "")

    def _focused(self, by_keyboard: bool) -> None:
        key = self._sender_key()
        self._set_stop(key)
        if by_keyboard and self._cards[key].isChecked() and key != self._shown:
            self._show(key)
            self.changed.emit()

    def _move(self, by: int) -> None:
        cards, key = self._reachable(), self._sender_key()
        if key not in cards:
            return
        place = cards.index(key) + by
        if place < 0 and by == -1:
            self.search.setFocus(Qt.FocusReason.BacktabFocusReason)
            return
        self._go_to(cards[min(max(place, 0), len(cards) - 1)])

    def _go_to(self, key: str) -> None:
        card = self._cards[key]
        card.setFocus(Qt.FocusReason.TabFocusReason)
        self._area.ensureWidgetVisible(card, 0, theme.px(t.S))


class SearchField(QLineEdit):
    """Filters as one types; Down leaves it for the cards, Escape empties it."""

    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setPlaceholderText("Search methods")
        self.setAccessibleName("Search methods")
        self.setAccessibleDescription("By title, id, what they do, citation or group")
        self.setToolTip("By title, id, what they do, citation or group")
        self.setClearButtonEnabled(True)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Down:
            self.left.emit()
        elif event.key() == Qt.Key.Key_Escape and self.text():
            self.clear()
        else:
            super().keyPressEvent(event)
