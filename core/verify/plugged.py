"""Measures of installed packages: pure functions of what a model says of four sets of images.

They stand in a report beside the program's own, and no verdict rests on them. One that fails on a model is left without
a value there, and says why.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal, get_args

import torch

from core import entry_points
from core.data.splits import Splits
from core.engine.outputs import FullOutputs
from core.entry_points import Offered
from core.events import LARGEST
from core.models.tap import SetOutputs
from core.verify.suite import Subject
from core.verify.table import Unit

Better = Literal["higher", "lower", "as retrained"]


class ModelOutputs:
    """What a measure reads of one model: its outputs on four sets of images, and what the forget set is.

    Each set has `logits` (n, K) and `features` (n, C), float32 on the CPU, and `labels` (n,) int64. They are copies,
    read when they are asked for: a measure may change them. `forget_test` is empty where no whole class goes.
    """

    def __init__(self, subject: Subject) -> None:
        self._sets = subject.sets
        self.forget_classes: tuple[int, ...] = subject.splits.forget_classes
        self.num_classes: int = subject.splits.num_classes

    @cached_property
    def retain(self) -> SetOutputs:
        """Training images that stay."""
        return _copied(self._sets["retain_train"])

    @cached_property
    def forget(self) -> SetOutputs:
        """Training images to forget."""
        return _copied(self._sets["forget_train"])

    @cached_property
    def retain_test(self) -> SetOutputs:
        """Unseen images of the classes that stay."""
        return _copied(self._sets["retain_test"])

    @cached_property
    def forget_test(self) -> SetOutputs:
        """Unseen images of the classes that go."""
        return _copied(self._sets["forget_test"])


@dataclass(frozen=True)
class ModelMeasure:
    """A measure of one model: its card, and how it is taken.

    title: as a table's row shows it, with the unit ("Entropy on forget, nats"). unit: how values are written; those of
    "percent" are 0..1. `take` gives a number, or None where there is none for this forget set; it reads what it is
    given and nothing else, so that the same outputs give the same value.
    """

    id: str
    title: str
    explanation: str
    better: Better
    take: Callable[[ModelOutputs], float | None]
    unit: Unit = "number"


@cache
def plugged() -> Offered[ModelMeasure]:
    """Return the measures of installed packages, loaded at the first call, and which are left out for what reason."""
    return entry_points.offered(entry_points.MEASURES, ModelMeasure, faults)


def declared() -> list[dict[str, Any]]:
    """Return what a report says of these measures, so that it can be read where their packages are not installed."""
    return [
        {
            "id": name, "title": measure.title, "explanation": measure.explanation, "better": measure.better,
            "unit": measure.unit, "package": str(plugged().origins[name]),
        }
        for name, measure in plugged().found.items()
    ]  # fmt: skip


def titles() -> list[str]:
    """Return their names in progress lines."""
    return [measure.title for measure in plugged().found.values()]


def take(full: FullOutputs, splits: Splits, say: Callable[[str], object]) -> dict[str, Any]:
    """Take all of them of a model: `plugins` with value and reason by id; nothing where there are none.

    `say` is told the title of each before it is taken, and may raise to interrupt. They are never found again: nobody
    knows whether the code of a package has changed.
    """
    taken: dict[str, dict[str, Any]] = {}
    for name, measure in plugged().found.items():
        say(measure.title)
        try:
            taken[name] = {"value": value_of(measure, ModelOutputs(Subject(full, splits)))}
        except Exception as error:  # the code of others may raise anything; the report says so
            said = " ".join(str(error).split())
            taken[name] = {"value": None, "reason": f"It failed: {type(error).__name__}: {said}".rstrip(" .:") + "."}
    return {"plugins": taken} if taken else {}


def value_of(measure: ModelMeasure, outputs: ModelOutputs) -> float | None:
    """Return what a measure gives, None where it has no value. Raises ValueError for what is no finite number.

    Random numbers that it draws with torch leave those of others as they were.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        found = measure.take(outputs)
    if found is None:
        return None
    value = float(found)
    if not math.isfinite(value) or abs(value) > LARGEST:
        raise ValueError(f"it gave {value}, which is no number to be shown")
    return value


def faults(measure: ModelMeasure) -> list[str]:
    """Return what is wrong with a measure's record, a clause each; empty where nothing is."""
    return list(_faults(measure))


def _faults(measure: ModelMeasure) -> Iterator[str]:
    texts: Mapping[str, object] = {name: getattr(measure, name) for name in ("id", "title", "explanation")}
    for name, text in texts.items():
        if not isinstance(text, str) or not text.strip():
            yield f"{name} must be a text"
    if not str(measure.explanation).endswith("."):
        yield "its explanation is no sentence"
    for name, allowed in (("better", get_args(Better)), ("unit", get_args(Unit))):
        if getattr(measure, name) not in allowed:
            yield f"{name} must be one of {', '.join(allowed)}"
    if not callable(measure.take):
        yield "take must be a function"


def _copied(outputs: SetOutputs) -> SetOutputs:
    """Return a set's outputs as tensors of their own, where they lie in a file as well."""
    logits, features = (table[:].to(torch.float32, copy=True) for table in (outputs.logits, outputs.features))
    return SetOutputs(logits, features, outputs.labels.clone())
