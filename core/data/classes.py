"""Class names: read from a file, numbers where there are none, in the order of the model's outputs."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from core.data.dataset import ImageSet, Loaded
from core.errors import InputError, MismatchError
from core.files import loads, read_text


def check_labels(
    where: str, parts: Sequence[np.ndarray], stated: tuple[tuple[str, ...], str] | None, hint: str
) -> tuple[str, ...]:
    """Check labels against the class names and return the names.

    parts: (n,) int labels of the training part, then of the test part if any; stated: the names and what messages call
    their source, None where the data has no names: classes are then called "0" to "K-1". Raises InputError, its message
    beginning with `where`, for a negative label or one without a name; without names, with `hint`, for a number that no
    training image has.
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
    missing = np.setdiff1d(np.arange(min(highest, len(parts[0])) + 1), parts[0])
    if len(missing):
        raise InputError(
            f"{where}: labels must be 0 to K-1 without a gap; they reach {highest}, "
            f"but no training image has label {missing[0]}",
            hint,
        )
    return tuple(str(i) for i in range(highest + 1))


def reorder_classes(loaded: Loaded, path: Path) -> Loaded:
    """Renumber the labels so that classes stand in the order of the file `path`.

    Where the data only numbers its classes, other names in the file say what the numbers mean. Raises InputError for
    an unusable file, MismatchError where its names are not the data's.
    """
    names = read_class_names(path)
    numbered = loaded.classes == tuple(str(i) for i in range(len(loaded.classes)))
    if numbered and len(names) == len(loaded.classes) and set(names) != set(loaded.classes):
        return dataclasses.replace(loaded, classes=names)
    missing = [name for name in loaded.classes if name not in set(names)]
    unknown = [name for name in names if name not in set(loaded.classes)]
    if missing or unknown:
        lacks = [f"lacks {_some(missing)}"] if missing else []
        names_more = [f"names {_some(unknown)}, which the data has not"] if unknown else []
        raise MismatchError(
            f"{path.name} {' and '.join(lacks + names_more)}",
            f"It must list the data's {len(loaded.classes)} class names in the order of the model's outputs",
        )
    new_index = torch.tensor([names.index(name) for name in loaded.classes])

    def relabelled(part: ImageSet) -> ImageSet:
        return dataclasses.replace(part, labels=new_index[part.labels])

    test = None if loaded.test is None else relabelled(loaded.test)
    return dataclasses.replace(loaded, classes=names, train=relabelled(loaded.train), test=test)


def read_class_names(path: Path) -> tuple[str, ...]:
    """Read class names, one a line or a JSON list; raises InputError naming the file."""
    text = read_text(path)
    if text.lstrip().startswith("["):
        try:
            values = loads(text)
        except ValueError as error:
            raise InputError(f"{path} is not valid JSON: {error}") from error
        if not all(isinstance(value, str) for value in values):
            raise InputError(f"{path} must be a JSON list of names")
    else:
        values = [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise InputError(f"{path} names {_some(twice)} twice")
    if not values:
        raise InputError(f"{path} holds no class names")
    return tuple(values)


def _some(names: list[str], shown: int = 5) -> str:
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return ", ".join(repr(name) for name in names[:shown]) + more
