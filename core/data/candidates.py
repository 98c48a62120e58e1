"""The usual ways of preparing images, to be tried where nobody stated how a network's images were prepared."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np
import torch

from core.data.dataset import Dataset
from core.data.preprocessing import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    MEASURED,
    PHOTO_SIDE,
    Preprocessing,
    measure_preprocessing,
)
from core.data.stated import IMAGENET_CROP
from core.data.steps import CenterCrop, Grayscale, Resize, Size, Step, size_after

Values = tuple[tuple[float, ...], tuple[float, ...]]  # mean and std

HALF, PLAIN, BYTES = ((0.5,), (0.5,)), ((0.0,), (1.0,)), ((0.0,), (1 / 255,))
COLOUR: dict[str, Values] = {
    "ImageNet": (IMAGENET_MEAN, IMAGENET_STD),
    "CIFAR-10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "CIFAR-10, as often copied": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "CIFAR-100": ((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)),
}
GREY: dict[str, Values] = {"MNIST": ((0.1307,), (0.3081,))}
"""Mean and std that are copied from one program to the next."""

SIZES = (28, 32, 64, 96, 128, 224)
CROPS = (IMAGENET_CROP, 8 / 9)  # side of the crop by the short side before it: 224 of 256, 32 of 36; 64 of 72
_LARGEST = 256  # the longest side up to which images may well have been taken as they are stored

_MEASURED = 256  # streamed images that mean and std are measured on
_SIZES_COMPARED = 64


def usual_candidates(
    dataset: Dataset,
    *,
    channels: int | None = None,
    size: Size | None = None,
    published: Preprocessing | None = None,
    stated: Mapping[str, Any] | None = None,
) -> tuple[Preprocessing, ...]:
    """Return the preparations worth trying for a network on these images, the most usual first, no two of them alike.

    channels: what the network takes, None: as the images are stored; size: the (H, W) that its weights are made for,
    None where any goes; published: what the architecture's published weights were trained with, tried first; stated:
    a part of the preparation that is known, as `core.data.stated.read_stated` returns it, which all of them keep. All
    have the source "tried", or MEASURED where mean and std are those of a sample of the images, with "in part" where
    something is stated. Candidates with the same `steps` have the same pixels: only mean and std differ.
    """
    channels = channels or dataset.stored_channels
    stored = dataset.stored_sizes
    sizes = [size for size, _ in stored.most_common(_SIZES_COMPARED)]
    ways = list(_ways(sizes, size, published))
    turned: tuple[Step, ...] = (Grayscale(1),) if channels == 1 and dataset.stored_channels == 3 else ()
    photos = max((min(s) for s in sizes), default=0) >= PHOTO_SIDE
    measured, sampled = _measured(dataset, channels, ways[0])
    values = list(_values(channels, photos, measured))
    if published is not None and published.channels == channels:
        values = [(published.mean, published.std), *values]
    opened = (True, False) if dataset.train.stored.originals.changed else (True,)
    ranked = sorted(
        product(enumerate(ways), enumerate(values), enumerate(opened)), key=lambda ranks: sum(rank for rank, _ in ranks)
    )
    found: dict[object, Preprocessing] = {}
    for (_, steps), (_, (mean, std)), (_, upright) in ranked:
        opened_as = dataset.train.stored.originals.sizes(upright=upright)
        alike = next(iter(opened_as)) if len(opened_as) == 1 else None  # the one size of all images
        reached = size_after(steps, alike)
        if reached is None:
            continue
        source = MEASURED if (mean, std) == measured and steps == sampled else "tried"
        candidate = Preprocessing(reached, mean, std, source=source, steps=(*turned, *steps), upright=upright)
        if stated:
            source = f"{source if {'mean', 'std'}.isdisjoint(stated) else 'tried'} in part"
            candidate = Preprocessing.from_dict(stated, base=candidate, source=source)
            candidate = candidate.of_size(size_after(candidate.steps or (), alike) or candidate.size)
        effect = candidate.size if candidate.steps is None else _effect(candidate.steps, sizes)
        found.setdefault((effect, candidate.mean, candidate.std, candidate.upright), candidate)
    return tuple(found.values())


def _ways(sizes: list[Size], wanted: Size | None, published: Preprocessing | None) -> Iterator[tuple[Step, ...]]:
    """Return steps to one size, the most usual first."""
    if published is not None and published.steps is not None:
        yield published.steps
    as_stored = len(sizes) == 1 and wanted in (None, sizes[0])
    if as_stored and max(sizes[0]) <= _LARGEST:
        yield ()
    targets = [wanted] if wanted is not None else _targets(sizes, published)
    ways = [list(_ways_to(size)) for size in targets]
    for number in range(max(map(len, ways))):  # by kind of steps, so that every size has its turn
        yield from (way[number] for way in ways if number < len(way))
    if as_stored:
        yield ()


def _ways_to(size: Size) -> Iterator[tuple[Step, ...]]:
    """Return steps to one size (H, W), the most usual first."""
    crop, short = CenterCrop(size), min(size)
    yield (Resize(size),)
    yield (Resize((short,)), crop)
    large = short >= SIZES[-1]
    for share in CROPS[:1] if large else CROPS:
        yield (Resize((math.floor(short / share),)), crop)
    if large:
        side = math.floor(short / CROPS[0])
        yield (Resize((side, side)), crop)


def _targets(sizes: list[Size], published: Preprocessing | None) -> list[Size]:
    """Return the usual input sizes for images of these sizes: the published one, then those nearest to the stored."""
    side = min(sizes[0]) if sizes else SIZES[0]
    near = [s for s in SIZES if side / 4 <= s <= side * 4 / 3 or (s == SIZES[-1] and side >= PHOTO_SIDE)]
    near.sort(key=lambda s: abs(math.log(s / side)))
    first = [published.size] if published is not None and all(published.size) else []
    return list(dict.fromkeys([*first, *((s, s) for s in near or SIZES[:2])]))


def _values(channels: int, photos: bool, measured: Values) -> Iterator[Values]:
    """Return means and standard deviations for images of so many channels, the most usual first."""
    known = list({3: COLOUR, 1: GREY}.get(channels, {}).values())
    if channels == 3 and photos:
        first, *known = known[:2]
        yield first
    yield from _of_all((PLAIN, HALF), channels)
    yield measured
    yield from known
    yield from _of_all((BYTES,), channels)


def _of_all(values: Iterable[Values], channels: int) -> Iterator[Values]:
    yield from ((mean * channels, std * channels) for mean, std in values)


def _measured(dataset: Dataset, channels: int, steps: tuple[Step, ...]) -> tuple[Values, tuple[Step, ...] | None]:
    """Return mean and std of the training images, or of a sample of streamed ones after `steps`, and these steps."""
    measured, sampled = dataset.preprocessing, None
    if measured.source != "data set" or measured.channels != channels:
        images = dataset.train.images
        if not isinstance(images, torch.Tensor) or images.shape[3] != channels:
            ids = np.linspace(0, len(images) - 1, min(_MEASURED, len(images))).round().astype(np.int64)
            sampled = steps if len(ids) < len(images) else None
            images = dataset.train.stored.pixels(ids, Preprocessing.unscaled(channels, steps=steps))
        measured = measure_preprocessing(images)
    return (measured.mean, measured.std), sampled


def _effect(steps: tuple[Step, ...], sizes: list[Size]) -> object:
    """Return what steps do to images of these sizes, without those that change nothing."""
    done = []
    for size in sizes:
        effects: list[object] = []
        for step in steps:
            after = step.size_of(size)
            if isinstance(step, Resize) and after != size:
                effects.append((after, step.interpolation, step.antialias))
            elif not isinstance(step, Resize) and not (isinstance(step, CenterCrop) and after == size):
                effects.append((step, after))
            size = after
        done.append(tuple(effects))
    return tuple(done)
