"""The thread of a run, the queue, and the one way a thread ends; driven by scripted work."""

from __future__ import annotations

import gc
import threading
import weakref
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, QThread, QTimer, Slot
from PySide6.QtWidgets import QWidget

from app.workers.live_run import ACTIONS, LiveRun
from app.workers.run_controller import HIDDEN_MS, PERIOD_MS, TELL_MS, RunController
from core.errors import OutOfMemoryError
from core.events import State
from core.runs.folder import FORGET, RunFolder
from core.runs.waiting import Check
from core.session import checking
from core.session.forget_lists import read_forget_csv
from core.session.jobs import make_unlearn_job
from tests.app.scripted import Script, Stepped, job, write_run
from tests.core.session import conftest as runs_of_digits

digits, digits_model = runs_of_digits.digits, runs_of_digits.digits_model
bench, three = runs_of_digits.bench, runs_of_digits.three


class Listener(QObject):
    """Keeps what the controller says, and in which thread."""

    def __init__(self, controller: RunController) -> None:
        super().__init__()
        self.batches: list[list] = []
        self.states: list[State] = []
        self.ended: list[LiveRun] = []
        self.threads: set[int] = set()
        controller.events.connect(self.on_events)
        controller.state_changed.connect(self.on_state)
        controller.run_ended.connect(self.on_ended)

    @property
    def events(self) -> list:
        return [event for batch in self.batches for event in batch]

    @Slot(object)
    def on_events(self, events):
        self.threads.add(threading.get_ident())
        self.batches.append(events)

    @Slot(object)
    def on_state(self, run):
        self.threads.add(threading.get_ident())
        if not self.states or self.states[-1] is not run.state:
            self.states.append(run.state)

    @Slot(object)
    def on_ended(self, run):
        self.threads.add(threading.get_ident())
        self.ended.append(run)


@pytest.fixture
def controller(qapp, tmp_path):
    made = RunController(lambda: tmp_path / "runs")
    yield made
    assert made.shutdown()


@pytest.fixture
def heard(controller):
    return Listener(controller)


@pytest.fixture
def new(controller, tmp_path):
    """Start scripted work under a name."""

    def start(name: str, kind: str = "unlearn") -> tuple[LiveRun, Stepped, Script]:
        work = Stepped()
        run = controller.start_work(RunFolder(tmp_path / name), kind, name, work)
        return run, work, Script(name)

    return start


def test_a_run_from_start_to_end_is_heard_in_the_windows_thread(controller, heard, new, qtbot):
    run, work, script = new("one")
    assert controller.current is run and run.state is State.PREPARING
    work.give(*script.whole())
    work.end()
    qtbot.waitUntil(lambda: heard.ended == [run])
    assert heard.threads == {threading.get_ident()}
    assert heard.states[0] is State.PREPARING and heard.states[-1] is State.FINISHED
    assert controller.current is None and run.state is State.FINISHED
    # Lossless but for what only counts as it is now.
    kept = [event for event in script.whole() if event.type not in ("resources", "progress")]
    assert [e.type for e in heard.events if e.type not in ("resources", "progress")] == [e.type for e in kept]


def test_a_terminal_fact_comes_after_all_data(controller, heard, new, qtbot):
    _, work, script = new("one")
    seen: list[int] = []
    controller.run_ended.connect(lambda ended: seen.append(len(ended.history.losses["alignment"])))
    work.give(script.started(), *[script.losses(step) for step in range(1, 501)], script.finished())
    work.end()
    qtbot.waitUntil(lambda: bool(heard.ended))
    assert seen == [500]


def test_events_of_an_older_run_never_arrive(controller, heard, new, qtbot):
    run, work, script = new("one")
    older = Script("older")
    work.give(older.started(), script.started(), older.finished(), script.losses(3))
    qtbot.waitUntil(lambda: run.step == 3)
    assert {event.run for event in heard.events} == {"one"}
    work.end()


def test_jobs_wait_and_go_one_after_the_other(controller, heard, new, qtbot):
    runs = [new(name) for name in "abcd"]
    a, b, c, d = (run for run, *_ in runs)
    assert controller.current is a and controller.queue == [b, c, d]
    controller.move(d, -2)
    assert controller.queue == [d, b, c]
    controller.move(d, -5)
    controller.remove(b)
    assert controller.queue == [d, c] and b.state is State.DISCARDED
    for _, work, _ in runs:
        work.end()
    qtbot.waitUntil(lambda: len(heard.ended) == 3)
    assert heard.ended == [a, d, c]
    assert not controller.busy


def test_a_failed_run_does_not_hold_up_the_queue(controller, heard, new, qtbot):
    (a, work_a, _), (b, work_b, _) = new("a"), new("b")
    work_a.fail(OutOfMemoryError("Out of memory at batch 64", "Try 32"))
    qtbot.waitUntil(lambda: controller.current is b)
    assert a.state is State.FAILED and a.error == "Out of memory at batch 64." and "OutOfMemoryError" in a.details
    work_b.end()
    qtbot.waitUntil(lambda: len(heard.ended) == 2)


def test_stop_keeps_and_discard_does_not(controller, heard, new, qtbot):
    for action, end in (("stop", State.STOPPED), ("discard", State.DISCARDED)):
        run, work, script = new(action)
        work.give(script.started())
        qtbot.waitUntil(lambda run=run: run.state is State.RUNNING)
        assert controller.ask(action)
        assert run.state in (State.STOPPING, State.DISCARDING)
        assert not controller.ask("pause") and not controller.ask("checkpoint")
        qtbot.waitUntil(lambda run=run: run in heard.ended)
        assert run.state is end


def test_nothing_can_be_asked_of_no_run(controller):
    assert not any(controller.ask(action) for action in ACTIONS)


def test_a_thread_dies_in_one_way_and_leaves_nothing(controller, heard, new, qtbot):
    run, work, _ = new("one")
    thread = weakref.ref(controller._thread)
    assert thread().isRunning()
    work.end()
    qtbot.waitUntil(lambda: bool(heard.ended))
    assert controller._thread is None
    gc.collect()
    assert thread() is None
    assert run.work is None  # and with it what the work held


def test_what_fails_is_not_kept_alive_by_its_traceback(controller, heard, new, qtbot):
    class Big:
        pass

    big = Big()
    alive = weakref.ref(big)

    def work(control, emit, _holder=[big]):  # noqa: B006
        mine = _holder.pop()
        raise ValueError(str(type(mine)))

    controller.start_work(RunFolder(Path("x")), "unlearn", "x", work)
    del big, work
    qtbot.waitUntil(lambda: bool(heard.ended))
    gc.collect()
    assert alive() is None and heard.ended[0].state is State.FAILED


def test_held_back_nothing_starts(controller, heard, new, qtbot):
    (a, work, _), (b, _work_b, _) = new("a"), new("b")
    controller.hold()
    work.end()
    qtbot.waitUntil(lambda: heard.ended == [a])
    assert controller.current is None and controller.queue == [b]
    controller.remove(b)


def test_a_search_and_a_check_take_along_what_they_need(controller, new, tmp_path, monkeypatch):
    _, first, _ = new("a")  # what comes now waits
    folder, work = write_run(tmp_path / "done", job(), [], "finished"), Stepped()
    search = controller.start_search(work, "Searching settings")
    assert (search.kind, search.title, search.folder) == ("search", "Searching settings", work.place)
    assert work.place.path.parent == tmp_path / "runs" and work.place.id.endswith("-search")
    check = controller.start_reference(folder, Check((3, 4), {"mine": str(tmp_path / "m.pt")}, "full"))
    assert (check.kind, check.folder, check.job) == ("check", folder, folder.job())
    asked, control, emit = [], object(), object()
    monkeypatch.setattr(checking, "check", lambda *args, **options: asked.append((args, options)))
    check.work(control, emit)
    ((called, options),) = asked
    assert called[:3] == (folder, control, emit)
    assert options == {"seeds": (3, 4), "retrained": {"mine": tmp_path / "m.pt"}, "which": "full", "start": None}
    plain = controller.start_reference(folder)
    assert plain.check == Check()
    for waiting in (search, check, plain):
        controller.remove(waiting)
    first.end()


def test_a_check_is_kept_while_it_waits_and_while_it_goes(controller, new, tmp_path, monkeypatch):
    kept = []
    monkeypatch.setattr(controller._store, "put", lambda run, job, place, *_: kept.append((run.kind, place)))
    folder = write_run(tmp_path / "done", job(), [], "finished")
    _, first, _ = new("a")
    waiting = [controller.start_reference(folder) for _ in range(2)]
    assert kept == [("check", 0), ("check", 1)]
    going = waiting.pop(0)
    controller.remove(going)
    controller._keep(going, lambda: job())
    assert kept[2:] == [("check", -1)]
    kept.clear()
    controller._keep(LiveRun(folder, "unlearn"), lambda: job())
    assert kept == []
    controller.remove(waiting[0])
    first.end()


def test_numbers_of_the_run_that_goes_are_told_ten_times_a_second(controller, heard, new, qtbot):
    assert (TELL_MS, controller._telling.interval()) == (100, 100)
    told: list[LiveRun] = []
    controller.state_changed.connect(told.append)
    controller._tell()
    assert told == []  # nothing goes
    run, work, _ = new("a")
    told.clear()
    controller._tell()
    assert told == [run] and controller._telling.isActive()
    work.end()
    qtbot.waitUntil(lambda: heard.ended == [run])
    assert not controller._telling.isActive()


def test_the_end_of_the_program_leaves_the_run_and_waits(controller, heard, new, qtbot):
    run, work, script = new("one")
    work.give(script.started())
    qtbot.waitUntil(lambda: run.state is State.RUNNING)
    assert controller.shutdown()
    assert run.state is State.INTERRUPTED and work.control.leaving


def test_a_flood_is_drawn_a_few_times_only(controller, heard, new, qtbot):
    """Ten thousand events as fast as they can be sent: all arrive, and the window is asked to draw once a tick."""
    run, work, script = new("one")
    ticks: list[int] = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(1))
    timer.start(5)
    work.give(script.started(), *[script.losses(step) for step in range(1, 10_001)])
    qtbot.waitUntil(lambda: run.step == 10_000, timeout=20_000)
    timer.stop()
    assert sum(event.type == "step_metrics" for event in heard.events) == 10_000
    assert len(heard.batches) < 1000  # one batch a tick, not one an event
    assert len(ticks) >= 2 or len(heard.batches) <= 2  # the loop went round in between
    work.end()


def test_names_of_waiting_runs_do_not_collide(controller, tmp_path):
    first = controller._place(None, "muda-s0")
    (first.path).mkdir(parents=True)
    second = controller._place(None, "muda-s0")
    assert second.path != first.path and second.path.parent == tmp_path / "runs"


def test_pause_reaches_the_worker(controller, new, qtbot):
    run, work, script = new("one")
    work.give(script.started())
    qtbot.waitUntil(lambda: run.state is State.RUNNING)
    assert controller.ask("pause") and work.control.paused
    work.give(script.state(State.PAUSED, 1))
    qtbot.waitUntil(lambda: run.state is State.PAUSED)
    assert controller.ask("resume") and not work.control.paused
    work.end()


def test_a_run_is_looked_at_once_a_second_while_the_window_is_hidden(controller, new, qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    controller.window = window
    run, work, script = new("one")
    assert controller.period == PERIOD_MS
    assert QThread.currentThread() is controller.thread()
    work.give(script.started())
    qtbot.waitUntil(lambda: controller.period == HIDDEN_MS)
    window.show()
    work.give(script.state(State.PAUSED, 1))  # worth more than the next look
    qtbot.waitUntil(lambda: controller.period == PERIOD_MS, timeout=900)
    assert run.state is State.PAUSED
    work.end()


def test_a_run_that_was_started_has_its_forget_set_in_its_folder(controller, bench, three, qtbot):
    made = make_unlearn_job(bench.on("cpu", "float32", threads=1), three, "head-only")
    run = controller.start(made, bench, three)
    qtbot.waitUntil(lambda: run.state is State.FINISHED)
    listed = read_forget_csv(run.folder.file(FORGET), len(bench.dataset.train))[0]
    assert (listed == three.mask).all() and listed.sum() == run.job.forget.count


def test_a_run_whose_folder_another_window_took_while_it_waited_gets_one_of_its_own(
    controller, new, bench, three, qtbot, tmp_path
):  # fmt: skip
    _, before, _ = new("one")
    job = make_unlearn_job(bench.on("cpu", "float32", threads=1), three, "head-only")
    run, named = controller.start(job, bench, three), controller.start(job, bench, three, tmp_path / "named")
    queued = run.path
    for path in (queued, named.path):  # two windows named them in the same second
        RunFolder.create(path, job, {FORGET: b"theirs"})
    before.end()
    qtbot.waitUntil(lambda: named.ended)
    assert run.state is State.FINISHED and run.path == queued.with_name(f"{queued.name}-2") and run.folder.is_done
    assert RunFolder(queued).file(FORGET).read_bytes() == b"theirs" and not RunFolder(queued).is_done
    assert named.state is State.FAILED and named.error.endswith("named already holds a run.")


def test_a_training_is_done_anew_with_what_it_leaves_out(controller, bench, three, qtbot):
    trained = bench.on("cpu", "float32", threads=1)
    first = controller.start_training(trained, "mlp", exclude=three, recipe={"epochs": 1})
    qtbot.waitUntil(lambda: first.ended)
    job, listed = first.folder.job(), read_forget_csv(first.folder.file(FORGET), len(bench.dataset.train))[0]
    assert (listed == three.mask).all() and listed.sum() == job.forget.count
    run = controller.train_again(first.folder, job)
    qtbot.waitUntil(lambda: run.ended)
    assert run.state is State.FINISHED and run.path != first.path and run.folder.job() == job
    assert run.folder.file(FORGET).read_bytes() == first.folder.file(FORGET).read_bytes()
