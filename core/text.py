"""Text from files made harmless wherever it is shown or opened: in terminals, labels and tool tips, and spreadsheets.

Names of classes, runs and files come from strangers. What could steer a terminal, turn a line around, hide or begin a
line of its own is written out, so that it is seen and not obeyed; nothing is dropped.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST_NAME = 120
"""Characters of a name in a line of words."""

LONGEST_CELL = 1000
"""Characters of a name in a table or a list of facts; a path may have some hundreds."""

_STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # controls, formats (direction, width 0), halves of pairs, line ends
_NUMBER = re.compile(r"[+-]?(\d[\d,]*\.?\d*|\.\d+)(e[+-]?\d+)?( ?%)?", re.ASCII | re.IGNORECASE)
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")


def visible(text: str, *, lines: bool = False) -> str:
    r"""Return a text with characters that are not drawn written out, as "\x1b" or "\u202e"; `lines`: line ends stay."""
    if text.isprintable():
        return text
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in _STEERING and not (lines and c == "\n") else c
        for c in text
    )


def named(name: str, longest: int = LONGEST_NAME) -> str:
    """Return a name for a line of words: visible, and cut where it is too long to be one."""
    return shorten(visible(name[: longest + 1]), longest)


def shorten(text: str, width: int) -> str:
    """Cut a text to `width` characters, saying so."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def cell(text: str) -> str:
    """Return a text for a field of a CSV file: an apostrophe stands before what a spreadsheet would take for a formula.

    Numbers, also with a percent sign, "±" or "and" between them, stay as they are. `from_cell` takes it back.
    """
    return f"'{text}" if _FORMULA.match(text) and not _is_numbers(text) else text


def from_cell(text: str) -> str:
    """Return the text that `cell` made a field of."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def _is_numbers(text: str) -> bool:
    return all(_NUMBER.fullmatch(part) for part in re.split(r" ± | and ", text))
