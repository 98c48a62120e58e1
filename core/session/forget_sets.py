"""Forget sets as users name them: classes, a forget list, a random share of the training images."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from core.data.dataset import Dataset
from core.errors import InputError, UsageError
from core.forget_list import ListMatch, Unmatched, parse_forget_list, read_list_text
from core.selection import Selection, resolve_classes
from core.verify.numbers import count

_NAMED = 3  # entries of a list that a sentence names one by one


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
    selection = selection.with_classes(resolve_classes(classes, dataset.classes))
    if file is None:
        return selection
    match = match_forget_list(file, dataset)
    _say_missing(file.name, match, allow_missing, option, notice)
    if match.in_test:
        names = ", ".join(match.in_test[:_NAMED]) + (", …" if len(match.in_test) > _NAMED else "")
        images, them = ("image is", "it") if len(match.in_test) == 1 else ("images are", "them")
        notice(
            f"{count(len(match.in_test))} {images} in the test part ({names}). "
            f"The model was not trained on {them}, so there is nothing to remove."
        )
    selection = selection.with_samples(match.matched, weights=match.weights)
    if not selection.count:
        raise InputError(f"{file} names no training image of {dataset.title}", "Choose at least one image")
    return selection


def match_forget_list(path: Path, dataset: Dataset) -> ListMatch:
    """Read a forget list and match it against the training images of a data set; raises as `parse_forget_list` does."""
    return parse_forget_list(
        read_list_text(path),
        labels=dataset.train.labels.numpy(),
        class_names=dataset.classes,
        paths=dataset.train.paths,
        test_paths=dataset.test.paths,
    )


def random_selection(dataset: Dataset, share: float, seed: int) -> Selection:
    """Choose a random share (0..1, both excluded) of the training samples. Raises UsageError for another share."""
    if not 0 < share < 1:
        raise UsageError(f"--forget-random takes a share above 0 and below 1, got {share:g}")
    labels = dataset.train.labels.numpy()
    chosen = np.random.default_rng(seed).choice(len(labels), max(1, round(len(labels) * share)), replace=False)
    return Selection.empty(labels, dataset.classes).with_samples(chosen)


def _say_missing(name: str, match: ListMatch, allowed: bool, option: str, notice: Callable[[str], object]) -> None:
    missing = [_unmatched(line) for line in match.unmatched]
    missing += [f"{name!r} (fits several images: name its folder as well)" for name in match.several]
    if not missing:
        return
    fitting = match.entries - len(missing) - len(match.in_test)
    found = f"{count(fitting)} of {count(match.entries)} entries of {name} found"
    if match.in_test:
        found += f", {count(len(match.in_test))} in the test part"
    more = len(missing) - _NAMED
    if not allowed:
        named = ", ".join(missing[:_NAMED]) + (f" and {count(more)} more" if more > 0 else "")
        raise InputError(
            f"{found}. Not found: {named}",
            f"Correct the list, or pass over them with {option}" + (", which names all" if more > 0 else ""),
        )
    if more > 0:
        for text in (f"{found}. Not found:", *missing):
            notice(text)
    else:
        notice(f"{found}. Not found: {', '.join(missing)}.")


def _unmatched(line: Unmatched) -> str:
    why = f"nearest: {' or '.join(line.nearest)}" if line.nearest else line.reason
    return f"line {line.line} {line.text!r}" + (f" ({why})" if why != "not found" else "")
