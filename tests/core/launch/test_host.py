"""What a machine does for runs that others start on it, without ssh: what it takes, what it tells, what it gives."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import os
import threading

import msgspec
import pytest

from core.engine.control import Control
from core.errors import InputError, MismatchError, NotFoundError
from core.files import dumps, runs_home
from core.launch import host
from core.launch.child import Request, _do
from core.runs.asked import asked_until_now
from core.runs.folder import EVENTS, FORGET, JOB, RunFolder

from .conftest import THE_JOB

JOB_TEXT = dumps(THE_JOB).decode()


@pytest.fixture(autouse=True)
def idle(monkeypatch, tmp_path):
    """A home of the test's own, where no process works on what is begun."""
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(host, "_work_on", lambda folder, asked: None)


def begun(**changes) -> host.Begun:
    asked = host.Begin(**{"name": "run", "files": {JOB: JOB_TEXT}, **changes})
    return host.begin(io.BytesIO(msgspec.json.encode(asked)))


def test_the_job_is_kept_as_it_was_sent_whatever_this_version_would_write():
    sent = JOB_TEXT.replace('"launcher":"thread",', "").replace("{", "{\r\n", 1)
    there = RunFolder(begun(files={JOB: sent}).path)
    assert there.file(JOB).read_bytes() == sent.encode() and there.job().method == "muda"
    assert begun(files={JOB: sent}).path == str(there.path)  # gone on with
    with pytest.raises(MismatchError, match="holds another run"):
        begun(files={JOB: JOB_TEXT})


@pytest.mark.parametrize("names", [[], [FORGET], [JOB, "../../stray"], [JOB, "model.safetensors"]])
def test_a_run_is_begun_with_its_own_files_only(names, tmp_path):
    with pytest.raises(InputError, match=r"A run is begun with job\.json, forget\.csv, tuning\.json"):
        begun(files=dict.fromkeys(names, JOB_TEXT))
    assert not runs_home().exists()


def test_a_log_goes_on_where_it_begins_with_the_one_of_who_asks():
    folder = RunFolder(begun().path)
    assert begun(told=3, told_sha256=hashlib.sha256(b"abc").hexdigest()).goes_on is False  # there is none
    folder.file(EVENTS).write_bytes(b"abcdef\n")
    for told, goes_on in ((b"", True), (b"abc", True), (b"abd", False), (b"abcdef\n1", False)):
        assert begun(told=len(told), told_sha256=hashlib.sha256(told).hexdigest()).goes_on is goes_on


def test_a_process_that_never_takes_its_run_is_said_and_ended(monkeypatch):
    monkeypatch.undo()
    ended = []

    class Slow:
        over = False

        def begin(self, request) -> None:
            pass

        def kill(self) -> None:
            ended.append(self)

    monkeypatch.setattr(host, "Child", Slow)
    monkeypatch.setattr(host, "START_SECONDS", 0.0)
    with pytest.raises(InputError, match="No process took the run within 0 seconds"):
        begun()
    assert len(ended) == 1


@contextlib.contextmanager
def asking(asks: str):
    """A pipe with asks in it, and what closes its other end; over when its listener is."""
    read, write = os.pipe()
    os.write(write, asks.encode())
    with os.fdopen(read) as source:
        yield source, functools.partial(os.close, write)
        for thread in threading.enumerate():
            if thread.name == "asks of who follows":
                thread.join()


def followed(path, asks: str = "", offset: int = 0) -> list[host.Frame]:
    """What is told of a run on which nobody works, to a follower that asks at once and stays."""
    told = []
    with asking(asks) as (source, close):
        host.follow(str(path), offset, source, told.append)
        close()
    return [msgspec.json.decode(line, type=host.Frame) for line in told]


def test_a_log_is_told_to_the_byte_even_a_damaged_one():
    folder = RunFolder(begun().path)
    held = b'{"type":"log"}\n\xff\xfe damaged\n\x00\n'
    folder.file(EVENTS).write_bytes(held + b'{"unfinis')
    frames = followed(folder.path, offset=3)
    assert b"".join(frame.lines for frame in frames) == held[3:]
    assert frames[-1].over


def test_a_run_that_was_deleted_is_told_of_and_nothing_is_made(tmp_path):
    frames = followed(tmp_path / "gone", "stop\n")
    assert (frames[-1].state, frames[-1].over) == ("discarded", True)
    assert not (tmp_path / "gone").exists()


def test_what_is_heard_is_told_so_that_it_is_asked_once():
    folder = RunFolder(begun().path)
    with folder.lock():
        told = []

        def tell(line: bytes) -> None:
            told.append(msgspec.json.decode(line, type=host.Frame).heard)
            if told[-1] == 3:
                close()

        with asking("pause\nnonsense\nstop\n") as (source, close):
            host.follow(str(folder.path), 0, source, tell)
    assert told[-1] == 3
    assert asked_until_now(folder) == len('{"ask":"pause"}\n{"ask":"stop"}\n')


def test_a_process_that_is_asked_for_a_run_that_was_deleted_makes_nothing(tmp_path):
    with pytest.raises(NotFoundError):
        _do(Request(str(tmp_path / "gone")), Control())
    assert not (tmp_path / "gone").exists()


def test_files_are_given_behind_their_sizes(tmp_path):
    folder = RunFolder(begun().path)
    folder.file(EVENTS).write_bytes(b"events\n")
    (tmp_path / "other").write_bytes(b"mine")
    folder.file("report.html").symlink_to(tmp_path / "other")
    given = io.BytesIO()
    host.give(str(folder.path), given)
    given.seek(0)
    sizes = msgspec.json.decode(given.readline())
    assert sizes == {EVENTS: 7, "status.json": folder.file("status.json").stat().st_size}
    assert given.read() == b"".join(folder.file(name).read_bytes() for name in sizes)
