"""Read Tiny ImageNet as it is unpacked: a folder a class in train/, all test images in one folder with a list."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from core.data.files import FolderFiles
from core.data.loaded import DecodeOptions, Loaded, Reporter
from core.data.reading import read_images
from core.errors import InputError

FILES = ("wnids.txt", "words.txt", "val/val_annotations.txt")
SIZE = (64, 64)


def load_tiny_imagenet(root: Path, report: Reporter) -> Loaded:
    """Read train/ and val/ (its labelled test part); classes are in the order of their WordNet numbers."""
    try:
        numbers = sorted((root / "wnids.txt").read_text().split())
        words = dict(line.split("\t", 1) for line in (root / "words.txt").read_text().splitlines() if "\t" in line)
        annotations = [line.split("\t") for line in (root / "val" / "val_annotations.txt").read_text().splitlines()]
        index = {number: i for i, number in enumerate(numbers)}
        train = [
            (f"train/{number}/images/{path.name}", index[number])
            for number in numbers
            for path in sorted((root / "train" / number / "images").iterdir())
        ]
        test = [(f"val/images/{fields[0]}", index[fields[1]]) for fields in annotations if len(fields) > 1]
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"The files of Tiny ImageNet in {root} are incomplete: {error}") from error
    options = DecodeOptions(size=SIZE, channels=3)
    names = [name for name, _ in train + test]
    decoded = read_images(FolderFiles(root, names), report, options)
    labels = np.array([label for _, label in train + test], dtype=np.int64)
    train_part, test_part = decoded.parts(names, labels, len(train))
    return Loaded(
        title="Tiny ImageNet",
        classes=_class_names(numbers, words),
        train=train_part,
        test=test_part if len(test_part) else None,
        unreadable=decoded.unreadable,
        root=root,
    )


def _class_names(numbers: list[str], words: dict[str, str]) -> tuple[str, ...]:
    """Return the first word of each class, with its number where two classes share it."""
    first = [words.get(number, number).split(",")[0].strip() for number in numbers]
    counts = Counter(first)
    return tuple(
        f"{word} ({number})" if counts[word] > 1 else word for word, number in zip(first, numbers, strict=True)
    )
