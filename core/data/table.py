"""Read a data set listed in a CSV file: path, label and, where there is one, split."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.data.files import FolderFiles
from core.data.folders import TEST_NAMES, TRAIN_NAMES
from core.data.images import SUFFIXES
from core.data.loaded import DecodeOptions, Loaded, Reporter
from core.data.reading import read_images
from core.errors import InputError

_PATH = ("path", "file", "filename", "file_name", "file name", "filepath", "image", "image_path")
_LABEL = ("label", "class", "category", "target", "class_name")
_SPLIT = ("split", "part", "subset", "set")
_FORGET_LIST = ("index", "weight")  # columns that only a forget list has
_HINT = "Its columns are path, label and, for a test part, split (train or test)"
_PROBE = 64 * 1024


@dataclass(frozen=True)
class _Columns:
    separator: str
    path: int = 0
    label: int = 1
    split: int | None = 2
    header: bool = False


def looks_like_table(path: Path) -> bool:
    """Say whether a CSV lists images with labels, from its first line."""
    try:
        with path.open("rb") as file:
            start = file.read(_PROBE).decode("utf-8-sig", errors="replace")
    except OSError:
        return False
    return _columns(start.lstrip().split("\n")[0].strip()) is not None


def load_table(path: Path, options: DecodeOptions, report: Reporter) -> Loaded:
    """Read the images a CSV lists; paths are relative to its folder, classes in alphabetical (or numerical) order.

    Raises InputError naming the line where the table is wrong; files that cannot be read are listed instead.
    """
    rows = _read_rows(path)
    labels = sorted({label for _, label, _ in rows}, key=_class_key)
    if len(labels) < 2:
        raise InputError(f"{path.name} lists one class only ({labels[0]!r})", _HINT)
    rows.sort(key=lambda row: row[2])  # stable: training images first, each part in the order of the file
    index = {label: i for i, label in enumerate(labels)}
    names = [name for name, _, _ in rows]
    root = path.parent
    decoded = read_images(FolderFiles(root, names), report, options)
    y = np.array([index[label] for _, label, _ in rows], dtype=np.int64)
    train, test = decoded.parts(names, y, sum(1 for _, _, is_test in rows if not is_test))
    if not len(train):
        raise InputError(f"None of the training images in {path.name} can be read")
    numbered = labels == [str(i) for i in range(len(labels))]
    return Loaded(
        title=path.stem,
        classes=tuple(labels),
        train=train,
        test=test if len(test) else None,
        named=not numbered,
        photos=True,
        unreadable=decoded.unreadable,
        root=root,
    )


def _read_rows(path: Path) -> list[tuple[str, str, bool]]:
    """Return path, label and whether it is a test image, row by row."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text file in UTF-8") from error
    columns = _columns(text.lstrip().split("\n")[0].strip())
    if columns is None:
        raise InputError(f"{path.name} does not list images with labels", _HINT)
    rows = []
    seen: dict[str, int] = {}
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=columns.separator)
    try:
        for number, fields in enumerate((f for f in reader if any(cell.strip() for cell in f)), start=1):
            if number == 1 and columns.header:
                continue
            row = _row(path, reader.line_num, [cell.strip() for cell in fields], columns)
            if row[0] in seen:
                raise InputError(f"{path.name}, line {reader.line_num}: {row[0]} stands already in line {seen[row[0]]}")
            seen[row[0]] = reader.line_num
            rows.append(row)
    except csv.Error as error:
        raise InputError(f"{path.name}, line {reader.line_num}: {error}") from error
    if not rows:
        raise InputError(f"{path.name} lists no images", _HINT)
    return rows


def _row(path: Path, line: int, fields: list[str], columns: _Columns) -> tuple[str, str, bool]:
    if max(columns.path, columns.label) >= len(fields) or not fields[columns.path] or not fields[columns.label]:
        raise InputError(f"{path.name}, line {line} lacks a path or a label", _HINT)
    split = fields[columns.split].lower() if columns.split is not None and columns.split < len(fields) else ""
    if split and split not in TRAIN_NAMES + TEST_NAMES:
        raise InputError(f"{path.name}, line {line}: split must be train or test, got {split!r}")
    name = fields[columns.path].replace("\\", "/").removeprefix("./")
    return name, fields[columns.label], split in TEST_NAMES


def _columns(line: str) -> _Columns | None:
    """Return where the columns are, None where the first line is that of another kind of file."""
    for separator in (",", ";", "\t"):
        cells = [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]
        if len(cells) < 2:
            continue
        heads = [cell.lower() for cell in cells]
        path, label, split = (_position(heads, names) for names in (_PATH, _LABEL, _SPLIT))
        if path is not None and label is not None:
            return None if set(_FORGET_LIST) & set(heads) else _Columns(separator, path, label, split, header=True)
        if len(cells) <= 3 and Path(cells[0]).suffix.lower() in SUFFIXES:
            return _Columns(separator)
    return None


def _position(heads: list[str], names: tuple[str, ...]) -> int | None:
    return next((heads.index(name) for name in names if name in heads), None)


def _class_key(label: str) -> tuple[int, int, str]:
    is_number = label.isascii() and label.isdecimal()
    return (0, int(label), label) if is_number else (1, 0, label)
