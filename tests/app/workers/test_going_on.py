"""A window closes over its work: what is handed over to the process without a window, and what is not."""

from __future__ import annotations

import threading

import pytest

from app.workers.live_run import LiveRun
from app.workers.run_controller import RunController
from core.events import State
from core.launch import queue
from core.launch.child import Request
from core.launch.queue import Behind, work
from core.runs.folder import FORGET, RunFolder
from core.runs.waiting import entries_in, left_waiting, read_waiting
from core.session import checking
from core.session.jobs import create_run, forget_list, make_train_job, make_unlearn_job
from tests.app.runner import context, example, example_home, home, opened

__all__ = ["context", "example", "example_home", "home", "opened"]


@pytest.fixture
def new(qapp, home, tmp_path):
    """Make a controller, as each start of the program does."""
    made = []

    def make() -> RunController:
        made.append(RunController(lambda: tmp_path / "runs"))
        return made[-1]

    yield make
    for controller in made:
        assert controller.shutdown()


@pytest.fixture
def left(monkeypatch):
    """What is handed over, in place of a process: the run that is waited for, and the entries in their order."""
    seen = []

    def leave_behind(room, trust, after=None):
        waiting = sorted(map(read_waiting, entries_in(room)), key=lambda one: one.place)
        seen.append((after, [(one.job.seed, one.resume, one.check is not None) for one in waiting]))

    monkeypatch.setattr(queue, "leave_behind", leave_behind)
    return seen


@pytest.fixture
def run_of(example, tmp_path):
    """Start a run of the digits; a long one is to be at its third step."""

    def make(controller, seed=1, epochs=0.2, **options) -> LiveRun:
        job = make_unlearn_job(example.bench.on("cpu", "float32", threads=1), example.selection, "finetune",
                               settings={"epochs": epochs}, seed=seed, checkpoint_seconds=0.0, **options)  # fmt: skip
        return controller.start(job, example.bench, example.selection)

    return make


@pytest.fixture
def result(example, tmp_path):
    """The folder of a run whose check is slow: it waits for what the test lets happen."""
    job = make_unlearn_job(example.bench.on("cpu", threads=1), example.selection, "finetune", seed=7)
    return create_run(tmp_path / "runs" / "result", job, example.selection, example.bench.dataset)


@pytest.fixture
def go(monkeypatch):
    """Set to let a check end, as it was told to or by itself."""
    event = threading.Event()

    def slow(folder, control, emit, bench, **options):
        while not event.wait(0.005) and not control.ending:
            pass
        control.check()
        return {}

    monkeypatch.setattr(checking, "check", slow)
    return event


def over(controller, qtbot) -> None:
    qtbot.waitUntil(lambda: controller.current is None)
    assert controller.shutdown()


def test_a_run_that_an_earlier_window_had_left_goes_on_before_what_waits(new, run_of, left, qtbot):
    first = new()
    first.hold()
    run_of(first, 1, epochs=20.0)
    assert first.shutdown()
    second = new()
    adopted = second.start_waiting(left_waiting().waiting[0])
    run_of(second, 2)
    qtbot.waitUntil(lambda: adopted.step > 2)
    second.quit("go on")
    second.quit("leave")  # the session ends meanwhile: it takes nothing back
    over(second, qtbot)
    assert adopted.state is State.INTERRUPTED
    assert left == [(None, [(1, True, False), (2, False, False)])]


def test_the_order_that_is_shown_is_handed_over(new, run_of, result, left, go, qtbot):
    controller = new()
    controller.start_reference(result)
    gone = [run_of(controller, seed) for seed in (11, 12)]
    run_of(controller, 1)
    for run in gone:
        controller.remove(run)
    run_of(controller, 2)
    controller.resume_run(LiveRun(result, "unlearn", job=result.job()))
    run_of(controller, 3)
    controller.quit("go on")
    over(controller, qtbot)
    assert left == [(None, [(7, False, True), (1, False, False), (2, False, False), (7, True, False),
                            (3, False, False)])]  # fmt: skip


def test_a_check_that_is_cut_off_at_the_end_of_the_session_is_offered_again(new, result, go, qtbot):
    controller = new()
    controller.start_reference(result)
    controller.quit("leave")
    over(controller, qtbot)
    assert [one.check is not None for one in left_waiting().waiting] == [True]


@pytest.mark.parametrize("ended", ["by the user", "by itself"])
def test_a_check_that_has_ended_otherwise_is_not_done_again(new, result, left, go, qtbot, monkeypatch, ended):
    controller = new()
    run = controller.start_reference(result)
    if ended == "by the user":
        assert controller.ask("stop")
    else:
        monkeypatch.setattr(run.control, "discard", go.set)
    controller.quit("go on")
    over(controller, qtbot)
    assert not left and left_waiting().waiting == ()


def test_a_run_in_a_process_that_has_not_begun_yet_is_waited_for(new, run_of, left, qtbot):
    controller = new()
    run = run_of(controller, 1, epochs=3.0, launcher="process")
    run_of(controller, 2)
    qtbot.waitUntil(lambda: run.folder.exists and run.folder.status().pid != 0)
    controller.quit("go on")
    over(controller, qtbot)
    assert left == [(run.path, [(2, False, False)])]
    queue._wait_for(run.folder)
    assert run.folder.finished


def test_a_run_that_pauses_as_the_window_closes_goes_on(new, run_of, left, qtbot):
    controller = new()
    run = run_of(controller, 1, epochs=8.0, launcher="process")
    run_of(controller, 2)
    qtbot.waitUntil(lambda: run.step > 2)
    assert controller.ask("pause")
    qtbot.waitUntil(lambda: run.state is State.PAUSED)
    controller.quit("go on")
    over(controller, qtbot)
    queue._wait_for(run.folder)
    assert run.folder.finished


def test_who_leaves_over_a_run_that_does_not_end_hands_it_over_too(new, run_of, left, qtbot, monkeypatch):
    controller = new()
    run = run_of(controller, 1, epochs=20.0)
    qtbot.waitUntil(lambda: run.step > 2)
    ask = run.ask
    monkeypatch.setattr(run, "ask", lambda action: True)  # its step takes for ever
    controller.quit("go on")
    controller.abandon()
    assert left == [(run.path, [(1, True, False)])]
    ask("discard")
    over(controller, qtbot)


@pytest.mark.parametrize("leaves_out", [False, True])
def test_a_training_that_is_done_anew_does_not_choose_the_machine_its_job_names(
    new, example, tmp_path, monkeypatch, leaves_out
):
    job = make_train_job(example.bench.on("cpu", threads=1), "mlp", recipe={"epochs": 1}, launcher="ssh elsewhere",
                         exclude=example.selection if leaves_out else None)  # fmt: skip
    files = {FORGET: forget_list(job, example.selection, example.bench.dataset)} if leaves_out else {}
    controller = new()
    controller.hold()
    run = controller.train_again(RunFolder.create(tmp_path / "trained", job, files), job)
    room = run.kept_in.parent
    assert controller.shutdown()
    seen = []

    def launch_elsewhere(folder, control, emit, trust, launcher, *, resume, chosen):
        seen.append((str(launcher), chosen, folder.holds(FORGET)))
        return State.FINISHED

    monkeypatch.setattr(queue, "launch_elsewhere", launch_elsewhere)
    assert [one.chosen for one in left_waiting().waiting] == [False]
    work(Behind(str(room), "", Request("")))
    assert seen == [("ssh elsewhere", False, leaves_out)]
