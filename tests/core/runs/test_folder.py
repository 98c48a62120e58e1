"""Run folders read back: truncated logs, overtaken events, states of dead processes, atomic files."""

from __future__ import annotations

import errno
import itertools
import json
import os
import threading
import time
from dataclasses import replace

import filelock
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InputError, MismatchError, NotFoundError
from core.events import Log, Progress, from_dict
from core.files import TEXT_LIMIT, cache_home, dumps, loads, write_atomic, write_json
from core.job import DataPart, ForgetPart, Job, ModelPart
from core.leftovers import clear_once, temporary_name
from core.runs.folder import EVENTS, LOCK, LOCK_SECONDS, MADE, RunFolder, Status, effective, list_runs
from core.runs.recorder import Recorder
from core.session.library import describe_run
from tests.core.dying import Died, lives

JOB = Job(
    model=ModelPart(architecture="mlp", num_classes=10, in_channels=1, input_size=(8, 8)),
    data=DataPart(spec="digits"),
    forget=ForgetPart(mode="class", classes=(3,), class_names=("3",), count=5, total=50),
    method="muda",
)


def _log(step, message="hello"):
    return Log(run="r", step=step, time=1.0, level="info", message=message)


@pytest.fixture
def folder(tmp_path):
    return RunFolder.create(tmp_path / "r", JOB)


def test_a_truncated_last_line_is_dropped_and_appending_starts_anew(folder):
    recorder = Recorder(folder)
    recorder.record(_log(1))
    recorder.close()
    with folder.file("events.jsonl").open("ab") as file:
        file.write(b'{"type": "log", "st')
    assert [e["step"] for e in folder.events()] == [1]
    again = Recorder(folder)
    again.record(_log(2))
    again.close()
    assert [e["step"] for e in folder.events()] == [1, 2]
    with pytest.raises(ValueError, match="closed file"):  # no handle stays open with the folder's log
        again.record(_log(3))


def test_progress_is_written_where_it_is_new_and_else_twice_a_second(folder, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("core.runs.recorder.time.monotonic", lambda: clock[0])
    recorder = Recorder(folder)
    told = (
        (10.0, "loading", 1), (10.4, "loading", 2), (10.5, "loading", 3), (10.6, "loading", 4),
        (10.7, "checking", 1), (11.1, "checking", 2), (11.2, "checking", 3),
    )  # fmt: skip
    for clock[0], what, done in told:
        recorder.record(Progress(run="r", step=0, time=0.0, what=what, done=done, total=9))
    recorder.close()
    assert [(event["what"], event["done"]) for event in folder.events()] == [
        ("loading", 1), ("loading", 3), ("checking", 1), ("checking", 3),
    ]  # fmt: skip


def test_unknown_events_are_kept(folder):
    folder.file("events.jsonl").write_bytes(b'{"type": "from_the_future", "step": 3, "colour": 1}\n')
    assert folder.events()[0]["colour"] == 1
    assert from_dict(folder.events()[0]) is None


def test_a_resume_overtakes_later_events():
    started = {"type": "run_started", "step": 0, "resumed_at": None}
    events = [
        started,
        *({"type": "step_metrics", "step": s} for s in range(1, 6)),
        {"type": "run_failed", "step": 5},
        {"type": "run_started", "step": 3, "resumed_at": 3},
        {"type": "step_metrics", "step": 4},
    ]
    assert [e["step"] for e in effective(events)] == [0, 1, 2, 3, 3, 4]


def test_a_dead_process_leaves_an_interrupted_run(folder):
    folder.write_status(Status("running", os.getpid(), time.time(), step=7, steps=9))
    assert folder.status().state == "interrupted"
    with folder.lock():
        assert folder.status().state == "running"
    assert folder.status().step == 7
    for damaged in ("{", "[]", ""):
        folder.file("status.json").write_text(damaged)
        assert folder.status() == Status("interrupted", 0, 0.0)
    folder.file("status.json").unlink()
    assert folder.status() == Status("interrupted", 0, 0.0)


def test_a_state_of_a_newer_version_is_an_error_that_says_what_to_do(folder):
    folder.write_status(Status("archived", os.getpid(), time.time()))
    with pytest.raises(MismatchError, match="a newer version: this one knows no state 'archived'") as raised:
        folder.status()
    assert raised.value.hint == "Update Unlearn Studio to open it."
    assert describe_run(folder)["newer"] is True
    folder.file("job.json").write_text("{}")
    assert describe_run(folder)["state"] == "damaged" and describe_run(folder)["newer"] is False


def test_a_folder_is_not_reused_and_not_deleted_while_in_use(folder, tmp_path):
    with pytest.raises(InputError, match="already holds a run"):
        RunFolder.create(folder.path, JOB)
    with folder.lock(), pytest.raises(InputError, match="in use"):
        folder.delete()
    folder.delete()
    assert not folder.path.exists()
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be used as a run folder"):
        RunFolder.create(tmp_path / "file", JOB)


def test_checkpoints_of_somebody_else_are_not_among_those_of_a_run(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    RunFolder.create(tmp_path, JOB).delete()  # an empty one is no hindrance
    own = tmp_path / "checkpoints" / "step-000000001.pt"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"of the user")
    with pytest.raises(InputError, match="holds other files, and a run would delete them"):
        RunFolder.create(tmp_path, JOB)
    assert own.read_bytes() == b"of the user" and not (tmp_path / "job.json").exists()


def test_what_a_killed_process_left_half_written_goes_and_nothing_else(folder):
    directory = folder.file("checkpoints")
    directory.mkdir()
    left = [".status.json.abcd1234.tmp", ".model.safetensors.x_y12345.tmp", ".model.pt.x_y12345.tmp"]
    left.append("checkpoints/.step-000000007.pt.x_y12345.tmp")
    left += [".model.x_y12345.safetensors", ".model.x_y12345.pt", "checkpoints/step-000000007.tmp"]  # earlier versions
    others = ["checkpoints/step-000000006.pt", ".notes.tmp", ".model.yaml", "model.pt", "a.tmp"]
    for name in (*left, *others):
        folder.file(name).write_bytes(b"x")
    folder.clear_leftovers()
    assert not [name for name in left if folder.file(name).exists()]
    assert all(folder.file(name).exists() for name in others)


LIST = b"index,class,path,weight\n3,3,,1\n"


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("error", [Died, lambda: OSError(errno.ENOSPC, "No space left on device")])
def test_a_start_that_breaks_off_anywhere_leaves_no_run_or_one_that_can_be_started(tmp_path, there, error):
    for at in itertools.count():
        path = tmp_path / str(at) / "r"
        path.parent.mkdir()
        if there:
            path.mkdir()
            (path / "notes.txt").write_text("mine")
        ended = lives(at, lambda path=path: RunFolder.create(path, JOB, {"forget.csv": LIST}), error)
        folder = RunFolder(path)
        rows = [describe_run(run) for run in list_runs(path.parent)]
        assert len(rows) == folder.exists
        for row in rows:  # whatever broke off, a run has all that it begins with
            assert folder.file("forget.csv").read_bytes() == LIST
            assert row["state"] == ("interrupted" if error is Died else "queued"), (at, row)
        if error is Died or not folder.exists:
            RunFolder.create(path, JOB, {"forget.csv": LIST})
        names = sorted(file.name for file in path.iterdir() if file.name != ".lock")
        assert names == sorted(["job.json", "forget.csv", "status.json", *(["notes.txt"] if there else [])]), at
        assert [file.name for file in path.parent.iterdir()] == ["r"]
        if ended:
            break
    assert at > 10


def test_a_run_that_was_never_started_says_so_and_is_begun_or_deleted_in_one_act(tmp_path):
    lives(10**6, lambda: RunFolder.create(tmp_path / "r", JOB, {"forget.csv": LIST}))
    folder = RunFolder(tmp_path / "r")
    row = describe_run(folder)
    assert row["state"] == "interrupted" and row["error"] == "The run was never started: resume it, or delete it."
    assert RunFolder.wanted(folder.path).never_started
    with folder.lock():  # somebody begins it
        assert not folder.never_started
    folder.file("job.json").touch()
    RunFolder.create(folder.path, JOB, {"forget.csv": LIST})
    assert folder.status().state == "queued"  # this process is about to begin it
    with pytest.raises(InputError, match="already holds a run"):
        RunFolder.wanted(folder.path)
    folder.delete()
    assert not folder.path.exists()


def test_a_run_without_its_forget_list_that_took_no_step_is_made_anew(tmp_path):
    """Earlier versions wrote the job before the list: a run that ended between them failed at every resume."""
    folder = RunFolder.create(tmp_path / "r", JOB)
    folder.write_status(Status("failed", 0, 0.0, error="forget.csv is gone"))
    recorder = Recorder(folder)
    recorder.record(_log(0))
    recorder.close()
    assert RunFolder(folder.path).never_started
    RunFolder.create(folder.path, JOB, {"forget.csv": LIST})
    assert folder.file("forget.csv").read_bytes() == LIST and folder.read_events() == []
    folder.write_status(Status("failed", 0, 0.0))
    assert not folder.never_started


def test_a_file_of_the_users_is_not_taken_for_a_start_that_broke_off(tmp_path):
    for name, text in (("status.json", '{"state": "running", "pid": 0, "heartbeat": 0}'), ("forget.csv", "3")):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match="exists, and a run would replace it"):
            RunFolder.create(tmp_path, JOB)
        assert (tmp_path / name).read_text() == text
        (tmp_path / name).unlink()


def _ended(folder, state="finished"):
    for name in MADE["unlearn"]:
        folder.file(name).write_bytes(b"{}")
    folder.write_status(Status(state, 0, 0.0, 9, 9))


@pytest.mark.parametrize("state", ["finished", "stopped"])
@pytest.mark.parametrize("name", ["model.safetensors", "model.pt", "model.json", "report.json", "report.html"])
def test_a_run_that_has_ended_and_lacks_a_file_is_told_as_damaged(folder, name, state):
    _ended(folder, state)
    assert folder.is_done and folder.status().state == state and folder.missing() == []
    folder.file(name).unlink()
    assert not folder.is_done and folder.missing() == [name]
    row = describe_run(folder)
    assert row["state"] == "interrupted"
    again = "resume it to have these written again"
    if (state, name) == ("stopped", "model.safetensors"):  # the weights it had when it was stopped are nowhere else
        again = "resumed, it goes on from its last checkpoint to its end"
    assert row["error"] == f"The run has ended, but lacks {name}: {again}."
    write_json(folder.file("removed.json"), {name: {"sha256": "0", "removed": "today"}})
    assert folder.missing() == [] and folder.status().state == state


def test_work_on_a_run_clears_what_dead_processes_left_in_the_cache(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path / "home"))
    outputs = cache_home() / "outputs"
    outputs.mkdir(parents=True)
    mine, kept = temporary_name(outputs / "a.safetensors"), outputs / "b.safetensors"
    left = mine.with_name(mine.name.replace(f"-{os.getpid()}-", f"-{2**31 - 2}-"))
    for file in (mine, left, kept):
        file.write_bytes(b"x")
    clear_once.cache_clear()
    folder.clear_leftovers()
    assert sorted(outputs.iterdir()) == sorted([mine, kept])


def test_a_training_promises_its_model_and_card(tmp_path):
    training = replace(JOB, kind="train", method="retrain")
    folder = RunFolder.create(tmp_path / "t", training)
    for name in MADE["train"]:
        assert not folder.is_done
        folder.file(name).write_bytes(b"{}")
        folder.write_status(Status("finished", 0, 0.0, 9, 9))
    assert folder.is_done and folder.finished
    folder.write_status(Status("stopped", 0, 0.0, 9, 9))
    assert folder.is_done and not folder.finished


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_deleting_and_clearing_a_strangers_folder_stays_inside_it(folder, tmp_path):
    mine = tmp_path / "mine"
    (mine / "deep").mkdir(parents=True)
    for name in ("step-000000001.pt", ".step-000000002.pt.abcd1234.tmp", "deep/model.pt"):
        (mine / name).write_text("mine")
    before = sorted(mine.rglob("*"))
    folder.file("checkpoints").symlink_to(mine)
    folder.file("model.pt").symlink_to(mine / "deep" / "model.pt")
    folder.file("model.safetensors").symlink_to(mine / "deep" / "model.pt")
    folder.file("report.html").mkdir()
    (folder.file("report.html") / "link").symlink_to(mine)
    os.mkfifo(folder.file("verify.jsonl"))
    assert not folder.has_result and folder.checkpoints() == []
    folder.clear_leftovers()
    assert sorted(mine.rglob("*")) == before
    folder.delete()
    assert sorted(mine.rglob("*")) == before and not folder.path.exists()


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_run_folder_may_be_reached_by_a_link_of_the_users(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder.path)
    by_link = RunFolder(tmp_path / "link")
    assert by_link.exists
    with by_link.lock():
        by_link.clear_leftovers()
    (tmp_path / "empty").mkdir()
    (tmp_path / "new").symlink_to(tmp_path / "empty")
    assert RunFolder.create(tmp_path / "new", JOB).exists and (tmp_path / "empty" / "job.json").is_file()


def test_a_deletion_that_breaks_off_anywhere_can_be_done_again(tmp_path):
    for at in itertools.count():
        folder = RunFolder.create(tmp_path / "r", JOB, {"forget.csv": LIST})
        _ended(folder)
        folder.file("checkpoints").mkdir()
        (folder.file("checkpoints") / "step-000000001.pt").write_bytes(b"x")
        ended = lives(at, folder.delete)
        if folder.path.exists():
            assert folder.exists or not any(folder.path.iterdir()), at
            folder.delete()
        assert not folder.path.exists()
        if ended:
            break
    assert at > 10


def test_runs_are_listed_newest_first(tmp_path):
    for number, name in enumerate("abc"):
        made = RunFolder.create(tmp_path / name, JOB)
        os.utime(made.file("job.json"), (number, number))
    (tmp_path / "stray").mkdir()
    assert [run.id for run in list_runs(tmp_path)] == ["c", "b", "a"]
    assert [run.id for run in list_runs(tmp_path / "a")] == ["a"]
    with pytest.raises(NotFoundError):
        list_runs(tmp_path / "nowhere")


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_json_is_strict(number):
    text = dumps({"x": number}).decode()
    assert json.loads(text, parse_constant=lambda name: pytest.fail(name))["x"] in (number, None)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_json(path, {"x": 1})

    def broken(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OSError, match="disk full"):
        write_atomic(path, b"new")
    assert loads(path.read_bytes()) == {"x": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_moment_of_somebody_elses_look_keeps_nobody_from_a_run(folder):
    look = filelock.FileLock(folder.file(LOCK), thread_local=False)
    look.acquire()
    end = threading.Timer(LOCK_SECONDS / 3, look.release)
    end.start()
    try:
        with folder.lock():
            assert folder.locked
    finally:
        end.join()


def test_a_path_that_no_disk_can_have_holds_no_run(tmp_path):
    assert not RunFolder(tmp_path / ("x" * 5000)).exists and not RunFolder("a\0b").exists


def test_the_log_of_a_run_of_days_is_read_though_no_other_text_is_as_long(folder, monkeypatch):
    asked = []

    def read(path, limit=TEXT_LIMIT, **how):
        asked.append(limit)
        return b""

    monkeypatch.setattr("core.runs.folder.read_bytes", read)
    folder.file(EVENTS).touch()
    assert folder.read_events() == [] and asked[-1] >= 64 * TEXT_LIMIT


def test_a_lock_makes_the_folder_it_is_in_and_a_run_without_one_is_not_in_use(tmp_path):
    folder = RunFolder(tmp_path / "not yet" / "made")
    assert not folder.locked
    with folder.lock():
        assert folder.file(LOCK).exists() and folder.locked
    assert not folder.locked
    with folder.lock():  # which is there by now
        assert folder.locked
