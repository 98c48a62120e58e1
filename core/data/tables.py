"""List the images that a CSV file names: columns path, label and, where there is a test part, split."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from core.data.classes import several_labels
from core.data.dataset import Found
from core.data.images import is_image
from core.data.index import FolderFiles
from core.data.reading import PART_NAMES, TEST_NAMES, Listing, Parts
from core.errors import InputError, first_few
from core.events import Tell
from core.files import composed, read_text

# What the columns of a table may be called.
IMAGE_COLUMNS = (
    "path", "file", "filename", "file_name", "file name", "filepath", "filepaths", "file_path", "image", "img",
    "image_path", "img_path", "image_name", "pixel_values",
)  # fmt: skip
LABEL_COLUMNS = ("label", "labels", "fine_label", "class", "category", "target", "class_name")
_SPLITS = ("split", "part", "subset", "set", "data set")
_FORGET_LIST = ("index", "weight")  # columns that only a forget list has
METADATA = "metadata.csv"  # what Hugging Face's imagefolder reads beside class folders
_TABLE_HINT = "Its columns are path, label and, for a test part, split (train or test)"
_PROBE = 64 * 1024
_SEPARATED = "|;,"  # what stands between the labels of an image that has several
_FLAGS = ("0", "1", "0.0", "1.0")
_FEWEST_FLAGS = 2  # columns of 0 and 1 that name classes


@dataclass(frozen=True)
class _Columns:
    """How a table is separated, and which of its columns hold what."""

    separator: str
    path: int = 0
    label: int | None = 1  # None: a column a class, with a 1 for the image's own
    split: int | None = 2
    header: bool = False
    more: Mapping[str, int] = field(default_factory=dict)  # other columns by name, as the header writes it


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


def list_table(file: Parts, report: Tell) -> Listing:
    """List the images of a CSV; paths are relative to its folder, classes in alphabetical (or numerical) order.

    Raises InputError naming the line where the table is wrong.
    """
    path = file.path
    rows, flags = _read_rows(path)
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
        found=Found(
            notices=(f"{path.name} is one-hot: of the columns {first_few(flags, 12)} the one with a 1 is the label.",)
            if flags
            else ()
        ),
    )


def metadata_beside(root: Path, folders: Iterable[Path], names: Sequence[str]) -> dict[str, list[str]]:
    """Return the columns that metadata.csv in any of `folders` has for images, as texts; "" for an image it lacks.

    names: of the images, relative to `root`; those in the file start at its own folder. Raises InputError where such a
    file cannot be read.
    """
    rows: dict[str, dict[str, str]] = {}
    columns: dict[str, None] = {}
    for file in dict.fromkeys(folder / METADATA for folder in folders):
        text = read_text(file) if file.is_file() else ""
        first = text.partition("\n")[0]
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), restval="")
        try:
            own = [head for head in reader.fieldnames or () if head]
            path = next((head for head in own if head.strip().lower() in IMAGE_COLUMNS), None)
            if path is None:
                continue
            columns |= dict.fromkeys(head.strip() for head in own if head != path)
            for row in reader:
                name = (file.parent / row[path].strip().replace("\\", "/")).relative_to(root).as_posix()
                rows[composed(name)] = {head.strip(): row[head].strip() for head in own if head != path}
        except (csv.Error, ValueError) as error:
            raise InputError(f"{file}, line {reader.line_num}: {error}") from error
    found = [rows.get(composed(name), {}) for name in names]
    return {column: [row.get(column, "") for row in found] for column in columns if any(found)}


class _Row(NamedTuple):
    """A row of a table: `more` are its other columns by name."""

    path: str
    label: str
    is_test: bool
    more: dict[str, str]
    line: int


def _read_rows(path: Path) -> tuple[list[_Row], tuple[str, ...]]:
    """Return the rows of a table, and its columns that name a class each where it has no column of labels."""
    text = read_text(path)
    columns = _columns(text)
    if columns is None:
        raise InputError(f"{path.name} does not list images with labels", _TABLE_HINT)
    rows = []
    lines: dict[str, _Row] = {}
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=columns.separator)
    try:
        for number, fields in enumerate((f for f in reader if any(cell.strip() for cell in f)), start=1):
            if number == 1 and columns.header:
                continue
            row = _row(path, reader.line_num, [cell.strip() for cell in fields], columns)
            first = lines.setdefault(row.path, row)
            if first is not row:
                where = f"{path.name}, line {row.line}: {row.path} stands already in line {first.line}"
                if first.label != row.label:
                    raise several_labels(f"{where} with another label ({first.label!r}, {row.label!r})")
                raise InputError(where)
            rows.append(row)
    except csv.Error as error:
        raise InputError(f"{path.name}, line {reader.line_num}: {error}") from error
    if not rows:
        raise InputError(f"{path.name} lists no images", _TABLE_HINT)
    return _from_flags(path, rows) if columns.label is None else (rows, ())


def _from_flags(path: Path, rows: list[_Row]) -> tuple[list[_Row], tuple[str, ...]]:
    """Return rows whose label is the column with a 1, of those that hold only 0 and 1, and these columns.

    Raises InputError where an image has several labels, or none.
    """
    flags = tuple(name for name in rows[0].more if all(row.more[name] in _FLAGS for row in rows))
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


def _refuse_several(path: Path, rows: Sequence[_Row]) -> None:
    """Raise InputError where cells hold several labels: parts that are labels of other images by themselves."""
    labels = {row.label for row in rows}
    for row in rows:
        parts = next((row.label.split(sign) for sign in _SEPARATED if sign in row.label), [])
        known = [part.strip() in labels for part in parts]
        if row.label.startswith("[") or "|" in row.label or (parts and all(known)):
            raise several_labels(f"{path.name}, line {row.line}: {row.path} has several labels ({row.label!r})")


def _row(path: Path, line: int, fields: list[str], columns: _Columns) -> _Row:
    """Return one row; raises InputError naming the line where it lacks path or label."""
    label = fields[columns.label] if columns.label is not None and columns.label < len(fields) else ""
    if columns.path >= len(fields) or not fields[columns.path] or not (label or columns.label is None):
        raise InputError(f"{path.name}, line {line} lacks a path or a label", _TABLE_HINT)
    split = fields[columns.split].lower() if columns.split is not None and columns.split < len(fields) else ""
    if split and split not in PART_NAMES:
        raise InputError(f"{path.name}, line {line}: split must be train or test, got {split!r}")
    name = fields[columns.path].replace("\\", "/").removeprefix("./")
    more = {head: fields[place] if place < len(fields) else "" for head, place in columns.more.items()}
    return _Row(_as_on_disk(path.parent, name), label, split in TEST_NAMES, more, line)


def _as_on_disk(folder: Path, name: str) -> str:
    """Return a file's name in the Unicode form it has on disk, where only that differs: macOS decomposes."""
    if name.isascii() or (folder / name).exists():
        return name
    forms = (unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name))
    return next((form for form in forms if (folder / form).exists()), name)


def _columns(text: str) -> _Columns | None:
    """Return where the columns are, None where the first line is that of another kind of file."""
    line, _, rest = text.lstrip().partition("\n")
    second = rest.lstrip().split("\n")[0].strip()
    for separator in (",", ";", "\t"):
        cells = [cell.strip() for cell in next(csv.reader([line.strip()], delimiter=separator), [])]
        if len(cells) < 2:
            continue
        heads = [cell.lower() for cell in cells]
        path, label, split = (
            next((heads.index(name) for name in names if name in heads), None)
            for names in (IMAGE_COLUMNS, LABEL_COLUMNS, _SPLITS)
        )
        if path is not None and not set(_FORGET_LIST) & set(heads):
            more = {cell: i for i, cell in enumerate(cells) if cell and i not in (path, label, split)}
            values = [cell.strip() for cell in next(csv.reader([second], delimiter=separator), [])]
            flags = [place for place in more.values() if place < len(values) and values[place] in _FLAGS]
            if label is not None or len(flags) >= _FEWEST_FLAGS:
                return _Columns(separator, path, label, split, True, more)
        if len(cells) <= 3 and is_image(cells[0]):
            return _Columns(separator)
    return None


def class_key(label: str) -> tuple[int, int, str]:
    """Order classes by number where they are numbers, else by name, numbers first."""
    is_number = label.isascii() and label.isdecimal()
    return (0, int(label), label) if is_number else (1, 0, label)
