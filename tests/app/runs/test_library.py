"""What is known of runs is read from their folders, once."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt

from app.models.run_table import SORT_ROLE, RunTableModel
from app.plots.sparkline import SPARK_ROLE
from app.services.run_library import read_rows
from app.workers.live_run import LiveRun
from core.runs.folder import RunFolder
from core.session import library
from tests.app.scripted import Script, Stepped, append_events, job, write_run


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "runs"


def test_rows(folder):
    write_run(folder / "a", job(seed=3), Script("a").whole())
    write_run(folder / "b", job("sample"), [Script("b", mode="sample").started()], "running", step=31)
    (folder / "c").mkdir()
    (folder / "c" / "job.json").write_text("{}")
    rows = {row.id: row for row in read_rows(folder, [], set(), {})}
    a, b, c = rows["a"], rows["b"], rows["c"]
    assert (a.state, a.method, a.seed, a.forget_text) == ("finished", "muda", 3, "class 3")
    assert len(a.spark_forget) == 11 and a.forget_accuracy == pytest.approx(0.0)
    assert (b.state, b.step, b.forget_text) == ("interrupted", 31, "100 images")
    assert c.state == "damaged" and "schema_version" in c.error


def test_the_model_of_the_example_is_called_so_and_not_by_a_hash(folder):
    made = job()
    network = replace(made.model, path="/models/example-fa812736e0c1/model.safetensors")
    write_run(folder / "c", replace(made, model=network), Script("c").whole())
    assert [row.model for row in read_rows(folder, [], set(), {})] == ["example"]


def test_a_run_that_goes_while_it_is_read_costs_the_others_nothing(folder, monkeypatch):
    for name in "ab":
        write_run(folder / name, job(), Script(name).whole())
    real = library.describe_run

    def describe(run, job):
        if run.id == "b":  # deleted just now, by somebody else
            shutil.rmtree(run.path)
        return real(run, job)

    monkeypatch.setattr(library, "describe_run", describe)
    assert [row.id for row in read_rows(folder, [], set(), {})] == ["a"]


def test_what_did_not_change_is_not_read_again(folder, monkeypatch):
    run = write_run(folder / "a", job(), Script("a").whole())
    first = read_rows(folder, [], set(), {})
    monkeypatch.setattr("core.session.library.describe_run", lambda run: pytest.fail("read again"))
    assert read_rows(folder, [], set(), {row.path: row for row in first}) == first
    monkeypatch.undo()
    append_events(run, Script("a").measured(100, 0.7))
    assert read_rows(folder, [], set(), {row.path: row for row in first})[0].spark_forget[-1] == 0.7


def test_runs_of_this_window_are_not_probed(folder, monkeypatch):
    """Probing takes the lock for a moment, just when the run's thread may want it."""
    run = write_run(folder / "a", job(), [Script("a").started()], "running")
    monkeypatch.setattr(RunFolder, "locked", property(lambda self: pytest.fail("probed")))
    row = read_rows(folder, [], {run.path}, {})[0]
    assert row.method == "muda" and row.state == ""


def test_runs_from_elsewhere_belong_to_it(folder, tmp_path):
    other = write_run(tmp_path / "elsewhere" / "x", job(), Script("x").whole())
    rows = read_rows(folder, [other.path, tmp_path / "gone"], set(), {})
    assert [row.path for row in rows] == [other.path]


def test_a_long_run_has_a_sparkline_of_few_points(folder):
    script = Script("a", steps=1000)
    write_run(folder / "a", job(), script.whole(every=2))
    row = read_rows(folder, [], set(), {})[0]
    assert len(row.spark_retain) == 80 and row.spark_forget[-1] == pytest.approx(0.0)


def test_what_a_resume_took_back_is_no_part_of_a_sparkline(folder):
    script = Script("d")
    told = [script.evaluation(step, forget=step / 100) for step in (0, 10, 20)]
    write_run(folder / "d", job(), [*told, script.started(resumed_at=10), script.evaluation(15, forget=0.15)])
    (row,) = read_rows(folder, [], set(), {})
    assert row.spark_forget == (0.0, 0.1, 0.15)


def test_a_line_of_the_log_that_is_no_text_costs_its_point_and_no_more(folder):
    script = Script("d")
    run = write_run(folder / "d", job(), [script.evaluation(step, forget=0.5) for step in (0, 10, 20)])
    events = run.file("events.jsonl")
    lines = events.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"subset", b"sub\xffset")
    events.write_bytes(b"".join(lines))
    (row,) = read_rows(folder, [], set(), {})
    assert row.id == "d" and len(row.spark_forget) == 2


def test_the_library_follows_the_controller(context, qtbot, tmp_path):
    assert context.run_library.rows == ()
    work = Stepped()
    path = context.runs_folder() / "r"
    run: LiveRun = context.run_controller.start_work(RunFolder(path), "unlearn", "", work, job())
    write_run(path, job(), Script("r").whole())
    work.end()
    qtbot.waitUntil(lambda: [row.id for row in context.run_library.rows] == ["r"] and run.ended)
    assert [row.path for row in context.run_library.rows] == [path]


def test_a_run_is_known_as_soon_as_its_worker_has_written_the_folder(context, qtbot):
    work = Stepped()
    path = context.runs_folder() / "r"
    run: LiveRun = context.run_controller.start_work(RunFolder(path), "unlearn", "", work, job())
    qtbot.waitUntil(lambda: not context.run_library._reading)
    assert context.run_library.rows == ()
    write_run(path, job(), [Script("r").started()], "running")
    work.give(Script("r").started())  # what comes first after it
    qtbot.waitUntil(lambda: [row.id for row in context.run_library.rows] == ["r"])
    assert not run.ended
    work.end()
    qtbot.waitUntil(lambda: run.ended)


WRONG = ("", "{", "[]", "null", "1", '"a"', "{}", '{"verdict": 3, "retrained": 1}', '{"measures": []}', '{"state": 3}',
         '{"measures": {"retain_test_accuracy": "x"}, "verdict": "close"}', "\x00\xff",
         '{"state": "running", "pid": "x", "heartbeat": "y", "step": "x", "steps": null}',
         '{"type": "evaluation", "scope": "subset", "retain_test_accuracy": "x"}\n')  # fmt: skip


@pytest.mark.parametrize("name", ["job.json", "status.json", "report.json", "model.json", "events.jsonl", "forget.csv"])
def test_whatever_a_broken_folder_holds_the_list_shows_the_others_and_its_own_row(name, tmp_path, qapp):
    """One text in the place of a number ended the window: Qt asks for the cells, and what they raise is fatal."""
    whole = write_run(tmp_path / "runs" / "whole", job(), Script("whole").whole())
    for number, text in enumerate(WRONG):
        broken = write_run(tmp_path / "runs" / f"broken-{number:02}", job(), Script("b").whole())
        broken.file(name).write_text(text)
    rows = read_rows(tmp_path / "runs", [], set(), {})
    assert whole.path in {row.path for row in rows} and len(rows) >= len(WRONG)
    model = RunTableModel()
    model.set_rows(rows)
    for row in range(model.rowCount()):
        for column in range(model.columnCount()):
            for role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole, SORT_ROLE, SPARK_ROLE):
                model.data(model.index(row, column), role)
