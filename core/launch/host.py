"""What a machine does for runs that another one starts on it; `core.launch.remote` asks for it through ssh.

A run that comes from elsewhere lies among the runs of this machine and goes in a process of its own, whoever is
connected. The files that its job names by their path on the other machine are kept in `received_home()`.
"""

from __future__ import annotations

import hashlib
import platform
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, BinaryIO

import msgspec

from core import job as jobs
from core.devices import list_devices
from core.errors import InputError, MismatchError, NotFoundError
from core.events import ACTIVE, State
from core.files import file_sha256, loads, replacing, runs_home
from core.launch.child import Request
from core.launch.children import Child
from core.received import received_file
from core.runs.asked import ASKS, ask, asked_until_now
from core.runs.folder import JOB, LOCK, OWN_FILES, TUNING, RunFolder
from core.runs.following import pieces
from core.version import VERSION

FETCHED = (*(name for name in OWN_FILES if name not in (JOB, LOCK)), TUNING)
"""Files of a run folder that are fetched once the run has ended."""

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
    """A run to begin or to go on with: its name, its files as text, and what it may open (`Trust`)."""

    name: str
    files: dict[str, str]
    pickle: bool = False
    code: bool = False
    only: list[str] | None = None


class Frame(msgspec.Struct, frozen=True):
    """News of a run: whole lines of its event log, or its status and whether no process works on it any more."""

    lines: str = ""
    state: str = ""
    step: int = 0
    steps: int = 0
    error: str = ""
    host: str = ""
    over: bool = False


def describe(wanted: list[Wanted]) -> Described:
    """Return what this machine is, and which of the files wanted it lacks."""
    import torch

    devices = list_devices()
    free = {one.id: torch.cuda.mem_get_info(one.id)[0] for one in devices if one.id.startswith("cuda")}
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


def begin(source: BinaryIO) -> str:
    """Begin a run, or go on with it where it is here and was interrupted; returns its folder's path.

    Raises MismatchError where another job lies under its name, and InputError where its process does not begin.
    """
    asked = msgspec.json.decode(source.read(), type=Begin)
    if asked.name != Path(asked.name).name or asked.name in ("", ".", ".."):
        raise InputError(f"{asked.name!r} is no name of a run")
    files = {name: text.encode() for name, text in asked.files.items()}
    folder = RunFolder(runs_home() / asked.name)
    if folder.exists and folder.file(JOB).read_bytes() != files[JOB]:
        raise MismatchError(f"{folder.path} holds another run", "Rename the run and start it again")
    if not folder.exists:
        job = jobs.from_dict(loads(files.pop(JOB)))
        folder = RunFolder.create(folder.path, job, files)
    if not folder.locked and not folder.is_done:
        _work_on(folder, asked)
    return str(folder.path)


def _work_on(folder: RunFolder, asked: Begin) -> None:
    """Have a process of its own work on a run, and wait until it does."""
    child = Child()
    since = asked_until_now(folder)
    child.begin(Request(str(folder.path), True, since, asked.pickle, asked.code, asked.only))
    end = time.monotonic() + START_SECONDS
    while not folder.locked and not child.over and time.monotonic() < end:
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
    folder, gone = RunFolder(path), threading.Event()
    if not folder.exists:
        raise NotFoundError(f"There is no run in {folder.path}")

    def listen() -> None:
        for line in source:
            if (what := line.strip()) in ASKS:
                ask(folder, what)  # type: ignore[arg-type]
        gone.set()

    threading.Thread(target=listen, name="asks of who follows", daemon=True).start()
    told, last = 0.0, Frame()
    while not gone.is_set():
        over = not folder.locked
        for lines, end in pieces(folder, offset):
            tell(msgspec.json.encode(Frame(lines.decode(errors="replace"))) + b"\n")
            offset = end
        frame = _frame(folder, over)
        if frame != last or time.monotonic() - told > BEAT_SECONDS:
            tell(msgspec.json.encode(frame) + b"\n")
            told, last = time.monotonic(), frame
        if frame.over:
            return
        gone.wait(LOOK_SECONDS)


def _frame(folder: RunFolder, over: bool) -> Frame:
    """Return a run's status; `over`: whether no process worked on it before its log was read."""
    if not folder.exists:
        return Frame(state=State.DISCARDED.value, over=over)
    status = folder.status()
    over = over and State.named(status.state) not in ACTIVE  # else a process has taken it since
    return Frame("", status.state, status.step, status.steps, status.error or "", status.host, over)


def give(path: str, target: BinaryIO) -> None:
    """Write the files of a run as a tar archive, the event log too."""
    folder = RunFolder.open(path)
    with tarfile.open(fileobj=target, mode="w|") as archive:
        for name in FETCHED:
            if folder.holds(name):
                archive.add(folder.file(name), name, recursive=False)
