"""The results of a batch, side by side on the Verify page: filled while runs end, saved, gone on with."""

from __future__ import annotations

import csv
import dataclasses

import pytest
from PySide6.QtWidgets import QApplication, QFileDialog

from app.models.comparison_table import FIRST, NAME, VERDICT, told_batch
from app.pages.runs import RunsPage
from app.pages.verify import VerifyPage
from app.pages.verify.comparison_view import NO_BATCHES
from app.workers.queue_files import BatchRecord, RecordedRun, write_record
from core.files import write_json
from core.runs.folder import CARD, MODEL, REPORT_JSON, RunFolder
from core.session.batch import Row, grouped
from tests.app.scripted import Script, job, write_run
from tests.app.verify.reports import bare_report, full_report
from tests.app.verify.walk import unnamed_widgets


def end(folder: RunFolder, seed: int, retain: float, checked: bool = False) -> None:
    """Give a run a result, as its end would, and its check."""
    folder.file(MODEL).write_bytes(b"x")
    report = full_report(seed=seed) if checked else bare_report(seed=seed)
    report["models"]["unlearned"]["retain_test_accuracy"] = retain
    measures = {"retain_test_accuracy": retain, "forget_accuracy": 0.1, "forget_test_accuracy": 0.0}
    write_json(folder.file(CARD), {"measures": measures, "cost": {"seconds": 12.0}})
    write_json(folder.file(REPORT_JSON), report)


@pytest.fixture
def page(context, home, qtbot) -> VerifyPage:
    made = VerifyPage(context)
    qtbot.addWidget(made)
    made.resize(1096, 644)
    made.show()
    return made


@pytest.fixture
def batch(context, home, tmp_path) -> BatchRecord:
    """Two methods, two seeds each: one of four runs has ended, the others are not there yet."""
    (tmp_path / "night.toml").write_text("")
    runs = tuple(
        RecordedRun(f"three-{method}-s{seed}", "three", method, seed,
                    context.runs_folder() / f"night-three-{method}-s{seed}")
        for method in ("muda", "scrub") for seed in (1, 2)
    )  # fmt: skip
    record = BatchRecord(tmp_path / "night.toml", 1_760_000_000.0, runs)
    write_record(record)
    end(write_run(runs[0].folder, job(), Script("a").whole()), 1, 0.90)
    return record


@pytest.fixture
def view(page, context, batch, qtbot):
    context.project.show_batch()
    qtbot.waitUntil(lambda: page.comparison.tree.table.rowCount() == 2)
    return page.comparison


def cells(view, column: int) -> list[str]:
    table = view.tree.table
    return [table.index(row, column).data() for row in range(table.rowCount())]


def test_without_batches_it_says_what_will_be_here(page, context, qtbot):
    runs = RunsPage(context)
    qtbot.addWidget(runs)
    with qtbot.waitSignal(page.presenter.comparison.shown):
        runs.batch_button.click()
    assert context.shown_pages[-1] == "verify" and page.comparison.isVisible()
    assert page.comparison.empty.text() == NO_BATCHES
    page.comparison.empty.button.click()
    (dialog,) = (w for w in QApplication.topLevelWidgets() if isinstance(w, QFileDialog) and w.isVisible())
    assert dialog.windowTitle() == "Open a batch file"
    dialog.close()
    runs.left()


def test_the_table_fills_while_runs_end_and_stays_in_view(view, context, batch, qtbot):
    assert cells(view, NAME) == ["three · MUDA (reconstruction)", "three · SCRUB"]
    assert cells(view, VERDICT) == ["1 × Not compared, 1 × Not started", "Not started"]
    retain = FIRST + [m["key"] for m in view.compared.found["measures"]].index("retain_test_accuracy")
    assert cells(view, retain) == ["90.0", "–"]
    assert view.state.text().endswith("a result · 3 not started")
    assert view.chooser.text().startswith("night.toml, 2025-10-09") and not view.title.isVisible()
    end(write_run(batch.runs[1].folder, job(seed=2), Script("b").whole()), 2, 0.94, checked=True)
    context.run_library.refresh()
    qtbot.waitUntil(lambda: cells(view, retain)[0] == "90.0 and 94.0")
    assert cells(view, VERDICT)[0] == "1 × Not compared, 1 × Close"
    assert [folder.path for folder in view.compared.unchecked] == [batch.runs[0].folder]
    assert view.check_button.isVisible()
    view.left.emit()
    assert not context.project.side_by_side


def test_an_entry_with_a_name_of_its_own_has_its_method_s_title_too(qapp):
    rows = [Row(f"three-{name}-s1", "three", method, 1) for name, method in (("muda", "muda"), ("strong", "scrub"))]
    lines = told_batch(grouped(rows), {}, {"muda": "MUDA (reconstruction)", "scrub": "SCRUB"})
    assert [line.name for line in lines] == ["three · MUDA (reconstruction)", "three · strong, SCRUB"]
    assert lines[1].below[0].tip == "three-strong-s1" and lines[1].tip.startswith("0 of 1 run")


def test_a_run_that_waits_or_was_cut_off_is_told(view, context, batch, qtbot):
    write_run(batch.runs[1].folder, job(seed=2), [Script("b").started()], "running", step=3)
    context.run_controller.hold()
    run = context.run_controller.start_work(RunFolder(batch.runs[2].folder), "unlearn", "", lambda *_: None, job())
    told = "1 of 4 runs have a result · 1 waiting · 1 interrupted · 1 not started"
    qtbot.waitUntil(lambda: view.state.text() == told)
    context.run_controller.remove(run)
    qtbot.waitUntil(lambda: "2 not started" in view.state.text())


def test_the_menu_checks_the_runs_of_the_batch_in_view(view, page, context, batch, monkeypatch):
    asked: list = []
    monkeypatch.setattr(page.presenter.checks, "run_several", lambda folders, trained: asked.append(folders))
    assert context.actions.reason("verify.check_all") == ""
    context.actions.trigger("verify.check_all")
    assert [[folder.path for folder in folders] for folders in asked] == [[batch.runs[0].folder]]
    assert context.project.batch is not None


def test_the_rest_is_started_from_the_batch_file(view, page, context, batch, qtbot):
    asked: list = []
    context.opening.batch_wanted.connect(asked.append)
    assert view.rest_button.isEnabled()
    view.rest_button.click()
    assert asked == [batch.file]
    batch.file.unlink()
    page.presenter.comparison.refresh()
    qtbot.waitUntil(lambda: not view.rest_button.isEnabled())
    assert view.rest_button.toolTip() == f"{batch.file} is gone."


def test_the_table_is_saved_as_csv_with_full_numbers_or_as_latex(view, context, tmp_path, qtbot):
    view.save_button.click()
    (dialog,) = (w for w in QApplication.topLevelWidgets() if isinstance(w, QFileDialog) and w.isVisible())
    dialog.fileSelected.emit(str(tmp_path / "out.csv"))
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert [row["method"] for row in rows] == ["muda", "scrub"]
    assert rows[0]["retain_test_accuracy_mean"] == "0.9" and rows[1]["retain_test_accuracy_mean"] == ""
    dialog.fileSelected.emit(str(tmp_path / "out.tex"))
    assert "forget set & method & runs" in (tmp_path / "out.tex").read_text()
    dialog.fileSelected.emit(str(tmp_path / "out.csv" / "no.csv"))
    assert "could not be written" in context.notifications.history[-1].text
    dialog.close()


def test_another_batch_can_be_looked_at(view, batch, tmp_path, context, qtbot):
    write_record(BatchRecord(tmp_path / "older.toml", 1_700_000_000.0, batch.runs[:1]))
    context.project.show_batch(tmp_path / "older.toml")
    qtbot.waitUntil(lambda: view.tree.table.rowCount() == 1)
    assert view.chooser.text().startswith("older.toml")
    view.batches.actions()[0].trigger()
    qtbot.waitUntil(lambda: view.tree.table.rowCount() == 2)


def test_a_damaged_report_of_one_run_does_not_hide_the_others(view, batch, context, qtbot):
    second = write_run(batch.runs[1].folder, dataclasses.replace(job(), seed=2), Script("b").whole())
    end(second, 2, 0.94)
    second.file(REPORT_JSON).write_text("{")
    context.run_library.refresh()
    qtbot.waitUntil(lambda: view.state.text().startswith("2 of 4"))
    assert cells(view, NAME) == ["three · MUDA (reconstruction)", "three · SCRUB"]


def test_the_model_is_valid_and_everything_has_a_name(view, page, qtmodeltester):
    qtmodeltester.check(view.tree.table)
    assert unnamed_widgets(page) == []
