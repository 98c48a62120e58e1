"""What is asked of a run through its folder: any process may write it, the one that works on the run reads it.

asked.jsonl has one JSON object a line, oldest first: `{"ask": "pause"}`. It goes when the run's process ends; what one
that was killed has left unread is passed over, for a run is told where in the file it begins to read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal, get_args

import msgspec

from core.errors import InputError
from core.files import dumps, open_regular, open_to_append
from core.leftovers import remove
from core.runs.folder import ASKED, RunFolder

Ask = Literal["pause", "resume", "checkpoint", "stop", "discard", "leave"]
ASKS: tuple[Ask, ...] = get_args(Ask)
"""What can be asked of a run: hold, go on after that, save a checkpoint; end and keep the result, end and keep nothing,
end with a checkpoint to be gone on with."""

LOOK_SECONDS = 0.1
_LONGEST = 1 << 16  # bytes of what is asked between two looks


class _Line(msgspec.Struct):
    """A line of asked.jsonl."""

    ask: Ask


_LINES = msgspec.json.Decoder(_Line)


def ask(folder: RunFolder, what: Ask) -> None:
    """Ask something of the process that works on a run. Raises InputError where its folder cannot be written to."""
    try:
        with open_to_append(folder.file(ASKED)) as file:
            file.write(dumps({"ask": what}) + b"\n")
    except OSError as error:
        raise InputError(
            f"{folder.file(ASKED)} cannot be written: {error.strerror or error}", "Check the disk and permissions"
        ) from error


def asked_until_now(folder: RunFolder) -> int:
    """Return where what is asked from now on begins, in bytes: what stands before it was meant for another process."""
    try:
        return folder.file(ASKED).lstat().st_size
    except OSError:
        return 0


@contextmanager
def answering(folder: RunFolder, answer: Callable[[Ask], object], since: int) -> Iterator[None]:
    """Hand what is asked of a run to `answer`, in a thread of its own, from byte `since` of the file on."""
    over = threading.Event()

    def look() -> None:
        place = since
        while not over.wait(LOOK_SECONDS):
            with suppress(InputError, OSError):  # there is none yet, or the folder is gone
                place = _answer(folder, answer, place)

    thread = threading.Thread(target=look, name=f"asked of {folder.id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        remove(folder.file(ASKED))


def _answer(folder: RunFolder, answer: Callable[[Ask], object], place: int) -> int:
    """Answer the whole lines from byte `place` on; returns where the next ones begin. Other lines are passed over.

    A file that is shorter was begun anew: a process that ended has removed the one before.
    """
    size = asked_until_now(folder)
    if size < place:
        place = 0
    if size == place:
        return place
    with open_regular(folder.file(ASKED), follow=False) as file:
        file.seek(place)
        data = file.read(_LONGEST)
    end = len(data) if len(data) == _LONGEST else data.rfind(b"\n") + 1
    for line in data[:end].splitlines():
        with suppress(msgspec.DecodeError, ValueError):
            answer(_LINES.decode(line).ask)
    return place + end
