"""The item models of the classes: on the Forget page, and on the Project page."""

from __future__ import annotations

import dataclasses

import pytest
from PySide6.QtCore import QPersistentModelIndex, Qt

from app.models.class_table import (
    ACCURACY,
    FORGET,
    LABEL,
    NAME,
    SHARE,
    TEST,
    TRAIN,
    ClassTableModel,
    FitTableModel,
)
from app.models.tables import ArrangedRows
from core.selection import Selection

CHECK = Qt.ItemDataRole.CheckStateRole
ON, OFF, PART = Qt.CheckState.Checked, Qt.CheckState.Unchecked, Qt.CheckState.PartiallyChecked


@pytest.fixture
def selection(digits) -> Selection:
    return Selection.empty(digits.train.labels.numpy(), digits.classes)


@pytest.fixture
def model(qapp, digits) -> ClassTableModel:
    made = ClassTableModel()
    made.set_data(digits)
    return made


def test_the_class_model_keeps_qts_rules(model, selection, qtmodeltester):
    qtmodeltester.check(model)
    model.set_selection(selection.with_classes([3]))
    model.set_accuracy((0.5,) * 10)
    qtmodeltester.check(model)
    proxy = ArrangedRows(model)
    proxy.set_text("3")
    qtmodeltester.check(proxy)


def test_rows_tell_counts_and_accuracy(model, digits):
    model.set_accuracy((0.983, None, *(1.0,) * 8))
    row = [model.index(0, column).data() for column in (NAME, TRAIN, TEST, ACCURACY)]
    counts = digits.train.labels.bincount(), digits.test.labels.bincount()
    assert row == ["0", str(int(counts[0][0])), str(int(counts[1][0])), "98.3"]
    assert model.index(1, ACCURACY).data() == "–"
    assert model.index(1, ACCURACY).data(Qt.ItemDataRole.ToolTipRole) == "There are no test images of this class."


def test_boxes_follow_the_forget_set(model, selection):
    some = selection.with_classes([3]).with_samples([int((selection.labels == 5).argmax())])
    changed = []
    model.dataChanged.connect(lambda *_: changed.append(True))
    model.set_selection(some)
    model.set_selection(some)
    assert len(changed) == 1
    assert [model.index(row, NAME).data(CHECK) for row in (3, 5, 0)] == [ON, PART, OFF]
    assert model.index(3, FORGET).data(SHARE) == 1.0 and 0 < model.index(5, FORGET).data(SHARE) < 0.02
    assert "in the forget set" in model.index(5, FORGET).data(Qt.ItemDataRole.AccessibleTextRole)


def test_a_box_asks_and_a_class_chosen_in_part_becomes_whole(model, selection):
    asked = []
    model.toggle_wanted.connect(lambda labels, on: asked.append((labels, on)))
    model.set_selection(selection.with_classes([3]).with_samples([int((selection.labels == 5).argmax())]))
    for row in (0, 3, 5):
        model.setData(model.index(row, NAME), ON, CHECK)
    assert asked == [([0], True), ([3], False), ([5], True)]
    assert model.index(0, NAME).data(CHECK) == OFF  # it only asks


def test_the_filter_knows_what_is_ticked_of_what_it_shows(model, selection):
    proxy = ArrangedRows(model)
    model.set_selection(selection.with_classes([3]))
    assert model.states(proxy.rows) == PART and proxy.rows.tolist() == list(range(10))
    proxy.set_text("3")
    assert model.states(proxy.rows) == ON and proxy.rows.tolist() == [3]
    proxy.set_text("4")
    assert model.states(proxy.rows) == OFF
    proxy.set_text("nothing")
    assert model.states(proxy.rows) == OFF and proxy.rows.tolist() == []


def test_rows_are_sorted_by_value_not_by_text(model, digits):
    model.set_accuracy(tuple(i / 9 for i in range(10)))
    proxy = ArrangedRows(model)
    proxy.sort(ACCURACY, Qt.SortOrder.DescendingOrder)
    assert proxy.rows.tolist() == list(range(9, -1, -1))
    proxy.sort(TRAIN, Qt.SortOrder.AscendingOrder)
    counts = digits.train.labels.bincount()[proxy.rows.tolist()].tolist()
    assert counts == sorted(counts)
    assert proxy.index(0, NAME).data(LABEL) == proxy.rows.tolist()[0]


def test_sorting_keeps_what_is_selected(model, selection, qtbot):
    proxy = ArrangedRows(model)
    proxy.sort(NAME, Qt.SortOrder.DescendingOrder)
    held = QPersistentModelIndex(proxy.index(2, NAME))
    assert held.data(LABEL) == 7
    proxy.sort(NAME, Qt.SortOrder.AscendingOrder)
    assert (held.row(), held.data(LABEL)) == (7, 7)
    proxy.sort(FORGET, Qt.SortOrder.DescendingOrder)
    with qtbot.waitSignal(proxy.layoutChanged):
        model.set_selection(selection.with_classes([7]))  # sorted by what changed: it is sorted again
    assert (held.row(), proxy.rows.tolist()[:2]) == (0, [7, 0])


def test_a_search_keeps_what_is_selected_of_what_it_shows(model, qtmodeltester, qtbot):
    model._names = ("ant", "bee", "beetle", "cat", "cow", "cowbird", "dog", "eel", "elk", "emu")
    proxy = ArrangedRows(model)
    qtmodeltester.check(proxy)  # goes on listening
    resets: list[int] = []
    proxy.modelReset.connect(lambda: resets.append(1))
    held = {name: QPersistentModelIndex(proxy.index(model._names.index(name), NAME)) for name in ("bee", "cow", "elk")}
    wanted = {"be": ["bee", "beetle"], "bee": ["bee", "beetle"], "e": ["bee", "beetle", "eel", "elk", "emu"]}
    for text, shown in wanted.items():
        proxy.set_text(text)
        assert [proxy.index(row, NAME).data() for row in range(proxy.rowCount())] == shown
        assert held["bee"].data() == "bee" and not held["cow"].isValid()
    proxy.set_text("nothing")
    assert proxy.rowCount() == 0 and not held["bee"].isValid()
    proxy.set_text("")
    assert proxy.rows.tolist() == list(range(10)) and resets == []


def test_a_class_chosen_in_part_is_neither_all_nor_nothing(model, selection):
    some = selection.with_samples([int((selection.labels == 5).argmax())])
    model.set_selection(some)
    proxy = ArrangedRows(model)
    proxy.set_text("5")
    assert model.states(proxy.rows) == PART
    model.set_earlier(~some.mask)  # the others were forgotten before
    assert model.states(proxy.rows) == ON


def test_a_class_without_training_images_cannot_be_ticked(qapp, digits):
    labels = digits.train.labels.clone()
    labels[labels == 9] = 8
    model = ClassTableModel()
    model.set_data(dataclasses.replace(digits, train=dataclasses.replace(digits.train, labels=labels)))
    assert not model.flags(model.index(9, NAME)) & Qt.ItemFlag.ItemIsUserCheckable
    assert model.index(9, NAME).data(CHECK) is None  # no box
    assert model.index(9, NAME).data(Qt.ItemDataRole.ToolTipRole) == "9: an output without training images"


def test_the_fit_model_keeps_qts_rules_and_names_both_sides(qapp, digits, qtmodeltester):
    model = FitTableModel()
    qtmodeltester.check(model)
    model.set_data(digits, None)
    qtmodeltester.check(model)
    assert model.index(3, FitTableModel.MODEL).data() == "–"
    assert model.index(3, FitTableModel.MODEL).data(Qt.ItemDataRole.ToolTipRole).startswith("The checkpoint does not")
    model.set_data(digits, tuple("abcdefghij"))
    columns = (FitTableModel.OUTPUT, FitTableModel.MODEL, FitTableModel.FOLDER)
    assert [model.index(3, column).data() for column in columns] == ["3", "d", "3"]


def test_samples_are_of_their_class_and_spread_over_it(qapp, digits):
    model = FitTableModel()
    model.set_data(digits, None)
    for row in range(10):
        keys = model.samples(row)
        assert len(set(keys)) == 6 and {part for part, _ in keys} == {"train"}
        assert {int(digits.train.labels[index]) for _, index in keys} == {row}


def test_few_images_give_few_samples(qapp, digits):
    part = dataclasses.replace(digits.train, images=digits.train.images[:3], labels=digits.train.labels[:3])
    model = FitTableModel()
    model.set_data(dataclasses.replace(digits, train=part), None)
    assert sorted(len(model.samples(row)) for row in range(10)) == [0] * 7 + [1] * 3


def test_a_class_is_whole_where_all_that_was_not_forgotten_earlier_is_chosen(model, selection):
    some = selection.with_samples([int((selection.labels == 5).argmax())])
    model.set_selection(some)
    assert model.index(5, NAME).data(CHECK) is PART
    model.set_earlier(~some.mask)
    assert model.index(5, NAME).data(CHECK) is ON
