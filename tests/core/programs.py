"""Programs of people who bring a network: run here as they run them, without the seconds that importing torch takes."""

from __future__ import annotations

import contextlib
import importlib
import sys
import types
from pathlib import Path

import torch


def run_program(folder: Path, code: str, name: str = "train.py") -> None:
    """Run code as `python FILE` in this folder does; what it defines and imports from there is gone afterwards."""
    program = types.ModuleType("__main__")
    program.__file__ = str(folder / name)
    kept, path = dict(sys.modules), list(sys.path)
    importlib.invalidate_caches()
    try:
        with contextlib.chdir(folder), torch.random.fork_rng():
            sys.path.insert(0, str(folder))
            sys.modules["__main__"] = program
            exec(compile(code, program.__file__, "exec"), program.__dict__)
    finally:
        sys.path[:] = path
        sys.modules["__main__"] = kept["__main__"]
        for gone in [key for key in sys.modules.keys() - kept.keys() if _of(sys.modules[key], folder)]:
            del sys.modules[gone]


def _of(module: types.ModuleType, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).is_relative_to(folder)
