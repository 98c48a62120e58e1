"""What a path is, told from names and first bytes only: quick enough to answer while a file is dragged over."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from core.endings import SUFFIXES, ending
from core.errors import InputError
from core.runs.folder import JOB, RunFolder

Kind = Literal["model", "data", "run", "list", "batch"]

LIST_SUFFIXES = frozenset((".csv", ".tsv", ".txt", ".lst", ".list"))
_WEIGHTS = "model.safetensors"
_SAVED = "dataset_info.json"
_ENTRIES = 200  # looked at in a folder before it is taken for none of ours


def kind_of(path: Path) -> Kind | None:
    """Return "model", "data", "run", "list" or "batch"; None for what is none of them.

    A run that trained a model is a model, as is a folder that holds weights and no run. Only a CSV loads
    anything heavy: its first line is read by the code that opens such data.
    """
    try:
        if path.is_dir():
            return _kind_of_folder(path)
        if not path.is_file():
            return None
    except OSError:
        return None
    suffix = ending(path)
    if suffix in SUFFIXES:
        return "model"
    if suffix in (".npz", ".tar"):
        return "data"
    if suffix == ".toml":
        return "batch"
    if suffix == ".json" and path.name == JOB:
        return "run"
    if suffix in (".csv", ".tsv"):
        from core.data.table import looks_like_table

        return "data" if looks_like_table(path) else "list"
    return "list" if suffix in LIST_SUFFIXES else None


def _kind_of_folder(path: Path) -> Kind | None:
    if (path / JOB).is_file():
        folder = RunFolder(path)
        try:
            trained = folder.job().kind == "train"
        except InputError:
            return "run"  # opening it says what is wrong
        return "model" if trained and folder.has_result else "run"
    if (path / _WEIGHTS).is_file():
        return "model"
    for number, entry in enumerate(path.iterdir()):
        if number >= _ENTRIES:
            break
        if entry.is_dir() and not entry.name.startswith("."):
            return "data"
        if "ubyte" in entry.name or entry.name == _SAVED or ending(entry) == ".tar":  # IDX files, Hugging Face, shards
            return "data"
    return None
