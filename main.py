"""Entry point: reads the arguments, then opens the window or runs the command line. Imports nothing heavy."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from core import cli, distributed
from core.program import command_name

if TYPE_CHECKING:
    from core.errors import AppError

SHELLS = ("bash", "zsh", "fish")
DISPLAY_VARIABLES = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with `argv` (without its own name) and return the exit code."""
    multiprocessing.freeze_support()
    _open_streams()
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = _command_line(arguments)
    if command is not None:
        return cli.main(command)
    if "--json" in arguments:  # only subcommands know it, so there is none of that name, which they say as a document
        return cli.main(arguments)

    options = _parser().parse_args(arguments)
    from core.errors import AppError, of_system

    try:
        return _start(options)
    except AppError as error:
        if options.debug:
            raise
        return _complain(error)
    except KeyboardInterrupt:
        return _say_error("Stopped.", exit_code=5)
    except Exception as error:
        if options.debug:
            raise
        if (known := of_system(error)) is not None:
            return _complain(known)
        kind = type(error).__name__
        return _say_error(f"A fault in the program: {kind}: {error}. Start it with --debug to see where.", 1)


def headless_reason(no_window: bool) -> str:
    """Return why there can be no window, in words that follow "because"; empty where there can be one."""
    if no_window:
        return "--no-window was given"
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in DISPLAY_VARIABLES):
        return "no display was found (DISPLAY, WAYLAND_DISPLAY and QT_QPA_PLATFORM are not set)"
    return ""


def _command_line(arguments: list[str]) -> list[str] | None:
    """Return the arguments of the subcommand where there is one, which may follow --no-window, --debug and --json."""
    flags: list[str] = []
    for position, argument in enumerate(arguments):
        if argument in cli.LISTED:
            return [*arguments[position:], *flags]
        if argument in ("--debug", "--json"):
            flags.append(argument)
        elif argument != "--no-window":
            return None
    return None


def _start(options: argparse.Namespace) -> int:
    if distributed.launched():
        return _say_error("Several processes cannot share a window. Start it without torchrun.", 2)
    if options.out and not options.example:
        return _say_error(f"--out belongs to --example or to a subcommand. See `{command_name()} --help`.", 2)
    if options.desktop_entry:
        return _change_desktop_entry(options.desktop_entry)
    paths = tuple(Path(text).expanduser() for text in options.paths)
    for text, path in zip(options.paths, paths, strict=True):
        if not path.exists():
            raise _not_found(text)
    reason = headless_reason(options.no_window)
    if not reason:
        return _open_window(options, paths)
    if options.example:
        sys.stdout.write(f"Running the example without a window, because {reason}.\n")
        return _run_commands([["example", *(["--out", options.out] if options.out else [])]], options.debug)
    if paths:
        return _run_commands([["inspect", str(path)] for path in paths], options.debug)
    return _say_error(
        f"There is nothing to do without a window, and {reason}. "
        "Add --example or a subcommand; --help lists them.",
        exit_code=2,
    )


def _open_window(options: argparse.Namespace, paths: tuple[Path, ...]) -> int:
    try:
        import PySide6.QtWidgets  # noqa: F401

        if find_spec("pyqtgraph") is None:
            raise ModuleNotFoundError("No module named 'pyqtgraph'")
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError)
        return _say_error(
            f"The window needs PySide6 and pyqtgraph, which cannot be loaded: {error}. "
            + ('Install the extra gui: pip install "unlearn-studio[gui]"' if missing else "Install what it names")
            + " (in a checkout, `make setup` does), or work without a window: --help lists the subcommands.",
            exit_code=3,
        )
    from app.bootstrap import Options, run

    out = Path(options.out).expanduser() if options.out else None
    return run(Options(paths=paths, example=options.example, scheme=options.scheme, out=out))


def _change_desktop_entry(what: str) -> int:
    from app.services import desktop_entry

    changed = desktop_entry.install() if what == "install" else desktop_entry.remove()
    word = "Wrote" if what == "install" else "Removed"
    sys.stdout.writelines(f"{word} {path}\n" for path in changed)
    if not changed:
        sys.stdout.write("There is no desktop entry.\n")
    return 0


def _run_commands(commands: list[list[str]], debug: bool) -> int:
    """Run subcommands one after the other; the first exit code that is not 0 is the result."""
    sys.stdout.flush()
    codes = [cli.main([*command, *(["--debug"] if debug else [])]) for command in commands]
    return next((code for code in codes if code), 0)


def _not_found(text: str) -> AppError:
    from core.errors import NotFoundError, nearest

    folder = Path(text).expanduser().parent
    alike = nearest(text, cli.LISTED, count=1)
    if folder.is_dir():
        names = sorted(path.name for path in folder.iterdir())
        alike += [str(Path(text).parent / name) for name in nearest(Path(text).name, names, count=2)]
    hint = f"Did you mean {' or '.join(alike)}?" if alike else "Check the name; --help lists the subcommands."
    return NotFoundError(f"There is no file, folder or subcommand called {text!r}", hint)


def _complain(error: AppError) -> int:
    return _say_error(error.text, error.exit_code)


def _say_error(text: str, exit_code: int) -> int:
    sys.stderr.write(f"error: {' '.join(text.split())}\n")
    if sys.__stderr__ is None and sys.platform == "win32":  # nobody sees that line
        import ctypes

        ctypes.windll.user32.MessageBoxW(None, text, "Unlearn Studio", 0x10)  # with the sign of an error
    return exit_code


def _open_streams() -> None:
    """Let what is printed go nowhere where there is no console, as beside a window on Windows."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115, as long as the process


class _Parser(argparse.ArgumentParser):
    """Says errors of usage on one line, as all errors are said."""

    def error(self, message: str) -> NoReturn:
        self.exit(_say_error(f"{message}. See `{command_name()} --help`.", exit_code=2))


class _Version(argparse.Action):
    """Prints name and version; core.version is read only then."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(nargs=0, **kwargs)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from core.version import VERSION

        sys.stdout.write(f"Unlearn Studio {VERSION}\n")
        parser.exit()


class _Completion(argparse.Action):
    """Prints the script that completes this program's words in a shell."""

    def __call__(self, parser: argparse.ArgumentParser, _: argparse.Namespace, shell: Any, *__: Any) -> None:
        from core.cli.completion import script

        sys.stdout.write(script(shell, parser))
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, cli.LISTED))
    phrases = {name: cli.COMMANDS[name].summary.partition(". ")[0].rstrip(".") for name in cli.LISTED}
    commands = "\n".join(f"  {name:<{width}}  {phrase}" for name, phrase in phrases.items())
    name = command_name()
    parser = _Parser(
        prog=name,
        usage=f"{name} [PATH ...] [--example] [--no-window] [--scheme light|dark] [--out DIR]\n"
        f"       {name} SUBCOMMAND ...",
        description="Make a trained image classifier forget chosen classes or samples, watch its features\n"
        "move, check the result against a retrained model and export it. Without a subcommand it\n"
        "opens the window.",
        epilog=f"subcommands (SUBCOMMAND --help says more):\n{commands}\n\n"
        "exit codes: 0 done, 2 usage, 3 bad input, 4 failed while running, 5 stopped or discarded,\n"
        "6 below the verdict that verify --require asks for, 1 a fault in the program",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("paths", nargs="*", metavar="PATH", help="model, data set, forget list or run folder to open")
    add("--example", action="store_true", help="open the bundled example and start its run")
    add("--no-window", action="store_true", help="do without a window, also where there is a display")
    add("--scheme", choices=("light", "dark"), help="colours of the window (else the system's)")
    add("--out", metavar="DIR", help="the run folder of --example (else one in the folder of runs)")
    add("--debug", action="store_true", help="show the traceback of an error")
    add("--desktop-entry", choices=("install", "remove"),
        help="put the window among the system's applications, or take it away (Linux)")  # fmt: skip
    add("--completion", action=_Completion, choices=SHELLS, metavar="SHELL",
        help="print what bash, zsh or fish needs to complete this program's words")  # fmt: skip
    add("--version", action=_Version, help="print the version")
    return parser


if __name__ == "__main__":
    sys.exit(main())
