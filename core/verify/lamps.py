"""Three lamps: where outputs, features and attacks put a model between the original and retraining, in a word each.

A measure counts for its lamp where it decides, or where it moved away from retraining. It is "retrained" where it
matches retraining, "original" where hardly anything of its gap is closed or where it moved away, else "between". A
lamp says "retrained" or "original" where all its measures do, "unknown" where none counts, else "between". The
head-only edit has lamps of its own beneath: what it gets as well is no forgetting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.runs.shapes import Light
from core.verify.closure import Closure
from core.verify.numbers import percent, whole_percent
from core.verify.table import model_measures, retrained_models

LAMPS = {"outputs": "Outputs", "features": "Features", "attacks": "Attacks"}
"""The lamps in their order, with their titles."""

LIGHTS = {
    "original": "like the original", "between": "between", "retrained": "like retrained", "unknown": "cannot tell",
}  # fmt: skip
"""What a lamp can say."""

MARKERS = {"original": "square", "between": "half", "retrained": "diamond", "unknown": "ring"}
"""The shape of each light: those of the models it is like, as everywhere, and others for what is like none."""

ATTACKS = ("membership", "membership_single", "relearn", "prototype")
"""Measures of somebody who looks for what was forgotten; the others are of what a model says and holds."""

NEAR_ORIGINAL = 0.25
"""Below this share of the way a measure still puts the model near the original."""


def lamp_of(key: str, group: str) -> str:
    """Return the lamp that a measure of the verdict counts for."""
    return "attacks" if key in ATTACKS else f"{group}s"


def near_original(closure: float | None, kind: str, position: float | None) -> bool:
    """Whether hardly anything of a gap is closed. Far beyond the retrained value is not near the original."""
    beyond = kind == "value" and position is not None and position > 1
    return closure is not None and closure < NEAR_ORIGINAL and not beyond


def light_of(found: Closure, kind: str, trained_on: bool) -> Light:
    """Return what one measure says of one model: "unknown" where it does not count."""
    if trained_on:
        return "unknown"
    return _light(found.informative, found.closed, found.moved_away, near_original(found.value, kind, found.position))


def lamps_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Light]]:
    """Return the lamps of the unlearned model and of the head-only edit, from a verdict's rows as plain data.

    Rows that an earlier version wrote say nothing of the head-only edit: it is left out then, as it is where there is
    none.
    """
    rows = [row for row in rows if not row.get("trained_on")]
    own = {row["key"]: row.get("light") or _light_of_row(row) for row in rows}
    control = {row["key"]: row["control_light"] for row in rows if row.get("control_light")}
    lamps = {"unlearned": _lamps(rows, own)}
    if any(row.get("head_only") is not None for row in rows) and control:
        lamps["head_only"] = _lamps(rows, control)
    return lamps


def report_lamps(report: Mapping[str, Any]) -> dict[str, dict[str, Light]]:
    """Return the lamps of a report; none where it has no verdict against retrained models."""
    verdict = report.get("verdict") or {}
    if verdict.get("code") in (None, "no_reference") or verdict.get("purpose"):
        return {}
    return verdict.get("lamps") or lamps_of(verdict.get("measures") or ())


def lamp_measures(report: Mapping[str, Any], lamp: str) -> list[tuple[str, str]]:
    """Return the measures that count for a lamp, each with its place in words, as the verdict's sentence has it."""
    return [
        (row["title"], _place(row, light))
        for row in (report.get("verdict") or {}).get("measures") or ()
        if lamp_of(row["key"], row["group"]) == lamp
        and (light := row.get("light") or _light_of_row(row)) != "unknown"
    ]


def found_again(report: Mapping[str, Any]) -> str:
    """Say how many images of forgotten classes are still recognised, and how many a probe finds in the features.

    Each beside the original's and the retrained model's share. "" where the probe was not taken.
    """
    shares = {
        name: (measures.get("forget_test_accuracy"), (measures.get("probe") or {}).get("forget"))
        for name in ("unlearned", "original", "retrained")
        if (measures := model_measures(report, name))
    }
    if len(retrained := retrained_models(report)) > 1:
        shares["retrained"] = _means(retrained)
    recognised, found = shares.get("unlearned", (None, None))
    if recognised is None or found is None or not report.get("forget_classes"):
        return ""
    named = {"original": "the original", "retrained": "a retrained model"}
    beside = [f"{percent(shares[name][1])} in {words}" for name, words in named.items() if _known(shares, name)]
    again = f"{percent(found)} of them are found again in the model's features"
    return f"{percent(recognised)} of unseen forget images are still recognised; {again}{_brackets(beside)}."


def _means(retrained: Sequence[Mapping[str, Any]]) -> tuple[float | None, float | None]:
    from core.verify.numbers import mean

    probes = ((measures.get("probe") or {}).get("forget") for measures in retrained)
    return mean(measures.get("forget_test_accuracy") for measures in retrained), mean(probes)


def _known(shares: Mapping[str, tuple[float | None, float | None]], name: str) -> bool:
    return name in shares and shares[name][1] is not None


def _brackets(parts: Sequence[str]) -> str:
    return f" ({', '.join(parts)})" if parts else ""


def _lamps(rows: Sequence[Mapping[str, Any]], lights: Mapping[str, str]) -> dict[str, Light]:
    said: dict[str, set[str]] = {lamp: set() for lamp in LAMPS}
    for row in rows:
        if (light := lights.get(row["key"], "unknown")) != "unknown":
            said[lamp_of(row["key"], row["group"])].add(light)
    return {lamp: _joined(found) for lamp, found in said.items()}


def _joined(lights: set[str]) -> Light:
    if not lights:
        return "unknown"
    return "retrained" if lights == {"retrained"} else "original" if lights == {"original"} else "between"


def _light_of_row(row: Mapping[str, Any]) -> Light:
    near = near_original(row.get("closure"), str(row.get("kind")), row.get("position"))
    return _light(bool(row.get("informative")), bool(row.get("closed")), bool(row.get("moved_away")), near)


def _light(informative: bool, closed: bool, moved_away: bool, near: bool) -> Light:
    if moved_away:
        return "original"
    if not informative:
        return "unknown"
    return "retrained" if closed else "original" if near else "between"


def _place(row: Mapping[str, Any], light: str) -> str:
    if row.get("moved_away"):
        return "moved away from retraining"
    if light == "retrained":
        return "matches retraining"
    return f"{whole_percent(max(0.0, row.get('closure') or 0.0))} % of the way"
