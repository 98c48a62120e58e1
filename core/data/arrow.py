"""List the images of Arrow tables: folders that Hugging Face's `datasets` saved, and parquet files.

Only pyarrow is needed, an optional package. Images are read when asked for, from memory-mapped Arrow files or from one
row group of a parquet file after the other.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from core.data.classes import check_labels, several_labels
from core.data.dataset import Found, Unreadable
from core.data.images import CannotReadError
from core.data.index import MAX_FILE_BYTES, ImageFiles, Stamp, checked_size
from core.data.reading import PART_NAMES, TRAIN_NAMES, Listing, Parts, find_files
from core.data.tables import IMAGE_COLUMNS, LABEL_COLUMNS, class_key
from core.errors import AppError, InputError, first_few
from core.events import Tell
from core.files import convert, loads, open_regular, read_bytes, read_json

_INFO, _STATE, _SPLITS = "dataset_info.json", "state.json", "dataset_dict.json"
_FEATURES = b"huggingface"  # of the metadata of a parquet file: what its columns are
_ROW_GROUPS = 8  # held at once
_ROWS_A_BYTE = 8  # of a table's files, at most: what an empty cell takes, so that no header promises more rows
_MAGIC = b"ARROW1\0\0"
_BATCH = 1024  # rows of a parquet file's texts and labels that are read at once
_UNPACKED, _AT_LEAST = 100, 64 << 20  # a file may unpack to so many times its bytes, and to so many bytes in any case


class _File(msgspec.Struct):
    """A file of a saved part."""

    filename: str


class _State(msgspec.Struct):
    """What state.json says of a saved part: its files, and whether only some of their rows are meant."""

    files: list[_File] = msgspec.field(default_factory=list, name="_data_files")
    indices: list[Any] | None = msgspec.field(default=None, name="_indices_data_files")


class _Info(msgspec.Struct):
    """What dataset_info.json says of a saved part."""

    features: dict[str, Any] | None = None


class _Noted(msgspec.Struct):
    """What Hugging Face's `datasets` notes in a parquet file."""

    info: _Info


class _Feature(msgspec.Struct):
    """What is noted of a column of one value."""

    type: str = msgspec.field(default="", name="_type")
    names: list[str] | None = None


@dataclass(frozen=True, eq=False)
class _Part:
    """The rows of a part: images and labels by row, class names where the data states them.

    cell: returns the image of a row: {bytes, path}, bytes, a path, or None. more: other columns as texts, by name.
    """

    name: str
    paths: Sequence[Path]
    cell: Callable[[int], Any]
    labels: Sequence[Any]
    classes: tuple[str, ...] | None
    notices: tuple[str, ...] = ()
    more: Mapping[str, Sequence[str]] = field(default_factory=dict)


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
        cell = part.cell(row)
        if isinstance(cell, dict):
            cell = cell.get("bytes") or cell.get("path")
        if not cell:
            raise CannotReadError("the cell is empty")
        data: bytes = read_bytes(self.root / cell, MAX_FILE_BYTES) if isinstance(cell, str) else cell
        checked_size(len(data))
        return data


def find_saved(path: Path) -> Parts | None:
    """Return the folders of a saved data set, None where `path` holds no training part of one."""
    if (path / _STATE).is_file() and (path / _INFO).is_file():
        return Parts(path, (path,))
    if not (path / _SPLITS).is_file():
        return None
    return Parts.of(path, [(name, path / name) for name in PART_NAMES if (path / name / _STATE).is_file()])


def list_saved(folders: Parts, report: Tell) -> Listing:
    """List the rows of the image column whose label is that of a class.

    Raises InputError where pyarrow is missing or there is no image or label column.
    """
    return _listing(folders, report, _open_saved, "was saved by Hugging Face's datasets")


def find_parquet(path: Path) -> Parts | None:
    """Return the parquet files in a folder, directly, in data/ or in train/ and test/, or the one file; else None."""
    return find_files(path, ".parquet", "data")


def list_parquet(files: Parts, report: Tell) -> Listing:
    """List the rows of parquet files with an image (bytes, {bytes, path} or a path) and a label (number or name).

    Raises InputError where pyarrow is missing, a file is damaged, or there is no image or label column.
    """
    return _listing(files, report, _open_parquet, "is kept in parquet files")


def _listing(parts: Parts, report: Tell, opened: Callable[[Path, str], _Part], what: str) -> Listing:
    """Put the rows of all parts together, those without the label of a class left out; `opened` opens one by name."""
    title = parts.path.stem if parts.path.is_file() else parts.path.name
    if find_spec("pyarrow") is None:
        hint = 'Install it: pip install "unlearn-studio[hf]"'
        raise InputError(f"{title} {what}; reading it needs the package pyarrow", hint)
    report(f"Reading {title}", 0, 0)
    train, test = (
        [opened(path, TRAIN_NAMES[0] if path == parts.root else path.stem) for path in paths]
        for paths in (parts.train, parts.test)
    )
    classes, is_named = _classes(title, train, test)
    numbers = {name: number for number, name in enumerate(classes)}
    names, places, left_out = [], [], []
    found: tuple[list[int], list[int]] = ([], [])
    for number_of_part, part in enumerate((*train, *test)):
        is_test = number_of_part >= len(train)
        for row, label in enumerate(part.labels):
            name = f"{part.name}/{row}"
            number = numbers.get(label, -1) if isinstance(label, str) else label
            if isinstance(number, int) and 0 <= number < len(classes):
                names.append(name)
                places.append((part, row))
                found[is_test].append(number)
            else:
                left_out.append(Unreadable(name, f"its label is {label!r}"))
    return Listing(
        title=title,
        classes=classes,
        files=ArrowFiles(parts.root, names, places),
        labels=found,
        left_out=tuple(left_out),
        found=Found(numbered=not is_named, notices=train[0].notices),
        columns={
            name: [part.more[name][row] for part, row in places]
            for name in train[0].more
            if all(name in part.more for part in (*train, *test))
        },
    )


def _classes(title: str, train: list[_Part], test: list[_Part]) -> tuple[tuple[str, ...], bool]:
    """Return the class names the data states, else those that label the training part, and whether these are names."""
    stated = train[0].classes
    if any(part.classes != stated for part in (*train, *test)):
        raise InputError(f"{title}: training and test part name their classes differently")
    if stated is not None:
        return stated, True
    values = [value for part in train for value in part.labels]
    if any(isinstance(value, list | dict) for value in values):
        raise several_labels(f"{title} gives an image a list of labels")
    if names := sorted({value for value in values if isinstance(value, str)}, key=class_key):
        return tuple(names), True
    numbers = np.array([v for v in values if isinstance(v, int) and v >= 0], dtype=np.int64)
    return check_labels(title, [numbers], None), False


def _open_saved(folder: Path, name: str) -> _Part:
    """Open the tables of a part; raises InputError where columns are missing or files damaged."""
    import pyarrow as pa

    where = f"{folder.name} of {folder.parent.name}"
    features, state = _known(read_json(folder / _INFO, _Info).features, where), read_json(folder / _STATE, _State)
    if state.indices:
        raise InputError(f"{where} is a selection of rows", "Call flatten_indices() before save_to_disk()")
    image, label = _columns(where, features, {})
    paths = [folder / Path(entry.filename).name for entry in state.files]
    with _reading(where, "damaged"):
        tables = [_table(path) for path in paths]
        chunks = [chunk for table in tables for chunk in table.column(image).chunks]
        labels = [value for table in tables for value in table.column(label).to_pylist()]
        more = _texts(pa.concat_tables(tables), features, {image, label}) if tables else {}
        images = pa.chunked_array(chunks) if chunks else None
    if not labels or images is None:
        raise InputError(f"{where} holds no rows")
    return _Part(name, paths, lambda row: images[row].as_py(), labels, *_stated(features, label), more)


@contextmanager
def _reading(where: str, what: str) -> Iterator[None]:
    """Turn whatever pyarrow raises on a damaged file into InputError: `where` it was, and `what` it is."""
    try:
        yield
    except AppError:
        raise
    except MemoryError as error:
        raise InputError(f"{where} does not fit into memory") from error
    except Exception as error:  # tables of any content
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{where} is {what}: {said}") from error


@dataclass
class _Budget:
    """What the table of one file may hold, in proportion to the file's size; more is refused."""

    path: Path
    rows: int = 0
    bytes: int = 0

    def __post_init__(self) -> None:
        """Open the file once: a pipe would be waited for."""
        with open_regular(self.path) as file:
            self._size = file.seek(0, 2)

    def add(self, rows: int, unpacked: int) -> None:
        """Count rows and the bytes they take in memory; raises InputError where they are too many."""
        self.rows, self.bytes = self.rows + rows, self.bytes + unpacked
        if self.rows > _ROWS_A_BYTE * self._size:
            what = f"{self.path.name} promises {self.rows:,} rows in {self._size:,} bytes"
            raise InputError(what, f"At most {_ROWS_A_BYTE} a byte are read; write the file again")
        if self.bytes > max(_UNPACKED * self._size, _AT_LEAST):
            what = f"{self.path.name} unpacks from {self._size:,} bytes to more than {_UNPACKED} times as many"
            raise InputError(what, "Write the file again, with less compression or none")


def _table(path: Path) -> Any:
    """Map the table of an Arrow file into memory."""
    import pyarrow as pa

    budget, batches = _Budget(path), []
    mapped = pa.memory_map(str(path))
    begin = len(_MAGIC) if mapped.read(len(_MAGIC)) == _MAGIC else 0  # of Arrow's two layouts one is the other, framed
    mapped.seek(begin)
    if any(_is_packed(message.metadata) for message in pa.ipc.MessageReader.open_stream(mapped)):
        what = f"{path.name} is compressed inside, so it cannot be mapped into memory"
        raise InputError(what, "Write it without compression, as save_to_disk does")
    mapped.seek(begin)
    opened = pa.ipc.open_stream(mapped)
    for batch in opened:
        budget.add(batch.num_rows, batch.nbytes)
        batches.append(batch)
    table = pa.Table.from_batches(batches, opened.schema)
    table.validate(full=True)  # places and lengths inside it may lead anywhere
    return table


def _is_packed(message: bytes) -> bool:
    """Whether what a message announces is compressed: a length in it may be any, and would be set aside unread.

    message: its flatbuffer, Arrow's Message.fbs: of a Message the fields 1 and 2 are the kind and the header, of a
    DictionaryBatch (kind 2) field 1 is a RecordBatch (kind 3), and of that field 3 says how it is compressed.
    """

    def at(format: str, place: int) -> int:
        if place < 0:
            raise ValueError("a place outside the file")
        return int(struct.unpack_from(format, message, place)[0])

    def field(table: int, number: int) -> int:
        """Return where a field of a table stands, 0 where it is left out."""
        names = table - at("<i", table)
        offset = at("<H", names + 4 + 2 * number) if 4 + 2 * number < at("<H", names) else 0
        return table + offset if offset else 0

    def below(place: int) -> int:
        return place + at("<I", place)

    root = below(0)
    kind, header = field(root, 1), field(root, 2)
    batch = below(header) if kind and header and at("<B", kind) in (2, 3) else 0
    if batch and at("<B", kind) == 2:
        batch = below(data) if (data := field(batch, 1)) else 0
    return bool(batch and field(batch, 3))


def _open_parquet(file: Path, name: str) -> _Part:
    """Open a parquet file; raises InputError where columns are missing or it is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    budget = _Budget(file)
    with _reading(file.name, "damaged or no parquet file"), pq.ParquetFile(file) as opened:
        groups = [opened.metadata.row_group(number) for number in range(opened.num_row_groups)]
        for group in groups:
            budget.add(group.num_rows, group.total_byte_size)
        schema = opened.schema_arrow
        features = _features(schema, file.name)
        image, label = _columns(file.name, features, {field.name: _kind(field.type) for field in schema})
        small = [field.name for field in schema if field.name not in (image, label) and _is_small(field.type)]
        batches = []
        for batch in opened.iter_batches(_BATCH, columns=[label, *small]):  # one text may stand for many rows
            budget.add(0, batch.nbytes)
            batches.append(batch)
        if not budget.rows:
            raise InputError(f"{file.name} holds no rows")
        table = pa.Table.from_batches(batches)
        labels, more = table.column(label).to_pylist(), _texts(table, features, {image, label})
        counts = [group.num_rows for group in groups]
    return _Part(name, [file], _RowGroups(file, image, counts).cell, labels, *_stated(features, label), more)


class _RowGroups:
    """The images of a parquet file, read by row groups. Safe to use from several threads."""

    def __init__(self, file: Path, column: str, counts: Sequence[int]) -> None:
        """`counts`: number of rows of each row group."""
        self._file, self._column = file, column
        self._starts = np.cumsum([0, *counts])
        self._group = lru_cache(_ROW_GROUPS)(self._read)
        self._lock = threading.Lock()

    def cell(self, row: int) -> Any:
        """Return the image of a row as it stands there."""
        group = int(np.searchsorted(self._starts, row, side="right")) - 1
        with self._lock:  # none is read twice at once
            images = self._group(group)
        return images[row - int(self._starts[group])].as_py()

    def _read(self, group: int) -> Any:
        import pyarrow.parquet as pq

        with pq.ParquetFile(self._file) as opened:
            return opened.read_row_group(group, columns=[self._column]).column(0)


def _features(schema: Any, where: str) -> dict[str, _Feature]:
    """Return what Hugging Face's `datasets` notes of a parquet file's columns; nothing where it did not write it."""
    noted = (schema.metadata or {}).get(_FEATURES)
    try:
        return {} if noted is None else _known(loads(noted, _Noted).info.features, where)
    except ValueError:
        return {}


def _known(features: Mapping[str, Any] | None, where: str) -> dict[str, _Feature]:
    """Return what is noted of columns, those of several values as columns of no known type.

    Raises InputError where a note is of another shape.
    """
    return {
        name: convert(noted, _Feature, f"What {where} notes of {name}") if isinstance(noted, dict) else _Feature()
        for name, noted in (features or {}).items()
    }


def _kind(column: Any) -> str:
    """Return what a column of this Arrow type may hold: "image", "text" (a path, a label) or "" (a label, or else)."""
    import pyarrow.types as types

    if types.is_struct(column):
        return "image" if {"bytes", "path"} & {column.field(i).name for i in range(column.num_fields)} else ""
    if types.is_binary(column) or types.is_large_binary(column):
        return "image"
    return "text" if types.is_string(column) or types.is_large_string(column) else ""


def _is_small(column: Any) -> bool:
    """Whether a column of this Arrow type holds texts, whole numbers, dates or yes and no."""
    import pyarrow.types as types

    kinds = (types.is_string, types.is_large_string, types.is_integer, types.is_boolean, types.is_date)
    return any(is_kind(column) for is_kind in kinds)


def _texts(table: Any, features: Mapping[str, _Feature], used: set[str]) -> dict[str, list[str]]:
    """Return what a table says beside the columns `used`, as texts; class labels by their names."""
    found = {}
    for column in table.schema:
        if column.name in used or not _is_small(column.type):
            continue
        names = features.get(column.name, _Feature()).names or ()
        values = table.column(column.name).to_pylist()
        found[column.name] = [
            "" if value is None else names[value] if isinstance(value, int) and 0 <= value < len(names) else str(value)
            for value in values
        ]
    return found


def _columns(where: str, features: Mapping[str, _Feature], kinds: Mapping[str, str]) -> tuple[str, str]:
    """Return the columns of images and labels, by their noted types, else by their `kinds` and names.

    Raises InputError where there is none.
    """
    column = {feature.type: name for name, feature in reversed(list(features.items()))}  # the first of each type
    names = list(features or kinds)
    lower = {name.lower(): name for name in names}
    images = [name for name, kind in kinds.items() if kind == "image"]
    image = column.get("Image") or (images[0] if len(images) == 1 else None)
    image = image or next((lower[name] for name in IMAGE_COLUMNS if name in lower), None)
    label = column.get("ClassLabel") or next((lower[name] for name in LABEL_COLUMNS if name in lower), None)
    if image is None or label is None:
        lacks = "image" if image is None else "label"
        raise InputError(f"{where} has no {lacks} column; its columns are {first_few(names, 30) or 'unknown'}")
    return image, label


def _stated(features: Mapping[str, _Feature], label: str) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """Return the class names that a label column states, and the word that others like it are not used."""
    names = features.get(label, _Feature()).names
    others = [name for name, feature in features.items() if feature.type == "ClassLabel" and name != label]
    said = f"The label is the column {label}; not used: {', '.join(others)}."
    return (tuple(names) if names else None), (said,) if others else ()
