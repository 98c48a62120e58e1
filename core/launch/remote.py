"""Runs on other machines: started through the user's own ssh, followed, asked, and fetched when they have ended.

    look at the machine: is the program there, in this version, with the device asked for?
    send the files it lacks; have it begin the run, in a process that needs nobody
    follow: its event log comes line by line into the run folder here; wishes go the other way
        the connection drops: try again until it stands, from where the log here ends
    fetch the result

Only files that a run has are taken over from the machine. Data are never sent: it opens its own by the name or path in
the job, and the fingerprint proves them the same.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import subprocess
import time
from collections.abc import Generator
from pathlib import Path
from typing import IO

import msgspec

from core.engine.control import Control, Interrupted
from core.errors import InputError, MismatchError, ProcessEndedError, RunError, UsageError
from core.events import ENDED, Count, Emit, Event, Progress, RunFailed, RunFinished, State, from_lines
from core.files import CARD_NAME, data_home, file_sha256, open_to_append, read_json, replacing, write_json
from core.job import Job, Launcher
from core.launch.child import trusting
from core.launch.children import RESUME, Asking
from core.launch.host import FETCHED, SENT, Begin, Begun, Described, Frame, Wanted, copy
from core.launch.ssh import LONGEST_ANSWER, WAIT_SECONDS, ConnectionLostError, Host, Lines
from core.leftovers import remove
from core.models.trust import Trust
from core.runs.asked import answering, asked_until_now
from core.runs.folder import EVENTS, FORGET, MODEL, RunFolder, Status
from core.runs.following import log_end
from core.version import VERSION

SILENCE_SECONDS = 30.0  # without a frame, after which a connection counts as gone
PATIENCE_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)  # between two tries to connect, the last again and again
LOOK_SECONDS = 0.05
PRIVATE = (EVENTS, FORGET)  # they tell of single images


def run_remotely(
    launcher: Launcher, folder: RunFolder, control: Control, emit: Emit, trust: Trust, *, chosen: bool
) -> State:
    """Run the job in `folder` on the machine that `launcher` names, and follow it; returns and raises as `launch` says.

    A run that is there already is gone on with where it was interrupted; it is followed from where the log here ends.
    chosen: whether the user names the machine now. One that only a job names, which may be anybody's, is connected to
    where it was chosen on this machine before.
    """
    _consent(launcher, chosen)

    def look() -> None:
        control.check()
        if control.parting:
            raise Interrupted

    host = Host(launcher, look)
    with folder.lock(), answering(folder, control.ask, asked_until_now(folder)):
        try:
            path = _begun(host, folder, emit, trust)
        except Interrupted:  # before it was there: nothing is kept, or it stays as it was left
            left = control.leaving or not control.ending or log_end(folder)
            state = State.INTERRUPTED if left else State.DISCARDED
        else:
            state = _Mirror(host, path, folder, control, emit).follow()
    if state is State.DISCARDED:
        folder.delete()
    return state


def _begun(host: Host, folder: RunFolder, emit: Emit, trust: Trust) -> str:
    """Have a run begin on a machine, with all it needs from this one; returns its folder's path there."""
    job, step = folder.job(), folder.status().step
    if folder.checkpoints():
        raise UsageError(
            f"{folder.path} has checkpoints of a run on this machine, and they are not sent",
            "Resume it here, or start the same run anew in another folder",
        )

    def tell(what: str, done: int = 0, total: int = 0) -> None:
        emit(Progress(run=folder.id, step=step, time=time.time(), what=what, done=done, total=total))
        host.look()

    tell(f"Connecting to {host.name}")
    wanted = _wanted(job)
    there = host.asked("describe", Described, msgspec.json.encode(wanted))
    _require_fit(host, there, job)
    for file in (file for file in wanted if file.path in there.missing):
        what = f"Sending {Path(file.path).name} to {host.name}"
        tell(what)
        host.send(file, lambda done, total, what=what: tell(what, done, total))  # type: ignore[misc]
    tell(f"Starting on {host.name} ({', '.join(_devices(there))})")
    begun = host.asked("begin", Begun, msgspec.json.encode(_begin(folder, trust)))
    if not begun.goes_on:  # of an attempt that came to nothing, or that was deleted there: the log begins anew, too
        remove(folder.file(EVENTS))
    return begun.path


# --- before the run -------------------------------------------------------------------------------------------------


def _consent(launcher: Launcher, chosen: bool) -> None:
    """Note that the user chose a machine, or refuse one that was never chosen here: a run folder may be anybody's."""
    place = data_home() / "hosts.json"
    known: list[str] = []
    with contextlib.suppress(InputError):
        known = read_json(place, list[str])
    if str(launcher) in known:
        return
    if not chosen:
        raise UsageError(
            f"The run's job names another machine, {launcher.host}, which was not chosen here before",
            f'Say that you mean it: `resume RUN --on "{launcher}"`',
        )
    write_json(place, [*known, str(launcher)])


def _wanted(job: Job) -> list[Wanted]:
    """Return the files a job needs from this machine, with those that say what is in them."""
    if job.model.user_code:
        raise UsageError(
            "A network that is program code is not sent to another machine", "Run it here, or on that machine itself"
        )
    found: dict[str, str] = {}
    parts = [(job.model.path, job.model.sha256)]
    if job.origin is not None:
        parts.append((job.origin.path, job.origin.sha256))
    for path, sha256 in parts:
        if path and job.kind == "unlearn":
            found[path] = sha256
            if (card := Path(path).parent / CARD_NAME).is_file():
                found[str(card)] = file_sha256(card)
    if job.start is not None and job.start.pretrained and _starts_fresh(job):
        found[job.start.path] = job.start.sha256
    if job.data.classes_file:
        found[job.data.classes_file] = file_sha256(Path(job.data.classes_file))
    return [Wanted(path, sha256) for path, sha256 in found.items()]


def _starts_fresh(job: Job) -> bool:
    """Whether a job's method trains a new network, which may begin with pretrained weights."""
    from core.methods import method_of  # loads torch

    return method_of(job).starts_from == "fresh"


def _require_fit(host: Host, there: Described, job: Job) -> None:
    """Raise an error where the machine cannot run a job."""
    if there.version != VERSION:
        raise MismatchError(
            f"{host.name} has Unlearn Studio {there.version}, and this is {VERSION}", f"Install {VERSION} there"
        )
    wanted = "cuda:0" if job.device == "cuda" else job.device
    if wanted != "auto" and wanted not in there.devices:
        raise InputError(
            f"{host.name} has no device {job.device}", f"Choose one of {', '.join(there.devices)}, or auto"
        )


def _devices(there: Described) -> list[str]:
    """Name the devices of a machine, GPUs with the memory that is free on them."""
    return [
        f"{title}, {there.free[name] / 2**30:.0f} GiB free" if name in there.free else title
        for name, title in there.devices.items()
    ]


def _begin(folder: RunFolder, trust: Trust) -> Begin:
    """Return what begins a run there: its files, under a name that its job decides."""
    name = f"{re.sub(r'[^A-Za-z0-9._-]+', '-', folder.id).strip('.-')[:60] or 'run'}-{folder.job_sha256()[:12]}"
    files = {one: folder.file(one).read_bytes().decode() for one in SENT if folder.holds(one)}
    told = log_end(folder)
    if told:
        open_to_append(folder.file(EVENTS)).close()  # cuts off a line that a killed process left unfinished
    return Begin(name, files, told, file_sha256(folder.file(EVENTS)) if told else "", **trusting(trust))


# --- while it goes --------------------------------------------------------------------------------------------------


class _Mirror:
    """Keeps the run folder here as the one there is, and passes wishes on."""

    def __init__(self, host: Host, path: str, folder: RunFolder, control: Control, emit: Emit) -> None:
        self._host, self._path, self._folder, self._control, self._emit = host, path, folder, control, emit
        self._asking = Asking(control)
        self._unheard: list[str] = []  # what was asked and has not been heard there yet
        self._end: Event | None = None
        self._status = Status(State.PREPARING.value, os.getpid(), time.time(), folder.status().step)

    def follow(self) -> State:
        """Follow until the run has ended there, or `control` is parting or leaving; fetch what it has made."""
        self._tell_status(Frame(state=State.PREPARING.value, step=self._status.step))
        failures = 0
        while True:
            try:
                with contextlib.closing(self._connected()) as frames:
                    for frame in frames:
                        failures = 0
                        if frame.over:
                            return self._conclude(frame)
                        if self._left:
                            return self._leave()
                lost = "the connection ended"
            except ConnectionLostError as error:
                lost = error.message
            except Interrupted:  # while the result was fetched
                return self._leave()
            wait = PATIENCE_SECONDS[min(failures, len(PATIENCE_SECONDS) - 1)]
            failures += 1
            self._say(f"{self._host.name}: {lost.rstrip('.')}; trying again")
            end = time.monotonic() + wait
            while time.monotonic() < end:
                if self._left:
                    return self._leave()
                time.sleep(LOOK_SECONDS)

    @property
    def _left(self) -> bool:
        """Whether the run is to be left to itself."""
        return self._control.parting or self._control.leaving

    def _connected(self) -> Generator[Frame, None, None]:
        """Yield the status of the run there as it changes, over one connection; its log goes into the one here."""
        process = self._host.started("follow", self._path, str(log_end(self._folder)))
        assert process.stdout is not None and process.stdin is not None and process.stderr is not None
        lines = Lines(process.stdout)
        heard_at, frame, sent, heard = time.monotonic(), Frame(), 0, 0
        try:
            while True:
                self._unheard += [ask for ask in self._asking.new() if ask != "leave"]  # that is left, and goes on
                with contextlib.suppress(OSError):
                    while sent - heard < len(self._unheard):
                        process.stdin.write(f"{self._unheard[sent - heard]}\n".encode())
                        process.stdin.flush()
                        sent += 1
                try:
                    line = lines.get(LOOK_SECONDS)
                except queue.Empty:
                    if time.monotonic() - heard_at > SILENCE_SECONDS:
                        raise ConnectionLostError("nothing was heard of it") from None
                    yield frame
                    continue
                if not line:
                    if process.wait():
                        raise self._host.failed(process.returncode, process.stderr.read(LONGEST_ANSWER))
                    return
                heard_at = time.monotonic()
                try:
                    told = msgspec.json.decode(line, type=Frame)
                except msgspec.DecodeError:  # the connection ended within it
                    raise ConnectionLostError("the connection ended") from None
                if told.lines:
                    self._take(told.lines)
                    continue
                new = max(0, min(told.heard, sent) - heard)
                del self._unheard[:new]
                heard, frame = heard + new, told
                self._tell_status(frame)
                yield frame
        finally:
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.kill()
            process.wait()
            lines.close()
            process.stderr.close()

    def _take(self, lines: bytes) -> None:
        """Add lines to the log here and hand their events on; how the run ended comes last, once its files are here."""
        with open_to_append(self._folder.file(EVENTS)) as file:
            file.write(lines)
        for told in from_lines(lines):
            event = msgspec.structs.replace(told, run=self._folder.id)  # the folder there has another name
            if isinstance(event, RunFinished | RunFailed):
                self._end = event
            else:
                self._emit(event)

    def _tell_status(self, frame: Frame) -> None:
        """Write the status there into the one here, as that of this process."""
        state = State.named(frame.state)
        if state is None or state in ENDED or state is State.INTERRUPTED:  # the last word comes when all is here
            return
        self._status = self._as_status(frame)
        self._folder.write_status(self._status)

    def _as_status(self, frame: Frame) -> Status:
        """Return the status there as one of this process, which follows it."""
        return Status(
            frame.state, os.getpid(), time.time(), frame.step, frame.steps, None, frame.error or None,
            frame.host or self._host.name,
        )  # fmt: skip

    def _say(self, what: str, done: int = 0, total: int = 0) -> None:
        run, step = self._folder.id, self._status.step
        self._emit(Progress(run=run, step=step, time=time.time(), what=what, done=done, total=total))

    def _leave(self) -> State:
        """Leave the run to itself; resuming it follows it again."""
        state = State.named(self._status.state) or State.RUNNING
        error = f"It may still go on {self._host.name}; resume it to follow it again."
        self._folder.change_status(error=error)
        return state if self._control.parting else State.INTERRUPTED

    def _conclude(self, frame: Frame) -> State:
        """Fetch what the run has made and write how it ended; raises the error it failed with."""
        state = State.named(frame.state) or State.INTERRUPTED
        if state is State.DISCARDED:
            ended = self._end.state if isinstance(self._end, RunFinished) else ""
            if self._control.discarding or ended == State.DISCARDED:
                return state
            raise ProcessEndedError(f"{self._host.name} has the run no more", "Resume it, and it begins anew there")
        if state in ENDED:
            self._fetch()
        self._folder.write_status(self._as_status(frame))
        if self._end is not None:
            self._emit(self._end)
        if state is State.FAILED:
            failed = self._end if isinstance(self._end, RunFailed) else None
            raise RunError(failed.error if failed else frame.error, failed.hint if failed else "")
        if state is State.INTERRUPTED:
            raise ProcessEndedError(f"The process on {self._host.name} ended before the run", RESUME)
        return state

    def _fetch(self) -> None:
        """Take over the files of the run, and prove that the model is the one its log names."""
        process = self._host.started("give", self._path)
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        process.stdin.close()
        try:
            lost: ConnectionLostError | None = None
            try:
                self._take_over(process.stdout)
            except ConnectionLostError as error:
                lost = error
            with contextlib.suppress(subprocess.TimeoutExpired):  # one that goes on writes what nobody wants
                if process.wait(SILENCE_SECONDS if lost is None else WAIT_SECONDS):
                    raise self._host.failed(process.returncode, process.stderr.read(LONGEST_ANSWER))
            if lost is not None:
                raise lost
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()
        sha256 = self._end.model_sha256 if isinstance(self._end, RunFinished) else ""
        if sha256 and file_sha256(self._folder.file(MODEL)) != sha256:
            raise ConnectionLostError("the result did not come whole")

    def _take_over(self, source: IO[bytes]) -> None:
        """Write the files that `host.give` gives, each once it is whole. Raises Interrupted where the run is left."""
        try:
            sizes = msgspec.json.decode(source.readline(LONGEST_ANSWER), type=dict[str, Count])
            if not set(sizes) <= set(FETCHED):
                raise InputError("A file is none that a run has")
            done, total = 0, sum(sizes.values()) >> 20
            for name, size in sizes.items():
                with (
                    replacing(self._folder.file(name), private=name in PRIVATE, make=False) as temporary,
                    temporary.open("wb") as target,
                ):

                    def take(piece: bytes, target: IO[bytes] = target) -> None:
                        nonlocal done
                        target.write(piece)
                        done += len(piece)
                        self._say(f"Fetching the result from {self._host.name}", done >> 20, total)
                        if self._left:
                            raise Interrupted

                    copy(source, take, size)
        except (msgspec.DecodeError, InputError) as error:
            why = str(error).rstrip(".")
            raise ConnectionLostError(f"the result did not come whole ({why})") from error
