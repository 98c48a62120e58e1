"""The plots of attacks in a report: the receiver operating curve, and relearning with its anchors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from core.verify.charts import Series, line_chart
from core.verify.numbers import ratio
from core.verify.plot import Plot

Report = Mapping[str, Any]

NAMES = {
    "original": ("Original", "square"),
    "unlearned": ("Unlearned", "circle"),
    "head_only": ("Head-only edit", "cross"),
    "retrained": ("Retrained", "diamond"),
    "fresh": ("Untrained", "ring"),
}
"""Models in the order of the legend, with their names and markers; each takes its own colour."""

ATTACKS = {"rmia": "Reference attack (RMIA)", "population": "Membership attack"}


def roc_plot(report: Report) -> Plot | None:
    """Draw the curve of the strongest attack that was run, for every model, with the intervals in words."""
    models = report.get("models") or {}
    for attack, title in ATTACKS.items():
        found = {
            name: taken
            for name in ("original", "unlearned", "head_only", "retrained")
            if (taken := ((models.get(name) or {}).get("membership") or {}).get(attack)) and taken.get("roc")
        }
        if found:
            return Plot(f"{title}: curve", _curves(found), describe_attack(found, attack))
    return None


def relearning_plot(report: Report) -> Plot | None:
    """Draw the forget accuracy by samples seen while relearning; None where the full suite was not run."""
    models = report.get("models") or {}
    curves = {name: curve for name in NAMES if (curve := (models.get(name) or {}).get("relearn"))}
    if "unlearned" not in curves:
        return None
    series = [
        Series(NAMES[name][0], name, _points(curve["samples"], curve["forget"]), marker=NAMES[name][1],
               dash="solid" if name == "unlearned" else name)
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
        Series(NAMES[name][0], name, _points(taken["roc"]["fpr"], taken["roc"]["tpr"], 100), plain=True,
               dash="solid" if name == "unlearned" else name, final=ratio(taken["auc"]))
        for name, taken in found.items()
    ]  # fmt: skip
    return line_chart(
        series, label="Share of forget images told by false-positive rate", y_title="Forget images told, %",
        x_title="False positives, %", y_range=(0, 100),
    )  # fmt: skip


def describe_attack(found: Mapping[str, Mapping[str, Any]], attack: str) -> str:
    """Say an attack's area under the curve with its interval for each model, and on how many images it stands."""
    parts = [f"{NAMES[name][0]} {ratio(each['low'])} to {ratio(each['high'])}" for name, each in found.items()]
    counts = next(iter(found.values()))
    caption = f"Area under the curve, 95 % interval: {'; '.join(parts)}. 0.5 is chance. "
    whose = "retain" if attack == "population_retain" else "forget"
    caption += f"{counts['members']:,} {whose} images against {counts['nonmembers']:,} unseen ones of the same classes."
    if attack == "rmia":
        caption += f" With {counts['references']} models that never saw the forget set."
    return caption


def _points(x: Sequence[float], y: Sequence[float], scale: float = 1.0) -> list[tuple[float, float]]:
    return [(scale * a, 100 * b) for a, b in zip(x, y, strict=True)]
