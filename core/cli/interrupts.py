"""Ctrl+C while a run goes: the first stops and keeps, the second ends the program at once."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

from core.errors import StoppedError

if TYPE_CHECKING:
    from core.engine.control import Control


RUN = (
    "Stopping after this step and keeping the model as it is then. Ctrl+C again ends at once.",
    "Ended at once. Checkpoints stay; `resume` goes on from the last one.",
)
CHECK = (
    "Stopping the check. Ctrl+C again ends at once.",
    "Ended at once. Finished measures stay; the same command goes on from them.",
)
"""What the first and the second Ctrl+C are answered with."""


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
