"""The gallery: which images are shown in which order, and a grid of them as an item model."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.services import format as fmt
from app.services.translation import mark, tr
from core.files import composed
from core.session.naming import Names, column_called, is_pattern

if TYPE_CHECKING:
    from core.data.dataset import Dataset
    from core.data.duplicates import Twins
    from core.session.baseline import Answers, Baseline, SetBaseline
    from core.session.near import Near
    from core.session.suspects import Suspects

Index = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()

SORTS = (
    ("data", mark("As in the data")), ("name", mark("File name")), ("loss", mark("Highest loss")),
    ("confidence", mark("Least confident")), ("margin", mark("Smallest margin")), ("distance", mark("Far from mean")),
    ("forget", mark("Forget set first")), ("near", mark("Near the forget set")), ("damage", mark("Likely to suffer")),
    ("twins", mark("Duplicates together")), ("wrong-label", mark("Doubtful labels")),
    ("wrong-twin", mark("Duplicates, other label")), ("trigger", mark("Possible trigger")),
)  # fmt: skip
SUSPECTED = {"wrong-label": "label", "wrong-twin": "twins", "trigger": "trigger"}  # orders of suspects: by which kind
NEEDS_FEATURES = frozenset(("distance", "near", "wrong-label", "wrong-twin"))
NEEDS_ANSWERS = frozenset(("loss", "confidence", "margin", "damage", "trigger"))  # which an encoder does not give
NEEDS_FORGET = {"near": "features", "damage": "gradient"}  # orders around the forget set: which values of Near
FALLING = frozenset(("loss", "distance"))  # shown highest first

AT_ONCE = 50_000  # images that are arranged in no time; more take a worker
_SLICE = 16_384  # names sorted in one go: a sort holds the interpreter until it is done

Range = tuple[str, float, float]  # what the model says of an image, such as "loss", from, to; infinite: no bound


@dataclass(frozen=True)
class Wanted:
    """What to show: part, class (None: all), "all" / "right" / "wrong", order, and a text to search for.

    `text` is part of the file name, a pattern of it, or COLUMN=VALUE of the table that lists the images. `ranges`
    bounds what the model says of an image; `twins` asks for images that have a duplicate.
    """

    part: str = "train"
    label: int | None = None
    answer: str = "all"
    sort: str = "data"
    reverse: bool = False
    text: str = ""
    ranges: tuple[Range, ...] = ()
    twins: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether a whole part is shown as in the data."""
        return self == Wanted(part=self.part, reverse=self.reverse)

    @property
    def needs_twins(self) -> bool:
        """Whether it takes knowing which images have a duplicate."""
        return self.part == "train" and (self.twins or self.sort == "twins")


class Images:
    """The images of a data set with what is known of them; `arrange` chooses and orders, in any thread."""

    def __init__(self, dataset: Dataset, baseline: Baseline | None = None) -> None:
        self.dataset = dataset
        self.baseline = baseline
        self.near: Near | None = None  # around a forget set; None: not known
        self.near_of: tuple[Any, ...] = (None, None, None)  # which forget set, what was forgotten before, the model
        self.twins: Twins | None = None  # among the training images; None: not known
        self.suspects: dict[str, tuple[Any, Suspects]] = {}  # by order: the model they are of, and what was found
        self._lower: dict[str, list[str]] = {}
        self._orders: dict[tuple[str, str], tuple[Any, np.ndarray]] = {}  # what they are of, and the order

    def labels(self, part: str) -> np.ndarray:
        """Class of every image of a part: (n,) int."""
        labels: np.ndarray = self._part(part).labels.numpy()
        return labels

    def arrange(self, wanted: Wanted, mask: np.ndarray | None = None) -> np.ndarray:
        """Return positions in the part, in the order to show: (m,) int64. `mask` is the forget set's."""
        keep, order = self._kept(wanted), self._order(wanted, mask)
        if order is None:
            ids = np.arange(len(self.labels(wanted.part))) if keep is None else np.flatnonzero(keep)
        else:
            ids = order if keep is None else order[keep[order]]
        return ids[::-1] if wanted.reverse else ids

    def suspects_in(self, sort: str) -> Suspects | None:
        """What an order of suspects shows; None for other orders, and while it is not known."""
        of, found = self.suspects.get(sort, (None, None))
        return found if of is self.baseline else None

    def doubt(self, sort: str, index: int) -> str:
        """Return the label a training image has and the one suggested in an order of suspects; "" without one."""
        found = self.suspects_in(sort)
        suggested = -1 if found is None else int(found.suggested[index])
        return "" if suggested < 0 else f"{self.class_of('train', index)} → {self.dataset.classes[suggested]}"

    def limits(self, part: str, value: str) -> tuple[float, float] | None:
        """Lowest and highest of what the model says of a part, such as "loss"; None where it is not known."""
        known = self._known(part)
        values = known.values(value) if known is not None else None
        finite = values[np.isfinite(values)] if values is not None else np.zeros(0)
        return (float(finite.min()), float(finite.max())) if len(finite) else None

    def _kept(self, wanted: Wanted) -> np.ndarray | None:
        """Return which images of the part pass the filters, (n,) bool; None: all."""
        kept: list[np.ndarray] = []
        known = self._known(wanted.part)
        if wanted.label is not None:
            kept.append(self.labels(wanted.part) == wanted.label)
        if wanted.answer != "all" and known is not None and known.answers is not None:
            kept.append(known.answers.correct == (wanted.answer == "right"))
        for value, low, high in wanted.ranges:
            if known is not None and (values := known.values(value)) is not None:
                kept.append((values >= low) & (values <= high))
        if wanted.twins and wanted.needs_twins and self.twins is not None:
            kept.append(self.twins.has_twin)
        if wanted.text.strip():
            kept.append(self._named(wanted.part, wanted.text.strip()))
        return np.logical_and.reduce(kept) if kept else None

    def _order(self, wanted: Wanted, mask: np.ndarray | None) -> np.ndarray | None:
        """Return all positions of the part in the order asked for; None: as in the data.

        Stable, so that images of the same value stay as in the data; what is not finite comes last. Orders by what
        does not change while one chooses are kept: one of a million values takes a tenth of a second.
        """
        part, sort, train = wanted.part, wanted.sort, wanted.part == "train"
        if sort == "forget":
            return np.argsort(~mask, kind="stable") if train and mask is not None else None
        if sort in NEEDS_FORGET:
            if self.near is None or not train:
                return None
            others = np.flatnonzero(~self.near.kept)  # forget images, then those of which nothing is to be decided
            others = others[np.argsort(~self.near.forget[others], kind="stable")]
            return np.concatenate([self.near.order(NEEDS_FORGET[sort]), others])
        if sort in SUSPECTED:
            found = self.suspects_in(sort)
            return found.order if found is not None and train else None
        of = {"data": None, "name": self._part(part).paths, "twins": self.twins if train else None}
        source = of.get(sort, self._known(part))
        if source is None or (sort not in of and source.values(sort) is None):
            return None
        held = self._orders.get((part, sort))
        if held is None or held[0] is not source:
            held = self._orders[part, sort] = (source, self._sorted(part, sort, source))
        return held[1]

    def _sorted(self, part: str, sort: str, source: Any) -> np.ndarray:
        if sort == "name":
            return _by_name(self._lower_names(part))
        if sort == "twins":
            return np.argsort(np.where(source.has_twin, source.group, len(source.group)), kind="stable")
        values = source.values(sort)
        return np.argsort(-values if sort in FALLING else values, kind="stable")

    def class_of(self, part: str, index: int) -> str:
        """The name of an image's class."""
        return self.dataset.classes[int(self.labels(part)[index])]

    def name(self, part: str, index: int) -> str:
        """What an image is called: its path, or its position."""
        paths = self._part(part).paths
        return paths[index] if paths is not None else tr("Image {number}", number=fmt.count(index))

    def describe(self, part: str, index: int) -> str:
        """Return some lines on one image: name, class, what the model says of it."""
        answers = self.answers(part)
        lines = [self.name(part, index), tr("Class {name}", name=self.class_of(part, index))]
        if answers is not None:
            name = self.dataset.classes[int(answers.predicted[index])]
            share = fmt.percent(float(answers.confidence[index]))
            lines += [tr("Model says {name}, {share} sure", name=name, share=share),
                      tr("Loss {value}", value=fmt.decimal(float(answers.loss[index]))),
                      tr("Margin {value}", value=fmt.decimal(float(answers.margin[index])))]  # fmt: skip
        return "\n".join(lines)

    def _part(self, part: str) -> Any:
        return getattr(self.dataset, part)

    def answers(self, part: str) -> Answers | None:
        """What the model says of the images of a part; None where it was not asked, or names no classes."""
        known = self._known(part)
        return known.answers if known is not None else None

    def _known(self, part: str) -> SetBaseline | None:
        found: SetBaseline | None = getattr(self.baseline, part, None)
        return found

    def _named(self, part: str, text: str) -> np.ndarray:
        """Return which images a search means, (n,) bool: COLUMN=VALUE of a table, else part or pattern of a path."""
        images = self._part(part)
        column, equals, value = text.partition("=")
        if equals and (own := column_called(column.strip(), images.columns)):
            return _at(Names(columns=images.columns).with_value(own, value.strip()), len(images))
        if images.paths is None:
            return np.ones(len(images), bool)
        names, wanted = self._lower_names(part), composed(text).casefold()
        held = np.fromiter((wanted in name for name in names), bool, len(names))
        return held | _at(Names(images.paths).matching(text), len(images)) if is_pattern(text) else held

    def _lower_names(self, part: str) -> list[str]:
        if part not in self._lower:
            self._lower[part] = [composed(path).casefold() for path in self._part(part).paths]
        return self._lower[part]


def _at(positions: list[int], count: int) -> np.ndarray:
    """Return a mask (count,) bool of some positions."""
    mask = np.zeros(count, bool)
    mask[positions] = True
    return mask


def _by_name(paths: list[str]) -> np.ndarray:
    """Return positions (n,) in the order of the file names, of equal ones in that of their folders."""

    def key(position: int) -> tuple[str, ...]:
        return paths[position].rpartition("/")[::-1]

    starts = range(0, len(paths), _SLICE)
    slices = (sorted(range(start, min(start + _SLICE, len(paths))), key=key) for start in starts)
    return np.fromiter(heapq.merge(*slices, key=key), np.int64, len(paths))


class Cell(NamedTuple):
    """An image of the grid: its thumbnail's key, ("train" or "test", position), its class, and what is seen of it."""

    key: tuple[str, int]
    label: int
    forget: bool = False
    earlier: bool = False  # forgotten in an earlier request
    wrong: bool = False  # the model names another class
    doubt: str = ""  # its label and the one suggested, in an order of suspects


class GalleryModel(QAbstractTableModel):
    """The arranged images as cells of a grid, filled row by row.

    A grid rather than a list: a table view opens sixty thousand or a million cells at once, because it lays out
    none that it does not draw. `mask` is the forget set, `earlier` what was forgotten in earlier requests, both over
    the training images, (n,) bool; who sets them has the view drawn again.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._images: Images | None = None
        self.order = np.zeros(0, np.int64)
        self.part = "train"
        self.sorted_by = "data"
        self.columns = 4
        self.mask: np.ndarray | None = None
        self.earlier: np.ndarray | None = None

    def show(self, images: Images | None, part: str, order: np.ndarray, sort: str = "data") -> None:
        """Show images in an order; `sort`: which one that is."""
        self.beginResetModel()
        self._images, self.part, self.order, self.sorted_by = images, part, order, sort
        self.endResetModel()

    def set_columns(self, columns: int) -> None:
        """Lay the images out in so many columns, at least one."""
        if columns != self.columns:
            self.beginResetModel()
            self.columns = columns
            self.endResetModel()

    @property
    def count(self) -> int:
        """Number of images shown."""
        return len(self.order)

    def ids(self, first: int, last: int) -> np.ndarray:
        """Positions in the part of the cells first..last, both included."""
        return self.order[max(0, first) : last + 1]

    def place(self, index: Index) -> int:
        """Which cell, counted from the first, an index is; -1 for one that holds no image."""
        cell = index.row() * self.columns + index.column() if index.isValid() else -1
        return cell if cell < self.count else -1

    def index_of(self, cell: int) -> QModelIndex:
        """The index of a cell."""
        return self.index(*divmod(cell, self.columns))

    def cell_of(self, image: int) -> int:
        """The cell that holds an image, -1 where it is not shown."""
        found = np.flatnonzero(self.order == image)
        return int(found[0]) if len(found) else -1

    def rowCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() else -(-self.count // self.columns)

    def columnCount(self, parent: Index = ROOT) -> int:
        return 0 if parent.isValid() else self.columns

    def flags(self, index: Index) -> Qt.ItemFlag:
        if self.place(index) < 0:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def cell(self, index: Index) -> Cell | None:
        """What is shown of an image; None where a cell holds none."""
        place, images, part = self.place(index), self._images, self.part
        if place < 0 or images is None:
            return None
        image, answers = int(self.order[place]), images.answers(part)
        forget, earlier = (
            part == "train" and mask is not None and image < len(mask) and bool(mask[image])
            for mask in (self.mask, self.earlier)
        )
        wrong = answers is not None and not answers.correct[image]
        doubt = images.doubt(self.sorted_by, image) if part == "train" else ""
        return Cell((part, image), int(images.labels(part)[image]), forget, earlier, wrong, doubt)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> str | None:
        images, told = self._images, role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole)
        cell = self.cell(index) if told else None
        if cell is None or images is None:
            return None
        marks = [tr("To be forgotten")] * cell.forget + [tr("Already forgotten")] * cell.earlier
        marks += [tr("Label, and what is suggested: {doubt}", doubt=cell.doubt)] if cell.doubt else []
        return "\n".join([*marks, images.describe(*cell.key)])
