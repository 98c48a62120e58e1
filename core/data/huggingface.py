"""Read a data set that Hugging Face's `datasets` saved to disk: Arrow files with an image column and a label column.

Only pyarrow is needed, an extra. Images stay where they are, mapped from the files.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from core.data.dataset import Unreadable
from core.data.files import Stamp, checked_size
from core.data.folders import TEST_NAMES, TRAIN_NAMES
from core.data.images import CannotReadError
from core.data.loaded import DecodeOptions, Loaded, Reporter, no_test_part
from core.data.reading import read_images
from core.errors import InputError
from core.jsonio import read_json

_INFO, _STATE, _SPLITS = "dataset_info.json", "state.json", "dataset_dict.json"
_LABEL_NAMES = ("label", "labels", "fine_label", "class", "target")


@dataclass(frozen=True)
class Saved:
    """Where the parts lie."""

    root: Path
    train: Path
    test: Path | None


@dataclass(frozen=True)
class ArrowFiles:
    """Images in columns of Arrow tables, part after part. Names are PART/ROW."""

    root: Path
    names: Sequence[str]
    columns: Sequence[_Column]  # one a part
    rows: np.ndarray  # (n, 2) int64: which column, and where in it

    def stamp(self, position: int) -> Stamp:
        """Return the size of the table's files together and their latest change."""
        statuses = [path.stat() for path in self.columns[self.rows[position, 0]].paths]
        return sum(s.st_size for s in statuses), max(s.st_mtime_ns for s in statuses)

    def read(self, position: int) -> bytes:
        """Return the bytes of one image, from its file where the table names one only."""
        part, row = self.rows[position].tolist()
        found = self.columns[part].cell(row)
        if not isinstance(found, dict):
            raise CannotReadError("the cell is empty")
        data: bytes | None = found.get("bytes")
        if data is None:
            if not found.get("path"):
                raise CannotReadError("the cell is empty")
            data = (self.root / found["path"]).read_bytes()
        checked_size(len(data))
        return data


class _Column:
    """One column over the files of a part."""

    def __init__(self, paths: Sequence[Path], chunks: Sequence[Any]) -> None:
        self.paths, self._chunks = paths, chunks
        self._starts = np.cumsum([0, *(len(chunk) for chunk in chunks)]).tolist()

    def __len__(self) -> int:
        return int(self._starts[-1])

    def cell(self, row: int) -> Any:
        number = bisect_right(self._starts, row) - 1
        return self._chunks[number][row - self._starts[number]].as_py()


@dataclass(frozen=True)
class _Part:
    name: str
    images: _Column
    labels: list[Any]
    classes: tuple[str, ...] | None


def find_saved(path: Path) -> Saved | None:
    """Return the parts of a saved data set, None where `path` holds none or none to train on."""
    if not path.is_dir():
        return None
    if (path / _STATE).is_file() and (path / _INFO).is_file():
        return Saved(path, path, None)
    if not (path / _SPLITS).is_file():
        return None
    train, test = (
        next((path / name for name in names if (path / name / _STATE).is_file()), None)
        for names in (TRAIN_NAMES, TEST_NAMES)
    )
    return Saved(path, train, test) if train is not None else None


def load_saved(saved: Saved, options: DecodeOptions, report: Reporter, *, needs_test: bool = False) -> Loaded:
    """Read the image column and the label column of each part.

    Raises InputError where pyarrow is missing or there is no such column; rows that cannot be read are listed. With
    `needs_test`, raises NoTestPartError before the images are read where there is no test part.
    """
    if find_spec("pyarrow") is None:
        raise InputError(
            f"{saved.root.name} was saved by Hugging Face's datasets; reading it needs the package pyarrow",
            'Install it: pip install "unlearn-studio[hf]"',
        )
    report(f"Reading {saved.root.name}", 0, 0)
    parts = [_open(TRAIN_NAMES[0], saved.train)]
    if saved.test is not None:
        parts.append(_open(saved.test.name, saved.test))
    classes, named = _classes(saved.root.name, parts)
    names = [f"{part.name}/{row}" for part in parts for row in range(len(part.images))]
    values = [label for part in parts for label in part.labels]
    good = np.array([isinstance(v, int) and 0 <= v < len(classes) for v in values], dtype=bool)
    labels = np.array([v if ok else 0 for v, ok in zip(values, good.tolist(), strict=True)], dtype=np.int64)
    border = len(parts[0].images)
    if needs_test and not good[border:].any():
        counts = np.bincount(labels[:border][good[:border]], minlength=len(classes))
        raise no_test_part(saved.root.name, counts.tolist())
    kept = np.flatnonzero(good)
    rows = np.concatenate([_rows(number, len(part.images)) for number, part in enumerate(parts)])[kept]
    files = ArrowFiles(saved.root, [names[i] for i in kept.tolist()], [part.images for part in parts], rows)
    decoded = read_images(files, report, options)
    train, test = decoded.parts(files.names, labels[kept], int(good[:border].sum()))
    if not len(train):
        raise InputError(f"None of the training images in {saved.root.name} can be read")
    unlabelled = (Unreadable(names[i], f"its label is {values[i]!r}") for i in np.flatnonzero(~good).tolist())
    return Loaded(
        title=saved.root.name,
        classes=classes,
        train=train,
        test=test if len(test) else None,
        named=named,
        photos=True,
        unreadable=(*unlabelled, *decoded.unreadable),
        root=saved.root,
    )


def _rows(part: int, count: int) -> np.ndarray:
    return np.stack([np.full(count, part), np.arange(count)], axis=1)


def _open(name: str, folder: Path) -> _Part:
    import pyarrow as pa

    where = f"{folder.name} of {folder.parent.name}"
    features, state = read_json(folder / _INFO).get("features") or {}, read_json(folder / _STATE)
    if state.get("_indices_data_files"):
        raise InputError(f"{where} is a selection of rows", "Call flatten_indices() before save_to_disk()")
    image = next((k for k, v in features.items() if isinstance(v, dict) and v.get("_type") == "Image"), None)
    label = next((k for k, v in features.items() if isinstance(v, dict) and v.get("_type") == "ClassLabel"), None)
    label = label or next((k for k in _LABEL_NAMES if k in features), None)
    if image is None or label is None:
        lacks = "image" if image is None else "label"
        raise InputError(f"{where} has no {lacks} column; its columns are {', '.join(features) or 'unknown'}")
    paths = [folder / str(entry["filename"]) for entry in state.get("_data_files", ())]
    try:
        tables = [_table(path) for path in paths]
        images = [chunk for table in tables for chunk in table.column(image).chunks]
        labels = [value for table in tables for value in table.column(label).to_pylist()]
    except (pa.ArrowException, OSError, KeyError) as error:
        raise InputError(f"{where} is damaged: {error}") from error
    if not labels:
        raise InputError(f"{where} holds no rows")
    stated = features[label].get("names")
    return _Part(name, _Column(paths, images), labels, tuple(map(str, stated)) if stated else None)


def _table(path: Path) -> Any:
    import pyarrow as pa

    source = pa.memory_map(str(path))
    try:
        return pa.ipc.open_stream(source).read_all()
    except pa.ArrowInvalid:  # the other of Arrow's two layouts
        return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def _classes(title: str, parts: list[_Part]) -> tuple[tuple[str, ...], bool]:
    """Return the class names and whether the data states them; without, they are the numbers up to the highest."""
    stated = parts[0].classes
    if any(part.classes != stated for part in parts):
        raise InputError(f"{title}: training and test part name their classes differently")
    if stated is not None:
        return stated, True
    seen = {value for value in parts[0].labels if isinstance(value, int) and value >= 0}
    if not seen or max(seen) + 1 != len(seen):
        raise InputError(
            f"{title}: labels must be whole numbers 0 to K-1 without a gap",
            "Give the label column the type ClassLabel, with all names",
        )
    return tuple(str(i) for i in range(len(seen))), False
