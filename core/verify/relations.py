"""Compares models: distances of outputs, geometry of features, and the attack that needs reference models.

A model is compared with the original and with retrained models; a retrained one with the other retrained ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from core.data.batches import ImageStore
from core.data.splits import Splits, stratified
from core.engine.outputs import FullOutputs, collect
from core.metrics.distances import agreement, sample_jensen_shannon, sample_total_variation
from core.metrics.geometry import linear_cka, procrustes_distance
from core.metrics.membership import matched_positions, rmia, rmia_dict
from core.models.tap import TappedModel
from core.verify.measure_log import Found
from core.verify.numbers import mean

GEOMETRY_SAMPLES = 2000
"""Unseen images that geometry is taken from: both measures have settled long before."""

MOST_REFERENCES = 8
"""Reference models of RMIA at most: of more, the mean hardly moves."""

LAYER_SAMPLES = 500
"""Images that layers are compared on: wide layers have more channels than that, and their products cost."""

MOST_LAYERS = 12
"""Layers compared at most, spread evenly over the network, the features included."""

LayerFeatures = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class Others:
    """The models that a model is compared with."""

    original: FullOutputs | None
    retrained: Sequence[FullOutputs]

    @property
    def by_name(self) -> dict[str, Sequence[FullOutputs]]:
        """The models of each kind: one original at most."""
        return {"original": [] if self.original is None else [self.original], "retrained": self.retrained}


def distances(model: FullOutputs, others: Others, splits: Splits) -> Found:
    """Return output distances (js, tv) and agreement, to the original and, as means over them, to retrained models.

    By set: `forget_test`, unseen images of whole classes; `forget`, training images that go alone (where a whole class
    has no unseen image, its training images too); `retain_test`. The samples are each forget image's mean JS to the
    retrained models, by the key of the verdict's measure.
    """
    unseen, single = splits.forget_test, splits.forget_single_train
    forget = [("forget_test", unseen, True)] if len(unseen) else [("forget", splits.forget_train, False)]
    forget += [("forget", single, False)] if len(unseen) and len(single) else []
    keys = dict(zip((name for name, *_ in forget), ("output_distance", "output_distance_single"), strict=False))
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
    return Found({"distances": values}, samples)


def geometry(model: FullOutputs, others: Others, splits: Splits) -> dict[str, Any]:
    """Return CKA and Procrustes distance of the features to the original's and, as means, to retrained models'.

    On unseen images of all classes. None for a value that cannot be taken.
    """
    ids = stratified(splits.test_labels, torch.nonzero(splits.evaluation).flatten(), GEOMETRY_SAMPLES, seed=0)
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


def reference_attack(model: FullOutputs, references: Sequence[FullOutputs], splits: Splits) -> dict[str, Any] | None:
    """Return RMIA on the forget set with models that never saw it; None without such models or a forget set.

    Non-members are unseen images of the same classes (evaluation half), which no reference saw either.
    """
    if not references or not len(splits.forget_train):
        return None
    used = references[:MOST_REFERENCES]
    pool = torch.nonzero(splits.evaluation).flatten()
    inside, outside = matched_positions(splits.labels[splits.forget_train], splits.test_labels[pool])
    members, others = splits.forget_train[inside], pool[outside]
    attack = rmia(
        model.train.logits[members], splits.labels[members], [each.train.logits[members] for each in used],
        model.test.logits[others], splits.test_labels[others], [each.test.logits[others] for each in used],
    )  # fmt: skip
    return rmia_dict(attack, len(used))


def _logits(outputs: FullOutputs, ids: Tensor, from_test: bool) -> Tensor:
    return (outputs.test if from_test else outputs.train).logits[ids]


def layer_features(tap: TappedModel, store: ImageStore, ids: Tensor, check: Callable[[], None]) -> LayerFeatures:
    """Return pooled outputs ((n, C_l)) of building blocks by name, in the order data passes them, features last.

    `check` is called between chunks and may raise.
    """
    names = [name for name, _ in tap.blocks()]
    shape = (store.raw(ids[:1]).shape[-1], *store.preprocessing.size)
    deep = TappedModel(tap.module, tap.num_classes, len(names), input_shape=shape)
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
