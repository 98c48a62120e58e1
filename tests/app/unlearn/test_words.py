"""What the window says about a run; the strings of the design are exact."""

from __future__ import annotations

import dataclasses

import pytest

from app.services import run_words as words
from app.workers.live_run import LiveRun
from core.events import State
from core.runs.folder import RunFolder
from tests.app.scripted import Script, job


@pytest.fixture
def run(tmp_path) -> LiveRun:
    made = LiveRun(RunFolder(tmp_path / "r"), "unlearn", job=job(), work=lambda control, emit: None)
    made.begin()
    return made


@pytest.fixture
def script() -> Script:
    return Script("r", steps=920)


def test_every_state_has_a_word_and_a_shape():
    assert set(words.STATES) == set(State)
    assert {shape for _, shape in words.STATES.values()} <= {"empty", "ready", "running", "done", "problem"}


def test_preparing_says_what(run, script):
    run.apply([script.preparing(), script.progress("Measuring the original model", 3, 10)])
    assert words.headline(run) == "Preparing · measuring the original model, 3 of 10"


def test_running(run, script):
    run.apply([script.started(), script.losses(310), script.resources(310, remaining=100)])
    assert words.headline(run) == "Forget · round 1 of 2 · step 310 of 920 · 1 min 40 s left"
    run.apply([script.losses(700)])
    assert words.headline(run).startswith("Recover · round 1 of 2 · step 700 of 920")


def test_what_was_asked_shows_before_it_happens(run, script):
    run.apply([script.started(), script.losses(310)])
    run.ask("pause")
    assert words.headline(run) == "Pausing after this step · step 310 of 920"
    run.apply([script.state(State.PAUSED, 311)])
    assert words.headline(run) == "Paused · step 311 of 920"


def test_stopping_says_what_it_finishes(run, script):
    run.apply([script.started(), script.losses(310)])
    run.ask("stop")
    assert words.headline(run) == "Stopping · finishing step 310 of 920, then the model is kept and measured"
    run.apply([script.progress("Measuring the result", 2, 5, step=311)])
    assert words.headline(run) == "Stopping · measuring the result, 2 of 5"


def test_measuring_the_result_after_the_last_step(run, script):
    run.apply([script.started(), script.losses(920), script.progress("Measuring the result", 2, 5, step=920)])
    assert words.headline(run) == "Measuring the result, 2 of 5"


def test_the_outcome_gives_both_numbers_with_the_originals(run, script):
    events = [*script.measured(0, 0.981, "full"), script.started(), *script.measured(920, 0.0, "full"),
              script.finished()]  # fmt: skip
    run.apply(events)
    assert words.outcome(run) == (
        "Finished in 12 s. Forget accuracy on 60 unseen images went from 98.1 to 0.0 %, "
        "retain accuracy on 540 from 97.0 to 97.0 %."
    )


def test_test_images_that_were_set_aside_are_called_seen_before(tmp_path):
    made = job()
    seen = dataclasses.replace(made, data=dataclasses.replace(made.data, test_origin="set aside"))
    run = LiveRun(RunFolder(tmp_path / "r"), "unlearn", job=seen)
    run.apply(Script("r").whole())
    assert "Forget accuracy on 60 images seen before went from 98.0 to 0.0 %" in words.outcome(run)


def test_sample_forgetting_speaks_of_the_forget_images(tmp_path):
    run = LiveRun(RunFolder(tmp_path / "r"), "unlearn", job=job("sample"))
    script = Script("r", mode="sample")
    run.apply(script.whole())
    assert "Forget accuracy on the forget images went from 98.0 to 0.0 %" in words.outcome(run)


def test_stopped_and_failed(run, script):
    run.apply([script.started(), script.losses(310)])
    run.state = State.STOPPED
    assert words.outcome(run).startswith("Stopped at step 310 of 920. The model is kept as it was then.")
    run.state = State.FAILED
    assert words.outcome(run) == "Failed at step 310 of 920."


def test_exact_strings(run, script):
    run.apply([script.started(), *[script.checkpoint(s) for s in (100, 200, 300)], script.losses(310)])
    assert words.discard_question(run) == (
        "Discard this run? Its 3 checkpoints are deleted. The original model is not touched."
    )
    assert words.close_question(run) == "A run is going: step 310 of 920."
    assert words.on_disk(run) == "On disk: a checkpoint at step 300 and results up to step 310 of 920."
    assert words.interrupted(310) == (
        "A run was interrupted at step 310. Resuming gives the same result as if it had not been."
    )
    assert words.STOP_TIP == "Ends after this step and keeps the model as it is now."


def test_one_checkpoint_is_one(run, script):
    run.apply([script.started(), script.checkpoint(5)])
    assert "Its 1 checkpoint is deleted." in words.discard_question(run)
    run.checkpoints = 0
    assert "What it recorded is deleted." in words.discard_question(run)
