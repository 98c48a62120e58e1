"""What a command shows: text for people or one JSON document on stdout, notices and errors on stderr; its progress.

A run that goes is one line on a terminal that is written over; elsewhere a plain line now and then. Nothing that comes
from files steers the terminal: `Screen` writes all, and writes out characters that are not drawn.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import secrets
import shutil
import sys
import time
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from core.events import (
    AlignmentMeasured,
    Evaluation,
    Event,
    Log,
    PhaseChanged,
    Progress,
    Resources,
    RunFailed,
    RunFinished,
    RunStarted,
    SpectrumMeasured,
    StepMetrics,
)
from core.files import dumps_shown
from core.pace import Pace
from core.text import LONGEST_CELL, named, shorten, visible
from core.verify.numbers import DASH, count, duration, percent, plural, ratio

if TYPE_CHECKING:
    from rich.console import JustifyMethod

    from core.errors import AppError

_NARROWEST = 40  # columns that are written to even where a terminal says it has fewer
_UNLIMITED = 10_000  # columns of a file or a pipe
REDRAW_SECONDS = 0.1
PLAIN_SECONDS = 1.0  # between plain lines, at least …
PLAIN_SHARE = 0.05  # … and at least this share of the time so far, so that a long run leaves a short log
_MARK = secrets.token_hex(8)  # no name from a file holds it
_STYLES = {f"<{_MARK}{which}>": code for which, code in (("bold", "\x1b[1m"), ("plain", "\x1b[0m"))}
"""Marks for the styles of a table's titles, which become codes where a text is written: a code in it is a name's."""

TOLD_IN_THE_SUMMARY = ("unchanged", "damage", "alignment", "unseen")  # codes of warnings that the result repeats



class Screen:
    """Writes for one command. With `json` only the document reaches stdout, whatever else prints there.

    A reader that goes away (`… | head`) silences the output and does not end the work. One that is `silent` says
    nothing: of several processes that share a run the first one speaks.
    """

    def __init__(self, json: bool = False, *, silent: bool = False) -> None:
        self.json, self.silent = json, silent
        self._out: IO[str] = sys.stdout
        self._notices: IO[str] = sys.stderr
        self._redirect: contextlib.AbstractContextManager[Any] = contextlib.nullcontext()
        self._open_line = 0  # characters of a line that will be written over
        self._answered = False  # the document is written
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
        return not self.json and not self.silent and self._out.isatty()

    @property
    def width(self) -> int:
        """Characters of a line that can be written over."""
        return _terminal_width() - 1

    def say(self, text: str = "") -> None:
        """Write a line for people; nothing with --json."""
        if self.json:
            return
        self.end_line()
        self._write(_harmless(text) + "\n")

    def over(self, text: str) -> None:
        """Write a line that the next one replaces; only on a terminal."""
        if not self.live:
            return
        text = shorten(visible(text), self.width)
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
            self._answered = True
            self._write(_NOT_DRAWN.sub(_escaped, dumps_shown(value).decode()))

    def error(self, error: AppError) -> None:
        """Write an error as the one JSON document; nothing without --json, or where a result was the document."""
        if not self._answered:
            self.document({"error": error.as_dict()})

    def error_at_once(self, error: AppError) -> None:
        """Write an error as the JSON document past Python's buffers, for a signal that ends the process."""
        if self.json and not self._answered and not self.silent:
            with contextlib.suppress(OSError, ValueError):
                os.write(self._out.fileno(), dumps_shown({"error": error.as_dict()}))

    def notice(self, text: str) -> None:
        """Write a line to stderr, in both modes."""
        self._tell(" ".join(text.split()))

    def trace(self, error: BaseException) -> None:
        """Write an error's traceback to stderr."""
        self._tell("".join(traceback.format_exception(error)).rstrip())

    def _tell(self, text: str) -> None:
        if self.silent:
            return
        self.end_line()
        with contextlib.suppress(OSError):
            self._notices.write(f"{_harmless(text)}\n")
            self._notices.flush()

    def _write(self, text: str) -> None:
        """Write to stdout, or nowhere once its reader has gone."""
        if self._gone or self.silent:
            return
        try:
            self._out.write(text)
            self._out.flush()
        except OSError as error:
            if not isinstance(error, BrokenPipeError) and error.errno != errno.EIO:
                raise  # else nobody reads any more, or the terminal was closed
            self._gone = True
            with contextlib.suppress(OSError, ValueError):  # keeps the interpreter from complaining at its end
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())


# Within JSON only texts hold such characters: those that a terminal obeys and JSON does not escape by itself.
_NOT_DRAWN = re.compile("[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _harmless(text: str) -> str:
    """Return a text for a terminal, its lines kept: what would steer it is written out, marks become styles."""
    text = visible(text, lines=True)
    for mark, code in _STYLES.items() if _MARK in text else ():
        text = text.replace(mark, code)
    return text


def table(header: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Lay out text in columns, the first `left` of them and those without a title flush left, others flush right.

    On a terminal the titles are bold and cells fold where the table would be too wide; elsewhere it is plain text as
    wide as it needs to be.
    """
    flush_left = [column < left or not title for column, title in enumerate(header)]
    return _columns(rows, ["left" if here else "right" for here in flush_left], header)


def facts(rows: Iterable[tuple[str, str]], indent: str = "") -> str:
    """Lay out names with what is said of them, one a line; long ones go on below themselves on a terminal."""
    return _columns(rows, ["left", "left"], indent=len(indent))


def _columns(
    rows: Iterable[Sequence[str]], justify: Sequence[JustifyMethod], header: Sequence[str] = (), indent: int = 0
) -> str:
    """Render rows with rich as plain text, or styled and folded to the width where stdout is a terminal."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=bool(header), header_style="bold")
    for column, side in enumerate(justify):
        grid.add_column(header[column] if header else "", justify=side, overflow="fold")
    for row in rows:
        grid.add_row(*(named(cell, LONGEST_CELL) for cell in row))
    live = sys.stdout.isatty()
    styled = live and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    console = Console(
        file=io.StringIO(), width=_terminal_width() if live else _UNLIMITED, force_terminal=styled,
        color_system="standard" if styled else None, markup=False, emoji=False, highlight=False,
    )  # fmt: skip
    with console.capture() as text:
        console.print(Padding(grid, (0, 0, 0, indent), expand=False))
    laid_out = text.get()
    for mark, code in _STYLES.items():
        laid_out = laid_out.replace(code, mark)
    return "\n".join(line.rstrip() for line in laid_out.splitlines())


def wrapped(text: str, indent: str = "") -> str:
    """Break a paragraph to the width of the terminal."""
    import textwrap

    width = min(100, _terminal_width())
    return textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def _terminal_width() -> int:
    return max(_NARROWEST, shutil.get_terminal_size().columns)


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
        path = path.resolve().relative_to(Path.cwd().resolve())
    return visible(str(path))


# --- progress --------------------------------------------------------------------------------------------------------


class Loading:
    """Shows what goes on outside the steps: reading data, measuring, downloading."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._what = ""
        self._drawn = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show how far `what` has come; `total` is 0 where that is not known."""
        now = time.monotonic()
        fresh = what != self._what
        if not self._screen.live:
            if fresh:
                self._screen.say(f"{what} …")
        elif fresh or now - self._drawn >= REDRAW_SECONDS or done == total:
            self._screen.over(f"{what} {percent(done / total, places=0)}" if total and done <= total else f"{what} …")
            self._drawn = now
        self._what = what


class RunProgress:
    """Takes a run's events and shows phase, steps, time left, accuracies and alignment."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._loading = Loading(screen)
        self._began = time.monotonic()
        self._said = self._drawn = 0.0
        self._stage = ""
        self._step = self._steps = 0
        self._pace = Pace()
        self._remaining: tuple[float, float] | None = None  # seconds left, and when that was known
        self._evaluation: Evaluation | None = None
        self._alignment: AlignmentMeasured | None = None
        self._news = False  # measured since the last plain line

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if not isinstance(event, AlignmentMeasured | SpectrumMeasured | Resources):
            self._say_news()  # all of one evaluation has come in
        match event:
            case Progress():
                self._loading(event.what, event.done, event.total)
            case RunStarted():
                self._start(event)
            case PhaseChanged():
                self._change(event)
            case StepMetrics():
                self._step = event.steps[-1] + 1 if event.steps else event.step
                self._pace.look(self._step, time.monotonic())
                self._draw()
            case Evaluation():
                self._evaluation, self._alignment, self._news = event, None, True
                self._step = event.step
            case AlignmentMeasured():
                self._alignment = event
            case Resources():
                self._remaining = None if event.remaining is None else (event.remaining, time.monotonic())
            case Log() if event.code not in TOLD_IN_THE_SUMMARY:
                self._screen.notice(event.message if event.level == "info" else f"{event.level}: {event.message}")
            case RunFinished() | RunFailed():
                self._screen.end_line()

    @property
    def done(self) -> tuple[int, int]:
        """Steps that are done, and all of them; (0, 0) before the first."""
        return self._step, self._steps

    def line(self, width: int = 0) -> str:
        """The line as it is now; in fewer words where it would not fit `width` characters."""
        parts = [  # in full and in short
            (self._stage, ""), (f"step {count(self._step)} of {count(self._steps)}", f"step {self._step}/{self._steps}")
        ]  # fmt: skip
        if (left := self._left()) is not None:
            parts.append((f"{duration(left)} left", duration(left)))
        if self._evaluation is not None:
            parts += [(text, text.replace("-test", "").replace(" set", "")) for text in _accuracies(self._evaluation)]
        if self._alignment is not None:
            parts.append((alignment_text(self._alignment), alignment_text(self._alignment, short=True)))
        full, short = (" · ".join(filter(None, texts)) for texts in zip(*parts, strict=True))
        return full if not width or len(full) <= width else short

    def _start(self, event: RunStarted) -> None:
        """Note the number of steps, and say where they are computed and from which step the run goes on."""
        self._steps, self._step = event.steps, event.resumed_at or 0
        self._pace, self._remaining = Pace(), None
        threads = f", {event.threads} thread{'s' if event.threads != 1 else ''}" if event.device == "cpu" else ""
        where = f"{event.device}{threads}, {event.precision}"
        if event.resumed_at:
            self._screen.say(f"Going on from step {count(event.resumed_at)} of {count(event.steps)} ({where})")
        else:
            self._screen.say(f"{plural(event.steps, 'step')} ({where})")

    def _change(self, event: PhaseChanged) -> None:
        """Note the stage, or show what goes on before the steps."""
        if event.stage:
            self._stage = event.stage[:1].upper() + event.stage[1:]
        elif event.detail:
            self._loading(event.detail, 0, 0)

    def _say_news(self) -> None:
        """Write a plain line where there is something new and the last one is long enough ago."""
        if not self._news:
            return
        self._news = False
        now = time.monotonic()
        if self._screen.live:
            self._draw(now_or_never=True)
        elif self._steps and now - self._said >= max(PLAIN_SECONDS, PLAIN_SHARE * (now - self._began)):
            self._screen.say(self.line())
            self._said = now

    def _draw(self, *, now_or_never: bool = False) -> None:
        """Write the line over, at most every REDRAW_SECONDS."""
        now = time.monotonic()
        if not self._steps:
            return
        if now_or_never or now - self._drawn >= REDRAW_SECONDS:
            self._screen.over(self.line(self._screen.width))
            self._drawn = now

    def _left(self) -> float | None:
        """Seconds left: what the engine says, or by the pace of the steps so far."""
        if self._step >= self._steps:
            return None
        if self._remaining is not None:
            seconds, at = self._remaining
            return max(0.0, seconds - (time.monotonic() - at))
        return self._pace.left(self._step, self._steps, time.monotonic())


def alignment_text(measured: AlignmentMeasured, *, short: bool = False) -> str:
    """DA in words: never without k, the energy of those directions and centring."""
    centred = "centred" if measured.centred else "uncentred" if short else "not centred"
    energy = f"{percent(measured.energy)}{'' if short else ' of energy'}"
    return f"DA {ratio(measured.value)} (k {measured.k}, {energy}, {centred})"


def _accuracies(measured: Evaluation) -> list[str]:
    """Retain and forget accuracy; on unseen images where there are such for the forget set."""
    if not measured.counts.get("forget_train"):
        return [f"test {percent(measured.retain_test_accuracy)}", f"train {percent(measured.retain_accuracy)}"]
    retain = f"retain-test {percent(measured.retain_test_accuracy)}"
    if measured.forget_test_accuracy is not None:
        return [retain, f"forget-test {percent(measured.forget_test_accuracy)}"]
    return [retain, f"forget set {percent(measured.forget_accuracy)}"]
