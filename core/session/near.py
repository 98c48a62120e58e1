"""What lies near a forget set in the opened model: kept images in order of how likely they are to be damaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from core.data.dataset import Dataset
from core.engine.full import FullOutputs
from core.metrics.proximity import feature_similarity, head_gradient_similarity

ORDERS = ("features", "gradient")
_SHARE = 0.05  # of the kept images count as near: a class among twenty


@dataclass(frozen=True, eq=False)
class Near:
    """Of every training image, (n,) float32: likeness to the forget set by features and by the head's gradient.

    forget: (n,) bool, whose values are those of the forget images themselves. gone: (n,) bool, what the model forgot in
    earlier requests; None where that is nothing.
    """

    features: np.ndarray
    gradient: np.ndarray
    forget: np.ndarray
    gone: np.ndarray | None = None

    @property
    def kept(self) -> np.ndarray:
        """The images that stay: neither in the forget set nor forgotten before, (n,) bool."""
        kept: np.ndarray = ~self.forget if self.gone is None else ~(self.forget | self.gone)
        return kept

    def order(self, by: str = "features") -> np.ndarray:
        """Return the kept images, nearest first: (m,) int64. `by` is one of ORDERS; not finite comes last."""
        values = getattr(self, by)
        kept = np.flatnonzero(self.kept)
        order: np.ndarray = kept[np.argsort(-values[kept], kind="stable")]
        return order

    def classes(self, labels: np.ndarray, num_classes: int) -> list[dict[str, Any]]:
        """Return a row a class with kept images: their number, how many are among the nearest, and mean likeness.

        `near` counts the images among the 5 % nearest by features; rows come in the order of its share, largest first.
        """
        order = self.order()
        near = np.zeros(len(labels), bool)
        near[order[: max(1, round(_SHARE * len(order)))]] = bool(len(order))
        rows, kept = [], self.kept
        for index in range(num_classes):
            mine = (labels == index) & kept
            if mine.any():
                rows.append({
                    "class": index, "images": int(mine.sum()), "near": int(near[mine].sum()),
                    "features": float(self.features[mine].mean()), "gradient": float(self.gradient[mine].mean()),
                })  # fmt: skip
        return sorted(rows, key=lambda row: (-row["near"] / row["images"], -row["features"]))


def near_forget_set(outputs: FullOutputs, forget: np.ndarray, gone: np.ndarray | None = None) -> Near:
    """Measure how near every training image lies to the forget set (n,) bool in a model with these outputs.

    gone: (n,) bool, what the model forgot in earlier requests, which is not kept either.
    """
    mask = torch.from_numpy(forget.copy())
    train = outputs.train
    return Near(
        feature_similarity(train.features, mask).numpy(),
        head_gradient_similarity(train.logits, train.labels, train.features, mask).numpy(),
        forget,
        gone,
    )


def near_dict(near: Near, dataset: Dataset, most: int) -> dict[str, Any]:
    """Return plain data: classes by name, and the `most` nearest kept images in both orders."""
    labels, paths = dataset.train.labels.numpy(), dataset.train.paths

    def row(index: int) -> dict[str, Any]:
        known: dict[str, Any] = {"index": index, "class": dataset.classes[int(labels[index])]}
        if paths is not None:
            known["path"] = paths[index]
        return {**known, "features": _finite(near.features[index]), "gradient": _finite(near.gradient[index])}

    rows = near.classes(labels, dataset.num_classes)
    return {
        "classes": [
            {**each, "class": dataset.classes[each["class"]], **{name: _finite(each[name]) for name in ORDERS}}
            for each in rows
        ],
        **{f"by_{name}": [row(int(index)) for index in near.order(name)[:most]] for name in ORDERS},
    }


def _finite(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
