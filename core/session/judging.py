"""Scores the tries of a search: on images no reported number is of, by the gap to retraining or by a goal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from core.data.batches import ImageStore
from core.data.splits import Splits
from core.engine.outputs import collect
from core.errors import InputError
from core.metrics.accuracy import accuracy
from core.metrics.distances import jensen_shannon
from core.models.tap import TappedModel

RETAIN_BOUND = 0.02  # of retain accuracy that a setting may cost where no retrained model says what it costs
BY_REFERENCE = "gap to the retrained reference"
BY_GOAL = "forget accuracy under a bound on retain accuracy"


@dataclass(frozen=True)
class Readings:
    """Accuracies, 0..1: on unseen images of classes to keep and to forget, and on single images to forget."""

    retain: float
    forget: float | None
    samples: float | None


@dataclass(frozen=True)
class Judgement:
    """What a model comes to. `score`: smaller is better; `distance`: Jensen-Shannon to the reference, 0..1."""

    readings: Readings
    distance: float | None
    score: float
    allowed: bool  # retain accuracy within the bound


class Judge:
    """Reads models on the calibration half of the test images, and on the single images to forget.

    With retrained models a model's score is its mean gap to them: of each accuracy, and of its outputs on what is
    forgotten. Without, it is how far accuracy on what is forgotten lies from what is wanted (0 on whole classes, that
    of unseen images on single ones) plus what retain accuracy lost; a loss above RETAIN_BOUND comes after all others.
    """

    def __init__(
        self, splits: Splits, train: ImageStore, test: ImageStore, original: TappedModel, retrained: list[TappedModel]
    ) -> None:
        """Raises InputError where the test part is too small to have a calibration half."""
        if not len(splits.calibration):
            raise InputError(
                f"There are too few test images to search for settings: {len(splits.test_labels):,}, and half of them "
                "must stay unseen",
                "Choose settings by hand, or use data with at least 40 test images",
            )
        self._train, self._test, self._splits = train, test, splits
        self._samples = splits.forget_single_train
        if not len(self._samples) and not len(splits.forget_calibration):
            self._samples = splits.forget_train  # a class without an unseen image
        self._references: list[torch.Tensor] = []
        read = [self._read(model) for model in retrained or [original]]
        goals = [readings for readings, _ in read]
        self.retrained = bool(retrained)
        retain = _mean([goal.retain for goal in goals])
        assert retain is not None
        if self.retrained:
            self._references = [logits for _, logits in read]
            self.goal = Readings(retain, _mean([g.forget for g in goals]), _mean([g.samples for g in goals]))
        else:
            wanted = retain if splits.has_singles else 0.0
            have = goals[0]
            self.goal = Readings(retain, None if have.forget is None else 0.0, None if have.samples is None else wanted)

    @property
    def by(self) -> str:
        """In words, what models are judged by."""
        return BY_REFERENCE if self.retrained else BY_GOAL

    def judge(self, model: TappedModel) -> Judgement | None:
        """Return what a model comes to; None where an output is not a number."""
        readings, logits = self._read(model)
        if bool(torch.isnan(logits).any()):  # minus infinity is a legal logit: a masked class
            return None
        forgotten = [
            abs(is_ - wanted)
            for is_, wanted in ((readings.forget, self.goal.forget), (readings.samples, self.goal.samples))
            if is_ is not None and wanted is not None
        ]
        if self.retrained:
            apart = [jensen_shannon(logits, reference) / math.log(2) for reference in self._references]
            distance = sum(apart) / len(apart)
            gaps = [*forgotten, abs(readings.retain - self.goal.retain), distance]
            return Judgement(readings, distance, sum(gaps) / len(gaps), True)
        lost = max(0.0, self.goal.retain - readings.retain)
        return Judgement(readings, None, sum(forgotten) / len(forgotten) + lost, lost <= RETAIN_BOUND)

    def _read(self, model: TappedModel) -> tuple[Readings, torch.Tensor]:
        """Return accuracies, and the logits on all that is forgotten."""
        retain = collect(model, self._test, self._splits.calibration)
        parts = [
            collect(model, store, ids)
            for store, ids in ((self._test, self._splits.forget_calibration), (self._train, self._samples))
        ]
        forget, samples = (accuracy(part.logits, part.labels) if len(part) else None for part in parts)
        kept = accuracy(retain.logits, retain.labels)
        assert kept is not None
        return Readings(kept, forget, samples), torch.cat([part.logits for part in parts if len(part)])


def _mean(numbers: Sequence[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return sum(known) / len(known) if known else None
