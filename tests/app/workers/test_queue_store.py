"""A queue survives the end of the program: what waited is on disk, is offered again, and runs to its end."""

from __future__ import annotations

import errno
import shutil

import numpy as np
import pytest

from app.dialogs.runs import RunsLeft, words_of
from app.workers.run_controller import RunController
from core.events import State
from core.files import queue_home, read_json, write_json
from core.runs.folder import FORGET, RunFolder
from core.runs.waiting import Check, Left, damaged_home, left_waiting
from core.session.forget_lists import read_forget_csv
from core.session.jobs import make_unlearn_job
from tests.app.runner import context, example, example_home, home, opened

__all__ = ["context", "example", "example_home", "home", "opened"]


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def new(qapp, runs):
    """Make a controller, as each start of the program does."""
    made = []

    def make() -> RunController:
        made.append(RunController(lambda: runs))
        return made[-1]

    yield make
    for controller in made:
        assert controller.shutdown()


def job_of(example, seed):
    return make_unlearn_job(
        example.bench.on("cpu", threads=1), example.selection, "finetune", settings={"epochs": 1}, seed=seed
    )


def test_what_waited_is_there_after_the_end_and_runs(new, example, home, runs, qtbot):
    first = new()
    first.hold()  # nothing starts
    for seed in (1, 2, 3, 4):
        first.start(job_of(example, seed), example.bench, example.selection)
    first.move(first.queue[2], -2)
    first.remove(first.queue[3])
    assert left_waiting().waiting == ()  # the program lives: nobody else is offered its runs
    assert first.shutdown()

    left = left_waiting().waiting
    assert [one.job.seed for one in left] == [3, 1, 2]
    listed = read_forget_csv(left[0].entry / FORGET, example.selection.total)[0]
    assert np.array_equal(listed, example.selection.mask)

    second = new()
    second.hold()
    restored = [second.start_waiting(one) for one in left[:2]]
    assert [run.job.seed for run in second.queue] == [3, 1] and not any(run.path.exists() for run in restored)
    second.hold(False)
    qtbot.waitUntil(lambda: all(run.ended for run in restored), timeout=60_000)
    assert [run.state for run in restored] == [State.FINISHED] * 2, restored[0].error
    assert RunFolder(restored[0].path).job().seed == 3 and (restored[0].path / "report.json").is_file()
    assert second.shutdown()
    assert [one.job.seed for one in left_waiting().waiting] == [2]


def test_a_run_that_begins_leaves_the_disk(new, example, home, qtbot):
    controller = new()
    controller.hold()
    run = controller.start(job_of(example, 1), example.bench, example.selection)
    kept = run.kept_in
    qtbot.waitUntil(lambda: (kept / "waiting.json").is_file(), timeout=5_000)
    controller.hold(False)
    qtbot.waitUntil(lambda: run.ended, timeout=60_000)
    assert controller.shutdown() and not kept.exists() and not list(queue_home().glob("*"))


def test_what_another_window_took_over_says_so_in_a_sentence(new, example, home, runs, qtbot):
    first = new()
    first.hold()
    first.start(job_of(example, 1), example.bench, example.selection)
    first.start_reference(RunFolder.create(runs / "one", job_of(example, 2)))
    assert first.shutdown()
    left = left_waiting().waiting  # both windows ask at the same time
    assert len(left) == 2
    quick, slow = new(), new()
    quick.hold()
    taken = [quick.start_waiting(one) for one in left]
    qtbot.waitUntil(lambda: all(run.kept_in.is_dir() for run in taken))
    late = [slow.start_waiting(one) for one in left]
    qtbot.waitUntil(lambda: not slow.busy)
    for run in late:
        assert run.state is State.FAILED
        assert run.error == "Another process has taken over what waited here.", run.details
        assert run.hint == "Runs shows it once it has begun."
    assert [run.job.seed for run in quick.queue] == [1, 2] and all(run.kept_in.is_dir() for run in taken)


def test_what_the_disk_did_not_let_take_over_is_not_offered_again(new, example, home, runs, monkeypatch):
    first = new()
    first.hold()
    first.start_reference(RunFolder.create(runs / "one", job_of(example, 2)))
    assert first.shutdown()
    (left,) = left_waiting().waiting

    def fail(*_paths):
        raise OSError("the disk is full")

    monkeypatch.setattr("app.workers.queue_files.take_over", fail)
    second = new()
    second.hold()
    second.remove(second.start_waiting(left))
    assert second.shutdown() and left_waiting().waiting == ()


@pytest.fixture
def kept(new, example, home):
    """The folder of a run that waited when its program ended."""
    controller = new()
    controller.hold()
    run = controller.start(job_of(example, 1), example.bench, example.selection)
    folder = run.kept_in
    controller.shutdown()
    return folder


@pytest.mark.parametrize("name", ["job.json", "waiting.json"])
@pytest.mark.parametrize("text", ["{", "", "[]", '{"folder": 3, "place": "x", "schema_version": "x"}', "[" * 100_000])
def test_what_is_damaged_is_no_question_and_is_put_aside(kept, name, text):
    (kept / name).write_text(text)
    assert left_waiting() == ((), (damaged_home() / kept.name,), (), frozenset())
    assert not kept.exists() and (damaged_home() / kept.name / name).read_text() == text
    assert left_waiting() == Left()


def test_what_cannot_be_read_just_now_stays_for_the_next_start(kept, monkeypatch):
    def fails(self, *more, **given):
        raise OSError(errno.EIO, "Input/output error")

    for where in ("os.open", "pathlib.Path.iterdir"):
        with monkeypatch.context() as patch:
            patch.setattr(where, fails)
            assert left_waiting() == Left(), where
    (found,) = left_waiting().waiting
    assert found.entry == kept


def test_an_entry_that_was_never_whole_goes(kept):
    (kept / "waiting.json").unlink()
    assert left_waiting() == Left() and not kept.exists()


def test_a_check_whose_run_is_gone_goes_and_one_whose_disk_is_away_stays(new, example, home, runs):
    controller = new()
    controller.hold()
    folder = RunFolder.create(runs / "one", job_of(example, 2))
    kept = controller.start_reference(folder).kept_in
    controller.shutdown()
    runs.rename(runs.with_name("away"))
    assert left_waiting() == Left() and kept.is_dir()
    runs.with_name("away").rename(runs)
    assert [one.check.which for one in left_waiting().waiting] == ["quick"]
    odd = kept.with_name("a-" + kept.name)  # a name that no disk can have costs its own entry only
    shutil.copytree(kept, odd)
    write_json(odd / "waiting.json", {**read_json(odd / "waiting.json"), "folder": f"/{'x' * 300}/run"})
    left = left_waiting()
    assert [one.entry for one in left.waiting] == [kept] and left.aside == (damaged_home() / odd.name,)
    shutil.rmtree(folder.path)
    assert left_waiting() == Left() and not kept.exists()


def asked_again(asking, qtbot):
    """Look once more and return the question that stands then."""
    asked = asking.dialog
    asking.offer(())
    qtbot.waitUntil(lambda: asking.dialog is not asked, timeout=5_000)
    return asking.dialog



def test_the_window_asks_and_starts_or_removes(context, opened, example, new, home, qtbot):
    def leave(seed):
        controller = new()
        controller.hold()
        controller.start(job_of(example, seed), example.bench, example.selection)
        controller.shutdown()

    from PySide6.QtWidgets import QWidget

    leave(1)
    window = QWidget()
    qtbot.addWidget(window)
    asking = RunsLeft(context, window)
    asking.offer(())
    qtbot.waitUntil(lambda: asking.dialog is not None, timeout=5_000)
    asking.dialog.reject()  # later
    assert len(left_waiting().waiting) == 1
    context.run_controller.hold()
    asked_again(asking, qtbot).buttons["start"].click()
    assert [run.job.seed for run in context.run_controller.queue] == [1]
    context.run_controller.remove(context.run_controller.queue[0])
    leave(2)
    asked_again(asking, qtbot).buttons["drop"].click()
    qtbot.waitUntil(lambda: left_waiting().waiting == (), timeout=5_000)


def test_a_training_that_waited_is_there_after_the_end_and_runs(new, example, home, runs, qtbot):
    first = new()
    first.hold()
    bench = example.bench
    first.start_training(bench.on("cpu", threads=1), "mlp", recipe={"epochs": 1}, seed=4)
    assert first.shutdown()
    (left,) = left_waiting().waiting
    assert left.job.kind == "train" and words_of(left) == "training of mlp, seed 4"

    second = new()
    restored = second.start_waiting(left)
    qtbot.waitUntil(lambda: restored.ended, timeout=60_000)
    assert restored.state is State.FINISHED, restored.error
    assert restored.kind == "train" and (restored.path / "model.safetensors").is_file()
    assert second.shutdown() and left_waiting().waiting == () and not list(queue_home().glob("*"))


def test_a_check_that_waited_is_there_after_the_end_and_runs(new, example, home, runs, qtbot):
    first = new()
    made = first.start(job_of(example, 1), example.bench, example.selection)
    qtbot.waitUntil(lambda: made.ended, timeout=60_000)
    first.hold()
    # Weights without a card: nothing says that they are the original's.
    brought = {"mine": shutil.copy(example.bench.model.path, str(runs / "mine.safetensors"))}
    assert first.start_reference(made.folder, Check(retrained=brought)).check.which == "quick"
    assert first.shutdown()
    (left,) = left_waiting().waiting
    assert left.folder == made.path and left.check.retrained == brought
    assert words_of(left).startswith("check of finetune")

    second = new()
    second.hold()
    restored = second.start_waiting(left)
    assert restored.check.which == "quick"
    second.hold(False)
    qtbot.waitUntil(lambda: restored.ended, timeout=60_000)
    assert restored.state is State.FINISHED, restored.error
    assert set(made.folder.report()["retrained"]) == {"mine"}
    assert second.shutdown() and left_waiting().waiting == () and not list(queue_home().glob("*"))


def test_a_check_of_a_run_that_is_gone_is_no_question(new, example, home, tmp_path):
    controller = new()
    controller.hold()
    folder = RunFolder.create(tmp_path / "gone", job_of(example, 1))
    controller.start_reference(folder)
    controller.shutdown()
    assert len(left_waiting().waiting) == 1
    (folder.path / "job.json").unlink()
    assert left_waiting().waiting == () and not list(queue_home().glob("*"))


def test_a_check_under_way_is_kept_until_its_end(new, example, home, tmp_path, qtbot):
    """A program that is killed while it checks is offered the check again."""
    controller = new()
    controller.hold()
    run = controller.start_reference(RunFolder.create(tmp_path / "one", job_of(example, 1)))
    kept = run.kept_in
    qtbot.waitUntil(lambda: (kept / "waiting.json").is_file(), timeout=5_000)
    controller.hold(False)
    assert controller.current is run and run.kept_in == kept
    qtbot.waitUntil(lambda: run.ended, timeout=20_000)  # it fails: there is no result to check
    qtbot.waitUntil(lambda: not kept.exists(), timeout=5_000)
