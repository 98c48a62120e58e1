"""Whether a model is used as it was trained: its accuracy on its own training images is weighed, and doubts are asked.

A trained network does better than a linear probe on its own features, and than one on the bare pixels; a network that
gets its images in another way than in training, or that is built otherwise, often does not.
"""

from __future__ import annotations

import dataclasses
import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from core.data.dataset import Dataset
from core.engine.outputs import FullOutputs
from core.errors import InputError, StoppedError, UnprovenError, UsageError, first_few
from core.job import Job
from core.models.checkpoint import OpenedModel
from core.session.attempts import SHOWN, Attempt, Trial
from core.session.bench import Bench
from core.session.caveats import ClassOrder, find_class_order
from core.session.preparations import seen_alike, stated_in
from core.session.trials import never_trained
from core.session.written import write_class_order
from core.verify.numbers import percent

MOST_JUDGED = 2000
"""Training images on which the accuracy is weighed: probes are fitted on half of them and judged on the other."""

POOR_POINTS = 0.05
"""By how much a probe's recall may exceed the network's own, in the median over classes."""

CERTAIN = 4.0
"""Standard errors of the difference between two shares of right answers on the same images that are no chance."""

EXPECTED_WITHIN = 0.005
"""By how much the accuracy on test images may differ from a stated one: that has two digits, in percent."""

_PIXEL_SIDE = 12  # of the grid of mean colours that the bare pixels are compared on
_PENALTY = 0.01  # of the ridge, as a share of the mean squared norm of a row
_FEWEST = 5  # judged images of a class that count for the median over classes
_NAMES_SHOWN = 12


@dataclass(frozen=True)
class Standing:
    """An original's accuracy on its own training images beside what it is held against; shares are 0..1.

    accuracy, test: of the model on training and test images. features, pixels: of a ridge regression on its own
    features, and on the bare pixels, fitted on some training images and taken on others. chance: the share of the
    largest class. gap: by how much the better of the two exceeds the model's recall in the median over classes, so that
    a class it has forgotten changes nothing. poor: that gap is large and no chance. untrained: its norms say that it
    never saw an image.
    """

    accuracy: float
    test: float
    chance: float
    features: float
    pixels: float
    gap: float
    poor: bool
    untrained: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for a job or report."""
        return dataclasses.asdict(self)


def stand(outputs: FullOutputs, dataset: Dataset, state_dict: Mapping[str, torch.Tensor]) -> Standing:
    """Weigh an original's accuracy on its training images; state_dict: its weights."""
    train = outputs.train
    ids = torch.from_numpy(np.random.default_rng(0).permutation(len(train))[:MOST_JUDGED])
    fitted, judged = ids[: len(ids) // 2], ids[len(ids) // 2 :]
    labels, classes = train.labels, dataset.num_classes
    own = train.logits[judged].argmax(1) == labels[judged]
    chance = float(torch.bincount(labels).max()) / max(1, len(labels))
    reached = {}
    for name, rows in (("features", train.features), ("pixels", None)):
        first, second = (rows[part] if rows is not None else _grid(dataset, part) for part in (fitted, judged))
        reached[name] = _ridge(first, labels[fitted], second, classes) == labels[judged]
    best = max(reached.values(), key=lambda right: float(right.float().mean()))
    gap = _median_gap(own, best, labels[judged], classes)
    return Standing(
        accuracy=_share(train.logits.argmax(1) == labels),
        test=_share(outputs.test.logits.argmax(1) == outputs.test.labels),
        chance=chance,
        features=_share(reached["features"]),
        pixels=_share(reached["pixels"]),
        gap=gap,
        poor=gap > POOR_POINTS and _certainly_more(best, own),
        untrained=never_trained(state_dict),
    )


def _share(right: torch.Tensor) -> float:
    return float(right.float().mean()) if len(right) else 0.0


def _median_gap(own: torch.Tensor, other: torch.Tensor, labels: torch.Tensor, classes: int) -> float:
    """Return how much larger a recall is than the model's own, in the median over classes with enough images."""
    counts = torch.bincount(labels, minlength=classes)
    more = torch.bincount(labels, weights=other.double() - own.double(), minlength=classes) / counts.clamp_min(1)
    enough = counts >= _FEWEST
    return float(more[enough].median()) if bool(enough.any()) else _share(other) - _share(own)


def _certainly_more(first: torch.Tensor, second: torch.Tensor) -> bool:
    """Whether more of `first` than of `second`, right answers on the same images, is no chance (McNemar 1947)."""
    gained, lost = int((first & ~second).sum()), int((second & ~first).sum())
    return gained - lost > CERTAIN * math.sqrt(max(1, gained + lost))


def _ridge(rows: torch.Tensor, labels: torch.Tensor, tested: torch.Tensor, classes: int) -> torch.Tensor:
    """Return the class (m,) that a ridge regression on rows (n, C), labels (n,), gives the rows `tested` (m, C)."""
    rows, tested = rows.double(), tested.double()
    mean, scale = rows.mean(0), rows.std(0, unbiased=False)
    scale[scale == 0] = 1.0
    rows, tested = (rows - mean) / scale, (tested - mean) / scale
    wanted = F.one_hot(labels, classes).double()
    products = rows @ rows.T
    products.diagonal().add_(_PENALTY * (float(products.diagonal().mean()) or 1.0))  # zeros: of features that are dead
    level = wanted.mean(0)
    return (level + tested @ rows.T @ torch.linalg.solve(products, wanted - level)).argmax(1)


def _grid(dataset: Dataset, ids: torch.Tensor) -> torch.Tensor:
    """Return the mean colours of a grid laid over each training image `ids` (n,): (n, values) float32."""
    parts = []
    for chunk in ids.split(256):
        images = torch.as_tensor(np.asarray(dataset.train.images[chunk.numpy()])).permute(0, 3, 1, 2).float()
        parts.append(F.adaptive_avg_pool2d(images, _PIXEL_SIDE).flatten(1))
    return torch.cat(parts)


# --- the question --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Proof:
    """What makes it certain that a model is used as it was trained; kept in the job.

    network: "stated", "card", "program", "only one fits", "found" (by a trial) or "" (undecided). preprocessing: who
    says how images are prepared (a source of `Preprocessing`). standing: None of an encoder, which has no accuracy.
    doubts: what speaks against it, in sentences. accepted: the user said to go on all the same; expected: the accuracy
    on test images that the user stated, and the model has.
    """

    network: str
    preprocessing: str
    standing: Standing | None
    trial: Trial | None = None
    order: ClassOrder | None = None
    doubts: tuple[str, ...] = ()
    accepted: bool = False
    expected: float | None = None

    @property
    def sentences(self) -> tuple[str, ...]:
        """What people must be told: what was found by trying, and against what."""
        if self.standing is not None and self.standing.untrained:
            return ("This network was never trained: its batch norms have seen no image.",)
        return () if self.trial is None else (_found(self.trial),)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for job and report."""
        return {
            "network": self.network, "preprocessing": self.preprocessing,
            **({} if self.standing is None else self.standing.as_dict()),
            "trial": None if self.trial is None else self.trial.as_dict(), "doubts": list(self.doubts),
            "accepted": self.accepted, "expected": self.expected,
        }  # fmt: skip


_ORDER_ANSWER = "Or go on as it is with --accept-accuracy"
_ANSWERS = (
    "Is this your network and your preprocessing? State them with --arch and --preprocess, or go on as it is with "
    "--accept-accuracy"
)


def proven(
    bench: Bench, *, accept: bool = False, expect: float | None = None, original: OpenedModel | None = None
) -> Bench:
    """Return a bench with the proof that its model is used as it was trained, weighed on all of its images.

    accept: the user takes what is doubtful as it is. expect: accuracy on the test images, 0..1, that the user's own
    program measures: where the model has it, that proves everything else; where it has not, that is a doubt.
    original: the model to weigh, where the one on the bench is a result of unlearning.
    Raises UnprovenError, with the question to be asked, where something is in doubt and not accepted, UsageError where
    `expect` is no share, and StoppedError where the bench says that it is not wanted any more.
    """
    if expect is not None and not 0 <= expect <= 1:
        raise UsageError(f"The expected accuracy must be a number from 0 to 1, got {expect}")
    if bench.cancelled():
        raise StoppedError.before_run()
    model = original or bench.model
    if expect is not None and not model.spec.num_classes:
        raise UsageError("An encoder names no class, so there is no accuracy to expect", "Leave --expect-accuracy out")
    outputs = bench.outputs(model, "Measuring the original model")
    proof = weigh(bench, model, outputs, expect)
    if proof.doubts and not accept:
        ordered = proof.order is not None and proof.order.offered and expect is None
        raise UnprovenError(" ".join(proof.doubts), _ORDER_ANSWER if ordered else _ANSWERS, proof.as_dict())
    return dataclasses.replace(bench, proof=dataclasses.replace(proof, accepted=accept))


def weigh(bench: Bench, model: OpenedModel, outputs: FullOutputs, expect: float | None = None) -> Proof:
    """Weigh what makes it certain that a model with these outputs is used as it was trained, and what is doubtful.

    An encoder has no accuracy that could prove anything: what nobody states of it is in doubt, and nothing is tried.
    """
    dataset, trial = bench.dataset, bench.trial
    if not model.spec.num_classes:
        return Proof(model.proof, dataset.preprocessing.source, None, doubts=_unstated(bench, model))
    standing = stand(outputs, dataset, model.state_dict)
    answers, training = (part.logits.argmax(dim=1).numpy() for part in (outputs.test, outputs.train))
    order = find_class_order(answers, dataset, training)
    if trial is not None and trial.order is not None:  # the surer of the two; a model may be poor on test images
        order = max((one for one in (trial.order, order) if one is not None), key=lambda one: one.accuracy_better)
    network = model.proof or ("found" if trial is not None and trial.sure else "")
    proof = Proof(network, dataset.preprocessing.source, standing, trial, order, expected=expect)
    if expect is not None and abs(standing.test - expect) <= EXPECTED_WITHIN:
        return proof
    return dataclasses.replace(proof, doubts=tuple(_doubts(proof, standing, bench, _as_made_here(model, dataset))))


def _unstated(bench: Bench, encoder: OpenedModel) -> tuple[str, ...]:
    """Return what nobody states of an encoder."""
    doubts = []
    if stated_in(encoder.file) is None and not bench.options.preprocess_file:
        doubts.append(
            "Nothing says how images are prepared for this encoder, and it names no classes by which that could be "
            f"found out: {bench.dataset.preparation} is a guess."
        )
    if encoder.alternatives:
        names = [spec.architecture for spec in (encoder.spec, *encoder.alternatives)]
        doubts.append(f"{len(names)} networks fit its weights: {first_few(names, _NAMES_SHOWN)}; the first is a guess.")
    return tuple(doubts)


def doubts_of(job: Job, bench: Bench, model: OpenedModel, outputs: FullOutputs) -> tuple[str, ...]:
    """Return what is doubtful about a job's `model`, as was found when it was made, or from the model's outputs now."""
    if job.model.proof:
        return tuple(job.model.proof.get("doubts") or ())
    return weigh(bench, model, outputs).doubts


def _as_made_here(model: OpenedModel, dataset: Dataset) -> bool:
    """Whether this program made a model, and images are prepared as then: what it does badly, it does not for that."""
    stated = model.preprocessing
    made_here = bool((model.card or {}).get("forgotten"))
    return made_here and stated is not None and seen_alike(dataset, stated)


def _doubts(proof: Proof, standing: Standing, bench: Bench, as_made_here: bool) -> Iterator[str]:
    """Yield what speaks against a model being used as it was trained, the likeliest reason first."""
    trial, expect = proof.trial, proof.expected
    right = percent(standing.accuracy)
    if expect is not None:
        yield (
            f"The model is right on {percent(standing.test)} of the test images, not on the {percent(expect)} that "
            "were expected."
        )
        return
    if standing.untrained:
        return  # nothing was learnt that could be lost
    if proof.order is not None and proof.order.offered:
        order, names = proof.order, [bench.dataset.classes[label] for label in proof.order.better]
        yield (
            f"The class order probably differs between model and data: {percent(order.accuracy_now)} of {order.part} "
            f"images are right, and {percent(order.accuracy_better)} would be with the outputs in the order "
            f"{first_few(names, _NAMES_SHOWN)}: give it with --classes{_order_file(names)}."
        )
        return
    if trial is not None and not trial.sure:
        yield _undecided(trial, bench.options.preprocess_file)
    if standing.poor and not as_made_here:
        better = "its own features" if standing.features >= standing.pixels else "nothing but the pixels"
        reached = percent(max(standing.features, standing.pixels))
        yield (
            f"The model is right on {right} of its own training images, where a linear probe on {better} reaches "
            f"{reached}: it probably does not see them as it did in training."
        )


def _order_file(names: Sequence[str]) -> str:
    """Return, as an option's value, the file that lists classes in this order; "" where it cannot be written."""
    try:
        return f" {shlex.quote(str(write_class_order(tuple(names))))}"
    except InputError:
        return ""


def _found(trial: Trial) -> str:
    """Say what was found by trying, and against what."""
    best, what = trial.best, []
    if trial.networks > 1:
        what.append(f"network {best.network.architecture} (of {trial.networks} that fit the weights)")
    if not trial.stated:
        what.append(f"preparation {best.words} (of {trial.preparations} usual ones)")
    return (
        f"Found by trying on training images: {' and '.join(what)}. It is right on {percent(best.accuracy)} of "
        f"{trial.images} of them{_next(trial)}."
    )


def _next(trial: Trial) -> str:
    """Say how the second best did, "" where there is none."""
    second = next(iter(trial.attempts[1:]), None)
    return "" if second is None else f"; the next, {_differs(second, trial.best)}, on {percent(second.accuracy)}"


def _undecided(trial: Trial, partly: str) -> str:
    """Say what the data does not tell apart, or that the best of what was tried is not good enough to be taken.

    partly: the file that states a part of how images are prepared, "" where there is none.
    """
    best, count = trial.best, max(trial.networks, trial.preparations)
    said = f"{Path(partly).name} does not say in full" if partly and not trial.stated else "Nothing says"
    what = f"{said} {'which network it is' if trial.stated else 'how images are prepared'}"
    if rivals := trial.rivals:
        listed = "; ".join(f"{_differs(one, best)}: {percent(one.accuracy)}" for one in rivals[: SHOWN - 1])
        return (
            f"{what}, and the training images do not tell these apart: {_named(best, trial)}: "
            f"{percent(best.accuracy)}; {listed}."
        )
    return (
        f"{what}; the best of {count} usual ones, {_named(best, trial)}, is right on "
        f"{percent(best.accuracy)} of training images{_next(trial)}, and one that was not tried may be better."
    )


def _named(attempt: Attempt, trial: Trial) -> str:
    """Name an attempt by what was in doubt."""
    if trial.stated:
        return attempt.network.architecture
    return f"{attempt.network.architecture}, {attempt.words}" if trial.networks > 1 else attempt.words


def _differs(attempt: Attempt, best: Attempt) -> str:
    """Name an attempt by what it does otherwise than the best."""
    parts = []
    if attempt.network != best.network:
        parts.append(attempt.network.architecture)
    if attempt.preprocessing != best.preprocessing:
        parts.append(attempt.words)
    return ", ".join(parts)
