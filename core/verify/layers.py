"""Geometry layer by layer: where in the network an unlearned model still is the original."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from core.data.batches import ImageStore
from core.engine.outputs import collect
from core.models.tap import TappedModel
from core.verify.relations import compare_features

LAYER_SAMPLES = 500
"""Images that layers are compared on: wide layers have more channels than that, and their products cost."""

MOST_LAYERS = 12
"""Layers compared at most, spread evenly over the network, the features included."""

LayerFeatures = dict[str, torch.Tensor]


def layer_features(tap: TappedModel, store: ImageStore, ids: torch.Tensor, check: Callable[[], None]) -> LayerFeatures:
    """Return pooled outputs ((n, C_l)) of building blocks by name, in the order data passes them, features last.

    `check` is called between chunks and may raise.
    """
    names = [name for name, _ in tap.blocks()]
    shape = (store.raw(ids[:1]).shape[-1], *store.preprocessing.size)
    deep = TappedModel(tap.module, tap.num_classes, len(names), input_shape=shape)
    outputs = collect(deep, store, ids, tick=lambda done: check())
    found = dict(zip(names[:-1], outputs.layers, strict=True))
    every = max(1, -(-len(found) // (MOST_LAYERS - 1)))
    kept = {name: found[name] for name in list(found)[::every]}
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
        for reference, held in (("original", [original] if original else []), ("retrained", list(retrained))):
            known = [other[name] for other in held if name in other]
            if known:
                row[f"to_{reference}"] = compare_features(features, known)
        rows.append(row)
    return rows
