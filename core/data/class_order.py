"""The order of the model's outputs: class names read from a file, and labels renumbered to them."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import torch

from core.data.dataset import ImageSet
from core.data.loaded import Loaded
from core.errors import InputError, MismatchError
from core.jsonio import loads


def reorder_classes(loaded: Loaded, path: Path) -> Loaded:
    """Renumber the labels so that classes stand in the order of the file `path`.

    Where the data only numbers its classes, other names in the file say what the numbers mean. Raises InputError for
    an unusable file, MismatchError where its names are not the data's.
    """
    names = read_class_names(path)
    if not loaded.named and len(names) == len(loaded.classes) and set(names) != set(loaded.classes):
        # The data only numbers its classes: the file says what the numbers mean.
        return dataclasses.replace(loaded, classes=names, named=True)
    missing = [name for name in loaded.classes if name not in set(names)]
    unknown = [name for name in names if name not in set(loaded.classes)]
    if missing or unknown:
        parts = []
        if missing:
            parts.append(f"lacks {_some(missing)}")
        if unknown:
            parts.append(f"names {_some(unknown)}, which the data has not")
        raise MismatchError(
            f"{path.name} {' and '.join(parts)}",
            f"It must list the data's {len(loaded.classes)} class names in the order of the model's outputs",
        )
    new_index = torch.tensor([names.index(name) for name in loaded.classes])

    def relabelled(part: ImageSet | None) -> ImageSet | None:
        return None if part is None else dataclasses.replace(part, labels=new_index[part.labels])

    train = relabelled(loaded.train)
    assert train is not None
    return dataclasses.replace(loaded, classes=names, train=train, test=relabelled(loaded.test))


def read_class_names(path: Path) -> tuple[str, ...]:
    """Read class names, one a line or a JSON list; raises InputError naming the file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text file in UTF-8") from error
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
