"""One run as the window sees it: states, buttons, stale events, going back, reading from disk."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from app.workers.live_run import ACTIONS, TERMINAL, LiveRun
from core.errors import InputError, StoppedError
from core.events import ACTIVE, State
from core.runs.folder import RunFolder
from tests.app.scripted import Script, job, write_run


@pytest.fixture
def live(tmp_path) -> LiveRun:
    run = LiveRun(RunFolder(tmp_path / "run"), "unlearn", job=job(), work=lambda control, emit: State.FINISHED)
    run.begin()
    return run


@pytest.fixture
def script(live) -> Script:
    return Script(live.id)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("action", ACTIONS)
def test_what_is_allowed_is_what_the_table_of_states_says(live, state, action):
    live.state = state
    assert live.can(action) is (state in ACTIONS[action])
    live.work = None  # another process runs it, or it is over
    assert not live.can(action)


@pytest.mark.parametrize("state", State)
def test_a_check_can_only_be_stopped(live, state):
    live.kind, live.state = "check", state
    assert {action for action in ACTIONS if live.can(action)} == ({"stop"} if state is State.RUNNING else set())


def test_a_run_that_waits_has_taken_no_step(live):
    assert (live.step, live.steps, live.checkpoints, live.ended) == (0, 0, 0, False)


def test_events_of_another_run_are_dropped(live, script):
    other = Script("an older run")
    taken = live.apply([other.started(), script.started(), other.finished(), other.losses(50)])
    assert [event.run for event in taken] == [live.id]
    assert (live.state, live.step) == (State.RUNNING, 0)


def test_a_state_that_only_a_newer_version_knows_changes_nothing(live, script):
    live.apply([script.started(), replace(script.state(State.PAUSED, 5), state="archived")])
    assert (live.state, live.step) == (State.RUNNING, 5)


def test_a_whole_run(live, script):
    live.apply(script.whole())
    assert live.state is State.FINISHED
    assert (live.step, live.steps, len(live.stages)) == (100, 100, 2)
    assert live.finished is not None and live.ended


def test_what_was_asked_for_is_not_taken_back_by_what_the_worker_reported_before(live, script):
    live.apply([script.started()])
    assert live.ask("stop") and live.control.stopping
    live.apply([script.state(State.RUNNING, 5), script.losses(6)])
    assert (live.state, live.step) == (State.STOPPING, 6)
    assert not live.ask("pause")
    live.apply([script.finished(State.STOPPED, 6)])
    assert live.state is State.STOPPED


def test_a_stop_at_the_last_step_may_still_end_as_finished(live, script):
    live.apply([script.started()])
    live.ask("stop")
    live.apply([script.finished()])
    assert live.state is State.FINISHED


def test_pause_is_answered_and_can_be_resumed(live, script):
    live.apply([script.started()])
    assert live.ask("pause") and live.asked == "pause" and live.state is State.RUNNING
    assert not live.can("pause")
    live.apply([script.state(State.PAUSED, 3)])
    assert live.state is State.PAUSED and live.asked == ""
    assert live.ask("resume")
    live.apply([script.state(State.RUNNING, 3)])
    assert live.state is State.RUNNING and live.asked == "" and not live.control.paused


def test_time_left_is_of_the_steps_and_not_told_while_something_else_goes_on(live, script):
    """ "Under 1 s left" stood for 45 s of measuring."""
    live.apply([script.started(), script.resources(10, remaining=20.0), script.losses(10, 10)])
    assert live.remaining == 20.0
    live.apply([script.progress("Measuring", 1, 10, 10)])
    assert live.remaining is None
    live.apply([script.losses(100, 90), script.resources(100, remaining=0.4)])
    assert live.remaining is None


def test_a_checkpoint_is_counted_and_ends_the_question(live, script):
    live.apply([script.started()])
    live.ask("checkpoint")
    assert live.asked == "checkpoint" and live.control.take_checkpoint_request()
    live.apply([script.checkpoint(7)])
    assert (live.asked, live.checkpoints, live.checkpoint_step) == ("", 1, 7)


def test_a_new_beginning_drops_what_came_after(live, script):
    live.apply([script.started(), script.losses(10, 10), script.evaluation(20), script.log("diverged", step=20)])
    live.apply([script.started(resumed_at=0)])
    assert not live.history.evaluations and live.history.losses["alignment"].steps.tolist() == [0]
    assert len(live.warnings) == 1 and live.step == 0


def test_ends(live, script):
    live.end(None, InputError("No such file", "Look again"), "Traceback")
    assert (live.state, live.error, live.hint, live.details) == (
        State.FAILED, "No such file.", "Look again.", "Traceback",
    )  # fmt: skip


def test_a_fault_is_said_to_be_one(live):
    live.end(None, KeyError("x"), "Traceback")
    assert live.error == "KeyError: 'x'" and "fault of the application" in live.hint


def test_what_a_run_reported_of_its_failure_stays(live, script):
    live.apply([script.started(), script.failed()])
    live.end(None, RuntimeError("again"), "other")
    assert live.error == "The loss became infinite at step 5." and live.details == "Traceback …"


def test_a_stopped_check_is_no_failure(live):
    live.kind, live.state = "check", State.RUNNING
    live.ask("stop")
    live.end(None, StoppedError("The training was stopped"))
    assert live.state in (State.DISCARDED, State.STOPPED) and not live.error


def test_a_check_shows_the_steps_of_the_reference_it_trains(live, script):
    live.kind, live.state = "check", State.RUNNING
    other = Script("reference", steps=40)
    live.apply([other.started(), other.losses(10, 10), other.finished()])
    assert live.state is State.RUNNING
    assert (live.progress.what, live.progress.done, live.progress.total) == ("Training a retrained model", 10, 40)
    live.end({"verdict": {}}, None)
    assert live.state is State.FINISHED and live.result == {"verdict": {}}


def test_from_disk(tmp_path):
    events = Script("r").whole()
    run = LiveRun.from_folder(write_run(tmp_path / "r", job(), events))
    assert run.state is State.FINISHED and run.step == 100
    assert len(run.history.evaluations) + len(run.history.full) == sum(event.type == "evaluation" for event in events)
    assert not any(run.can(action) for action in ACTIONS)


def test_a_run_that_says_it_is_active_and_holds_no_lock_was_interrupted(tmp_path):
    script = Script("r")
    folder = write_run(tmp_path / "r", job(), [script.started(), script.losses(31, 31)], state="running", step=31)
    run = LiveRun.from_folder(folder)
    assert run.state is State.INTERRUPTED and run.step == 31
    assert not run.ended and not run.active


def test_every_state_is_either_active_over_or_waiting():
    waiting = {State.QUEUED, State.INTERRUPTED}
    assert ACTIVE | TERMINAL | waiting == set(State)


@pytest.mark.parametrize("kind", ["unlearn", "train"])
def test_stopping_a_run_keeps_what_it_has(tmp_path, kind):
    run = LiveRun(RunFolder(tmp_path / "run"), kind, job=job(), work=lambda control, emit: None)
    run.begin()
    assert run.ask("stop")
    assert run.control.stopping and not run.control.discarding and run.state is State.STOPPING


def test_stopping_a_check_keeps_no_half_trained_reference(tmp_path):
    run = LiveRun(RunFolder(tmp_path / "run"), "check", job=job(), work=lambda control, emit: None)
    run.begin()
    assert run.ask("stop") and run.control.discarding
