"""Runs the job of a run folder to its end for a command (progress, Ctrl+C, result, exit code); the command `resume`.

Ctrl+C: the first stops and keeps, the second ends the program at once.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

from core.cli import options
from core.cli.output import Screen
from core.cli.progress import RunProgress
from core.errors import StoppedError

if TYPE_CHECKING:
    from core.engine.control import Control
    from core.runs.folder import RunFolder
    from core.session.bench import Bench

RUN = (
    "Stopping after this step and keeping the model as it is then. Ctrl+C again ends at once.",
    "Ended at once. Checkpoints stay; `resume` goes on from the last one.",
)
CHECK = (
    "Stopping the check. Ctrl+C again ends at once.",
    "Ended at once. Finished measures stay; the same command goes on from them.",
)
"""What the first and the second Ctrl+C are answered with."""


def declare_resume(parser: argparse.ArgumentParser) -> None:
    """Declare what `resume` takes."""
    parser.add_argument("run", type=options.path, metavar="RUN", help="the run folder")
    options.add_trust(parser)


def run_resume(given: argparse.Namespace, screen: Screen) -> int:
    """Resume the run; one that has a result is shown and left as it is."""
    from core.engine.control import Control
    from core.runs.folder import RunFolder
    from core.session.library import check_resumable

    folder = RunFolder.open(given.run)
    if not folder.is_done:
        check_resumable(folder.job())
    control = Control()
    with stop_on_interrupt(control):
        return run_to_end(folder, control, screen, options.bench_option(given), resume=True)


def run_to_end(folder: RunFolder, control: Control, screen: Screen, bench: Bench, *, resume: bool = False) -> int:
    """Run or resume the job in `folder`, show what it came to, and return the exit code.

    A run that has a result already is shown as it is.
    """
    from core.cli.summary import result_document, result_text
    from core.events import State
    from core.session.running import run

    if folder.is_done:
        screen.say("This run already has its result; nothing was changed.")
    state = run(folder, control, RunProgress(screen), bench, resume=resume)
    if state is State.DISCARDED:
        raise StoppedError("The run was stopped before its first step, so there is nothing to keep", "Start it again")
    if state is State.INTERRUPTED:
        raise StoppedError(f"Stopped before {folder.path} went on; its checkpoints stay", "Resume it when you like")
    screen.say()
    screen.say(result_text(folder))
    screen.document(result_document(folder))
    return StoppedError.exit_code if state is State.STOPPED else 0


@contextlib.contextmanager
def stop_on_interrupt(control: Control, answers: tuple[str, str] = RUN) -> Iterator[None]:
    """Turn Ctrl+C into `control.stop()`; a second one ends the process, and what is on disk stays as it is."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread gets signals
        return

    def interrupted(number: int, frame: FrameType | None) -> None:
        if control.ending:
            _tell(answers[1])
            os._exit(StoppedError.exit_code)
        control.stop()
        _tell(answers[0])

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _tell(text: str) -> None:
    """Write past Python's buffers: a signal may come in the middle of a write, which must not be entered again."""
    with contextlib.suppress(OSError):
        os.write(2, f"\n{text}\n".encode())
