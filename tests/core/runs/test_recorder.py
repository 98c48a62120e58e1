"""What a run writes as it goes: which checkpoints are kept and believed, a log or folder that goes, a full disk."""

from __future__ import annotations

import errno
import json
import os
import time
import zipfile
from pathlib import Path

import pytest
import torch

from core.errors import InputError, MismatchError, RunError
from core.events import Log, Progress, RunFinished, RunStarted, State
from core.runs import recorder as recording
from core.runs.folder import RunFolder
from core.runs.recorder import Recorder, load_checkpoint, save_checkpoint

JOB = "0" * 64


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "job.json").write_text("{}")
    return RunFolder(tmp_path / "r")


def _save(folder, **state):
    return save_checkpoint(folder, state, JOB)


def _loaded(folder):
    return load_checkpoint(folder, JOB)[0]


def _steps(folder):
    return [int(path.stem.removeprefix("step-")) for path in folder.checkpoints()]


# --- checkpoints --------------------------------------------------------------------------------------------------


def test_the_last_two_are_kept_and_the_last_is_read(folder):
    for step in (10, 20, 30):
        path, size = _save(folder, step=step)
        assert folder.file(path).stat().st_size == size
    assert _steps(folder) == [20, 30]
    assert _loaded(folder)["step"] == 30


def test_a_checkpoint_of_a_gpu_is_read_on_a_machine_without_one(folder, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
        _save(folder, step=10, weights=torch.ones(2))
    assert _loaded(folder)["weights"].device == torch.device("cpu")


def test_a_run_that_began_again_keeps_what_it_saves_now(folder):
    for step in (400, 500):
        _save(folder, step=step, lr_scale=1.0)
    _save(folder, step=20, lr_scale=0.5)
    assert _steps(folder) == [20]  # the others lead to the loss that was infinite
    assert _loaded(folder)["lr_scale"] == 0.5
    _save(folder, step=40, lr_scale=0.5)
    assert _steps(folder) == [20, 40]


def _halved(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flipped_weight(data: bytes) -> bytes:
    place = data.index(b"\x01\x02\x03\x04" * 20)
    return data[: place + 40] + bytes([data[place + 40] ^ 8]) + data[place + 41 :]


def _without_hash(data: bytes) -> bytes:
    place = data.rindex(b"sha256:")
    return data[: place - 2] + b"\0\0"


def _of_another_hash(data: bytes) -> bytes:
    return data[:-1] + (b"0" if data[-1:] != b"0" else b"1")


def test_the_status_follows_the_steps_within_a_heartbeat(folder, monkeypatch):
    monkeypatch.setattr(recording, "HEARTBEAT_SECONDS", 3600.0)
    made = Recorder(folder)
    made.record(Log(run="r", step=4, time=0.0, level="info", message="a step"))
    assert folder.status().step == 0
    monkeypatch.setattr(recording, "HEARTBEAT_SECONDS", 0.0)
    made.record(Log(run="r", step=5, time=0.0, level="info", message="another"))
    assert folder.status().step == 5
    made.close()


@pytest.mark.parametrize("damage", [_halved, _flipped_weight, _without_hash, _of_another_hash, lambda data: b""])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(folder, damage):
    weights = torch.frombuffer(bytearray(b"\x01\x02\x03\x04" * 200), dtype=torch.uint8)
    for step in (10, 20):
        _save(folder, step=step, weights={"w": weights})
    newest = folder.checkpoints()[-1]
    newest.write_bytes(damage(newest.read_bytes()))
    state, damaged = load_checkpoint(folder, JOB)
    assert state["step"] == 10 and damaged == [newest.name]
    older = folder.checkpoints()[0]
    older.write_bytes(damage(older.read_bytes()))
    assert load_checkpoint(folder, JOB) == (None, [newest.name, older.name])


@pytest.mark.parametrize("content", [[1, 2], "text", torch.zeros(3), {}, {"step": "1"}, {"schema_version": 1}])
def test_a_checkpoint_that_holds_something_else_counts_as_damaged(folder, content):
    _save(folder, step=10)
    torch.save(content, folder.file("checkpoints") / "step-000000020.pt")
    state, damaged = load_checkpoint(folder, JOB)
    assert state["step"] == 10 and damaged == ["step-000000020.pt"]


def test_a_checkpoint_of_an_earlier_version_has_no_hash_and_is_read(folder):
    (folder.path / "checkpoints").mkdir()
    state = {"schema_version": 1, "job_sha256": JOB, "step": 7}
    torch.save(state, folder.file("checkpoints") / "step-000000007.pt")
    assert load_checkpoint(folder, JOB) == (state, [])


def test_a_checkpoint_is_a_whole_zip_archive_that_torch_reads_by_itself(folder):
    path = folder.file(_save(folder, step=10, weights={"w": torch.arange(5)})[0])
    assert zipfile.ZipFile(path).testzip() is None
    for mapped in (False, True):
        assert torch.load(path, weights_only=True, mmap=mapped)["weights"]["w"].tolist() == [0, 1, 2, 3, 4]


def test_a_checkpoint_of_another_job_is_refused(folder):
    _save(folder, step=10)
    with pytest.raises(MismatchError, match="another job"):
        load_checkpoint(folder, "1" * 64)


def test_a_save_that_breaks_off_leaves_the_checkpoint_of_that_step(folder, monkeypatch):
    _save(folder, step=10, attempt=1)

    def full(content, file):
        file.write(b"half")
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", full)
        with pytest.raises(RunError, match=r"could not be written: no space left\. Free some disk space"):
            _save(folder, step=10, attempt=2)
    assert _loaded(folder)["attempt"] == 1
    assert [path.name for path in folder.file("checkpoints").iterdir()] == ["step-000000010.pt"]


def test_a_full_disk_is_told_in_the_systems_words_where_torch_puts_its_own_in_their_place(folder, monkeypatch):
    def full(content, file):
        class Full:
            def write(self, data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            def flush(self):
                pass

        real(content, Full())

    real = torch.save
    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(RunError, match=r"could not be written: No space left on device\. Free some disk space"):
        _save(folder, step=10)


def test_a_process_killed_while_it_saves_leaves_the_checkpoint_of_that_step(folder, monkeypatch):
    _save(folder, step=10, attempt=1)
    seen = []

    def killed(content, file):
        file.write(b"half")
        file.flush()
        seen.append(_loaded(folder)["attempt"])  # what a resume would find at this moment
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        _save(folder, step=10, attempt=2)
    assert seen == [1]


class Program:
    """Runs code where it is unpickled."""

    ran = False

    def __reduce__(self):
        return (setattr, (Program, "ran", True))


def test_a_checkpoint_that_would_run_code_is_passed_over_unread(folder):
    _save(folder, step=10)
    _save(folder, step=20, extra=Program())
    assert _loaded(folder)["step"] == 10
    assert not Program.ran


def test_a_checkpoint_of_a_newer_version_is_refused(folder):
    _save(folder, step=10, schema_version=2)
    with pytest.raises(MismatchError, match=r"step-000000010\.pt was written by a newer version"):
        load_checkpoint(folder, JOB)


def test_superseded_checkpoints_that_stayed_go_with_the_next_look(folder, monkeypatch):
    unlink = Path.unlink

    def refuse(path, missing_ok=False):
        if path.name.startswith("step-"):
            raise PermissionError(path)
        unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        for step in (1, 2, 3, 4):
            _save(folder, step=step)
    assert len(folder.checkpoints()) == 4
    assert _loaded(folder)["step"] == 4
    assert [path.name for path in folder.checkpoints()] == ["step-000000003.pt", "step-000000004.pt"]


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_nothing_is_read_written_or_removed_through_links(folder, tmp_path):
    elsewhere = RunFolder(tmp_path / "elsewhere")
    elsewhere.path.mkdir()
    for step in (1, 2):
        _save(elsewhere, step=step)
    before = {path: path.read_bytes() for path in elsewhere.path.rglob("*.pt")}
    folder.file("checkpoints").symlink_to(elsewhere.file("checkpoints"))
    assert folder.checkpoints() == [] and load_checkpoint(folder, JOB) == (None, [])
    with pytest.raises(RunError, match="is a link, and nothing is written through it"):
        _save(folder, step=30)
    folder.file("checkpoints").unlink()
    _save(folder, step=10)
    (folder.file("checkpoints") / "step-000000020.pt").symlink_to(elsewhere.checkpoints()[-1])
    os.mkfifo(folder.file("checkpoints") / "step-000000025.pt")
    assert _loaded(folder)["step"] == 10
    assert {path: path.read_bytes() for path in elsewhere.path.rglob("*.pt")} == before


# --- events and status --------------------------------------------------------------------------------------------


def _log(step: int, message: str = "hello") -> Log:
    return Log(run="r", step=step, time=1.0, level="info", message=message)


def _started() -> RunStarted:
    return RunStarted(
        run="r", step=0, time=1.0, method="muda", steps=9, stages=[], forget_mode="class", counts={}, device="cpu",
        precision="float32", threads=1,
    )  # fmt: skip


@pytest.fixture
def recorder(folder):
    made = Recorder(folder)
    yield made
    made.close()


def test_the_end_of_a_run_is_in_the_log_before_the_status_says_so(folder, recorder):
    recorder.record(_started())
    recorder.record(RunFinished(run="r", step=9, time=1.0, state="finished", seconds=1.0))
    status = json.loads(folder.file("status.json").read_text())
    assert folder.read_events()[-1]["type"] == "run_finished" and status["state"] == "running"
    recorder.conclude(State.FINISHED)
    status = json.loads(folder.file("status.json").read_text())
    assert (status["state"], status["step"], status["steps"]) == ("finished", 9, 9)


def test_a_log_that_is_removed_begins_anew_and_says_so(folder, recorder):
    recorder.record(_started())
    recorder.record(_log(3, "lost"))
    folder.file("events.jsonl").unlink()
    recorder.record(_log(4, "after"))
    events = folder.read_events()
    assert [event["type"] for event in events] == ["log", "run_started", "log"]
    assert events[0]["code"] == "log_lost" and "was removed while the run went on" in events[0]["message"]
    assert events[-1]["message"] == "after"


def test_a_folder_that_is_removed_or_moved_ends_the_run_and_is_not_made_again(folder, recorder):
    recorder.record(_started())
    folder.path.rename(folder.path.with_name("moved"))
    with pytest.raises(RunError, match="was removed or moved while the run went on"):
        recorder.record(_log(4))
    recorder._beaten -= 10
    with pytest.raises(RunError, match="was removed or moved while the run went on"):
        recorder.record(Progress(run="r", step=0, time=1.0, what="measuring", done=0, total=0))
    assert not folder.path.exists()
    assert [event["type"] for event in RunFolder(folder.path.with_name("moved")).read_events()] == ["run_started"]


def test_a_clock_that_is_set_back_does_not_stop_the_heart(folder, recorder, monkeypatch):
    seen = []
    monkeypatch.setattr(folder.__class__, "write_status", lambda self, status: seen.append(status.heartbeat))
    monkeypatch.setattr(recording, "HEARTBEAT_SECONDS", 0.0)
    now = time.time()
    for clock in (now, now - 7200, now - 7199):
        monkeypatch.setattr(time, "time", lambda clock=clock: clock)
        recorder.record(_log(1))
    assert seen == [now, now - 7200, now - 7199]


def test_a_status_that_the_disk_does_not_take_is_a_sentence(folder, recorder, monkeypatch):
    def full(self, status):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(folder.__class__, "write_status", full)
    monkeypatch.setattr(recording, "HEARTBEAT_SECONDS", 0.0)
    recorder.record(_log(1))  # a heartbeat more or less: the run goes on
    for act in (lambda: recorder.record(_started()), lambda: recorder.conclude(State.FINISHED)):
        with pytest.raises(RunError, match=r"status\.json cannot be written: No space left on device\. Free some"):
            act()
    with pytest.raises(RunError, match=r"status\.json cannot be written"):
        Recorder(folder)


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_log_that_is_a_link_is_not_written_through(folder, tmp_path):
    (tmp_path / "profile").write_text("mine")
    folder.file("events.jsonl").symlink_to(tmp_path / "profile")
    with pytest.raises(InputError, match="no regular file"):
        Recorder(folder)
    assert (tmp_path / "profile").read_text() == "mine"
