"""Tables of titled columns: rows come and go without the view losing what is chosen in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPersistentModelIndex, Qt

from app.models.tables import TEXT, TIP, Column, ColumnTable, TwoLevels
from app.widgets.labels import ElidedLabel, Label
from app.widgets.table import NUMBER


class Words(ColumnTable):
    columns = (Column("Word", "What is said"), Column("Length", number=True))

    def __init__(self, words: list[str]) -> None:
        super().__init__()
        self.words = list(words)

    def count(self) -> int:
        return len(self.words)

    def cell(self, row: int, column: int, role: int):
        if role == Qt.ItemDataRole.DisplayRole:
            return str(len(self.words[row])) if column else self.words[row]
        return None

    def show(self, words: list[str]) -> None:
        self.replace_rows(self.words, words, lambda word: word[0])  # the first letter says which row it is


@pytest.fixture
def table(qapp) -> Words:
    return Words(["a", "b", "c", "d"])


def test_what_qt_asks(table, qtmodeltester):
    qtmodeltester.check(table)
    across = Qt.Orientation.Horizontal
    assert [table.headerData(n, across) for n in range(2)] == ["Word", "Length"]
    assert table.headerData(0, across, Qt.ItemDataRole.ToolTipRole) == "What is said"
    assert table.headerData(1, across, Qt.ItemDataRole.ToolTipRole) is None
    assert table.headerData(1, across, Qt.ItemDataRole.TextAlignmentRole) == NUMBER
    assert table.headerData(2, across) is None and table.headerData(0, Qt.Orientation.Vertical) is None
    assert table.index(0, 1).data(Qt.ItemDataRole.TextAlignmentRole) == NUMBER
    assert table.index(0, 0).data(Qt.ItemDataRole.TextAlignmentRole) is None


def test_what_stays_keeps_its_place(table):
    chosen = QPersistentModelIndex(table.index(2, 0))
    resets, changed = [], []
    table.modelReset.connect(lambda: resets.append(1))
    table.dataChanged.connect(lambda first, last: changed.append((first.row(), last.row(), last.column())))
    table.show(["x", "y", "a", "cc", "z"])
    assert table.words == ["x", "y", "a", "cc", "z"] and resets == []
    assert chosen.isValid() and chosen.row() == 3 and chosen.data() == "cc"
    assert changed == [(3, 3, 1)]  # the one row that says something else now


def test_what_goes_is_no_longer_chosen(table):
    chosen = QPersistentModelIndex(table.index(2, 0))
    table.show(["a"])
    assert not chosen.isValid() and table.rowCount() == 1


def test_another_order_is_a_new_table(table):
    resets = []
    table.modelReset.connect(lambda: resets.append(1))
    table.show(["b", "a", "c", "d"])
    assert resets == [1] and table.words == ["b", "a", "c", "d"]


letters = st.lists(st.sampled_from("abcdefg"), unique=True)


@given(before=letters, after=letters)
def test_whatever_was_shown_the_new_rows_are_there_and_known_ones_stay_themselves(qapp, before, after):
    table = Words(before)
    held = {word: QPersistentModelIndex(table.index(n, 0)) for n, word in enumerate(before)}
    table.show(after)
    assert table.words == after
    for word, index in held.items():
        assert not index.isValid() or index.data() == word


class Named(ColumnTable):
    columns = (Column("Name"),)

    def count(self):
        return 1

    def cell(self, row, column, role):
        return "<img src=x>\u202ebag" if role in (TEXT, TIP) else None


def test_names_from_files_are_shown_as_they_stand_and_not_obeyed(qapp):
    two = TwoLevels()
    two.set_texts(["Name"], [[Named().cell(0, 0, TEXT)]])
    for model in (Named(), two):
        index = model.index(0, 0)
        assert index.data(TEXT) == r"<img src=x>\u202ebag"
        assert index.data(TIP) == r"<qt>&lt;img src=x&gt;\u202ebag</qt>"
    label, short = Label("<b>\u202e"), ElidedLabel("<b>\u202e" * 50)
    assert label.text() == r"<b>\u202e" and "<b>" not in short.toolTip() and r"&lt;b&gt;\u202e" in short.toolTip()
