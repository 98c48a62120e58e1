"""A run in its folder: what is on disk at every end, resuming, refusing what does not belong."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import random

import pytest
import torch
from safetensors.torch import load_file

import core.engine.engine as engine_module
from core.engine.control import Control
from core.errors import InputError, MismatchError, NonFiniteError, RunError, StoppedError
from core.events import CheckpointSaved, State, StepMetrics
from core.files import file_sha256, loads
from core.runs.folder import RunFolder
from core.runs.recorder import list_checkpoints, load_checkpoint
from core.session.checking import check, train_reference
from core.session.references import known_references, reference_folder
from core.session.running import run
from tests.core.toy import same

FILES = {
    "job.json",
    "forget.csv",
    "events.jsonl",
    "model.safetensors",
    "model.pt",
    "model.json",
    "report.html",
    "report.json",
    "status.json",
}
SHORT = {"rounds": 2, "recover_share": 0.2, "relearn_min_steps": 10}


def _run(folder, control=None, emit=lambda event: None, **options):
    return run(folder, control or Control(), emit, **options)


def test_a_finished_run_leaves_every_file_of_the_contract(new_run, bench, three):
    folder = new_run(settings=SHORT)
    seen = []
    assert _run(folder, emit=seen.append, bench=bench) is State.FINISHED
    assert {path.name for path in folder.path.iterdir()} >= FILES
    assert folder.status().state == "finished" and not folder.locked
    types = {event["type"] for event in folder.events()}
    assert types >= {
        "run_started",
        "phase_changed",
        "step_metrics",
        "evaluation",
        "alignment",
        "spectrum",
        "run_finished",
    }
    report = folder.report()
    assert report["forget_classes"] == ["3"] and report["forget_count"] == three.count
    assert set(report["models"]) == {"original", "unlearned", "head_only"}
    assert report["verdict"]["code"] == "no_reference"
    assert report["files"] == {name: file_sha256(folder.file(name)) for name in report["files"]}
    assert "NaN" not in folder.file("events.jsonl").read_text() and "Infinity" not in json.dumps(report)
    loaded = torch.load(folder.file("model.pt"), weights_only=True)
    assert same(loaded, load_file(folder.file("model.safetensors")))
    head, control = report["models"]["head_only"], report["models"]["original"]
    assert head["forget_test_accuracy"] == 0
    for key in ("probe", "nmi", "dimensional_alignment", "class_means", "spectra"):
        assert head[key] == control[key]


def test_the_head_only_method_and_the_control_of_the_report_say_the_same(new_run, bench):
    folder = new_run("head-only")
    _run(folder, bench=bench)
    models = folder.report()["models"]
    for key in (
        "forget_accuracy",
        "retain_test_accuracy",
        "forget_predictions",
        "probe",
        "nmi",
        "dimensional_alignment",
    ):
        assert models["unlearned"][key] == models["head_only"][key], key
    assert models["unlearned"]["distances"] == models["head_only"]["distances"]


def test_a_method_without_effect_is_called_unchanged(new_run, bench):
    folder = new_run("finetune", settings={"lr": 1e-6, "epochs": 0.2})
    _run(folder, bench=bench)
    report = folder.report()
    assert report["unchanged"] and "unchanged" in report["warnings"][0]
    assert any(e["type"] == "log" and e["code"] == "unchanged" for e in folder.events())


def test_stop_keeps_the_model_and_discard_leaves_nothing(new_run, bench):
    for action, state in (("stop", State.STOPPED), ("discard", State.DISCARDED)):
        control, folder = Control(), new_run(settings={"rounds": 40})

        def end(event, control=control, action=action):
            if event.type == "step_metrics":
                getattr(control, action)()

        assert _run(folder, control, end, bench=bench) is state
        assert folder.has_result is (state is State.STOPPED)
        assert folder.exists is (state is State.STOPPED)
        if folder.exists:
            assert folder.status().state == "stopped" and folder.report()["state"] == "stopped"


def test_stopping_before_the_first_step_ends_as_discarded(new_run, bench):
    control, folder = Control(), new_run()
    control.stop()
    assert _run(folder, control, bench=bench) is State.DISCARDED
    assert not folder.exists


def test_a_finished_run_is_left_as_it_is_by_a_resume(new_run, bench):
    folder = new_run(settings=SHORT)
    _run(folder, bench=bench)
    before = {path.name: path.read_bytes() for path in folder.path.iterdir() if path.is_file()}
    assert _run(folder, bench=bench, resume=True) is State.FINISHED
    assert before == {path.name: path.read_bytes() for path in folder.path.iterdir() if path.is_file()}


def test_a_crash_is_recorded_and_the_run_resumes_from_its_checkpoint(new_run, bench):
    straight = new_run(settings=SHORT)
    _run(straight, bench=bench)
    folder = new_run(settings=SHORT, checkpoint_seconds=0.0)

    def crash(event):
        if isinstance(event, CheckpointSaved) and event.step >= 3:
            raise MemoryError("out of memory")

    with pytest.raises(RunError, match="Out of memory at batch") as caught:
        _run(folder, emit=crash, bench=bench)
    assert caught.value.exit_code == 4
    assert folder.status().state == "failed" and folder.read_events()[-1]["type"] == "run_failed"
    assert not folder.has_result and len(list_checkpoints(folder)) <= 2
    assert _run(folder, bench=bench, resume=True) is State.FINISHED
    assert same(load_file(straight.file("model.safetensors")), load_file(folder.file("model.safetensors")))
    steps = [s for e in folder.events() if e["type"] == "step_metrics" for s in e["steps"]]
    assert sorted(set(steps)) == list(range(min(steps), max(steps) + 1)) and min(steps) <= 1  # step 0 may be an edit


def test_a_damaged_checkpoint_falls_back_to_the_one_before(new_run, bench):
    control, folder = Control(), new_run(settings={"rounds": 500}, checkpoint_seconds=0.0)
    saved = []

    def stop(event):
        if isinstance(event, CheckpointSaved):
            saved.append(event.step)
        if len(saved) >= 3:
            control.stop()

    _run(folder, control, stop, bench=bench)
    older, newest = list_checkpoints(folder)
    newest.write_bytes(newest.read_bytes()[:1000])
    assert load_checkpoint(folder)["step"] == int(older.stem.split("-")[1])


def test_changed_jobs_lists_models_and_data_are_refused(new_run, bench):
    folder = new_run(settings=SHORT, checkpoint_seconds=0.0)
    folder.file("forget.csv").write_text("index,class,path,weight\n0,0,,1\n")
    with pytest.raises(MismatchError, match=r"forget\.csv was changed"):
        _run(folder, bench=bench)
    folder = new_run(settings=SHORT)
    job = loads(folder.file("job.json").read_bytes())
    job["data"]["fingerprint"] = "0" * 64
    folder.file("job.json").write_text(json.dumps(job))
    with pytest.raises(MismatchError, match="content differs"):
        _run(folder, bench=bench)
    job["schema_version"] = 99
    folder.file("job.json").write_text(json.dumps(job))
    with pytest.raises(MismatchError, match="newer version"):
        _run(folder, bench=bench)


@pytest.mark.parametrize("name", ["head.weight", "running_var"])
def test_weights_and_statistics_that_are_not_finite_are_not_written(new_run, bench, monkeypatch, name):
    """A statistic of batch norm may overflow while every loss is finite: evaluation alone uses it."""
    folder, engine_run = new_run(settings=SHORT), engine_module.Engine.run

    def spoilt(self):
        yield from engine_run(self)
        state = self.experiment.model.module.state_dict()
        next(value for key, value in state.items() if key.endswith(name)).fill_(float("inf"))

    monkeypatch.setattr(engine_module.Engine, "run", spoilt)
    with pytest.raises(NonFiniteError, match=f"{name} became infinite"):
        _run(folder, bench=bench)
    assert folder.status().state == "failed" and not folder.has_result
    assert not folder.file("model.pt").exists() and folder.report() is None


def test_a_run_in_use_is_refused(new_run, bench):
    folder = new_run(settings=SHORT)
    with folder.lock(), pytest.raises(InputError, match="in use by another process"):
        _run(folder, bench=bench)


def test_retrained_references_are_shared_and_turn_the_report_into_a_verdict(new_run, bench, monkeypatch, tmp_path):
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path / "home"))
    folder = new_run(settings=SHORT)
    _run(folder, bench=bench)
    report = check(folder, Control(), lambda event: None, bench=bench, seeds=(1, 2))
    assert set(report["retrained"]) == {"seed 1", "seed 2"}
    assert report["verdict"]["code"] != "no_reference"
    assert report["retrained_notes"]["recipe"] == "the original's model card"
    assert report["models"]["retrained"]["forget_test_accuracy"] == 0
    assert list(known_references(folder.job())) == [1, 2]
    other = new_run(settings={**SHORT, "lr": 0.01})
    trained = []
    train_reference(other, bench, 1, Control(), trained.append)
    assert trained == []
    assert report["files"]["events.jsonl"] == file_sha256(folder.file("events.jsonl"))


def test_a_stopped_reference_is_no_reference(new_run, bench, monkeypatch, tmp_path):
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path / "home"))
    control, folder = Control(), new_run(settings=SHORT)
    _run(folder, bench=bench)
    with pytest.raises(StoppedError):
        train_reference(folder, bench, 1, control, lambda event: control.stop())
    assert known_references(folder.job()) == {}


def test_the_training_of_a_reference_that_was_stopped_goes_on(new_run, bench, monkeypatch, tmp_path):
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(engine_module, "DRAIN_SECONDS", 0.0)  # steps are told of one by one, however fast they go
    control, folder, started = Control(), new_run(settings=SHORT), []
    _run(folder, bench=bench)

    def tell(event):
        if isinstance(event, StepMetrics):
            control.request_checkpoint()
        if isinstance(event, CheckpointSaved):
            control.stop()

    with pytest.raises(StoppedError):
        train_reference(folder, bench, 1, control, tell)
    assert known_references(folder.job()) == {}
    kept = reference_folder(folder.job(), 1)
    assert kept.status().state == "interrupted" and kept.card() is None
    train_reference(folder, bench, 1, Control(), lambda e: started.append(e) if e.type == "run_started" else 0)
    assert started[0].resumed_at > 0
    assert list(known_references(folder.job())) == [1]


def _resume_in_a_process(path: str, steps) -> None:
    def tell(event):
        steps.send((event.type, event.step))

    run(RunFolder(path), Control(), tell, resume=True)


@pytest.mark.slow
def test_killed_at_random_steps_a_run_ends_with_the_same_weights(new_run, bench):
    settings = {"rounds": 16, "recover_share": 0.5}
    straight = new_run(settings=settings)
    _run(straight, bench=bench)
    folder, rng, kills = new_run(settings=settings, checkpoint_seconds=0.05), random.Random(5), 0
    total = 0
    # Processes of their own, begun by a server that has torch loaded already where the system has such servers.
    servers = "forkserver" in multiprocessing.get_all_start_methods()
    processes = multiprocessing.get_context("forkserver" if servers else "spawn")
    if servers:
        processes.set_forkserver_preload([__name__, "sklearn.datasets", "sklearn.linear_model", "torch._dynamo"])
    while True:
        events, steps = processes.Pipe(duplex=False)
        process = processes.Process(target=_resume_in_a_process, args=(str(folder.path), steps))
        process.start()
        steps.close()
        wanted = None
        with contextlib.suppress(EOFError):  # its end
            while True:
                kind, step = events.recv()
                if kind == "run_started":
                    total = total or folder.status().steps
                    wanted = step + rng.randint(1, max(2, (total - step) // 3)) if kills < 6 else None
                if wanted is not None and step >= wanted:
                    process.kill()
                    kills += 1
                    break
        process.join()
        events.close()
        if process.exitcode == 0:
            break
        assert folder.status().state == "interrupted"
    assert kills >= 5
    assert folder.status().state == "finished"
    assert same(load_file(straight.file("model.safetensors")), load_file(folder.file("model.safetensors")))
    assert isinstance(RunFolder(folder.path).report(), dict)
