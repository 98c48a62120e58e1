"""The measures of one model: outputs, features and their distances to a reference, as the contract names them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

import torch

from core.data.splits import Splits
from core.engine.full import FullOutputs
from core.engine.outputs import SetOutputs
from core.methods.head_only import SILENCED
from core.metrics.accuracy import accuracy, macro_accuracy, per_class_accuracy, predicted_shares
from core.metrics.alignment import measure_alignment
from core.metrics.class_means import measure_class_means
from core.metrics.clustering import measure_clustering
from core.metrics.distances import OutputDistance, output_distance
from core.metrics.probe import linear_probe
from core.metrics.spectra import measure_spectra

STEPS = ("accuracies", "alignment", "spectra", "linear probe", "clustering", "class means")
"""What is told before it is measured, in this order."""

Say = Callable[[str], object]

FEATURE_KEYS = ("dimensional_alignment", "spectra", "probe", "nmi", "clustering", "class_means")


def measure(
    full: FullOutputs,
    splits: Splits,
    *,
    features_of: tuple[FullOutputs, dict[str, Any]] | None = None,
    say: Say | None = None,
) -> dict:
    """Measure one model. `features_of` gives another model's outputs and measures: where the features are bit for bit
    the same (a head-only edit), the feature measures are the same by definition and are not computed again.
    `say` is called with each of STEPS before it begins and may raise to interrupt.
    """  # noqa: D205
    say = say or _silent
    say("accuracies")
    sets = full.split(splits)
    measures = output_measures(sets, full, splits)
    if features_of is not None and _same_features(full, features_of[0]):
        return {**measures, **{key: features_of[1].get(key) for key in FEATURE_KEYS}}
    return {**measures, **feature_measures(sets, splits, say)}


def output_measures(sets: dict[str, SetOutputs], full: FullOutputs, splits: Splits) -> dict[str, Any]:
    """Return the accuracies: four sets, macro average, per class on unseen images, and where forget images go."""
    unseen = torch.cat([splits.retain_test, splits.forget_test])
    logits, labels = full.test.logits[unseen], full.test.labels[unseen]
    retain = sets["retain_test"]
    return {
        "retain_accuracy": _accuracy(sets["retain_train"]),
        "forget_accuracy": _accuracy(sets["forget_train"]),
        "retain_test_accuracy": _accuracy(retain),
        "forget_test_accuracy": _accuracy(sets["forget_test"]),
        "retain_test_macro": macro_accuracy(retain.logits, retain.labels, splits.num_classes) if len(retain) else None,
        "per_class": per_class_accuracy(logits, labels, splits.num_classes),
        "forget_predictions": predicted_shares(sets["forget_test"].logits, splits.num_classes),
        "counts": {name: len(outputs) for name, outputs in sets.items()},
    }


def feature_measures(sets: dict[str, SetOutputs], splits: Splits, say: Say | None = None) -> dict[str, Any]:
    """Return what the features still hold: alignment, spectra, linear probe, clustering, class means."""
    say = say or _silent
    k = len(splits.retain_classes)
    retain, forget = sets["retain_train"], sets["forget_train"]
    whole = torch.isin(forget.labels, torch.tensor(splits.forget_classes, dtype=torch.int64))
    of_classes = forget.features[whole] if len(forget) else None
    train = _joined(retain, forget)
    test = _joined(sets["retain_test"], sets["forget_test"])
    say("alignment")
    alignment = measure_alignment(of_classes, retain.features, num_retain_classes=k)
    say("spectra")
    spectra = measure_spectra(forget.features, retain.features, k=k) if len(forget) and len(retain) else None
    say("linear probe")
    probe = linear_probe(train.features, train.labels, test.features, test.labels, splits.forget_classes)
    say("clustering")
    clusters = measure_clustering(test.features, test.labels, splits.num_classes, splits.forget_classes)
    say("class means")
    means = measure_class_means(
        train.features, train.labels, test.features, test.labels, splits.num_classes, splits.forget_classes
    )
    return {
        "dimensional_alignment": alignment.as_dict() if alignment else None,
        "spectra": spectra.as_dict() if spectra else None,
        "probe": probe.as_dict() if probe else None,
        "nmi": clusters.nmi if clusters else None,
        "clustering": clusters.as_dict() if clusters else None,
        "class_means": means.as_dict() if means else None,
    }


def distances(
    model: FullOutputs, original: FullOutputs | None, retrained: Sequence[FullOutputs], splits: Splits
) -> dict[str, dict[str, float]]:
    """Return output distances on unseen forget and retain images: js, tv and agreement, to the original and, as means
    over them, to the retrained models.

    For sample forgetting the forget images themselves take the place of unseen ones of their class.
    """  # noqa: D205
    by_class = len(splits.forget_test) > 0
    forget = ("forget_test", splits.forget_test, True) if by_class else ("forget", splits.forget_train, False)
    found: dict[str, dict[str, float]] = {}
    for name, ids, from_test in (forget, ("retain_test", splits.retain_test, True)):
        row: dict[str, float] = {}
        for reference, others in (("original", [original] if original else []), ("retrained", retrained)):
            taken = [_distance(model, other, ids, from_test) for other in others]
            known = [distance for distance in taken if distance is not None]
            if known:
                row[f"js_to_{reference}"] = fmean(distance.js for distance in known)
                row[f"tv_to_{reference}"] = fmean(distance.tv for distance in known)
                row[f"agreement_with_{reference}"] = fmean(distance.agreement for distance in known)
        found[name] = row
    return found


def _distance(model: FullOutputs, other: FullOutputs, ids: torch.Tensor, from_test: bool) -> OutputDistance | None:
    if not len(ids):
        return None
    one, two = (model.test, other.test) if from_test else (model.train, other.train)
    return output_distance(one.logits[ids], two.logits[ids])


def head_only(original: FullOutputs, forget_classes: tuple[int, ...]) -> FullOutputs:
    """Return what the original with a silenced head says: the control. Features are the original's, bit for bit.

    What `methods.head_only.silence_head` does to the weights of a head with bias is done here to its logits: the rows
    of the forgotten classes become the constant SILENCED (a test holds the two against each other).
    """
    columns = list(forget_classes)

    def edited(outputs: SetOutputs) -> SetOutputs:
        logits = outputs.logits.clone()
        logits[:, columns] = SILENCED
        return SetOutputs(logits, outputs.features, outputs.labels)

    return FullOutputs(edited(original.train), edited(original.test))


def _silent(_what: str) -> None:
    """Nobody wants to know."""


def _accuracy(outputs: SetOutputs) -> float | None:
    return accuracy(outputs.logits, outputs.labels) if len(outputs) else None


def _joined(first: SetOutputs, second: SetOutputs) -> SetOutputs:
    if not len(second):
        return first
    return SetOutputs(
        torch.cat([first.logits, second.logits]),
        torch.cat([first.features, second.features]),
        torch.cat([first.labels, second.labels]),
    )


def _same_features(one: FullOutputs, other: FullOutputs) -> bool:
    return torch.equal(one.train.features, other.train.features) and torch.equal(one.test.features, other.test.features)
