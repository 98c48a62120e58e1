"""The program on another machine, reached by the user's own ssh; what it answers is read in bounded pieces."""

from __future__ import annotations

import os
import queue
import shlex
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeVar

import msgspec

from core.errors import AppError, InputError, MismatchError
from core.job import Launcher
from core.launch.child import error_of_code
from core.launch.children import OWN_SESSION
from core.launch.host import Wanted
from core.version import VERSION

_T = TypeVar("_T")
SSH = "UNLEARN_STUDIO_SSH"
"""Variable of the environment: how ssh is called here, such as "ssh -F other_config"."""

OPTIONS = ("-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=5",
           "-o", "ServerAliveCountMax=3")  # fmt: skip
WAIT_SECONDS = 0.2  # between two looks at what is wanted, while a command there is waited for
LONGEST_ANSWER = 16 << 20  # bytes of a line, or of an answer: the longest piece of a log, as JSON has it
FRAMES_AHEAD = 4  # that are read before they are taken in
_LOST = 255  # ssh's own exit code
_UNKNOWN = 127  # the shell's: there is no such command


class Host:
    """The program on another machine, reached by ssh.

    look: called while it is waited for; what it raises ends the wait.
    """

    def __init__(self, launcher: Launcher, look: Callable[[], object]) -> None:
        self.name, self._program, self.look = launcher.host, launcher.program, look

    def started(self, *arguments: str, source: int | IO[bytes] = subprocess.PIPE) -> subprocess.Popen[bytes]:
        """Start the program there with a subcommand of `host`; its words on stderr are for errors."""
        ssh = shlex.split(os.environ.get(SSH, "ssh"))
        command = f"{self._program} host {shlex.join(arguments)}"  # the program's path may begin with ~
        return subprocess.Popen(
            [*ssh, *OPTIONS, "--", self.name, command], stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            **OWN_SESSION,
        )  # fmt: skip

    def asked(self, what: str, kind: type[_T], given: bytes = b"", *arguments: str) -> _T:
        """Have the machine do something and return its answer. Raises as `failed` says."""
        process = self.started(what, *arguments)
        answer, said = self._waited(process, given)
        if process.returncode:
            raise self.failed(process.returncode, said)
        try:
            return msgspec.json.decode(answer, type=kind)
        except msgspec.DecodeError:
            raise self._strange() from None

    def send(self, file: Wanted, tell: Callable[[int, int], object]) -> None:
        """Send a file; `tell` hears how much of it is sent, in megabytes."""
        with Path(file.path).open("rb") as source:
            total = os.fstat(source.fileno()).st_size >> 20
            process = self.started("receive", file.path, file.sha256, source=source)
            # ssh reads from the very place in the file that is this process's, too.
            said = self._waited(process, told=lambda: tell(os.lseek(source.fileno(), 0, os.SEEK_CUR) >> 20, total))[1]
        if process.returncode:
            raise self.failed(process.returncode, said)

    def _waited(
        self, process: subprocess.Popen[bytes], given: bytes | None = None, told: Callable[[], object] | None = None
    ) -> tuple[bytes, bytes]:
        """Return what a command there has written once it has ended; `told` is called, and `look`, while it goes."""
        try:
            while True:
                (told or self.look)()
                try:
                    return process.communicate(given, timeout=WAIT_SECONDS)
                except subprocess.TimeoutExpired as going:
                    given = None
                    if len(going.output or b"") + len(going.stderr or b"") > LONGEST_ANSWER:
                        raise self._strange() from None
        except BaseException:
            process.kill()
            process.communicate()
            raise

    def _strange(self) -> InputError:
        return InputError(
            f"{self.name} answered something else than Unlearn Studio does",
            "Its shell must write nothing when it starts without a terminal",
        )

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


class Lines:
    """The lines that a process writes, read in a thread: some ahead, and none longer than LONGEST_ANSWER."""

    def __init__(self, output: IO[bytes]) -> None:
        self._room, self._over = threading.Semaphore(FRAMES_AHEAD), threading.Event()
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(output,), name="frames of a run elsewhere", daemon=True).start()

    def _read(self, output: IO[bytes]) -> None:
        with output:
            while not self._over.is_set() and (line := output.readline(LONGEST_ANSWER)):
                self._room.acquire()
                self._lines.put(line)
        self._lines.put(b"")

    def get(self, seconds: float) -> bytes:
        """Return the next line, empty at the end; raises queue.Empty where none comes for so long."""
        line = self._lines.get(timeout=seconds)
        self._room.release()
        return line

    def close(self) -> None:
        """Read no more."""
        self._over.set()
        self._room.release()
