"""The words of the sheet of a forget list, and that it applies nothing itself."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtWidgets import QWidget

from app.dialogs.selection import ForgetListSheet, details, sentences
from core.session.forget_lists import ListMatch, Unmatched


def match(found=36, *, unmatched=(), in_test=(), several=(), repeats=0) -> ListMatch:
    entries = found + repeats + len(unmatched) + len(in_test) + len(several)
    return ListMatch(np.arange(found), None, None, tuple(unmatched), tuple(in_test), tuple(several), entries)


def test_one_name_not_found():
    found = match(unmatched=[Unmatched(3, "a.jpg", ("A.jpeg", "b.jpg")), Unmatched(4, "x")])
    assert sentences(found) == ["36 of 38 names found.", "2 names were not found."]
    assert details(found) == ["Line 3: a.jpg: not found; nearest names: A.jpeg, b.jpg", "Line 4: x: not found"]
    outside = Unmatched(1, "99", reason="samples are 0 to 9")
    assert details(match(1, unmatched=[outside])) == ["Line 1: 99: samples are 0 to 9"]


def test_of_many_entries_some_are_listed():
    listed = details(match(2, unmatched=[Unmatched(i, str(i)) for i in range(1000)]))
    assert len(listed) == 201 and listed[-1] == "and 800 more"


def test_images_of_the_test_part():
    assert sentences(match(1, in_test=["a", "b"]))[1] == (
        "2 names mean images of the test part. The model was not trained on them, so there is nothing to remove."
    )
    assert sentences(match(1, in_test=["a"]))[1] == (
        "1 name means images of the test part. The model was not trained on them, so there is nothing to remove."
    )


def test_names_in_several_folders_already_chosen_and_repeated():
    found = match(1, several=["twin.png"])
    assert sentences(found)[1] == (
        "1 name is in several folders, so it was not taken. Write the folder before the name."
    )
    assert details(found) == ["twin.png: in several folders"]
    assert sentences(match(3), already=2)[-1] == "2 images are chosen already."
    assert sentences(match(3, repeats=2)) == ["5 of 5 names found.", "They name 3 images."]


def test_a_pattern_names_many():
    found = ListMatch(np.arange(36), None, entries=2)
    assert sentences(found) == ["2 of 2 names found.", "They name 36 images."]


def test_nothing_is_applied_before_the_button(qtbot):
    parent = QWidget()
    qtbot.addWidget(parent)
    sheet = ForgetListSheet("list.csv", match(36), 0, parent)
    added = []
    sheet.accepted.connect(lambda: added.append(True))
    assert sheet.accept_button.text() == "Add 36 images"
    sheet.reject()
    assert not added
    again = ForgetListSheet("list.csv", match(36), 6, parent)
    again.accepted.connect(lambda: added.append(True))
    assert again.accept_button.text() == "Add 30 images"
    again.accept()
    assert added == [True]


@pytest.mark.parametrize(("found", "already"), [(0, 0), (4, 4)])
def test_there_may_be_nothing_to_add(qtbot, found, already):
    parent = QWidget()
    qtbot.addWidget(parent)
    sheet = ForgetListSheet("list.csv", match(found, unmatched=[Unmatched(1, "x"), Unmatched(2, "y")]), already, parent)
    assert sheet.reason() == "There is nothing to add." and not sheet.accept_button.isEnabled()
