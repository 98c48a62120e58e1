"""Runs in one ranked table: by verdict, then by how many usable measures match retraining and how far the others are.

There is no single score: a rank is the order of what the verdicts say already, and its table shows what it rests on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from core.verify.lamps import LAMPS, LIGHTS, report_lamps
from core.verify.numbers import DASH
from core.verify.shown import ShownTable, over_seeds

Report = Mapping[str, Any]

VERDICTS = {
    "corrected": "corrected", "close": "close", "partly_corrected": "partly corrected",
    "partly": "partly forgotten", "hidden": "hidden", "not": "not forgotten",
    "not_corrected": "not corrected", "nothing": "nothing to tell", "no_reference": "not compared",
}  # fmt: skip
"""Codes of verdicts, the best first, as a table writes them."""

NOTE = (
    "Ranked by verdict; then without damage before with, by the share of usable measures that match retraining, and by "
    "how far the others are on the way. Several seeds are ranked by their means. There is no single score."
)


def ranked(groups: Sequence[Mapping[str, Any]], reports: Mapping[str, Report]) -> list[dict[str, Any]]:
    """Return groups of a comparison (runs that differ in their seed alone), the best first, each with its rank.

    `reports`: by the runs' names. What ranks alike has the same rank, what was not compared has none (null). `usable`
    and `matching` count measures over all runs of a group; `lamps`: lamp -> lights of its runs.
    """
    found = []
    for group in groups:
        members = [reports[name] for name in group["runs"]]
        verdicts = [report.get("verdict") or {} for report in members]
        deciding = [row for verdict in verdicts for row in verdict.get("measures") or () if row.get("decides")]
        lamps = [report_lamps(report).get("unlearned") or dict.fromkeys(LAMPS, "unknown") for report in members]
        found.append({
            **{key: group[key] for key in ("method", "title", "preset", "runs", "seeds")},
            "verdicts": [verdict.get("code") or "no_reference" for verdict in verdicts],
            "damaged": sum(bool(verdict.get("damaged")) for verdict in verdicts),
            "usable": len(deciding), "matching": sum(bool(row.get("closed")) for row in deciding),
            "way": fmean(_way(row) for row in deciding) if deciding else None,
            "lamps": {lamp: [each[lamp] for each in lamps] for lamp in LAMPS},
            "retain_test_accuracy": group["measures"].get("retain_test_accuracy"),
        })  # fmt: skip
    found.sort(key=_order)
    for place, row in enumerate(found):
        same = place and _order(found[place - 1]) == _order(row)
        compared = any(code != "no_reference" for code in row["verdicts"])
        row["rank"] = (found[place - 1]["rank"] if same else place + 1) if compared else None
    return found


def ranking_block(ranking: Sequence[Mapping[str, Any]]) -> ShownTable:
    """Return a ranking as a table; without rows where no run was compared with retrained models."""
    rows = [
        [
            DASH if row["rank"] is None else str(row["rank"]), _name(row), ", ".join(map(str, row["seeds"])),
            counted(row["verdicts"], VERDICTS), *(counted(lights, LIGHTS) for lights in row["lamps"].values()),
            f"{row['matching']} of {row['usable']}",
            over_seeds(row["retain_test_accuracy"], "percent") if row["retain_test_accuracy"] else DASH,
        ]
        for row in ranking
    ]  # fmt: skip
    judged = any(code != "no_reference" for row in ranking for code in row["verdicts"])
    header = ["Rank", "Method", "Seeds", "Verdict", *LAMPS.values(), "Match retraining", "Retain accuracy, unseen, %"]
    return ShownTable("Ranking", header, rows if judged else [], NOTE)


def counted(codes: Sequence[str], words: Mapping[str, str]) -> str:
    """Write what several runs got: the words where all got the same, else "2 close, 1 hidden"."""
    numbers = Counter(codes)
    if len(numbers) == 1:
        return words.get(codes[0], codes[0])
    return ", ".join(f"{number} {words.get(code, code)}" for code, number in numbers.most_common())


def _way(row: Mapping[str, Any]) -> float:
    if row.get("closed"):
        return 1.0
    return 0.0 if row.get("moved_away") else min(1.0, max(0.0, row.get("closure") or 0.0))


def _order(row: Mapping[str, Any]) -> tuple[float, float, float, float]:
    places = {code: place for place, code in enumerate(VERDICTS)}
    runs = len(row["runs"])
    matching = row["matching"] / row["usable"] if row["usable"] else 0.0
    verdict = fmean(places.get(code, len(places)) for code in row["verdicts"])
    return round(verdict, 9), row["damaged"] / runs, -round(matching, 9), -round(row["way"] or 0.0, 9)


def _name(row: Mapping[str, Any]) -> str:
    preset = row["preset"]
    return f"{row['title']}, {preset}" if preset and preset != "default" else str(row["title"])
