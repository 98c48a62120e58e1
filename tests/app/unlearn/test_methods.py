"""The method cards: grouped, searched, ticked by mouse and keyboard, built once; what is written on them."""

from __future__ import annotations

import dataclasses

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel

from app.pages.unlearn.methods import MethodList
from app.pages.unlearn.setup_view import SetupView
from app.services import run_words as words
from app.services.theme import theme
from core.methods import METHODS
from core.methods.base import GROUPS
from core.methods.card import NEEDS
from core.session.planning import Choice
from tests.app.helpers import focusable, unnamed

FINETUNE = METHODS["finetune"]


def choice(number: int, group: str, suits: bool = True) -> Choice:
    method = dataclasses.replace(
        FINETUNE, id=f"m{number}", title=f"Method {number}", group=group,
        citation=f"Author {number} (arXiv 2{number:03})",
        summary=f"Does the {number}th thing that one can do to a network so that it forgets, in one line or two.",
    )  # fmt: skip
    return Choice(method, suits, "" if suits else "Works on whole classes only.")


def many(count: int = 25) -> list[Choice]:
    """Cards in the order of their groups; the last three do not suit."""
    suiting = [choice(n, GROUPS[n * len(GROUPS) // (count - 3)]) for n in range(count - 3)]
    return [*suiting, *(choice(count - 3 + n, "closed form", suits=False) for n in range(3))]


@pytest.fixture
def methods(qtbot) -> MethodList:
    made = MethodList()
    qtbot.addWidget(made)
    made.resize(336, 570)
    made.set_choices(many())
    made.show()
    qtbot.waitExposed(made)
    made.activateWindow()
    return made


def visible(methods: MethodList) -> list[str]:
    return [key for key, card in methods._cards.items() if not card.isHidden()]


def headings(methods: MethodList) -> list[str]:
    return [one.text() for one in methods._headings if not one.isHidden()]


def lines(card) -> list[str]:
    """All texts of a card."""
    return [line for label in card.findChildren(QLabel) for line in label.text().split("\n") if line]


def click(card, on_box: bool = False) -> None:
    at = QPoint(20, 20) if on_box else QPoint(card.width() // 2, card.height() // 2)
    QTest.mouseClick(card, Qt.MouseButton.LeftButton, pos=at)


def test_cards_stand_under_headings_and_what_does_not_suit_under_the_last(methods):
    assert headings(methods) == [*(words.GROUPS[group][0] for group in GROUPS), words.UNSUITABLE]
    assert len(visible(methods)) == 25
    places = [methods._cards[key].mapTo(methods, QPoint(0, 0)).y() for key in visible(methods)]
    assert places == sorted(places)
    last = methods._cards["m24"]
    assert not last.isEnabled() and "Works on whole classes only." in last.accessibleDescription()


def test_every_registered_method_has_a_card_with_all_that_is_asked_of_it(qtbot):
    made = MethodList()
    qtbot.addWidget(made)
    made.set_choices([Choice(method, True) for method in METHODS.values()])
    made.set_costs(dict.fromkeys(METHODS, 0.09))
    assert set(visible(made)) == set(METHODS)
    for key, method in METHODS.items():
        said = lines(made._cards[key])
        assert said[0] == method.title and method.summary in said
        assert any(line.startswith("For ") for line in said) and any(line.startswith("Needs") for line in said)
        assert words.cost(0.09, key) in said
        assert not method.citation or said[-1] == method.citation
        assert all(line in made._cards[key].accessibleDescription() for line in said[1:])


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("method 7", ["m7", "m17"]),  # title, and the one whose summary says 17th
        ("M7", ["m7"]),  # id, in any case
        ("17th thing", ["m17"]),  # what it does
        ("arxiv 2011", ["m11"]),  # citation
        ("Alignment", ["m4", "m5", "m6", "m7"]),  # group
        ("alignment 5th", ["m5"]),  # words apart
        ("nothing of that kind", []),
    ],
)
def test_a_search_looks_in_title_id_summary_citation_and_group(methods, typed, found):
    methods.search.setText(typed)
    assert visible(methods) == ["m0", *found]  # what is ticked stays
    assert methods._none.isVisible() == (not found)
    assert all(one.isVisible() == any(methods._cards[key] in cards for key in ("m0", *found))
               for one, cards in methods._headings.items())  # fmt: skip


def test_typing_builds_no_card_anew_and_keeps_ticks(methods):
    methods.tick("m9")
    cards = dict(methods._cards)
    for text in ("m", "me", "met", "x", ""):
        methods.search.setText(text)
    assert methods._cards == cards and methods.ticked() == ["m0", "m9"]
    methods.set_choices(many()[::-1])  # another forget set: another order
    assert sorted(methods.ticked()) == ["m0", "m9"] and set(methods._cards) == set(cards)


def test_a_click_ticks_shows_and_unticks(methods):
    card = methods._cards["m1"]
    click(card)
    assert methods.ticked() == ["m0", "m1"] and methods.shown == "m1"
    click(methods._cards["m0"])  # ticked, not in view: comes into view
    assert methods.ticked() == ["m0", "m1"] and methods.shown == "m0"
    click(methods._cards["m0"])
    assert methods.ticked() == ["m1"] and methods.shown == "m1"
    click(methods._cards["m0"])
    click(card, on_box=True)  # the box is about the tick alone
    assert methods.ticked() == ["m0"] and methods.shown == "m0"
    assert methods.ticks.text() == "1 of 25 ticked"


def test_tab_stops_once_among_the_cards_and_arrows_do_the_rest(methods, qtbot):
    stops = [card for card in methods._cards.values() if card in focusable(methods)]
    assert stops == [methods._cards["m0"]] and not unnamed(methods)
    methods.search.setFocus()
    qtbot.keyClick(methods.search, Qt.Key.Key_Tab)
    qtbot.waitUntil(lambda: QApplication.focusWidget() is methods._cards["m0"])
    qtbot.keyClick(methods._cards["m0"], Qt.Key.Key_Down)
    assert QApplication.focusWidget() is methods._cards["m1"]
    qtbot.keyClick(methods._cards["m1"], Qt.Key.Key_Space)
    assert methods.ticked() == ["m0", "m1"] and methods.shown == "m1"
    qtbot.keyClick(methods._cards["m1"], Qt.Key.Key_Up)
    assert methods.shown == "m0"  # a ticked card comes into view with the focus
    qtbot.keyClick(methods._cards["m0"], Qt.Key.Key_Space)
    assert methods.ticked() == ["m1"]
    last = methods._cards["m21"]  # those after it do not suit
    methods._cards["m20"].setFocus()
    for _ in range(2):
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Down)
        assert QApplication.focusWidget() is last
    area = methods._area.viewport()
    assert area.rect().contains(last.mapTo(area, QPoint(0, last.height() - 1)))


def test_tab_leads_from_the_search_to_the_cards_and_from_there_to_the_parameters(qtbot):
    view = SetupView()
    qtbot.addWidget(view)
    view.methods.set_choices(many())
    view.show()
    view.activateWindow()
    view.methods.search.setFocus()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is view.methods.search)
    qtbot.keyClick(view.methods.search, Qt.Key.Key_Tab)
    assert QApplication.focusWidget() is view.methods._cards["m0"]
    qtbot.keyClick(view.methods._cards["m0"], Qt.Key.Key_Tab)
    assert view.parameters.isAncestorOf(QApplication.focusWidget())


def test_arrows_go_through_what_a_search_leaves(methods, qtbot):
    methods.search.setText("m13")
    qtbot.keyClick(methods._cards["m0"], Qt.Key.Key_Down)
    assert QApplication.focusWidget() is methods._cards["m13"]


def test_the_list_is_no_wider_than_what_shows_of_it(methods, qtbot):
    methods.resize(250, 570)
    qtbot.waitUntil(lambda: methods._area.widget().width() == methods._area.viewport().width())
    assert methods._area.widget().minimumSizeHint().width() <= methods._area.viewport().width()


@pytest.mark.parametrize("width", [336, 480])
def test_no_card_is_lower_than_its_texts(methods, width, qtbot):
    methods.set_costs({f"m{n}": 0.1 for n in range(25)})
    methods.resize(width, 570)
    qtbot.waitUntil(lambda: all(c.height() == c.heightForWidth(c.width()) for c in methods._cards.values()))
    assert methods._cards["m0"].heightForWidth(260) > methods._cards["m0"].heightForWidth(900)


def test_a_tick_shows_by_more_than_colour(methods):
    card = methods._cards["m1"]
    before = card.grab().toImage()
    card.setChecked(True)
    after = card.grab().toImage()
    assert theme.color("on_accent") in [after.pixelColor(x, y) for x in range(12, 28) for y in range(12, 28)]
    assert before != after


def test_nothing_is_ticked_behind_a_search(methods):
    methods.tick("m9")
    methods.search.setText("m7")
    assert visible(methods) == ["m0", "m7", "m9"] and methods.ticks.text() == "2 of 25 ticked"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, ""), (0.0, "Hardly any training cost"), (0.004, "Under 1 % of retraining"),
        (0.087, "About 9 % of retraining"), (0.12, "About 10 % of retraining"), (0.13, "About 15 % of retraining"),
        (1.02, "About 100 % of retraining"), (2.04, "About 2.0 times retraining"),
    ],
)  # fmt: skip
def test_costs_in_words(share, text):
    assert words.cost(share) == text


def test_needs_and_suits_in_words():
    def method(needs: set[str], suits: set[str]):
        return dataclasses.replace(FINETUNE, needs=frozenset(needs), suits=frozenset(suits))

    assert words.needs(method({"retain set", "forget set"}, {"class"})) == "Needs: forget images, retain images"
    assert words.needs(method({"retain set", "forget set", "teacher"}, {"class"})) == (
        "Needs: forget images, retain images, the original as teacher"
    )
    assert tuple(words.NEEDS) == NEEDS  # what a record is held to, in the same order
    assert {need for known in METHODS.values() for need in known.needs} <= set(NEEDS)
    assert words.needs(method(set(), {"class"})) == "Needs nothing but the model"
    assert words.suits(method(set(), {"class", "sample"})) == "For whole classes and single images"
    assert words.suits(method(set(), {"sample"})) == "For single images"


def test_a_card_names_the_package_and_what_is_left_out_stands_below(methods):
    own = dataclasses.replace(choice(1, "gradient"), package="forget-flat 0.1")
    methods.set_choices([own], ["The method 'x' of the package y 1 is left out: ImportError."])
    assert "From the package forget-flat 0.1" in "\n".join(lines(methods._cards["m1"]))
    below = [label.text() for label in methods._area.widget().findChildren(QLabel)]
    assert "The method 'x' of the package y 1 is left out: ImportError." in below
    methods.set_choices(many())
    assert not any("left out" in label.text() for label in methods._area.widget().findChildren(QLabel))


def test_every_group_has_a_title_and_a_line():
    assert set(words.GROUPS) == set(GROUPS)
    assert words.group_line("Gradient") == words.GROUPS["gradient"][1] and words.group_line("none") == ""
