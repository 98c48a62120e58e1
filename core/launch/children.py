"""Runs in processes of their own: started warm, followed by their folder, and told of where they end before the run."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import msgspec

from core.engine.control import Control
from core.errors import AppError, InputError, ProcessEndedError, RunError
from core.events import Emit, Event, Log, RunFailed, RunFinished, State
from core.launch.child import Answer, Request, trusting
from core.models.trust import Trust
from core.runs.asked import Ask, ask, asked_until_now
from core.runs.folder import RunFolder
from core.runs.following import log_end, looks

LOOK_SECONDS = 0.03
OWN_SESSION: dict[str, Any] = {
    "start_new_session": True, "creationflags": getattr(subprocess, "CREATE_NO_WINDOW", 0)
}  # fmt: skip
"""Arguments of Popen for a process that hears no Ctrl+C of this one's terminal, and outlasts it."""

TOLD_LAST = 8192  # characters of what a process wrote to its terminal that are told where it ended before its run
CRASHES = ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL")  # a process's own doing
_EXTENSIONS = re.compile(r"^Extension modules: .*\n?", re.MULTILINE)  # hundreds of names behind each crash
RESUME = "Resume it: it goes on from its last checkpoint"


def run_in_child(
    folder: RunFolder, control: Control, emit: Emit, trust: Trust, *, resume: bool, processes: int = 1
) -> State:
    """Run the job in `folder` in a process of its own, or on `processes` that share the work, and follow it.

    Returns and raises as `launch` says.
    """
    offset, since = log_end(folder), asked_until_now(folder)
    request = Request(str(folder.path.absolute()), resume, since, **trusting(trust))
    child = Child(request, processes) if processes > 1 else take_warm()
    if processes == 1 and folder.status().state == State.QUEUED:  # whose run it is, before it has taken it
        folder.change_status(pid=child.pid)
    child.begin(request)
    _at_work.add(child)
    try:
        return _follow(child, folder, control, emit, offset)
    except KeyboardInterrupt:  # in a notebook, say: nobody asks it for anything any more
        with contextlib.suppress(AppError):
            ask(folder, "leave")
        raise
    finally:
        _at_work.discard(child)


def end_at_once() -> None:
    """Kill the processes whose runs are followed by this one; their checkpoints stay."""
    for child in tuple(_at_work):
        child.end()


class Child:
    """A process started to work on a run; it waits for its request where it gets none at the start."""

    def __init__(self, request: Request | None = None, processes: int = 1) -> None:
        program = f"{__package__}.child"
        command = [sys.executable, "-P"]
        if processes > 1:
            command += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
        command += [program] if processes > 1 else ["-m", program]
        if request is not None:
            command.append(msgspec.json.encode(request).decode())
        self._waits = request is None
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  (as long as the process)
        self._killed = _kills_for_memory()
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, env=environment(),
            **OWN_SESSION,
        )  # fmt: skip
        self._answer = b""
        self._reading = threading.Thread(target=self._read, name="answer of a run's process", daemon=True)
        self._reading.start()

    def begin(self, request: Request) -> None:
        """Send the request where it has none yet. A process that is gone by now is told of when it is waited for."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            if self._waits:
                self._process.stdin.write(msgspec.json.encode(request) + b"\n")
            self._process.stdin.close()

    @property
    def over(self) -> bool:
        """Whether it has ended, and all it said was read."""
        return self._process.poll() is not None and not self._reading.is_alive()

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    def leave(self) -> None:
        """Have it end with a checkpoint."""
        self._process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        """Kill it, and those that share its run; waits for nothing, so that a handler of signals may call it."""
        with contextlib.suppress(ProcessLookupError):
            if hasattr(os, "killpg"):
                os.killpg(self.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def kill(self) -> None:
        """End it, and have it ended: one that waits for a request, or does not begin, has nothing to lose."""
        self.end()
        self._process.wait()
        self._reading.join()
        self._said.close()

    def answer(self) -> Answer | None:
        """Return how its run ended, once it is over; None where it ended without a word."""
        with contextlib.suppress(msgspec.DecodeError):
            return msgspec.json.decode(self._answer, type=Answer)
        return None

    def last_words(self) -> tuple[str, str]:
        """Say in a sentence how a process without an answer ended, and what it wrote to its terminal at last."""
        self._said.seek(max(0, self._said.seek(0, os.SEEK_END) - 4 * TOLD_LAST))
        said = _EXTENSIONS.sub("", self._said.read().decode(errors="replace"))
        return _how(self._process.returncode, _kills_for_memory() > self._killed), said[-TOLD_LAST:]

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answer = line
        self._process.stdout.close()


# --- warm ones ------------------------------------------------------------------------------------------------------

_waiting: list[Child] = []
_at_work: set[Child] = set()
_lock = threading.Lock()


def keep_warm() -> None:
    """Have a process ready that has loaded all a run needs: the next run's first step then comes as soon as here.

    Call it where a run in a process of its own is likely. It takes about as much memory as torch.
    """
    with _lock:
        _waiting[:] = [child for child in _waiting if not child.over] or [Child()]


def take_warm() -> Child:
    """Return a process that waits for a request: the one kept warm, else one started now."""
    with _lock:
        ready = [child for child in _waiting if not child.over]
        _waiting.clear()
    return ready[0] if ready else Child()


def dismiss_warm() -> None:
    """End the process kept warm, where no run is likely to need it any more."""
    with _lock:
        for child in _waiting:
            child.kill()
        _waiting.clear()


# --- following ------------------------------------------------------------------------------------------------------


class Asking:
    """Passes on what a control is asked, to a run in another process."""

    def __init__(self, control: Control) -> None:
        self._control, self._paused, self._ended = control, False, ""

    def new(self) -> list[Ask]:
        """Return what was asked since the last time."""
        control, asks = self._control, list[Ask]()
        if control.take_checkpoint_request():
            asks.append("checkpoint")
        if control.paused is not self._paused and not control.ending:
            self._paused = control.paused
            asks.append("pause" if self._paused else "resume")
        ended: Ask | None = (
            "discard" if control.discarding else "stop" if control.stopping else "leave" if control.leaving else None
        )
        if ended is not None and ended != self._ended:
            self._ended = ended
            asks.append(ended)
        return asks


def _follow(child: Child, folder: RunFolder, control: Control, emit: Emit, offset: int) -> State:
    """Pass on events and wishes until the process has ended; how the run ended comes last, when its files are there."""
    asking, end = Asking(control), list[Event]()
    while True:
        over = child.over  # before the look: what it wrote until then is seen
        with contextlib.suppress(InputError, OSError):  # a folder that was moved, or deleted on discarding
            for look in looks(folder, offset):
                offset = look.offset
                for event in look.events:
                    (end.append if isinstance(event, RunFinished | RunFailed) else emit)(event)
        if over:
            break
        for what in asking.new():
            with contextlib.suppress(AppError):  # the process is told by nobody else, and ends by itself
                ask(folder, what)
        if control.parting:
            return State(folder.status().state)
        time.sleep(LOOK_SECONDS)
    answer = child.answer() or (Answer(folder.status().state) if folder.is_done else None)
    if answer is None:
        raise _ended(child, folder)
    for event in end[-1:]:
        emit(event)
    if answer.state:
        return State(answer.state)
    error = answer.as_error()
    if isinstance(error, RunError) and folder.exists and folder.status().state == State.INTERRUPTED:
        raise ProcessEndedError(answer.message, answer.hint)  # one of those that shared the run
    raise error


def _ended(child: Child, folder: RunFolder) -> ProcessEndedError:
    """Write into the folder of a run that its process has ended before it, and return the error that says so."""
    how, last = child.last_words()
    message = f"The process of the run {how}"
    with contextlib.suppress(AppError, OSError):
        status, ending = folder.status(), folder.ending()
        if status.state == State.INTERRUPTED:
            with folder.lock():
                if ending is None:  # else the log has its last line, and a report may name its hash
                    told = Log(run=folder.id, step=status.step, time=time.time(), level="error", code="process_ended",
                               message=f"{message}.\n{last}".strip())  # fmt: skip
                    folder.append(told)
                folder.change_status(state=State.INTERRUPTED.value, error=f"{message}. {RESUME}.")
    return ProcessEndedError(message, RESUME, last)


def _how(code: int, memory: bool) -> str:
    """Say how a process ended that gave no answer. memory: whether the system has killed one for memory meanwhile."""
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        if memory:
            return f"was killed by the system, because memory ran out ({name})"
        words = {"SIGKILL": "was killed, as systems do where memory runs out", **dict.fromkeys(CRASHES, "crashed")}
        return f"{words.get(name, 'was ended from outside')} ({name})"
    return f"ended without a result (exit code {code})"


def _kills_for_memory() -> int:
    """Return how many processes of this one's control group Linux has killed for memory; 0 where that is not told."""
    with contextlib.suppress(OSError, ValueError):
        group = Path("/proc/self/cgroup").read_text().strip().rpartition("::")[2]
        for line in Path(f"/sys/fs/cgroup{group}/memory.events").read_text().splitlines():
            name, _, number = line.partition(" ")
            if name == "oom_kill":
                return int(number)
    return 0


def environment() -> dict[str, str]:
    """Return the environment of a child process: it finds the program where this process found it."""
    root = str(Path(__file__).resolve().parents[len(str(__package__).split("."))])
    paths = [root, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(filter(None, paths)))}
