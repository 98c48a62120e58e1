"""Runs on other machines: started through the user's own ssh, followed, asked, and fetched when they have ended.

    look at the machine: is the program there, in this version, with the device asked for?
    send the files it lacks; have it begin the run, in a process that needs nobody
    follow: its event log comes line by line into the run folder here; wishes go the other way
        the connection drops: try again until it stands, from where the log here ends
    fetch the result

Data are never sent: the machine opens its own by the name or path in the job, and the fingerprint proves them the same.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import shlex
import shutil
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TypeVar

import msgspec

from core.engine.control import Control, Interrupted
from core.errors import AppError, InputError, MismatchError, ProcessEndedError, RunError, UsageError
from core.events import ENDED, Emit, Event, Progress, RunFailed, RunFinished, State, from_lines
from core.files import CARD_NAME, data_home, file_sha256, open_to_append, read_json, replacing, write_json
from core.job import Job, Launcher
from core.launch.child import error_of_code, trusting
from core.launch.children import RESUME, Asking, log_end
from core.launch.host import FETCHED, Begin, Described, Frame, Wanted
from core.models.trust import Trust
from core.runs.folder import EVENTS, FORGET, JOB, MODEL, TUNING, RunFolder, Status
from core.version import VERSION

_T = TypeVar("_T")
SSH = "UNLEARN_STUDIO_SSH"
"""Variable of the environment: how ssh is called here, such as "ssh -F other_config"."""

OPTIONS = ("-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=5",
           "-o", "ServerAliveCountMax=3")  # fmt: skip
SILENCE_SECONDS = 30.0  # without a frame, after which a connection counts as gone
PATIENCE_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)  # between two tries to connect, the last again and again
LOOK_SECONDS = 0.05
_LOST = 255  # ssh's own exit code
_UNKNOWN = 127  # the shell's: there is no such command


def run_remotely(
    launcher: Launcher, folder: RunFolder, control: Control, emit: Emit, trust: Trust, *, chosen: bool
) -> State:
    """Run the job in `folder` on the machine that `launcher` names, and follow it; returns and raises as `launch` says.

    A run that is there already is gone on with where it was interrupted; it is followed from where the log here ends.
    chosen: whether the user names the machine now. One that only a job names, which may be anybody's, is connected to
    where it was chosen on this machine before.
    """
    _consent(launcher, chosen)
    host = Host(launcher)
    with folder.lock():
        try:
            path = _begun(host, folder, control, emit, trust)
        except Interrupted:  # before it was there: nothing is kept, or it stays as it was left
            state = State.INTERRUPTED if control.leaving or log_end(folder) else State.DISCARDED
        else:
            state = _Mirror(host, path, folder, control, emit).follow()
    if state is State.DISCARDED:
        folder.delete()
    return state


def _begun(host: Host, folder: RunFolder, control: Control, emit: Emit, trust: Trust) -> str:
    """Have a run begin on a machine, with all it needs from this one; returns its folder's path there."""
    job, step = folder.job(), folder.status().step

    def tell(what: str, done: int = 0, total: int = 0) -> None:
        emit(Progress(run=folder.id, step=step, time=time.time(), what=what, done=done, total=total))
        control.check()

    tell(f"Connecting to {host.name}")
    wanted = _wanted(job)
    there = host.asked("describe", Described, msgspec.json.encode(wanted))
    _require_fit(host, there, job)
    for number, file in enumerate(file for file in wanted if file.path in there.missing):
        tell(f"Sending {Path(file.path).name} to {host.name}", number, len(there.missing))
        host.send(file)
    tell(f"Starting on {host.name} ({', '.join(_devices(there))})")
    return host.asked("begin", str, msgspec.json.encode(_begin(folder, trust)))


class Host:
    """The program on another machine, reached by ssh."""

    def __init__(self, launcher: Launcher) -> None:
        self.name, self._program = launcher.host, launcher.program

    def started(self, *arguments: str, source: int | IO[bytes] = subprocess.PIPE) -> subprocess.Popen[bytes]:
        """Start the program there with a subcommand of `host`; its words on stderr are for errors."""
        ssh = shlex.split(os.environ.get(SSH, "ssh"))
        command = f"{self._program} host {shlex.join(arguments)}"  # the program's path may begin with ~
        return subprocess.Popen(
            [*ssh, *OPTIONS, "--", self.name, command], stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip

    def asked(self, what: str, kind: type[_T], given: bytes = b"", *arguments: str) -> _T:
        """Have the machine do something and return its answer. Raises as `failed` says."""
        process = self.started(what, *arguments)
        answer, said = process.communicate(given)
        if process.returncode:
            raise self.failed(process.returncode, said)
        try:
            return msgspec.json.decode(answer, type=kind)
        except msgspec.DecodeError:
            raise InputError(
                f"{self.name} answered something else than Unlearn Studio does",
                "Its shell must write nothing when it starts without a terminal",
            ) from None

    def send(self, file: Wanted) -> None:
        """Send a file."""
        with Path(file.path).open("rb") as source:
            process = self.started("receive", file.path, file.sha256, source=source)
            said = process.communicate()[1]
        if process.returncode:
            raise self.failed(process.returncode, said)

    def failed(self, code: int, said: bytes) -> AppError:
        """Return the error to raise where a command on the machine ended with a code that is not 0.

        What the program says there is passed on with its exit code; ConnectionLost where ssh did not get there.
        """
        lines = said.decode(errors="replace").strip().splitlines() or [""]
        last = next((line for line in reversed(lines) if line.startswith("error: ")), lines[-1]).removeprefix("error: ")
        if code == _LOST:
            return ConnectionLostError(
                f"{self.name} cannot be reached: {last}", f"`ssh {self.name}` must work without a question"
            )
        if code == _UNKNOWN:
            return InputError(
                f"{self.name} has no command {self._program}",
                f"Install Unlearn Studio {VERSION} there, or say where it is: `ssh {self.name} PATH`",
            )
        if "invalid choice" in last or "no subcommand 'host'" in last:
            return MismatchError(f"{self.name} has another version of Unlearn Studio", f"Install {VERSION} there")
        return error_of_code(code, f"{self.name}: {last}", "")


class ConnectionLostError(InputError):
    """The machine cannot be reached, or the connection to it ended."""


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
    if job.data.classes_file:
        found[job.data.classes_file] = file_sha256(Path(job.data.classes_file))
    return [Wanted(path, sha256) for path, sha256 in found.items()]


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
    files = {one: folder.file(one).read_text(encoding="utf-8") for one in (JOB, FORGET, TUNING) if folder.holds(one)}
    return Begin(name, files, **trusting(trust))


# --- while it goes --------------------------------------------------------------------------------------------------


class _Mirror:
    """Keeps the run folder here as the one there is, and passes wishes on."""

    def __init__(self, host: Host, path: str, folder: RunFolder, control: Control, emit: Emit) -> None:
        self._host, self._path, self._folder, self._control, self._emit = host, path, folder, control, emit
        self._asking = Asking(control)
        self._unsent: list[str] = []
        self._end: Event | None = None
        self._status = Status(State.PREPARING.value, os.getpid(), time.time(), folder.status().step)

    def follow(self) -> State:
        """Follow until the run has ended there, or `control` is parting or leaving; fetch what it has made."""
        self._tell_status(Frame(state=State.PREPARING.value, step=self._status.step))
        failures = 0
        while True:
            try:
                for frame in self._connected():
                    failures = 0
                    if frame.over:
                        return self._conclude(frame)
                    if self._control.parting or self._control.leaving:
                        return self._leave()
                lost = "the connection ended"
            except ConnectionLostError as error:
                lost = error.message
            wait = PATIENCE_SECONDS[min(failures, len(PATIENCE_SECONDS) - 1)]
            failures += 1
            self._say(f"{self._host.name}: {lost.rstrip('.')}; trying again")
            end = time.monotonic() + wait
            while time.monotonic() < end:
                if self._control.parting or self._control.leaving:
                    return self._leave()
                time.sleep(LOOK_SECONDS)

    def _connected(self) -> Iterator[Frame]:
        """Yield the status of the run there as it changes, over one connection; its log goes into the one here."""
        offset = log_end(self._folder)
        process = self._host.started("follow", self._path, str(offset))
        frames: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        assert process.stdout is not None and process.stdin is not None and process.stderr is not None

        def read(output: IO[bytes]) -> None:
            for line in output:
                frames.put(line)
            frames.put(b"")

        threading.Thread(target=read, args=(process.stdout,), name=f"run on {self._host.name}", daemon=True).start()
        heard, frame = time.monotonic(), Frame()
        try:
            while True:
                self._unsent += [ask for ask in self._asking.new() if ask != "leave"]  # that is left, and goes on
                with contextlib.suppress(OSError):
                    while self._unsent:
                        process.stdin.write(f"{self._unsent[0]}\n".encode())
                        process.stdin.flush()
                        self._unsent.pop(0)
                try:
                    line = frames.get(timeout=LOOK_SECONDS)
                except queue.Empty:
                    if time.monotonic() - heard > SILENCE_SECONDS:
                        raise ConnectionLostError("nothing was heard of it") from None
                    yield frame
                    continue
                if not line:
                    if process.wait():
                        raise self._host.failed(process.returncode, process.stderr.read())
                    return
                heard = time.monotonic()
                try:
                    told = msgspec.json.decode(line, type=Frame)
                except msgspec.DecodeError:  # the connection ended within it
                    raise ConnectionLostError("the connection ended") from None
                if told.lines:
                    self._take(told.lines.encode())
                else:
                    frame = told
                    self._tell_status(frame)
                    yield frame
        finally:
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.kill()
            process.wait()
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

    def _say(self, what: str) -> None:
        self._emit(Progress(run=self._folder.id, step=self._status.step, time=time.time(), what=what, done=0, total=0))

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
            return state
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
        self._say(f"Fetching the result from {self._host.name}")
        process = self._host.started("give", self._path)
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        process.stdin.close()
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
                for member in archive:
                    source = archive.extractfile(member) if member.isreg() and member.name in FETCHED else None
                    if source is None:
                        continue
                    private = member.name == EVENTS
                    with (
                        replacing(self._folder.file(member.name), private=private) as temporary,
                        temporary.open("wb") as target,
                    ):
                        shutil.copyfileobj(source, target, 1 << 20)
        except tarfile.TarError as error:
            process.wait()
            raise ConnectionLostError(f"the result did not come whole ({error})") from error
        if process.wait():
            raise self._host.failed(process.returncode, process.stderr.read())
        process.stderr.close()
        sha256 = self._end.model_sha256 if isinstance(self._end, RunFinished) else ""
        if sha256 and file_sha256(self._folder.file(MODEL)) != sha256:
            raise ConnectionLostError("the result did not come whole")
