"""Short jobs and the mailbox: results in the window's thread, cancel, stale results, lossless and latest-wins."""

from __future__ import annotations

import threading
import time

import pytest
from PySide6.QtCore import QObject, QThread

from app.workers.jobs import Jobs
from app.workers.mailbox import Mailbox
from core.errors import InputError, StoppedError
from core.events import Log, Progress, Resources, SpectrumMeasured


@pytest.fixture
def jobs(qapp):
    made = Jobs(2)
    yield made
    assert made.shutdown()


class TestJobs:
    def test_the_result_arrives(self, qtbot, jobs):
        handle = jobs.submit(pow, 2, 5)
        came = []
        handle.done.connect(came.append)
        handle.finished.connect(lambda: came.append("finished"))
        with qtbot.waitSignal(handle.finished):
            pass
        assert came == [32, "finished"]
        assert jobs.active() == 0

    def test_what_listens_can_be_named_with_the_job(self, qtbot, jobs):
        came = []
        good = jobs.submit(pow, 2, 5).then(came.append, finished=lambda: came.append("finished"))
        with qtbot.waitSignal(good.finished):
            pass
        bad = jobs.submit(int, "x").then(came.append, lambda error: came.append(type(error)))
        with qtbot.waitSignal(bad.finished):
            pass
        assert came == [32, "finished", ValueError]

    def test_signals_come_in_the_window_thread_even_to_a_lambda(self, qtbot, jobs, qapp):
        seen = []
        handle = jobs.submit(threading.get_ident)
        handle.done.connect(lambda worker: seen.append((worker, threading.get_ident(), QThread.currentThread())))
        with qtbot.waitSignal(handle.finished):
            pass
        worker, here, thread = seen[0]
        assert worker != here
        assert here == threading.main_thread().ident
        assert thread is qapp.thread()

    def test_a_failure_arrives_as_the_exception(self, qtbot, jobs):
        def fail() -> None:
            raise InputError("no such file")

        handle, failures = jobs.submit(fail), []
        handle.failed.connect(failures.append)
        with qtbot.waitSignal(handle.finished):
            pass
        assert len(failures) == 1 and isinstance(failures[0], InputError)

    def test_every_failure_is_in_the_log_also_one_that_is_listened_to(self, qtbot, jobs, caplog):
        def fail(error: Exception) -> None:
            raise error

        caplog.set_level("INFO")
        heard = []
        for error in (ValueError("lost"), InputError("no such file"), StoppedError("not wanted")):
            handle = jobs.submit(fail, error)
            handle.failed.connect(heard.append)
            with qtbot.waitSignal(handle.finished):
                pass
        assert len(heard) == 3 and "ValueError: lost" in caplog.text and "no such file" in caplog.text
        assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING", "INFO"]

    def test_progress_is_handed_to_who_asks_for_it(self, qtbot, jobs):
        go = threading.Event()

        def work(progress) -> str:
            go.wait(60)
            progress("decoding", 3, 10)
            return "done"

        handle = jobs.submit(work)
        seen = []
        handle.progress.connect(lambda *args: seen.append(args))
        go.set()
        with qtbot.waitSignal(handle.finished):
            pass
        assert seen == [("decoding", 3, 10)]

    def test_a_flood_of_progress_reaches_the_window_thinned(self, qtbot, jobs):
        def work(progress) -> None:
            for number in range(20_000):
                progress("step", number, 20_000)

        handle = jobs.submit(work)
        seen = []
        handle.progress.connect(lambda *args: seen.append(args))
        with qtbot.waitSignal(handle.finished, timeout=10_000):
            pass
        assert seen[-1] == ("step", 19_999, 20_000)
        assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)

    def test_after_cancel_nothing_but_finished_comes(self, qtbot, jobs):
        started = threading.Event()

        def work(cancelled) -> str:
            started.set()
            while not cancelled():
                time.sleep(0.001)
            return "too late"

        handle = jobs.submit(work)
        results = []
        handle.done.connect(results.append)
        handle.failed.connect(results.append)
        assert started.wait(60)
        with qtbot.waitSignal(handle.finished):
            handle.cancel()
        assert results == []

    def test_a_newer_job_of_the_same_key_makes_the_older_stale(self, qtbot, jobs):
        go = threading.Event()
        results = []
        first = jobs.submit(lambda: (go.wait(60), "old")[1], key="facts")
        second = jobs.submit(lambda: "new", key="facts")
        first.done.connect(results.append)
        second.done.connect(results.append)
        with qtbot.waitSignals([first.finished, second.finished]):
            go.set()
        assert results == ["new"]

    def test_jobs_of_one_worker_follow_each_other(self, qtbot, qapp):
        device = Jobs(1)
        running, most = [], []

        def work() -> None:
            running.append(1)
            most.append(len(running))
            time.sleep(0.01)
            running.pop()

        handles = [device.submit(work) for _ in range(4)]
        with qtbot.waitSignals([handle.finished for handle in handles]):
            pass
        assert max(most) == 1
        assert device.shutdown()

    def test_progress_ends_a_job_that_does_not_ask_whether_it_is_cancelled(self, qtbot, jobs):
        told, ended = [], []

        def work(progress) -> None:
            try:
                while True:
                    progress("step", len(told), 0)
                    told.append(1)
            except StoppedError:
                ended.append(True)
                raise

        handle, failures = jobs.submit(work, key="long"), []
        handle.failed.connect(failures.append)
        qtbot.waitUntil(lambda: len(told) > 2)
        with qtbot.waitSignal(handle.finished):
            jobs.cancel("long")
        assert ended == [True] and failures == []

    def test_shutdown_cancels_and_waits(self, qapp):
        made = Jobs(1)
        started = threading.Event()

        def work(cancelled) -> None:
            started.set()
            while not cancelled():
                time.sleep(0.001)

        made.submit(work)
        assert started.wait(60)
        assert made.shutdown()

    def test_after_shutdown_nothing_starts(self, qtbot, qapp):
        made = Jobs(1)
        made.shutdown()
        calls = []
        handle = made.submit(lambda: calls.append(1))
        with qtbot.waitSignal(handle.finished):
            pass
        assert calls == []


def log(step: int, run: str = "r") -> Log:
    return Log(run=run, step=step, time=0.0, level="info", message=str(step))


def spectrum(step: int) -> SpectrumMeasured:
    return SpectrumMeasured(
        run="r", step=step, time=0.0, scope="subset", retain=[1.0], forget=[1.0], retain_rank=None, forget_rank=None,
        forget_norm=None, retain_norm=None,
    )  # fmt: skip


class TestMailbox:
    def test_events_keep_their_order_and_none_is_lost(self):
        box = Mailbox()
        for step in range(1000):
            box.put(log(step))
        assert [event.step for event in box.take()] == list(range(1000))
        assert box.take() == []

    def test_of_resources_only_the_last_matters(self):
        box = Mailbox()
        for step in range(5):
            box.put(Resources(run="r", step=step, time=0.0, elapsed=0.0, remaining=None, samples_per_second=1.0,
                              memory_bytes=0, monitoring_share=0.0))  # fmt: skip
            box.put(Progress(run="r", step=step, time=0.0, what="x", done=step, total=5))
        assert [event.step for event in box.take()] == [4, 4]

    def test_many_threads_at_once(self):
        box = Mailbox()
        threads = [threading.Thread(target=lambda: [box.put(log(i)) for i in range(500)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(box.take()) == 2000


def test_a_handle_belongs_to_its_jobs(jobs, qtbot):
    handle = jobs.submit(lambda: None)
    assert isinstance(handle.parent(), QObject)
    with qtbot.waitSignal(handle.finished):
        pass
