"""Compares models: distances of outputs, geometry of features, the field's measures.

A model is compared with the original and with retrained models; a retrained one with the other retrained ones. How much
chance in the choice of images moves such a difference is its half-width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from core.data.batches import ImageStore
from core.data.splits import Splits, stratified
from core.engine.outputs import FullOutputs, collect
from core.metrics import published
from core.metrics.accuracy import accuracy
from core.metrics.distances import (
    agreement,
    bootstrap_mean,
    linear_cka,
    nmi_difference,
    procrustes_distance,
    sample_jensen_shannon,
    sample_total_variation,
)
from core.metrics.membership import Z_95
from core.metrics.rows import Rows
from core.models.encoders import tapped
from core.models.tap import TappedModel
from core.verify.measure_log import Measured
from core.verify.numbers import mean
from core.verify.table import catalogue

GEOMETRY_SAMPLES = 2000
"""Unseen images that geometry is taken from: both measures have settled long before."""

LAYER_SAMPLES = 500
"""Images that layers are compared on: wide layers have more channels than that, and their products cost."""

MOST_LAYERS = 12
"""Layers compared at most, spread evenly over the network, the features included."""

DISTANCES = ("output_distance", "output_distance_single")
ATTACKS = ("membership", "membership_single")
"""Keys of measures whose samples are distances to the retrained models, and placements of members and others."""

LayerFeatures = dict[str, Tensor]
PublishedRow = dict[str, float | None]


@dataclass(frozen=True, eq=False)
class Others:
    """The models that a model is compared with."""

    original: FullOutputs | None
    retrained: Sequence[FullOutputs]

    @property
    def by_name(self) -> dict[str, Sequence[FullOutputs]]:
        """The models of each kind: one original at most."""
        return {"original": [] if self.original is None else [self.original], "retrained": self.retrained}


def distances(model: FullOutputs, others: Others, splits: Splits) -> Measured:
    """Return output distances (js, tv) and agreement, to the original and, as means over them, to retrained models.

    By set: `forget_test`, unseen images of whole classes; `forget`, training images that go alone (where a whole class
    has no unseen image, its training images too); `retain_test`. The samples are each forget image's mean JS to the
    retrained models, by the key of the verdict's measure.
    """
    unseen, single = splits.forget_test, splits.forget_single_train
    forget = [("forget_test", unseen, True)] if len(unseen) else [("forget", splits.forget_train, False)]
    forget += [("forget", single, False)] if len(unseen) and len(single) else []
    keys = dict(zip((name for name, *_ in forget), DISTANCES, strict=False))
    values: dict[str, dict[str, float]] = {}
    samples: dict[str, list[float]] = {}
    for name, ids, from_test in (*forget, ("retain_test", splits.retain_test, True)):
        values[name] = row = {}
        for reference, outputs in others.by_name.items():
            pairs = [(_logits(model, ids, from_test), _logits(other, ids, from_test)) for other in outputs]
            js = [sample_jensen_shannon(*pair) for pair in pairs]
            finite = [i for i, values_of_pair in enumerate(js) if len(ids) and bool(values_of_pair.isfinite().all())]
            if not finite:
                continue
            row[f"js_to_{reference}"] = fmean(float(js[i].mean()) for i in finite)
            row[f"tv_to_{reference}"] = fmean(float(sample_total_variation(*pairs[i]).mean()) for i in finite)
            row[f"agreement_with_{reference}"] = fmean(agreement(*pairs[i]) for i in finite)
            if reference == "retrained" and name in keys:
                samples[keys[name]] = torch.stack([js[i] for i in finite]).mean(0).tolist()
    return Measured({"distances": values}, samples)


def geometry(model: FullOutputs, others: Others, splits: Splits) -> dict[str, Any]:
    """Return CKA and Procrustes distance of the features to the original's and, as means, to retrained models'.

    On unseen images of all classes. None for a value that cannot be taken.
    """
    ids = stratified(splits.test_labels, splits.unseen, GEOMETRY_SAMPLES, seed=0)
    own = model.test.features[ids]
    return {
        f"to_{name}": compare_features(own, [model.test.features[ids] for model in models])
        for name, models in others.by_name.items()
        if models
    }


def compare_features(features: Tensor, others: Sequence[Tensor]) -> dict[str, float | None]:
    """Return means of CKA and Procrustes distance of `features` ((n, C)) to each of `others` ((n, D))."""
    return {
        "cka": mean(linear_cka(features, other) for other in others),
        "procrustes": mean(procrustes_distance(features, other) for other in others),
    }


def _logits(outputs: FullOutputs, ids: Tensor, from_test: bool) -> Tensor:
    return (outputs.test if from_test else outputs.train).logits[ids]


def layer_features(
    tap: TappedModel, store: ImageStore, splits: Splits, check: Callable[[], None]
) -> LayerFeatures:
    """Return pooled outputs ((n, C_l)) of building blocks by name, in the order data passes them, features last.

    Of unseen images of all classes, LAYER_SAMPLES at most. `check` is called between chunks and may raise.
    """
    ids = stratified(splits.test_labels, splits.unseen, LAYER_SAMPLES, seed=0)
    names = [name for name, _ in tap.blocks]
    shape = (store.raw(ids[:1]).shape[-1], *store.preprocessing.size)
    deep = tapped(tap.module, tap.num_classes, len(names), input_shape=shape)
    outputs = collect(deep, store, ids, tick=lambda done: check())
    blocks = dict(zip(names[:-1], outputs.layers, strict=True))
    every = max(1, -(-len(blocks) // (MOST_LAYERS - 1)))
    kept = {name: blocks[name] for name in list(blocks)[::every]}
    return {**kept, "features": outputs.features}


def layer_geometry(
    own: LayerFeatures, original: LayerFeatures | None, retrained: Sequence[LayerFeatures]
) -> list[dict[str, Any]]:
    """Return one row a layer: its name, and CKA and Procrustes distance to the original and the retrained models.

    Layers that another network does not have are left out there.
    """
    rows = []
    for name, features in own.items():
        row: dict[str, Any] = {"layer": name}
        for reference, models in (("original", [original] if original else []), ("retrained", retrained)):
            others = [model[name] for model in models if name in model]
            if others:
                row[f"to_{reference}"] = compare_features(features, others)
        rows.append(row)
    return rows


# -- as the field publishes them --------------------------------------------------------------------------------------


def published_measures(
    accuracies: Mapping[str, Any], full: FullOutputs, splits: Splits, random_logits: Tensor | None
) -> PublishedRow:
    """Return what needs one model alone: UA, RA, TA, the confidence attack, and ZRF against a random network.

    `accuracies`: the model's measures, whose accuracies UA, RA and TA are. `random_logits`: (n, K) of a randomly
    initialised network on the forget set.
    """
    retain = cast(Tensor, Rows(full.train.logits, splits.retain_train)), splits.labels[splits.retain_train]
    forget = full.train.logits[splits.forget_train], splits.labels[splits.forget_train]
    unseen = full.test.logits[splits.evaluation], splits.test_labels[splits.evaluation]
    forgotten = accuracies["forget_accuracy"]
    values: PublishedRow = {
        "ua": None if forgotten is None else 1 - forgotten,
        "ra": accuracies["retain_accuracy"],
        "ta": accuracies["retain_test_accuracy"],
        "ta_all": accuracy(*unseen),
        "mia": published.svc_confidence(retain, unseen, forget),
    }
    if random_logits is not None:
        values["zrf"] = published.zrf(forget[0], random_logits)
        values["zrf_paper_code"] = published.zrf_paper_code(forget[0], random_logits)
    return values


def published_distances(full: FullOutputs, retrained: Sequence[FullOutputs], splits: Splits) -> PublishedRow:
    """Return activation distance and completeness on the forget set, as means over retrained models."""
    logits = full.train.logits[splits.forget_train]
    others = [model.train.logits[splits.forget_train] for model in retrained]
    return {
        "activation_distance": mean([published.activation_distance(logits, other) for other in others]),
        "completeness": mean([agreement(logits, other) for other in others if len(other)]),
    }


def published_rows(
    rows: Mapping[str, PublishedRow], retrained: Sequence[str], by_class: bool
) -> dict[str, PublishedRow]:
    """Add what follows from the measures of several models: gaps, ToW, AIN, AUS. `rows`: by model, `retrained` names.

    A retrained model is compared with the mean of the others: its row is the noise floor. The row `retrained` is the
    mean over them.
    """
    models = {name: dict(row) for name, row in rows.items()}
    for name, row in models.items():
        others = [rows[other] for other in retrained if other != name]
        target = {key: mean([other.get(key) for other in others]) for key in (*published.GAP_TERMS, "relearn_batches")}
        row["average_gap"] = published.average_gap(row, target) if others else None
        row["tow"] = published.tug_of_war(row, target) if others else None
        row["tow_mia"] = published.tug_of_war(row, target, "mia") if others else None
        row["ain"] = published.anamnesis_index(row.get("relearn_batches"), target["relearn_batches"])
        forgotten = None if row.get("ua") is None else 1 - (row["ua"] or 0.0)
        row["aus"] = published.adaptive_unlearning_score(rows["original"].get("ta"), row.get("ta"), forgotten, by_class)
    if retrained:
        taken = {key for name in retrained for key in models[name]}
        models["retrained"] = {key: mean(models[name].get(key) for name in retrained) for key in taken}
    keys = (*(entry.paths[0] for entry in catalogue("published")), "relearn_batches")
    return {name: {key: row.get(key) for key in keys} for name, row in models.items()}


# -- what chance moves ------------------------------------------------------------------------------------------------


def half_widths(model: Measured, retrained: Sequence[Measured]) -> dict[str, float]:
    """Return the half-width of the 95 % interval of `model` − mean of `retrained`, by key of the verdict's measure.

    All models are measured on the same images, which are resampled together, so that what they share drops out.
    Measures that were not taken, or whose samples do not match, are left out.
    """
    widths = {}
    for key, own in model.samples.items():
        others = [other.samples[key] for other in retrained if other.samples.get(key)]
        if key in DISTANCES and retrained and not others:  # a single retrained model has no distance to another
            others = [[0.0] * len(own)]
        if own and others and (width := _half_width(key, own, others)) is not None:
            widths[key] = width
    return widths


def _half_width(key: str, own: list[Any], others: list[list[Any]]) -> float | None:
    """Return the half-width of one measure's difference; `own`, `others`: what was kept of the samples of each model.

    Means over images are resampled as they are; for alignment the images' influences are added up, for membership
    attacks DeLong's variance of correlated areas is taken. None where samples do not match.
    """
    if key == "nmi":
        (labels, clusters), *rest = (np.asarray(sides, dtype=np.int64) for sides in (own, *others))
        if any(not np.array_equal(labels, sides[0]) for sides in rest):
            return None
        interval = nmi_difference(labels, clusters, [sides[1] for sides in rest])
    elif key in ATTACKS:
        variance = 0.0
        for side, *rest in zip(own, *others, strict=True):  # members, then the others
            if any(len(placements) != len(side) for placements in rest):
                return None
            difference = np.asarray(side) - np.mean(rest, axis=0)
            variance += float(difference.var(ddof=1)) / len(difference)
        return Z_95 * math.sqrt(variance)
    elif any(len(other) != len(own) for other in others):
        return None
    else:
        difference = np.asarray(own, dtype=np.float64) - np.mean(np.asarray(others, dtype=np.float64), axis=0)
        if key == "dimensional_alignment":
            return Z_95 * math.sqrt(float(np.square(difference).sum()))
        interval = bootstrap_mean(difference)
    return None if interval is None else (interval[1] - interval[0]) / 2
