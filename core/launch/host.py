"""What a machine does for runs that another one starts on it; `core.launch.remote` asks for it through ssh.

A run that comes from elsewhere lies among the runs of this machine and goes in a process of its own, whoever is
connected. The files that its job names by their path on the other machine are kept where `received_file` says.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, BinaryIO

import msgspec

from core import job as jobs
from core.devices import list_devices
from core.errors import AppError, InputError, MismatchError
from core.events import ACTIVE, Count, State
from core.files import file_sha256, loads, open_regular, replacing, runs_home
from core.launch.child import Request
from core.launch.children import Child
from core.received import received_file
from core.runs.asked import ASKS, ask, asked_until_now
from core.runs.folder import EVENTS, FORGET, JOB, LOCK, OWN_FILES, TUNING, RunFolder
from core.runs.following import pieces
from core.version import VERSION

FETCHED = (*(name for name in OWN_FILES if name not in (JOB, LOCK)), TUNING)
"""Files of a run folder that are fetched once the run has ended."""

SENT = (JOB, FORGET, TUNING)
"""Files of a run folder that begin a run there."""

BEAT_SECONDS = 1.0  # between two frames, at most: who follows notices a connection that is gone
LOOK_SECONDS = 0.05
START_SECONDS = 120.0  # until a process must have taken its run


class Described(msgspec.Struct, frozen=True):
    """A machine: its name, the program's version, its devices with free bytes, and which files it has received."""

    host: str
    version: str
    devices: dict[str, str]
    free: dict[str, int]
    missing: list[str] = []


class Wanted(msgspec.Struct, frozen=True):
    """A file that a job needs: where it is on the machine that asks, and its SHA-256; empty where nobody noted it."""

    path: str
    sha256: str


class Begin(msgspec.Struct, frozen=True):
    """A run to begin or to go on with: its name, its files (SENT) as text, and what it may open (`Trust`).

    told: the size of its event log on the machine that asks; told_sha256: of that log.
    """

    name: str
    files: dict[str, str]
    told: Count = 0
    told_sha256: str = ""
    pickle: bool = False
    code: bool = False
    only: list[str] | None = None


class Begun(msgspec.Struct, frozen=True):
    """A run that goes: its folder's path, and whether its event log begins with that of the machine that asked."""

    path: str
    goes_on: bool


class Frame(msgspec.Struct, frozen=True):
    """News of a run: whole lines of its event log, or its status and whether no process works on it any more.

    heard: how many asks have come over this connection.
    """

    lines: bytes = b""
    state: str = ""
    step: int = 0
    steps: int = 0
    error: str = ""
    host: str = ""
    heard: Count = 0
    over: bool = False


def describe(wanted: list[Wanted]) -> Described:
    """Return what this machine is, and which of the files wanted it lacks."""
    import torch

    devices, free = list_devices(), dict[str, int]()
    for one in devices:
        if one.id.startswith("cuda"):
            with contextlib.suppress(RuntimeError):  # a GPU that another process has for itself does not say
                free[one.id] = torch.cuda.mem_get_info(one.id)[0]
    missing = [file.path for file in wanted if not _has(file)]
    return Described(platform.node(), VERSION, {one.id: one.title for one in devices}, free, missing)


def _has(file: Wanted) -> bool:
    """Whether this machine has a file, at its own path or received."""
    return any(
        place.is_file() and (not file.sha256 or file_sha256(place) == file.sha256)
        for place in (Path(file.path), received_file(file.path))
    )


def receive(source: BinaryIO, file: Wanted) -> None:
    """Keep a file that comes from another machine. Raises MismatchError where it is not the one that was meant."""
    place, digest = received_file(file.path), hashlib.sha256()
    with replacing(place, private=True) as temporary:
        with temporary.open("wb") as target:
            while piece := source.read(1 << 20):
                digest.update(piece)
                target.write(piece)
        if digest.hexdigest() != file.sha256:
            raise MismatchError(f"{Path(file.path).name} did not come whole", "Start the run again")


def begin(source: BinaryIO) -> Begun:
    """Begin a run, or go on with it where it is here and was interrupted.

    Raises MismatchError where another job lies under its name, and InputError where its process does not begin.
    """
    asked = msgspec.json.decode(source.read(), type=Begin)
    if asked.name != Path(asked.name).name or asked.name in ("", ".", ".."):
        raise InputError(f"{asked.name!r} is no name of a run")
    files = {name: text.encode() for name, text in asked.files.items()}
    if JOB not in files or not set(files) <= set(SENT):
        raise InputError(f"A run is begun with {', '.join(SENT)}, not with {', '.join(files) or 'nothing'}")
    folder = RunFolder(runs_home() / asked.name)
    if folder.exists and folder.file(JOB).read_bytes() != files[JOB]:
        raise MismatchError(f"{folder.path} holds another run", "Rename the run and start it again")
    if not folder.exists:
        folder = RunFolder.create(folder.path, jobs.from_dict(loads(files[JOB])), files)
    goes_on = _begins_with(folder, asked.told, asked.told_sha256)
    if not folder.locked and not folder.is_done:
        _work_on(folder, asked)
    return Begun(str(folder.path), goes_on)


def _begins_with(folder: RunFolder, size: int, sha256: str) -> bool:
    """Whether the first bytes of a run's event log, as many as `size`, have a hash."""
    if not size:
        return True
    if not folder.holds(EVENTS):
        return False
    digest = hashlib.sha256()
    with open_regular(folder.file(EVENTS), follow=False) as file, contextlib.suppress(InputError):  # it is shorter
        copy(file, digest.update, size)
    return digest.hexdigest() == sha256


def _work_on(folder: RunFolder, asked: Begin) -> None:
    """Have a process of its own work on a run, and wait until it does."""
    child = Child()
    since = asked_until_now(folder)
    child.begin(Request(str(folder.path), True, since, asked.pickle, asked.code, asked.only))
    end = time.monotonic() + START_SECONDS
    while not folder.locked and not child.over:
        if time.monotonic() > end:
            child.kill()
            raise InputError(f"No process took the run within {START_SECONDS:.0f} seconds", "See what slows it there")
        time.sleep(LOOK_SECONDS)
    answer = child.answer() if child.over else None
    if answer is not None and answer.message:
        raise answer.as_error()
    if child.over and answer is None:
        raise InputError(f"The process of the run {child.last_words()[0]}", "See that machine's log")


def follow(path: str, offset: int, source: IO[str], tell: Callable[[bytes], object]) -> None:
    """Tell of a run until no process works on it: `tell` gets a frame as a line of JSON; `source`: asks, one a line.

    Ends, too, when `source` does: nobody follows any more.
    """
    folder, gone, heard = RunFolder(path), threading.Event(), list[str]()

    def listen() -> None:
        for line in source:
            if (what := line.strip()) in ASKS:
                with contextlib.suppress(AppError):  # its folder is gone: that is told below
                    ask(folder, what)  # type: ignore[arg-type]
            heard.append(what)
        gone.set()

    threading.Thread(target=listen, name="asks of who follows", daemon=True).start()
    told, last = 0.0, Frame()
    while not gone.is_set():
        over = not folder.locked
        for lines, end in pieces(folder, offset):
            if lines:
                tell(msgspec.json.encode(Frame(lines)) + b"\n")
            offset = end
        frame = _frame(folder, len(heard), over)
        if frame != last or time.monotonic() - told > BEAT_SECONDS:
            tell(msgspec.json.encode(frame) + b"\n")
            told, last = time.monotonic(), frame
        if frame.over:
            return
        gone.wait(LOOK_SECONDS)


def _frame(folder: RunFolder, heard: int, over: bool) -> Frame:
    """Return a run's status; `over`: whether no process worked on it before its log was read."""
    if not folder.exists:
        return Frame(state=State.DISCARDED.value, heard=heard, over=over)
    status = folder.status()
    over = over and State.named(status.state) not in ACTIVE  # else a process has taken it since
    return Frame(b"", status.state, status.step, status.steps, status.error or "", status.host, heard, over)


def give(path: str, target: BinaryIO) -> None:
    """Write the files of a run one after the other, the event log too, behind a line of JSON: their names and sizes."""
    folder = RunFolder.open(path)
    with contextlib.ExitStack() as opened:
        files = {
            name: opened.enter_context(open_regular(folder.file(name), follow=False))
            for name in FETCHED if folder.holds(name)
        }  # fmt: skip
        sizes = {name: os.fstat(file.fileno()).st_size for name, file in files.items()}
        target.write(msgspec.json.encode(sizes) + b"\n")
        for name, file in files.items():
            copy(file, target.write, sizes[name])


def copy(source: IO[bytes], take: Callable[[bytes], object], size: int) -> None:
    """Hand so many bytes of a file to `take`, in pieces. Raises InputError where there are fewer."""
    while size > 0:
        piece = source.read(min(size, 1 << 20))
        if not piece:
            raise InputError("A file ended before its end")
        take(piece)
        size -= len(piece)
