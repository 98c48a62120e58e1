"""What a command shows: text for people or one JSON document on stdout, notices and errors on stderr."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

from core.jsonio import dumps_pretty
from core.verify.numbers import DASH, count

_NARROWEST = 40  # columns that are written to even where a terminal says it has fewer


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
        self._flush()

    @property
    def live(self) -> bool:
        """Whether a line can be written over: people look at a terminal."""
        return not self.json and self._out.isatty()

    @property
    def width(self) -> int:
        """Characters of a line that can be written over."""
        return max(_NARROWEST, shutil.get_terminal_size().columns) - 1

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
        self._flush()
        with contextlib.suppress(OSError):
            self._notices.write(f"{' '.join(text.split())}\n")
            self._notices.flush()

    def error(self, text: str) -> None:
        """Write the line every error has."""
        self.notice(f"error: {text}")

    def _write(self, text: str) -> None:
        if self._gone:
            return
        try:
            self._out.write(text)
            self._out.flush()
        except BrokenPipeError:
            self._leave()

    def _flush(self) -> None:
        if self._gone:
            return
        try:
            self._out.flush()
        except BrokenPipeError:
            self._leave()

    def _leave(self) -> None:
        """Stop writing to a pipe nobody reads; also keeps the interpreter from complaining at its end."""
        self._gone = True
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())


def table(header: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Lay out text in columns, the first `left` of them flush left and the others flush right."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def facts(rows: Iterable[tuple[str, str]], indent: str = "") -> str:
    """Lay out names with what is said of them, one a line."""
    known = list(rows)
    width = max((len(name) for name, _ in known), default=0)
    return "\n".join(f"{indent}{name:<{width}}  {value}".rstrip() for name, value in known)


def wrapped(text: str, indent: str = "", width: int = 0) -> str:
    """Break a paragraph to the width of the terminal."""
    import textwrap

    width = width or min(100, max(_NARROWEST, shutil.get_terminal_size().columns))
    return textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


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
