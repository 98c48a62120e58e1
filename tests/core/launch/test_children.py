"""Processes kept warm, and how a run is followed from where its log ends."""

from __future__ import annotations

import dataclasses
import signal
import tempfile
from types import SimpleNamespace

import pytest

from core.engine.control import Control
from core.errors import UsageError
from core.events import Log, PhaseChanged, State
from core.files import dumps
from core.job import Launcher
from core.launch import children
from core.launch.child import Answer
from core.models.trust import NO_TRUST
from core.runs.folder import EVENTS, RunFolder
from core.runs.recorder import Recorder

from .conftest import THE_JOB


def test_a_process_that_is_needed_no_more_is_ended_at_once():
    children.keep_warm()
    (child,) = children._waiting
    children.keep_warm()
    assert children._waiting == [child]
    children.dismiss_warm()
    assert child.over and child._process.returncode == -signal.SIGKILL  # it was not waited for until it had loaded all
    assert not children._waiting


class Working:
    """Stands for a process: on its request it appends to the log as a run does, and is over."""

    pid = 1

    def __init__(self, folder: RunFolder) -> None:
        self.folder, self.over, self.owner = folder, False, 0

    def begin(self, request) -> None:
        self.owner = self.folder.status().pid
        recorder = Recorder(self.folder)
        recorder.record(PhaseChanged(run="run", step=0, time=1.0, state="preparing"))
        recorder.conclude(State.STOPPED)
        recorder.close()
        self.over = True

    def answer(self) -> Answer:
        return Answer(state="stopped")


def test_events_behind_a_line_that_a_killed_process_left_unfinished_are_all_told(folder, monkeypatch):
    whole = dumps(Log(run="run", step=1, time=1.0, level="info", message="before")) + b"\n"
    folder.file(EVENTS).write_bytes(whole + whole[:-2])
    monkeypatch.setattr(children, "take_warm", lambda: Working(folder))
    told = []
    state = children.run_in_child(folder, Control(), told.append, NO_TRUST, resume=True)
    assert state is State.STOPPED
    assert [event.type for event in told] == ["phase_changed"]


def test_a_run_is_its_process_before_that_has_taken_it(folder, monkeypatch):
    child = Working(folder)
    monkeypatch.setattr(children, "take_warm", lambda: child)
    children.run_in_child(folder, Control(), lambda event: None, NO_TRUST, resume=False)
    assert child.owner == child.pid


def test_what_a_crash_says_is_told_without_the_names_of_all_libraries():
    child = children.Child.__new__(children.Child)
    with tempfile.TemporaryFile() as said:
        names = ", ".join(["numpy.random._common"] * 1000)
        said.write(f"Fatal Python error: Aborted\n\nExtension modules: {names} (total: 1000)\n".encode())
        child._said, child._killed, child._process = said, 0, SimpleNamespace(returncode=-signal.SIGABRT)
        assert child.last_words() == ("crashed (SIGABRT)", "Fatal Python error: Aborted\n\n")


def test_a_job_alone_does_not_start_more_processes_than_a_machine_has_cores(tmp_path, monkeypatch):
    from core import launch

    monkeypatch.setattr(launch.os, "cpu_count", lambda: 12)
    started = []
    monkeypatch.setattr(children, "run_in_child", lambda *_, processes, **__: started.append(processes))
    for processes in (12, 13):
        job = dataclasses.replace(THE_JOB, method="finetune", launcher=f"torchrun {processes}")
        folder = RunFolder.create(tmp_path / str(processes), job)
        if processes > 12:
            with pytest.raises(UsageError, match="names 13 processes, and this machine has 12 cores"):
                launch.launch(folder, Control(), print)
        launch.launch(folder, Control(), print, launcher=None if processes == 12 else Launcher.parse(job.launcher))
    assert started == [12, 13]
