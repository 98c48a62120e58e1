"""Plain values beside a state dict: which values are plain, and how strict JSON holds them.

Numbers, texts, class lists and settings are kept through strict JSON, which knows no tuple, no key that is a number, no
infinity, no tensor and no namespace: `pack` writes these as an object with one of the tags below, `unpack` reads them
again.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

_MOST_PARTS, _DEEPEST = 20_000, 20
_LONGEST = 8  # bytes of a number
OBJECTS: list[Any] = [
    argparse.Namespace, np.dtype, np.float64(0).__reduce__()[0],
    *(type(np.dtype(kind)) for kind in np.typecodes["All"] if np.dtype(kind).kind in "biuf"),
]  # fmt: skip
"""What a file with plain values that are objects calls; torch reads it only where these are named to it."""


def type_name(value: Tensor) -> str:
    """Return a tensor's type as files and jobs note it: "float16"."""
    return str(value.dtype).removeprefix("torch.")


def oddity(value: Tensor) -> str:
    """Return what keeps a tensor from being read, as it is said of its file with its key in place of {}; else ""."""
    if value.is_quantized:
        return "is quantised ({})"
    if value.is_complex():
        return "holds complex numbers ({}), which no architecture here has"
    return "holds a tensor without plain values ({})" if value.layout != torch.strided or value.is_meta else ""


def is_plain(value: Any) -> bool:
    """Whether a value is made of numbers, texts and containers alone: no tensor but single numbers, no other object.

    An argparse.Namespace is a container, a number of NumPy is a number. A value with more than 20,000 parts is not
    plain: it is no setting, and would fill the job file.
    """
    pending, parts = [(value, 0)], 0
    while pending:
        value, depth = pending.pop()
        parts += 1
        if type(value) in (bool, int, float, str, type(None)):
            continue
        if isinstance(value, np.generic) and value.dtype.kind in "biuf" and value.itemsize <= _LONGEST:
            continue
        if isinstance(value, Tensor):
            if value.ndim or oddity(value):
                return False
            continue
        if type(value) is argparse.Namespace:
            value = vars(value)
        if depth > _DEEPEST or type(value) not in (list, tuple, dict) or parts + len(value) > _MOST_PARTS:
            return False
        inside = [*value.keys(), *value.values()] if isinstance(value, dict) else value
        pending += ((part, depth + 1) for part in inside)
    return parts <= _MOST_PARTS


def packed_few(tensors: Mapping[str, Tensor]) -> dict[str, Any] | None:
    """Return tensors in a form that strict JSON can hold; None where they have more values than a job file takes."""
    if sum(value.numel() for value in tensors.values()) > _MOST_PARTS:
        return None
    return {key: pack(value) for key, value in tensors.items()}


def _tensor(parts: list[Any]) -> Tensor:
    name, values, *shape = parts
    return torch.tensor(values, dtype=getattr(torch, name)).reshape(*shape or ((),))


def _parts_of(value: Tensor) -> list[Any]:
    name = type_name(value)
    return [name, value.flatten().tolist(), list(value.shape)] if value.ndim else [name, value.item()]


# By tag: what has this form, the parts that strict JSON can hold once they are packed, and what they are put into.
_FORMS: dict[str, tuple[type, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "numpy()": (np.generic, lambda value: [value.dtype.name, value.item()], lambda it: np.dtype(it[0]).type(it[1])),
    "tensor()": (Tensor, _parts_of, _tensor),
    "tuple()": (tuple, list, tuple),
    "namespace()": (argparse.Namespace, vars, lambda values: argparse.Namespace(**values)),
    "float()": (float, str, float),
    "dict()": (Mapping, lambda value: list(map(list, value.items())), dict),
}


def pack(value: Any) -> Any:
    """Return a plain value, or a small tensor, in a form that strict JSON can hold."""
    if isinstance(value, list):
        return [pack(part) for part in value]
    if isinstance(value, Mapping) and all(type(key) is str for key in value) and not _FORMS.keys() & value.keys():
        return {key: pack(part) for key, part in value.items()}
    if type(value) is float and math.isfinite(value):
        return value
    for tag, (kind, parts, _) in _FORMS.items():
        if isinstance(value, kind):
            return {tag: pack(parts(value))}
    return value


def unpack(value: Any) -> Any:
    """Return the value that `pack` was given; data it did not make stays as it is."""
    if isinstance(value, list):
        return [unpack(part) for part in value]
    if not isinstance(value, Mapping):
        return value
    if len(value) == 1 and (tag := next(iter(value))) in _FORMS:
        return _FORMS[tag][2](unpack(value[tag]))
    return {key: unpack(part) for key, part in value.items()}
