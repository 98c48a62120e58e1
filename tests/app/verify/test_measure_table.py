"""The table of measures: Qt's own model tester, the words in its cells, and what missing values say."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QModelIndex, Qt

from app.models.measure_table import GAP_COLUMN, measure_header, measure_lines, written
from app.models.tables import TwoLevels
from app.pages.verify.measures import MeasuresView
from app.services import format as fmt
from app.widgets.table import GAP_ROLE
from core.verify.table import COLUMNS, NO_RETRAINED, TRAINED_ON, gaps_shown, measure_rows
from tests.app.verify.reports import bare_report, full_report

Display, Tip = Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole


pytestmark = pytest.mark.usefixtures("qapp")


@pytest.fixture
def table(qtmodeltester) -> TwoLevels:
    return checked_table(full_report(), qtmodeltester)


def checked_table(report: dict, qtmodeltester) -> TwoLevels:
    model = TwoLevels()
    model.set_lines(measure_header(), measure_lines(measure_rows(report), gaps_shown(report)))
    qtmodeltester.check(model)
    return model


def find(model: TwoLevels, title: str) -> QModelIndex:
    for group in range(model.rowCount()):
        parent = model.index(group, 0)
        for row in range(model.rowCount(parent)):
            index = model.index(row, 0, parent)
            if str(index.data()).startswith(title):
                return index
    raise AssertionError(f"no row {title!r}")


def cell(model: TwoLevels, title: str, column: str, role: int = Display):
    index = find(model, title)
    number = GAP_COLUMN if column == "gap" else COLUMNS.index(column) + 1
    return index.siblingAtColumn(number).data(role)


def test_what_matches_by_chance_alone_says_so(table):
    assert cell(table, "Linear probe, recall", "gap", Tip).endswith(": the rest lies within chance")
    assert "chance" not in cell(table, "Forget accuracy, unseen", "gap", Tip)


def test_a_correction_has_no_gap_to_be_closed(table, qtmodeltester):
    corrected = full_report()
    corrected["verdict"] = {**corrected["verdict"], "purpose": "corrective"}
    shown, view = checked_table(corrected, qtmodeltester), MeasuresView()
    assert cell(table, "Linear probe, recall", "gap", GAP_ROLE) is not None
    assert cell(shown, "Linear probe, recall", "gap", GAP_ROLE) is None
    for report, hidden in ((corrected, True), (full_report(), False), (bare_report(), True)):
        view.set_rows(measure_rows(report), gaps_shown(report))
        assert view.isColumnHidden(GAP_COLUMN) is hidden


def test_an_empty_table_is_a_valid_model(qtmodeltester):
    qtmodeltester.check(TwoLevels())


def test_groups_hold_measures(table):
    groups = [table.index(row, 0) for row in range(table.rowCount())]
    assert [group.data() for group in groups] == ["Outputs", "Features", "Spectra", "Cost"]
    assert all(table.rowCount(group) and group.data(Qt.ItemDataRole.FontRole).bold() for group in groups)
    assert not table.parent(table.index(0, 0)).isValid()
    assert find(table, "Linear probe, recall").parent().data() == "Features"


def test_numbers_are_written_without_units(table):
    assert cell(table, "Forget accuracy, unseen", "original") == "98.0"
    assert cell(table, "Clustering", "unlearned") == "0.800"
    assert cell(table, "Samples seen", "unlearned") == fmt.count(6400)
    assert cell(table, "Time, s", "unlearned") == "5.0"
    assert cell(table, "Clustering", "original", Qt.ItemDataRole.TextAlignmentRole) & Qt.AlignmentFlag.AlignRight


def test_a_missing_value_says_why(qtmodeltester):
    table = checked_table(bare_report(), qtmodeltester)
    assert cell(table, "Forget accuracy, unseen", "retrained") == "–"
    assert cell(table, "Forget accuracy, unseen", "retrained", Tip) == NO_RETRAINED
    assert cell(table, "Distance on forget", "unlearned", Tip) == NO_RETRAINED
    assert cell(table, "Linear probe, recall", "gap", GAP_ROLE) is None


def test_the_gap_bar_follows_the_verdict(table):
    gap = cell(table, "Linear probe, recall", "gap", GAP_ROLE)
    expected = next(m for m in full_report()["verdict"]["measures"] if m["key"] == "probe")
    assert gap.closed == pytest.approx(expected["position"])
    assert "of the gap closed" in cell(table, "Linear probe, recall", "gap", Tip)
    uninformative = cell(table, "Clustering", "gap", GAP_ROLE)
    assert not uninformative.informative
    assert cell(table, "Clustering", "gap", Tip).startswith("Not informative here: ")
    assert cell(table, "Effective rank, retain", "gap", GAP_ROLE) is None


def test_a_measure_trained_on_has_its_line(table):
    index = find(table, "Dimensional alignment")
    note = index.siblingAtRow(index.row() + 1)
    assert note.siblingAtColumn(1).data() is None  # over all columns
    assert note.data() == f"k = 9 · 96 % of retain energy · not centred · {TRAINED_ON}"
    assert "Trained on: shown, not counted." in cell(table, "Dimensional alignment", "gap", Tip)
    assert cell(table, "Dimensional alignment", "unlearned", Tip) == "k = 9 · 96 % of retain energy · not centred"


def test_the_mean_of_several_retrained_models_lists_them(table):
    assert cell(table, "Linear probe, recall", "retrained", Tip) == "Mean of 2 retrained models: 90.8, 91.2"


def test_headers_name_the_models_and_explain_them(table):
    header = [table.headerData(c, Qt.Orientation.Horizontal) for c in range(table.columnCount())]
    assert header == ["Measure", "Original", "Head-only", "Unlearned", "Retrained", "Gap closed"]
    assert "control" in table.headerData(2, Qt.Orientation.Horizontal, Tip)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "ratio", "–"), (0.9996, "percent", "> 99.9"), (1.0, "percent", "100.0"), (14.2, "percent", "1,420.0"),
        (12.345, "number", "12.35"),
    ],
)
def test_written(value, unit, text):
    assert written(value, unit) == text
