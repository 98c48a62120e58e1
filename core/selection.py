"""Forget-set algebra: an immutable selection of training samples by class or one by one, its history and its words."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from core.errors import ForgetSetError, InputError, NotFoundError, did_you_mean
from core.files import composed
from core.suspicion import Trigger
from core.text import named

LARGEST_WEIGHT = 1e6  # far below what float32 gradients can hold, far above what anyone means
_NAMES_SHOWN = 3
CORRECTION = "correction"  # the kind of forgetting, in words, where data should not have been as they were
CLASS, SAMPLE = "class", "sample"  # kinds of a forget sample: its whole class goes, or it goes alone


def mode_of(kinds: Collection[str]) -> str:
    """Return the word of files and events for the kinds in a forget set: a kind's own, "mixed" for both, or "empty"."""
    return "mixed" if len(kinds) > 1 else next(iter(kinds), "empty")


@dataclass(frozen=True, eq=False)
class Selection:
    """Which of the training samples are to be forgotten. Every operation returns a new selection.

    mask: (n,) bool, read-only; labels: (n,) int, the class of each sample; weights: (n,) float from 0, how much
    each chosen sample counts, or None where all count the same (unchosen samples have weight 1). similar: (n,) float,
    of samples added for looking like chosen ones the agreement from which they were, 0 of others, or None without any.
    corrective: whether they go because they should not have been as they are (wrong labels, poisoned images); trigger:
    the patch they carry, where it is known. A selection of nothing has neither.
    """

    mask: np.ndarray
    labels: np.ndarray = field(repr=False)
    class_names: tuple[str, ...] = field(repr=False)
    weights: np.ndarray | None = field(default=None, repr=False)
    similar: np.ndarray | None = field(default=None, repr=False)
    corrective: bool = False
    trigger: Trigger | None = None

    def __post_init__(self) -> None:
        labels = np.asarray(self.labels)
        mask = _frozen(self.mask, bool)
        if labels.ndim != 1 or mask.shape != labels.shape:
            raise ValueError(f"mask {mask.shape} and labels {labels.shape} must be one value a sample")
        weights = None
        if self.weights is not None:
            weights = np.where(mask, np.asarray(self.weights, dtype=np.float64), 1.0)
            if not ((weights >= 0) & (weights <= LARGEST_WEIGHT)).all():
                raise ValueError(f"weights must be numbers from 0 to {LARGEST_WEIGHT:g}")
            weights = None if (weights == 1).all() else _frozen(weights, np.float64)
        similar = None if self.similar is None else _frozen(np.where(mask, self.similar, 0.0), np.float64)
        object.__setattr__(self, "similar", None if similar is None or not similar.any() else similar)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "class_names", tuple(self.class_names))
        object.__setattr__(self, "mask", mask)
        object.__setattr__(self, "weights", weights)
        if not mask.any():  # without images nothing is corrected
            object.__setattr__(self, "corrective", False)
            object.__setattr__(self, "trigger", None)

    @classmethod
    def empty(cls, labels: np.ndarray, class_names: Sequence[str]) -> Selection:
        """Return the selection of nothing. labels: (n,) int."""
        return cls(np.zeros(len(labels), dtype=bool), labels, tuple(class_names))

    def with_classes(self, classes: Iterable[int], on: bool = True) -> Selection:
        """Add all samples of `classes` (indices), or take them out."""
        chosen = self._of_classes(classes)
        return self._with_mask(self.mask | chosen if on else self.mask & ~chosen)

    def toggled_classes(self, classes: Iterable[int]) -> Selection:
        """Choose those samples of `classes` (indices) that are not chosen, and the other way round."""
        return self._with_mask(self.mask ^ self._of_classes(classes))

    def with_samples(
        self,
        ids: Iterable[int] | np.ndarray,
        on: bool = True,
        weights: np.ndarray | None = None,
        similar: np.ndarray | float | None = None,
    ) -> Selection:
        """Add the samples `ids` (0-based positions), or take them out; `weights` and `similar` stand beside the ids."""
        rows = self._ids(ids)
        mask = self.mask.copy()
        mask[rows] = on
        columns: dict[str, Any] = {}
        for name, values, usual in (("weights", weights, 1.0), ("similar", similar, 0.0)):
            held = getattr(self, name)
            if values is not None and on:
                columns[name] = np.full(self.total, usual) if held is None else held.copy()
                columns[name][rows] = values
        return replace(self, mask=mask, **columns)

    def toggled(self, ids: Iterable[int] | np.ndarray) -> Selection:
        """Choose those of `ids` that are not chosen, and the other way round."""
        mask = self.mask.copy()
        rows = self._ids(ids)
        mask[rows] = ~self.mask[rows]
        return self._with_mask(mask)

    def correcting(self, corrective: bool = True, trigger: Trigger | None = None) -> Selection:
        """Say whether the samples go because they should not have been as they are, and which patch they carry."""
        return replace(self, corrective=corrective, trigger=trigger if corrective else None)

    def cleared(self) -> Selection:
        """Choose nothing."""
        return Selection.empty(self.labels, self.class_names)

    @property
    def total(self) -> int:
        """Number of training samples."""
        return len(self.mask)

    @cached_property
    def count(self) -> int:
        """Number of chosen samples."""
        return int(np.count_nonzero(self.mask))

    @cached_property
    def indices(self) -> np.ndarray:
        """Positions of the chosen samples, ascending: (count,) int64."""
        return _frozen(np.flatnonzero(self.mask), np.int64)

    @cached_property
    def class_totals(self) -> np.ndarray:
        """Number of training samples of each class: (K,) int64."""
        return _frozen(np.bincount(self.labels, minlength=len(self.class_names)), np.int64)

    @cached_property
    def class_counts(self) -> np.ndarray:
        """Number of chosen samples of each class: (K,) int64."""
        return _frozen(np.bincount(self.labels[self.mask], minlength=len(self.class_names)), np.int64)

    @cached_property
    def complete_classes(self) -> tuple[int, ...]:
        """Classes all of whose samples are chosen; a class without samples is none of them."""
        complete = (self.class_counts == self.class_totals) & (self.class_totals > 0)
        return tuple(np.flatnonzero(complete).tolist())

    @cached_property
    def loose_count(self) -> int:
        """Number of chosen samples outside the complete classes."""
        return self.count - int(self.class_counts[list(self.complete_classes)].sum())

    @cached_property
    def kinds(self) -> frozenset[str]:
        """Which kinds of samples are chosen: CLASS where whole classes are, SAMPLE where single images are."""
        return frozenset(([CLASS] if self.complete_classes else []) + ([SAMPLE] if self.loose_count else []))

    @property
    def mode(self) -> str:
        """The kinds as one word: "empty", "class", "sample" or "mixed"."""
        return mode_of(self.kinds)

    @property
    def similar_count(self) -> int:
        """Number of chosen samples that were added for looking like others."""
        return 0 if self.similar is None else int(np.count_nonzero(self.similar))

    @property
    def similar_from(self) -> float:
        """The lowest agreement from which samples were added for looking like others; 0 where none was."""
        return 0.0 if self.similar is None else float(self.similar[self.similar > 0].min())

    @property
    def packed(self) -> bytes:
        """The mask, eight samples a byte, first sample in the highest bit."""
        return np.packbits(self.mask).tobytes()

    def digest(self) -> str:
        """Return the SHA-256, in hex, of the packed mask."""
        return hashlib.sha256(self.packed).hexdigest()

    def weights_digest(self) -> str:
        """Return the SHA-256, in hex, of the chosen samples' weights; empty where all count the same."""
        if self.weights is None:
            return ""
        return hashlib.sha256(self.weights[self.mask].astype("<f8").tobytes()).hexdigest()

    def require_images(self, classes: Iterable[int]) -> None:
        """Raise ForgetSetError where one of `classes` has no training image, so that nothing could be forgotten."""
        for index in classes:
            if not self.class_totals[index]:
                raise ForgetSetError(
                    f"The class {self.class_names[index]!r} has no training image to forget", "Choose another class"
                )

    def check(self) -> None:
        """Raise ForgetSetError where nothing is chosen, or everything, or nothing of any weight."""
        if not self.count:
            raise ForgetSetError("Choose at least one image")
        if self.count == self.total:
            raise ForgetSetError("At least one class must stay")
        if self.weights is not None and not self.weights[self.mask].any():
            raise ForgetSetError(
                "Every chosen image has weight 0, so nothing would be forgotten", "Give one of them a weight above 0"
            )

    def describe(self) -> str:
        """Return the summary line: what is chosen, how many of how many, and which kind of forgetting that is."""
        if self.mode == "empty":
            return f"Nothing chosen · 0 of {self.total:,}"
        share = format_share(self.count, self.total)
        if self.mode == "sample":
            touched = int(np.count_nonzero(self.class_counts))
            images = f"{_counted(self.count, 'image')} in {_counted(touched, 'class', 'classes')}"
            return f"{images} · {share} of {self.total:,} · {CORRECTION if self.corrective else 'sample forgetting'}"
        names = [named(self.class_names[index]) for index in self.complete_classes]
        what = f"{'class' if len(names) == 1 else 'classes'} {_joined(names)}"
        kind = "class forgetting"
        if self.mode == "mixed":
            singles = _counted(self.loose_count, "single image")
            what, kind = f"{what} and {singles}", "class forgetting + single images"
        kind = CORRECTION if self.corrective else kind
        return f"{what} · {self.count:,} of {self.total:,} ({share}) · {kind}"

    def __len__(self) -> int:
        return self.count

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Selection):
            return NotImplemented
        return (
            self.class_names == other.class_names
            and self.weights_digest() == other.weights_digest()
            and (self.corrective, self.trigger) == (other.corrective, other.trigger)
            and np.array_equal(self.mask, other.mask)
            and (self.labels is other.labels or np.array_equal(self.labels, other.labels))
        )

    __hash__ = None  # type: ignore[assignment]  # compared by content, which is large

    def _with_mask(self, mask: np.ndarray) -> Selection:
        """Return the selection of `mask` with the columns of this one."""
        return replace(self, mask=mask)

    def _of_classes(self, classes: Iterable[int]) -> np.ndarray:
        """Return which samples are of `classes`, (n,) bool; raises ForgetSetError for a class the data has not."""
        table = np.zeros(len(self.class_names), dtype=bool)
        for index in classes:
            if not 0 <= index < len(table):
                raise ForgetSetError(f"There is no class {index}", f"Classes are 0 to {len(table) - 1}")
            table[index] = True
        chosen: np.ndarray = table[self.labels]
        return chosen

    def _ids(self, ids: Iterable[int] | np.ndarray) -> np.ndarray:
        """Return positions of samples as (m,) int64; raises ForgetSetError for one that is none."""
        rows = ids if isinstance(ids, np.ndarray) else np.fromiter(ids, dtype=np.int64)
        if rows.dtype.kind not in "iu" and rows.size:
            raise ForgetSetError(f"Samples are named by whole numbers, got {rows.dtype}")
        rows = rows.astype(np.int64, copy=False).ravel()
        outside = rows[(rows < 0) | (rows >= self.total)]
        if outside.size:
            raise ForgetSetError(f"There is no sample {int(outside[0])}", f"Samples are 0 to {self.total - 1}")
        return rows


def resolve_classes(names_or_indices: Iterable[str | int], class_names: Sequence[str]) -> tuple[int, ...]:
    """Return class indices, each once, for exact class names or indices (a name wins over an index).

    Raises NotFoundError with the nearest names for an unknown one, and InputError where a text is the name of one
    class and the index of another.
    """
    by_name = {composed(name): index for index, name in enumerate(class_names)}
    by_name |= {name: index for index, name in enumerate(class_names)}
    return tuple(dict.fromkeys(_resolve_class(wanted, by_name, class_names) for wanted in names_or_indices))


def format_share(part: int, whole: int) -> str:
    """Return a percentage in words: one decimal, two under 0.1 %; "100 %" and "0 %" only where exact."""
    if part in (0, whole):
        return "0 %" if not part else "100 %"
    percent = 100 * part / whole
    if percent < 0.005:
        return "under 0.01 %"
    if percent < 0.1:
        return f"{percent:.2f} %"
    return "> 99.9 %" if percent >= 99.95 else f"{percent:.1f} %"


def _resolve_class(wanted: str | int, by_name: dict[str, int], class_names: Sequence[str]) -> int:
    """Return the index of one class; raises as `resolve_classes` does."""
    count = len(class_names)
    if isinstance(wanted, int):
        named, numbered = None, wanted
    else:
        named = by_name.get(wanted, by_name.get(composed(wanted)))
        numbered = int(wanted) if wanted.isascii() and wanted.isdecimal() and len(wanted) < 20 else -1
    inside = 0 <= numbered < count
    if named is not None:
        if inside and numbered != named:
            raise InputError(
                f"{wanted!r} is the name of class {named} and the index of class {class_names[numbered]!r}",
                f"Write {named} for the first, or {class_names[numbered]!r} for the second",
            )
        return named
    if inside:
        return numbered
    hint = f"{did_you_mean(str(wanted), class_names)} The data has {count:,} classes, 0 to {count - 1}"
    raise NotFoundError(f"There is no class {wanted!r}", hint)


def _joined(names: list[str]) -> str:
    """Return names as a list in words; of many the first, and how many more there are."""
    if len(names) > _NAMES_SHOWN + 1:
        return f"{', '.join(names[:_NAMES_SHOWN])} and {len(names) - _NAMES_SHOWN:,} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _counted(count: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: "1 image", "2 images"."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def _frozen(array: np.ndarray, dtype: type) -> np.ndarray:
    """Return a read-only array that nobody else can write to."""
    result: np.ndarray = np.asarray(array, dtype=dtype)
    if result.flags.writeable:
        result = result.copy() if result is array else result
        result.setflags(write=False)
    return result
