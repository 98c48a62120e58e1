"""Checkpoints on disk: how many are kept, and what becomes of those of an attempt that was taken back."""

from __future__ import annotations

import pytest
import torch

from core.errors import MismatchError, RunError
from core.runs.folder import RunFolder
from core.runs.recorder import list_checkpoints, load_checkpoint, save_checkpoint


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "job.json").write_text("{}")
    return RunFolder(tmp_path)


def _steps(folder):
    return [int(path.stem.removeprefix("step-")) for path in list_checkpoints(folder)]


def test_the_last_two_are_kept_and_the_last_is_read(folder):
    for step in (10, 20, 30):
        path, size = save_checkpoint(folder, {"step": step})
        assert folder.file(path).stat().st_size == size
    assert _steps(folder) == [20, 30]
    assert load_checkpoint(folder)["step"] == 30


def test_a_run_that_began_again_keeps_what_it_saves_now(folder):
    for step in (400, 500):
        save_checkpoint(folder, {"step": step, "lr_scale": 1.0})
    save_checkpoint(folder, {"step": 20, "lr_scale": 0.5})
    assert _steps(folder) == [20]  # the others lead to the loss that was infinite
    assert load_checkpoint(folder)["lr_scale"] == 0.5
    save_checkpoint(folder, {"step": 40, "lr_scale": 0.5})
    assert _steps(folder) == [20, 40]


def test_a_damaged_checkpoint_gives_way_to_the_one_before(folder):
    for step in (10, 20):
        save_checkpoint(folder, {"step": step})
    list_checkpoints(folder)[-1].write_bytes(b"half")
    assert load_checkpoint(folder)["step"] == 10


def test_a_checkpoint_of_another_job_is_refused(folder):
    save_checkpoint(folder, {"step": 10})
    folder.file("job.json").write_text('{"seed": 1}')
    with pytest.raises(MismatchError, match="another job"):
        load_checkpoint(folder)


def test_a_save_that_breaks_off_leaves_the_checkpoint_of_that_step(folder, monkeypatch):
    save_checkpoint(folder, {"step": 10, "attempt": 1})

    def full(content, file):
        file.write(b"half")
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", full)
        with pytest.raises(RunError, match=r"could not be written: no space left\. Free some disk space"):
            save_checkpoint(folder, {"step": 10, "attempt": 2})
    assert load_checkpoint(folder)["attempt"] == 1
    assert [path.name for path in folder.file("checkpoints").iterdir()] == ["step-000000010.pt"]


def test_a_process_killed_while_it_saves_leaves_the_checkpoint_of_that_step(folder, monkeypatch):
    save_checkpoint(folder, {"step": 10, "attempt": 1})
    seen = []

    def killed(content, file):
        file.write(b"half")
        file.flush()
        seen.append(load_checkpoint(folder)["attempt"])  # what a resume would find at this moment
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(folder, {"step": 10, "attempt": 2})
    assert seen == [1]


class Program:
    """Runs code where it is unpickled."""

    ran = False

    def __reduce__(self):
        return (setattr, (Program, "ran", True))


def test_a_checkpoint_that_would_run_code_is_passed_over_unread(folder):
    save_checkpoint(folder, {"step": 10})
    save_checkpoint(folder, {"step": 20, "extra": Program()})
    assert load_checkpoint(folder)["step"] == 10
    assert not Program.ran


def test_a_checkpoint_of_a_newer_version_is_refused(folder):
    save_checkpoint(folder, {"step": 10, "schema_version": 2})
    with pytest.raises(MismatchError, match=r"step-000000010\.pt was written by a newer version"):
        load_checkpoint(folder)
