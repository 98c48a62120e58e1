"""Several runs side by side: the model of the table, its two views, the scatter, jobs, and the ways in and out."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest
from PySide6.QtCore import Qt

from app.models.comparison_table import (
    FIRST,
    LAMPS_COLUMN,
    NAME,
    RUN_ROLE,
    VERDICT,
    VERDICTS,
    comparison_header,
    told_run,
    values_words,
)
from app.models.tables import TEXT, Line, TwoLevels
from app.pages.verify.compared import read_comparison
from app.pages.verify.plots_panel import CONTENT, MISSING
from app.services import translation
from core.errors import InputError
from core.files import write_json
from core.runs.folder import REPORT_JSON, RunFolder
from core.verify.verdict import decide
from tests.app.verify.reports import HALF_WIDTHS, full_report, measures
from tests.app.verify.walk import unnamed_widgets


def report(probe: float, title: str, seed: int) -> dict[str, Any]:
    """A report whose linear probe differs."""
    found = full_report(seed=seed, method=title.lower(), method_details={"title": title, "preset": "default"})
    found["models"]["unlearned"] = measures(0.0, probe, 0.95)
    found["verdict"] = decide(found["models"], list(found["retrained"].values()), half_widths=HALF_WIDTHS).as_dict()
    found["closure"] = {row["key"]: row["closure"] for row in found["verdict"]["measures"]}
    return found


@pytest.fixture
def folders(tmp_path, job) -> list[RunFolder]:
    """Two seeds of one method and one run of another."""
    made = []
    for name, title, seed, probe in (("a-1", "Muda", 1, 0.90), ("a-2", "Muda", 2, 0.94), ("b-1", "Scrub", 1, 0.97)):
        one = dataclasses.replace(job, method=title.lower(), seed=seed)
        folder = RunFolder.create(tmp_path / "runs" / name, one)
        write_json(folder.file(REPORT_JSON), report(probe, title, seed))
        made.append(folder)
    return made


@pytest.fixture
def table(folders, qtmodeltester, qapp) -> TwoLevels:
    model = TwoLevels()
    compared = read_comparison(folders)
    model.set_lines(comparison_header(compared.found["measures"]), compared.lines)
    qtmodeltester.check(model)
    return model


@pytest.fixture
def view(qtbot, page, context, folders):
    with qtbot.waitSignal(page.presenter.comparison.shown):
        context.project.set_compared(tuple(folders))
    return page.comparison


def column(model: TwoLevels, title: str) -> int:
    return next(
        n for n in range(FIRST, model.columnCount()) if model.headerData(n, Qt.Orientation.Horizontal) == title
    )


def test_anchors_stand_on_top_then_a_row_a_method_that_holds_its_seeds(table):
    names = [table.index(row, 0).data() for row in range(table.rowCount())]
    assert names == ["Original", "Head-only edit (control)", "Retrained", "1  Muda", "2  Scrub"]
    muda = table.index(3, 0)
    assert [table.index(row, 0, muda).data() for row in range(table.rowCount(muda))] == ["Seed 1", "Seed 2"]
    assert table.index(1, 0, muda).data(RUN_ROLE) == "a-2" and muda.data(RUN_ROLE) is None


def test_a_method_has_both_values_of_two_seeds_and_of_more_the_mean(table):
    probe = column(table, "Linear probe, recall, %")
    muda = table.index(3, probe)
    assert muda.data() == "90.0 and 94.0"
    assert values_words([0.90, 0.92, 0.94], "percent") == "92.0 ± 5.0"
    assert table.index(0, probe, table.index(3, 0)).data() == "90.0"
    assert table.index(0, probe).data() == "98.0"
    assert values_words([], "ratio") == "–" and values_words([100, 101, 102], "count") == "101 ± 2.5"


def test_lamps_are_a_column_with_the_control_s_above(table):
    assert table.headerData(LAMPS_COLUMN, Qt.Orientation.Horizontal) == "Outputs, Features, Attacks"
    shapes = [table.index(row, LAMPS_COLUMN).data() for row in range(table.rowCount())]
    assert shapes == ["", "◆  □  ○", "", "◆  ◆◐  ○", "◆  ◐  ○"]
    tip = table.index(3, LAMPS_COLUMN).data(Qt.ItemDataRole.ToolTipRole)
    assert "Features: 1 × like retrained, 1 × between" in tip
    assert table.index(3, LAMPS_COLUMN).data(Qt.ItemDataRole.AccessibleTextRole) == tip.replace("\n", ", ")


def test_a_verdict_is_not_translated_as_the_word_on_a_button(monkeypatch):
    monkeypatch.setattr(translation, "_current", "de")
    run = {"title": "Muda", "seed": 1, "run": "a", "verdict": {"code": "close"}, "measures": {}, "closure": {}}
    assert translation.tr("Close") == "Schließen" and told_run(run, {}).verdict == "Nahe dran"


def test_a_table_of_texts_is_a_valid_model(qtmodeltester, qapp):
    model = TwoLevels()
    model.set_texts(["", "a"], [["lr", "0.1"]])
    qtmodeltester.check(model)
    assert model.index(0, 1).data() == "0.1"


def test_the_page_shows_runs_side_by_side_and_goes_back(view, page, context):
    assert page.stack.currentWidget() is view and view.title.text() == "3 runs of 2 methods"
    assert context.page_states.get("verify") == ("ready", "3 runs side by side")
    assert not page.export_button.isVisible() and not view.banner.isVisible()
    view.left.emit()
    assert context.project.compared == () and page.stack.currentWidget() is page.empty


def test_three_measures_show_beside_the_plots_in_the_smallest_window(qtbot, view):
    numbers = view.tree.numbers

    def whole() -> list[int]:
        room = numbers.viewport().width()
        shown = [n for n in range(FIRST, view.tree.table.columnCount()) if not numbers.isColumnHidden(n)]
        return [n for n in shown if numbers.columnViewportPosition(n) + numbers.columnWidth(n) <= room]

    qtbot.waitUntil(lambda: len(whole()) >= 3)
    assert view.plots.width() > 300


@pytest.mark.parametrize("language", ["en", "de"])
def test_verdicts_and_names_of_methods_are_whole_beside_them(view, monkeypatch, language):
    monkeypatch.setattr(translation, "_current", language)
    tree = view.tree
    words = max(map(translation.tr, VERDICTS.values()), key=tree.fontMetrics().horizontalAdvance)
    line = Line("a", [{TEXT: "1  MUDA (reconstruction)"}, {TEXT: words}])
    tree.table.set_lines(comparison_header(view.compared.found["measures"]), [line])
    tree.show_columns()
    assert tree.numbers.columnWidth(VERDICT) >= tree.numbers.sizeHintForColumn(VERDICT)
    assert tree.names.columnWidth(NAME) >= tree.names.sizeHintForColumn(NAME)


def test_everything_has_a_name(view):
    assert unnamed_widgets(view) == []


def test_both_views_open_scroll_and_choose_together(view):
    names, numbers = view.tree.names, view.tree.numbers
    muda = view.tree.table.index(3, 0)
    numbers.expand(muda)
    assert names.isExpanded(muda)
    view.tree.choose("a-2")
    assert view.tree.chosen_runs() == {"a-2"} and numbers.selectionModel().hasSelection()
    assert names.isColumnHidden(FIRST) and numbers.isColumnHidden(0) and not numbers.isColumnHidden(FIRST)


def test_the_scatter_has_a_point_a_run_between_the_measures_chosen(view):
    scatter = view.plots.scatter
    scatter.up.setCurrentIndex(scatter.up.findData("probe"))
    scatter.across.setCurrentIndex(scatter.across.findData("forget_test_accuracy"))
    dots = {dot.name: (dot.x, dot.y) for dot in scatter.dots()}
    assert dots["a-2"] == (0.0, 94.0) and dots["Original"] == (98.0, 98.0)
    scatter.plot.flush()
    assert [label.text for label in scatter.plot.margin.labels()] == [
        "Original", "Head-only edit", "Retrained", "1 Muda", "2 Scrub"
    ]  # fmt: skip
    for axis, (low, high) in zip(scatter.plot.canvas.axes, reversed(scatter.plot.view.viewRange()), strict=True):
        assert all(0 <= value <= 100 for value in axis.tickValues(low, high, 300)[0][1])  # shares, in per cent
    header, rows = scatter.plot.table()
    assert header == ["run", "group", "Forget accuracy, unseen, %", "Linear probe, recall, %"]
    assert ["b-1", "2 Scrub", 0.0, 97.0] in rows


def test_pointing_at_a_run_in_the_scatter_chooses_its_row(view):
    plot = view.plots.scatter.plot
    view.show()
    plot.flush()
    spot = next(spot for spot in plot._points.points() if spot.data().name == "a-1")
    plot._points.hoverEvent(SimpleNamespace(exit=False, pos=spot.pos))
    assert view.tree.chosen_runs() == {"a-1"} and plot.view.toolTip().startswith("a-1: ")


def test_settings_that_differ_stand_beside_and_a_method_stands_for_its_seeds(view):
    model = view.plots.jobs.model
    assert [model.index(row, 0).data() for row in range(model.rowCount())] == ["method", "seed"]
    muda = view.tree.table.index(3, 0)
    selection = view.tree.names.selectionModel()
    selection.select(muda, selection.SelectionFlag.ClearAndSelect | selection.SelectionFlag.Rows)
    assert view.tree.chosen_runs() == {"a-1", "a-2"}


def test_runs_that_cannot_be_compared_are_said(qtbot, page, context, folders):
    shown: list[BaseException] = []
    page.presenter.comparison.failed.connect(shown.append)
    folders[0].file(REPORT_JSON).unlink()
    with qtbot.waitSignal(page.presenter.comparison.failed):
        context.project.set_compared(tuple(folders))
    assert "has no report to compare" in str(shown[0]) and context.project.compared == ()


def test_another_forget_set_is_said_on_top(qtbot, page, context, tmp_path, job, folders):
    other = dataclasses.replace(job, forget=dataclasses.replace(job.forget, sha256="6" * 64))
    folder = RunFolder.create(tmp_path / "runs" / "c", other)
    write_json(folder.file(REPORT_JSON), report(0.9, "Muda", 1))
    with qtbot.waitSignal(page.presenter.comparison.shown):
        context.project.set_compared((folders[0], folder))
    assert "forget different images" in page.comparison.banner.text()
    names = [page.comparison.tree.table.index(row, 0).data() for row in range(page.comparison.tree.table.rowCount())]
    assert names == ["Muda, seed 1", "Muda, seed 1"]


def test_published_measures_are_the_last_columns(folders, view, page, qtbot):
    for number, folder in enumerate(folders):
        found = folder.report()
        found["published"] = {
            "original": {"ua": 0.02, "tow": 0.1}, "unlearned": {"ua": 0.9 + number / 100, "tow": 0.8},
            "retrained": {"ua": 0.95, "tow": 1.0},
        }  # fmt: skip
        write_json(folder.file(REPORT_JSON), found)
    with qtbot.waitSignal(page.presenter.comparison.shown):
        page.presenter.comparison.refresh()
    table, numbers = view.tree.table, view.tree.numbers
    ua, tow = column(table, "UA, %"), column(table, "ToW")
    assert {ua, tow} == {table.columnCount() - 2, table.columnCount() - 1} and not numbers.isColumnHidden(ua)
    assert table.index(0, ua).data() == "2.0" and table.index(3, ua).data().startswith("90.0 and 91.0")


def test_rank_agreement_is_written_as_the_language_writes_numbers(german_numbers, view):
    model = view.plots.agreement.model
    taus = [text for line in range(model.rowCount()) for place in range(1, model.columnCount())
            if any(map(str.isdigit, text := str(model.index(line, place).data() or "")))]
    assert taus and all("," in text and "." not in text for text in taus)


def test_seeds_of_one_method_are_an_ensemble_beside_the_retrained_models(view, qtbot, monkeypatch):
    tab = view.plots.ensembles
    (one,) = view.compared.ensembles
    assert [folder.id for folder in one.folders] == ["a-1", "a-2"]
    assert "two retrained models or more" in tab.empty.text() and tab.currentIndex() == MISSING
    asked = []

    def compare(folders, bench, seeds, brought):
        asked.append(([folder.id for folder in folders], seeds))
        of_set = {"unlearned": {"mean": 1.25, "p95": 2.0}, "unlearned_half": None, "floor": None, "original": None}
        return {"measure": "klom", "unlearned_models": 2, "retrained_models": 2, "note": "",
                "sets": dict.fromkeys(("forget_train", "retain_train", "unseen"), of_set)}  # fmt: skip

    monkeypatch.setattr("core.session.ensembles.compare_ensembles", compare)
    trained = dataclasses.replace(view.compared, ensembles=(dataclasses.replace(one, retrained=(1, 2)),))
    view.show_compared(trained)
    assert f"{one.name}: 2 runs and 2 retrained models" in tab.empty.text()
    tab.measure_asked.emit()
    qtbot.waitUntil(lambda: tab.currentIndex() == CONTENT)
    assert asked == [(["a-1", "a-2"], (1, 2))] and tab.model.index(0, 1).data() == "1.250"
    view.show_compared(trained)  # read again: what was measured stays
    assert tab.currentIndex() == CONTENT


def test_a_damaged_card_of_the_original_is_said_where_the_ensembles_are(view, folders, monkeypatch):
    def damaged(runs):
        raise InputError("a/model.json is not a model card: it names no architecture")

    monkeypatch.setattr("core.session.ensembles.ensembles_in", damaged)
    view.show_compared(read_comparison(folders))
    tab = view.plots.ensembles
    assert tab.currentIndex() == MISSING and "a/model.json is not a model card" in tab.empty.text()
    assert view.compared.found["runs"]


def test_ensembles_of_one_method_with_other_settings_are_told_apart(folders, tmp_path, job):
    for seed in (1, 2):
        other = dataclasses.replace(job, method="muda", seed=seed, parameters={**job.parameters, "rounds": 9})
        folder = RunFolder.create(tmp_path / "runs" / f"c-{seed}", other)
        write_json(folder.file(REPORT_JSON), report(0.9, "Muda", seed))
        folders.append(folder)
    names = [one.name for one in read_comparison(folders).ensembles]
    assert len(set(names)) == 2 and names[0].endswith(", a-1") and names[1].endswith(", c-1")
