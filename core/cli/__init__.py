"""The command line: finds the subcommand, runs it, and turns whatever happens into one line and an exit code.

With --json an error is the document on stdout, too.
"""

from __future__ import annotations

import contextlib
import importlib
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from core import distributed

if TYPE_CHECKING:
    from types import FrameType, ModuleType

    from core.cli.options import Parser
    from core.cli.output import Screen
    from core.errors import AppError


class Command(NamedTuple):
    """A subcommand: `module` of this package holds `declare_NAME(parser)` and `run_NAME(options, screen) -> exit code`.

    The program's --help lists the first sentence of `summary`; the command's own --help shows all of it. `shared`:
    several processes that torchrun starts may share its work.
    """

    module: str
    summary: str
    shared: bool = False


COMMANDS = {
    "train": Command("running", "Train an original model or, with exclusions, a retrained reference.", shared=True),
    "unlearn": Command(
        "running", "Make a model forget classes or samples. Leaves a run folder with the unlearned model and a report.",
        shared=True,
    ),
    "batch": Command(
        "batch", "Run several forget sets, methods and seeds from a TOML file. Finished runs are skipped."
    ),
    "evaluate": Command(
        "checking", "Measure one model. Accuracies, and with a forget set what its features still hold of it."
    ),
    "verify": Command("checking", "Check a run against retrained models and a head-only edit, and write the report."),
    "compare": Command(
        "checking", "Set runs side by side. Measures, gaps closed, means over seeds, and how their settings differ."
    ),
    "verify-report": Command(
        "checking", "Compute the hashes that a report names again. A file that was changed or is missing is named."
    ),
    "export": Command(
        "files",
        "Write a run's model, or a model file, in the form it came in or another. It is read back and compared.",
    ),
    "inspect": Command(
        "files",
        "Say what a file or folder is: model, data set, run, forget list, report or batch file. With a forget set, "
        "list what lies near it in the data.",
    ),
    "suspects": Command(
        "suspects",
        "List training images that may be labelled wrongly or poisoned. A list to look through, for `unlearn "
        "--corrective`.",
    ),
    "resume": Command(
        "running", "Go on with an interrupted run. It ends as if it had not been interrupted.", shared=True
    ),
    "ask": Command("running", "Ask a run that another process works on to pause, go on, stop or save a checkpoint."),
    "runs": Command("listing", "List the runs of a folder: state, method, forget set, accuracies."),
    "kept": Command(
        "listing",
        "List what this machine still keeps of a run's forget images, and remove it. The model stays as it is.",
    ),
    "methods": Command("listing", "List the methods. With a NAME, show its parameters and presets."),
    "datasets": Command(
        "listing", "List the data sets known by name. Your own images are named by path instead."
    ),
    "architectures": Command(
        "listing", "List the architectures known by name. Your own is given as FILE.py:FACTORY."
    ),
    "host": Command("host", "Do what another machine asks for, which starts runs on this one through ssh."),
    "example": Command("example", "Run the bundled example without a window: a network forgets a class of clothes."),
}
LISTED = tuple(name for name in COMMANDS if name != "example")  # `--example` runs it where there is no window


def main(argv: list[str]) -> int:
    """Run one subcommand with its arguments and return the exit code; errors are one line on stderr."""
    from core.cli.output import Screen

    debug = "--debug" in argv
    screen = Screen(json="--json" in argv, silent=distributed.launched_rank() > 0)
    try:
        with screen, ended_by_signals(), warnings.catch_warnings(), distributed.joined():
            if not debug:
                warnings.simplefilter("ignore")  # the libraries' advice to programmers
            return _run(argv, screen)
    except SystemExit as stop:  # --help
        return stop.code if isinstance(stop.code, int) else 0
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            screen.trace(error)
        said = _said(error, argv)
        screen.silent = not distributed.speaks()
        screen.notice(f"error: {said.text}")
        screen.error(said)
        return said.exit_code


@contextlib.contextmanager
def ended_by_signals(
    handler: Callable[[int, FrameType | None], None] | None = None, names: Sequence[str] = ("SIGTERM", "SIGHUP")
) -> Iterator[None]:
    """Let `handler` answer the signals of that name, or let them end a command as Ctrl+C does, with a word.

    One that is ignored, as SIGHUP is under `nohup`, stays ignored; but SIGINT, which shells ignore for what runs in the
    background. Only the main thread gets signals.
    """

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (getattr(signal, name) for name in names if hasattr(signal, name)):  # Windows has fewer
            if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, handler or end)
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _run(argv: list[str], screen: Screen) -> int:
    """Find the subcommand, read its options and run it; returns its exit code."""
    from core.errors import UsageError, did_you_mean
    from core.program import command_name

    name, arguments = (argv[0], list(argv[1:])) if argv else ("", [])
    if name not in COMMANDS:
        hint = did_you_mean(name, LISTED, count=2) or f"`{command_name()} --help` lists the subcommands"
        raise UsageError(f"There is no subcommand {name!r}" if name else "A subcommand is missing", hint)
    if distributed.world_size() > 1 and not COMMANDS[name].shared:
        raise UsageError(f"Several processes cannot share the work of {name}", "Start it without torchrun")
    options = parser_of(name).parse(arguments)
    code: int = getattr(_module(name), f"run_{name.replace('-', '_')}")(options, screen)
    return code


def parser_of(name: str) -> Parser:
    """Return the parser of a subcommand's options."""
    from core.cli.options import Parser, add_output

    parser = Parser(name, COMMANDS[name].summary)
    getattr(_module(name), f"declare_{name.replace('-', '_')}")(parser)
    add_output(parser)
    return parser


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{COMMANDS[name].module}")


def _said(error: BaseException, argv: list[str]) -> AppError:
    """Return the error to say: what the machine is the reason of, else that the program has a fault."""
    from core.errors import FaultError, StoppedError, of_system

    if isinstance(error, KeyboardInterrupt):
        return StoppedError("Stopped", "Nothing was written")
    if (known := of_system(error)) is not None:
        return known
    place = ""
    with contextlib.suppress(Exception):
        place = f" The details are in {_write_log(error, argv)}."
    kind = type(error).__name__
    text = f"{kind}: {' '.join(str(error).split())}".rstrip(" .:")
    return FaultError(text, f"This is a bug in Unlearn Studio.{place}")


def _write_log(error: BaseException, argv: list[str]) -> str:
    """Write a fault with its traceback into the log folder; returns the path."""
    import datetime
    import platform
    import traceback

    from core.files import data_home
    from core.version import VERSION

    now = datetime.datetime.now()
    folder = data_home() / "log"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"fault-{now:%Y%m%d-%H%M%S-%f}.log"
    head = f"Unlearn Studio {VERSION}, Python {platform.python_version()}, {platform.platform()}\n{now.isoformat()}\n"
    path.write_text(f"{head}{argv!r}\n\n{''.join(traceback.format_exception(error))}", encoding="utf-8")
    return str(path)
