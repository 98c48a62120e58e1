"""How values are written in verdicts and reports: the same for everyone who reads the file, whatever their locale."""

from __future__ import annotations

import datetime
import math
import statistics
from collections.abc import Callable, Iterable
from typing import Any

DASH = "–"
MINUS = "−"

_NEARLY_ALL = 0.999  # above this one decimal would round to 100.0, which is said only when it is exact
_HARDLY_ANY = 0.001  # below this one decimal says next to nothing


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that are known; None where none is."""
    present = [value for value in values if value is not None]
    return statistics.fmean(present) if present else None


def percent(share: float | None, *, unit: bool = True, places: int = 1) -> str:
    """Share of 0..1 in per cent with one decimal, under 0.1 two; "100 %" only when exact, "> 99.9 %" just below."""
    if share is None or not math.isfinite(share):
        return DASH
    suffix = " %" if unit else ""
    if share == 1.0:
        return ("100" if unit or not places else "100.0") + suffix
    if places and _NEARLY_ALL < share < 1.0:
        return "> 99.9" + suffix
    if places == 1 and unit and 0.0 < share < _HARDLY_ANY:
        places = 2
    text = f"{100 * share:.{places}f}"
    if share < 1.0 and text == "100":
        return "> 99" + suffix
    return text.replace("-", MINUS) + suffix


def from_to(before: float | None, after: float | None, *, places: int = 1) -> str:
    """Say a change of a share with both ends written alike: "from 100.0 to 98.4 %"."""
    end = percent(after, places=places) if after != 1.0 else f"{percent(after, unit=False, places=places)} %"
    return f"from {percent(before, unit=False, places=places)} to {end}"


def whole_percent(share: float) -> str:
    """Share in whole per cent without the unit, rounded down so that 89.6 is not called 90: "68"."""
    return str(math.floor(round(100 * share, 9))).replace("-", MINUS)  # 0.29 · 100 is 28.999…96


def ratio(value: float | None, places: int = 3) -> str:
    """Alignment, areas and distances: three decimals; "1.000" only when exact, "> 0.999" just below it."""
    if value is None or not math.isfinite(value):
        return DASH
    text = f"{value:.{places}f}"
    if value < 1.0 and float(text) == 1.0:
        return "> " + "0." + "9" * places
    return text.replace("-", MINUS)


def count(value: float | None) -> str:
    """Whole number with thousands separators: "60,000"."""
    return DASH if value is None or not math.isfinite(value) else f"{round(value):,}"


def points(difference: float) -> str:
    """Size of a difference of two shares in percentage points: "12.4"."""
    return f"{100 * abs(difference):.1f}"


def duration(seconds: float | None) -> str:
    """Time in words: "under 1 s", "8 s", "1 min 40 s", "2 h 5 min"."""
    if seconds is None or not math.isfinite(seconds):
        return DASH
    if 0 < seconds < 1:
        return "under 1 s"
    total = max(0, round(seconds))
    for size, unit, smaller in ((86400, "d", "h"), (3600, "h", "min"), (60, "min", "s")):
        if total >= size:
            part = total % size // {"h": 3600, "min": 60, "s": 1}[smaller]
            return f"{total // size} {unit} {part} {smaller}" if part else f"{total // size} {unit}"
    return f"{total} s"


def decimal(value: float, places: int = 1) -> str:
    """Number with so many decimals and thousands separators: "1,204.5"."""
    return f"{value:,.{places}f}"


def about(seconds: float | None, decimal: Callable[[float, int], str] = decimal) -> str:
    """Estimate of a time, coarser than `duration`: "about 30 s", "about 14 min"; `decimal` writes its hours."""
    if seconds is None or not math.isfinite(seconds):
        return DASH
    if seconds < 10:
        return "under 10 s"
    if seconds < 90:
        return f"about {5 * round(seconds / 5)} s"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min"
    return f"about {decimal(seconds / 3600, 1)} h"


def training_cost(
    share: float | None, method_id: str, decimal: Callable[[float, int], str] = decimal
) -> str:
    """Training time of a method as a share of retraining's: "About 9 % of retraining"; "" where it is not known."""
    if method_id == "retrain":
        return "What all costs are compared with"
    if share is None:
        return ""
    if share < 0.001:
        return "Hardly any training cost"
    if share < 0.01:
        return "Under 1 % of retraining"
    if share < 1.5:
        percents = 100 * share if share < 0.095 else 5 * round(20 * share)
        return f"About {decimal(percents, 0)} % of retraining"
    return f"About {decimal(share, 1)} times retraining"


def plural(number: int, noun: str, many: str = "") -> str:
    """Count and noun: "1 class", "2 classes"."""
    return f"{count(number)} {noun if number == 1 else many or noun + 's'}"


def number(value: float | None, unit: str) -> str:
    """Write a measure's value as tables do: without the unit, which its title has."""
    if value is None:
        return DASH
    match unit:
        case "percent":
            return percent(value, unit=False)
        case "ratio":
            return ratio(value)
        case "number" | "seconds":
            return f"{value:.1f}".replace("-", MINUS)
        case _:
            return count(value)


def elided(name: str, limit: int = 20) -> str:
    """Return a name, a long one with its middle left out."""
    half = (limit - 1) // 2
    return name if len(name) <= limit else f"{name[:half]}…{name[-half:]}"


def plain(value: Any) -> str:
    """Return a value of a report as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(plain, value)) or DASH
    return str(value)


def moment(written: str) -> str:
    """Return an ISO moment as "24 November 2026, 17:14 UTC"; as it is where it is none."""
    try:
        utc = datetime.datetime.fromisoformat(written).astimezone(datetime.UTC)
    except (ValueError, OverflowError):  # no moment, or one that UTC has no year for
        return written
    return f"{utc.day} {utc:%B %Y, %H:%M} UTC"
