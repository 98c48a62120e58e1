"""The results of a batch: a row a method and forget set, measures as means over seeds; as a table and as CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.session.batch import Row
from core.verify.comparison import mean_interval
from core.verify.numbers import DASH, count, duration, percent

SHOWN = (
    ("retain_test_accuracy", "retain-test"),
    ("forget_accuracy", "forget"),
    ("forget_test_accuracy", "forget-test"),
)
"""The measures of the table, and what they are called in it."""

HEADER = ("forget set", "method", "runs", *(title for _, title in SHOWN), "time", "verdict")
ENDED = ("finished", "skipped", "stopped")


@dataclass(frozen=True)
class Group:
    """The runs of one method on one forget set. `measures` and `seconds`: n, mean, low and high over seeds."""

    forget: str
    method: str
    rows: tuple[Row, ...]
    measures: Mapping[str, Mapping[str, Any]]
    seconds: Mapping[str, Any]

    @property
    def runs(self) -> tuple[str, ...]:
        """The runs' names."""
        return tuple(row.run for row in self.rows)

    @property
    def outcomes(self) -> Counter[str]:
        """How many runs ended how."""
        return Counter(row.outcome for row in self.rows)

    @property
    def ended(self) -> int:
        """How many runs have a result."""
        return sum(row.outcome in ENDED for row in self.rows)

    @property
    def verdicts(self) -> Counter[str]:
        """How many runs got which verdict; those that were not checked are left out."""
        return Counter(row.verdict for row in self.rows if row.verdict)

    def cells(self) -> list[str]:
        """Return the row's cells as text, in the order of HEADER."""
        values = [mean_text(self.measures[key]) for key, _ in SHOWN]
        seconds = self.seconds["mean"]
        verdicts = ", ".join(
            f"{count(number)} {_plain(code)}" if len(self.verdicts) > 1 or number < len(self.rows) else _plain(code)
            for code, number in self.verdicts.most_common()
        )
        return [
            self.forget, self.method, f"{count(self.ended)} of {count(len(self.rows))}", *values,
            duration(seconds) if seconds is not None else DASH, verdicts or DASH,
        ]  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "forget": self.forget, "method": self.method, "runs": list(self.runs),
            "seeds": [row.seed for row in self.rows], "outcomes": dict(self.outcomes), "measures": dict(self.measures),
            "seconds": dict(self.seconds), "verdicts": dict(self.verdicts),
        }  # fmt: skip


def grouped(rows: Sequence[Row]) -> tuple[Group, ...]:
    """Return the rows of a batch by forget set and method, in the order they stand in."""
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        # Two entries may be the same method with other settings: the run's name tells them apart, the seed does not.
        found.setdefault((row.forget, row.method, row.run.removesuffix(f"-s{row.seed}")), []).append(row)
    return tuple(
        Group(
            forget, _entry(name, forget, method), tuple(members),
            {key: mean_interval([(row.measures or {}).get(key) for row in members]) for key, _ in SHOWN},
            mean_interval([row.seconds for row in members]),
        )
        for (forget, method, name), members in found.items()
    )  # fmt: skip


def mean_text(taken: Mapping[str, Any]) -> str:
    """Write a share's mean in percent with half of its 95 % interval over seeds: "96.7 ± 1.2 %"."""
    if taken["low"] is None:
        return percent(taken["mean"])
    half = f"{50 * (taken['high'] - taken['low']):.1f}"
    return f"{percent(taken['mean'], unit=False)} ± {half} %"


def csv_text(groups: Sequence[Group]) -> str:
    """Return the table as CSV: shares from 0 to 1, times in seconds; empty where nothing is known."""
    keys = [key for key, _ in SHOWN]
    header = ["forget_set", "method", "runs", "ended", "seeds"]
    header += [f"{key}_{part}" for key in (*keys, "seconds") for part in ("mean", "low", "high")]
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow([*header, "verdicts"])
    for group in groups:
        taken = [*(group.measures[key] for key in keys), group.seconds]
        numbers = ["" if one[part] is None else repr(float(one[part])) for one in taken for part in _PARTS]
        seeds = " ".join(str(row.seed) for row in group.rows)
        verdicts = " ".join(f"{code}:{number}" for code, number in group.verdicts.most_common())
        out.writerow([group.forget, group.method, len(group.rows), group.ended, seeds, *numbers, verdicts])
    return text.getvalue()


_PARTS = ("mean", "low", "high")


def _entry(name: str, forget: str, method: str) -> str:
    """Name a method's entry as the batch file does; where that is not the method's id, with the id in brackets."""
    own = name.removeprefix(f"{forget}-")
    return method if own in (method, name) else f"{own} ({method})"


def _plain(code: str) -> str:
    return code.replace("_", " ")
