"""A batch file that is dropped: one question, then every combination waits in the queue."""

from __future__ import annotations

import shutil

import torch
from PySide6.QtWidgets import QLabel, QWidget

from app.dialogs.batch import BatchQueue
from app.workers.queue_files import records
from core.models.architectures import ModelSpec, build_model
from core.runs.folder import MODEL, Status
from core.session.jobs import create_run, make_unlearn_job
from tests.finished import call_finished


def text(model, *forgets: str) -> str:
    tables = "\n".join(f'[[forget]]\nclasses = ["{name}"]' for name in forgets)
    return f'model = "{model}"\ndataset = "digits"\nseeds = "1-2"\nmethods = ["finetune"]\nthreads = 1\n{tables}\n'


def test_a_batch_file_is_asked_about_and_queued(opened, example, tmp_path, qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    batches = BatchQueue(opened, window)
    file = tmp_path / "night.toml"
    file.write_text(text(example.bench.model.path, "3", "nine"))
    opened.run_controller.hold()
    batches.read(file)
    qtbot.waitUntil(lambda: batches.dialog is not None, timeout=20_000)
    problem = opened.notifications.history[-1]
    assert "2 runs of night.toml cannot be started." in problem.sentence and "nine" in problem.sentence
    batches.dialog.reject()
    assert not opened.run_controller.queue

    batches.dialog = None
    batches.read(file)
    qtbot.waitUntil(lambda: batches.dialog is not None, timeout=20_000)
    button = next(b for b in batches.dialog.findChildren(QWidget) if getattr(b, "text", str)() == "Queue runs")
    button.click()
    queue = opened.run_controller.queue
    assert [(run.job.seed, run.path.name) for run in queue] == [(1, "night-3-finetune-s1"), (2, "night-3-finetune-s2")]
    qtbot.waitUntil(lambda: bool(records()), timeout=10_000)
    assert [run.folder.name for run in records()[0].runs] == ["night-3-finetune-s1", "night-3-finetune-s2"]

    batches.read(file)  # both wait: there is nothing to queue again
    qtbot.waitUntil(lambda: "finished or wait already" in opened.notifications.history[-1].text, timeout=20_000)
    assert batches.dialog is None and len(opened.run_controller.queue) == 2
    for run in queue:
        opened.run_controller.remove(run)


def test_a_batch_goes_on_where_it_ended(opened, example, tmp_path, qtbot):
    """What has its result is skipped, what was cut off goes on, and another run in a folder stays what it is."""
    window = QWidget()
    qtbot.addWidget(window)
    batches = BatchQueue(opened, window)
    file = tmp_path / "night.toml"
    file.write_text(text(example.bench.model.path, "3").replace('"1-2"', '"1-4"'))
    bench, home = example.bench, opened.runs_folder()
    made = []
    for seed, epochs in ((1, None), (2, None), (3, 1)):
        settings = {"epochs": epochs} if epochs else {}
        job = make_unlearn_job(bench.on(threads=1), example.selection, "finetune", settings=settings, seed=seed)
        made.append(create_run(home / f"night-3-finetune-s{seed}", job, example.selection, bench.dataset))
    done, cut, _other = made
    shutil.copy(bench.model.path, done.file(MODEL))
    call_finished(done)
    cut.write_status(Status("running", 1, 0.0, 3, 10))
    opened.run_controller.hold()
    batches.read(file)
    qtbot.waitUntil(lambda: batches.dialog is not None, timeout=20_000)
    said = " ".join(label.text() for label in batches.dialog.findChildren(QLabel))
    assert "Queue 3 runs of night.toml?" in said and "1 run that was cut off goes on." in said
    assert "1 run finished or waiting already: skipped." in said
    batches.dialog.buttons["yes"].click()
    queue = opened.run_controller.queue
    assert [run.path == cut.path for run in queue] == [True, False, False] and queue[0].job.seed == 2
    assert queue[1].job.seed == 3 and queue[1].path.name != "night-3-finetune-s3"
    qtbot.waitUntil(lambda: bool(records()), timeout=10_000)
    assert [run.seed for run in records()[0].runs] == [1, 2, 3, 4]
    assert records()[0].folder_of("3-finetune-s3") == queue[1].path
    for run in queue:
        opened.run_controller.remove(run)


def test_a_file_that_is_none_says_so(opened, tmp_path, qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    file = tmp_path / "wrong.toml"
    file.write_text("model = 3\n")
    BatchQueue(opened, window).read(file)
    qtbot.waitUntil(lambda: bool(opened.notifications.history), timeout=10_000)
    assert "model must be a text" in opened.notifications.history[-1].sentence


def test_a_model_that_is_in_doubt_is_not_queued(opened, tmp_path, qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    torch.manual_seed(0)
    torch.save(build_model(ModelSpec("mlp", 10, 1, (8, 8))).state_dict(), tmp_path / "vague.pth")
    file = tmp_path / "night.toml"
    file.write_text(text(tmp_path / "vague.pth", "3"))
    BatchQueue(opened, window).read(file)
    qtbot.waitUntil(lambda: bool(opened.notifications.history), timeout=20_000)
    said = opened.notifications.history[-1].sentence
    assert said.startswith("night.toml was not queued. Nothing says how images are prepared")
    assert "accept_accuracy = true" in said and "--" not in said
    assert not opened.run_controller.queue
