"""List the images of a CSV file: path, label and, where there is one, split."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.data.images import SUFFIXES, suffix_of
from core.data.index import FolderFiles
from core.data.reading import TEST_NAMES, TRAIN_NAMES, Listing, Parts
from core.errors import InputError
from core.files import read_text

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


def find_table(path: Path) -> Parts | None:
    """Return a CSV file that lists images with labels, as its first line says; None where `path` is none."""
    if path.suffix.lower() not in (".csv", ".tsv"):
        return None
    try:
        with path.open("rb") as file:
            text = file.read(_PROBE).decode("utf-8-sig", errors="replace")
    except OSError:
        return None
    return None if _columns(text) is None else Parts(path, (path,))


def list_table(path: Path) -> Listing:
    """List the images of a CSV; paths are relative to its folder, classes in alphabetical (or numerical) order.

    Raises InputError naming the line where the table is wrong.
    """
    rows = _read_rows(path)
    classes = sorted({label for _, label, _ in rows}, key=_class_key)
    if len(classes) < 2:
        raise InputError(f"{path.name} lists one class only ({classes[0]!r})", _HINT)
    rows.sort(key=lambda row: row[2])  # stable: training images first, each part in the order of the file
    numbers = {label: i for i, label in enumerate(classes)}
    return Listing(
        title=path.stem,
        classes=tuple(classes),
        files=FolderFiles(path.parent, [name for name, _, _ in rows]),
        labels=np.array([numbers[label] for _, label, _ in rows], dtype=np.int64),
        border=sum(not is_test for _, _, is_test in rows),
    )


def _read_rows(path: Path) -> list[tuple[str, str, bool]]:
    """Return path, label and whether it is a test image, row by row."""
    text = read_text(path)
    columns = _columns(text)
    if columns is None:
        raise InputError(f"{path.name} does not list images with labels", _HINT)
    rows = []
    lines: dict[str, int] = {}
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=columns.separator)
    try:
        for number, fields in enumerate((f for f in reader if any(cell.strip() for cell in f)), start=1):
            if number == 1 and columns.header:
                continue
            row = _row(path, reader.line_num, [cell.strip() for cell in fields], columns)
            first = lines.setdefault(row[0], reader.line_num)
            if first != reader.line_num:
                raise InputError(f"{path.name}, line {reader.line_num}: {row[0]} stands already in line {first}")
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


def _columns(text: str) -> _Columns | None:
    """Return where the columns are, None where the first line is that of another kind of file."""
    line = text.lstrip().split("\n")[0].strip()
    for separator in (",", ";", "\t"):
        cells = [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]
        if len(cells) < 2:
            continue
        heads = [cell.lower() for cell in cells]
        path, label, split = (
            next((heads.index(name) for name in names if name in heads), None) for names in (_PATH, _LABEL, _SPLIT)
        )
        if path is not None and label is not None:
            return None if set(_FORGET_LIST) & set(heads) else _Columns(separator, path, label, split, header=True)
        if len(cells) <= 3 and suffix_of(cells[0]) in SUFFIXES:
            return _Columns(separator)
    return None


def _class_key(label: str) -> tuple[int, int, str]:
    is_number = label.isascii() and label.isdecimal()
    return (0, int(label), label) if is_number else (1, 0, label)
