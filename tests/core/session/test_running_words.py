"""What a run says in its log besides its figures, and what it hands on: without a step taken."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from core.engine.control import Control, Interrupted
from core.errors import MismatchError
from core.events import Log, Progress, State
from core.job import OriginPart
from core.runs.folder import RunFolder
from core.runs.recorder import Recorder
from core.session import running
from core.session.jobs import create_run, make_unlearn_job
from core.session.running import ready_run, run


@pytest.fixture
def told() -> list:
    return []


@pytest.fixture
def runner(new_run, told):
    """A run that is ready to begin, in its folder's lock."""
    folder = new_run("finetune")
    recorder = Recorder(folder)
    with folder.lock():
        yield running._Runner(folder, Control(), recorder, told.append)
    recorder.close()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["a"], "One file could not be decoded and counted as black: a (torn)."),
        (["a", "b"], "2 files could not be decoded and counted as black: a (torn) and others."),
    ],
)
def test_files_that_are_no_images_are_counted(runner, told, files, said):
    first, *others = (SimpleNamespace(path=file, reason="torn") for file in files)
    train, test = SimpleNamespace(undecoded=[first]), SimpleNamespace(undecoded=others)
    runner._tell_undecoded(SimpleNamespace(train=train, test=test))
    ((level, message, code),) = [(event.level, event.message, event.code) for event in told]
    assert (level, message, code) == ("warning", said, "unreadable")
    told.clear()
    runner._tell_undecoded(SimpleNamespace(train=SimpleNamespace(undecoded=[]), test=SimpleNamespace(undecoded=[])))
    assert told == []


@pytest.mark.parametrize(("tried", "tries"), [(1, "1 try"), (12, "12 tries")])
def test_how_settings_were_chosen(runner, tried, tries):
    job = replace(runner._folder.job(), parameters={"lr": 0.05, "epochs": 2})
    tuning = SimpleNamespace(searched=("lr", "epochs"), tried=tried, images=1200, judged_by="the gap")
    said = running._tuning_text(job, tuning)
    assert said == f"Settings chosen from {tries} on 1,200 images: lr 0.05, epochs 2. Judged by the gap."


def test_progress_of_a_result_goes_on_after_a_stop_and_ends_where_it_is_discarded(runner, told):
    runner._control.stop()
    runner._tick("Measuring the result", 3, 9)
    with pytest.raises(Interrupted):
        runner._progress("Opening", 1, 2)
    runner._control.discard()
    with pytest.raises(Interrupted):
        runner._tick("Measuring the result", 4, 9)
    assert [(event.what, event.done, event.total) for event in told if isinstance(event, Progress)] == [
        ("Measuring the result", 3, 9), ("Opening", 1, 2), ("Measuring the result", 4, 9),
    ]  # fmt: skip


def test_an_end_says_how_it_came(runner):
    runner._step = 7
    end = runner._finished(State.STOPPED, {"forget_accuracy": 0.25}, True, {"steps": 7}, "a" * 64)
    assert (end.run, end.step, end.state, end.unchanged) == (runner._folder.id, 7, "stopped", True)
    assert end.measures == running.summary({"forget_accuracy": 0.25}) and end.cost == {"steps": 7}
    assert end.model_sha256 == "a" * 64 and 0 < end.seconds < 600
    plain = runner._finished(State.DISCARDED)
    assert (plain.measures, plain.unchanged, plain.cost, plain.model_sha256) == (running.summary({}), False, {}, "")


@pytest.mark.parametrize("method", ["finetune", "muda"])
def test_weights_of_a_list_that_a_method_does_not_use_are_warned_of(bench, three, tmp_path, told, method):
    weighted = replace(three, weights=three.mask.astype("float32") * 2)
    job = make_unlearn_job(bench.on("cpu", "float32", threads=1), weighted, method)
    folder = create_run(tmp_path / "run", job, weighted, bench.dataset)
    recorder = Recorder(folder)
    with folder.lock():
        running._Runner(folder, Control(), recorder, told.append)._prepare(job, bench)
    recorder.close()
    logs = [(event.level, event.message, event.code) for event in told if isinstance(event, Log)]
    said = ("warning", "Fine-tuning does not use the forget list's weights: all images count 1.", "weights")
    assert (said in logs) is (method == "finetune")
    assert {code for _, _, code in logs} <= {"weights", "cpu"}


@pytest.mark.parametrize("there", [True, False])
def test_a_first_model_that_is_gone_is_warned_of(runner, bench, told, monkeypatch, there):
    job = replace(runner._folder.job(), origin=OriginPart(path="first.pt", sha256="f" * 64))
    monkeypatch.setattr(running, "_models_before", lambda *_: ("original", "start"))
    monkeypatch.setattr(running, "original_of", lambda job: job.origin if there else None)
    monkeypatch.setattr(running, "doubts_of", lambda *_: ("It is doubtful.",))
    assert runner._prepare(job, bench)[1:] == ("original", "start")
    logs = [(event.level, event.message, event.code) for event in told if isinstance(event, Log)]
    gone = "first.pt, the model before the first request, is gone or was changed: the result is compared with the "
    gone += "model this run starts from."
    assert logs == [*([] if there else [("warning", gone, "origin")]), ("warning", "It is doubtful.", "proof")]


def test_a_run_begins_anew_and_searches_nothing_unless_it_is_told(new_run, bench, three, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(running._Runner, "run", lambda self, bench, resume: asked.append(resume) or State.FINISHED)
    folder = new_run("finetune")
    run(folder, Control(), asked.append, bench)
    run(folder, Control(), asked.append, bench, resume=True)
    assert asked == [False, True]
    monkeypatch.setattr(running, "tune", None)
    job = make_unlearn_job(bench.on("cpu", "float32", threads=1), three, "muda")
    made, search = ready_run(RunFolder(tmp_path / "new"), job, three, bench, Control())
    assert made.job() == job and search is None
    assert ready_run(made, job, three, bench, Control()) == (made, None)
    with pytest.raises(MismatchError):
        ready_run(made, replace(job, seed=job.seed + 1), three, bench, Control())
