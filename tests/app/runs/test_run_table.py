"""The item model of runs: words, shapes, numbers, the live overlay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPersistentModelIndex, Qt

from app.models import run_table as columns
from app.models.run_table import SORT_ROLE, RunTableModel
from app.plots.sparkline import SPARK_ROLE
from app.services.run_library import RunRow
from app.workers.live_run import LiveRun
from core.events import State
from core.runs.folder import RunFolder
from tests.app.scripted import Script, job

ROWS = (
    RunRow(Path("/runs/a"), "finished", "muda", "unlearn", 0, "class 3", 0.976, 0.0, "hidden", 1000.0, 80, 80,
           (0.9, 0.97), (0.9, 0.0), preset="samples", model="net.pt", model_tip="mlp · /models/net.pt", data="digits"),
    RunRow(Path("/runs/b"), "interrupted", "finetune", "unlearn", 2, "37 images", None, None, "", 2000.0, 40,
           80),
    RunRow(Path("/runs/c"), "damaged", error="The job file is damaged."),
    RunRow(Path("/runs/d"), "failed", "train", "train", 1, "none", created=500.0,
           error="Out of memory."),
)  # fmt: skip


@pytest.fixture
def model(qapp) -> RunTableModel:
    made = RunTableModel()
    made.set_titles({("muda", ""): "MUDA (reconstruction)", ("muda", "samples"): "Single images",
                     ("finetune", ""): "Fine-tuning"})  # fmt: skip
    made.set_rows(ROWS)
    return made


def texts(model: RunTableModel, row: int) -> list[str]:
    return [model.index(row, column).data() for column in range(model.columnCount() - 1)]


def test_is_a_proper_model(model, qtmodeltester):
    qtmodeltester.check(model)


def test_words(model):
    titles = [column.title for column in model.columns][: columns.STARTED]
    assert titles == ["State", "Method", "Preset", "Forget set", "Retain, %", "Forget, %", "Verdict", "Model", "Data",
                      "Seed"]  # fmt: skip
    assert texts(model, 0)[: columns.STARTED] == [
        "Finished", "MUDA (reconstruction)", "Single images", "class 3", "97.6", "0.0", "Hidden", "net.pt", "digits",
        "0",
    ]  # fmt: skip
    assert texts(model, 1)[: columns.STARTED] == [
        "Interrupted, 50 %", "Fine-tuning", "–", "37 images", "–", "–", "–", "–", "–", "2"
    ]  # fmt: skip
    assert texts(model, 2)[0] == "Damaged"
    assert texts(model, 3)[:2] == ["Failed", "Training"]


def test_a_model_is_told_in_full_by_its_tool_tip(model):
    assert model.index(0, columns.MODEL).data(Qt.ItemDataRole.ToolTipRole) == "mlp · /models/net.pt"


def test_why_a_run_failed_and_where_it_lies_are_tool_tips(model):
    tip = Qt.ItemDataRole.ToolTipRole
    assert model.index(2, columns.STATE).data(tip) == "The job file is damaged."
    assert model.index(1, columns.STARTED).data(tip) == str(Path("/runs/b"))


def test_numbers_stand_right_and_sort_as_numbers(model):
    assert model.index(0, columns.RETAIN).data(Qt.ItemDataRole.TextAlignmentRole) & Qt.AlignmentFlag.AlignRight
    assert model.index(0, columns.RETAIN).data(SORT_ROLE) > model.index(1, columns.RETAIN).data(SORT_ROLE)


def test_curves_are_also_words(model):
    index = model.index(0, columns.CURVE)
    assert index.data(SPARK_ROLE).forget == (0.9, 0.0)
    assert index.data(Qt.ItemDataRole.AccessibleTextRole) == "retain 90.0 % to 97.0 %, forget 90.0 % to 0.0 %"


def test_the_run_under_way_is_shown_as_it_is_now(model):
    script = Script("b")
    run = LiveRun(RunFolder(Path("/runs/b")), "unlearn", job=job(), work=lambda control, emit: None)
    run.begin()
    run.apply([script.started(), *script.measured(0, 0.98), script.losses(34), *script.measured(34, 0.4)])
    changed: list[int] = []
    model.dataChanged.connect(lambda first, last: changed.append(first.row()))
    model.set_live(run)
    assert changed == [1]
    assert texts(model, 1)[0] == "Running, 34 %"
    assert texts(model, 1)[columns.RETAIN : columns.VERDICT] == ["97.0", "40.0"]
    model.set_live(run)
    assert changed == [1]  # nothing new, nothing drawn
    run.state = State.PAUSED
    model.set_live(run)
    assert texts(model, 1)[0] == "Paused, 34 %"
    model.set_live(None)
    assert texts(model, 1)[0] == "Interrupted, 50 %"


def test_a_row_that_changes_leaves_the_others_and_what_is_chosen(model):
    chosen = QPersistentModelIndex(model.index(1, 0))
    resets: list[int] = []
    model.modelReset.connect(lambda: resets.append(1))
    newer = RunRow(Path("/runs/e"), "running", "muda", created=3000.0)
    model.set_rows([newer, *(replace(row, state="finished") if row.id == "b" else row for row in ROWS)])
    assert resets == [] and chosen.row() == 2 and texts(model, 2)[0] == "Finished"


def test_a_long_run_under_way_is_read_once_a_change_and_drawn_with_few_points(model, monkeypatch):
    script = Script("b", steps=1000)
    run = LiveRun(RunFolder(Path("/runs/b")), "unlearn", job=job(), work=lambda control, emit: None)
    run.begin()
    run.apply(script.whole(every=2)[:-1])
    model.set_live(run)
    read: list[int] = []

    class Counted(list):
        def __iter__(self):
            read.append(1)
            return super().__iter__()

    run.history.evaluations = Counted(run.history.evaluations)
    model.set_live(run)
    assert model.index(1, columns.RETAIN).data() == "97.0"
    assert len(model.index(1, columns.CURVE).data(SPARK_ROLE).retain) == 80
    for column in range(model.columnCount()):
        model.index(1, column).data(Qt.ItemDataRole.ToolTipRole)
    assert read == []
