"""A process that works on one run: `python -m core.launch.child`, started by `core.launch.children`.

It loads what a run needs, reads a request as a line of JSON from its argument or from its input, works on the run, and
answers with a line of JSON: the state the run ended in, or the error it ended with. Where its input ends before a
request came, whoever started it is gone, and it ends too. The run goes on when whoever asked for it ends.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
import traceback
from pathlib import Path

import msgspec

from core.errors import AppError, FaultError, InputError, RunError, StoppedError, UsageError, of_system
from core.libraries import load_on_the_way
from core.models.trust import Trust


class Request(msgspec.Struct, frozen=True):
    """What a child is asked to do: work on the run in the folder `run`; `asked_from` as in `running.run`."""

    run: str
    resume: bool
    asked_from: int
    pickle: bool = False
    code: bool = False
    only: list[str] | None = None

    @property
    def trust(self) -> Trust:
        """What the run may open."""
        return Trust(self.pickle, self.code, None if self.only is None else frozenset(self.only))


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
    from core.engine.control import Control
    from core.runs.folder import RunFolder
    from core.session.bench import Bench
    from core.session.running import run

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
        bench = Bench(trust=request.trust)
        state = run(
            RunFolder(Path(request.run)), control, lambda event: None, bench, resume=request.resume,
            asked_from=request.asked_from,
        )  # fmt: skip
        answer = Answer(state=state.value)
    except Exception as error:
        answer = _answer_of(error)
    with contextlib.suppress(OSError):  # whoever asked may be gone; the run folder says it all
        answers.write(msgspec.json.encode(answer) + b"\n")
        answers.flush()


def _answer_of(error: Exception) -> Answer:
    """Return how a run ended that raised `error`; of a fault the traceback goes to the terminal."""
    said = of_system(error) or error
    if isinstance(said, AppError):
        return Answer(message=said.message, hint=said.hint, exit_code=said.exit_code)
    traceback.print_exception(error)
    return Answer(message=f"{type(error).__name__}: {error}", hint="This is a bug in Unlearn Studio", exit_code=1)


if __name__ == "__main__":
    main(sys.argv[1:])
