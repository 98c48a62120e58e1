"""A run of another process, followed by its event log."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QTimer

from app.workers.jobs import Jobs
from app.workers.live_run import LiveRun
from app.workers.mailbox import RunFollower
from core.events import State
from core.runs.folder import Status
from core.runs.following import read_new
from tests.app.scripted import Script, append_events, job, write_run


@pytest.fixture
def jobs(qapp):
    made = Jobs(1)
    yield made
    assert made.shutdown()


@pytest.fixture
def going(tmp_path):
    """A run that another process holds."""
    script = Script("r")
    folder = write_run(tmp_path / "r", job(), [script.preparing(), script.started(), *script.measured(0)], "running")
    with folder.lock():
        yield folder, script, LiveRun.from_folder(folder)


def test_new_events_arrive_and_only_those(jobs, going, qtbot):
    folder, script, run = going
    follower = RunFollower(jobs)
    heard: list = []
    steps: list[int] = []
    follower.events.connect(heard.extend)
    follower.changed.connect(lambda changed: steps.append(changed.step))
    follower.follow(run)
    assert run.state is State.RUNNING and follower.run is run
    append_events(folder, [script.losses(10, 10), *script.measured(10)])
    follower.look()
    qtbot.waitUntil(lambda: len(heard) == 4)
    assert run.step == 10
    follower.look()
    append_events(folder, [script.losses(20, 10)])
    qtbot.waitUntil(lambda: jobs.active() == 0)
    follower.look()
    qtbot.waitUntil(lambda: len(heard) == 5)
    assert steps == [10, 20]  # nothing has changed where nothing new was read
    follower.follow(None)
    assert not follower.findChild(QTimer).isActive()


def test_a_line_that_is_half_written_waits(jobs, going, qtbot):
    folder, _, run = going
    follower = RunFollower(jobs)
    follower.follow(run)
    with folder.file("events.jsonl").open("ab") as file:
        file.write(b'{"type": "log", "run": "r", "step": 1, "ti')
    follower.look()
    qtbot.waitUntil(lambda: jobs.active() == 0)
    assert not run.warnings
    with folder.file("events.jsonl").open("ab") as file:
        file.write(b'me": 0.0, "level": "warning", "message": "x"}\n')
    follower.look()
    qtbot.waitUntil(lambda: len(run.warnings) == 1)
    follower.follow(None)


def test_the_end_is_noticed_and_following_stops(jobs, going, qtbot):
    folder, script, run = going
    follower = RunFollower(jobs)
    follower.follow(run)
    append_events(folder, [script.finished()])
    folder.write_status(Status("finished", 0, 0.0, 100, 100))
    with qtbot.waitSignal(follower.ended):
        follower.look()
    assert run.state is State.FINISHED and follower.run is None


def test_a_resume_elsewhere_voids_what_came_after_it(jobs, going, qtbot):
    folder, script, run = going
    follower = RunFollower(jobs)
    follower.follow(run)
    append_events(folder, [script.losses(10, 10), script.evaluation(30), script.started(resumed_at=10)])
    with qtbot.waitSignal(follower.events):
        follower.look()
    assert [e.step for e in run.history.evaluations] == [0]
    follower.follow(None)


def test_a_run_that_is_over_is_not_followed(jobs, tmp_path):
    follower = RunFollower(jobs)
    follower.follow(LiveRun.from_folder(write_run(tmp_path / "r", job(), Script("r").whole())))
    assert follower.run is None


def test_two_may_follow_the_same_run(jobs, going, qtbot):
    """One is in view and was drawn over another before: neither look takes the other back."""
    folder, script, run = going
    shown, drawn = RunFollower(jobs), RunFollower(jobs)
    other = LiveRun.from_folder(folder)
    shown.follow(run)
    drawn.follow(other)
    append_events(folder, [script.losses(10, 10)])
    shown.look()
    drawn.look()
    qtbot.waitUntil(lambda: run.step == other.step == 10)
    shown.follow(None)
    drawn.follow(None)


def test_the_next_look_is_timed_once_the_last_has_ended(qtbot, going):
    asked = []

    class Never:
        """Jobs that are asked and do not come to it."""

        def submit(self, function, *args, key):
            asked.append((function, *args, key))
            return self

        def then(self, done, failed):
            self.done = done

    never = Never()
    follower = RunFollower(never)
    follower._timer.setInterval(0)
    follower.follow(going[2])
    assert follower._timer.isActive()
    qtbot.waitUntil(lambda: len(asked) > 0)
    assert not follower._timer.isActive()
    never.done(read_new(*asked[0][1:3]))
    assert follower._timer.isActive() and len(asked) == 1
    follower.follow(None)
