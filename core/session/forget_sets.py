"""Forget sets: how users name them (classes, lists, folders, columns of a table, a random share), and a run's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.errors import InputError, MismatchError, UsageError, first_few, unknown_name
from core.runs.folder import FORGET, RunFolder
from core.selection import Selection, resolve_classes
from core.session.forget_lists import (
    ListMatch,
    Unmatched,
    match_forget_list,
    names_of,
    read_forget_csv,
    read_list_text,
)
from core.session.naming import Names, column_called, nearest_values
from core.verify.numbers import count, plural

if TYPE_CHECKING:
    from core.data.dataset import Dataset

_NAMED = 3  # entries of a list that a sentence names one by one
_NOT_TRAINED = "The model was not trained on them, so there is nothing to remove"


def named_selection(
    dataset: Dataset,
    classes: Iterable[str | int] = (),
    file: Path | None = None,
    *,
    where: Iterable[str] = (),
    folders: Iterable[str] = (),
    allow_missing: bool = False,
    option: str = "--allow-missing",
    notice: Callable[[str], object] = lambda text: None,
) -> Selection:
    """Return the samples of `classes` (names or indices), of a forget list, of conditions on the columns of a table
    (`where`: COLUMN=VALUE) and in `folders`, together; empty where none is given.

    allow_missing: what matches nothing is passed over; notice gets a sentence on it, on entries of the list that name
    test images, and on what conditions and folders chose. option: what the refusal of a list says to set. Raises the
    AppErrors of what does not match.
    """  # noqa: D205
    selection = Selection.empty(dataset.train.labels.numpy(), dataset.classes)
    chosen = resolve_classes(classes, dataset.classes)
    selection.require_images(chosen)
    selection = selection.with_classes(chosen)
    named = [*((text, samples_where) for text in where), *((text, samples_inside) for text in folders)]
    for text, choose in named:
        try:
            found = choose(dataset, text)
        except InputError as error:
            if not allow_missing:
                raise
            notice(error.text)
            continue
        notice(f"{text}: {plural(len(found), 'image')}{_places(dataset, found)}.")
        selection = selection.with_samples(found)
    if file is None:
        if named and not selection.count:
            raise InputError(f"No training image of {dataset.title} was named", "Choose at least one image")
        return selection
    match = match_forget_list(read_list_text(file), dataset, str(file))
    _say_missing(file.name, match, allow_missing, option, notice)
    if match.in_test:
        entries = "entry names" if len(match.in_test) == 1 else "entries name"
        notice(
            f"{count(len(match.in_test))} {entries} images of the test part ({first_few(match.in_test)}). "
            f"{_NOT_TRAINED}."
        )
    selection = selection.with_samples(match.matched, weights=match.weights, similar=match.similar)
    if not selection.count:
        raise InputError(f"{file} names no training image of {dataset.title}", "Choose at least one image")
    return selection


def samples_where(dataset: Dataset, condition: str) -> np.ndarray:
    """Return the positions (m,) int64 of the training images with COLUMN=VALUE, where VALUE may be a pattern.

    Raises UsageError for what is no condition, InputError where the data has no columns or no image fits, with the
    nearest values, and NotFoundError for another column.
    """
    name, equals, value = (part.strip() for part in condition.partition("="))
    if not equals or not name:
        raise UsageError(f"A condition is COLUMN=VALUE, got {condition!r}", "Write customer=4711, for example")
    columns = dataset.train.columns
    if not columns:
        raise InputError(
            f"The images of {dataset.title} have no columns to choose by",
            "List them in a table (CSV) with path, label and columns of your own",
        )
    column = column_called(name, columns)
    if not column:
        raise unknown_name("column", name, columns)

    def nearest(names: Names) -> str:
        alike = " or ".join(map(repr, nearest_values(names.columns[column], value)))
        return f"Did you mean {alike}?" if alike else f"Its values begin with {names.columns[column][0]!r}"

    def find(names: Names) -> list[int]:
        return names.with_value(column, value) if column in names.columns else []

    return _named(dataset, find, ("have", "has"), f"{column} {value!r}", nearest)


def samples_inside(dataset: Dataset, folder: str) -> np.ndarray:
    """Return the positions (m,) int64 of the training images in a folder of the data, which may be a pattern.

    Raises InputError where there are none, with the nearest folders.
    """
    if not dataset.train.paths:
        raise InputError(
            f"The images of {dataset.title} have no file names, so they lie in no folder",
            "Choose them by class, or by index in a list",
        )

    def nearest(names: Names) -> str:
        alike = " or ".join(names.nearest(f"{folder.rstrip('/')}/"))
        return f"Did you mean {alike}?" if alike else f"Their paths begin like {names.paths[0]}"

    return _named(dataset, lambda names: names.inside(folder), ("lie", "lies"), f"in a folder {folder!r}", nearest)


def _named(
    dataset: Dataset,
    find: Callable[[Names], list[int]],
    verbs: tuple[str, str],
    what: str,
    nearest: Callable[[Names], str],
) -> np.ndarray:
    """Return the positions of the training images that `find` gives; else InputError says what images `have`, `has`."""
    names = names_of(dataset.train, dataset.root)
    if found := find(names):
        return np.array(found, dtype=np.int64)
    if find(names_of(dataset.test, dataset.root)):
        raise InputError(f"Only test images of {dataset.title} {verbs[0]} {what}", _NOT_TRAINED)
    raise InputError(f"No training image of {dataset.title} {verbs[1]} {what}", nearest(names))


def _places(dataset: Dataset, found: np.ndarray) -> str:
    """Return in which folders images lie, in words that follow their number."""
    paths = dataset.train.paths or ()
    folders = dict.fromkeys(paths[index].rpartition("/")[0] for index in found.tolist()) if paths else {}
    return f" in {first_few(folders)}" if any(folders) else ""


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
    mask, weights, similar = read_forget_csv(path, len(labels))
    selection = Selection(mask, labels, dataset.classes, weights, similar, stated.corrective, stated.trigger)
    if (selection.digest(), selection.weights_digest()) != (stated.sha256, stated.weights_sha256):
        raise MismatchError(f"{path} was changed after the run was made", "Put the original list back")
    return selection


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
