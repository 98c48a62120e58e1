"""Class lists: read from files, checked against labels, and the order and number that a model's outputs ask for."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from core.data.dataset import ImageSet, Loaded
from core.errors import InputError, MismatchError
from core.files import composed, loads, read_text

MOST_CLASSES = 100_000  # a larger label is no class's number
MOST_NAMES = 1_000_000  # in a list of class names: ten times as many as the largest public classifier has
_NAMES_BYTES = 64 << 20  # of such a list: 64 a name
GAP_HINT = "Renumber the labels, or list the names of all outputs in a file and give it with --classes"

Data = TypeVar("Data", bound=Loaded)


def check_labels(
    where: str, parts: Sequence[np.ndarray], stated: tuple[tuple[str, ...], str] | None
) -> tuple[str, ...]:
    """Check labels against the class names and return the names.

    parts: (n,) int labels of the training part, then of the test part if any; stated: the names and what messages call
    their source, None where the data has no names: classes are then called "0" to "K-1". Raises InputError, its message
    beginning with `where`, for a negative label, one without a name, or one that is too large to be a class's number.
    """
    labels = np.concatenate(parts)
    lowest, highest = int(labels.min(initial=0)), int(labels.max(initial=0))
    if lowest < 0:
        raise InputError(f"{where}: labels must be 0 or more, got {lowest}")
    if stated is not None:
        names, source = stated
        if highest >= len(names):
            raise InputError(f"{where}: label {highest} has no name; {source} holds {len(names)} names")
        return names
    if highest >= MOST_CLASSES:
        raise InputError(f"{where}: a label is {highest}, which is no class's number", "Number the classes from 0")
    return tuple(str(i) for i in range(highest + 1))


def refuse_gap(loaded: Loaded) -> None:
    """Raise InputError where labels that only number the classes leave one out: 1 to K, or 255 for "none", is a slip.

    Where the names or the number of a model's outputs are known, such a class is one without images.
    """
    counts = np.bincount(loaded.train.labels.numpy(), minlength=len(loaded.classes))
    if loaded.found.numbered and not counts.all():
        raise InputError(
            f"{loaded.title}: labels must be 0 to K-1 without a gap; they reach {len(counts) - 1}, "
            f"but no training image has label {int(np.flatnonzero(counts == 0)[0])}",
            GAP_HINT,
        )


def several_labels(what: str) -> InputError:
    """Return the refusal of data that gives an image several labels; `what` says where."""
    return InputError(
        f"{what}: this is multi-label data, and only classifiers with one label an image can be unlearned here",
        "Use data with one label an image",
    )


def arrange(data: Data, names: Sequence[str], source: str) -> Data:
    """Return the data with its classes where `names`, one an output, has them; others are outputs without images.

    Where the data only numbers its classes, other names say what the numbers mean. Raises MismatchError, its message
    beginning with `source`, where a class of the data is not among the names.
    """
    places = places_of(data.classes, names, source)
    index = torch.tensor(places)

    def relabelled(part: ImageSet) -> ImageSet:
        return dataclasses.replace(part, labels=index[part.labels])

    test = None if data.test is None else relabelled(data.test)
    # A class keeps the data's spelling of its name: it is that of its folder.
    spelt = dict(zip(places, data.classes, strict=True)) if not goes_by_number(data.classes, names) else {}
    classes = tuple(spelt.get(place, name) for place, name in enumerate(names))
    return dataclasses.replace(data, classes=classes, train=relabelled(data.train), test=test)


def places_of(classes: Sequence[str], names: Sequence[str], source: str) -> list[int]:
    """Return which of `names` each class of the data is, by its name or its number.

    Raises MismatchError, its message beginning with `source`, where one is none of them.
    """
    places = places_among(classes, names)
    if places is None:
        known, ours = ({composed(name) for name in listed} for listed in (names, classes))
        missing = [name for name in classes if composed(name) not in known]
        unknown = [name for name in names if composed(name) not in ours]
        more = f" and names {some(unknown)}, which the data has not" if unknown else ""
        raise MismatchError(
            f"{source} lacks {some(missing)}{more}",
            f"It must list the data's {len(classes)} class names in the order of the model's outputs, and may "
            "list more for outputs without images",
        )
    return places


def places_among(classes: Sequence[str], names: Sequence[str]) -> list[int] | None:
    """Return which of `names` each class of the data is, as `places_of`; None where one is none of them."""
    if goes_by_number(classes, names):
        # Folders stand in alphabetical order, "10" before "2": it is the number that names the class.
        return [int(number) for number in classes]
    place = {composed(name): index for index, name in enumerate(names)}
    places = [place.get(composed(name), -1) for name in classes]
    return None if -1 in places else places


def goes_by_number(classes: Sequence[str], names: Sequence[str]) -> bool:
    """Whether the data's classes are numbers 0 .. K-1 that stand for other names."""
    numbers = {str(number) for number in range(len(classes))}
    return set(classes) == numbers and not numbers <= set(names) and len(names) >= len(classes)


def read_class_names(path: Path) -> tuple[str, ...]:
    """Read class names, one a line or a JSON list; raises InputError naming the file."""
    text = read_text(path, _NAMES_BYTES)
    if text.lstrip().startswith("["):
        try:
            values = loads(text, list[str])
        except ValueError as error:
            raise InputError(f"{path} must be a JSON list of names: {error}") from error
    else:
        values = [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    if len(values) > MOST_NAMES:
        raise InputError(f"{path} holds {len(values):,} class names, and at most {MOST_NAMES:,} are read")
    twice = sorted(value for value, count in Counter(values).items() if count > 1)
    if twice:
        raise InputError(f"{path} names {some(twice)} twice")
    if not values:
        raise InputError(f"{path} holds no class names")
    return tuple(values)


def some(names: Sequence[str], shown: int = 5) -> str:
    """Return the first names in words, and how many more there are."""
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return ", ".join(repr(name) for name in names[:shown]) + more
