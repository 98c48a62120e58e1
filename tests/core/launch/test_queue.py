"""What waits goes on without a window: runs, trainings, checks and interrupted runs, each in a process of its own."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import filelock
import pytest
import torch
from safetensors.torch import load_file

from core.engine.control import Control
from core.errors import MismatchError, NotFoundError, RunError
from core.events import State
from core.files import data_home, queue_home, read_json
from core.job import StartPart
from core.launch import launch, queue
from core.launch.child import Request
from core.launch.queue import Behind, leave_behind, work
from core.models.trust import NO_TRUST
from core.runs.folder import FORGET, MODEL, RunFolder
from core.runs.waiting import (
    ATTEMPTS,
    BEHIND,
    Check,
    Waiting,
    begin_waiting,
    claimed,
    damaged_home,
    drop_waiting,
    left_waiting,
    lock_of,
    new_entry,
    new_room,
    next_waiting,
    take_room,
    tidy,
    write_waiting,
)
from core.session.jobs import create_run, forget_list, make_train_job, make_unlearn_job
from tests.digits import open_digits


@pytest.fixture
def room(tmp_path, monkeypatch):
    """The room of a window that has ended."""
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path / "home"))
    return new_room()


@pytest.fixture
def put(room, tmp_path):
    """Let a run of the digits wait in the room."""

    def make(seed: int, place: float = 0.0, method: str = "finetune", **settings) -> Waiting:
        example = open_digits()
        bench = example.bench.on("cpu", "float32", threads=1)
        settings = settings or {"epochs": 0.2}
        job = make_unlearn_job(bench, example.selection, method, settings=settings, seed=seed, checkpoint_seconds=0.0)
        waiting = Waiting(new_entry(room), job, tmp_path / "runs" / f"s{seed}", place)
        write_waiting(waiting, {FORGET: forget_list(job, example.selection, bench.dataset)})
        return waiting

    return make


def until_over(room) -> None:
    """Wait until nobody works through a room that was left behind."""
    behind = room.with_name(f"{BEHIND}{room.name}")
    for _ in range(6000):
        if not behind.exists():
            return
        time.sleep(0.02)
    raise AssertionError((behind / queue.SAID).read_text())


@pytest.mark.slow
def test_what_waits_is_done_in_order_behind_the_run_that_goes_to_the_same_weights(room, put, tmp_path):
    second, first = put(2, 1.0), put(1, 0.0)
    example = open_digits()
    alone = create_run(tmp_path / "alone", first.job, example.selection, example.bench.dataset)
    with alone.lock():  # as a process does that the window has left to itself
        leave_behind(room, NO_TRUST, alone.path)
        time.sleep(1)
        left = left_waiting()
        assert [one.job.seed for one in left.behind] == [1, 2] and left.waiting == ()
        assert not first.folder.exists()
    until_over(room)
    runs = [RunFolder(one.folder) for one in (first, second)]
    assert [run.status().state for run in runs] == ["finished"] * 2
    started = [run.read_events()[0]["time"] for run in runs]
    assert started[0] < started[1]
    assert launch(alone, Control(), lambda event: None, example.bench) is State.FINISHED
    here, there = (load_file(run.file(MODEL)) for run in (alone, runs[0]))
    assert here.keys() == there.keys() and all(torch.equal(here[name], there[name]) for name in here)
    assert not list(queue_home().glob("*"))


@pytest.mark.slow
def test_an_interrupted_run_goes_on_and_a_result_is_checked(room, put, tmp_path):
    waiting, example = put(3, epochs=3.0), open_digits()
    folder, control = RunFolder(waiting.folder), Control()
    begin_waiting(waiting, waiting.entry, folder)

    def leave(event) -> None:
        if event.step > 3:
            control.leave()

    assert launch(folder, control, leave, example.bench) is State.INTERRUPTED
    job = make_train_job(example.bench.on("cpu", threads=1), "mlp", recipe={"epochs": 1}, seed=4)
    write_waiting(Waiting(new_entry(room), job, tmp_path / "runs" / "trained", 2.0),
                  {FORGET: forget_list(job, None, example.bench.dataset)})  # fmt: skip
    write_waiting(Waiting(new_entry(room), folder.job(), folder.path, 0.0, resume=True))
    brought = {"mine": shutil.copy(example.bench.model.path, tmp_path / "mine.safetensors")}
    write_waiting(Waiting(new_entry(room), folder.job(), folder.path, 1.0, Check(retrained=brought)))
    leave_behind(room, NO_TRUST)
    until_over(room)
    starts = [event for event in folder.read_events() if event["type"] == "run_started"]
    assert [bool(event["resumed_at"]) for event in starts] == [False, True]
    assert folder.status().state == "finished" and set(folder.report()["retrained"]) == {"mine"}
    assert RunFolder(tmp_path / "runs" / "trained").has_result


@pytest.fixture
def launched(monkeypatch):
    """The folders of runs in place of their processes, and whether their machine was chosen."""
    seen: list[tuple[str, str, bool]] = []

    def launch_elsewhere(folder, control, emit, trust, launcher, *, resume, chosen):
        seen.append((folder.id, str(launcher), chosen))
        return State.FINISHED

    monkeypatch.setattr(queue, "launch_elsewhere", launch_elsewhere)
    return seen


def behind(room) -> Behind:
    return Behind(str(room), "", Request(""))


def test_a_run_takes_another_name_where_its_own_is_taken(room, put, launched, tmp_path):
    put(1)
    (tmp_path / "runs" / "s1").mkdir(parents=True)
    work(behind(room))
    assert launched == [("s1-2", "process", True)]


def test_what_a_window_takes_over_is_not_begun(room, put, launched, monkeypatch):
    one = put(1)
    taken = one.entry.with_name("taken")

    def found(room, seen):
        waiting = next_waiting(room, seen)
        if waiting is not None and waiting.entry == one.entry:
            one.entry.rename(taken)
            taken.rename(room.with_name("window"))
        return waiting

    monkeypatch.setattr(queue, "next_waiting", found)
    work(behind(room))
    assert launched == [] and not one.folder.exists()
    with pytest.raises(NotFoundError, match="Another process has taken over"):
        begin_waiting(one, taken, RunFolder(one.folder))


def test_what_cannot_be_done_is_left_with_the_reason_and_the_next_one_begins(room, put, launched, tmp_path, capfd):
    lost = put(1)
    lost.entry.joinpath(FORGET).unlink()
    gone = put(2, 1.0)
    write_waiting(Waiting(gone.entry, gone.job, gone.folder, 1.0))
    work(behind(room))
    assert launched == [("s2", "process", True)]
    assert f"{lost.folder}: " in capfd.readouterr().err
    (left,) = left_waiting().waiting  # offered at the next start
    assert left.job.seed == 1


def test_an_entry_that_another_program_holds_costs_the_others_nothing(room, put, launched, monkeypatch, capfd):
    held, _ = put(1), put(2, 1.0)
    rename = Path.rename

    def fails(self, target):
        if self == held.entry:
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails)
    work(behind(room))
    assert launched == [("s2", "process", True)] and "PermissionError" in capfd.readouterr().err
    assert [one.job.seed for one in left_waiting().waiting] == [1]


def test_what_failed_is_not_told_as_going(room, put, tmp_path, monkeypatch):
    folder = RunFolder.create(tmp_path / "runs" / "run", put(1).job)
    write_waiting(Waiting(new_entry(room), folder.job(), folder.path, -2.0, resume=True))
    write_waiting(Waiting(new_entry(room), folder.job(), folder.path, -1.0, Check()))
    seen = []

    def launch_elsewhere(run, *args, **options):
        seen.append(left_waiting())
        if run.path == folder.path:
            raise RunError("It failed")
        return State.FINISHED

    def check(request):
        seen.append(left_waiting())
        raise RunError("It failed, too")

    monkeypatch.setattr(queue, "launch_elsewhere", launch_elsewhere)
    monkeypatch.setattr(queue, "_check", check)
    work(behind(room.rename(room.with_name(f"{BEHIND}{room.name}"))))
    resumed, checked, ran = seen
    assert resumed.going == {folder.path} and len(resumed.behind) == 2
    assert not checked.going and [one.resume for one in checked.behind] == [True, False]
    assert not ran.going and [one.check is not None for one in ran.behind] == [False, True]
    left = left_waiting()
    assert [one.place for one in left.waiting] == [-2.0, -1.0] and not left.behind


def test_a_run_that_goes_on_elsewhere_is_not_offered_and_one_that_has_ended_is_no_longer_kept(
    room, put, tmp_path, monkeypatch
):
    folder = RunFolder.create(tmp_path / "runs" / "run", put(1).job)
    entry = new_entry(room)
    write_waiting(Waiting(entry, folder.job(), folder.path, 1.0, resume=True))
    with folder.lock():
        assert left_waiting().going == {folder.path} and len(left_waiting().waiting) == 1
    assert [one.resume for one in left_waiting().waiting] == [False, True]

    def newer(self):
        raise MismatchError("It is of a newer version")

    monkeypatch.setattr(RunFolder, "is_done", property(newer))
    left = left_waiting()  # what cannot be read costs the others nothing
    assert [one.resume for one in left.waiting] == [False] and left.aside == (damaged_home() / entry.name,)
    write_waiting(Waiting(entry, folder.job(), folder.path, 1.0, resume=True))
    monkeypatch.setattr(RunFolder, "is_done", property(lambda self: True))
    assert [one.resume for one in left_waiting().waiting] == [False] and not entry.exists()


def test_who_claims_what_waits_has_it_alone(room, put):
    one, other = put(1), put(2)
    drop_waiting(other.entry)
    assert claimed([one, other]) == (one,) and claimed([one]) == ()
    assert not one.entry.exists()


def test_two_rooms_are_worked_through_one_after_the_other(room, put, launched, tmp_path):
    put(1)
    with filelock.FileLock(data_home() / queue.TURN):
        thread = threading.Thread(target=work, args=[behind(room)])
        thread.start()
        time.sleep(0.3)
        assert launched == [] and lock_is_held(room)
    thread.join(60)
    assert launched == [("s1", "process", True)]


def lock_is_held(room) -> bool:
    try:
        with lock_of(room):
            return False
    except filelock.Timeout:
        return True


def test_a_room_that_is_removed_before_it_is_locked_is_made_again(room, monkeypatch):
    acquire, removed = filelock.FileLock.acquire, []

    def late(lock, *args, **options):
        if not removed:  # another program has found it empty
            removed.append(room)
            room.rmdir()
        return acquire(lock, *args, **options)

    monkeypatch.setattr(filelock.FileLock, "acquire", late)
    with take_room(room, 1):
        assert removed and lock_is_held(room)


def test_a_room_that_cannot_be_kept_is_given_up(room, monkeypatch):
    made = []

    def too_late(lock):
        made.append(room.is_dir())
        room.rmdir()
        raise FileNotFoundError(room)

    monkeypatch.setattr(filelock.FileLock, "acquire", too_late)
    with pytest.raises(FileNotFoundError):
        take_room(room, 1)
    assert made == [True] * ATTEMPTS


def test_a_room_that_a_program_holds_is_not_removed(room):
    with take_room(room, 1):
        tidy(room)
        assert room.is_dir() and lock_is_held(room)
    tidy(room)
    assert not room.exists()
    tidy(room)  # what is gone is no error
    assert not room.exists()


def test_the_options_of_a_check_are_on_disk_as_they_were_given(room, put, tmp_path):
    put(1)
    folder = RunFolder.create(tmp_path / "runs" / "run", put(2).job)
    wanted = Check((1, 2), {"mine": "/m.pt"}, "full", StartPart(kind="fresh"))
    entry = new_entry(room)
    write_waiting(Waiting(entry, folder.job(), folder.path, 0.0, wanted))
    noted = read_json(entry / "waiting.json")
    start = {"kind": "fresh", "path": "", "sha256": "", "key": "", "said_by": ""}
    assert noted["check"] == {"seeds": [1, 2], "retrained": {"mine": "/m.pt"}, "which": "full", "start": start}
