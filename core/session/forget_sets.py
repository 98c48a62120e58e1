"""Forget sets: how users name them (classes, lists of samples, a random share), and the list a run keeps of its own.

A forget list holds one sample a line, by index, path, file name or sample id.
"""

from __future__ import annotations

import bisect
import csv
import difflib
import io
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from core.errors import InputError, MismatchError, UsageError, first_few
from core.files import read_text, write_atomic
from core.runs.folder import FORGET, RunFolder
from core.selection import LARGEST_WEIGHT, Selection, resolve_classes
from core.verify.numbers import count

if TYPE_CHECKING:
    from core.data.dataset import Dataset

COLUMNS = ("index", "class", "path", "weight")

# What a header may say, and the field of a row it means. Columns with other names are not looked at.
_HEADINGS = {
    "index": "number", "class": "class_name", "label": "class_name", "path": "path", "file": "path",
    "filename": "path", "file name": "path", "file_name": "path", "image": "path", "weight": "weight",
}

_SPECIAL = re.compile(r'[,"\r\n]|^\s|\s$')
_MAX_LIST_BYTES = 512 * 2**20
_NEAREST_SEARCHED = 50  # unmatched lines that get nearest names; a list of wrong names needs no more to be understood
_NEIGHBOURS = 60  # names compared on each side of where the searched one would stand
_NAMED = 3  # entries of a list that a sentence names one by one


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


def named_selection(
    dataset: Dataset,
    classes: Iterable[str | int] = (),
    file: Path | None = None,
    *,
    allow_missing: bool = False,
    option: str = "--allow-missing",
    notice: Callable[[str], object] = lambda text: None,
) -> Selection:
    """Return the samples of `classes` (names or indices) and of a forget list; empty where neither is given.

    allow_missing: entries of the list that match nothing are passed over; notice gets a sentence on them, and on those
    that name test images. option: what the refusal of such a list says to set. Raises the AppErrors of classes and
    lists that do not match.
    """
    selection = Selection.empty(dataset.train.labels.numpy(), dataset.classes)
    chosen = resolve_classes(classes, dataset.classes)
    selection.require_images(chosen)
    selection = selection.with_classes(chosen)
    if file is None:
        return selection
    match = match_forget_list(read_list_text(file), dataset)
    _say_missing(file.name, match, allow_missing, option, notice)
    if match.in_test:
        images, them = ("image is", "it") if len(match.in_test) == 1 else ("images are", "them")
        notice(
            f"{count(len(match.in_test))} {images} in the test part ({first_few(match.in_test)}). "
            f"The model was not trained on {them}, so there is nothing to remove."
        )
    selection = selection.with_samples(match.matched, weights=match.weights)
    if not selection.count:
        raise InputError(f"{file} names no training image of {dataset.title}", "Choose at least one image")
    return selection


def random_selection(dataset: Dataset, share: float, seed: int) -> Selection:
    """Choose a random share (0..1, both excluded) of the training samples. Raises UsageError for another share."""
    if not 0 < share < 1:
        raise UsageError(f"--forget-random takes a share above 0 and below 1, got {share:g}")
    labels = dataset.train.labels.numpy()
    chosen = np.random.default_rng(seed).choice(len(labels), max(1, round(len(labels) * share)), replace=False)
    return Selection.empty(labels, dataset.classes).with_samples(chosen)


def run_selection(folder: RunFolder, dataset: Dataset) -> Selection:
    """Read which training images a run forgets.

    Raises InputError where its list is gone or damaged, MismatchError where it is not what the job was made with.
    """
    labels, stated, path = dataset.train.labels.numpy(), folder.job().forget, folder.file(FORGET)
    if stated.mode == "none":
        return Selection.empty(labels, dataset.classes)
    if not path.is_file():
        raise InputError(f"{path} is gone, so nobody knows what was to be forgotten")
    mask, weights = read_forget_csv(path, len(labels))
    selection = Selection(mask, labels, dataset.classes, weights)
    if (selection.digest(), selection.weights_digest()) != (stated.sha256, stated.weights_sha256):
        raise MismatchError(f"{path} was changed after the run was made", "Put the original list back")
    return selection


# --- forget lists -------------------------------------------------------------------------------------------------


def match_forget_list(text: str, dataset: Dataset) -> ListMatch:
    """Match a forget list against the training images of a data set.

    A line is a row of index, class, path, weight (a header may name and reorder them), or a single entry: a whole
    number is a 0-based position in the training part, anything else a path, file name or sample id (the file name
    without its ending). A path fits where one of the two is the end of the other, folder by folder.

    Raises InputError for an empty list or a wrong weight, MismatchError where a class or path column contradicts
    the data. Lines that fit nothing, test images and ambiguous names are returned, not raised.
    """
    labels, names, test_names = dataset.train.labels.tolist(), _Names(dataset.train.paths), _Names(dataset.test.paths)
    rows = _entries(text, names)
    chosen: dict[int, float] = {}
    unmatched: list[Unmatched] = []
    in_test: dict[str, None] = {}
    several: dict[str, None] = {}
    contradictions: list[str] = []
    for row in rows:
        weight = _weight(row)
        hits, reason = _find(row, len(labels), names)
        if len(hits) == 1:
            contradictions += _contradiction(row, hits[0], dataset.classes[labels[hits[0]]], names)
            chosen[hits[0]] = weight
        elif hits:
            several[row.path] = None
        elif row.path and test_names.find(row.path):
            in_test[row.path] = None
        else:
            alike = names.nearest(row.path) if row.path and len(unmatched) < _NEAREST_SEARCHED else ()
            unmatched.append(Unmatched(row.line, row.text, alike, reason))
    if contradictions:
        more = f"; {len(contradictions) - 3:,} more" if len(contradictions) > 3 else ""
        raise MismatchError(
            f"The forget list does not belong to this data: {'; '.join(contradictions[:3])}{more}",
            "Open the data the list was made for",
        )
    matched = np.array(sorted(chosen), dtype=np.int64)
    weights = np.array([chosen[index] for index in matched.tolist()], dtype=np.float64)
    return ListMatch(
        matched=matched,
        weights=None if (weights == 1).all() else weights,
        unmatched=tuple(unmatched),
        in_test=tuple(in_test),
        several=tuple(several),
        entries=len(rows),
    )


def summarise_forget_list(text: str) -> ListSummary:
    """Say what a forget list holds; raises InputError for an empty list or a wrong weight."""
    rows = _entries(text, _Names())
    by_index = sum(_is_index(row.number) for row in rows)
    return ListSummary(
        entries=len(rows),
        by_index=by_index,
        by_name=len(rows) - by_index,
        classes=tuple(dict.fromkeys(row.class_name for row in rows if row.class_name)),
        weighted=any(_weight(row) != 1 for row in rows),
    )


def read_list_text(path: Path) -> str:
    """Read a forget list's text; raises InputError naming the file where it is missing, too large or no text."""
    if path.is_file() and path.stat().st_size > _MAX_LIST_BYTES:
        raise InputError(f"{path} is too large for a forget list")
    text = read_text(path)
    if "\0" in text:
        raise InputError(f"{path} is not a text file")
    return text


def read_forget_csv(path: Path, total: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Read the forget.csv of a run, with an index in every row, for data of `total` training samples.

    Returns which samples it lists, (total,) bool, and every sample's weight, (total,) float64, None where all are 1.
    Raises InputError naming the file and line that has no index, MismatchError where one lies outside the data.
    """
    rows = _rows(read_list_text(path), _Names())
    for row in rows:
        if not _is_index(row.number):
            raise InputError(f"{path}, line {row.line}: {row.number or row.text!r} is no sample index")
    indices = np.array([int(row.number) for row in rows], dtype=np.int64)
    if len(indices) and indices.max() >= total:
        raise MismatchError(f"The forget list names sample {indices.max()}, the data has {total:,}")
    mask, weights = np.zeros(total, dtype=bool), np.ones(total)
    mask[indices] = True
    weights[indices] = [_weight(row) for row in rows]
    return mask, None if (weights == 1).all() else weights


def write_forget_list(path: Path, selection: Selection, paths: Sequence[str] | None = None) -> None:
    """Write `selection` as index,class,path,weight with a header, atomically; paths: the training part's."""
    classes = [_quoted(name) for name in selection.class_names]
    rows = selection.indices.tolist()
    labels = selection.labels[selection.mask].tolist()
    names = [""] * len(rows) if paths is None else [_quoted(paths[row]) for row in rows]
    weights = [1.0] * len(rows) if selection.weights is None else selection.weights[selection.mask].tolist()
    lines = [",".join(COLUMNS)]
    for row, label, name, weight in zip(rows, labels, names, weights, strict=True):
        lines.append(f"{row},{classes[label]},{name},{1 if weight == 1 else repr(weight)}")
    write_atomic(path, ("\n".join(lines) + "\n").encode())


def _quoted(text: str) -> str:
    """Quote a CSV field where needed; Python's writer leaves a lone carriage return bare, and then reads two lines."""
    return '"' + text.replace('"', '""') + '"' if _SPECIAL.search(text) else text


def _say_missing(name: str, match: ListMatch, allowed: bool, option: str, notice: Callable[[str], object]) -> None:
    """Tell `notice` which entries of the list `name` fit nothing; raises InputError where that is not allowed."""
    missing = [_unmatched(line) for line in match.unmatched]
    missing += [f"{name!r} (fits several images: name its folder as well)" for name in match.several]
    if not missing:
        return
    fitting = match.entries - len(missing) - len(match.in_test)
    result = f"{count(fitting)} of {count(match.entries)} entries of {name} found"
    if match.in_test:
        result += f", {count(len(match.in_test))} in the test part"
    more = len(missing) - _NAMED
    if not allowed:
        named = ", ".join(missing[:_NAMED]) + (f" and {count(more)} more" if more > 0 else "")
        raise InputError(
            f"{result}. Not found: {named}",
            f"Correct the list, or pass over them with {option}" + (", which names all" if more > 0 else ""),
        )
    if more > 0:
        for text in (f"{result}. Not found:", *missing):
            notice(text)
    else:
        notice(f"{result}. Not found: {', '.join(missing)}.")


def _unmatched(line: Unmatched) -> str:
    """Name a line that fits nothing, with what is most like it, or why."""
    why = f"nearest: {' or '.join(line.nearest)}" if line.nearest else line.reason
    return f"line {line.line} {line.text!r}" + (f" ({why})" if why != "not found" else "")


class _Names:
    """Finds training images by path, file name or sample id. Tables are made when first needed."""

    def __init__(self, paths: Sequence[str] | None = None) -> None:
        """`paths`: of the images, where the data has any."""
        self.paths = paths or ()
        self._exact = {_normal(path): index for index, path in enumerate(self.paths)}

    def find(self, text: str) -> list[int]:
        """Return the positions `text` fits: none, one, or several where a name is not enough."""
        if not self.paths:
            return []
        wanted = _normal(text)
        if wanted in self._exact:
            return [self._exact[wanted]]
        by_file, by_stem = self._tables
        same_end = [i for i in by_file.get(_file(wanted), []) if _ends_alike(wanted, _normal(self.paths[i]))]
        return same_end or by_stem.get(wanted, [])

    def nearest(self, text: str, count: int = 3) -> tuple[str, ...]:
        """Return the paths most like `text`, compared with its neighbours in the alphabet and from behind only."""
        wanted = _file(_normal(text)).lower()
        forwards, backwards = self._sorted
        candidates: dict[str, int] = {}
        # The stem's own place first: a.jpg looks for A.jpeg.
        for table, key in ((forwards, f"{_stem(wanted)}."), (forwards, wanted), (backwards, wanted[::-1])):
            place = bisect.bisect_left(table, (key, -1))
            for _, index in table[max(0, place - _NEIGHBOURS) : place + _NEIGHBOURS]:
                candidates.setdefault(_file(_normal(self.paths[index])).lower(), index)
        alike = difflib.get_close_matches(wanted, candidates, n=count, cutoff=0.5)
        return tuple(self.paths[candidates[name]] for name in alike)

    @cached_property
    def _tables(self) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        """Positions by file name, and by file name without its ending."""
        by_file: dict[str, list[int]] = {}
        by_stem: dict[str, list[int]] = {}
        for index, path in enumerate(self.paths):
            file = _file(_normal(path))
            by_file.setdefault(file, []).append(index)
            by_stem.setdefault(_stem(file), []).append(index)
        return by_file, by_stem

    @cached_property
    def _sorted(self) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
        """File names in lower case with their positions: in alphabetical order, and spelt backwards in that order."""
        files = [(_file(_normal(path)).lower(), index) for index, path in enumerate(self.paths)]
        return sorted(files), sorted((name[::-1], index) for name, index in files)


def _entries(text: str, names: _Names) -> list[_Row]:
    """Split a list into its entries; raises InputError where it has none."""
    rows = _rows(text, names)
    if not rows:
        raise InputError("The forget list holds no entries", "Write one index, path or file name a line")
    return rows


def _rows(text: str, names: _Names) -> list[_Row]:
    """Split the list into rows; a header, where there is one, says which column is which."""
    text = text.removeprefix("\ufeff")
    first = re.search(r"[^\r\n]*\S[^\r\n]*", text)
    separator, columns = _header(first[0] if first else "")
    try:
        return _table(text, separator, columns) if columns else _plain_lines(text, names)
    except csv.Error as error:
        raise InputError(f"The forget list cannot be read: {error}") from error


def _table(text: str, separator: str, columns: tuple[str, ...]) -> list[_Row]:
    """Return the rows of a list whose header names its columns."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    rows = []
    for cells in reader:
        if "".join(cells).strip():
            fields = {key: cell for key, cell in zip(columns, cells, strict=False) if key}
            for key in fields.keys() & {"number", "weight"}:  # blanks may belong to the names of files and classes
                fields[key] = fields[key].strip()
            rows.append(_Row(reader.line_num, separator.join(cells), **fields))
    return rows[1:]  # the first is the header


def _plain_lines(text: str, names: _Names) -> list[_Row]:
    """Return the entries of a list without a header: a number, a name, or index, class, path and weight a line."""
    rows = []
    # Not splitlines(): a file name may hold the exotic characters it would split at.
    for number, raw in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        line = raw.strip()
        if not line:
            continue
        fields = _fields(line, ",")
        if len(fields) == 1:
            key = "number" if _is_integer(fields[0]) else "path"
            rows.append(_Row(number, line, **{key: fields[0]}))
        elif not names.find(line) and (not fields[0] or _is_integer(fields[0])):
            rows.append(_Row(number, line, *fields[: len(COLUMNS)]))
        else:
            rows.append(_Row(number, line, path=line))  # a file name with a comma in it
    return rows


def _header(line: str) -> tuple[str, tuple[str, ...]]:
    """Return the separator and, column by column, the field of a row it stands for ("" for one of no use here)."""
    for separator in (",", ";", "\t"):  # spreadsheets of some countries write semicolons
        columns = [column.lower() for column in _fields(line, separator)]
        keys = [_HEADINGS.get(column, "") for column in columns]
        if "number" not in keys and "path" not in keys:
            continue
        for column, key in zip(columns, keys, strict=True):
            meant = difflib.get_close_matches(column, COLUMNS, n=1, cutoff=0.75)
            if not key and meant:
                raise InputError(f"The forget list has a column {column!r}", f"Did you mean {meant[0]}?")
            if key and keys.count(key) > 1:
                raise InputError(f"The forget list has two columns for {column!r}")
        return separator, tuple(keys)
    return ",", ()


def _fields(line: str, separator: str) -> list[str]:
    """Return the cells of one line without blanks around them."""
    return [field.strip() for field in next(csv.reader([line], delimiter=separator), [])]


def _find(row: _Row, total: int, names: _Names) -> tuple[list[int], str]:
    """Return the positions an entry fits among `total` samples, several where names are shared, or why it fits none."""
    if row.number:
        if not _is_integer(row.number):
            return [], "the index is not a whole number"
        index = int(row.number)
        if 0 <= index < total:
            return [index], ""
        return [], f"samples are 0 to {total - 1:,}"
    if not row.path:
        return [], "neither index nor path"
    if not names.paths:
        return [], "the samples of this data have no file names"
    return names.find(row.path) or names.find(row.path.strip()), "not found"


def _contradiction(row: _Row, index: int, actual: str, names: _Names) -> list[str]:
    """Return what a row says of the sample `index` and the data denies, whose class is `actual`; empty for nothing."""
    if row.class_name and actual not in (row.class_name, row.class_name.strip()):
        return [f"line {row.line} says sample {index} is {row.class_name!r}, the data says {actual!r}"]
    if row.number and row.path and names.paths and not _ends_alike(_normal(row.path), _normal(names.paths[index])):
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


def _ends_alike(first: str, second: str) -> bool:
    """Whether one path is the other's end, folder by folder."""
    short, long = sorted((first, second), key=len)
    return short == long or long.endswith("/" + short)


def _normal(path: str) -> str:
    """Return a path with slashes, and without a leading "./"."""
    return path.replace("\\", "/").removeprefix("./")


def _file(path: str) -> str:
    """Return the name of the file a path leads to."""
    return path.rpartition("/")[2]


def _stem(file: str) -> str:
    """Return a file's name without its ending: the sample id."""
    return file.rpartition(".")[0] or file


def _is_integer(text: str) -> bool:
    """Whether a text is a whole number that fits an index, with a sign or without."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    return digits.isdecimal() and text.isascii() and len(text) <= 18


def _is_index(text: str) -> bool:
    """Whether a text is a whole number from 0."""
    return _is_integer(text) and int(text) >= 0
