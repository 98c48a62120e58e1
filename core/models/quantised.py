"""Quantised weights, which cannot be trained on: told by their keys and types, and refused with the way on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from core.errors import InputError

_QUANTISERS = {"torchao.": "torchao", "bitsandbytes.": "bitsandbytes", "optimum.quanto.": "quanto"}
_BY_KEY = (
    ("_packed_params", ""), (".SCB", " with bitsandbytes"), (".quant_state.", " with bitsandbytes"),
    (".absmax", " with bitsandbytes"), (".qweight", " with GPTQ or AWQ"),
)  # fmt: skip
_FLOATS = "Open the checkpoint from before that: unlearning needs floating-point weights"


def refuse_quantiser(name: str, called: Sequence[str]) -> None:
    """Raise InputError where a pickle calls a library that quantises: `called` is "module name" of all it calls."""
    by = next((by for module, by in _QUANTISERS.items() if any(text.startswith(module) for text in called)), None)
    if by is not None:
        raise InputError(f"{name} is quantised with {by}", _FLOATS)


def refuse_quantised(name: str, state: Mapping[Any, Any]) -> None:
    """Raise InputError where a state dict has quantised weights."""
    for part, by in _BY_KEY:
        _refuse_keys(name, (key for key in state if part in str(key)), f"is quantised{by}")
    tensors = {key: value for key, value in state.items() if isinstance(value, Tensor)}
    _refuse_keys(name, (key for key, value in tensors.items() if value.is_quantized), "is quantised")
    small = (torch.int8, torch.uint8)
    whole = (key for key, value in tensors.items() if value.ndim > 1 and value.dtype in small)
    _refuse_keys(name, (key for key in whole if str(key).endswith("weight")), "is quantised to whole numbers")


def refuse_whole_numbers(name: str, found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Raise InputError where weights are whole numbers that are floating ones in the network, by key."""
    floating = (key for key, value in wanted.items() if value.is_floating_point() and key in found)
    whole = (key for key in floating if not found[key].is_floating_point())
    _refuse_keys(name, whole, "holds whole numbers as weights")


def _refuse_keys(name: str, keys: Iterable[Any], what: str) -> None:
    first = next(iter(keys), None)
    if first is not None:
        raise InputError(f"{name} {what} ({first})", _FLOATS)
