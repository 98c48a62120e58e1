"""Files that say what was settled about data, named by their content: a run resumed later still finds them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.data.preprocessing import Preprocessing
from core.errors import InputError
from core.files import data_home, dumps_pretty, write_atomic


def write_class_order(names: tuple[str, ...]) -> Path:
    """Write class names, one a line in the order of the model's outputs, as `--classes` reads them; return the file.

    Raises InputError where it cannot be written or a name holds a line break.
    """
    wrong = next((name for name in names if "\n" in name or "\r" in name or name != name.strip()), None)
    if wrong is not None:
        raise InputError(f"The class name {wrong!r} cannot stand on a line of its own", "Rename its folder")
    return _write("class-orders", "".join(f"{name}\n" for name in names).encode(), ".txt")


def write_preprocessing(values: Mapping[str, Any]) -> Path:
    """Write preprocessing as `--preprocess` reads it; return the file.

    Raises InputError naming every value that is wrong, or where the file cannot be written.
    """
    content = Preprocessing.from_dict(values).to_dict()
    return _write("preprocessing", dumps_pretty({name: content[name] for name in content if name != "source"}), ".json")


def _write(folder: str, data: bytes, ending: str) -> Path:
    """Write a file named by its content into one of the application's folders."""
    path = data_home() / folder / f"{hashlib.sha256(data).hexdigest()[:16]}{ending}"
    try:
        write_atomic(path, data)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from error
    return path
