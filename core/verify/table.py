"""The table of a report as data: one row a measure, its value for each model, and why a value is missing.

Which measures there are, where they stand in report.json and what is said of them is data: `measures.toml`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal

import msgspec

from core.files import RESOURCES, prepared
from core.verify.closure import CLOSED, MEASURES, closure_of, look_up, place
from core.verify.numbers import count, mean, percent

CATALOGUE = RESOURCES / "report" / "measures.toml"

Unit = Literal["percent", "ratio", "number", "count", "seconds"]
Report = Mapping[str, Any]

MODELS = {
    "original": "Original",
    "unlearned": "Unlearned",
    "head_only": "Head-only edit",
    "retrained": "Retrained",
    "fresh": "Untrained",
}
"""Models of a report in the order of its page, with the names the window uses."""

COLUMNS = ("original", "head_only", "unlearned", "retrained")
PUBLISHED = "As published"
"""The group of the field's own measures, which no verdict and no bar refers to."""

PLUGINS = "From packages"
"""The group of measures of installed packages; no verdict refers to them either."""

NO_VALUE = "It says nothing of this model and forget set."

TRAINED_ON = "trained on: shown, not counted"
NO_RETRAINED = "No retrained model yet."
NO_HEAD_ONLY = "A head-only edit silences whole classes. Single images have no output of their own."
NO_OTHER = "A single retrained model has no other one to be compared with."
NO_CLASSES = "An encoder gives features and no classes."
OF_CORRECTION = "told from unseen images by what is wrong with them, which takes no memory"
ATTACKS = "Attacks"
NEED_CLASSES = ("Outputs", ATTACKS)  # groups of measures that an encoder has none of
NO_ALIGNMENT = "Alignment compares whole classes. For single images it says nothing."
NOT_TAKEN = "Not measured in this report."
TOO_FEW_FOR_RATE = "Too few test images: at this rate the threshold would rest on a handful of them."
NEVER = "Not reached within the samples tried."
NO_COST = {
    "original": "The cost of the original's training is not part of this report.",
    "head_only": "A head-only edit costs no training.",
}

PUBLISHED_NOTE = "None is good for being high or low: the retrained value is the goal."


@dataclass(frozen=True)
class TableRow:
    """One measure. A model's value is None where there is none, and `missing` says why."""

    key: str
    group: str
    title: str  # with the unit
    unit: Unit
    values: dict[str, float | None]  # by model; retrained: the mean over retrained models
    missing: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)  # more on a model's value
    retrained: tuple[float, ...] = ()  # the value of each retrained model
    verdict: dict[str, Any] | None = None  # the verdict's row on this measure, where it has one
    attack: dict[str, Any] | None = None  # the same of an attack that no verdict rests on: what it can tell here
    note: str = ""  # what must stand beside the numbers
    explanation: str = ""

    @property
    def trained_on(self) -> bool:
        """Whether the method optimised this measure, so that it does not count."""
        return bool(self.verdict and self.verdict.get("trained_on"))

    @property
    def standing(self) -> dict[str, Any] | None:
        """Where the model stands between original and retraining; None where that is not asked of this measure."""
        return self.verdict or self.attack

    @property
    def within_chance(self) -> bool:
        """Whether it matches retraining only because what is left of the gap lies within chance."""
        standing = self.standing or {}
        return bool(standing.get("informative") and standing.get("closed") and standing["closure"] < CLOSED)

    @property
    def whisker(self) -> tuple[float, float] | None:
        """The 95 % interval of the model's position between original (0) and retrained (1); None where not known."""
        standing = self.standing or {}
        half, position, original = standing.get("half_width"), standing.get("position"), standing.get("original")
        if half is None or position is None or original is None:
            return None
        gap = original if standing.get("kind") == "distance" else abs(original - (standing.get("retrained") or 0.0))
        return (position - half / gap, position + half / gap) if gap > 0 else None


class Entry(msgspec.Struct, frozen=True):
    """A measure of the catalogue: how it is named, and where it stands in a model's measures."""

    key: str
    group: str
    title: str
    unit: Unit
    paths: tuple[str, ...]  # "a/b" is report["models"][model]["a"]["b"]; the first that any model has is taken
    explanation: str
    interval: str = ""  # where low and high of an attack's value stand, a path: it says what it can tell here
    needs: str = ""  # what a model without a value lacks, as `_reason` knows it
    beside: str = ""  # a value of whole classes that some model must have: the row is of the single images beside them


@cache
def catalogue(part: Literal["measured", "cost", "published"]) -> list[Entry]:
    """Return a part of `measures.toml` in the order it is shown: ours, what a run cost, or the field's own measures."""
    return msgspec.toml.decode(CATALOGUE.read_bytes(), type=prepared(dict[str, list[Entry]]))[part]


def model_measures(report: Report, name: str) -> Mapping[str, Any]:
    """Return the measures of one model of a report; empty where there are none."""
    return (report.get("models") or {}).get(name) or {}


def retrained_models(report: Report) -> list[Mapping[str, Any]]:
    """Return the measures of each retrained model of a report."""
    single = model_measures(report, "retrained")
    return list((report.get("retrained") or {}).values()) or ([single] if single else [])


def gaps_shown(report: Report) -> bool:
    """Whether a report's tables say how far each gap to the retrained models is closed.

    Not of a correction: retrained models are no yardstick there, for they keep what was not found.
    """
    return bool(retrained_models(report)) and not (report.get("verdict") or {}).get("purpose")


def seen_before(report: Report) -> bool:
    """Whether the test images were set aside from the training images, so that the original has seen them."""
    return (report.get("dataset") or {}).get("test_origin") == "set aside"


def unseen(report: Report) -> str:
    """Return what the test images are called."""
    return "images seen before" if seen_before(report) else "unseen images"


def judged(report: Report) -> str:
    """Return on how many of the test images numbers are taken, "" where it is all or not known."""
    counts = (model_measures(report, "original").get("confusion") or {}).get("counts") or []
    taken, there = sum(map(sum, counts)), (report.get("dataset") or {}).get("test_images") or 0
    return f"{count(taken)} of {count(there)} test images" if 0 < taken < there else ""


def measure_rows(report: Report) -> tuple[TableRow, ...]:
    """Return the rows of report.json's content in the order they are shown; empty for a report without models."""
    if not report.get("models"):
        return ()
    notes = report.get("retrained_notes") or {}
    retraining = {"seconds": notes["seconds"], "share_of_retraining": 1.0} if notes.get("seconds") else {}
    costs = {"unlearned": report.get("cost") or {}, "retrained": retraining}
    return (
        *_rows(catalogue("measured"), report, report["models"], (report.get("retrained") or {}).values()),
        *_plugin_rows(report),
        *_rows(catalogue("cost"), report, costs),
    )


def _plugin_rows(report: Report) -> Iterator[TableRow]:
    """Return a row for each measure of an installed package, as the report itself declares it."""
    retrained = (report.get("retrained") or {}).values()
    for one in report.get("plugin_measures") or ():
        better = {"as retrained": PUBLISHED_NOTE}.get(one["better"], f"{one['better'].capitalize()} is better.")
        said = f"{one['explanation']} {better} From the package {one['package']}."
        values, single = _values(("plugins", one["id"], "value"), report["models"], retrained)
        reasons = {model: _plugin_reason(report, model, one["id"]) for model, value in values.items() if value is None}
        entry = Entry(f"plugins/{one['id']}", PLUGINS, one["title"], one["unit"], (), said)
        yield _row(entry, report, values, reasons, single, None)


def _plugin_reason(report: Report, model: str, measure: str) -> str:
    """Return why a measure of a package has no value for a model; "" where that is not said."""
    taken = (model_measures(report, model).get("plugins") or {}).get(measure) or {}
    return str(taken.get("reason") or ("" if not taken else NO_VALUE))


def published_rows(report: Report) -> tuple[TableRow, ...]:
    """Return a row for each published measure that was taken of any model; none for a report without them."""
    models = report.get("published") or {}
    retrained = [row for name, row in models.items() if name not in MODELS]
    rows = _rows(catalogue("published"), report, models, retrained)
    return tuple(replace(row, explanation=f"{row.explanation} {PUBLISHED_NOTE}") for row in rows)


def verdict_rows(report: Report) -> tuple[TableRow, ...]:
    """Return the tables' row of each measure of the verdict, in its order."""
    shown = {row.verdict["key"]: row for row in measure_rows(report) if row.verdict is not None}
    judged = (report.get("verdict") or {}).get("measures") or ()
    return tuple(shown[verdict["key"]] for verdict in judged if verdict["key"] in shown)


def attack_rows(report: Report) -> tuple[TableRow, ...]:
    """Return the tables' rows of attacks that no verdict rests on, with what each of them can tell here."""
    return tuple(row for row in measure_rows(report) if row.attack is not None)


def alignment_caption(alignment: Mapping[str, Any] | None) -> str:
    """Return what an alignment value is never shown without: its k, the energy share and whether it was centred."""
    if not alignment:
        return ""
    energy = alignment.get("energy")
    share = f"{percent(energy, places=0)} of retain energy" if energy is not None else "energy share not known"
    return f"k = {alignment.get('k')} · {share} · {'centred' if alignment.get('centred') else 'not centred'}"


def _rows(
    entries: Iterable[Entry],
    report: Report,
    models: Mapping[str, Mapping[str, Any]],
    retrained: Collection[Mapping[str, Any]] = (),
) -> Iterator[TableRow]:
    """Return a row for each of `entries` that any of `models` has a value of, or a reason for having none.

    `retrained`: the measures of each retrained model, in whose place `models` has one. The verdict's row on a measure
    stands with the entry whose value it was read from.
    """
    verdicts = {row["key"]: row for row in ((report.get("verdict") or {}).get("measures") or ())}
    judged = {place(measure.paths, models.values()): verdicts.get(measure.key) for measure in reversed(MEASURES)}
    for entry in entries:
        path = place([tuple(path.split("/")) for path in entry.paths], models.values())
        values, single = _values(path, models, retrained)
        if entry.beside:
            of_classes = (look_up(model, entry.beside.split("/")) for model in models.values())
            if all(value is None for value in values.values()) or all(value is None for value in of_classes):
                continue
        reasons = {model: _reason(entry, report, model) for model, value in values.items() if value is None}
        # What speaks of whole classes alone is no row for single images: the page says once why.
        if len(reasons) < len(values) or (any(reasons.values()) and report.get("forget_classes")):
            row = _row(entry, report, values, reasons, single, judged.get(path))
            yield replace(row, attack=_attack(entry, models, values, single)) if row.verdict is None else row


def _attack(
    entry: Entry,
    models: Mapping[str, Mapping[str, Any]],
    values: Mapping[str, float | None],
    retrained: tuple[float, ...],
) -> dict[str, Any] | None:
    """Return what an attack can tell, as the verdict does of its measures; None without an interval or retrained ones.

    It finds something where the original lies further from the retrained models than chance explains.
    """
    if not entry.interval or not retrained:
        return None

    def half(model: str) -> float | None:
        found = _found_at(models.get(model), entry.interval)
        low, high = (look_up(found, (end,)) for end in ("low", "high"))
        return None if low is None or high is None else (high - low) / 2

    found = closure_of(
        "value", values["original"], values["unlearned"], retrained, images=(half("original"), half("unlearned"))
    )
    return {
        "key": entry.key, "kind": "value", "original": values["original"], "unlearned": values["unlearned"],
        "head_only": values["head_only"], "retrained": found.retrained, "half_width": found.half_width,
        "closure": found.value, "position": found.position, "informative": found.informative, "closed": found.closed,
        "moved_away": found.moved_away, "decides": False, "note": found.reason,
    }  # fmt: skip


def _found_at(measures: Any, path: str) -> Mapping[str, Any]:
    """Return the mapping at a path of a model's measures; an empty one where there is none."""
    for name in path.split("/"):
        measures = measures.get(name) if isinstance(measures, Mapping) else None
    return measures if isinstance(measures, Mapping) else {}


def _values(
    path: tuple[str, ...], models: Mapping[str, Mapping[str, Any]], retrained: Collection[Mapping[str, Any]]
) -> tuple[dict[str, float | None], tuple[float, ...]]:
    """Return each column's value at `path`, and that of each retrained model, whose mean stands in its column."""
    values = {model: look_up(models.get(model), path) for model in COLUMNS}
    single = tuple(value for measures in retrained if (value := look_up(measures, path)) is not None)
    if retrained:
        values["retrained"] = mean(single)
    return values, single


def _row(
    entry: Entry,
    report: Report,
    values: dict[str, float | None],
    reasons: Mapping[str, str],
    retrained: tuple[float, ...],
    verdict: dict[str, Any] | None,
) -> TableRow:
    details = {}
    notes = [TRAINED_ON] if verdict and verdict.get("trained_on") else []
    if report.get("forget_purpose") and entry.group == ATTACKS:
        notes.append(OF_CORRECTION)
    if entry.key == "dimensional_alignment":
        details = {
            model: alignment_caption(model_measures(report, model).get(entry.key))
            for model, value in values.items()
            if value is not None
        }
        notes = [details.get("unlearned") or details.get("original", ""), *notes]
    return TableRow(
        entry.key, entry.group, entry.title.replace("unseen", "seen before") if seen_before(report) else entry.title,
        entry.unit, values, details=details, retrained=retrained, verdict=verdict,
        missing={model: reason or _not_taken(report, model) for model, reason in reasons.items()},
        note=" · ".join(note for note in notes if note), explanation=entry.explanation,
    )  # fmt: skip


def _of_encoder(report: Report) -> bool:
    """Whether a report is about an encoder without a head."""
    return bool((report.get("model") or {}).get("encoder"))


def _not_taken(report: Report, model: str) -> str:
    """Return why a model has no value of a measure that needs nothing but the model."""
    if model == "retrained" and not report.get("retrained"):
        return NO_RETRAINED
    if model == "head_only" and not model_measures(report, "head_only"):
        return NO_CLASSES if _of_encoder(report) else NO_HEAD_ONLY
    return NOT_TAKEN


def _reason(entry: Entry, report: Report, model: str) -> str:
    """Return why a model lacks what a measure needs; empty where that does not say it."""
    if _of_encoder(report) and entry.group in NEED_CLASSES:
        return NO_CLASSES
    if entry.interval:
        return _found_at(model_measures(report, model), entry.interval).get("reason") or ""
    retrained = bool(report.get("retrained"))
    attack = (model_measures(report, model).get("membership") or {}).get("population") or {}
    match entry.needs:
        case "a retrained model" if not retrained:
            return NO_RETRAINED
        case "a retrained model" if model == "retrained":
            return NO_OTHER
        case "an attack" | "a rate" if attack.get("reason"):
            return str(attack["reason"])
        case "a rate" if attack.get("auc") is not None:
            return TOO_FEW_FOR_RATE
        case "conditioning":
            return str((model_measures(report, model).get("conditioning") or {}).get("reason") or "")
        case "relearning" if model_measures(report, model).get("relearn"):
            return NEVER
        case "training" | "retraining" if model in NO_COST:
            return NO_COST[model]
        case "retraining" if not retrained:
            return NO_RETRAINED
    return ""
