"""How a try of a search for settings is judged: by what it should come to on images that no number is taken from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from core.data.batches import ImageStore
from core.data.splits import Splits
from core.engine.outputs import collect
from core.errors import InputError
from core.job import Purpose
from core.metrics.accuracy import accuracy, predictions
from core.metrics.distances import jensen_shannon
from core.models.tap import TappedModel
from core.session.suspects import Stamped
from core.verify.numbers import mean

RETAIN_BOUND = 0.02  # of retain accuracy that a setting may cost where no retrained model says what it costs
BY_REFERENCE = "gap to the retrained reference"
BY_GOAL = "forget accuracy under a bound on retain accuracy"
BY_LABELS = "how many images are given their label under a bound on retain accuracy"
BY_TRIGGER = "the trigger's success under a bound on retain accuracy"
UNTRIED = f"{BY_LABELS}, for there is no unseen image of another class to try the trigger on"


@dataclass(frozen=True)
class Readings:
    """Accuracies, 0..1: on unseen images of classes to keep and to forget, and on single images to forget.

    trigger: which share of unseen images of other classes is called a trigger's, once the patch is on them.
    """

    retain: float
    forget: float | None
    samples: float | None
    trigger: float | None = None


@dataclass(frozen=True, kw_only=True)
class Judgement(Readings):
    """What a model comes to. `score`: smaller is better; `distance`: Jensen-Shannon to the reference, 0..1."""

    distance: float | None
    score: float
    allowed: bool  # retain accuracy within the bound


class Judge:
    """Reads models on the calibration half of the test images, and on the single images to forget.

    With retrained models a model's score is its mean gap to them: of each accuracy, and of its outputs on what is
    forgotten. Without, it is how far accuracy on what is forgotten lies from what is wanted (0 on whole classes, that
    of unseen images on single ones) plus what retain accuracy lost; a loss above RETAIN_BOUND comes after all others.

    In a correction retrained models are no yardstick, for they keep what was not found. Wanted is that a trigger works
    no more often than the original calls images so without it, or, where none can be tried, that no more single images
    are given their label than a retrained model gives, or none. `stamped`: unseen images with the trigger.
    """

    def __init__(
        self,
        splits: Splits,
        train: ImageStore,
        test: ImageStore,
        original: TappedModel,
        retrained: list[TappedModel],
        *,
        purpose: Purpose = "",
        stamped: Stamped | None = None,
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
        self._corrective = purpose in ("labels", "trigger")
        self._stamped = stamped if stamped is not None and len(stamped.ids) else None
        goals = [self._read(model) for model in retrained or [original]]
        self._references = [logits for _, logits in goals] if retrained and not self._corrective else []
        if self._corrective:
            tried = BY_LABELS if stamped is None else UNTRIED
            self.by = BY_TRIGGER if self._stamped is not None else tried
            self.goal = self._corrected(original, [readings for readings, _ in goals if retrained])
            return
        self.by = BY_REFERENCE if retrained else BY_GOAL
        retain, forget, samples = (
            mean(getattr(readings, name) for readings, _ in goals) for name in ("retain", "forget", "samples")
        )
        assert retain is not None
        if not retrained:
            forget = None if forget is None else 0.0
            samples = None if samples is None else retain if splits.has_singles else 0.0
        self.goal = Readings(retain, forget, samples)

    def judge(self, model: TappedModel) -> Judgement | None:
        """Return what a model comes to; None where an output is not a number."""
        readings, logits = self._read(model)
        if bool(torch.isnan(logits).any()):  # minus infinity is a legal logit: a masked class
            return None
        over = [
            reached - wanted
            for reached, wanted in zip(_forgotten(readings), _forgotten(self.goal), strict=True)
            if reached is not None and wanted is not None
        ]
        gaps = [max(0.0, gap) if self._corrective else abs(gap) for gap in over]
        lost = self.goal.retain - readings.retain
        if self._references:
            apart = [jensen_shannon(logits, reference) / math.log(2) for reference in self._references]
            distance = sum(apart) / len(apart)
            gaps = [*gaps, abs(lost), distance]
            return Judgement(**vars(readings), distance=distance, score=sum(gaps) / len(gaps), allowed=True)
        score = sum(gaps) / len(gaps) + max(0.0, lost)
        return Judgement(**vars(readings), distance=None, score=score, allowed=lost <= RETAIN_BOUND)

    def _corrected(self, original: TappedModel, retrained: list[Readings]) -> Readings:
        """Return what a correction should come to."""
        before, _ = self._read(original)
        if self._stamped is not None:
            plain = collect(original, self._test, self._stamped.ids).logits
            return Readings(before.retain, None, None, self._called(plain))
        given = mean(readings.samples for readings in retrained) or 0.0
        forget, samples = (None if value is None else 0.0 for value in (before.forget, before.samples))
        return Readings(before.retain, forget, None if samples is None else given)

    def _called(self, logits: torch.Tensor) -> float:
        """Return which share of images is called the trigger's class. logits: (n, K)."""
        assert self._stamped is not None
        return float((predictions(logits) == self._stamped.trigger.target).float().mean())

    def _read(self, model: TappedModel) -> tuple[Readings, torch.Tensor]:
        """Return a model's accuracies, and its logits on all that is forgotten: (m, K) float32."""
        kept, *forgotten = (
            collect(model, store, ids)
            for store, ids in (
                (self._test, self._splits.calibration),
                (self._test, self._splits.forget_calibration),
                (self._train, self._samples),
            )
        )
        retain, forget, samples = (accuracy(part.logits, part.labels) for part in (kept, *forgotten))
        assert retain is not None
        stamped, success = self._stamped, None
        if stamped is not None:
            success = self._called(collect(model, stamped.store, torch.arange(len(stamped.ids))).logits)
        logits = torch.cat([part.logits for part in forgotten if len(part)])
        return Readings(retain, forget, samples, success), logits


def _forgotten(readings: Readings) -> tuple[float | None, ...]:
    """Return what speaks of what is forgotten."""
    return readings.forget, readings.samples, readings.trigger
