"""List the images that a CSV file names: columns path, label and, where there is a test part, split."""

from __future__ import annotations

import csv
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, repeat
from pathlib import Path
from sys import intern
from typing import NamedTuple

from core.data.classes import several_labels
from core.data.dataset import Found
from core.data.images import is_image
from core.data.index import FolderFiles
from core.data.reading import PART_NAMES, TEST_NAMES, Listing, Parts
from core.errors import InputError, first_few
from core.events import Tell
from core.files import composed, open_regular, read_text

# What the columns of a table may be called.
IMAGE_COLUMNS = (
    "path", "file", "filename", "file_name", "file name", "filepath", "filepaths", "file_path", "image", "img",
    "image_path", "img_path", "image_name", "pixel_values",
)  # fmt: skip
LABEL_COLUMNS = (
    "label", "labels", "fine_label", "class", "category", "target", "class_name", "classname", "class_label",
    "label_name", "category_name", "class_id", "label_id", "category_id", "class_index",
)  # fmt: skip
_SPLITS = ("split", "part", "subset", "set", "data set")
_FORGET_LIST = {"index", "weight"}  # columns that only a forget list has
METADATA = "metadata.csv"  # what Hugging Face's imagefolder reads beside class folders
_RENAME = "Call them path, label and, for a test part, split"
_TABLE_HINT = "Its columns are path, label and, for a test part, split (train or test)"
_PROBE = 64 * 1024
_MOST_MISSING = 50_000_000
"""Cells at the ends of rows that may be left out, in all: a wide header over short rows must not fill the memory."""
_SEPARATED = "|;,"  # what stands between the labels of an image that has several
_LONGEST_NUMBER = 18  # digits; a longer one is a name
_FLAGS = ("0", "1", "0.0", "1.0")
_FEWEST_FLAGS = 2  # columns of 0 and 1 that name classes


@dataclass(frozen=True)
class _Table:
    """A table and the heads of its columns, those of paths, labels and parts among them, "" where there is none.

    label: "" where there is a column a class, with a 1 for the image's own; above: rows above the first image.
    """

    text: str
    separator: str
    heads: Sequence[str]
    path: str = "path"
    label: str = "label"
    split: str = "split"
    above: int = 0

    def rows(self, where: str) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield line and cells by head of each row that is not empty; raises InputError beginning with `where`."""
        reader = csv.reader(lines_of(self.text), delimiter=self.separator)
        filled = (cells for cells in reader if any(cell.strip() for cell in cells))
        missing = 0
        try:
            for cells in islice(filled, self.above, None):
                missing += max(0, len(self.heads) - len(cells))
                if missing > _MOST_MISSING:
                    what = f"its rows lack more than {_MOST_MISSING:,} cells of its {len(self.heads):,} columns"
                    raise InputError(f"{where}, line {reader.line_num}: {what}", "Write a cell for every column")
                values = chain(map(str.strip, cells), repeat(""))
                yield reader.line_num, {head: value for head, value in zip(self.heads, values, strict=False) if head}
        except csv.Error as error:
            raise InputError(f"{where}, line {reader.line_num}: {error}") from error


def find_table(path: Path) -> Parts | None:
    """Return a CSV file that lists images with labels, as its first line says; None where `path` is none."""
    if path.suffix.lower() not in (".csv", ".tsv"):
        return None
    return None if _table(_beginning(path)) is None else Parts(path, (path,))


def _beginning(path: Path) -> str:
    """Return the beginning of a file as text, "" where it cannot be read."""
    try:
        with open_regular(path) as file:
            return file.read(_PROBE).decode("utf-8-sig", errors="replace")
    except (OSError, InputError):
        return ""


def list_table(file: Parts, report: Tell) -> Listing:
    """List the images of a CSV; paths are relative to its folder, classes in alphabetical (or numerical) order.

    Raises InputError naming the line where the table is wrong.
    """
    path = file.path
    rows, flags = _read_rows(path)
    rows, notices = _with_parts(rows)
    _refuse_several(path, rows)
    classes = list(flags) or sorted({row.label for row in rows}, key=class_key)
    if len(classes) < 2:
        raise InputError(f"{path.name} lists one class only ({classes[0]!r})", _TABLE_HINT)
    rows.sort(key=lambda row: row.is_test)  # stable: training images first, each part in the order of the file
    numbers = {label: i for i, label in enumerate(classes)}
    labels = {test: [numbers[row.label] for row in rows if row.is_test == test] for test in (False, True)}
    return Listing(
        title=path.stem,
        classes=tuple(classes),
        files=FolderFiles(path.parent, [row.path for row in rows]),
        labels=(labels[False], labels[True]),
        columns={name: [row.more[name] for row in rows] for name in rows[0].more},
        found=Found(notices=(*_said_of_flags(path, flags), *notices)),
    )


def refuse_table(path: Path) -> None:
    """Raise InputError that names the columns of a CSV of images, where they are not known by their names."""
    if path.suffix.lower() in (".csv", ".tsv") and heads_of(_beginning(path)):
        _read_rows(path)


def heads_of(text: str) -> list[str]:
    """Return the header of a table of images whose columns have unknown names; [] for any other text."""
    lines = _first_lines(text)
    separator = max(",;\t", key=lines[0].count)
    first, second = (cells_of(line, separator) for line in lines)
    unknown = len(first) > 1 and _FORGET_LIST.isdisjoint(map(str.lower, first))
    return first if unknown and any(map(is_image, second)) and not any(map(is_image, first)) else []


def cells_of(line: str, separator: str) -> list[str]:
    """Return the cells of one line without blanks around them; [] where it is none of a table, or is empty."""
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]
    except csv.Error:  # a cell that is too large, or a line break in it
        return []


def _first_lines(text: str) -> tuple[str, str]:
    """Return the first two lines of a text that are not empty, without blanks around them; "" for one it has not."""
    first, end = first_line(text)
    return first, first_line(text, end)[0]


def first_line(text: str, start: int = 0) -> tuple[str, int]:
    """Return the first line from `start` on that is not empty, without blanks around it, and where it ends."""
    begin = re.compile(r"\S").search(text, start)
    if begin is None:
        return "", len(text)
    end = re.compile(r"[\r\n]").search(text, begin.start())
    stop = end.start() if end else len(text)
    return text[begin.start() : stop].strip(), stop


def lines_of(text: str) -> Iterator[str]:
    """Yield the lines of a text with what ends them, as csv takes them.

    Not splitlines(): a file name may hold the exotic characters it would split at.
    """
    return (line[0] for line in re.finditer(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", text))


def metadata_beside(root: Path, folders: Iterable[Path], names: Sequence[str]) -> dict[str, list[str]]:
    """Return the columns that metadata.csv in any of `folders` has for images, as texts; "" for an image it lacks.

    names: of the images, relative to `root`; those in the file start at its own folder. Raises InputError where such a
    file cannot be read.
    """
    rows: dict[str, dict[str, str]] = {}
    columns: dict[str, None] = {}
    for file in dict.fromkeys(folder / METADATA for folder in folders):
        table = _table(read_text(file), labelled=False) if file.is_file() else None
        if table is None:
            continue
        for line, cells in table.rows(str(file)):
            name = file.parent / cells.pop(table.path).replace("\\", "/")
            if not name.is_relative_to(root):
                raise InputError(f"{file}, line {line}: {name} does not lie in {root}")
            columns |= dict.fromkeys(cells)
            rows[composed(name.relative_to(root).as_posix())] = cells
    found = [rows.get(composed(name), {}) for name in names]
    return {column: [row.get(column, "") for row in found] for column in columns if any(found)}


class _Row(NamedTuple):
    """A row of a table: `more` are its other columns by name."""

    path: str
    label: str
    split: str
    more: dict[str, str]
    line: int

    @property
    def is_test(self) -> bool:
        return self.split in TEST_NAMES


def _read_rows(path: Path) -> tuple[list[_Row], tuple[str, ...]]:
    """Return the rows of a table, and its columns that name a class each where it has no column of labels."""
    text = read_text(path)
    table = _table(text)
    if table is None:
        if heads := first_few(heads_of(text), 12):
            raise InputError(f"{path.name}: which of the columns {heads} are the images and their labels?", _RENAME)
        raise InputError(f"{path.name} does not list images with labels", _TABLE_HINT)
    rows: dict[str, _Row] = {}
    for line, cells in table.rows(path.name):
        where = f"{path.name}, line {line}"
        name, label, split = (cells.pop(head, "") for head in (table.path, table.label, table.split))
        if not name or (table.label and not label):
            raise InputError(f"{where} lacks a path or a label", _TABLE_HINT)
        if split and split.lower() not in PART_NAMES:
            raise InputError(f"{where}: split must be train or test, got {split.lower()!r}")
        name = _as_on_disk(path.parent, name.replace("\\", "/").removeprefix("./"))
        row = _Row(name, intern(label), intern(split.lower()), cells, line)  # few texts, held once
        first = rows.setdefault(name, row)
        if first is not row:
            twice = f"{where}: {name} stands already in line {first.line}"
            if first.label != label:
                raise several_labels(f"{twice} with another label ({first.label!r}, {label!r})")
            raise InputError(twice)
    if not rows:
        raise InputError(f"{path.name} lists no images", _TABLE_HINT)
    return (list(rows.values()), ()) if table.label else _from_flags(path, list(rows.values()))


def _from_flags(path: Path, rows: list[_Row]) -> tuple[list[_Row], tuple[str, ...]]:
    """Return rows whose label is the column with a 1, of those that hold only 0 and 1, and these columns.

    Raises InputError where an image has several labels, or none.
    """
    flags = tuple(name for name in rows[0].more if all(row.more[name] in _FLAGS for row in rows))
    if len(flags) < _FEWEST_FLAGS:
        raise InputError(f"{path.name}: which of the columns {first_few(rows[0].more, 12)} is the label?", _RENAME)
    labelled = []
    for row in rows:
        names = [name for name in flags if row.more[name].startswith("1")]
        where = f"{path.name}, line {row.line}: {row.path}"
        if len(names) > 1:
            raise several_labels(f"{where} has several labels ({', '.join(names)})")
        if not names:
            raise InputError(f"{where} has no label: no column holds a 1", "Leave this image out, or give its label")
        more = {name: value for name, value in row.more.items() if name not in flags}
        labelled.append(row._replace(label=names[0], more=more))
    return labelled, flags


def _said_of_flags(path: Path, flags: Sequence[str]) -> list[str]:
    one_hot = f"{path.name} is one-hot: of the columns {first_few(flags, 12)} the one with a 1 is the label."
    return [one_hot] if flags else []


def _with_parts(rows: list[_Row]) -> tuple[list[_Row], list[str]]:
    """Return rows whose part another column tells, by holding nothing but names of parts, and what to say of parts."""
    notices = []
    for name in () if any(row.split for row in rows) else rows[0].more:
        values = {row.more[name].lower() for row in rows}
        if len(values) > 1 and values <= {*PART_NAMES} and not values <= {*TEST_NAMES}:
            kept = [{head: value for head, value in row.more.items() if head != name} for row in rows]
            rows = [row._replace(split=row.more[name].lower(), more=more) for row, more in zip(rows, kept, strict=True)]
            notices.append(f"The column {name} says which images are for testing.")
            break
    tests = Counter(row.split for row in rows if row.is_test)
    if len(tests) > 1:
        notices.append(f"Test images are those of {' and '.join(f'{name} ({n:,})' for name, n in tests.items())}.")
    return rows, notices


def _refuse_several(path: Path, rows: Sequence[_Row]) -> None:
    """Raise InputError where cells hold several labels: parts that are labels of other images by themselves."""
    labels = {row.label for row in rows}
    for row in rows:
        parts = next((row.label.split(sign) for sign in _SEPARATED if sign in row.label), [])
        known = [part.strip() in labels for part in parts]
        if row.label.startswith("[") or "|" in row.label or (parts and all(known)):
            raise several_labels(f"{path.name}, line {row.line}: {row.path} has several labels ({row.label!r})")


def _as_on_disk(folder: Path, name: str) -> str:
    """Return a file's name in the Unicode form it has on disk, where only that differs: macOS decomposes."""
    forms = (name, unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name))
    there = (form for form in forms if os.path.exists(folder / form))  # noqa: PTH110  (false for any text)
    return name if name.isascii() else next(there, name)


def _table(text: str, *, labelled: bool = True) -> _Table | None:
    """Return a table by its first line; None where that is another kind of file's, or, if `labelled`, has no labels."""
    lines = _first_lines(text)
    for separator in ",;\t":
        heads, values = (cells_of(line, separator) for line in lines)
        if len(heads) < 2:
            continue
        known = {head.lower(): head for head in reversed(heads)}
        path, label, split = (
            next((known[name] for name in names if name in known), "")
            for names in (IMAGE_COLUMNS, LABEL_COLUMNS, _SPLITS)
        )
        if path and not (labelled and known.keys() & _FORGET_LIST):
            flags = [v for head, v in zip(heads, values, strict=False) if head not in ("", path, split) and v in _FLAGS]
            if label or not labelled or len(flags) >= _FEWEST_FLAGS:
                return _Table(text, separator, heads, path, label, split, above=1)
        if labelled and len(heads) <= 3 and is_image(heads[0]):
            return _Table(text, separator, ("path", "label", "split"))
    return None


def class_key(label: str) -> tuple[int, int, str]:
    """Order classes by number where they are numbers, else by name, numbers first."""
    is_number = label.isascii() and label.isdecimal() and len(label) <= _LONGEST_NUMBER
    return (0, int(label), label) if is_number else (1, 0, label)
