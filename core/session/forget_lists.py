"""Forget lists: one sample a line, by index, path, file name or sample id, or many by a pattern, folder or column."""

from __future__ import annotations

import csv
import difflib
import math
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from core.data.tables import cells_of, first_line, heads_of, lines_of
from core.errors import InputError, MismatchError
from core.files import composed, read_text, write_atomic
from core.selection import LARGEST_WEIGHT, Selection
from core.session.naming import Names, columns_called, ends_alike, nearest_values, normal
from core.text import cell, from_cell

if TYPE_CHECKING:
    from core.data.dataset import Dataset, ImageSet

COLUMNS = ("index", "class", "path", "weight")
SIMILAR = "similar_from"  # a further column where images were added for looking like others: from which agreement

# What a header may say, and the field of a row it means. Columns with other names are not looked at.
_HEADINGS = {
    "index": "number", "class": "class_name", "label": "class_name", "path": "path", "file": "path",
    "filename": "path", "file name": "path", "file_name": "path", "image": "path", "weight": "weight",
    SIMILAR: "similar",
}

_SPECIAL = re.compile(r'[,"\r\n]|^\s|\s$')
_MAX_LIST_BYTES = 1 << 30  # of a list: the paths of ten million images
_MOST_COLUMNS = 100_000  # of a list's header: more than data of so many classes has
_NEAREST_SEARCHED = 50  # unmatched lines that get nearest names; a list of wrong names needs no more to be understood


@dataclass(frozen=True)
class Unmatched:
    """A line that names no training sample: its number from 1, its text, why, and the names most like it."""

    line: int
    text: str
    nearest: tuple[str, ...] = ()
    reason: str = "not found"


@dataclass(frozen=True, eq=False)
class ListMatch:
    """What a forget list means for a data set. Nothing is applied yet."""

    matched: np.ndarray  # (m,) int64: positions in the training part, ascending, each once
    weights: np.ndarray | None  # (m,) float64, None where all are 1
    similar: np.ndarray | None = None  # (m,) float64, agreement from which each was added, 0 where it was not
    unmatched: tuple[Unmatched, ...] = ()
    in_test: tuple[str, ...] = ()  # lines that name test images, which the model was not trained on
    several: tuple[str, ...] = ()  # names that fit several training images; none of them is taken
    entries: int = 0  # lines that name something, repeats included


@dataclass(frozen=True)
class ListSummary:
    """What a forget list says by itself, without the data it is for."""

    entries: int
    by_index: int
    by_name: int
    classes: tuple[str, ...]  # named in a class column, in order of appearance
    weighted: bool  # whether some weight is not 1


class _Row(NamedTuple):
    """An entry of a list as text: its line from 1, the line itself, and the fields it gives; "" for one it does not."""

    line: int
    text: str
    number: str = ""
    class_name: str = ""
    path: str = ""
    weight: str = ""
    similar: str = ""
    where: Any = ()  # tuple of (column of the data's table, value it must have)


def match_forget_list(text: str, dataset: Dataset, name: str = "The forget list") -> ListMatch:
    """Match a forget list against the training images of a data set.

    A line is a row of index, class, path, weight (a header may name and reorder them), or a single entry: a whole
    number is a 0-based position in the training part, anything else a path, file name or sample id (the file name
    without its ending). A path fits where one of the two is the end of the other, folder by folder. What is none of
    them may be a folder with a slash at its end, or a pattern (`core.session.naming`): all images it fits are taken. A
    header may also name columns of the data's table: a row takes the images that have its values.

    name: what messages call the list. Raises InputError for an empty list or a wrong weight, MismatchError where a
    class or path column contradicts the data. Lines that fit nothing, test images and ambiguous names are returned,
    not raised.
    """
    labels = dataset.train.labels.tolist()
    names, test_names = names_of(dataset.train, dataset.root), names_of(dataset.test, dataset.root)
    total, entries = len(labels), 0
    chosen, weights, similar = np.zeros(total, bool), np.ones(total), np.zeros(total)
    unmatched: list[Unmatched] = []
    in_test: dict[str, None] = {}
    several: dict[str, None] = {}
    contradictions: list[str] = []
    for row in _entries(text, names, name):
        entries += 1
        hits, reason = _find(row, total, names)
        taken: Sequence[int] = ()
        if not hits and (group := _find_group(row, names)):
            stated = composed(row.class_name.strip())
            group = [hit for hit in group if stated in ("", composed(dataset.classes[labels[hit]]))]
            taken = group
            if not group:
                unmatched.append(Unmatched(row.line, row.text, (), "its images are of other classes"))
        elif len(hits) == 1:
            contradictions += _contradiction(row, hits[0], dataset.classes[labels[hits[0]]], names)
            taken = hits
        elif hits:
            several[row.path] = None
        elif (row.path and test_names.find(row.path)) or _find_group(row, test_names):
            in_test[row.path or row.text] = None
        else:
            alike = _nearest(row, names) if len(unmatched) < _NEAREST_SEARCHED else ()
            unmatched.append(Unmatched(row.line, row.text, alike, reason))
        weight, agreement = _weight(row), _similar(row)
        for index in taken:
            chosen[index], weights[index], similar[index] = True, weight, agreement
    if contradictions:
        more = f"; {len(contradictions) - 3:,} more" if len(contradictions) > 3 else ""
        raise MismatchError(
            f"The forget list does not belong to this data: {'; '.join(contradictions[:3])}{more}",
            "Open the data the list was made for",
        )
    return ListMatch(
        matched=np.flatnonzero(chosen),
        weights=None if (weights == 1).all() else weights[chosen],
        similar=similar[chosen] if similar.any() else None,
        unmatched=tuple(unmatched),
        in_test=tuple(in_test),
        several=tuple(several),
        entries=entries,
    )


def names_of(part: ImageSet, root: Path | None) -> Names:
    """Return what the images of one part are called; `root`: the folder their paths start at."""
    return Names(part.paths, root, part.columns)


def summarise_forget_list(text: str) -> ListSummary:
    """Say what a forget list holds; raises InputError for an empty list or a wrong weight.

    A first line that can only be the name of a column of the data's table is no entry.
    """
    rows = _entries(text, Names())
    if heading_of(text):
        next(rows)
    entries = by_index = 0
    classes: dict[str, None] = {}
    weighted = False
    for row in rows:
        entries, by_index = entries + 1, by_index + _is_index(row.number)
        weighted |= _weight(row) != 1
        if row.class_name:
            classes[row.class_name] = None
    return ListSummary(entries, by_index, entries - by_index, tuple(classes), weighted)


def heading_of(text: str) -> tuple[str, ...]:
    """Return the first line of a list where it can only name columns of the data's table: above numbers, or paths.

    Empty for any other list. A word above other words may be a name as well as a column, and counts as a name.
    """
    rows = _rows(text, Names())
    first = next(rows, _Row(0, ""))
    if first.path != first.text or _is_integer(first.text):
        return ()  # it was a known heading, or is an entry
    second = next(rows, None)
    lone = not set("./*") & set(first.text) and second is not None
    lone = lone and all(_is_integer(row.text) for row in chain((second,), rows) if row is not None)
    return tuple(heads_of(text)) or ((first.text,) if lone else ())


def read_list_text(path: Path) -> str:
    """Read a forget list's text; raises InputError naming the file where it is missing, too large or no text."""
    text = read_text(path, _MAX_LIST_BYTES)
    if "\0" in text:
        raise InputError(f"{path} is not a text file")
    return text


def read_forget_csv(path: Path, total: int) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Read the forget.csv of a run, with an index in every row, for data of `total` training samples.

    Returns which samples it lists, (total,) bool, every sample's weight, (total,) float64, None where all are 1, and
    the agreement from which each was added for looking like others, (total,) float64, 0 where it was not.
    Raises InputError naming the file and line that has no index, MismatchError where one lies outside the data.
    """
    mask, weights, similar = np.zeros(total, dtype=bool), np.ones(total), np.zeros(total)
    largest = -1
    for row in _rows(read_list_text(path), Names()):
        if not _is_index(row.number):
            raise InputError(f"{path}, line {row.line}: {row.number or row.text!r} is no sample index")
        index, weight, agreement = int(row.number), _weight(row), _similar(row)
        largest = max(largest, index)
        if index < total:
            mask[index], weights[index], similar[index] = True, weight, agreement
    if largest >= total:
        raise MismatchError(f"The forget list names sample {largest}, the data has {total:,}")
    return mask, None if (weights == 1).all() else weights, similar


def write_forget_list(path: Path, selection: Selection, paths: Sequence[str] | None = None) -> None:
    """Write what `forget_list_bytes` returns, atomically. Only the user may read it, for it is a list of people."""
    write_atomic(path, forget_list_bytes(selection, paths), private=True)


def forget_list_bytes(selection: Selection, paths: Sequence[str] | None = None) -> bytes:
    """Return `selection` as a file of index,class,path,weight with a header; paths: the training part's.

    A spreadsheet takes none of the names for a formula.
    """
    classes = [field_text(cell(name)) for name in selection.class_names]
    rows = selection.indices.tolist()
    labels = selection.labels[selection.mask].tolist()
    names = [""] * len(rows) if paths is None else [field_text(cell(paths[row])) for row in rows]
    weights = [1.0] * len(rows) if selection.weights is None else selection.weights[selection.mask].tolist()
    lines = [",".join(COLUMNS)]
    for row, label, name, weight in zip(rows, labels, names, weights, strict=True):
        lines.append(f"{row},{classes[label]},{name},{1 if weight == 1 else repr(weight)}")
    if selection.similar is not None:
        added = [SIMILAR, *(f"{value:g}" if value else "" for value in selection.similar[selection.mask])]
        lines = [f"{line},{value}" for line, value in zip(lines, added, strict=True)]
    return ("\n".join(lines) + "\n").encode()


def field_text(text: str) -> str:
    """Quote a CSV field where needed; Python's writer leaves a lone carriage return bare, and then reads two lines."""
    return '"' + text.replace('"', '""') + '"' if _SPECIAL.search(text) else text


def _entries(text: str, names: Names, name: str = "The forget list") -> Iterator[_Row]:
    """Yield the entries of the list called `name`; raises InputError where it has none."""
    rows = _rows(text, names)
    first = next(rows, None)
    if first is None:
        raise InputError(f"{name} is empty: it holds no entries", "Write one index, path or file name a line")
    yield first
    yield from rows


def _rows(text: str, names: Names) -> Iterator[_Row]:
    """Yield the rows of the list; a header, where there is one, says which column is which."""
    text = text.removeprefix("\ufeff")
    separator, columns = _header(first_line(text)[0], names.columns)
    yield from _table(text, separator, columns) if columns else _plain_lines(text, names)


def _table(text: str, separator: str, columns: tuple[str, ...]) -> Iterator[_Row]:
    """Yield the rows of a list whose header names its columns."""
    reader = csv.reader(lines_of(text), delimiter=separator)
    filled = (cells for cells in reader if "".join(cells).strip())
    try:
        next(filled, None)  # the header
        for cells in filled:
            fields = {key: field for key, field in zip(columns, cells, strict=False) if key}
            for key in fields.keys() & {"number", "weight"}:  # blanks may belong to the names of files and classes
                fields[key] = fields[key].strip()
            for key in fields.keys() & {"class_name", "path"}:
                fields[key] = from_cell(fields[key])
            where = tuple((key[1:], fields.pop(key).strip()) for key in list(fields) if key[0] == "=")
            yield _Row(reader.line_num, separator.join(cells), **fields, where=where)
    except csv.Error as error:
        raise InputError(f"The forget list cannot be read: line {reader.line_num}: {error}") from error


def _plain_lines(text: str, names: Names) -> Iterator[_Row]:
    """Yield the entries of a list without a header: a number, a name, or index, class, path and weight a line."""
    for number, raw in enumerate(lines_of(text), start=1):
        line = raw.strip()
        if not line:
            continue
        fields = cells_of(line, ",") if "," in line or '"' in line else [line]
        if len(fields) == 1:
            is_number = _is_integer(fields[0])
            yield _Row(number, line, fields[0] if is_number else "", "", "" if is_number else fields[0])
        elif fields and not names.find(line) and (not fields[0] or _is_integer(fields[0])):
            yield _Row(number, line, *fields[: len(COLUMNS)])
        else:
            yield _Row(number, line, path=line)  # a file name with a comma in it


def _header(line: str, known: Collection[str]) -> tuple[str, tuple[str, ...]]:
    """Return the separator and, column by column, the field of a row it stands for ("" for one of no use here).

    known: columns of the data's table, which a list without index and path may name: they stand as "=COLUMN".
    """
    for separator in (",", ";", "\t"):  # spreadsheets of some countries write semicolons
        columns = [column.lower() for column in cells_of(line, separator)]
        if len(columns) > _MOST_COLUMNS:
            raise InputError(f"The forget list has {len(columns):,} columns, and at most {_MOST_COLUMNS:,} are read")
        keys = [_HEADINGS.get(column, "") for column in columns]
        if "number" not in keys and "path" not in keys:
            named = columns_called(columns, known)
            if not any(named):
                continue
            return separator, tuple(f"={own}" if own else key for own, key in zip(named, keys, strict=True))
        for column, key in zip(columns, keys, strict=True):
            meant = difflib.get_close_matches(column, COLUMNS, n=1, cutoff=0.75)
            if not key and meant:
                raise InputError(f"The forget list has a column {column!r}", f"Did you mean {meant[0]}?")
            if key and keys.count(key) > 1:
                raise InputError(f"The forget list has two columns for {column!r}")
        return separator, tuple(keys)
    return ",", ()


def _find(row: _Row, total: int, names: Names) -> tuple[list[int], str]:
    """Return the positions an entry fits among `total` samples, several where names are shared, or why it fits none."""
    if row.number:
        if not _is_integer(row.number):
            return [], "the index is not a whole number"
        index = int(row.number)
        if 0 <= index < total:
            return [index], ""
        return [], f"samples are 0 to {total - 1:,}"
    if row.where:
        return [], f"no image has {' and '.join(f'{column} {value!r}' for column, value in row.where)}"
    if not row.path:
        return [], "neither index nor path"
    if not names.paths:
        return [], "the samples of this data have no file names"
    return names.find(row.path) or names.find(row.path.strip()), "not found"


def _find_group(row: _Row, names: Names) -> list[int]:
    """Return the positions of all images that an entry means by a pattern, a folder or columns of a table."""
    if row.where:
        found = [set(names.with_value(*pair)) for pair in row.where if pair[0] in names.columns]
        return sorted(set.intersection(*found)) if found else []
    return [] if row.number else names.matching(row.path.strip())


def _nearest(row: _Row, names: Names) -> tuple[str, ...]:
    """Return the paths, or values of a table's columns, most like what an entry names."""
    if row.where:
        missing = [pair for pair in row.where if not names.with_value(*pair)]
        return nearest_values(names.columns[missing[0][0]], missing[0][1]) if missing else ()
    return names.nearest(row.path) if row.path else ()


def _contradiction(row: _Row, index: int, actual: str, names: Names) -> list[str]:
    """Return what a row says of the sample `index` and the data denies, whose class is `actual`; empty for nothing."""
    if row.class_name and composed(actual) not in (composed(row.class_name), composed(row.class_name.strip())):
        return [f"line {row.line} says sample {index} is {row.class_name!r}, the data says {actual!r}"]
    if row.number and row.path and names.paths and not ends_alike(normal(row.path), normal(names.paths[index])):
        return [f"line {row.line} says sample {index} is {row.path}, the data says {names.paths[index]}"]
    return []


def _weight(row: _Row) -> float:
    """Return an entry's weight, 1 where it states none; raises InputError for what is no weight."""
    if not row.weight:
        return 1.0
    try:
        weight = float(row.weight)
    except ValueError:
        weight = math.nan
    if not 0 <= weight <= LARGEST_WEIGHT:  # NaN is neither
        raise InputError(
            f"Line {row.line} of the forget list: weight must be a number from 0 to {LARGEST_WEIGHT:,.0f}, "
            f"got {row.weight!r}",
            "1 counts as one image, 2 as two, 0 adds nothing",
        )
    return weight


def _similar(row: _Row) -> float:
    """Return the agreement from which an entry was added for looking like others, 0 where it was not."""
    try:
        similar = float(row.similar or 0)
    except ValueError:
        similar = math.nan
    if not 0 <= similar <= 1:
        raise InputError(
            f"Line {row.line} of the forget list: {SIMILAR} must be a number from 0 to 1, got {row.similar!r}",
            "Leave it empty where an image was not added for looking like another",
        )
    return similar


def _is_integer(text: str) -> bool:
    """Whether a text is a whole number that fits an index, with a sign or without."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    return digits.isdecimal() and text.isascii() and len(text) <= 18


def _is_index(text: str) -> bool:
    """Whether a text is a whole number from 0."""
    return _is_integer(text) and int(text) >= 0
