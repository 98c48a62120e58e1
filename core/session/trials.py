"""Trying what nobody stated: the networks that fit a model's weights, and the usual preparations, on training images.

Two things decide what a network says of an image and stand in no weights: how its layers compute (strides, poolings,
activations), and how the image is prepared.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from core.data.candidates import usual_candidates
from core.data.dataset import Dataset
from core.data.preprocessing import PHOTO_SIDE, Preprocessing
from core.data.stated import read_stated
from core.errors import InputError
from core.events import Tell
from core.metrics.accuracy import confusion_matrix
from core.models.architectures import ModelSpec, Size, build_on_meta, get_architecture, put, signature
from core.models.card import usual_preprocessing
from core.models.checkpoint import OpenedModel
from core.models.recognise import around
from core.models.tap import TappedModel, evaluating
from core.session.attempts import WIDE_BELOW, Attempt, Trial
from core.session.caveats import ClassOrder, order_of_least_loss
from core.session.first_norm import FirstNorm, ReachedError

HALF = 160
"""Training images that the best is chosen by, and as many others that its accuracy is shown on."""

ROUNDS = (32, 80, HALF)
"""Images of the first half after which what is clearly worse than the best is tried no further."""

CLEARLY = 3.0
"""Standard errors of the mean difference in loss, image by image, from which one attempt is clearly worse."""

MISFIT_RATIO, MISFIT_LEAST = 1.5, 0.05
"""How many times the best's misfit, and by how much at least, speaks against another mean and std."""

WIDE_GAIN = 0.1
"""Accuracy on training images that a seldom changed setting of a network must add to be taken."""

FEW = 24
"""Pairs of a network and a preparation up to which all are tried on many images."""

NORM_LOOK, NORM_FITS = 24, 0.6
"""Images that show which means and deviations fit the first batch norm, and the misfit up to which it says so."""

ORDER_LOOK = 6
"""Images of each class that an order of classes is fitted on at least, where there are so many."""

MANY = 8
"""Networks above which sizes are narrowed down with the most usual of them."""

FIRST_LOOK, SECOND_LOOK = (6, 3), (16, 8)
"""Images and pairs left of the looks that narrow down more: at networks and sizes, and at the ways to these sizes."""

LARGEST_WORK = 8e9
"""Operations for one image above which a network of several that fit is not tried at a size: nobody trains that."""

_NORMS = (torch.nn.BatchNorm2d, torch.nn.GroupNorm, torch.nn.LayerNorm)
_FAR = 0.9  # between values of black or white pixels under two preparations
_CHUNK = 64  # images in one pass

Networks = Callable[[ModelSpec], TappedModel]
Pair = tuple[ModelSpec, Preprocessing]


@dataclass(eq=False)
class _Running:
    """An attempt while it is being made: logarithms of probabilities (n, K), loss, correctness and answer so far.

    fitted_on: images that the order of classes is fitted on, in which its losses are least; 0: they are in order.
    """

    network: ModelSpec
    preprocessing: Preprocessing
    fitted_on: int = 0
    misfit: float | None = None
    labels: torch.Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))
    answers: torch.Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))
    logs: torch.Tensor = field(default_factory=lambda: torch.zeros(0))
    losses: torch.Tensor = field(default_factory=lambda: torch.zeros(0))

    def add(self, logits: torch.Tensor, labels: torch.Tensor, misfit: float | None) -> None:
        """Add the network's logits (n, K) for images with these labels (n,), and how its norm fits them."""
        self.labels, self.answers = torch.cat([self.labels, labels]), torch.cat([self.answers, logits.argmax(1)])
        logs = logits.log_softmax(1).nan_to_num(nan=-1e9)
        self.logs = torch.cat([self.logs, logs]) if len(self.logs) else logs
        self.order = torch.arange(logs.shape[1])  # output by output, a class of the data
        if self.fitted_on:
            self.order = order_of_least_loss(self.logs[: self.fitted_on], self.labels[: self.fitted_on])
        meant = self.order.argsort()[self.labels]
        self.losses, self.right = -self.logs.gather(1, meant[:, None])[:, 0], self.answers == meant
        self.misfit = misfit

    @property
    def loss(self) -> float:
        """The mean loss; infinite where it could not run on such images."""
        return float(self.losses.mean()) if len(self.losses) else math.inf

    def clearly_worse(self, best: _Running) -> bool:
        """Whether its loss exceeds the best's by more than chance lets it, image by image."""
        if len(self.losses) < len(best.losses):
            return True
        differences = self.losses - best.losses
        error = float(differences.std(unbiased=False)) / math.sqrt(max(1, len(differences)))
        return float(differences.mean()) > CLEARLY * error

    def fits_worse(self, best: _Running) -> bool:
        """Whether the statistics of its first batch norm say that it is not what the network was trained with."""
        if self.misfit is None or best.misfit is None:
            return False
        return self.misfit > MISFIT_RATIO * best.misfit and self.misfit - best.misfit > MISFIT_LEAST

    def class_order(self, half: int) -> ClassOrder | None:
        """Return the order of classes fitted on the first half, judged on the other; None where none was fitted."""
        if not self.fitted_on or not len(self.answers[half:]):
            return None
        confusion = confusion_matrix(self.answers[half:], self.labels[half:], len(self.order)).numpy()
        return ClassOrder(tuple(self.order.tolist()), confusion, "training")

    def attempt(self, half: int, best: _Running) -> Attempt:
        """Return what came of it; half: images in the half that the best was chosen by."""
        first, second = self.right[:half].float(), self.right[half:].float()
        rival = not (
            self is best or self.clearly_worse(best) or self.fits_worse(best) or torch.equal(self.answers, best.answers)
        )
        shown = float(second.mean()) if len(second) else None
        return Attempt(
            self.network, self.preprocessing, float(first.mean()), len(first), shown, rival, self.misfit
        )


@dataclass(eq=False)
class _Search:
    """Trying pairs of a network and a preparation on training images of a data set.

    build: makes the network of a spec with its weights on the device. Which images are taken depends on their number
    alone: one half chooses, on the other accuracies are shown. any_order: each attempt is judged in the order of
    classes that suits it best, so that what is tried is told apart where the data has another order than the outputs.
    left_out: pairs that looks at few images left out for their number alone, not because they are clearly worse.
    """

    dataset: Dataset
    build: Networks
    device: torch.device
    tell: Tell
    any_order: bool = False
    left_out: list[Pair] = field(default_factory=list)
    _built: dict[ModelSpec, TappedModel] = field(default_factory=dict)
    _kept: tuple[Any, torch.Tensor] | None = None  # the images taken last, and what they are
    _passed: dict[tuple[Any, ...], tuple[torch.Tensor | None, float | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        order = np.random.default_rng(0).permutation(len(self.dataset.train))[: 2 * HALF]
        self.half = (len(order) + 1) // 2
        self._order = order

    def full(self, pairs: Sequence[Pair], networks: int, preparations: int) -> Trial | None:
        """Try pairs, the most usual first, on more and more images; None where none can run on them.

        What has clearly more loss than the best is tried no further. Of those that neither the losses tell apart, nor
        the statistics in the network's first batch norm, the most usual is taken for the best.
        """
        running, done = self._started(pairs), 0
        alive = running
        rounds = {self._enough(stop) for stop in ROUNDS}
        for stop in (*sorted(rounds), len(self._order)):
            self._run(alive, done, stop)
            alive, done = _promising(alive), stop
        if not len(alive[0].losses):
            return None
        closest = min(alive, key=lambda one: math.inf if one.misfit is None else one.misfit)
        best = next(one for one in running if one in alive and not one.fits_worse(closest))
        ranked = sorted(running, key=lambda one: (one is not best, -len(one.losses), one.loss))
        attempts = [one.attempt(self.half, best) for one in ranked if len(one.losses)]
        order = best.class_order(self.half)
        return Trial(tuple(attempts), len(self._order) - self.half, networks, preparations, order)

    def quick(self, pairs: Sequence[Pair], images: int, most: int) -> list[Pair]:
        """Return at most so many of these pairs, those with the least loss on a few images."""
        running = self._started(pairs)
        self._run(running, 0, self._enough(images))
        promising = [(one.network, one.preprocessing) for one in _promising(running)]
        self.left_out += promising[most:]
        return promising[:most]

    def confirmed(self, network: ModelSpec, preparations: Sequence[Preprocessing]) -> Sequence[Preprocessing]:
        """Return the preparations whose mean and std fit the network's first batch norm; all where that says nothing.

        Its statistics hardly depend on the size of images or on strides, and reaching it is a small part of a pass.
        """
        first = preparations[0]
        same_way = [one for one in preparations if (one.steps, one.size) == (first.steps, first.size)]
        running = [_Running(network, one) for one in same_way]
        self._run(running, 0, min(NORM_LOOK, self.half), norm_alone=True)
        best = min(running, key=lambda one: math.inf if one.misfit is None else one.misfit)
        if best.misfit is None or best.misfit > NORM_FITS:
            return preparations
        values = {(one.preprocessing.mean, one.preprocessing.std) for one in running if not one.fits_worse(best)}
        return [one for one in preparations if (one.mean, one.std) in values]

    def _started(self, pairs: Sequence[Pair]) -> list[_Running]:
        return [_Running(*pair, fitted_on=self.half if self.any_order else 0) for pair in pairs]

    def _enough(self, images: int) -> int:
        """Return how many images of the first half to look at: more where an order of classes is fitted on them."""
        return min(max(images, ORDER_LOOK * self.dataset.num_classes if self.any_order else 0), self.half)

    def _run(self, running: list[_Running], start: int, stop: int, *, norm_alone: bool = False) -> None:
        """Add the answers to some images in the order, or only the norm's misfit; what cannot run there has none."""
        ids = self._order[start:stop]
        if not len(ids):
            return
        labels = self.dataset.train.labels[torch.from_numpy(ids)]
        # One geometry after the other, so that each image is decoded once for all that differ in values alone.
        for number, one in enumerate(sorted(running, key=lambda one: repr(_plain(one.preprocessing)))):
            self.tell("Trying what the model was trained with", number, len(running))
            key = (one.network, one.preprocessing, start, stop, norm_alone)
            if key not in self._passed:
                self._passed[key] = self._pass(one.network, one.preprocessing, ids, norm_alone)
            logits, misfit = self._passed[key]
            if logits is not None:
                one.add(logits, labels, misfit)
            elif norm_alone:
                one.misfit = misfit

    def _pass(
        self, network: ModelSpec, prepared: Preprocessing, ids: np.ndarray, norm_alone: bool
    ) -> tuple[torch.Tensor | None, float | None]:
        """Return logits (n, K) for training images, None where it cannot run or is not to; and the norm's misfit."""
        try:
            if network not in self._built:  # looked at on images of this size, which may be much smaller
                self._built[network] = self.build(dataclasses.replace(network, input_size=prepared.size))
            tapped = self._built[network]
            images = self._pixels(_plain(prepared), ids)
            mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (prepared.mean, prepared.std))
            with evaluating(tapped.module), torch.no_grad(), FirstNorm(tapped.module, norm_alone) as norm:
                parts = ((images - mean) / std).split(_CHUNK)
                logits = torch.cat([tapped(part.to(self.device)).logits.float().cpu() for part in parts])
        except ReachedError:
            return None, norm.misfit
        except Exception:  # a network may raise anything on images it was not made for
            return None, None
        return logits, norm.misfit

    def _pixels(self, plain: Preprocessing, ids: np.ndarray) -> torch.Tensor:
        """Return training images (n, C, H, W), values 0..1; those taken last are kept."""
        key = (plain, ids.tobytes())
        if self._kept is None or self._kept[0] != key:
            self._kept = (key, self.dataset.prepared(ids, plain))
        return self._kept[1]


def _promising(running: list[_Running]) -> list[_Running]:
    """Return what is not clearly worse than the best, least loss first."""
    ranked = sorted(running, key=lambda one: one.loss)
    return [one for one in ranked if one is ranked[0] or not one.clearly_worse(ranked[0])]


def worth_trying(model: OpenedModel, dataset: Dataset, stated: str) -> tuple[Preprocessing, ...]:
    """Return the preparations worth trying for a model on a data set; stated: a file that says a part of it, or ""."""
    spec = model.spec
    return usual_candidates(
        dataset,
        channels=channels_of(model),
        size=_fixed_size(spec, dataset),
        published=model.file.preprocessing or usual_preprocessing(spec),
        stated=read_stated(Path(stated)) if stated else None,
    )


def channels_of(model: OpenedModel) -> int | None:
    """Return how many channels a network takes; None where its weights do not tell, as of one that flattens images."""
    return model.spec.in_channels if any(value.ndim == 4 for value in model.state_dict.values()) else None


def never_trained(state_dict: Mapping[str, torch.Tensor]) -> bool:
    """Whether a network has batch norms and all of them are as they are made: no image ever passed in training."""
    means = [value for key, value in state_dict.items() if key.endswith("running_mean")]
    return bool(means) and not any(bool(value.any()) for value in means)


def _fixed_size(spec: ModelSpec, dataset: Dataset) -> Size | None:
    """Return the size of images that weights are made for, None where any goes; the stored one where they take it."""
    if spec.user_code or not get_architecture(spec.architecture).size_is_structural:
        return None
    stored, _ = dataset.stored_sizes.most_common(1)[0]
    try:
        fits = signature(dataclasses.replace(spec, input_size=stored)) == signature(spec)
    except InputError:
        fits = False
    return stored if fits else spec.input_size


def find_out(
    model: OpenedModel,
    dataset: Dataset,
    preparations: Sequence[Preprocessing],
    build: Callable[[OpenedModel], TappedModel],
    device: torch.device,
    tell: Tell,
) -> Trial | None:
    """Try the networks that fit a model's weights with preparations of its images; one means that it is stated.

    Where none of the networks does well, they are tried in any order of classes, and then seldom changed settings of
    the best. None where the model does not fit the data, which opening them together says.
    """
    if model.spec.num_classes != dataset.num_classes:
        return None
    search = _Search(dataset, lambda spec: build(dataclasses.replace(model, spec=spec)), device, tell)
    networks = (model.spec, *model.alternatives)
    counts = (len(networks), len(preparations))
    if never_trained(model.state_dict):  # it knows nothing that could tell one from the other
        small = min(dataset.stored_sizes.most_common(1)[0][0]) < PHOTO_SIDE
        as_stored = [one for one in preparations if small and not one.steps]
        return search.full([(networks[0], (*as_stored, *preparations)[0])], *counts)
    trial = _tried(search, networks, preparations)
    if trial is None or trial.best.accuracy >= WIDE_BELOW:
        return trial
    if model.spec.num_classes <= 2 * search.half:
        search.any_order = True
        ordered = _tried(search, networks, preparations)
        if ordered is not None and ordered.order is not None and ordered.order.offered:
            return ordered
        search.any_order = False
    if not model.alternatives:
        return trial
    best = trial.best
    seldom = [(network, best.preprocessing) for network in (best.network, *around(best.network))]
    wide = search.full(seldom, counts[0] + len(seldom) - 1, counts[1])
    if wide is None or wide.best.accuracy < best.accuracy + WIDE_GAIN:
        return trial
    return dataclasses.replace(wide, seldom=True)


def _tried(search: _Search, networks: Sequence[ModelSpec], preparations: Sequence[Preprocessing]) -> Trial | None:
    """Try the networks with the preparations; the best is not sure before what was left out was tried beside it.

    Networks left out for their work are tried at the size that was found.
    """
    counts = (len(networks), len(preparations))
    search.left_out.clear()
    pairs, unseen = _narrowed(search, networks, preparations)
    trial = search.full(pairs, *counts)
    if trial is None or not trial.sure:
        return trial
    best = (trial.best.network, trial.best.preprocessing)
    size = best[1].size
    unseen = [pair for pair in unseen if pair[1].size == size or _operations(pair[0], pair[1].size) <= LARGEST_WORK]
    looked = search.quick([best, *unseen], *FIRST_LOOK) if unseen else []
    others = [pair for pair in dict.fromkeys([*looked, *search.left_out]) if pair not in pairs]
    beside = search.full([best, *others], *counts) if others else None
    return beside if beside is not None and (beside.rivals or beside.best != trial.best) else trial


def _narrowed(
    search: _Search, networks: Sequence[ModelSpec], preparations: Sequence[Preprocessing]
) -> tuple[Sequence[Pair], Sequence[Pair]]:
    """Return the pairs to be tried on many images, all where they are few; and some of those never looked at.

    Else sizes and networks first, each size in its most usual way with a few means that differ much; then the ways to
    those sizes; and with these all means.
    """
    if len(networks) * len(preparations) <= FEW:
        return [(network, prepared) for prepared in preparations for network in networks], []
    preparations = search.confirmed(networks[0], preparations)
    ways: dict[Size, dict[object, list[Preprocessing]]] = {}
    for prepared in preparations:
        ways.setdefault(prepared.size, {}).setdefault(prepared.steps, []).append(prepared)
    usual = {size: next(iter(by_steps.values())) for size, by_steps in ways.items()}
    whole = [(network, prepared) for size in ways for network in networks for prepared in _apart(usual[size])]
    first = [
        pair for pair in whole if len(networks) == 1 or _operations(pair[0], pair[1].size) <= LARGEST_WORK
    ] or whole  # fmt: skip
    if len(networks) > MANY:  # sizes with the most usual network first
        alone = [pair for pair in whole if pair[0] == networks[0]]
        kept = {prepared.size for _, prepared in search.quick(alone, *FIRST_LOOK)}
        first = [pair for pair in first if pair[1].size in kept] or first
    second = [
        (network, of_way[usual[prepared.size].index(prepared)])
        for network, prepared in search.quick(first, *FIRST_LOOK)
        for of_way in ways[prepared.size].values()
        if len(of_way) == len(usual[prepared.size])
    ]
    third = search.quick(list(dict.fromkeys(second)), *SECOND_LOOK)
    last = ((network, other) for network, prepared in third for other in ways[prepared.size][prepared.steps])
    return list(dict.fromkeys(last)), [pair for pair in whole if pair not in first]


def _apart(preparations: Sequence[Preprocessing]) -> list[Preprocessing]:
    """Return those whose mean and std give black or white pixels values far from those of the ones before."""
    chosen: list[tuple[float, float]] = []
    apart = []
    for prepared in preparations:
        mean, std = prepared.mean[0], prepared.std[0]
        ends = (-mean / std, (1 - mean) / std)
        if all(max(abs(a - b) for a, b in zip(ends, other, strict=True)) > _FAR for other in chosen):
            chosen.append(ends)
            apart.append(prepared)
    return apart


@functools.cache
def _operations(spec: ModelSpec, size: Size) -> float:
    """Return the operations of a pass of one image of a size through a network; infinite where it cannot run."""
    images = torch.empty(1, spec.in_channels, *size, device="meta")
    try:
        network = build_on_meta(spec).eval().to("meta")
        for name, part in [*network.named_modules()]:
            if isinstance(part, _NORMS):  # no operations are counted in them, and going through them takes longest
                put(network, name, torch.nn.Identity())
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(images)
    except Exception:  # a network may raise anything on a size it was not made for
        return math.inf
    return float(counter.get_total_flops())


def _plain(preprocessing: Preprocessing) -> Preprocessing:
    """Return the preparation without its mean and std: what it does to the pixels."""
    zeros, ones = (0.0,) * preprocessing.channels, (1.0,) * preprocessing.channels
    return dataclasses.replace(preprocessing, mean=zeros, std=ones, source="data set")
