"""Signals and kills: the first Ctrl+C stops and keeps, the second ends at once; what was reached goes on later."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from core.cli.output import RunProgress
from core.events import PhaseChanged, Progress, StepMetrics
from core.runs.folder import RunFolder

from .conftest import ROOT, contents, unlearn


class Killed(BaseException):
    """Stands for a killed process: nothing that handles errors may handle it."""


@pytest.fixture
def during(monkeypatch):
    """Do something when a run shows an event of a kind for the nth time."""
    shown = RunProgress.__call__

    def arrange(kind, action, nth=1):
        left = [nth]

        def call(self, event):
            shown(self, event)
            if isinstance(event, kind):
                left[0] -= 1
                if left[0] == 0:
                    action()

        monkeypatch.setattr(RunProgress, "__call__", call)

    return arrange


def interrupt():
    signal.raise_signal(signal.SIGINT)


def kill():
    raise Killed


ENDING = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


def told_to_end(name="SIGTERM"):
    signal.raise_signal(getattr(signal, name))


@pytest.fixture(autouse=True)
def signals_as_in_a_shell():
    """What starts the tests may ignore SIGHUP, as nohup does, and processes inherit that."""
    before = {name: signal.signal(getattr(signal, name), signal.SIG_DFL) for name in ENDING}
    yield
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)


SLOW = ("--set", "rounds=4", "batch=16")


def test_the_first_one_stops_and_keeps(cli, model, tmp_path, during):
    during(StepMetrics, interrupt)
    result = cli(*unlearn(model, tmp_path / "u", *SLOW))
    assert result.code == 5 and "error:" not in result.err
    assert "Stopped at step" in result.out and "Unlearned " in result.out
    folder = RunFolder(tmp_path / "u")
    assert folder.status().state == "stopped" and folder.has_result and folder.report()["state"] == "stopped"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    before = contents(tmp_path / "u")
    again = cli("resume", tmp_path / "u")
    assert again.code == 5 and "nothing was changed" in again.out
    assert contents(tmp_path / "u") == before


@pytest.mark.parametrize("name", ENDING)
def test_a_run_told_to_end_leaves_with_a_checkpoint_and_goes_on_to_the_same_result(
    cli, model, tmp_path, during, monkeypatch, capfd, name
):
    during(StepMetrics, lambda: told_to_end(name), nth=2)
    result = cli(*unlearn(model, tmp_path / "u", *SLOW, "--checkpoint-every", 3600))
    assert result.code == 5 and "is interrupted and its checkpoints stay" in result.error
    assert "Told to end: leaving after this step with a checkpoint." in capfd.readouterr().err
    folder = RunFolder(tmp_path / "u")
    assert folder.status().state == "interrupted" and not folder.has_result
    assert len(list(folder.file("checkpoints").iterdir())) == 1
    assert signal.getsignal(getattr(signal, name)) is signal.SIG_DFL
    monkeypatch.undo()
    if name == ENDING[0]:  # the same from then on
        assert cli("resume", tmp_path / "u").code == 0
        assert cli(*unlearn(model, tmp_path / "whole", *SLOW)).code == 0
        assert (tmp_path / "u" / "model.pt").read_bytes() == (tmp_path / "whole" / "model.pt").read_bytes()


def test_one_told_to_end_before_its_first_step_stays_to_be_resumed(cli, model, tmp_path, during):
    during(PhaseChanged, told_to_end)
    result = cli(*unlearn(model, tmp_path / "u"))
    assert result.code == 5 and "is interrupted" in result.error
    assert RunFolder(tmp_path / "u").status().state == "interrupted"


@pytest.mark.skipif("SIGHUP" not in ENDING, reason="sends POSIX signals")
def test_a_closed_terminal_does_not_end_what_was_told_to_ignore_it(cli, model, tmp_path, during):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        during(StepMetrics, lambda: told_to_end("SIGHUP"))
        assert cli(*unlearn(model, tmp_path / "u")).code == 0
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("name", ENDING)
def test_a_command_without_a_run_ends_with_a_word(cli, monkeypatch, name):
    monkeypatch.setattr("core.cli.listing.run_datasets", lambda given, screen: told_to_end(name))
    result = cli("datasets")
    assert result.code == 5 and result.error == "error: Stopped. Nothing was written."
    assert signal.getsignal(getattr(signal, name)) is signal.SIG_DFL


def test_one_before_the_first_step_leaves_nothing(cli, model, tmp_path, during):
    during(PhaseChanged, interrupt)
    result = cli(*unlearn(model, tmp_path / "u"))
    assert result.code == 5 and "nothing to keep" in result.error
    assert not (tmp_path / "u").exists()


def test_one_while_data_is_read_leaves_nothing(cli, model, tmp_path, monkeypatch):
    from core.cli import output

    monkeypatch.setattr(output.Loading, "__call__", lambda *what: interrupt())
    result = cli(*unlearn(model, tmp_path / "u"))
    assert result.code == 5 and "before the run began" in result.error
    assert not (tmp_path / "u").exists()


def test_the_second_one_ends_at_once_and_checkpoints_stay(cli, model, tmp_path, during, monkeypatch):
    codes = []

    def end(code):
        codes.append(code)
        raise Killed

    monkeypatch.setattr("core.cli.running.os._exit", end)
    during(StepMetrics, lambda: (interrupt(), interrupt()), nth=3)
    with pytest.raises(Killed):
        cli(*unlearn(model, tmp_path / "u", *SLOW, "--checkpoint-every", 0))
    assert codes == [5]
    folder = RunFolder(tmp_path / "u")
    assert folder.status().state == "interrupted" and list(folder.file("checkpoints").iterdir())
    assert not folder.has_result


def test_a_killed_run_goes_on_to_the_same_result(cli, model, tmp_path, during, monkeypatch):
    with monkeypatch.context() as patch:
        assert cli(*unlearn(model, tmp_path / "whole", *SLOW)).code == 0
        during(StepMetrics, kill, nth=4)
        with pytest.raises(Killed):
            cli(*unlearn(model, tmp_path / "u", *SLOW, "--checkpoint-every", 0))
        patch.undo()
    monkeypatch.undo()
    checkpoints = contents(tmp_path / "u" / "checkpoints")
    assert checkpoints and "interrupted" in cli("runs", tmp_path / "u").out

    during(Progress, interrupt)
    stopped = cli("resume", tmp_path / "u")
    assert stopped.code == 5 and "checkpoints stay" in stopped.error
    assert contents(tmp_path / "u" / "checkpoints") == checkpoints, "a stop before it went on takes nothing away"
    monkeypatch.undo()

    result = cli("resume", tmp_path / "u")
    assert result.code == 0 and "Going on from step" in result.out
    assert (tmp_path / "u" / "model.pt").read_bytes() == (tmp_path / "whole" / "model.pt").read_bytes()


def test_resume_without_a_checkpoint_begins_anew_and_says_so_in_the_events(cli, model, tmp_path, during, monkeypatch):
    during(StepMetrics, kill)
    with pytest.raises(Killed):
        cli(*unlearn(model, tmp_path / "u", *SLOW, "--checkpoint-every", 3600))
    monkeypatch.undo()
    assert cli(*unlearn(model, tmp_path / "u", *SLOW, "--resume")).code == 0
    steps = [e["steps"] for e in RunFolder(tmp_path / "u").events() if e["type"] == "step_metrics"]
    flat = [step for block in steps for step in block]
    assert flat and len(flat) == len(set(flat)), "what the first attempt reported is taken back"


def test_resume_says_what_became_of_the_original(cli, model, tmp_path, during, monkeypatch):
    original = tmp_path / "original.safetensors"
    original.write_bytes((model / "model.safetensors").read_bytes())
    during(StepMetrics, kill)
    with pytest.raises(Killed):
        cli(*unlearn(original, tmp_path / "u", *SLOW))
    monkeypatch.undo()
    original.write_bytes(original.read_bytes() + b" ")
    changed = cli("resume", tmp_path / "u")
    assert changed.code == 3 and "was changed since" in changed.error
    original.unlink()
    gone = cli("resume", tmp_path / "u")
    assert gone.code == 3 and "is gone" in gone.error
    assert RunFolder(tmp_path / "u").status().state == "interrupted"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="sends POSIX signals")
def test_a_process_stops_and_keeps(model, tmp_path):
    command = unlearn(model, tmp_path / "u", "--preset", "slow-motion", "--set", "rounds=1000")
    arguments, pipe = [sys.executable, "main.py", *map(str, command)], subprocess.PIPE
    with subprocess.Popen(arguments, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as running:
        try:
            events, until = tmp_path / "u" / "events.jsonl", time.monotonic() + 300
            while time.monotonic() < until and not (events.exists() and "step_metrics" in events.read_text()):
                time.sleep(0.1)
            running.send_signal(signal.SIGINT)
            out, err = running.communicate(timeout=300)
        finally:
            running.kill()
    assert running.returncode == 5 and "Stopped at step" in out and "Stopping after this step" in err
    assert (tmp_path / "u" / "model.safetensors").exists()
