"""What is asked of a running engine: pause, stop, leave, discard, checkpoint; from any thread, polled between steps."""

from __future__ import annotations

import threading

from core import distributed


class Interrupted(Exception):  # noqa: N818  (not an error: it unwinds a long refresh after stop or discard)
    """The run was told to leave, or to stop or be discarded during work inside a step."""


class Control:
    """Thread-safe flags of a run. Stop, leave and discard cannot be taken back; discard wins over stop."""

    def __init__(self) -> None:
        self._paused = False
        self._asked = threading.Event()  # something that ends a wait
        self._stop = False
        self._discard = False
        self._leave = False
        self._checkpoint = False
        self._part = False

    def pause(self) -> None:
        """Ask to hold after the current step."""
        self._paused = True

    def resume(self) -> None:
        """Go on after a pause."""
        self._paused = False
        self._asked.set()

    def stop(self) -> None:
        """Ask to end after the current step and keep the model as it is."""
        self._stop = True
        self._asked.set()

    def leave(self) -> None:
        """Ask to end after the current step with a checkpoint, from which the run is gone on with another time."""
        self._leave = True
        self._asked.set()

    def discard(self) -> None:
        """Ask to end and keep nothing."""
        self._discard = True
        self._asked.set()

    def request_checkpoint(self) -> None:
        """Ask for a checkpoint after the current step."""
        self._checkpoint = True
        self._asked.set()

    def ask(self, what: str) -> None:
        """Ask for one of `core.runs.asked.ASKS` by its name."""
        (self.request_checkpoint if what == "checkpoint" else getattr(self, what))()

    def part(self) -> None:
        """Ask whoever follows a run of another process to leave it to itself; the run hears nothing of it."""
        self._part = True
        self._asked.set()

    @property
    def parting(self) -> bool:
        """True once nobody wants to follow the run any more."""
        return self._part

    @property
    def paused(self) -> bool:
        """True while the run should hold and has not been told to end."""
        return self._paused and not self.ending

    @property
    def stopping(self) -> bool:
        """True once stop-and-keep was asked for and discard was not."""
        return self._stop and not self._discard

    @property
    def discarding(self) -> bool:
        """True once discard was asked for."""
        return self._discard

    @property
    def leaving(self) -> bool:
        """True once the run should end as one to be gone on with."""
        return self._leave and not self._stop and not self._discard

    @property
    def ending(self) -> bool:
        """True once the run should end, in whatever way."""
        return self._stop or self._leave or self._discard

    def take_checkpoint_request(self) -> bool:
        """Return whether a checkpoint was asked for, once."""
        asked, self._checkpoint = self._checkpoint, False
        return asked

    def check(self) -> None:
        """Raise Interrupted where the run should end; called inside long work."""
        if self.ending:
            raise Interrupted

    def look(self, ripe: bool = False) -> bool:
        """Take note of what is asked for, which is known here at once; returns `ripe`."""
        return ripe

    def wait(self, seconds: float) -> None:
        """Sleep until something is asked for, at most `seconds`."""
        self._asked.wait(seconds)
        self._asked.clear()


class SharedControl(Control):
    """What is asked of a run that several processes share: what the first rank was asked for when all of them looked.

    So all ranks obey before the same step, and leave a long pass after the same chunk.
    """

    def __init__(self, own: Control) -> None:
        super().__init__()
        self._own = own

    def look(self, ripe: bool = False) -> bool:
        """Take note of what the first rank is asked for; returns whether that one finds the time `ripe`."""
        own = self._own
        asked = (own._paused, own._stop, own._leave, own._discard, own._checkpoint)
        self._paused, self._stop, self._leave, self._discard, checkpoint, ripe = distributed.agreed(*asked, ripe)
        if checkpoint:
            own._checkpoint, self._checkpoint = False, True
        return ripe

    def check(self) -> None:
        """Raise Interrupted on all ranks where the run should end."""
        self.look()
        super().check()

    def wait(self, seconds: float) -> None:
        """Sleep until the first rank is asked for something, at most `seconds`."""
        if distributed.is_first():
            self._own.wait(seconds)
        self.look()
