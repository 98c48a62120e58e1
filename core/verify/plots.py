"""The plots of a report, from report.json's content and the run's events; each is left out where it has no data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from core.verify.charts import MARKERS, Bars, Plot, Reference, Series, bar_chart, line_chart
from core.verify.closure import look_up
from core.verify.numbers import count, percent, ratio
from core.verify.table import MODELS, alignment_caption, model_measures, retrained_models, unseen

Report = Mapping[str, Any]
Events = Sequence[Mapping[str, Any]]

NO_ALIGNMENT = "Alignment compares whole classes. For single images it says nothing, so losses are shown instead."
MOST_CLASSES = 24
"""Classes drawn one by one; of more, those that changed most."""

HISTOGRAM_BINS = 24


ATTACKS = {"rmia": "Reference attack (RMIA)", "population": "Membership attack"}


def plots(report: Report, events: Events) -> list[Plot]:
    """Return the report's plots in reading order."""
    by_class = report.get("forget_mode") != "sample"
    found = [
        _accuracy(report, events),
        _alignment(report, events) if by_class else _losses(events),
        _spectra(report, events),
        _profile(report) if by_class else None,
        relearning_plot(report),
        roc_plot(report),
        _damage(report),
        _destinations(report),
    ]
    return [plot for plot in found if plot is not None and plot.svg]


def _accuracy(report: Report, events: Events) -> Plot | None:
    rows = _measured(events, "evaluation")
    by_class = any(row.get("forget_test_accuracy") is not None for row in rows)
    forget_key = "forget_test_accuracy" if by_class else "forget_accuracy"
    names = {"retain_test_accuracy": ("Retain", "retain", "circle"), forget_key: ("Forget", "forget", "triangle")}
    series = [
        Series(name, token, points, marker=marker, final=percent(points[-1][1] / 100, unit=False))
        for key, (name, token, marker) in names.items()
        if (points := [(row["step"], 100 * row[key]) for row in rows if row.get(key) is not None])
    ]
    references = [
        Reference("Retrained", names[key][1], "diamond", 100 * value, percent(value, unit=False))
        for key in names
        if (value := _retrained(report, (key,))) is not None
    ]
    where = unseen(report)
    what = f"Forget and retain accuracy on {where}" if by_class else f"Retain on {where}, forget on the forget images"
    svg = line_chart(
        series, label="Accuracy over the steps of the run", y_title="Accuracy, %", x_title="Step",
        y_range=(0, 100), references=references,
    )  # fmt: skip
    counts = {row.get("scope"): (row.get("counts") or {}).get("retain_test", 0) for row in rows}
    if 0 < counts.get("subset", 0) < counts.get("full", 0):
        what += f". Between the ends, retain on a fixed sample of {count(counts['subset'])} of {count(counts['full'])}"
    goal = " ◆ where retraining without the forget set ends." if references else ""
    return Plot("Accuracy while it ran", svg, f"{what}.{goal}")


def _alignment(report: Report, events: Events) -> Plot | None:
    rows = [row for row in _measured(events, "alignment") if row.get("value") is not None]
    if not rows:
        return None
    points = [(row["step"], row["value"]) for row in rows]
    path = ("dimensional_alignment", "value")
    ends = {"original": look_up(model_measures(report, "original"), path), "retrained": _retrained(report, path)}
    references = [
        Reference(MODELS[name], name, MARKERS[name], value, ratio(value)) for name, value in ends.items() if value
    ]
    svg = line_chart(
        [Series("Unlearned", "unlearned", points, marker="circle", final=ratio(points[-1][1]))],
        label="Dimensional alignment over the steps of the run", y_title="Dimensional alignment (DA)", x_title="Step",
        y_range=(0, 1), references=references,
    )  # fmt: skip
    caption = (
        f"{alignment_caption(rows[-1])} · higher = forget features lie more inside the retain space; the goal is the "
        "retrained value, not 1"
    )
    return Plot("Alignment while it ran", svg, caption)


def _losses(events: Events) -> Plot | None:
    rows = [row for row in events if row.get("type") == "evaluation" and row.get("forget_losses")]
    last: Mapping[str, Any] = rows[-1] if rows else {}
    # null in a log of an earlier version: a loss that was no number
    forget, unseen = (
        [loss for loss in last.get(name) or () if loss is not None] for name in ("forget_losses", "unseen_losses")
    )
    if not forget or not unseen:
        return None
    top = sorted([*forget, *unseen])[int(0.98 * (len(forget) + len(unseen) - 1))] or 1.0
    series = [
        Series(name, token, _histogram(values, top), dash=dash, steps=True)
        for name, token, values, dash in (
            ("Forget", "forget", forget, ""),
            ("Unseen", "text-2", unseen, "retrained"),
        )
    ]
    svg = line_chart(
        series, label="Histograms of the loss on forget images and on unseen images", y_title="Share of images, %",
        x_title="Cross-entropy, nats",
    )  # fmt: skip
    caption = f"{NO_ALIGNMENT} The last bin holds all larger losses. After forgetting, the two should look alike."
    return Plot("Loss on forget images and on unseen images", svg, caption)


def _spectra(report: Report, events: Events) -> Plot | None:
    before, after = (model_measures(report, name).get("spectra") for name in ("original", "unlearned"))
    recorded = [row for row in events if row.get("type") == "spectrum"]
    if recorded:
        before, after = before or recorded[0], after or recorded[-1]
    series = [
        Series(f"{name}, {when}", token, list(enumerate(values, 1)), dash=dash)
        for name, token in (("Retain", "retain"), ("Forget", "forget"))
        for when, found, dash in (("before", before, "original"), ("after", after, ""))
        if (values := (found or {}).get(token))
    ]
    svg = line_chart(
        series, label="Eigenspectra of the features before and after", y_title="Eigenvalue per image",
        x_title="Direction", log=True,
    )  # fmt: skip
    ranks = [
        f"{name} {found['forget_rank']:.1f}"
        for name, found in (("before", before), ("after", after))
        if found and found.get("forget_rank")
    ]
    caption = "Eigenvalues of the features' Gram matrices, largest first, not centred."
    if ranks:
        caption += (
            f" Effective rank of the forget features: {', '.join(ranks)}. A fall to 1 would be a collapse, "
            "not forgetting."
        )
    return Plot("Eigenspectra before and after", svg, caption)


def _profile(report: Report) -> Plot | None:
    alignments = {name: model_measures(report, name).get("dimensional_alignment") for name in ("original", "unlearned")}
    references = [m.get("dimensional_alignment") for m in retrained_models(report)]
    alignments["retrained"] = next((a for a in references if isinstance(a, Mapping)), None)
    series = [
        Series(name.capitalize(), name, list(enumerate(found["profile"], 1)),
               dash=name)
        for name, found in alignments.items()
        if isinstance(found, Mapping) and found.get("profile")
    ]  # fmt: skip
    shown = alignments["unlearned"] or alignments["original"]
    if not series or not isinstance(shown, Mapping):
        return None
    k, channels = shown.get("k"), len(series[0].points)
    svg = line_chart(
        series, label="Dimensional alignment by the number of directions", y_title="Dimensional alignment (DA)",
        x_title="Number of retain directions k", y_range=(0, 1),
    )  # fmt: skip
    caption = (
        f"The table's value is the one at k = {k}. At k = {count(channels)}, all directions, it is 1 for every network "
        f"and says nothing. {'Centred' if shown.get('centred') else 'Not centred'}."
    )
    if len(references) > 1:
        caption += " Of the retrained models the first is drawn."
    return Plot("Alignment by number of directions", svg, caption)


def _damage(report: Report) -> Plot | None:
    names = (report.get("dataset") or {}).get("classes") or []
    before, after = (model_measures(report, name).get("per_class") or [] for name in ("original", "unlearned"))
    if not names or len(before) != len(names) or len(after) != len(names):
        return None
    retrained = [m["per_class"] for m in retrained_models(report) if len(m.get("per_class") or []) == len(names)]
    changes = [_change(a, b) for a, b in zip(after, before, strict=True)]
    goals = [_change(_mean([each[i] for each in retrained]), before[i]) for i in range(len(names))]
    order = [i for i in range(len(names)) if changes[i] is not None]
    left_out = len(order) - MOST_CLASSES
    if left_out > 0:
        order = sorted(sorted(order, key=lambda i: -abs(changes[i] or 0.0))[:MOST_CLASSES])
    forgotten = set(report.get("forget_classes") or ())
    tokens = ["forget" if names[i] in forgotten else "retain" for i in order]
    bars = [Bars("Unlearned", [changes[i] for i in order], "retain", tokens=tokens)]
    if any(goal is not None for goal in goals):
        bars.append(Bars("Retrained", [goals[i] for i in order], "retrained", marker="diamond"))
    svg = bar_chart(
        [names[i] for i in order], bars, label="Change of accuracy by class",
        x_title="Change against the original, points",
    )  # fmt: skip
    caption = f"On {unseen(report)}. Orange: forgotten, blue: to be kept."
    if len(bars) > 1:
        caption += " ◆ what retraining changes."
    if left_out > 0:
        caption += f" The {MOST_CLASSES} classes that changed most; {count(left_out)} others are not drawn."
    return Plot("Change by class", svg, caption)


def _destinations(report: Report) -> Plot | None:
    names = (report.get("dataset") or {}).get("classes") or []
    unlearned = _shares(model_measures(report, "unlearned").get("forget_predictions"), names)
    if not names or unlearned is None:
        return None
    references = [s for m in retrained_models(report) if (s := _shares(m.get("forget_predictions"), names)) is not None]
    retrained = [_mean([each[i] for each in references]) for i in range(len(names))] if references else None
    largest = [max(unlearned[i], (retrained[i] or 0.0) if retrained else 0.0) for i in range(len(names))]
    named = [i for i in range(len(names)) if largest[i] > 0.005]
    order = sorted(sorted(named, key=lambda i: -largest[i])[:MOST_CLASSES])
    bars = [Bars("Unlearned", [100 * unlearned[i] for i in order], "unlearned")]
    if retrained:
        bars.append(Bars("Retrained", [100 * (retrained[i] or 0.0) for i in order], "retrained"))
    svg = bar_chart(
        [names[i] for i in order], bars, label="Classes that images of the forgotten classes are called",
        x_title="Share of forget images, %",
    )  # fmt: skip
    caption = "Classes named for under 0.5 % of the images are left out."
    if left_out := len(named) - len(order):
        caption = f"The {MOST_CLASSES} classes named most; {count(left_out)} others are not drawn. {caption}"
    return Plot("What forget images are called now", svg, caption)


def roc_plot(report: Report) -> Plot | None:
    """Draw the curve of the strongest attack that was run, for every model, with the intervals in words."""
    for attack, title in ATTACKS.items():
        found = {
            name: taken
            for name in ("original", "unlearned", "head_only", "retrained")
            if (taken := (model_measures(report, name).get("membership") or {}).get(attack)) and taken.get("roc")
        }
        if found:
            return Plot(f"{title}: curve", _curves(found), describe_attack(found, attack))
    return None


def relearning_plot(report: Report) -> Plot | None:
    """Draw the forget accuracy by samples seen while relearning; None where the full suite was not run."""
    curves = {name: curve for name in MODELS if (curve := model_measures(report, name).get("relearn"))}
    if "unlearned" not in curves:
        return None
    series = [
        Series(MODELS[name], name, _points(curve["samples"], curve["forget"]), marker=MARKERS[name],
               dash=name)
        for name, curve in curves.items()
    ]  # fmt: skip
    svg = line_chart(
        series, label="Forget accuracy by samples seen while relearning", y_title="Forget accuracy, %",
        x_title="Training samples seen", y_range=(0, 100),
    )  # fmt: skip
    return Plot("Relearning", svg, describe_relearning(report))


def describe_relearning(report: Report) -> str:
    """Say how the relearning curves of a report were taken."""
    shown = report["models"]["unlearned"]["relearn"]
    caption = (
        f"Fine-tuning on {shown['shots']} forget images of a class among images of all others, with fresh head rows "
        f"for the forgotten classes; unseen images; mean of {shown['draws']} draws. The sooner a curve rises, the more "
        "was left to build on."
    )
    if len(report.get("retrained") or ()) > 1:
        caption += " Of the retrained models the first is drawn."
    return caption


def _curves(found: Mapping[str, Mapping[str, Any]]) -> Markup:
    series = [
        Series(MODELS[name], name, _points(taken["roc"]["fpr"], taken["roc"]["tpr"], 100),
               dash=name, final=ratio(taken["auc"]))
        for name, taken in found.items()
    ]  # fmt: skip
    return line_chart(
        series, label="Share of forget images identified by false-positive rate", y_title="Forget images identified, %",
        x_title="False positives, %", y_range=(0, 100),
    )  # fmt: skip


def describe_attack(found: Mapping[str, Mapping[str, Any]], attack: str) -> str:
    """Say an attack's area under the curve with its interval for each model, and on how many images it stands."""
    parts = [f"{MODELS[name]} {ratio(each['low'])} to {ratio(each['high'])}" for name, each in found.items()]
    counts = next(iter(found.values()))
    caption = f"Area under the curve, 95 % interval: {'; '.join(parts)}. 0.5 is chance. "
    whose = "retain" if attack == "population_retain" else "forget"
    caption += f"{counts['members']:,} {whose} images against {counts['nonmembers']:,} unseen ones of the same classes."
    if attack == "rmia":
        caption += f" With {counts['references']} models that never saw the forget set."
    return caption


def _points(x: Sequence[float], y: Sequence[float], scale: float = 1.0) -> list[tuple[float, float]]:
    return [(scale * a, 100 * b) for a, b in zip(x, y, strict=True)]


def _measured(events: Events, kind: str) -> list[Mapping[str, Any]]:
    """Return one kind of evaluation, a step at most once, the full sets' before the monitored subset's."""
    by_step: dict[int, Mapping[str, Any]] = {}
    for row in events:
        if row.get("type") == kind and (row.get("scope") == "full" or row.get("step") not in by_step):
            by_step[int(row.get("step", 0))] = row
    return [by_step[step] for step in sorted(by_step)]


def _retrained(report: Report, path: Sequence[str]) -> float | None:
    return _mean([look_up(m, path) for m in retrained_models(report)])


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _change(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else 100 * (after - before)


def _shares(found: Any, names: Sequence[str]) -> list[float] | None:
    """Read shares by class from a list in class order or a mapping by name."""
    if isinstance(found, Mapping):
        found = [found.get(name, 0.0) for name in names]
    return [float(v) for v in found] if isinstance(found, (list, tuple)) and len(found) == len(names) else None


def _histogram(values: Sequence[float], top: float) -> list[tuple[float, float]]:
    counts = [0] * HISTOGRAM_BINS
    for value in values:
        counts[min(HISTOGRAM_BINS - 1, max(0, int(HISTOGRAM_BINS * value / top)))] += 1
    return [(top * i / HISTOGRAM_BINS, 100 * n / len(values)) for i, n in enumerate([*counts, counts[-1]])]
