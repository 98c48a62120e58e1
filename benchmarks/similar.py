"""Of planted copies how many `--similar` finds, and how many other pictures it takes; its time on 60,000 images.

python -m benchmarks.similar [--quick] [--json]
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.common import arguments, report
from benchmarks.planted import CHANGES, copy_of, photo_tiles
from core.data.duplicates import find_duplicates, take_looks
from core.data.named import load_digits
from core.data.sources import open_dataset
from core.errors import AppError
from core.likeness import LEVELS

FORGET, COPIES = 332, 20  # images to forget; copies of some of them, by each change
TROUSERS = 1


def measured(images: np.ndarray, forget: int, copies: int, seed: int) -> dict[str, Any]:
    """Plant copies of some of the first `forget` images, (n, H, W, C) uint8, and look for them."""
    generator = np.random.default_rng(seed)
    planted = [(int(i), c) for c in CHANGES for i in generator.choice(forget, min(copies, forget), replace=False)]
    everything = np.concatenate([images, np.stack([copy_of(images[i], change, generator) for i, change in planted])])
    began = time.perf_counter()
    found = find_duplicates(everything, np.arange(len(everything)) < forget, take_looks(everything))
    figures: dict[str, Any] = {"images": len(images), "forget": forget, "seconds": time.perf_counter() - began}
    for level in ("same", "near"):
        at = found.at(LEVELS[level])
        mine = at.kept >= len(images)
        hits = {int(kept) - len(images) for kept in at.kept[mine]}
        figures[f"{level}_strangers_per_100"] = 100 * int((~mine).sum()) / forget
        figures[f"{level}_found"] = len(hits) / len(planted)
        for change in CHANGES:
            of = [number for number, (_, its) in enumerate(planted) if its is change]
            figures[f"{level}_found_{change.__name__}"] = len(hits & set(of)) / len(of)
    return figures


def mean(draws: list[dict[str, Any]]) -> dict[str, Any]:
    """Average the figures of several draws."""
    return {name: float(np.mean([draw[name] for draw in draws])) for name in draws[0]}


def shuffled(images: np.ndarray, seed: int) -> np.ndarray:
    """Return images in another order."""
    return images[np.random.default_rng(seed).permutation(len(images))]


def fashion(draws: int) -> dict[str, dict[str, Any]]:
    """Measure on Fashion-MNIST; empty where it is not installed."""
    try:
        train = open_dataset("fashion-mnist").train
    except AppError:
        return {}
    images, labels = np.asarray(train.images), train.labels.numpy()

    def trousers_first(seed: int) -> np.ndarray:
        mixed = np.random.default_rng(seed).permutation(len(images))
        return images[np.concatenate([mixed[labels[mixed] == TROUSERS], mixed[labels[mixed] != TROUSERS]])]

    sets: dict[str, Callable[[int], np.ndarray]] = {
        "Fashion-MNIST, 5,008 images": lambda seed: shuffled(images, seed)[:5008],
        "Fashion-MNIST, all": lambda seed: shuffled(images, seed),
        "Fashion-MNIST, trousers among all": trousers_first,
    }
    return {
        name: mean([measured(made(seed), FORGET, COPIES, seed) for seed in range(draws)])
        for name, made in sets.items()
    }  # fmt: skip


def main() -> None:
    """Print a row for each set of pictures."""
    options = arguments(__doc__ or "")
    draws = 1 if options.quick else 4
    digits = np.asarray(load_digits().train.images)
    figures = {
        **fashion(draws),
        "tiles of photographs, 64 pixels": mean(
            [measured(shuffled(photo_tiles(), seed), 40, 20, seed) for seed in range(draws)]
        ),
        "digits, 8 pixels": mean([measured(shuffled(digits, seed), 100, 20, seed) for seed in range(draws)]),
    }
    head = ["pictures", "forget", "strangers per 100", "found", *(change.__name__ for change in CHANGES), "seconds"]
    rows = [head]
    for name, of in figures.items():
        shares = [of["same_found"], *(of[f"same_found_{change.__name__}"] for change in CHANGES)]
        row = [name, f"{of['forget']:.0f}", f"{of['same_strangers_per_100']:.2f}", *(f"{x:.2f}" for x in shares)]
        rows.append([*row, f"{of['seconds']:.1f}"])
    report("Kept images taken for the same picture, and planted copies found (--similar same)", figures, rows, options)


if __name__ == "__main__":
    main()
