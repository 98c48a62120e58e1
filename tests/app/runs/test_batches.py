"""The results of a batch on the Runs page: filled while runs end, saved as CSV, compared, gone on with."""

from __future__ import annotations

import csv

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QFileDialog

from app.models import batch_table as columns
from app.models.batch_table import BatchTableModel
from app.pages.runs import RunsPage
from app.pages.runs.batch_view import NOTHING
from app.services.queue_files import BatchRecord, RecordedRun, write_record
from core.files import write_json
from core.runs.folder import CARD, MODEL, REPORT_JSON, RunFolder
from core.session.batch import Row, grouped
from tests.app.scripted import Script, job, write_run
from tests.app.verify.walk import unnamed_widgets


def end(folder: RunFolder, retain: float, verdict: str = "") -> None:
    """Give a run a result, as its end would."""
    folder.file(MODEL).write_bytes(b"x")
    measures = {"retain_test_accuracy": retain, "forget_accuracy": 0.1, "forget_test_accuracy": 0.0}
    write_json(folder.file(CARD), {"measures": measures, "cost": {"seconds": 12.0}})
    write_json(folder.file(REPORT_JSON), {"verdict": {"code": verdict} if verdict else {}, "models": {}})


@pytest.fixture
def page(context, home, qtbot) -> RunsPage:
    made = RunsPage(context)
    qtbot.addWidget(made)
    made.resize(1096, 644)
    made.show()
    yield made
    made.left()


@pytest.fixture
def batch(context, home, tmp_path) -> BatchRecord:
    """Two methods, two seeds each: one of four runs has ended, the others are not there yet."""
    (tmp_path / "night.toml").write_text("")
    runs = tuple(
        RecordedRun(f"three-{method}-s{seed}", "three", method, seed,
                    str(context.runs_folder() / f"night-three-{method}-s{seed}"))
        for method in ("muda", "scrub") for seed in (1, 2)
    )  # fmt: skip
    record = BatchRecord(tmp_path / "night.toml", 1_760_000_000.0, runs)
    write_record(record)
    end(write_run(runs[0].path, job(), Script("a").whole()), 0.90)
    return record


def shown(page: RunsPage) -> list[list[str]]:
    model = page.batches.model
    return [[model.index(row, column).data() for column in range(model.columnCount())]
            for row in range(model.rowCount())]  # fmt: skip


def test_without_batches_it_says_what_will_be_here(page, qtbot):
    page.batch_button.click()
    assert page.batches.isVisible() and page.batches.empty.text() == NOTHING
    assert not page.batches.export_button.isVisible() and not page.open_button.isVisible()
    page.batches.empty.button.click()
    (dialog,) = (w for w in QApplication.topLevelWidgets() if isinstance(w, QFileDialog) and w.isVisible())
    assert dialog.windowTitle() == "Open a batch file"
    dialog.close()
    page.batches.left.emit()
    assert not page.batches.isVisible() and page.open_button.isVisible()


def test_the_table_fills_while_runs_end_and_stays_in_view(page, context, batch, qtbot):
    page.batch_button.click()
    view = page.batches
    qtbot.waitUntil(lambda: view.model.rowCount() == 2 and "MUDA" in shown(page)[0][1])
    assert shown(page)[0] == ["three", "MUDA (reconstruction)", "1 of 2", "90.0 %", "10.0 %", "0.0 %", "12 s", "–"]
    assert shown(page)[1][2:4] == ["0 of 2", "–"]
    assert view.state.text() == "1 of 4 runs has a result · 3 not started"
    assert view.chooser.text().startswith("night.toml, 2025-10-09")
    second = write_run(batch.runs[1].path, job(seed=2), Script("b").whole())
    end(second, 0.94, "close")
    context.run_library.refresh()
    qtbot.waitUntil(lambda: shown(page)[0][2] == "2 of 2")
    assert page.batches.isVisible()
    assert shown(page)[0][3] == "92.0 ± 25.4 %" and shown(page)[0][7] == "1 close"
    tip = view.model.index(0, columns.RETAIN).data(Qt.ItemDataRole.ToolTipRole)
    assert tip == "Seed 1: 90.0 %\nSeed 2: 94.0 %"
    assert view.compare_button.isEnabled()
    view.compare_button.click()
    assert [folder.path for folder in context.project.compared] == [batch.runs[0].path, batch.runs[1].path]
    assert context.shown_pages[-1] == "verify"


def test_an_entry_with_a_name_of_its_own_has_its_method_s_title_too(qapp):
    rows = [Row(f"three-{name}-s1", "three", method, 1) for name, method in (("muda", "muda"), ("strong", "scrub"))]
    model = BatchTableModel()
    model.set_groups(grouped(rows))
    assert [model.index(row, columns.METHOD).data() for row in (0, 1)] == ["muda", "strong · scrub"]
    model.set_titles({"muda": "MUDA (reconstruction)", "scrub": "SCRUB"})
    assert [model.index(row, columns.METHOD).data() for row in (0, 1)] == ["MUDA (reconstruction)", "strong · SCRUB"]
    tip = model.index(1, columns.METHOD).data(Qt.ItemDataRole.ToolTipRole)
    assert tip == "strong · SCRUB\nthree-strong-s1"


def test_a_run_that_waits_or_was_cut_off_is_told(page, context, batch, qtbot):
    write_run(batch.runs[1].path, job(seed=2), [Script("b").started()], "running", step=3)
    context.run_controller.hold()
    run = context.run_controller.start_work(RunFolder(batch.runs[2].path), "unlearn", "", lambda *_: None, job())
    page.batch_button.click()
    qtbot.waitUntil(lambda: page.batches.model.rowCount() == 2)
    assert page.batches.state.text() == "1 of 4 runs has a result · 1 waiting · 1 interrupted · 1 not started"
    context.run_controller.remove(run)
    qtbot.waitUntil(lambda: "2 not started" in page.batches.state.text())


def test_the_rest_is_started_from_the_batch_file(page, context, batch, qtbot):
    page.batch_button.click()
    view = page.batches
    qtbot.waitUntil(lambda: view.rest_button.isEnabled())
    asked = []
    context.opening.batch_wanted.connect(asked.append)
    view.rest_button.click()
    assert asked == [batch.file]
    batch.file.unlink()
    view.look()
    qtbot.waitUntil(lambda: not view.rest_button.isEnabled())
    assert view.rest_button.toolTip() == f"{batch.file} is gone."


def test_the_table_is_saved_as_csv(page, context, batch, tmp_path, qtbot):
    page.batch_button.click()
    qtbot.waitUntil(lambda: page.batches.model.rowCount() == 2)
    page.batches.export(str(tmp_path / "out.csv"))
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert [row["method"] for row in rows] == ["muda", "scrub"]
    assert rows[0]["retain_test_accuracy_mean"] == "0.9" and rows[1]["retain_test_accuracy_mean"] == ""
    page.batches.export(str(tmp_path / "out.csv" / "no.csv"))
    assert "could not be written" in context.notifications.history[-1].text


def test_another_batch_can_be_looked_at(page, context, batch, tmp_path, qtbot):
    write_record(BatchRecord(tmp_path / "older.toml", 1_700_000_000.0, batch.runs[:1]))
    page.batch_button.click()
    view = page.batches
    qtbot.waitUntil(lambda: view.model.rowCount() == 2)
    view._menu.actions()[1].trigger()
    qtbot.waitUntil(lambda: view.model.rowCount() == 1)
    assert view.chooser.text().startswith("older.toml")


def test_the_model_is_valid_and_everything_has_a_name(page, batch, qtbot, qtmodeltester):
    page.batch_button.click()
    qtbot.waitUntil(lambda: page.batches.model.rowCount() == 2)
    qtmodeltester.check(page.batches.model)
    assert isinstance(page.batches.model, BatchTableModel) and unnamed_widgets(page) == []
