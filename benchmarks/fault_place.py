"""Where faults are done: images, a model, and the program in children of one process that has everything imported.

A child is forked, told by a preloaded library (`fault_calls.c`) which of its disk calls goes wrong and how, and runs
one command of the command line in a home folder of its own. What a machine does not permit is NotPossible.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import io
import json
import os
import pkgutil
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("fault_calls.c")
MODES = ("count", "kill", "tear", "fail", "fail on", "fill", "stop", "sleep", "clock", "moment")  # as in SOURCE
FORGOTTEN, LATER = "3", "2"
PROGRAMS = ("onnx", "pt2")  # formats that hold the network as a program
WAIT = 60.0  # seconds that any command may take
STEPS = 4  # from one checkpoint to the next
SIDE, IMAGES = 8, 40  # pixels; training and test images
OLD = 1.7e9  # seconds since the epoch, as after a download: files changed just now are looked at again

Command = list[object]


class LostError(Exception):
    """A fault was not survived; the text says what happened instead."""


class NotPossibleError(Exception):
    """The machine does not permit the fault, or it did not come to it."""


@dataclass(frozen=True)
class Call:
    """One call that writes to the disk below a case: whether the fault was done at it, bytes, function and path."""

    hit: bool
    size: int
    function: str
    path: str

    @property
    def place(self) -> str:
        """Function and path, with a * for what is random or counted in it: the same place in the program."""
        return f"{self.function} {_VARYING.sub('*', self.path)}"


_VARYING = re.compile(
    r"(?<=\.)([0-9a-f]{8}-\d+-[0-9a-f]{7,}|\w{8})(?=\.tmp\b)|(?<=\.export-)\w{8}|(?<=\.tmp)\w{6}$|[0-9a-f]{12,}|\d{3,}"
)


@dataclass(frozen=True)
class Done:
    """What a process did: exit code (below 0: the signal that ended it), output, disk calls, processor seconds."""

    code: int
    out: str
    err: str
    calls: tuple[Call, ...] = ()
    seconds: float = 0.0

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    def expect(self, *codes: int) -> Done:
        """Require one of these exit codes; one that is not 0 or 5 comes with one line that says why."""
        if self.code not in codes:
            raise LostError(f"exit code {self.code}: {(self.err.strip() or self.out.strip())[-300:]}")
        if "Traceback" in self.err + self.out:
            raise LostError("a traceback was shown")
        if self.code > 0 and self.code != 5 and len(self._errors) != 1:
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
        return [line for line in self.err.splitlines() if line.startswith("error:") or " failed: " in line]


@dataclass(frozen=True)
class Fault:
    """What goes wrong: one of MODES, at which call of a place (or byte, or microsecond); errno, seconds or signal."""

    mode: str = "count"
    at: int = 0
    worth: int = 0
    place: str = ""  # as `Call.place`; "" for any


NONE = Fault()
NO_MORE: dict[str, str] = {}


def preload(module: str) -> None:
    """Begin this process anew as `module` with SOURCE preloaded, unless it has begun like that.

    Raises NotPossibleError where that cannot be.
    """
    if hasattr(ctypes.CDLL(None), "fault_arm"):
        shutil.rmtree(Path(os.environ.pop("LD_PRELOAD")).parent, ignore_errors=True)  # it is in memory
        return
    library = compiled(Path(tempfile.mkdtemp(prefix="faults-")))
    kept = {k: v for k, v in os.environ.items() if not k.startswith("UNLEARN_STUDIO_") and k != "DISPLAY"}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    os.execve(
        sys.executable, [sys.executable, "-m", module, *sys.argv[1:]], {**kept, **threads, "LD_PRELOAD": str(library)}
    )


def compiled(folder: Path) -> Path:
    """Compile SOURCE into a folder; raises NotPossibleError where the system preloads nothing or has no compiler."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if sys.platform != "linux" or compiler is None:
        raise NotPossibleError("a C compiler and a Linux system are needed to do faults at disk calls")
    library = folder / "fault_calls.so"
    built = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], capture_output=True, check=False
    )
    if built.returncode:
        raise NotPossibleError(f"{SOURCE.name} cannot be compiled here")
    return library


def working_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a temporary folder in memory where there is room: syncing a disk takes most of the time otherwise."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 1 << 30
    return tempfile.TemporaryDirectory(prefix="faults-", dir=memory if roomy else None)


@dataclass
class Place:
    """A folder with what faults are done to: `data`, and the model `original`, which no fault may touch."""

    root: Path
    data: Path = field(init=False)
    original: Path = field(init=False)
    _count: int = 0

    def __post_init__(self) -> None:
        self.data, self.original = self.root / "data.npz", self.root / "original"
        write_data(self.data)
        import_all()
        home = self.fresh("warm")
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            for command in (
                ["train", "--dataset", self.data, "--arch", "mlp", "--recipe", "epochs=4", "lr=0.1", "batch=16",
                 "--threads", 1, "--out", self.original],
                self.unlearn(home / "run", "ssd"),
                ["verify", home / "run", "--retrained", "train", "--seeds", 1],
                *(["export", home / "run", "--format", format, "--out", home / f"m.{format}"] for format in PROGRAMS),
            ):  # fmt: skip
                # Done here and not in a child: what a process makes on first use, every child then has.
                if code := _main(command, home):
                    raise RuntimeError(f"{command[0]} ended with {code}")
        shutil.rmtree(home)
        gc.collect()
        gc.freeze()

    def fresh(self, name: str) -> Path:
        """Make a folder that is not used yet."""
        self._count += 1
        folder = self.root / f"{self._count:05d}-{name}"
        folder.mkdir()
        return folder

    def unlearn(
        self, out: Path, method: str, *more: object, data: Path | None = None, after: Path | None = None
    ) -> Command:
        """Return the arguments of a run that saves whenever it can, `after` another one those of a later request."""
        return [
            "unlearn", "--model", after or self.original, "--dataset", data or self.data,
            "--forget-class", LATER if after else FORGOTTEN, "--method", method, "--threads", 1,
            "--checkpoint-every", 0, "--out", out, *more,
        ]  # fmt: skip

    def call(
        self,
        *command: object,
        home: Path,
        fault: Fault = NONE,
        meanwhile: Callable[[], None] | None = None,
        environment: Mapping[str, str] = NO_MORE,
    ) -> Done:
        """Run a command in a child to its end, with a fault at what it writes below `home`.

        meanwhile: what is done while the child stands still at its fault ("stop").
        """
        out, err, log = (os.memfd_create(name) for name in ("out", "err", "log"))
        try:
            child = os.fork()
            if not child:
                _be_child(command, home, fault, (out, err, log), environment)
            code, seconds = _wait(child, meanwhile)
            texts = [_content(file) for file in (out, err, log)]
        finally:
            for file in (out, err, log):
                os.close(file)
        return Done(code, texts[0], texts[1], _calls(texts[2], home), seconds)


def import_all() -> None:
    """Import all of `core`, with one processor thread, and checkpoints after so many steps instead of seconds."""
    import torch

    import core
    from core.engine import engine

    torch.set_num_threads(1)
    engine.DRAIN_SECONDS, engine.DRAIN_STEPS = WAIT, STEPS
    for module in pkgutil.walk_packages(core.__path__, "core."):
        importlib.import_module(module.name)


def _main(command: list[object] | tuple[object, ...], home: Path) -> int:
    import main

    os.environ["UNLEARN_STUDIO_HOME"] = str(home / "home")
    return main.main([str(word) for word in command])


def _be_child(
    command: tuple[object, ...], home: Path, fault: Fault, files: tuple[int, int, int], environment: Mapping[str, str]
) -> None:  # fmt: skip
    """Run a command and end the process."""
    code = 99
    try:
        os.dup2(files[0], 1)
        os.dup2(files[1], 2)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.environ.update(environment)
        function, _, name = fault.place.partition(" ")
        texts = [str(text).encode() for text in (home, function, f"{home}/{name}" if name else "*")]
        arm = ctypes.CDLL(None).fault_arm
        arm.argtypes = [ctypes.c_char_p] * 3 + [ctypes.c_long, ctypes.c_int, ctypes.c_long, ctypes.c_int]
        arm(*texts, fault.at, MODES.index(fault.mode), fault.worth, files[2])
        code = _main(command, home)
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException as error:
        os.write(2, f"Traceback: {type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(code)


def _wait(child: int, meanwhile: Callable[[], None] | None) -> tuple[int, float]:
    """Return exit code and processor seconds of a child; raises LostError where it does not end in time."""
    handle = os.pidfd_open(child)
    until = time.monotonic() + WAIT
    try:
        while True:
            if meanwhile is None:
                select.select([handle], [], [], max(0.0, until - time.monotonic()))
            else:
                select.select([handle], [], [], 0.005)
            pid, status, used = os.wait4(child, os.WNOHANG | os.WUNTRACED)
            if pid and os.WIFSTOPPED(status):
                if meanwhile is not None:
                    meanwhile()
                os.kill(child, signal.SIGCONT)
                continue
            if pid:
                return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime
            if time.monotonic() > until:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                raise LostError(f"did not end within {WAIT:.0f} seconds")
    except KeyboardInterrupt:  # the child was told, too, and may go on writing for a while
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    finally:
        os.close(handle)


def _content(file: int) -> str:
    return os.pread(file, os.fstat(file).st_size, 0).decode(errors="replace")


def _calls(log: str, home: Path) -> tuple[Call, ...]:
    found = []
    for line in log.splitlines():
        hit, size, function, path = line.split(" ", 3)
        found.append(Call(hit == "1", int(size), function, path.removeprefix(f"{home}/")))
    return tuple(found)


# --- files ---------------------------------------------------------------------------------------------------------


def pixels(count: int, seed: int) -> tuple[Any, Any]:
    """Return noisy images with a bright corner a class, and their classes, four of them."""
    import numpy as np

    draw = np.random.default_rng(seed)
    labels = np.arange(count) % 4
    images = draw.integers(0, 120, (count, SIDE, SIDE), dtype=np.uint8)
    half = SIDE // 2
    for image, label in zip(images, labels, strict=True):
        row, column = divmod(int(label), 2)
        image[half * row : half * (row + 1), half * column : half * (column + 1)] += 120
    return images, labels


def write_data(path: Path) -> None:
    """Write a data set as one file of arrays."""
    import numpy as np

    (train, train_labels), (test, test_labels) = pixels(IMAGES, 0), pixels(IMAGES, 1)
    np.savez(path, x_train=train, y_train=train_labels, x_test=test, y_test=test_labels)


def write_folder(root: Path) -> None:
    """Write the same images as PNG files."""
    from PIL import Image

    for part, seed in (("train", 0), ("test", 1)):
        for number, (image, label) in enumerate(zip(*pixels(IMAGES, seed), strict=True)):
            path = root / part / str(label) / f"{number:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
            os.utime(path, (OLD, OLD))
