"""The table of a report as data: one row a measure, its value for each model, and why a value is missing."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from core.verify.closure import look_up
from core.verify.numbers import percent

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
GROUPS = ("Outputs", "Features", "Attacks", "Spectra", "Cost")

TRAINED_ON = "trained on: shown, not counted"
NO_RETRAINED = "No retrained model yet."
NO_HEAD_ONLY = "A head-only edit silences whole classes. Single images have no output of their own."
NO_UNSEEN = "Single images have no unseen counterpart."
NO_OTHER = "A single retrained model has no other one to be compared with."
NO_ALIGNMENT = "Alignment compares whole classes. For single images it says nothing."
NOT_TAKEN = "Not measured in this report."
NOT_IN_QUICK = "Needs the full suite."
TOO_FEW_FOR_RATE = "Too few unseen images: at this rate the threshold would rest on a handful of them."
NEVER = "Not reached within the samples tried."


PUBLISHED = "As published"
"""The group of the field's own measures, which no verdict and no bar refers to."""

PUBLISHED_NOTE = "None is good for being high or low: the retrained value is the goal."

PUBLISHED_TITLES: dict[str, tuple[str, Unit, str]] = {
    "ua": ("UA, %", "percent", "1 − accuracy on the forget set."),
    "ra": ("RA, %", "percent", "Accuracy on the retain set, training images without augmentation."),
    "ta": ("TA, kept classes, %", "percent", "Accuracy on unseen images of the classes that stay."),
    "ta_all": ("TA, all classes, %", "percent", "The same on all classes. Papers differ in which one TA is."),
    "mia": (
        "MIA-efficacy, %", "percent",
        "Share of the forget set that an SVC on the true class's probability calls non-member (SalUn; at most "
        "2,000 samples a side).",
    ),
    "average_gap": ("Average gap, points", "percent", "Mean of |u − r| over UA, RA, TA and MIA-efficacy (SalUn)."),
    "tow": ("ToW", "ratio", "(1 − |ΔUA|)(1 − |ΔRA|)(1 − |ΔTA|), Δ to the retrained model (RUM)."),
    "tow_mia": ("ToW-MIA", "ratio", "The same with MIA-efficacy in place of UA."),
    "zrf": ("ZRF (scaled JS)", "ratio", "1 − mean JS / ln 2 to a randomly initialised network, forget set. Ours."),
    "zrf_paper_code": (
        "ZRF (paper code)", "ratio",
        "As the published code computes it: no Jensen-Shannon divergence, near 1 for everything. Not comparable with "
        "the row above.",
    ),
    "activation_distance": (
        "Activation distance", "ratio", "Mean L2 norm of the difference of probabilities to the retrained model's."
    ),
    "completeness": ("Completeness, %", "percent", "Share of the forget set called as the retrained model calls it."),
    "ain": (
        "AIN", "ratio",
        "Batches to relearn the forget set from it alone, as a multiple of the retrained model's (TIFS 2023).",
    ),
    "aus": ("AUS", "ratio", "(1 − (A_o − A_u)) / (1 + |Δ|), A the accuracy on unseen kept classes (ERASURE)."),
}  # fmt: skip
"""Each measure's title, unit and definition, in the order of the table. None is better for being high or low."""


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
    note: str = ""  # what must stand beside the numbers
    explanation: str = ""

    @property
    def trained_on(self) -> bool:
        """Whether the method optimised this measure, so that it does not count."""
        return bool(self.verdict and self.verdict.get("trained_on"))

    @property
    def whisker(self) -> tuple[float, float] | None:
        """The 95 % interval of the model's position between original (0) and retrained (1); None where not known."""
        verdict = self.verdict or {}
        half, position, original = verdict.get("half_width"), verdict.get("position"), verdict.get("original")
        if half is None or position is None or original is None:
            return None
        gap = original if verdict.get("kind") == "distance" else abs(original - (verdict.get("retrained") or 0.0))
        return (position - half / gap, position + half / gap) if gap > 0 else None


@dataclass(frozen=True)
class _Entry:
    """Where a measure stands in a model's measures; the first path that any model has a value at is taken."""

    key: str
    group: str
    title: str
    unit: Unit
    paths: tuple[str, ...]  # "a/b" is report["models"][model]["a"]["b"]
    explanation: str
    why_not: Callable[[Report, str], str] = lambda report, model: ""
    verdict_key: str = ""


def model_measures(report: Report, name: str) -> Mapping[str, Any]:
    """Return the measures of one model of a report; empty where there are none."""
    return (report.get("models") or {}).get(name) or {}


def retrained_models(report: Report) -> list[Mapping[str, Any]]:
    """Return the measures of each retrained model of a report."""
    single = model_measures(report, "retrained")
    return list((report.get("retrained") or {}).values()) or ([single] if single else [])


def seen_before(report: Report) -> bool:
    """Whether the test images were set aside from the training images, so that the original has seen them."""
    return (report.get("dataset") or {}).get("test_origin") == "set aside"


def unseen(report: Report) -> str:
    """Return what the test images are called."""
    return "images seen before" if seen_before(report) else "unseen images"


def measure_rows(report: Report) -> tuple[TableRow, ...]:
    """Return the rows of report.json's content in the order they are shown; empty for a report without models."""
    if not report.get("models"):
        return ()
    cost, notes = report.get("cost") or {}, report.get("retrained_notes") or {}
    retraining = {"seconds": notes["seconds"], "share_of_retraining": 1.0} if notes.get("seconds") else {}
    return (
        *_rows(_ENTRIES, report, report["models"], list((report.get("retrained") or {}).values())),
        *_rows(_COSTS, report, {"unlearned": cost, "retrained": retraining}),
    )


def published_rows(report: Report) -> tuple[TableRow, ...]:
    """Return a row for each published measure that was taken of any model; none for a report without them."""
    models = report.get("published") or {}
    singles = [measures for name, measures in models.items() if name not in MODELS]
    return tuple(_rows(_PUBLISHED, report, models, singles))


def alignment_caption(alignment: Mapping[str, Any] | None) -> str:
    """Return what an alignment value is never shown without: its k, the energy share and whether it was centred."""
    if not alignment:
        return ""
    energy = alignment.get("energy")
    share = f"{percent(energy, places=0)} of retain energy" if energy is not None else "energy share not known"
    return f"k = {alignment.get('k')} · {share} · {'centred' if alignment.get('centred') else 'not centred'}"


def _rows(
    entries: Sequence[_Entry],
    report: Report,
    models: Mapping[str, Mapping[str, Any]],
    retrained: Sequence[Mapping[str, Any]] = (),
) -> list[TableRow]:
    """Return a row for each entry that any of `models` has a value of, or a reason for having none.

    `retrained`: the measures of each retrained model, in whose place `models` has one.
    """
    verdicts = {row["key"]: row for row in (report.get("verdict") or {}).get("measures", [])}
    rows = []
    for entry in entries:
        paths = [path.split("/") for path in entry.paths]
        path = next((path for path in paths if any(look_up(m, path) is not None for m in models.values())), None)
        if path is not None or any(entry.why_not(report, model) for model in COLUMNS):
            path = path or paths[0]
            values = {model: look_up(models.get(model), path) for model in COLUMNS}
            each = tuple(value for measures in retrained if (value := look_up(measures, path)) is not None)
            if retrained:
                values["retrained"] = statistics.fmean(each) if each else None
            rows.append(_row(entry, report, values, each, verdicts.get(entry.verdict_key)))
    return rows


def _row(
    entry: _Entry,
    report: Report,
    values: dict[str, float | None],
    each: tuple[float, ...],
    verdict: dict[str, Any] | None,
) -> TableRow:
    details = {}
    notes = [TRAINED_ON] if verdict and verdict.get("trained_on") else []
    if entry.key == "dimensional_alignment":
        details = {
            model: alignment_caption(model_measures(report, model).get(entry.key))
            for model, value in values.items()
            if value is not None
        }
        notes = [details.get("unlearned") or details.get("original", ""), *notes]
    return TableRow(
        entry.key, entry.group, entry.title.replace("unseen", "seen before") if seen_before(report) else entry.title,
        entry.unit, values, details=details, retrained=each, verdict=verdict,
        missing={m: entry.why_not(report, m) or _why(report, m) for m, value in values.items() if value is None},
        note=" · ".join(note for note in notes if note), explanation=entry.explanation,
    )  # fmt: skip


def _why(report: Report, model: str) -> str:
    if model == "retrained" and not report.get("retrained"):
        return NO_RETRAINED
    if model == "head_only" and not model_measures(report, "head_only"):
        return NO_HEAD_ONLY
    return NOT_TAKEN


def _by_samples(report: Report) -> bool:
    return not report.get("forget_classes")


def _no_unseen(report: Report, model: str) -> str:
    if model == "head_only" or (model == "retrained" and not report.get("retrained")):
        return ""
    return NO_UNSEEN if _by_samples(report) else ""


def _no_alignment(report: Report, model: str) -> str:
    return NO_ALIGNMENT if _by_samples(report) and model != "head_only" else ""


def _needs_retrained(report: Report, model: str) -> str:
    if not report.get("retrained"):
        return NO_RETRAINED
    return NO_OTHER if model == "retrained" else ""


def _attack_why(attack: str, rate: bool = False) -> Callable[[Report, str], str]:
    """Return what says why an attack has no value: its own refusal, too few for a rate, or the suite."""

    def why(report: Report, model: str) -> str:
        result = (model_measures(report, model).get("membership") or {}).get(attack) or {}
        if result.get("reason"):
            return str(result["reason"])
        if rate and result.get("auc") is not None:
            return TOO_FEW_FOR_RATE
        return NOT_IN_QUICK if attack != "population" and report.get("suite") == "quick" and result == {} else ""

    return why


def _relearn_why(report: Report, model: str) -> str:
    return NEVER if model_measures(report, model).get("relearn") else ""


def _no_cost(report: Report, model: str) -> str:
    return {
        "original": "The cost of the original's training is not part of this report.",
        "head_only": "A head-only edit costs no training.",
    }.get(model, "")


def _no_share(report: Report, model: str) -> str:
    return _no_cost(report, model) or ("" if report.get("retrained") else NO_RETRAINED)


def _accuracy(key: str, title: str, what: str, verdict_key: str = "") -> _Entry:
    why = _no_unseen if key == "forget_test_accuracy" else lambda report, model: ""
    return _Entry(key, "Outputs", title, "percent", (key,), what, why, verdict_key)


def _distance(
    key: str, title: str, unit: Unit, part: tuple[str, ...], name: str, what: str, verdict_key: str = ""
) -> _Entry:
    paths = tuple(f"distances/{each}/{name}" for each in part)
    return _Entry(key, "Outputs", title, unit, paths, what, _needs_retrained, verdict_key)


_FORGET = ("forget_test", "forget")
_ENTRIES: tuple[_Entry, ...] = (
    _accuracy("forget_test_accuracy", "Forget accuracy, unseen, %", "Share of unseen images of the forgotten classes "
              "that the model still names rightly.", "forget_accuracy"),
    _accuracy("forget_accuracy", "Forget accuracy, training, %", "The same on the forget images themselves."),
    _accuracy("retain_test_accuracy", "Retain accuracy, unseen, %", "Share of unseen images of all other classes that "
              "the model names rightly."),
    _accuracy("retain_accuracy", "Retain accuracy, training, %", "The same on the training images that stay."),
    _distance("js_forget", "Distance on forget, JS", "ratio", _FORGET, "js_to_retrained", "Jensen-Shannon divergence "
              "of the outputs to those of the retrained model on forget images: 0 where they are the same.",
              "output_distance"),
    _distance("agreement_forget", "Agreement on forget, %", "percent", _FORGET, "agreement_with_retrained",
              "Share of forget images for which the model and the retrained one name the same class."),
    _distance("js_retain", "Distance on retain, JS", "ratio", ("retain_test",), "js_to_retrained", "Jensen-Shannon "
              "divergence of the outputs to those of the retrained model on unseen retain images."),
    _distance("agreement_retain", "Agreement on retain, %", "percent", ("retain_test",), "agreement_with_retrained",
              "Share of unseen retain images for which the model and the retrained one name the same class."),
    _Entry("neighbours", "Outputs", "Neighbours of the forget set, %", "percent", ("neighbours/accuracy",),
           "Accuracy on the tenth of unseen retain images that lies nearest to the forget set in the original."),
    _Entry("probe", "Features", "Linear probe, recall, %", "percent", ("probe/forget",), "A linear classifier "
           "trained on frozen features: share of unseen forget images it finds again.", _no_unseen, "probe"),
    _Entry("probe_f1", "Features", "Linear probe, F1", "ratio", ("probe/f1",), "F1 of the same classifier, forget "
           "against rest.", _no_unseen),
    _Entry("probe_retain", "Features", "Linear probe, retain, %", "percent", ("probe/retain",), "Accuracy of the "
           "same classifier on unseen retain images."),
    _Entry("nmi", "Features", "Clustering, NMI", "ratio", ("nmi",), "Normalised mutual information of k-means "
           "clusters of the features with the true classes, all classes.", verdict_key="nmi"),
    _Entry("class_means", "Features", "Class means, recall, %", "percent", ("class_means/forget",), "Nearest "
           "class mean on frozen features: share of unseen forget images it finds again.", _no_unseen, "class_means"),
    _Entry("dimensional_alignment", "Features", "Dimensional alignment", "ratio", ("dimensional_alignment/value",),
           "Share of the forget features' energy inside the leading retain directions, 0 to 1. The goal is the "
           "retrained value, not 1.", _no_alignment, "dimensional_alignment"),
    _Entry("cka_retrained", "Features", "CKA to retrained", "ratio", ("geometry/to_retrained/cka",), "Linear "
           "centred kernel alignment of the features with the retrained model's: 1 up to rotation and scale. Never "
           "read alone: it can move without a change of function."),
    _Entry("procrustes_retrained", "Features", "Procrustes to retrained", "ratio",
           ("geometry/to_retrained/procrustes",), "Squared distance of the features to the retrained model's "
           "after the best rotation, 0 to 2."),
    _Entry("cka_original", "Features", "CKA to original", "ratio", ("geometry/to_original/cka",), "The same "
           "with the original's features."),
    _Entry("procrustes_original", "Features", "Procrustes to original", "ratio",
           ("geometry/to_original/procrustes",), "The same with the original's features."),
    _Entry("membership", "Attacks", "Membership attack, AUC", "ratio", ("membership/population/auc",),
           "How well an attacker who sees confidence, entropy and loss can tell forget images from unseen ones of the "
           "same classes: 0.5 is chance.", _attack_why("population"), "membership"),
    _Entry("membership_rate", "Attacks", "Membership attack, TPR at 1 % FPR, %", "percent",
           ("membership/population/tpr_at_fpr_1e-2",), "Share of forget images identified at a false-positive rate "
           "of 1 %.", _attack_why("population", rate=True)),
    _Entry("rmia", "Attacks", "Reference attack (RMIA), AUC", "ratio", ("membership/rmia/auc",),
           "Per-sample attack with models that never saw the forget set, offline form."),
    _Entry("over_protection", "Attacks", "Membership attack on retain, AUC", "ratio",
           ("membership/population_retain/auc",), "The first attack on images that stay: unlearning can expose "
           "them."),
    _Entry("relearn", "Attacks", "Relearning, mean accuracy, %", "percent", ("relearn/accuracy",), "Accuracy on "
           "unseen forget images, mean over the curve of relearning from a few images.", verdict_key="relearn"),
    _Entry("relearn_needed", "Attacks", "Samples to relearn 90 %", "count", ("relearn/needed/0.9",), "Training "
           "samples seen until the forget accuracy is back at 90 % of the original's.", _relearn_why),
    _Entry("prototype", "Attacks", "Prototype attack, recall, %", "percent", ("prototype/forget",), "Mean "
           "features of a few forget images put into the head: share of unseen forget images found, at 5 % false "
           "positives.", verdict_key="prototype"),
    _Entry("retain_rank", "Spectra", "Effective rank, retain", "number", ("spectra/retain_rank",), "exp of the "
           "entropy of the normalised eigenvalues of the retain features' Gram matrix."),
    _Entry("forget_rank", "Spectra", "Effective rank, forget", "number", ("spectra/forget_rank",), "The same for "
           "the forget features."),
    _Entry("retain_norm", "Spectra", "Feature norm, retain", "number", ("spectra/retain_norm",), "Mean length of "
           "a retain image's feature vector."),
    _Entry("forget_norm", "Spectra", "Feature norm, forget", "number", ("spectra/forget_norm",), "Mean length of "
           "a forget image's feature vector."),
)  # fmt: skip

_COSTS = (
    _Entry("seconds", "Cost", "Time, s", "seconds", ("seconds",), "Time of training and monitoring, pauses left out.",
           _no_cost),
    _Entry("steps", "Cost", "Steps", "count", ("steps",), "Optimiser steps.", _no_cost),
    _Entry("samples_seen", "Cost", "Samples seen", "count", ("samples_seen",), "Images that passed through the network "
           "in training, repeats included.", _no_cost),
    _Entry("share_of_retraining", "Cost", "Share of retraining, %", "percent", ("share_of_retraining",), "Time as a "
           "share of training the retrained model.", _no_share),
)  # fmt: skip
_PUBLISHED = tuple(
    _Entry(f"published_{key}", PUBLISHED, title, unit, (key,), f"{definition} {PUBLISHED_NOTE}")
    for key, (title, unit, definition) in PUBLISHED_TITLES.items()
)
