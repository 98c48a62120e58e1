"""The plots of a report, from report.json's content and the run's events; each is left out where it has no data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.verify.closure import look_up
from core.verify.numbers import count, mean, percent, ratio
from core.verify.pages import MARKERS, Bars, Plot, Points, Reference, Series, bar_chart, line_chart
from core.verify.table import MODELS, alignment_caption, model_measures, retrained_models, unseen

Report = Mapping[str, Any]
Events = Sequence[Mapping[str, Any]]

NO_ALIGNMENT = "Alignment compares whole classes. For single images it says nothing, so losses are shown instead."
MOST_CLASSES = 24
"""Classes drawn one by one; of more, those that changed most."""

HISTOGRAM_BINS = 24

ATTACKS = {
    "sample_vulnerable": "Attack on vulnerable images", "rmia": "Reference attack (RMIA)",
    "population": "Membership attack",
}  # fmt: skip


def plots(report: Report, events: Events) -> list[Plot]:
    """Return the report's plots in reading order."""
    by_class = report.get("forget_mode") != "sample"
    drawn = [
        _accuracy(report, events),
        _alignment(report, events) if by_class else _losses(events),
        _spectra(report),
        _profile(report) if by_class else None,
        _relearning(report),
        _attack(report),
        _damage(report),
        _destinations(report),
    ]
    return [plot for plot in drawn if plot is not None and plot.svg]


def _accuracy(report: Report, events: Events) -> Plot:
    rows = _measured(events, "evaluation")
    by_class = any(row.get("forget_test_accuracy") is not None for row in rows)
    series, references = [], []
    for name, key, marker in (
        ("Retain", "retain_test_accuracy", "circle"),
        ("Forget", "forget_test_accuracy" if by_class else "forget_accuracy", "triangle"),
    ):
        token, goal = name.lower(), _retrained(report, (key,))
        if points := [(row["step"], 100 * row[key]) for row in rows if row.get(key) is not None]:
            final = percent(points[-1][1] / 100, unit=False)
            series.append(Series(name, token, points, marker=marker, final=final))
        if goal is not None:
            references.append(Reference("Retrained", token, "diamond", 100 * goal, percent(goal, unit=False)))
    svg = line_chart(
        series, label="Accuracy over the steps of the run", y_title="Accuracy, %", x_title="Step",
        y_range=(0, 100), references=references,
    )  # fmt: skip
    where = unseen(report)
    what = f"Forget and retain accuracy on {where}" if by_class else f"Retain on {where}, forget on the forget images"
    counts = {row.get("scope"): (row.get("counts") or {}).get("retain_test", 0) for row in rows}
    if 0 < counts.get("subset", 0) < counts.get("full", 0):
        what += f". Between the ends, retain on a fixed sample of {count(counts['subset'])} of {count(counts['full'])}"
    goals = " ◆ where retraining without the forget set ends." if references else ""
    return Plot("Accuracy while it ran", svg, f"{what}.{goals}")


def _alignment(report: Report, events: Events) -> Plot | None:
    rows = [row for row in _measured(events, "alignment") if row.get("value") is not None]
    if not rows:
        return None
    path = ("dimensional_alignment", "value")
    ends = {"original": look_up(model_measures(report, "original"), path), "retrained": _retrained(report, path)}
    points = [(row["step"], row["value"]) for row in rows]
    svg = line_chart(
        [_of_model("unlearned", points, marked=True, final=ratio(points[-1][1]))],
        label="Dimensional alignment over the steps of the run", y_title="Dimensional alignment (DA)", x_title="Step",
        y_range=(0, 1),
        references=[
            Reference(MODELS[name], name, MARKERS[name], value, ratio(value)) for name, value in ends.items() if value
        ],
    )  # fmt: skip
    caption = (
        f"{alignment_caption(rows[-1])} · higher = forget features lie more inside the retain space; the goal is the "
        "retrained value, not 1."
    )
    return Plot("Alignment while it ran", svg, caption)


def _losses(events: Events) -> Plot | None:
    rows = [row for row in events if row.get("type") == "evaluation" and row.get("forget_losses")]
    last: Mapping[str, Any] = rows[-1] if rows else {}
    # null in a log of an earlier version: a loss that was no number
    forget, others = (
        [loss for loss in last.get(name) or () if loss is not None] for name in ("forget_losses", "unseen_losses")
    )
    if not forget or not others:
        return None
    top = sorted([*forget, *others])[int(0.98 * (len(forget) + len(others) - 1))] or 1.0
    svg = line_chart(
        [
            Series("Forget", "forget", _histogram(forget, top), steps=True),
            Series("Unseen", "text-2", _histogram(others, top), dash="retrained", steps=True),
        ],
        label="Histograms of the loss on forget images and on unseen images", y_title="Share of images, %",
        x_title="Cross-entropy, nats",
    )  # fmt: skip
    caption = f"{NO_ALIGNMENT} The last bin holds all larger losses. After forgetting, the two should look alike."
    return Plot("Loss on forget images and on unseen images", svg, caption)


def _spectra(report: Report) -> Plot:
    spectra = {
        when: model_measures(report, model).get("spectra") or {}
        for when, model in (("before", "original"), ("after", "unlearned"))
    }
    svg = line_chart(
        [
            Series(f"{name}, {when}", name.lower(), list(enumerate(spectrum.get(name.lower()) or (), 1)),
                   dash="original" if when == "before" else "")
            for name in ("Retain", "Forget")
            for when, spectrum in spectra.items()
            if spectrum
        ],
        label="Eigenspectra of the features before and after", y_title="Eigenvalue per image",
        x_title="Direction", log=True,
    )  # fmt: skip
    ranks = [f"{when} {of_when['forget_rank']:.1f}" for when, of_when in spectra.items() if of_when.get("forget_rank")]
    caption = "Eigenvalues of the features' Gram matrices, largest first, not centred."
    if ranks:
        caption += (
            f" Effective rank of the forget features: {', '.join(ranks)}. A fall to 1 would be a collapse, "
            "not forgetting."
        )
    return Plot("Eigenspectra before and after", svg, caption)


def _profile(report: Report) -> Plot | None:
    models = {name: model_measures(report, name) for name in ("original", "unlearned")}
    models["retrained"] = next(iter(retrained_models(report)), {})
    alignments = {
        name: alignment for name, measures in models.items() if (alignment := measures.get("dimensional_alignment"))
    }
    shown = alignments.get("unlearned") or alignments.get("original")
    if shown is None:
        return None
    svg = line_chart(
        [_of_model(name, list(enumerate(alignment.get("profile") or (), 1))) for name, alignment in alignments.items()],
        label="Dimensional alignment by the number of directions", y_title="Dimensional alignment (DA)",
        x_title="Number of retain directions k", y_range=(0, 1),
    )  # fmt: skip
    directions = count(len(shown.get("profile") or ()))
    caption = (
        f"The table's value is the one at k = {shown['k']}. At k = {directions}, all directions, it "
        f"is 1 for every network and says nothing. {'Centred' if shown.get('centred') else 'Not centred'}."
    )
    return Plot("Alignment by number of directions", svg, caption + _first_drawn(report))


def _damage(report: Report) -> Plot | None:
    names = _classes(report)
    before, after = (model_measures(report, name).get("per_class") or [] for name in ("original", "unlearned"))
    if not names or not before or not after:
        return None
    changes = list(map(_change, after, before))
    goals = list(map(_change, _retrained_by_class(report, "per_class"), before))
    order, left_out = _largest({i: abs(change) for i, change in enumerate(changes) if change is not None})
    forgotten = report.get("forget_classes") or ()
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
    if left_out:
        caption += f" The {MOST_CLASSES} classes that changed most; {count(left_out)} others are not drawn."
    return Plot("Change by class", svg, caption)


def _destinations(report: Report) -> Plot | None:
    names = _classes(report)
    unlearned = model_measures(report, "unlearned").get("forget_predictions")
    if not names or not unlearned:
        return None
    shares = {"unlearned": unlearned}
    if goal := _retrained_by_class(report, "forget_predictions"):
        shares["retrained"] = goal
    largest = {i: max(of_model[i] for of_model in shares.values()) for i in range(len(names))}
    order, left_out = _largest({i: share for i, share in largest.items() if share > 0.005})
    svg = bar_chart(
        [names[i] for i in order],
        [Bars(MODELS[name], [100 * of_model[i] for i in order], name) for name, of_model in shares.items()],
        label="Classes that images of the forgotten classes are called", x_title="Share of forget images, %",
    )  # fmt: skip
    caption = "Classes named for under 0.5 % of the images are left out."
    if left_out:
        caption = f"The {MOST_CLASSES} classes named most; {count(left_out)} others are not drawn. {caption}"
    return Plot("What forget images are called now", svg, caption)


def _attack(report: Report) -> Plot | None:
    """Draw the curve of the strongest attack that was run, for every model, with the intervals in words."""
    for attack, title in ATTACKS.items():
        results = {
            name: result
            for name in ("original", "unlearned", "head_only", "retrained")
            if (result := (model_measures(report, name).get("membership") or {}).get(attack)) and result.get("roc")
        }
        if results:
            svg = line_chart(
                [
                    _of_model(
                        name, _points(result["roc"]["fpr"], result["roc"]["tpr"], 100), final=ratio(result.get("auc"))
                    )
                    for name, result in results.items()
                ],
                label="Share of forget images identified by false-positive rate",
                y_title="Forget images identified, %", x_title="False positives, %", y_range=(0, 100),
            )  # fmt: skip
            return Plot(f"{title}: curve", svg, describe_attack(results, attack))
    return None


def _relearning(report: Report) -> Plot | None:
    """Draw the forget accuracy by samples seen while relearning; None where the full suite was not run."""
    curves = {name: curve for name in MODELS if (curve := model_measures(report, name).get("relearn"))}
    if "unlearned" not in curves:
        return None
    svg = line_chart(
        [_of_model(name, _points(curve["samples"], curve["forget"]), marked=True) for name, curve in curves.items()],
        label="Forget accuracy by samples seen while relearning", y_title="Forget accuracy, %",
        x_title="Training samples seen", y_range=(0, 100),
    )  # fmt: skip
    return Plot("Relearning", svg, describe_relearning(report))


def describe_relearning(report: Report) -> str:
    """Say how the relearning curves of a report were taken."""
    shown = report["models"]["unlearned"]["relearn"]
    return (
        f"Fine-tuning on {shown['shots']} forget images of a class among images of all others, with fresh head rows "
        f"for the forgotten classes; unseen images; mean of {shown['draws']} draws. The sooner a curve rises, the more "
        "was left to build on."
    ) + _first_drawn(report)


def describe_attack(results: Mapping[str, Mapping[str, Any]], attack: str) -> str:
    """Say an attack's area under the curve with its interval for each model, and on how many images it stands."""
    ends = {name: (ratio(result.get("low")), ratio(result.get("high"))) for name, result in results.items()}
    parts = [f"{MODELS[name]} {low} to {high}" for name, (low, high) in ends.items()]
    counts = next(iter(results.values()))
    caption = f"Area under the curve, 95 % interval: {'; '.join(parts)}. 0.5 is chance. "
    whose = "retain" if attack == "population_retain" else "forget"
    caption += f"{counts['members']:,} {whose} images against {counts['nonmembers']:,} unseen ones of the same classes."
    if attack in ("rmia", "sample_vulnerable") and counts.get("references") is not None:
        caption += f" With {counts['references']} models that never saw the forget set."
    return caption


def _of_model(name: str, points: Points, *, marked: bool = False, final: str = "") -> Series:
    return Series(MODELS[name], name, points, dash=name, marker=MARKERS[name] if marked else "", final=final)


def _first_drawn(report: Report) -> str:
    return " Of the retrained models the first is drawn." if len(retrained_models(report)) > 1 else ""


def _classes(report: Report) -> Sequence[str]:
    return (report.get("dataset") or {}).get("classes") or []


def _largest(sizes: Mapping[int, float]) -> tuple[list[int], int]:
    """Return the MOST_CLASSES classes of the largest sizes, in class order, and how many others there are."""
    order = sorted(sorted(sizes, key=lambda i: -sizes[i])[:MOST_CLASSES])
    return order, len(sizes) - len(order)


def _points(x: Sequence[float], y: Sequence[float], scale: float = 1.0) -> Points:
    return [(scale * a, 100 * b) for a, b in zip(x, y, strict=True)]


def _measured(events: Events, kind: str) -> list[Mapping[str, Any]]:
    """Return one kind of evaluation, a step at most once, the full sets' before the monitored subset's."""
    by_step: dict[int, Mapping[str, Any]] = {}
    for row in events:
        if row.get("type") == kind and (row.get("scope") == "full" or row.get("step") not in by_step):
            by_step[int(row.get("step", 0))] = row
    return [by_step[step] for step in sorted(by_step)]


def _retrained(report: Report, path: Sequence[str]) -> float | None:
    return mean([look_up(m, path) for m in retrained_models(report)])


def _retrained_by_class(report: Report, key: str) -> list[float | None]:
    """Return the mean over retrained models of what a measure says of each class; empty where none has it."""
    by_model = [values for measures in retrained_models(report) if (values := measures.get(key))]
    return list(map(mean, zip(*by_model, strict=True)))


def _change(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else 100 * (after - before)


def _histogram(values: Sequence[float], top: float) -> Points:
    """Return the outline of a histogram over 0..`top`: shares in per cent; the last bin holds all larger values."""
    counts, edges = np.histogram(np.clip(values, 0.0, top), HISTOGRAM_BINS, (0.0, top))
    return list(zip(edges.tolist(), (100 * np.append(counts, counts[-1]) / len(values)).tolist(), strict=True))
