"""What waits goes on without the window: `python -m core.launch.queue`, started by a window that closes.

    wait for the run that was under way, where it has a process of its own
    for each that waits in the room, in order:
        a run or training: its folder is made, and it goes in a process of its own
        an interrupted run: it goes on in one; a check: it is done in one

A run that fails says so in its folder, and the next one begins. What could not be begun or gone on with, and a check
that failed, stay in the room: the next window offers them, and says why where it tries them. A window may take over
what still waits. Rooms of several windows are worked through one after the other.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
import traceback
from pathlib import Path

import filelock
import msgspec
from msgspec.structs import replace

from core.engine.control import Control
from core.errors import AppError, ProcessEndedError
from core.files import data_home
from core.job import Launcher
from core.launch import launch_elsewhere
from core.launch.child import Request, trusting
from core.launch.children import OWN_SESSION, Child, environment
from core.models.trust import Trust
from core.runs.folder import RunFolder
from core.runs.waiting import (
    BEHIND,
    GOING,
    Waiting,
    begin_waiting,
    drop_waiting,
    free_place,
    lock_of,
    next_waiting,
    tidy,
)

LOOK_SECONDS = 0.2
START_SECONDS = 30.0  # for which a room is waited for that another process looks into, and a run's process to begin
TURN = "queue.lock"  # of the room that is worked through
SAID = "said.txt"  # what the process writes to its terminal, in its room


class Behind(msgspec.Struct, frozen=True):
    """What a window leaves behind: the room it had, the run that goes on by itself (`after`), and what may be opened.

    request: what children are asked, but for the run; its trust is the window's.
    """

    room: str
    after: str
    request: Request


def leave_behind(room: Path, trust: Trust, after: Path | None = None) -> None:
    """Start a process that works through a room that nobody holds any more. Raises OSError where that cannot be."""
    room = room.rename(room.with_name(f"{BEHIND}{room.name}"))
    asked = Behind(str(room.absolute()), str(after.absolute()) if after else "", Request("", **trusting(trust)))
    with (room / SAID).open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__], stdin=subprocess.PIPE, stdout=said, stderr=said, env=environment(),
            **OWN_SESSION,
        )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(asked))
    process.stdin.close()


def work(asked: Behind) -> None:
    """Work through a room until nothing is left to begin in it."""
    room = Path(asked.room)
    with lock_of(room, START_SECONDS):
        if asked.after:
            _wait_for(RunFolder(asked.after))
        with filelock.FileLock(data_home() / TURN):
            seen = set[Path]()
            while (waiting := next_waiting(room, seen)) is not None:
                seen.add(waiting.entry)
                try:
                    _do(waiting, asked.request)
                except AppError as error:  # of a run, its folder says it, too
                    print(f"{waiting.folder}: {error}", file=sys.stderr, flush=True)
                except Exception:  # whatever it is, it must not cost the others
                    print(f"{waiting.folder}: {traceback.format_exc()}", file=sys.stderr, flush=True)
    tidy(room)


def _wait_for(run: RunFolder) -> None:
    """Wait until a run is over that has a process of its own, which may not have begun yet."""
    begins, begun = time.monotonic() + START_SECONDS, False
    while run.exists and not run.is_done and (run.locked or not begun):
        begun = run.locked or time.monotonic() > begins
        time.sleep(LOOK_SECONDS)


def _do(waiting: Waiting, request: Request) -> None:
    """Do one of those that wait, unless a window has just taken it over."""
    going = waiting.entry.with_name(f"{GOING}{waiting.entry.name}")
    try:
        waiting.entry.rename(going)
    except FileNotFoundError:
        return
    try:
        if waiting.check is not None:
            _check(replace(request, run=str(waiting.folder), check=waiting.check))
        else:
            _run(waiting, going, request.trust)
    except BaseException:
        with contextlib.suppress(OSError):  # it is gone where its run has begun
            going.rename(waiting.entry)
        raise
    drop_waiting(going)


def _run(waiting: Waiting, kept: Path, trust: Trust) -> None:
    """Begin a run that waited in `kept`, or go on with one, and follow it. Raises the AppError it failed with."""
    folder = RunFolder(waiting.folder if waiting.resume else free_place(waiting.folder))
    begin_waiting(waiting, kept, folder)
    launcher = Launcher.parse(waiting.job.launcher)
    if launcher.kind == "thread":
        launcher = Launcher("process")
    launch_elsewhere(folder, Control(), lambda event: None, trust, launcher, resume=True, chosen=waiting.chosen)


def _check(request: Request) -> None:
    """Check the result of a run in a process of its own. Raises the AppError it ended with."""
    child = Child()
    child.begin(request)
    while not child.over:
        time.sleep(LOOK_SECONDS)
    if (answer := child.answer()) is None:
        raise ProcessEndedError(f"The process of the check {child.last_words()[0]}")
    if answer.message:
        raise answer.as_error()


if __name__ == "__main__":
    work(msgspec.json.decode(sys.stdin.buffer.read(), type=Behind))
