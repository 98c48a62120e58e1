"""What lies near a forget set: kept images that show the same picture, and kept images likely to be damaged.

Which images show the same picture is cached.
"""

from __future__ import annotations

import contextlib
import hashlib
import zipfile
import zlib
from dataclasses import dataclass, fields
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from core.data.dataset import Dataset
from core.data.duplicates import Duplicates, Looks, Twins, find_duplicates, find_twins, take_looks
from core.engine.outputs import FullOutputs
from core.events import Tell, untold
from core.files import cache_home, write_atomic
from core.likeness import SAME
from core.metrics.accuracy import names_classes
from core.metrics.neighbours import feature_similarity, head_gradient_similarity

ORDERS = ("features", "gradient")
_SHARE = 0.05  # of the kept images count as near: a class among twenty
LOOKS, FOUND = "image-looks", "similar"  # folders of the cache
_VERSION = 2
Cached = TypeVar("Cached", Duplicates, Looks)


@dataclass(frozen=True, eq=False)
class Near:
    """Of every training image, (n,) float32: likeness to the forget set by features and by the head's gradient.

    gradient: None of an encoder, which has no head. forget: (n,) bool, whose values are those of the forget images
    themselves. gone: (n,) bool, what the model forgot in earlier requests; None where that is nothing.
    """

    features: np.ndarray
    gradient: np.ndarray | None
    forget: np.ndarray
    gone: np.ndarray | None = None

    @property
    def kept(self) -> np.ndarray:
        """The images that stay: neither in the forget set nor forgotten before, (n,) bool."""
        kept: np.ndarray = ~self.forget if self.gone is None else ~(self.forget | self.gone)
        return kept

    def values(self, by: str) -> np.ndarray | None:
        """Return the likeness by one of ORDERS, (n,); None where it is not known."""
        found: np.ndarray | None = getattr(self, by)
        return found

    def order(self, by: str = "features") -> np.ndarray:
        """Return the kept images, nearest first: (m,) int64. `by` is one of ORDERS; not finite comes last.

        None of them by what is not known of an encoder.
        """
        values = self.values(by)
        if values is None:
            return np.zeros(0, np.int64)
        kept = np.flatnonzero(self.kept)
        order: np.ndarray = kept[np.argsort(-values[kept], kind="stable")]
        return order


def near_forget_set(outputs: FullOutputs, forget: np.ndarray, gone: np.ndarray | None = None) -> Near:
    """Measure how near every training image lies to the forget set (n,) bool in a model with these outputs.

    gone: (n,) bool, what the model forgot in earlier requests, which is not kept either.
    """
    mask = torch.from_numpy(forget.copy())
    train = outputs.train
    gradient = None
    if names_classes(train.logits):
        gradient = head_gradient_similarity(train.logits, train.labels, train.features, mask).numpy()
    return Near(feature_similarity(train.features, train.features[mask]).numpy(), gradient, forget, gone)


def near_dict(near: Near, dataset: Dataset, most: int) -> dict[str, Any]:
    """Return plain data: classes with kept images, and the `most` nearest kept images in both orders.

    Of a class: its number of kept images, how many of them are `near` (among the 5 % nearest by features), and their
    mean likeness; classes with the largest share of near images come first.
    """
    labels, paths = dataset.train.labels.numpy(), dataset.train.paths

    def likeness(ids: Any) -> dict[str, float | None]:
        values = {name: near.values(name) for name in ORDERS}
        return {name: None if of is None else _finite(of[ids].mean()) for name, of in values.items()}

    def row(index: int) -> dict[str, Any]:
        named = {} if paths is None else {"path": paths[index]}
        return {"index": index, "class": dataset.classes[int(labels[index])], **named, **likeness(index)}

    order = near.order()
    nearest = np.zeros(len(labels), bool)
    nearest[order[: max(1, round(_SHARE * len(order)))]] = True
    classes: list[dict[str, Any]] = []
    for label, name in enumerate(dataset.classes):
        members = np.flatnonzero((labels == label) & near.kept)
        if len(members):
            close = int(nearest[members].sum())
            classes.append({"class": name, "images": len(members), "near": close, **likeness(members)})
    classes.sort(key=lambda entry: (-entry["near"] / entry["images"], -(entry["features"] or 0.0)))
    return {
        "classes": classes,
        **{f"by_{name}": [row(int(index)) for index in near.order(name)[:most]] for name in ORDERS},
    }


def _finite(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None


def similar_images(
    dataset: Dataset, forget: np.ndarray, threshold: float = SAME, tell: Tell | None = None
) -> Duplicates:
    """Return the training images that stay and show the same picture as one of the forget set (n,) bool.

    threshold: the agreement from which they count. What was found is kept in the cache, without names. `tell(what,
    done, total)` may raise to interrupt.
    """
    file = _found_file(dataset, forget)
    found = _read(file, Duplicates)
    if found is None:
        tell = tell or untold
        found = find_duplicates(dataset.train.images, forget, image_looks(dataset, tell), tell)
        _write(file, found)
    return found.at(threshold)


def image_twins(dataset: Dataset, tell: Tell = untold) -> Twins:
    """Return which training images show the same picture as another one."""
    return find_twins(image_looks(dataset, tell), tell)


def image_looks(dataset: Dataset, tell: Tell = untold) -> Looks:
    """Return the looks of all training images, from the cache where they were taken before."""
    file = looks_file(dataset.fingerprint)
    kept = _read(file, Looks)
    if kept is not None and len(kept.cells) == len(dataset.train):
        return kept
    looks = take_looks(dataset.train.images, tell)
    _write(file, looks)
    return looks


def looks_file(fingerprint: str) -> Path:
    """Return where the looks of a data set's images are kept."""
    return cache_home() / LOOKS / f"{_name(fingerprint)}.npz"


def found_files(fingerprint: str) -> list[Path]:
    """Return the files of what was found for any forget set of a data set."""
    return sorted((cache_home() / FOUND).glob(f"{_name(fingerprint)}-*.npz"))


def _found_file(dataset: Dataset, forget: np.ndarray) -> Path:
    """Return where near-duplicates of a forget set are kept."""
    what = hashlib.sha256(np.packbits(forget).tobytes()).hexdigest()[:24]
    return cache_home() / FOUND / f"{_name(dataset.fingerprint)}-{what}.npz"


def _name(fingerprint: str) -> str:
    return hashlib.sha256(f"{_VERSION} {fingerprint}".encode()).hexdigest()[:24]


def _read(file: Path, kind: type[Cached]) -> Cached | None:
    """Return what `_write` wrote, a dataclass of arrays and scalars; None where the file is missing or damaged."""
    try:
        with np.load(file, allow_pickle=False) as arrays:
            values = {field.name: arrays[field.name] for field in fields(kind)}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    return kind(**{name: value if value.ndim else value.item() for name, value in values.items()})


def _write(file: Path, value: Duplicates | Looks) -> None:
    """Keep a dataclass of arrays and scalars in a file; one that cannot be written costs time, not results."""
    content = BytesIO()
    np.savez(content, **vars(value))
    with contextlib.suppress(OSError):
        write_atomic(file, content.getvalue(), private=True)
