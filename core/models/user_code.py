"""Architectures of the user's own: a factory function in a Python file, run only when the user trusts it."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from core.errors import InputError, NotFoundError, UnsafeFileError, unknown_name
from core.files import file_sha256


def code_key(user_code: str) -> str:
    """Return the hash of the file in "path.py:factory" and the factory's name, for cache keys; the file is not run."""
    path, _, factory = user_code.rpartition(":")
    return f"{file_sha256(Path(path)) if Path(path).is_file() else ''}:{factory}"


def build_from_user_code(user_code: str, num_classes: int, *, trust_code: bool = False) -> nn.Module:
    """Run the factory of "path.py:factory" with num_classes (if it takes that) and return its network.

    Raises UnsafeFileError without `trust_code`, NotFoundError where file or factory is missing, and InputError
    where the file cannot be run, or the factory fails or gives something else than a network.
    """
    text, _, name = user_code.rpartition(":")
    if not trust_code:
        raise UnsafeFileError(
            f"{text} is program code, so it was not run", "Allow it with --trust-code if you trust who wrote it"
        )
    factory = _load_factory(Path(text), name)
    try:
        module = factory(num_classes=num_classes) if _takes_num_classes(factory) else factory()
    except Exception as error:
        raise InputError(f"{name}() of {text} failed: {type(error).__name__}: {error}") from error
    if not isinstance(module, nn.Module):
        raise InputError(f"{name}() of {text} gave {type(module).__name__}, not a torch.nn.Module")
    return module


def _load_factory(path: Path, name: str) -> Callable[..., Any]:
    if not path.is_file():
        raise NotFoundError(f"There is no file {path}")
    path = path.resolve()
    module_name = f"unlearn_studio_user_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} cannot be loaded as Python code")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses and pickling look their module up by name
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        sys.modules.pop(module_name, None)
        raise InputError(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    factory = getattr(module, name, None)
    if factory is None:
        known = [each for each in vars(module) if not each.startswith("_")]
        raise unknown_name(f"factory in {path.name}", name, known)
    if not callable(factory):
        raise InputError(f"{name} in {path} is no function or class")
    return factory


def _takes_num_classes(factory: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(p.name == "num_classes" or p.kind is p.VAR_KEYWORD for p in parameters)
