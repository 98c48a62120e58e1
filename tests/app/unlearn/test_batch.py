"""A batch file that is dropped: one question, then every combination waits in the queue."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from app.services.batch_queue import BatchQueue


def text(model, *forgets: str) -> str:
    tables = "\n".join(f'[[forget]]\nclasses = ["{name}"]' for name in forgets)
    return f'model = "{model}"\ndataset = "digits"\nseeds = "1-2"\nmethods = ["finetune"]\nthreads = 1\n{tables}\n'


def test_a_batch_file_is_asked_about_and_queued(opened, example, tmp_path, qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    batches = BatchQueue(opened, window)
    file = tmp_path / "night.toml"
    file.write_text(text(example.pair.model.path, "3", "nine"))
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
