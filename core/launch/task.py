"""What a worker of a cluster does: a task of a batch, in a process of its own. The worker itself never loads torch."""

from __future__ import annotations

import platform
import time
from pathlib import Path

import msgspec

from core.errors import InputError
from core.events import State
from core.launch.child import Answer, Request
from core.launch.children import Child
from core.runs.folder import RunFolder
from core.version import VERSION

LOOK_SECONDS = 0.1
NOT_BEGUN = Answer(state=State.QUEUED.value)
"""The answer of a task that the end of the batch kept from beginning."""


class Done(msgspec.Struct, frozen=True):
    """What a task came to, and where it was done."""

    host: str
    answer: Answer


def work(request: bytes, after: list[bytes], ending: str) -> bytes:
    """Do a task in a process of its own, on a worker; takes and returns JSON (`Request`, `Done`).

    Where one of those it comes after did not end well, that is its answer, too. ending: the path of the file that is
    there once the batch is to end. A run is asked for that in its folder; what is no run leaves, to be gone on with.
    """
    for earlier in after:
        done = msgspec.json.decode(earlier, type=Done)
        if done.answer.message or done.answer == NOT_BEGUN:
            return earlier
    asked, host, end = msgspec.json.decode(request, type=Request), platform.node(), Path(ending)
    folder, is_run = RunFolder(asked.run), asked.reference is None and asked.check is None
    while True:
        while folder.locked and not end.exists():  # a process that has outlived another worker
            time.sleep(LOOK_SECONDS)
        if end.exists():
            return msgspec.json.encode(Done(host, NOT_BEGUN))
        child, left = Child(), False
        child.begin(asked)
        while not child.over:
            if not is_run and not left and end.exists():
                child.leave()
                left = True
            time.sleep(LOOK_SECONDS)
        answer = child.answer()
        if answer is None and left:  # it had not begun to listen
            answer = NOT_BEGUN
        elif answer is None:
            answer = Answer(message=f"The process of the run {child.last_words()[0]} on {host}", exit_code=4,
                            hint="Start the batch again: the run goes on from its last checkpoint")  # fmt: skip
        if not (answer.exit_code == InputError.exit_code and folder.locked):  # taken between look and start
            return msgspec.json.encode(Done(host, answer))


def seen_here(path: str) -> tuple[str, str, bool]:
    """Return this machine's name, the program's version, and whether a file is there; on a worker."""
    return platform.node(), VERSION, Path(path).exists()
