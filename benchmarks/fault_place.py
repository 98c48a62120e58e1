"""Where faults are done: a folder of images, a model, a finished run to compare with, and the program in processes.

Everything goes through the command line, in a home folder of its own; what a machine does not permit is NotPossible.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FORGOTTEN = "3"
WAIT = 120.0  # seconds that anything may take
POLL = 0.002
OLD = 1.7e9  # seconds since the epoch, as after a download: files changed just now are looked at again

OWN_MOUNTS = ("unshare", "--user", "--map-root-user", "--mount")

Command = list[object]


class LostError(Exception):
    """A fault was not survived; the text says what happened instead."""


class NotPossibleError(Exception):
    """The machine does not permit the fault, or it could not be done in time."""


@dataclass(frozen=True)
class Done:
    """What a process did."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    def expect(self, *codes: int) -> Done:
        """Require one of these exit codes; one that is not 0 or 5 comes with one line that says why."""
        if self.code not in codes:
            raise LostError(f"exit code {self.code}: {(self.err.strip() or self.out.strip())[-200:]}")
        if "Traceback" in self.err + self.out:
            raise LostError("a traceback was shown")
        if self.code not in (0, 5) and len(self._errors) != 1:
            raise LostError(f"{len(self._errors)} lines of error, not one")
        return self

    def says(self, *words: str) -> Done:
        """Require that some of `words` stand in the error, or in what was shown."""
        text = " ".join(self._errors) or self.out + self.err
        if not any(word in text for word in words):
            raise LostError(f"no word of {' or '.join(map(repr, words))}: {text.strip()[-200:]}")
        return self

    @property
    def _errors(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("error:")]


class Place:
    """A folder with all that faults are done to, and the processes started in it."""

    def __init__(self, root: Path, images: int, rounds: int) -> None:
        """`images`: of scikit-learn's digits, as PNG files; `rounds`: of the run that faults are done to."""
        self.root, self.rounds = root, rounds
        self.images, self.original, self.whole = root / "images", root / "original", root / "whole"
        self.home = root / "home"
        self._running: list[subprocess.Popen[str]] = []
        self._count = 0
        write_digits(self.images, images)
        self.call("train", "--dataset", self.images, "--arch", "small-cnn", "--recipe", "epochs=2", "--threads", 1,
                  "--out", self.original).expect(0)  # fmt: skip
        self.call(*self.unlearn(self.whole)).expect(0)
        self.steps = int(read_json(self.whole / "status.json")["steps"])
        self.resumes: list[float] = []  # seconds from the start of a process to where its run goes on

    # -- commands --------------------------------------------------------------------------------------------------

    def fresh(self, name: str) -> Path:
        """Return a path that is not used yet."""
        self._count += 1
        return self.root / f"{self._count:02d}-{name}"

    def unlearn(self, out: Path, *more: object, images: Path | None = None) -> Command:
        """Return the arguments of the run that faults are done to: it writes a checkpoint whenever it can."""
        return [
            "unlearn", "--model", self.original, "--dataset", images or self.images, "--forget-class", FORGOTTEN,
            "--method", "muda", "--set", f"rounds={self.rounds}", "--threads", 1, "--checkpoint-every", 0, "--out", out,
            *more,
        ]  # fmt: skip

    def start(self, *command: object, inside: str = "", limit: int = 0, **environment: str) -> subprocess.Popen[str]:
        """Start the program. `inside`: shell lines run before it with rights of its own to mount (see `mounts`).

        `limit`: bytes a file may have, beyond which writing fails as on a full disk.
        """
        arguments = [sys.executable, "main.py", *map(str, command)]
        if inside:
            arguments = [*OWN_MOUNTS, "sh", "-c", f'{inside}\n"$@"', "sh", *arguments]
        started = subprocess.Popen(
            arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
            env=self._environment(environment), preexec_fn=functools.partial(_limit_files, limit) if limit else None,
        )  # fmt: skip
        self._running.append(started)
        return started

    def call(self, *command: object, **how: Any) -> Done:
        """Run the program to its end."""
        return self.end(self.start(*command, **how))

    def end(self, process: subprocess.Popen[str], send: int | None = None) -> Done:
        """Wait for a process, after a signal where one is given."""
        if send is not None and process.poll() is None:
            process.send_signal(send)
        try:
            out, err = process.communicate(timeout=WAIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise LostError(f"did not end within {WAIT:.0f} seconds") from None
        self._running.remove(process)
        return Done(process.returncode, out, err)

    def close(self) -> None:
        """End what was left running by a fault that was not survived."""
        for process in self._running:
            process.kill()
            process.communicate()
        self._running.clear()

    # -- a run and what becomes of it ------------------------------------------------------------------------------

    def start_until(self, out: Path, reached: Callable[[], bool], *more: object, **how: Any) -> subprocess.Popen[str]:
        """Start the run into `out` and return it once `reached()`."""
        process = self.start(*self.unlearn(out, *more, images=how.pop("images", None)), **how)
        wait_for(reached, process)
        return process

    def killed(self, name: str, share: float) -> Path:
        """Return the folder of a run that was killed after this share of its steps."""
        out = self.fresh(name)
        self.kill(self.start_until(out, lambda: newest(out) >= share * self.steps))
        return out

    def kill(self, process: subprocess.Popen[str]) -> None:
        """End a process as the system does when it is out of memory."""
        if self.end(process, signal.SIGKILL).code == 0:
            raise NotPossibleError("the run ended before it could be killed")

    def resume(self, out: Path) -> None:
        """Go on with a run and require the weights of the run that nothing happened to."""
        began = time.time()
        self.call("resume", out).expect(0)
        starts = [e for e in read_events(out) if e["type"] == "run_started" and e["time"] > began]
        if starts:
            self.resumes.append(starts[-1]["time"] - began)
        self.no_leftovers(out)
        self.same(out)

    def same(self, out: Path, other: Path | None = None) -> None:
        """Require a finished run whose weights are those of the one that nothing happened to, bit for bit."""
        if read_json(out / "status.json")["state"] != "finished":
            raise LostError("the run has not finished")
        if (out / "model.pt").read_bytes() != ((other or self.whole) / "model.pt").read_bytes():
            raise LostError("its weights are other ones")

    def no_leftovers(self, folder: Path) -> None:
        """Require that no half-written file lies in a folder."""
        left = [p.name for p in folder.rglob("*") if p.suffix == ".tmp" or p.name.startswith((".export", ".model"))]
        if left:
            raise LostError(f"left behind: {', '.join(left)}")

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("UNLEARN_STUDIO_") and k != "DISPLAY"}
        return {**kept, "UNLEARN_STUDIO_HOME": str(self.home), "OMP_NUM_THREADS": "1", **more}


# --- mounts --------------------------------------------------------------------------------------------------------


def small_disk(folder: Path, kilobytes: int, kept: Path) -> str:
    """Return shell lines that make `folder` a disk of a few kilobytes, and copy what is on it to `kept` at the end."""
    require_mounts()
    folder.mkdir()
    kept.mkdir()
    return f"""mount -t tmpfs -o size={kilobytes}k tmpfs '{folder}' || exit 99
trap "cp -a '{folder}/.' '{kept}'" EXIT"""


def read_only(folder: Path) -> str:
    """Return shell lines that make a folder read-only, for its owner and for root, too."""
    require_mounts()
    return f"mount --bind '{folder}' '{folder}' && mount -o remount,ro,bind '{folder}' || exit 99"


@functools.cache
def require_mounts() -> None:
    """Raise NotPossibleError where a process cannot have mounts of its own."""
    probe = [*OWN_MOUNTS, "mount", "-t", "tmpfs", "tmpfs", tempfile.gettempdir()]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True, check=False).returncode:
        raise NotPossibleError("this machine permits no mounts of one's own")


def _limit_files(size: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


# --- files ---------------------------------------------------------------------------------------------------------


def write_digits(root: Path, count: int) -> None:
    """Write scikit-learn's digits as PNG files, every fifth one for testing."""
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = (digits.images * (255 / 16)).round().astype("uint8")[:count]
    for number, (image, label) in enumerate(zip(pixels, digits.target, strict=False)):
        path = root / ("train" if number % 5 else "test") / str(label) / f"{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
        os.utime(path, (OLD, OLD))


def read_json(path: Path) -> Any:
    """Read a JSON file; {} where there is none yet."""
    return json.loads(path.read_text()) if path.exists() else {}


def read_events(out: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's event log that are JSON."""
    found = []
    for line in (out / "events.jsonl").read_bytes().splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def checkpoints(out: Path) -> list[Path]:
    """Return a run's checkpoints, oldest first."""
    return sorted((out / "checkpoints").glob("step-*.pt"))


def newest(out: Path) -> int:
    """Return the step of a run's newest checkpoint, -1 without one."""
    return max((int(path.stem.rpartition("-")[2]) for path in checkpoints(out)), default=-1)


def wait_for(reached: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until `reached()`; raises NotPossibleError where the process ends before."""
    until = time.monotonic() + WAIT
    while not reached():
        if process.poll() is not None:
            return  # whoever waits for it says how it ended
        if time.monotonic() > until:
            raise NotPossibleError("what was waited for did not come")
        time.sleep(POLL)
