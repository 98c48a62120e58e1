"""The event log is followed while another process writes it."""

from __future__ import annotations

import os

import pytest

from app.workers.live_run import LiveRun
from core.errors import InputError
from core.job import DataPart, ForgetPart, Job, ModelPart
from core.runs.folder import EVENTS, RunFolder
from core.runs.following import read_new

LINE = '{{"type": "{}", "run": "r", "step": {}, "time": 0.0{}}}\n'


def log(step: int) -> str:
    return LINE.format("log", step, ', "level": "info", "message": "x"')


def evaluated(step: int) -> str:
    return LINE.format(
        "evaluation", step,
        ', "scope": "subset", "retain_accuracy": 1.0, "forget_accuracy": 0.0, "retain_test_accuracy": 1.0, '
        '"forget_test_accuracy": null',
    )  # fmt: skip


def started(resumed_at: int | None) -> str:
    at = "null" if resumed_at is None else str(resumed_at)
    return LINE.format(
        "run_started", resumed_at or 0,
        f', "method": "m", "steps": 9, "stages": [], "forget_mode": "class", "counts": {{}}, "device": "cpu", '
        f'"precision": "float32", "threads": 1, "resumed_at": {at}',
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    job = Job(
        model=ModelPart(architecture="mlp", num_classes=2, in_channels=1, input_size=(8, 8)),
        data=DataPart(spec="digits"), forget=ForgetPart(mode="class"), method="m",
    )  # fmt: skip
    return RunFolder.create(tmp_path / "r", job)


def write(folder: RunFolder, text: str) -> None:
    with folder.file(EVENTS).open("a") as file:
        file.write(text)


def test_nothing_yet(folder):
    assert read_new(folder).events == []


def test_only_what_is_new(folder):
    write(folder, started(None) + log(1))
    first = read_new(folder)
    assert [event.type for event in first.events] == ["run_started", "log"]
    write(folder, log(2) + log(3))
    second = read_new(folder, first.offset)
    assert [event.step for event in second.events] == [2, 3]
    assert read_new(folder, second.offset).events == []


def test_half_a_line_waits_for_its_end(folder):
    text = log(1)
    write(folder, text[:20])
    look = read_new(folder, 0)
    assert look.events == [] and look.offset == 0
    write(folder, text[20:])
    assert [event.step for event in read_new(folder, look.offset).events] == [1]


def test_damaged_and_unknown_lines_are_skipped(folder):
    write(folder, "not json\n" + '{"type": "from the future", "run": "r", "step": 1, "time": 0}\n[1]\n' + log(2))
    assert [event.step for event in read_new(folder).events] == [2]


def test_a_resume_voids_what_came_after_it(folder):
    write(folder, started(None) + evaluated(1) + evaluated(5))
    run = LiveRun.from_folder(folder)
    write(folder, started(2) + evaluated(3))
    for read in (run, LiveRun.from_folder(folder)):
        read.renew(read_new(folder, read.offset))
        assert [event.step for event in read.history.evaluations] == [1, 3]


@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_a_log_that_is_no_file_of_the_folder_is_refused_and_never_waited_for(folder, tmp_path, kind):
    path = folder.file(EVENTS)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        (tmp_path / "elsewhere").write_text(log(1))
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.mkdir()
    with pytest.raises(InputError, match=r"events\.jsonl cannot be read"):
        LiveRun.from_folder(folder)


def test_a_line_without_an_end_does_not_take_all_memory(folder, monkeypatch):
    monkeypatch.setattr("core.runs.following._LONGEST", 1000)
    monkeypatch.setattr("core.runs.following._PIECE", 100)
    write(folder, log(1) + "x" * 5000 + "\n" + log(2))
    assert [event.step for event in read_new(folder).events] == [1, 2]
