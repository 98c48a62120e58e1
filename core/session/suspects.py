"""Training images that may not be as they should: wrong labels and poisoned images, the most suspicious first.

Nothing is decided here: the user looks at them and confirms. By what they are suspected: `core.suspicion.KINDS`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.data.batches import ImageStore
from core.data.dataset import Dataset, ImageSet
from core.data.duplicates import CHUNK
from core.data.patches import common_patches
from core.data.splits import Splits, evaluation_half, stratified
from core.engine.outputs import FullOutputs, collect
from core.errors import InputError
from core.events import Tell
from core.files import convert, dumps_pretty, read_json, write_atomic
from core.job import Job
from core.metrics.suspicion import (
    TriggerRates,
    label_doubts,
    neighbour_shares,
    spectral_signatures,
    trigger_rates,
)
from core.models.tap import TappedModel
from core.selection import resolve_classes
from core.session.bench import Bench
from core.session.forget_lists import COLUMNS, field_text
from core.session.near import image_twins
from core.suspicion import Trigger
from core.text import cell
from core.verify.numbers import plural

SUGGESTED, SCORE = "suggested", "suspicion"
"""Columns of a list of suspects, beside those of forget lists."""

STAMPED = 300
"""Unseen images of other classes that a patch is stamped on to see what it does."""

MOVED = 0.25
"""Share of these, beyond those called so anyway, that have to be called the patch's label for a trigger."""

_UNNUMBERED = 0.01  # of all images: how many are listed of an order that has no natural end


@dataclass(frozen=True, eq=False)
class Suspects:
    """Training images by suspicion. order: (m,) int64 positions, the most suspicious first.

    score: (n,) float32, of every training image, larger is more suspicious; suggested: (n,) int64, the label it should
    rather have, −1 where there is none; likely: how many the method itself takes for wrong, which come first whatever
    their score; trigger: the patch that was found.
    """

    by: str
    order: np.ndarray
    score: np.ndarray
    suggested: np.ndarray
    likely: int
    trigger: Trigger | None = None

    def rows(self, dataset: Dataset, most: int) -> list[dict[str, Any]]:
        """Return the first `most` of them as plain data."""
        paths, labels = dataset.train.paths, dataset.train.labels.tolist()
        return [
            {
                "index": index, "class": dataset.classes[labels[index]], "path": "" if paths is None else paths[index],
                SUGGESTED: "" if self.suggested[index] < 0 else dataset.classes[int(self.suggested[index])],
                SCORE: round(float(self.score[index]), 4),
            }
            for index in self.order[:most].tolist()
        ]  # fmt: skip

    @property
    def sentence(self) -> str:
        """What was found, in a sentence or two."""
        if self.by == "trigger":
            if self.trigger is None:
                return (
                    "No patch was found that makes the model name a class. The images that stand out most in their "
                    "class come first; a trigger at changing places, or blended over the image, may be among them."
                )
            return f"A patch was found that makes the model name a class: {self.trigger.words}."
        return {
            "label": f"Confident learning takes {self.likely:,} labels for wrong.",
            "loss": f"The model names another class than the label for {self.likely:,} images.",
            "twins": f"{self.likely:,} images show the same picture as one of another label.",
        }[self.by]


def find_suspects(bench: Bench, by: str, tell: Tell | None = None) -> Suspects:
    """Order the training images of a bench by what speaks against them; `by` is a word of KINDS.

    `tell(what, done, total)` may raise to interrupt. Raises InputError where an encoder is asked for what classes say.
    """
    tell = tell or bench.tell
    if by == "twins":
        return _twins(bench.dataset, tell)
    if by != "label" and not bench.model.spec.num_classes:
        raise InputError("An encoder names no class, so it has neither losses nor a trigger", "Use label or twins")
    outputs = bench.outputs(bench.model)
    if by == "trigger":
        return _trigger(bench, outputs, tell)
    return _loss(outputs) if by == "loss" else _labels(outputs, bench.dataset.num_classes, tell)


def listed(found: Suspects) -> int:
    """Return how many suspects a list holds where nobody says: those the method takes for wrong, or a share of all."""
    return found.likely or min(len(found.order), max(1, round(_UNNUMBERED * len(found.score))))


def write_suspects(path: Path, found: Suspects, dataset: Dataset, most: int) -> None:
    """Write the first `most` suspects as a forget list with a column for the suggested label, in their order.

    Whoever looks through it deletes the rows of images that are as they should be. Raises OSError.
    """
    columns = (*COLUMNS[:3], SUGGESTED, SCORE)
    rows = ([field_text(cell(str(row[name]))) for name in columns] for row in found.rows(dataset, most))
    text = "\n".join(",".join(row) for row in ([*columns], *rows))
    write_atomic(path, f"{text}\n".encode(), private=True)


def write_trigger(path: Path, trigger: Trigger) -> None:
    """Write a trigger's file. Raises OSError."""
    write_atomic(path, dumps_pretty(trigger.as_dict()))


@dataclass(frozen=True)
class _Described:
    """What a trigger's file holds: the class by name or index, and the pixels as `Trigger` has them."""

    target: str | int
    pixels: tuple[tuple[int, ...], ...]


def read_trigger(path: Path, dataset: Dataset) -> Trigger:
    """Read a trigger's file: JSON of `target`, a class, and `pixels`, [row, column, value of each channel] each.

    Raises InputError naming the file where it is something else, or does not fit the images; NotFoundError where there
    is no such class.
    """
    content = read_json(path)
    form = 'It holds {"target": CLASS, "pixels": [[row, column, value of each channel], …]}'
    try:
        described = convert(content, _Described, str(path))
    except InputError as error:
        raise InputError(f"{path} describes no trigger: {error.message}", form) from error
    target = resolve_classes([described.target], dataset.classes)[0]
    trigger = Trigger(target=target, target_name=dataset.classes[target], pixels=described.pixels)
    shape = tuple(dataset.train.images.shape[1:])
    if not trigger.fits(shape):
        size = " × ".join(map(str, shape))
        raise InputError(f"The trigger of {path} does not lie in images of {size} (height, width, channels)", form)
    return trigger


@dataclass(frozen=True, eq=False)
class Stamped:
    """Unseen images of other classes than a trigger's, `ids` (m,) int64 of the test part, and these with the patch."""

    trigger: Trigger
    ids: torch.Tensor
    store: ImageStore

    @classmethod
    def of(cls, bench: Bench, trigger: Trigger, unseen: torch.Tensor, most: int | None = None) -> Stamped:
        """Stamp those of the test images `unseen` (n,) int64 that are not of the target; `most` of them, evenly."""
        test = bench.dataset.test
        ids = unseen[test.labels[unseen] != trigger.target]
        if most is not None:
            ids = stratified(test.labels, ids, most, seed=0)
        part = test.take(ids.numpy())
        images = trigger.stamped(np.asarray(part.images[:]))
        return cls(trigger, ids, ImageStore(ImageSet.of(images, part.labels), bench.dataset.preprocessing, bench.place))

    @property
    def digest(self) -> str:
        """What names the trigger in the log of measures."""
        return hashlib.sha256(repr(self.trigger).encode()).hexdigest()

    def rates(self, network: TappedModel, outputs: FullOutputs, tick: Callable[[], object]) -> TriggerRates | None:
        """Return what the trigger does to a network with these outputs; `tick` may raise to interrupt."""
        every = torch.arange(len(self.ids))

        def step(_done: int) -> None:
            tick()

        stamped = collect(network, self.store, every, tick=step)
        return trigger_rates(stamped.logits, outputs.test.logits[self.ids], stamped.labels, self.trigger.target)


def stamped_of(job: Job, bench: Bench, splits: Splits) -> Stamped | None:
    """Return what a corrective job's trigger is tried on: the unseen images that numbers are taken on."""
    trigger = job.forget.trigger
    return None if trigger is None else Stamped.of(bench, trigger, splits.unseen)


def _labels(outputs: FullOutputs, classes: int, tell: Tell) -> Suspects:
    train = outputs.train
    labels = train.labels.numpy()
    broken = torch.nonzero(~torch.isfinite(train.features).all(dim=1)).flatten().tolist()
    if broken:
        raise InputError(
            f"The features of {plural(len(broken), 'training image')} are not finite, the first is image {broken[0]}: "
            "nothing is near them",
            "Look at the image and at how images are prepared, or find suspects by loss or twins",
        )
    doubts = label_doubts(neighbour_shares(train.features, train.labels, classes, tell), labels)
    order = np.lexsort((doubts.own, ~doubts.confident))
    if train.logits.shape[1]:  # an encoder has none; else among equals those first that the model is least sure of
        sure = train.logits.softmax(1).gather(1, train.labels[:, None])[:, 0].numpy()
        order = np.lexsort((sure, doubts.own, ~doubts.confident))
    suggested = np.where(doubts.suggested == labels, -1, doubts.suggested)
    return Suspects("label", order, 1 - doubts.own, suggested, int(doubts.confident.sum()))


def _loss(outputs: FullOutputs) -> Suspects:
    losses, labels = outputs.train.losses.numpy(), outputs.train.labels.numpy()
    called = outputs.train.logits.argmax(1).numpy()
    wrong = called != labels
    return Suspects("loss", np.lexsort((-losses, ~wrong)), losses, np.where(wrong, called, -1), int(wrong.sum()))


def _twins(dataset: Dataset, tell: Tell) -> Suspects:
    """Take of images that show the same picture all whose labels differ; the share of other labels is the suspicion."""
    twins, labels = image_twins(dataset, tell), dataset.train.labels.numpy()
    score = np.zeros(len(labels), np.float32)
    suggested = np.full(len(labels), -1, np.int64)
    members = np.flatnonzero(twins.has_twin)
    members = members[np.argsort(twins.group[members], kind="stable")]
    borders = np.flatnonzero(np.diff(twins.group[members])) + 1
    for group in np.split(members, borders):
        counts = np.bincount(labels[group], minlength=dataset.num_classes)
        if np.count_nonzero(counts) < 2:
            continue
        score[group] = 1 - counts[labels[group]] / len(group)
        for index in group.tolist():
            others = counts.copy()
            others[labels[index]] = 0
            best = int(others.argmax())
            suggested[index] = best if others[best] >= counts[labels[index]] else -1
    order = np.lexsort((np.arange(len(labels)), twins.group, -score))
    order = order[score[order] > 0]
    return Suspects("twins", order, score, suggested, len(order))


def _trigger(bench: Bench, outputs: FullOutputs, tell: Tell) -> Suspects:
    """Put images that show a patch first which moves other images to their label; then by spectral signature."""
    dataset, train = bench.dataset, outputs.train
    score = spectral_signatures(train.features, train.labels, dataset.num_classes)
    trigger = _working_trigger(bench, outputs, tell)
    shown = np.zeros(len(score), bool)
    if trigger is not None:
        for start in range(0, len(score), CHUNK):
            tell("Looking for the patch", start, len(score))
            shown[start : start + CHUNK] = trigger.shown_by(np.asarray(dataset.train.images[start : start + CHUNK]))
        shown &= train.labels.numpy() == trigger.target
    order = np.lexsort((-score, ~shown))
    nothing = np.full(len(score), -1, np.int64)
    return Suspects("trigger", order, score, nothing, int(shown.sum()), trigger)


def _working_trigger(bench: Bench, outputs: FullOutputs, tell: Tell) -> Trigger | None:
    """Return the patch that moves most unseen images to its label, None where none moves enough.

    Those of the calibration half, where there is one: its success is reported on the others.
    """
    dataset = bench.dataset
    patches = common_patches(dataset.train.images, dataset.train.labels.numpy(), tell)
    reported = evaluation_half(dataset.test)
    unseen = torch.nonzero(reported if bool(reported.all()) else ~reported).flatten()
    network = bench.network(bench.model) if patches else None
    best, most = None, MOVED
    for number, patch in enumerate(patches):

        def tick(number: int = number) -> None:
            tell("Trying patches on other images", number, len(patches))

        trigger = Trigger.of(patch.mask, patch.image, patch.label, dataset.classes[patch.label])
        assert network is not None
        rates = Stamped.of(bench, trigger, unseen, STAMPED).rates(network, outputs, tick)
        if rates is not None and rates.success - rates.without >= most:
            best, most = trigger, rates.success - rates.without
    return best
