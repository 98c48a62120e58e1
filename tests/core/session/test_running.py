"""A run in its folder: what is on disk at every end, resuming, refusing what does not belong."""

from __future__ import annotations

import contextlib
import errno
import json
import multiprocessing
import os
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import core.engine.engine as engine_module
from core import files
from core.engine.control import Control
from core.errors import InputError, MismatchError, NonFiniteError, RunError, StoppedError
from core.events import CheckpointSaved, State, StepMetrics
from core.files import file_sha256, loads
from core.leftovers import clear_leftovers, is_temporary
from core.runs import recorder
from core.runs.folder import MADE, RunFolder
from core.runs.recorder import load_checkpoint
from core.session.bench import Bench
from core.session.checking import check, train_reference
from core.session.jobs import create_run, make_unlearn_job
from core.session.references import known_references, reference_folder
from core.session.report_files import check_report_files
from core.session.results import Result
from core.session.running import run
from core.session.training import train
from tests.core.dying import dying, lives
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
    told = [(event.done, event.total) for event in seen if getattr(event, "what", "") == "Measuring the result"]
    images = len(bench.dataset.train) + len(bench.dataset.test)
    assert told[0] == (0, 0) and told[-1] == (images, images) and told == sorted(told)
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


def test_a_report_counts_the_steps_that_were_taken_before_a_goal_ended_the_run(new_run, bench):
    folder = new_run("gradient-ascent", settings={"stop_accuracy": 1.0, "check_steps": 1, "goal": "forget accuracy"})
    _run(folder, bench=bench)
    steps = [s for e in folder.events() if e["type"] == "step_metrics" for s in e["steps"]]
    assert folder.report()["cost"]["steps"] == folder.card()["cost"]["steps"] == len(steps) < folder.status().steps


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
    assert not folder.has_result and len(folder.checkpoints()) <= 2
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
    older, newest = folder.checkpoints()
    newest.write_bytes(newest.read_bytes()[:1000])
    assert load_checkpoint(folder, folder.job_sha256())[0]["step"] == int(older.stem.split("-")[1])


def test_all_that_a_run_leaves_is_on_disk_before_its_status_says_so(new_run, bench, monkeypatch):
    folder, order, replaced, synced = new_run("head-only"), [], os.replace, files.sync_folder

    def replace(source, target):
        replaced(source, target)
        state = loads(folder.file("status.json").read_bytes())["state"]
        order.append((Path(target).name, state))

    def sync(path):
        synced(path)
        if path == folder.path and order and order[-1][0] != "synced":
            order.append(("synced", path))

    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(files, "sync_folder", sync)
    _run(folder, bench=bench)
    assert [entry for entry in order if entry[0] in MADE["unlearn"]] == [(name, "running") for name in MADE["unlearn"]]
    for name in MADE["unlearn"]:
        assert order[order.index((name, "running")) + 1] == ("synced", folder.path)
    assert order[-2:] == [("status.json", "finished"), ("synced", folder.path)]
    assert [entry for entry in order if entry[1] == "finished"] == order[-2:-1]
    assert folder.read_events()[-1]["model_sha256"] == file_sha256(folder.file("model.safetensors"))


def _told(report):
    """A report without what differs between two that are written of the same run."""
    left_out = ("created", "files", "run", "cost")
    cost = {key: report["cost"][key] for key in ("steps", "samples_seen", "operations")}
    return {key: value for key, value in report.items() if key not in left_out} | cost


@pytest.fixture(scope="module")
def ended(tmp_path_factory, bench, three):
    """A run that has ended, to be copied."""
    job = make_unlearn_job(bench, three, "head-only")
    folder = create_run(tmp_path_factory.mktemp("ended") / "run", job, three, bench.dataset)
    _run(folder, bench=bench)
    return folder


@pytest.fixture
def damaged(ended, tmp_path):
    """Copy that run, and take away files and what the status says."""

    def make(*names, state="running"):
        folder = RunFolder(shutil.copytree(ended.path, tmp_path / "run"))
        for name in names:
            folder.file(name).unlink()
        folder.write_status(replace(folder.status(), state=state))
        return folder

    return make


@pytest.mark.parametrize(
    "lost",
    [
        ("model.json", "report.json", "report.html"), ("report.json", "report.html"), ("report.html",), (),
        ("model.json",), ("model.pt",), ("report.json",),
    ],
)  # fmt: skip
@pytest.mark.parametrize("state", ["running", "finished"])
def test_what_a_run_that_has_ended_lacks_is_written_without_a_step(damaged, ended, bench, lost, state):
    folder, seen = damaged(*lost, state=state), []
    before = {path.name: path.read_bytes() for path in folder.path.iterdir() if path.is_file()}
    assert folder.status().state == ("interrupted" if lost or state == "running" else "finished")
    assert _run(folder, emit=seen.append, bench=bench, resume=True) is State.FINISHED
    assert {event.type for event in seen} <= {"progress"}
    assert folder.is_done and folder.status().step == ended.status().step and folder.status().error is None
    assert _told(folder.report()) == _told(ended.report())
    assert folder.card()["measures"] == ended.card()["measures"] and folder.card()["cost"] == ended.card()["cost"]
    check_report_files(folder.path)
    after = {name: folder.file(name).read_bytes() for name in before}
    assert before["events.jsonl"] == after["events.jsonl"]
    assert before["model.safetensors"] == after["model.safetensors"]
    loaded = torch.load(folder.file("model.pt"), weights_only=True)
    assert same(loaded, torch.load(ended.file("model.pt"), weights_only=True))
    if lost == ("report.html",):
        assert folder.file("report.html").read_bytes() == ended.file("report.html").read_bytes()
        assert before["report.json"] == after["report.json"]


def test_a_run_that_dies_as_it_writes_its_end_is_not_called_finished_before(new_run, bench, ended, monkeypatch):
    monkeypatch.setattr(recorder, "HEARTBEAT_SECONDS", 1e9)  # so that each run makes nearly the same calls
    weights = load_file(ended.file("model.safetensors"))
    _run(new_run("head-only"), bench=bench)  # what the others find in the cache
    with dying(10**9) as calls:
        _run(new_run("head-only"), bench=bench)
    died = 0
    for at in (len(calls) // 2, len(calls) - 34, len(calls) - 22, len(calls) - 14):
        folder = new_run("head-only")
        if lives(at, lambda folder=folder: _run(folder, bench=bench)):
            continue
        died += 1
        if folder.status().state == "finished":  # it died after its last write
            check_report_files(folder.path)
        else:
            assert folder.status().state == "interrupted", at
        assert _run(folder, bench=bench, resume=True) is State.FINISHED
        assert same(load_file(folder.file("model.safetensors")), weights), at
        check_report_files(folder.path)
        clear_leftovers(folder.path)  # as who looks at the run next does
        assert not [path for path in folder.path.rglob("*") if is_temporary(path.name)], at
    assert died > 1


def test_a_run_whose_model_is_another_takes_its_steps_again(damaged, ended, bench):
    folder, seen = damaged("report.html", state="finished"), []
    data = bytearray(folder.file("model.safetensors").read_bytes())
    data[-1] ^= 1
    folder.file("model.safetensors").write_bytes(data)
    assert _run(folder, emit=seen.append, bench=bench, resume=True) is State.FINISHED
    assert "run_started" in {event.type for event in seen}
    assert same(load_file(folder.file("model.safetensors")), load_file(ended.file("model.safetensors")))


def test_a_training_that_has_ended_gets_its_card_back(bench, tmp_path):
    folder, _ = train(
        tmp_path / "run", Bench(None, bench.dataset).on("cpu", "float32", threads=1), "mlp", Control(),
        lambda event: None, recipe={"epochs": 1},
    )  # fmt: skip
    card = folder.card()
    folder.file("model.json").unlink()
    assert folder.status().state == "interrupted"
    seen = []
    assert _run(folder, emit=seen.append, resume=True) is State.FINISHED
    assert {**folder.card(), "created": ""} == {**card, "created": ""}
    assert {event.type for event in seen} <= {"progress"}


def test_a_job_that_is_changed_while_its_run_goes_is_put_back(new_run, bench):
    folder = new_run("head-only")
    job = folder.file("job.json").read_bytes()

    def change(event):
        if event.type == "run_started":
            folder.file("job.json").write_bytes(job.replace(b'"seed": 0', b'"seed": 7'))

    assert _run(folder, emit=change, bench=bench) is State.FINISHED
    assert folder.file("job.json").read_bytes() == job and folder.job().seed == 0
    assert [e["message"] for e in folder.events() if e.get("code") == "job_changed"] == [
        "job.json was changed while the run went on; the job that the run began with was put back."
    ]
    check_report_files(folder.path)


def test_a_job_that_was_changed_after_its_run_is_not_attested_by_a_check(damaged, bench):
    folder = damaged(state="finished")
    job = folder.file("job.json").read_bytes()
    folder.file("job.json").write_bytes(job.replace(b'"seed": 0', b'"seed": 7'))
    with pytest.raises(MismatchError, match=r"job\.json was changed after the run began"):
        check(folder, Control(), lambda event: None, bench=bench)
    folder.file("job.json").write_bytes(job)

    def change(event):
        folder.file("job.json").write_bytes(job.replace(b'"seed": 0', b'"seed": 7'))

    report = folder.file("report.json").read_bytes()
    with pytest.raises(MismatchError, match=r"job\.json was changed after the run began"):
        check(folder, Control(), change, bench=bench)
    assert folder.file("report.json").read_bytes() == report


@pytest.mark.parametrize("every", [False, True])
def test_a_flipped_bit_in_a_checkpoint_costs_steps_and_never_the_result(new_run, bench, every, monkeypatch):
    monkeypatch.setattr(engine_module, "DRAIN_SECONDS", 0.0)  # there is a checkpoint after each step
    straight = new_run(settings=SHORT)
    _run(straight, bench=bench)
    folder = new_run(settings=SHORT, checkpoint_seconds=0.0)

    def crash(event):
        if isinstance(event, CheckpointSaved) and event.step >= 3:
            raise MemoryError("out of memory")

    with pytest.raises(RunError):
        _run(folder, emit=crash, bench=bench)
    older, newest = folder.checkpoints()
    for path in folder.checkpoints() if every else [newest]:
        data = bytearray(path.read_bytes())
        data[len(data) // 3] ^= 4
        path.write_bytes(data)
    assert _run(folder, bench=bench, resume=True) is State.FINISHED
    assert same(load_file(straight.file("model.safetensors")), load_file(folder.file("model.safetensors")))
    said = next(e["message"] for e in folder.events() if e.get("code") == "checkpoint_damaged")
    start = [e["resumed_at"] for e in folder.read_events() if e["type"] == "run_started"][-1]
    if every:
        assert said == f"{newest.name} and {older.name} are damaged: the run begins anew." and start == 0
    else:
        assert said == f"{newest.name} is damaged: the run goes on from step {start}." and start == int(older.stem[5:])


@pytest.mark.parametrize("gone", ["log", "folder"])
def test_a_log_or_folder_removed_while_a_run_goes_is_noticed(new_run, bench, gone):
    folder = new_run("head-only")

    def spoil(event):
        if event.type == "run_started" and gone == "log":
            folder.file("events.jsonl").unlink()
        elif event.type == "run_started":
            shutil.rmtree(folder.path)

    if gone == "log":
        assert _run(folder, emit=spoil, bench=bench) is State.FINISHED
        assert "log_lost" in {event.get("code") for event in folder.events()}
        check_report_files(folder.path)
    else:
        with pytest.raises(RunError, match="was removed or moved while the run went on"):
            _run(folder, emit=spoil, bench=bench)
        assert not folder.exists


def test_a_full_disk_at_the_end_is_a_sentence_and_the_run_can_be_completed(new_run, bench, monkeypatch):
    folder = new_run("head-only")

    def full(self, measures):
        raise OSError(errno.ENOSPC, "No space left on device", str(folder.file("model.json")))

    with monkeypatch.context() as patched:
        patched.setattr(Result, "write_card", full)
        with pytest.raises(RunError, match=r"model\.json: No space left on device\. Check the disk"):
            _run(folder, bench=bench)
    assert folder.status().state == "failed"
    assert _run(folder, bench=bench, resume=True) is State.FINISHED


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


@pytest.mark.parametrize(
    ("wish", "state", "left"), [("discard", State.DISCARDED, False), ("stop", State.DISCARDED, False),
                                ("leave", State.INTERRUPTED, True)],
)  # fmt: skip
def test_a_run_that_is_told_to_end_while_its_data_are_opened_has_not_failed(new_run, monkeypatch, wish, state, left):
    folder, control, told = new_run(), Control(), []

    def opening(bench, job) -> None:
        control.ask(wish)
        raise StoppedError("Opening the data was cancelled")

    monkeypatch.setattr(Bench, "for_job", opening)
    assert run(folder, control, told.append) is state
    assert folder.path.exists() is left
    assert "run_failed" not in [event.type for event in told]
