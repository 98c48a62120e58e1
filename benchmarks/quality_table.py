"""The rows of the quality benchmark: one a model that was measured, kept as CSV; and the tables made of them."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.quality_cells import Cell, Made, Place

WHERE = ("network", "data", "task", "tier", "method", "preset", "seed")
"""Columns that say what a row is of; rows of the same place replace each other."""

MEASURES: dict[str, tuple[tuple[str, ...], ...]] = {
    "retain": (("retain_test_accuracy",),),
    "forget": (("forget_test_accuracy",), ("forget_accuracy",)),
    "probe": (("probe", "forget"),),
    "F1": (("probe", "f1"),),
    "NMI": (("nmi",),),
    "DA": (("dimensional_alignment", "value"),),
    "JS": (("distances", "forget_test", "js_to_retrained"), ("distances", "forget", "js_to_retrained")),
    "attack": (("membership", "population", "auc"),),
}
"""Where the measures stand in a report, the first path that has a number. JS is a distance, the others values."""

PER_SAMPLE = {"RMIA": "rmia", "vulnerable": "sample_vulnerable"}
"""Per-sample attacks by the models of the attack, where there are such: the second on the harder half of the images."""

CLOSURES = {"JS": "output_distance", "probe": "probe", "NMI": "nmi", "DA": "dimensional_alignment"}
"""Measures of which a closure is given, with what a verdict calls them."""

COLUMNS = (
    *WHERE, *MEASURES, *PER_SAMPLE, *(f"closure {name}" for name in CLOSURES), "judged by", "matching", "usable",
    "verdict", "time", "operations", "weights",
)  # fmt: skip
"""`judged by`: the closures whose measures the result's verdict rests on: what a method was trained on does not count,
nor what cannot tell original from retrained, nor what says nothing of single images."""

ORIGINAL, RETRAINED = "original", "retrained"
OF_MODELS = (ORIGINAL, RETRAINED)  # in the column of the method: models that no method made
NOTHING = "–"  # where a measure says nothing
SMALLEST_GAP = 1e-6
PERCENT = {"retain", "forget", "probe", "time", "operations"}
Row = dict[str, str]


def rows_of(made: Iterable[Made], place: Place) -> list[Row]:
    """Return the rows of cells, and of the original and the retrained models they were held against."""
    found: dict[tuple[str, ...], Row] = {}
    for one in made:
        cell, report = one.cell, one.report
        where = where_of(cell, place)
        models = report["models"]
        theirs = report["retrained"]
        original = _measures(models["original"], one.attacks.get("original"))
        retrained = {name: _measures(values, one.attacks.get(name)) for name, values in theirs.items()}
        unlearned = _measures(models["unlearned"], one.attacks.get("unlearned"))
        rows = [(ORIGINAL, "", "", original, {})]
        for name, values in retrained.items():
            others = [other for key, other in retrained.items() if key != name]
            rows.append((RETRAINED, "", name.removeprefix("seed "), values, closures(original, values, others)))
        closed = closures(original, unlearned, list(retrained.values()))
        rows.append((cell.method, cell.preset, str(cell.seed), unlearned, closed))
        for method, preset, seed, values, closure in rows:
            row = dict.fromkeys(COLUMNS, "") | where | {"method": method, "preset": preset, "seed": seed}
            row |= {name: _text(value) for name, value in values.items()}
            row |= {f"closure {name}": _text(value) for name, value in closure.items()}
            if method not in OF_MODELS:
                deciding = [measure for measure in report["verdict"]["measures"] if measure.get("decides")]
                rests_on = {measure["key"] for measure in deciding}
                row |= {
                    "judged by": " ".join(name for name, key in CLOSURES.items() if key in rests_on),
                    "tier": cell.tier, "verdict": report["verdict"]["code"], "weights": one.weights,
                    "usable": str(len(deciding)), "matching": str(sum(bool(m.get("closed")) for m in deciding)),
                    "time": _text(report["cost"]["share_of_retraining"]),
                    "operations": _text(report["cost"].get("operations_share")),
                }  # fmt: skip
            found[identity(row)] = row
    return list(found.values())


def where_of(cell: Cell, place: Place) -> Row:
    """Return what a cell's row shares with those of its original and retrained models."""
    return {"network": place.network.name, "data": place.source_name, "task": cell.task.name}


def identity(row: Row) -> tuple[str, ...]:
    """Return what a row is of; the tier is a label."""
    return tuple(row[name] for name in WHERE if name != "tier")


def measured_on(row: Row) -> str:
    """Return the network, data and task of a row in words: what shares its original and retrained models."""
    return f"{row['network']}, {row['data']}: {row['task']}"


def closures(
    original: Mapping[str, float | None], model: Mapping[str, float | None], retrained: Sequence[Mapping[str, Any]]
) -> dict[str, float | None]:
    """Return 1 − |u − r| / |o − r| of each measure, for JS 1 − d(u, r) / d(o, r), however small the gap is.

    A benchmark averages over tasks and seeds, so that a gap too small to judge one model by still counts here; the
    report's own closure leaves such measures out.
    """
    found: dict[str, float | None] = {}
    for name in CLOSURES:
        o, u = original[name], model[name]
        known = [values[name] for values in retrained if values[name] is not None]
        goal = 0.0 if name == "JS" else statistics.fmean(known) if known else None
        found[name] = None
        if o is not None and u is not None and goal is not None and abs(o - goal) > SMALLEST_GAP:
            found[name] = 1 - abs(u - goal) / abs(o - goal)
    return found


def read_rows(file: Path) -> list[Row]:
    """Return the rows of a CSV file; none where it does not exist."""
    if not file.exists():
        return []
    with file.open(newline="", encoding="utf-8") as text:
        return [dict(row) for row in csv.DictReader(text)]


def merged(rows: Iterable[Row], news: Iterable[Row]) -> list[Row]:
    """Return the rows with `news` in the place of those that are of the same, and what is new behind its neighbours."""
    found = {identity(row): row for row in rows} | {identity(row): row for row in news}
    groups = list(dict.fromkeys((row["network"], row["data"], row["task"]) for row in found.values()))
    return sorted(
        found.values(),
        key=lambda row: (
            groups.index((row["network"], row["data"], row["task"])),
            OF_MODELS.index(row["method"]) if row["method"] in OF_MODELS else len(OF_MODELS),
        ),
    )


def as_csv(rows: Sequence[Row]) -> str:
    """Return rows as the text of a CSV file."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def groups(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Return rows by what they are of: original, retrained, or a method with its preset where it is not the default."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        title = row["method"].capitalize() if row["method"] in OF_MODELS else row["method"]
        found.setdefault(f"{title}/{row['preset']}" if row["preset"] else title, []).append(row)
    return found


def table(rows: Sequence[Row]) -> list[list[str]]:
    """Return a table with a head: original and retrained models first, then one row a method and preset.

    Columns in which no row has a number are left out, and closures but that of outputs that no result is judged by,
    because there may be no gap. Numbers are means, with half of their 95 % interval from three values on.
    """
    judged = {name for row in rows for name in row["judged by"].split()}
    left_out = {"judged by", "usable", "weights", "verdict"}
    left_out |= {f"closure {name}" for name in CLOSURES.keys() - judged - {"JS"}}
    head = [name for name in COLUMNS[len(WHERE) :] if name not in left_out]
    lines = []
    for title, members in groups(rows).items():
        cells = {name: mean_text([row[name] for row in members], name) for name in head}
        counts = [sum(int(row[name] or 0) for row in members) for name in ("matching", "usable")]
        cells["matching"] = f"{counts[0]} of {counts[1]}" if counts[1] else ""
        lines.append([title, members[-1]["tier"], str(len(members)), *cells.values()])
    used = [place for place in range(len(head) + 3) if place < 3 or any(line[place].strip(NOTHING) for line in lines)]
    titled = ["", "tier", "runs", *("match retraining" if name == "matching" else name for name in head)]
    return [[line[place] for place in used] for line in [titled, *lines]]


def mean_of(rows: Iterable[Row], name: str) -> float | None:
    """Return the mean of a column; None where no row has a number there."""
    known = [float(row[name]) for row in rows if row[name]]
    return statistics.fmean(known) if known else None


def figures(rows: Sequence[Row]) -> dict[str, Any]:
    """Return what scripts read, by title: means over the cells of a task."""
    found: dict[str, Any] = {}
    by_title = groups(rows)
    before = mean_of(by_title.get(ORIGINAL.capitalize(), []), "retain")
    for title, members in by_title.items():
        after = mean_of(members, "retain")
        found[title] = {
            "runs": len(members),
            "retain_drop": None if before is None or after is None else before - after,
            "forget_accuracy": mean_of(members, "forget"),
            "closure": {name: mean_of(members, f"closure {name}") for name in CLOSURES},
            "time_share": mean_of(members, "time"),
            "flop_share": mean_of(members, "operations"),
            "verdicts": [row["verdict"] for row in members if row["verdict"]],
        }
    return found


def agreement(rows: Sequence[Row]) -> list[list[str]]:
    """Return a table of Kendall's tau between the orders in which measures put the methods; [] for fewer than five.

    The order of a closure is its own; of accuracies, of how near they are to the retrained models' mean. rows: of
    methods that have the same tasks.
    """
    from scipy.stats import kendalltau

    by_title = {title: members for title, members in groups(rows).items() if members[0]["method"] not in OF_MODELS}
    retrained = [row for row in rows if row["method"] == RETRAINED]
    goals = {name: mean_of(retrained, name) for name in ("retain", "forget", "attack", *PER_SAMPLE)}
    orders: dict[str, list[float | None]] = {}
    for name, goal in goals.items():
        values = [mean_of(members, name) for members in by_title.values()]
        orders[name] = [None if v is None or goal is None else -abs(v - goal) for v in values]
    for name in CLOSURES:
        orders[f"closure {name}"] = [mean_of(members, f"closure {name}") for members in by_title.values()]
    usable = {name: values for name, values in orders.items() if sum(v is not None for v in values) >= 5}
    if len(usable) < 2:
        return []
    lines = [["", *usable]]
    for name, values in usable.items():
        cells = []
        for other, others in usable.items():
            pairs = [(a, b) for a, b in zip(values, others, strict=True) if a is not None and b is not None]
            tau = math.nan if other == name else float(kendalltau(*zip(*pairs, strict=True)).statistic)
            cells.append(NOTHING if math.isnan(tau) else f"{tau:.2f}")
        lines.append([name, *cells])
    return lines


def costs(rows: Sequence[Row]) -> list[tuple[str, float, float]]:
    """Return title, operations as a share of retraining's, and mean closure of each method, the cheapest first.

    The mean is that of the closures a result is judged by. rows: of methods that have the same tasks.
    """
    found = []
    for title, members in groups(rows).items():
        closed = [mean for row in members if (mean := judged_closure(row)) is not None]
        operations = mean_of(members, "operations")
        if members[0]["method"] not in OF_MODELS and closed and operations is not None:
            found.append((title, operations, statistics.fmean(closed)))
    return sorted(found, key=lambda point: point[1:])


def judged_closure(row: Row) -> float | None:
    """Return the mean of the closures that a result is judged by; None where there are none."""
    known = [float(text) for name in row["judged by"].split() if (text := row[f"closure {name}"])]
    return statistics.fmean(known) if known else None


def frontier(points: Sequence[tuple[str, float, float]]) -> list[str]:
    """Return the titles that nothing cheaper closes more than (Pareto), the cheapest first; `points` as of `costs`."""
    best, titles = -math.inf, []
    for title, _, closed in points:
        if closed > best:
            best = closed
            titles.append(title)
    return titles


def _measures(values: Mapping[str, Any], attack: Mapping[str, Any] | None) -> dict[str, float | None]:
    found = {
        name: next((value for path in paths if (value := _at(values, path)) is not None), None)
        for name, paths in MEASURES.items()
    }
    return found | {name: _at(attack or {}, (key, "auc")) for name, key in PER_SAMPLE.items()}


def _at(measures: Any, path: Sequence[str]) -> float | None:
    for name in path:
        measures = measures.get(name) if isinstance(measures, dict) else None
    return float(measures) if isinstance(measures, (int, float)) else None


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def mean_text(values: Sequence[str], name: str) -> str:
    known = [float(value) for value in values if value]
    if not known:
        return NOTHING
    form = "{:.1%}" if name in PERCENT else "{:.2f}" if name.startswith("closure") else "{:.3f}"
    half = _half_width(known)
    text = form.format(statistics.fmean(known))
    return text if half is None else f"{text} ± {form.format(half).rstrip('%')}"


def _half_width(values: Sequence[float]) -> float | None:
    """Half of the 95 % interval of the mean; None for fewer than three values."""
    if len(values) < 3:
        return None
    from scipy.special import stdtrit

    return float(stdtrit(len(values) - 1, 0.975)) * statistics.stdev(values) / math.sqrt(len(values))


