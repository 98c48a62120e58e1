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
    found = match(unmatched=[Unmatched(3, "a.jpg", ("A.jpeg", "b.jpg"))])
    assert sentences(found) == ["36 of 37 names found. 1 not found: a.jpg; nearest name: A.jpeg."]
    assert details(found) == []


def test_a_name_without_a_like_and_an_index_outside():
    assert sentences(match(1, unmatched=[Unmatched(1, "x")]))[0] == "1 of 2 names found. 1 not found: x."
    outside = Unmatched(1, "99", reason="samples are 0 to 9")
    assert sentences(match(1, unmatched=[outside]))[0].endswith("1 not found: 99 (samples are 0 to 9).")


def test_many_names_not_found_are_listed():
    found = match(2, unmatched=[Unmatched(i, f"x{i}.png", ("y.png",)) for i in range(5)])
    assert sentences(found)[0] == "2 of 7 names found. 5 not found: x0.png, x1.png, x2.png and 2 more."
    assert details(found)[0] == "Line 0: x0.png: not found; nearest name: y.png"
    assert len(details(match(2, unmatched=[Unmatched(i, str(i)) for i in range(1000)]))) == 201


def test_images_of_the_test_part():
    assert sentences(match(1, in_test=["a", "b"]))[1] == (
        "2 names mean images of the test part. The model was not trained on them, so there is nothing to remove."
    )
    assert sentences(match(1, in_test=["a"]))[1] == (
        "1 name means images of the test part. The model was not trained on them, so there is nothing to remove."
    )


def test_names_in_several_folders_already_chosen_and_repeated():
    assert sentences(match(1, several=["twin.png"]))[1] == (
        "1 name is in several folders, so it was not taken: twin.png. Write the folder before the name."
    )
    assert sentences(match(3), already=2)[-1] == "2 images are chosen already."
    assert sentences(match(3, repeats=2)) == [
        "5 of 5 names found.", "They name 3 images: some are named more than once.",
    ]


def test_a_pattern_names_many():
    found = ListMatch(np.arange(36), None, entries=2)
    assert sentences(found) == ["2 of 2 names found.", "They name 36 images: some name many."]


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
