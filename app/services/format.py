"""How numbers, shares, times and sizes are written everywhere in the window.

In the user's locale, else as `core.verify.numbers` writes them for reports and terminals: the same digits.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

from app.services.translation import locale, mark, tr
from core.text import visible
from core.verify import numbers
from core.verify.numbers import DASH as DASH
from core.verify.numbers import MINUS, whole_percent

_LARGEST = 2**63  # what Qt takes for a whole number is smaller
_ROUGH = {"about": mark("about {time}"), "under": mark("under {time}")}


def count(value: int | None) -> str:
    """Whole number with the locale's thousands separator: "50,000"."""
    if value is None:
        return DASH
    if abs(value) >= _LARGEST:  # only a damaged file says so
        return locale().toString(float(value), "g", 4)
    return locale().toString(int(value))


def plain(text: str) -> str:
    """Return a text as a tool tip that Qt shows as it stands, whatever it holds: names come from files.

    Qt takes a tool tip with a tag in it for HTML, which may name pictures to be fetched from elsewhere.
    """
    text = visible(text, lines=True)
    return f"<qt>{html.escape(text, quote=False)}</qt>".replace("\n", "<br>") if "<" in text else text


def some(names: Sequence[str], shown: int = 3) -> str:
    """The first names, and how many more there are: "a, b, c and 2 more"."""
    more, listed = len(names) - shown, ", ".join(names[:shown])
    return tr("{names} and %n more", n=more, names=listed) if more > 0 else listed


def decimal(value: float | None, places: int = 3) -> str:
    """Number with a fixed count of decimals; "–" where there is none."""
    if value is None or not math.isfinite(value):
        return DASH
    rounded = round(float(value), places) or 0.0  # Qt alone takes halves up: 99.25 to 99.3; and no zero has a sign
    text = locale().toString(abs(rounded), "f", places)
    return MINUS + text if rounded < 0 else text


def brief(value: float) -> str:
    """Number with no more digits than it needs: "0.5", "1e-05"."""
    return in_locale(f"{value:g}").replace("-", MINUS)


def alignment(value: float | None) -> str:
    """Dimensional alignment, AUC and other ratios of 0..1: three decimals; "1.000" only when exact."""
    return in_locale(numbers.ratio(value))


def closed(share: float) -> str:
    """Share of a gap in whole per cent without the unit, rounded down: 89.6 is not called 90."""
    return whole_percent(share)


def percent(share: float | None, unit: bool = True) -> str:
    """Share of 0..1 as a percentage with one decimal; "100 %" only when exact, "> 99.9 %" just below it."""
    return in_locale(numbers.percent(share, unit=unit))


def points(difference: float | None) -> str:
    """Difference of two shares in percentage points, signed: "−12.4 points"."""
    if difference is None or not math.isfinite(difference):
        return DASH
    sign = "+" if difference > 0 else ""
    return tr("{number} points", number=sign + decimal(100 * difference, 1))


def duration(seconds: float | None) -> str:
    """Time in words: "under 1 s", "8 s", "1 min 40 s", "2 h 5 min"."""
    return _said(numbers.duration(seconds))


def about(seconds: float | None) -> str:
    """Estimate of a time, coarser than `duration`: "about 30 s", "about 14 min"."""
    return _said(numbers.about(seconds, decimal))


def left(seconds: float | None) -> str:
    """Time that is left: "1 min 40 s left"; nothing where it is not known."""
    return "" if seconds is None else tr("{time} left", time=duration(seconds))


def size(count_of_bytes: int | None) -> str:
    """Bytes in binary units with their common names: "812 B", "44.7 MB", "1.2 GB"."""
    if count_of_bytes is None:
        return DASH
    value = float(count_of_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1024:
            return f"{decimal(value, 0 if unit == 'B' else 1)} {unit}"
        value /= 1024
    return f"{decimal(value, 1)} TB"


def short_number(value: float | int | None) -> str:
    """Large count in short: "11.2 million", "9,610"."""
    if value is None:
        return DASH
    if value >= 1e9:
        return tr("{number} billion", number=decimal(value / 1e9, 1))
    return tr("{number} million", number=decimal(value / 1e6, 1)) if value >= 1e6 else count(int(value))


def images(number: int) -> str:
    """"1 image", "37 images"."""
    return tr("%n images", n=number)


def of_total(part: int, total: int) -> str:
    """"6,037 of 60,000 (10.1 %)"."""
    share = percent(part / total if total else 0.0)
    return tr("{part} of {total} ({share})", part=count(part), total=count(total), share=share)


def in_locale(text: str) -> str:
    """A number as `core` writes it, in the locale: "0.60" to "0,60"."""
    return text.replace(".", locale().decimalPoint())


def _said(time: str) -> str:
    first, _, rest = time.partition(" ")
    return tr(_ROUGH[first], time=rest) if first in _ROUGH else time
