"""What a command shows: text for people or one JSON document on stdout, notices and errors on stderr."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from core.files import dumps_pretty
from core.verify.numbers import DASH, count

if TYPE_CHECKING:
    from rich.console import JustifyMethod

_NARROWEST = 40  # columns that are written to even where a terminal says it has fewer
_UNLIMITED = 10_000  # columns of a file or a pipe


class Screen:
    """Writes for one command. With `json` only the document reaches stdout, whatever else prints there.

    A reader that goes away (`… | head`) silences the output and does not end the work.
    """

    def __init__(self, json: bool = False) -> None:
        self.json = json
        self._out: IO[str] = sys.stdout
        self._notices: IO[str] = sys.stderr
        self._redirect: contextlib.AbstractContextManager[Any] = contextlib.nullcontext()
        self._open_line = 0  # characters of a line that will be written over
        self._gone = False

    def __enter__(self) -> Screen:
        for stream in (self._out, self._notices):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")  # a terminal without ² must not end a run
        if self.json:
            self._redirect = contextlib.redirect_stdout(self._notices)  # libraries print, too
        self._redirect.__enter__()
        return self

    def __exit__(self, *details: Any) -> None:
        self.end_line()
        self._redirect.__exit__(*details)

    @property
    def live(self) -> bool:
        """Whether a line can be written over: people look at a terminal."""
        return not self.json and self._out.isatty()

    @property
    def width(self) -> int:
        """Characters of a line that can be written over."""
        return _terminal_width() - 1

    def say(self, text: str = "") -> None:
        """Write a line for people; nothing with --json."""
        if self.json:
            return
        self.end_line()
        self._write(text + "\n")

    def over(self, text: str) -> None:
        """Write a line that the next one replaces; only on a terminal."""
        if not self.live:
            return
        text = shorten(text, self.width)
        self._write("\r" + text.ljust(self._open_line))
        self._open_line = len(text)

    def end_line(self) -> None:
        """Clear a line that waits to be replaced."""
        if self._open_line:
            self._write("\r" + " " * self._open_line + "\r")
            self._open_line = 0

    def document(self, value: Any) -> None:
        """Write the one JSON document; nothing without --json."""
        if self.json:
            self._write(dumps_pretty(value).decode())

    def notice(self, text: str) -> None:
        """Write a line to stderr, in both modes."""
        self.end_line()
        with contextlib.suppress(OSError):
            self._notices.write(f"{' '.join(text.split())}\n")
            self._notices.flush()

    def _write(self, text: str) -> None:
        if self._gone:
            return
        try:
            self._out.write(text)
            self._out.flush()
        except BrokenPipeError:  # nobody reads any more
            self._gone = True
            with contextlib.suppress(OSError, ValueError):  # keeps the interpreter from complaining at its end
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())


def table(header: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Lay out text in columns, the first `left` of them flush left and the others flush right.

    On a terminal the titles are bold and cells fold where the table would be too wide; elsewhere it is plain text as
    wide as it needs to be.
    """
    return _columns(rows, ["left" if column < left else "right" for column in range(len(header))], header)


def facts(rows: Iterable[tuple[str, str]], indent: str = "") -> str:
    """Lay out names with what is said of them, one a line; long ones go on below themselves on a terminal."""
    return _columns(rows, ["left", "left"], indent=len(indent))


def _columns(
    rows: Iterable[Sequence[str]], justify: Sequence[JustifyMethod], header: Sequence[str] = (), indent: int = 0
) -> str:
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=bool(header), header_style="bold")
    for column, side in enumerate(justify):
        grid.add_column(header[column] if header else "", justify=side, overflow="fold")
    for row in rows:
        grid.add_row(*row)
    live = sys.stdout.isatty()
    styled = live and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    console = Console(
        file=io.StringIO(), width=_terminal_width() if live else _UNLIMITED, force_terminal=styled,
        color_system="standard" if styled else None, markup=False, emoji=False, highlight=False,
    )  # fmt: skip
    with console.capture() as text:
        console.print(Padding(grid, (0, 0, 0, indent), expand=False))
    return "\n".join(line.rstrip() for line in text.get().splitlines())


def wrapped(text: str, indent: str = "") -> str:
    """Break a paragraph to the width of the terminal."""
    import textwrap

    width = min(100, _terminal_width())
    return textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _terminal_width() -> int:
    return max(_NARROWEST, shutil.get_terminal_size().columns)


def shorten(text: str, width: int) -> str:
    """Cut a text to `width` characters, saying so."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def bytes_text(size: int | None) -> str:
    """Bytes in words: "812 B", "1.4 MB"."""
    if size is None:
        return DASH
    if size < 1000:
        return f"{count(size)} B"
    value = float(size)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} TB"


def shown(path: Path | str) -> str:
    """A path as a person would type it: relative where it lies below the current folder."""
    path = Path(path)
    with contextlib.suppress(ValueError, OSError):
        below = path.resolve().relative_to(Path.cwd().resolve())
        return str(below)
    return str(path)
