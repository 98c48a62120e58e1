"""Runs in a process of their own: followed by their folder, asked through it, and gone on with when it dies."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
from pathlib import Path

import pytest
from safetensors.torch import load_file

from core.engine.control import Control
from core.errors import InputError, ProcessEndedError
from core.events import CheckpointSaved, PhaseChanged, RunFinished, RunStarted, State, StepMetrics
from core.job import Launcher
from core.launch import child, children, launch
from core.launch.child import Answer, Request
from core.runs.asked import ask
from core.runs.folder import EVENTS, MODEL, RunFolder
from core.session.running import run

pytestmark = pytest.mark.slow


def weights(folder: RunFolder) -> str:
    tensors = load_file(folder.file(MODEL))
    return hashlib.sha256(b"".join(tensors[name].numpy().tobytes() for name in sorted(tensors))).hexdigest()


def first(kind, events, act):
    """Return an `emit` that keeps events and calls `act` at the first event of a kind after a step."""
    acted = threading.Event()

    def emit(event) -> None:
        events.append(event)
        if isinstance(event, kind) and event.step and not acted.is_set():
            acted.set()
            act()

    return emit


@pytest.fixture
def held(new_run):
    """Make runs in processes that are asked to pause before their first step, so that each test has time to act."""

    def make(**options) -> RunFolder:
        return new_run("finetune", launcher="process", settings={"epochs": 3.0}, **options)

    return make


@pytest.fixture(scope="module")
def here(tmp_path_factory, bench, three):
    """The weights that the same job has in this process."""
    from core.session.jobs import create_run, make_unlearn_job

    job = make_unlearn_job(bench.on("cpu", "float32", threads=1), three, "finetune", settings={"epochs": 3.0})
    folder = create_run(tmp_path_factory.mktemp("here") / "run", job, three, bench.dataset)
    assert run(folder, Control(), lambda event: None, bench) is State.FINISHED
    return weights(folder)


def test_a_run_in_a_process_of_its_own_tells_all_and_comes_to_the_same_weights(held, here, bench):
    folder, told = held(), []
    children.keep_warm()
    assert launch(folder, Control(), told.append, bench) is State.FINISHED
    assert weights(folder) == here
    kinds = [type(event) for event in told]
    assert kinds.count(RunStarted) == 1 and kinds[-1] is RunFinished and StepMetrics in kinds
    logged = [event["type"] for event in folder.read_events()]
    assert [event.type for event in told] == logged  # nothing twice, nothing left out
    assert folder.status().pid != os.getpid() and not folder.locked
    assert launch(folder, Control(), told.append, bench) is State.FINISHED  # it is done: no process is started


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGKILL, "was killed, as systems do where memory runs out (SIGKILL)"),
        (signal.SIGSEGV, "crashed (SIGSEGV)"),
    ],
)
def test_a_process_that_dies_leaves_a_run_that_is_gone_on_with(held, here, bench, number, words):
    folder, told = held(checkpoint_seconds=0.0), []
    end = first(CheckpointSaved, told, lambda: os.kill(folder.status().pid, number))
    with pytest.raises(ProcessEndedError) as raised:
        launch(folder, Control(), end, bench)
    assert raised.value.message.startswith(f"The process of the run {words}")
    assert folder.status().state == State.INTERRUPTED
    assert words in (folder.status().error or "")
    last = folder.read_events()[-1]
    assert (last["code"], last["level"]) == ("process_ended", "error") and words in last["message"]
    if number == signal.SIGSEGV:
        assert "Fatal Python error: Segmentation fault" in last["message"]
    again = []
    assert launch(folder, Control(), again.append, bench, resume=True, launcher=Launcher()) is State.FINISHED
    assert next(event for event in again if isinstance(event, RunStarted)).resumed_at
    assert weights(folder) == here
    assert folder.status().error is None


def test_what_a_control_and_other_processes_ask_reaches_the_process(held, bench):
    folder, control, told = held(), Control(), []

    def paused(event) -> None:
        told.append(event)
        if isinstance(event, PhaseChanged) and event.state == "paused":
            ask(folder, "checkpoint")  # from elsewhere
            ask(folder, "stop")

    emit = first(StepMetrics, told, control.pause)
    state = launch(folder, control, lambda event: (emit(event), paused(event)), bench)
    assert state is State.STOPPED
    assert folder.has_result and folder.status().step < folder.status().steps


def test_a_run_that_is_parted_from_goes_on_and_ends_by_itself(held, here, bench):
    folder, control = held(), Control()
    state = launch(folder, control, first(StepMetrics, [], control.part), bench)
    assert state is State.RUNNING and folder.locked
    follower = threading.Event()
    while folder.locked:
        follower.wait(0.05)
    assert folder.finished and weights(folder) == here


def test_ctrl_c_in_whoever_follows_has_the_run_leave_and_a_second_one_ends_it(held, bench):
    folder, raised = held(), []

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        launch(folder, Control(), first(StepMetrics, raised, interrupt), bench)
    while folder.locked:
        threading.Event().wait(0.05)
    assert folder.status().state == State.INTERRUPTED and folder.checkpoints()
    with pytest.raises(ProcessEndedError, match="was killed"):
        launch(folder, Control(), first(StepMetrics, raised, children.end_at_once), bench, resume=True)
    assert folder.status().state == State.INTERRUPTED and not children._at_work


def test_a_run_that_is_discarded_in_its_process_leaves_nothing(held, bench):
    folder, control = held(), Control()
    assert launch(folder, control, first(StepMetrics, [], control.discard), bench) is State.DISCARDED
    assert not folder.path.exists()


def test_an_error_before_the_run_is_told(held):
    folder = held()
    with folder.lock(), pytest.raises(InputError) as raised:
        child._do(Request(str(folder.path)), Control())
    said = child._answer_of(raised.value).as_error()
    assert (type(said), said.text) == (InputError, raised.value.text) and "is in use by another process" in said.text
    assert not folder.file(EVENTS).exists() and not folder.file(MODEL).exists()


def test_answers_become_errors_of_their_kind():
    for code in (2, 3, 4, 5):
        error = Answer(message="It is so", hint="Do that", exit_code=code).as_error()
        assert (error.exit_code, error.text) == (code, "It is so. Do that.")
    assert Answer(message="x", exit_code=1).as_error().exit_code == 1


def test_processes_that_share_a_run_end_together_and_leave_it_to_be_gone_on_with(new_run, bench):
    folder, told = new_run("finetune", launcher="torchrun 2", settings={"epochs": 60.0}, checkpoint_seconds=0.0), []

    def kill() -> None:
        """Kill the process that is not the first."""
        parent = parent_of(folder.status().pid)
        ranks = [int(path.name) for path in Path("/proc").glob("[0-9]*") if parent_of(int(path.name)) == parent]
        (other,) = (pid for pid in ranks if pid != folder.status().pid)
        os.kill(other, signal.SIGKILL)

    with pytest.raises(ProcessEndedError, match="One of the 2 processes of this run ended"):
        launch(folder, Control(), first(CheckpointSaved, told, kill), bench)
    assert folder.status().state == State.INTERRUPTED and folder.checkpoints()
    started = next(event for event in told if isinstance(event, RunStarted))
    assert started.processes == 2


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


@pytest.mark.parametrize(
    ("code", "memory", "words"),
    [
        (-9, False, "was killed, as systems do where memory runs out (SIGKILL)"),
        (-9, True, "was killed by the system, because memory ran out (SIGKILL)"),
        (-11, False, "crashed (SIGSEGV)"),
        (-6, False, "crashed (SIGABRT)"),
        (-15, False, "was ended from outside (SIGTERM)"),
        (-250, False, "was ended from outside (signal 250)"),
        (1, False, "ended without a result (exit code 1)"),
    ],
)
def test_how_a_process_ended_is_said(code, memory, words):
    assert children._how(code, memory) == words
