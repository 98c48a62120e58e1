"""What stands beside a state dict and is no weight: numbers, texts, class lists, settings; kept through strict JSON.

JSON knows no tuple, no key that is a number, no infinity and no tensor: `pack` writes these as an object with one of
the keys below, and `unpack` makes them again what they were.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import torch

MOST_VALUES = 20_000  # of one entry; a longer one is no setting, and would fill the job file
HOLDS_WEIGHTS = re.compile(r"optim|(^|[^a-z])ema([^a-z]|$)|averag", re.IGNORECASE)
"""Names of entries that are weights, or made of them, whatever they hold at the moment."""

_FLOAT, _TUPLE, _ITEMS, _TENSOR = "float()", "tuple()", "dict()", "tensor()"
_TAGS = {_FLOAT, _TUPLE, _ITEMS, _TENSOR}
_DTYPES = {str(dtype).removeprefix("torch."): dtype for dtype in (
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
    torch.uint8, torch.bool,
)}  # fmt: skip


def is_plain(value: Any) -> bool:
    """Tell whether a value is made of plain ones alone: no tensor but single numbers, no object of any class."""
    return _count(value, MOST_VALUES) <= MOST_VALUES


def pack(value: Any) -> Any:
    """Return a plain value as strict JSON can hold it."""
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: str(value)}
    if isinstance(value, torch.Tensor):
        return {_TENSOR: [str(value.dtype).removeprefix("torch."), pack(value.item())]}
    if isinstance(value, tuple):
        return {_TUPLE: [pack(each) for each in value]}
    if isinstance(value, list):
        return [pack(each) for each in value]
    if isinstance(value, Mapping):
        if all(type(key) is str for key in value) and not _TAGS & value.keys():
            return {key: pack(each) for key, each in value.items()}
        return {_ITEMS: [[pack(key), pack(each)] for key, each in value.items()]}
    return value


def unpack(value: Any) -> Any:
    """Return what `pack` was given; what is not of its making stays as it is."""
    if isinstance(value, list):
        return [unpack(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    if len(value) == 1 and (tag := next(iter(value))) in _TAGS:
        inside = value[tag]
        if tag == _FLOAT:
            return float(inside)
        if tag == _TUPLE:
            return tuple(unpack(each) for each in inside)
        if tag == _TENSOR:
            return torch.tensor(unpack(inside[1]), dtype=_DTYPES[inside[0]])
        return {unpack(key): unpack(each) for key, each in inside}
    return {key: unpack(each) for key, each in value.items()}


def _count(value: Any, left: int, depth: int = 0) -> int:
    """Return the number of values in `value`, above `left` where there are more, or one that is not plain."""
    if type(value) in (bool, int, float, str, type(None)):
        return 1
    if isinstance(value, torch.Tensor):
        return 1 if value.ndim == 0 and str(value.dtype).removeprefix("torch.") in _DTYPES else left + 1
    if depth > 20 or type(value) not in (list, tuple, dict):  # deeper than anyone nests settings
        return left + 1
    inside = [*value.keys(), *value.values()] if isinstance(value, dict) else value
    total = 1
    for each in inside:
        total += _count(each, left - total, depth + 1)
        if total > left:
            return left + 1
    return total
