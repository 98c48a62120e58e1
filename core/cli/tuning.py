"""`unlearn --tune N`: searches for settings before the run, and shows what was tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.cli.output import table, wrapped
from core.verify.numbers import DASH, count, duration, percent, ratio

if TYPE_CHECKING:
    from core.session.tuning import Try, Tuning


def tuning_text(found: Tuning) -> str:
    """Lay out what was tried, best first."""
    columns = [("retain-test", "retain"), ("forget-test", "forget"), ("forget set", "samples")]
    kept = [(title, name) for title, name in columns if getattr(found.goal, name) is not None]
    distance = any(one.distance is not None for one in found.tries)
    header = ["try", *found.searched, *(title for title, _ in kept), *(["JS"] if distance else []), "score", "time", ""]
    order = sorted(found.tries, key=lambda one: (one.score is None, not one.allowed, one.score or 0.0, one.number))
    rows = [_row(found, one, [name for _, name in kept], distance) for one in order]
    goal = [percent(getattr(found.goal, name)) for _, name in kept]
    blank = [""] * len(found.searched)
    rows.append(["goal", *blank, *goal, *([""] if distance else []), "", "", ""])
    images = "all" if found.images == found.total else f"{count(found.images)} of {count(found.total)}"
    note = (
        f"Each try ran on {images} training images. Accuracies are those of the calibration half of the test images, "
        f"which no other number is taken from. Judged by {found.judged_by}; the smallest score is best."
    )
    return f"{table(header, rows)}\n{wrapped(note)}\n"


def _row(found: Tuning, one: Try, accuracies: list[str], distance: bool) -> list[str]:
    values: list[Any] = [one.values[name] for name in found.searched]
    best = found.best
    mark = one.reason if one.score is None else "best" if best is one else "" if one.allowed else "retain too low"
    return [
        str(one.number),
        *(f"{value:g}" for value in values),
        *(percent(getattr(one, name)) for name in accuracies),
        *([ratio(one.distance)] if distance else []),
        DASH if one.score is None else f"{one.score:.4f}",
        duration(one.seconds),
        mark,
    ]
