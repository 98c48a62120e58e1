"""A process that works on one run: `python -m core.launch.child`, started by `core.launch.children`.

It loads what a run needs, reads a request as a line of JSON from its argument or from its input, works on the run, and
answers with a line of JSON: the state the run ended in, or the error it ended with. Several that torchrun starts share
the run, and the first one answers. Where its input ends before a request came, whoever started it is gone, and it ends
too. The run goes on when whoever asked for it ends.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import msgspec

from core.engine.control import Control, Interrupted
from core.errors import AppError, FaultError, InputError, RunError, StoppedError, UsageError, of_system
from core.events import Event, State
from core.libraries import load_on_the_way
from core.models.trust import Trust
from core.runs.folder import RunFolder
from core.runs.waiting import Check


class Request(msgspec.Struct, frozen=True):
    """What a child is asked to do with the run in the folder `run`: work on it, train its retrained reference of the
    seed `reference`, or check its result as `check` says, with `ended` only where it has come to its end.

    asked_from: as in `running.run`. pickle, code and only: what may be opened, as Trust has it.
    """  # noqa: D205

    run: str
    resume: bool = True
    asked_from: int = 0
    pickle: bool = False
    code: bool = False
    only: list[str] | None = None
    reference: int | None = None
    check: Check | None = None
    ended: bool = False

    @property
    def trust(self) -> Trust:
        """What the run may open."""
        return Trust(self.pickle, self.code, None if self.only is None else frozenset(self.only))


def trusting(trust: Trust) -> dict[str, Any]:
    """Return the fields of a request, or of `host.Begin`, that say what may be opened."""
    only = sorted(trust.only) if trust.only is not None else None
    return {"pickle": trust.pickle, "code": trust.code, "only": only}


class Answer(msgspec.Struct, frozen=True):
    """How a run ended: its state, or what its error says."""

    state: str = ""
    message: str = ""
    hint: str = ""
    exit_code: int = 0

    def as_error(self) -> AppError:
        """Return the error of a run that failed: of the class that its exit code stands for."""
        return error_of_code(self.exit_code, self.message, self.hint)


def error_of_code(code: int, message: str, hint: str) -> AppError:
    """Return the error that another process told of: of the class that its exit code stands for."""
    kinds: tuple[type[AppError], ...] = (UsageError, InputError, RunError, StoppedError)
    return next((kind for kind in kinds if kind.exit_code == code), FaultError)(message, hint)


def main(arguments: list[str]) -> None:
    """Work on the run that is asked for and answer."""
    faulthandler.enable()
    answers = os.fdopen(os.dup(1), "wb")  # what libraries print must not come between
    os.dup2(2, 1)
    from core import distributed
    from core.session import checking  # noqa: F401  (what a run needs is loaded before it is asked for)

    if not arguments:  # started before anybody asks for a run
        load_on_the_way()
    line = arguments[0].encode() if arguments else sys.stdin.buffer.readline()
    if not line.strip():
        return
    request, control = msgspec.json.decode(line, type=Request), Control()
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda number, frame: control.leave())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for who follows the run, and asks for what it means
    try:
        with distributed.joined():
            answer = Answer(state=_do(request, control).value)
    except Exception as error:
        answer = _answer_of(error)
    if distributed.launched_rank() > 0 and not distributed.speaks():
        return  # of processes that share the run the first one answers
    with contextlib.suppress(OSError):  # whoever asked may be gone; the run folder says it all
        answers.write(msgspec.json.encode(answer) + b"\n")
        answers.flush()


def _do(request: Request, control: Control) -> State:
    """Do what is asked for; returns how it ended, and raises what it failed with."""
    from core.session.bench import Bench

    folder, bench = RunFolder.open(Path(request.run)), Bench(trust=request.trust)  # else it was deleted meanwhile
    if request.reference is not None or request.check is not None:
        from core.session import checking

        if (wanted := request.check) is not None:
            if request.ended and not folder.finished:  # it was stopped: its result is kept, and held against nothing
                return State(folder.status().state)
            checking.check(folder, control, _nobody, bench, seeds=wanted.seeds, retrained=wanted.brought,
                           which=wanted.which, start=wanted.start)  # fmt: skip
        else:
            reference = bench.for_job(folder.job())
            checking.train_reference(folder, reference, request.reference or 0, control, _nobody)
        return State.FINISHED
    from core.session.running import run

    return run(folder, control, _nobody, bench, resume=request.resume, asked_from=request.asked_from)


def _nobody(event: Event) -> None:
    """Tell nobody: whoever wants to know reads the folder."""


def _answer_of(error: Exception) -> Answer:
    """Return how a run ended that raised `error`; of a fault the traceback goes to the terminal."""
    if isinstance(error, Interrupted):
        error = StoppedError("It was told to end", "Start it again to go on")
    said = of_system(error) or error
    if isinstance(said, AppError):
        return Answer(message=said.message, hint=said.hint, exit_code=said.exit_code)
    traceback.print_exception(error)
    return Answer(message=f"{type(error).__name__}: {error}", hint="This is a bug in Unlearn Studio", exit_code=1)


if __name__ == "__main__":
    main(sys.argv[1:])
