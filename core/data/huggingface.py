"""List the images of a data set that Hugging Face's `datasets` saved to disk: Arrow files with images and labels.

Only pyarrow is needed, an optional package. Images are read from the memory-mapped files when asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from core.data.classes import check_labels
from core.data.dataset import Unreadable
from core.data.images import CannotReadError
from core.data.index import ImageFiles, Stamp, checked_size
from core.data.reading import TEST_NAMES, TRAIN_NAMES, Listing, Parts
from core.errors import InputError
from core.events import Tell
from core.files import read_json

_INFO, _STATE, _SPLITS = "dataset_info.json", "state.json", "dataset_dict.json"
_LABEL_NAMES = ("label", "labels", "fine_label", "class", "target")


@dataclass(frozen=True, eq=False)
class _Part:
    name: str
    paths: Sequence[Path]
    images: Any  # a pyarrow.ChunkedArray of {bytes, path}
    labels: Sequence[Any]
    classes: tuple[str, ...] | None


@dataclass(frozen=True)
class ArrowFiles(ImageFiles):
    """Images in columns of Arrow tables. Names are PART/ROW."""

    places: Sequence[tuple[_Part, int]]  # of each image: its part, and the row there

    def stamp(self, position: int) -> Stamp:
        """Return the size of the table's files together and their latest change."""
        statuses = [path.stat() for path in self.places[position][0].paths]
        return sum(s.st_size for s in statuses), max(s.st_mtime_ns for s in statuses)

    def read(self, position: int) -> bytes:
        """Return the bytes of one image, from its file where the table names one only."""
        part, row = self.places[position]
        cell = part.images[row].as_py() or {}
        data: bytes | None = cell.get("bytes")
        if data is None:
            if not cell.get("path"):
                raise CannotReadError("the cell is empty")
            data = (self.root / cell["path"]).read_bytes()
        checked_size(len(data))
        return data


def find_saved(path: Path) -> Parts | None:
    """Return the folders of a saved data set, None where `path` holds no training part of one."""
    if (path / _STATE).is_file() and (path / _INFO).is_file():
        return Parts(path, (path,))
    if not (path / _SPLITS).is_file():
        return None
    train, test = (
        tuple(path / name for name in names if (path / name / _STATE).is_file())[:1]
        for names in (TRAIN_NAMES, TEST_NAMES)
    )
    return Parts(path, train, test) if train else None


def list_saved(folders: Parts, report: Tell) -> Listing:
    """List the rows of the image column whose label is a class's number.

    Raises InputError where pyarrow is missing or there is no image or label column.
    """
    title = folders.path.name
    if find_spec("pyarrow") is None:
        raise InputError(
            f"{title} was saved by Hugging Face's datasets; reading it needs the package pyarrow",
            'Install it: pip install "unlearn-studio[hf]"',
        )
    report(f"Reading {title}", 0, 0)
    parts = [
        *(_open(TRAIN_NAMES[0], folder) for folder in folders.train),
        *(_open(folder.name, folder) for folder in folders.test),
    ]
    classes = _classes(title, parts)
    names, places, labels, left_out = [], [], [], []
    for part in parts:
        for row, label in enumerate(part.labels):
            name = f"{part.name}/{row}"
            if isinstance(label, int) and 0 <= label < len(classes):
                names.append(name)
                places.append((part, row))
                labels.append(label)
            else:
                left_out.append(Unreadable(name, f"its label is {label!r}"))
    return Listing(
        title=title,
        classes=classes,
        files=ArrowFiles(folders.path, names, places),
        labels=np.array(labels, dtype=np.int64),
        border=sum(part is parts[0] for part, _ in places),
        left_out=tuple(left_out),
    )


def _open(name: str, folder: Path) -> _Part:
    import pyarrow as pa

    where = f"{folder.name} of {folder.parent.name}"
    features, state = read_json(folder / _INFO).get("features") or {}, read_json(folder / _STATE)
    if state.get("_indices_data_files"):
        raise InputError(f"{where} is a selection of rows", "Call flatten_indices() before save_to_disk()")
    described = [(name, feature) for name, feature in features.items() if isinstance(feature, dict)]
    column = {feature.get("_type"): name for name, feature in reversed(described)}  # the first of each type
    image = column.get("Image")
    label = column.get("ClassLabel") or next((name for name in _LABEL_NAMES if name in features), None)
    if image is None or label is None:
        lacks = "image" if image is None else "label"
        raise InputError(f"{where} has no {lacks} column; its columns are {', '.join(features) or 'unknown'}")
    paths = [folder / str(entry["filename"]) for entry in state.get("_data_files", ())]
    try:
        tables = [_table(path) for path in paths]
        chunks = [chunk for table in tables for chunk in table.column(image).chunks]
        labels = [value for table in tables for value in table.column(label).to_pylist()]
    except (pa.ArrowException, OSError, KeyError) as error:
        raise InputError(f"{where} is damaged: {error}") from error
    if not labels:
        raise InputError(f"{where} holds no rows")
    stated = features[label].get("names")
    return _Part(name, paths, pa.chunked_array(chunks), labels, tuple(map(str, stated)) if stated else None)


def _table(path: Path) -> Any:
    import pyarrow as pa

    source = pa.memory_map(str(path))
    try:
        return pa.ipc.open_stream(source).read_all()
    except pa.ArrowInvalid:  # the other of Arrow's two layouts
        return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def _classes(title: str, parts: list[_Part]) -> tuple[str, ...]:
    """Return the class names the data states; without any, the numbers that label the training part."""
    stated = parts[0].classes
    if any(part.classes != stated for part in parts):
        raise InputError(f"{title}: training and test part name their classes differently")
    if stated is not None:
        return stated
    numbers = np.array([v for v in parts[0].labels if isinstance(v, int) and v >= 0], dtype=np.int64)
    return check_labels(title, [numbers], None, "Give the label column the type ClassLabel, with all names")
