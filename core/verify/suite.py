"""The measures of one model, step by step: outputs, features and attacks, under the contract's keys.

A step reads the model's logits and features, which were taken once, and gives values for report.json and what
intervals need of single samples. Steps of the quick suite need nothing else; those of the full suite may need the
network's head. What compares models with each other stands in `relations`, what trains in `relearning`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.data.splits import Splits, stratified
from core.engine.outputs import FullOutputs, subset
from core.methods.head import SILENCED
from core.metrics.accuracy import (
    accuracy,
    confusion_matrix,
    correct,
    macro_accuracy,
    names_classes,
    per_class_accuracy,
    predicted_shares,
)
from core.metrics.membership import Attack, matched_positions, population_attack
from core.metrics.neighbours import evenly, measure_neighbours, nearest_to
from core.metrics.probe import linear_probe, measure_class_means, measure_clustering
from core.metrics.prototype import prototype_attack
from core.metrics.rows import Rows
from core.metrics.spaces import FeatureSpace, alignment_influence, measure_alignment, measure_spectra
from core.models.tap import SetOutputs
from core.verify.measure_log import Keep, Measured, keep_nothing, merge

ATTACK_SAMPLES = 10_000
"""Samples a side of the attack on retain images: its interval is then under a point wide."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A model to be measured: its outputs on all images, and what a step may need beside them."""

    full: FullOutputs
    splits: Splits
    original: FullOutputs | None = None  # says which images are neighbours of the forget set
    head: Tensor | None = None  # (K, C) weights of the last layer

    @cached_property
    def sets(self) -> dict[str, SetOutputs]:
        """Outputs of the four sets; those of training images are read piece by piece, because they may be many."""
        splits, test = self.splits, self.full.test
        return {
            "retain_train": _rows(self.full.train, splits.retain_train),
            "forget_train": _rows(self.full.train, splits.forget_train),
            "retain_test": subset(test, splits.retain_test),
            "forget_test": subset(test, splits.forget_test),
        }

    @cached_property
    def train(self) -> SetOutputs:
        """Outputs of all training images, retain before forget."""
        return _rows(self.full.train, torch.cat([self.splits.retain_train, self.splits.forget_train]))

    @cached_property
    def test(self) -> SetOutputs:
        """Outputs of all unseen images (evaluation half), retain before forget."""
        return subset(self.full.test, torch.cat([self.splits.retain_test, self.splits.forget_test]))

    @property
    def forget_seen(self) -> SetOutputs:
        """Unseen images of the forgotten classes or, for single images, the forget images themselves."""
        return self.sets["forget_test"] if len(self.sets["forget_test"]) else self.sets["forget_train"]

    @cached_property
    def retain_space(self) -> FeatureSpace | None:
        """Features of the retain training images: Gram matrix and eigenvectors are computed once for all measures."""
        return FeatureSpace.of(self.sets["retain_train"].features)

    @cached_property
    def forget_space(self) -> FeatureSpace | None:
        """Features of the forget set."""
        return FeatureSpace.of(self.sets["forget_train"].features)

    @cached_property
    def forget_class_space(self) -> FeatureSpace | None:
        """Features of the forget images that go with their whole class."""
        if not len(self.splits.forget_single_train):
            return self.forget_space
        return FeatureSpace.of(_rows(self.full.train, self.splits.forget_class_train).features)

    @cached_property
    def singles(self) -> SetOutputs | None:
        """Training images that go alone, where whole classes go as well; None for a set of one kind."""
        ids = self.splits.forget_single_train
        return _rows(self.full.train, ids) if len(ids) and len(self.sets["forget_test"]) else None


@dataclass(frozen=True)
class Step:
    """One measure: its name in progress lines, and how it is taken. Feature steps depend on features alone."""

    title: str
    take: Callable[[Subject], Measured]
    features_only: bool = False


def take(
    subject: Subject,
    *,
    suite: str = "quick",
    features_of: tuple[FullOutputs, Measured] | None = None,
    keep: Keep = keep_nothing,
    depends_on: tuple[str, ...] = (),
) -> Measured:
    """Take all steps of a suite ("quick" or "full"). Where the features are bit for bit those of `features_of`, its
    feature measures are the same by definition and are not computed again.

    `keep` takes each step under its title or finds it again, and may raise to interrupt; `depends_on` are the hashes of
    models they depend on beside their own.
    """  # noqa: D205
    values: dict[str, Any] = {}
    samples: dict[str, list[Any]] = {}
    encoder = not names_classes(subject.full.test.logits)
    if encoder:
        values["counts"] = {name: len(outputs) for name, outputs in subject.sets.items()}
    same = features_of is not None and _same_features(subject.full, features_of[0])
    for step in steps_of(suite):
        if (step.features_only and same) or (encoder and not step.features_only):
            continue
        measures = keep(step.title, depends_on, lambda step=step: step.take(subject))  # type: ignore[misc]
        merge(values, measures.values)
        samples.update(measures.samples)
    if same and features_of is not None:
        original = features_of[1]
        values |= {key: original.values.get(key) for key in FEATURE_KEYS}
        samples |= {key: original.samples[key] for key in FEATURE_KEYS if key in original.samples}
    return Measured(values, samples)


def steps_of(suite: str) -> tuple[Step, ...]:
    """Return the steps of "quick" or "full", in the order they are taken."""
    return QUICK if suite == "quick" else (*QUICK, *FURTHER)


def head_only(original: FullOutputs, forget_classes: tuple[int, ...]) -> FullOutputs:
    """Return what the original with a silenced head says: the control. Features are the original's, bit for bit.

    What `methods.head.silence_head` does to the weights of a head with bias is done here to its logits: the rows
    of the forgotten classes become the constant SILENCED (a test holds the two against each other).
    """

    def edited(outputs: SetOutputs) -> SetOutputs:
        logits = cast(Tensor, Rows(outputs.logits, silenced=forget_classes, value=SILENCED))
        return SetOutputs(logits, outputs.features, outputs.labels)

    return FullOutputs(edited(original.train), edited(original.test))


# --- steps ---------------------------------------------------------------------------------------------------------


def output_measures(subject: Subject) -> dict[str, Any]:
    """Return the accuracies: four sets, macro average, per class on unseen images, and where images go."""
    sets, splits = subject.sets, subject.splits
    logits, labels, retain = subject.test.logits, subject.test.labels, sets["retain_test"]
    shares = {name: accuracy(outputs.logits, outputs.labels) for name, outputs in sets.items()}
    return {
        "retain_accuracy": shares["retain_train"],
        "forget_accuracy": shares["forget_train"],
        "retain_test_accuracy": shares["retain_test"],
        "forget_test_accuracy": shares["forget_test"],
        "retain_test_macro": macro_accuracy(retain.logits, retain.labels, splits.num_classes),
        "per_class": per_class_accuracy(logits, labels, splits.num_classes),
        "forget_predictions": predicted_shares(sets["forget_test"].logits, splits.num_classes),
        "confusion": _confusion(logits, labels, splits),
        "counts": {name: len(outputs) for name, outputs in sets.items()},
    }


def _outputs(subject: Subject) -> Measured:
    values = output_measures(subject)
    samples = {"forget_accuracy": _right(subject.forget_seen)}
    if subject.singles is not None:
        samples["forget_accuracy_single"] = right = _right(subject.singles)
        values["forget_single_accuracy"] = sum(right) / len(right)
    return Measured(values, samples)


def _membership(subject: Subject) -> Measured:
    """Attack the forget set, with unseen images of the same classes as non-members."""
    members = {"": subject.sets["forget_train"]}
    if subject.singles is not None:
        members["_single"] = subject.singles
    attacks = {part: _attack(subject, outputs, subject.splits.unseen) for part, outputs in members.items()}
    return Measured(
        {"membership": {f"population{part}": attack.as_dict() for part, attack in attacks.items()}},
        {f"membership{part}": list(map(_rounded, attack.placements)) for part, attack in attacks.items() if attack.auc},
    )


def _over_protection(subject: Subject) -> Measured:
    """Attack retain images: unlearning can expose images that nobody asked to forget."""
    splits = subject.splits
    ids = stratified(splits.labels, splits.retain_train, ATTACK_SAMPLES, seed=0)
    members = subset(subject.full.train, ids)
    attack = _attack(subject, members, splits.retain_test).as_dict()
    if attack["reason"]:
        attack["reason"] = attack["reason"].replace("forget image", "retain image")
    return Measured({"membership": {"population_retain": attack}})


def _attack(subject: Subject, members: SetOutputs, pool: Tensor) -> Attack:
    """Attack members with unseen images of the same classes, from the test images `pool`, as non-members."""
    test = subject.full.test
    inside, outside = matched_positions(members.labels, test.labels[pool], most=ATTACK_SAMPLES)
    others = subset(test, pool[outside])
    return population_attack(members.logits[inside], members.labels[inside], others.logits, others.labels)


def _neighbours(subject: Subject) -> Measured:
    if subject.original is None or not len(subject.splits.forget_train):
        return Measured({"neighbours": None})
    retain = subject.sets["retain_test"]
    forget = subject.original.train.features[evenly(subject.splits.forget_train)]
    near = nearest_to(forget, subject.original.test.features[subject.splits.retain_test])
    return _under("neighbours", measure_neighbours(retain.logits, retain.labels, near))


def _alignment(subject: Subject) -> Measured:
    forget, retain = subject.forget_class_space, subject.retain_space
    alignment = measure_alignment(forget, retain, len(subject.splits.retain_classes))
    if alignment is None or forget is None or retain is None:
        return Measured({"dimensional_alignment": None})
    influence = alignment_influence(forget, retain, alignment.k)
    return _under("dimensional_alignment", alignment, _rounded(influence.tolist()))


def _spectra(subject: Subject) -> Measured:
    return _under("spectra", measure_spectra(subject.forget_space, subject.retain_space))


def _probe(subject: Subject) -> Measured:
    train, test, classes = subject.train, subject.test, subject.splits.forget_classes
    probe = linear_probe(train.features, train.labels, test.features, test.labels, classes)
    right = _right_on_forget(probe.predicted, subject) if probe else None
    return _under("probe", probe, right)


def _clustering(subject: Subject) -> Measured:
    test, splits = subject.test, subject.splits
    trained = splits.num_classes - len(splits.imageless)
    clusters = measure_clustering(test.features, test.labels, trained, splits.forget_classes)
    if clusters is None:
        return Measured({"nmi": None, "clustering": None})
    samples = [list(clusters.labels), list(clusters.clusters)]
    return Measured({"nmi": clusters.nmi, "clustering": clusters.as_dict()}, {"nmi": samples})


def _class_means(subject: Subject) -> Measured:
    train, test, splits = subject.train, subject.test, subject.splits
    means = measure_class_means(
        train.features, train.labels, test.features, test.labels, splits.num_classes, splits.forget_classes
    )
    return _under("class_means", means, _right_on_forget(means.predicted, subject) if means else None)


def _prototype(subject: Subject) -> Measured:
    splits, sets = subject.splits, subject.sets
    if subject.head is None or not splits.forget_classes or not len(sets["forget_test"]):
        return Measured({"prototype": None})
    forget, unseen = sets["forget_test"], subset(subject.full.test, splits.calibration)
    attack = prototype_attack(
        sets["forget_train"].features, sets["forget_train"].labels, (forget.logits, forget.features, forget.labels),
        (unseen.logits, unseen.features), subject.head, splits.forget_classes,
    )  # fmt: skip
    return _under("prototype", attack, list(attack.recovered) if attack else None)


def _under(key: str, measured: Any, samples: list[Any] | None = None) -> Measured:
    """Return a metric's result under its key, None where it could not be taken, with its value for each sample."""
    return Measured({key: measured and measured.as_dict()}, {} if samples is None else {key: samples})


QUICK = (
    Step("accuracies", _outputs),
    Step("membership attack", _membership),
    Step("neighbours", _neighbours),
    Step("alignment", _alignment, features_only=True),
    Step("spectra", _spectra, features_only=True),
    Step("linear probe", _probe, features_only=True),
    Step("clustering", _clustering, features_only=True),
    Step("class means", _class_means, features_only=True),
)
FURTHER = (Step("over-protection", _over_protection), Step("prototype attack", _prototype))

FEATURE_KEYS = ("dimensional_alignment", "spectra", "probe", "nmi", "clustering", "class_means")


def _confusion(logits: Tensor, labels: Tensor, splits: Splits) -> dict[str, Any] | None:
    """Return where unseen images of each class go: rows are true classes, columns what they are called, in counts."""
    if not len(labels) or not names_classes(logits):
        return None
    return {"counts": confusion_matrix(logits, labels, splits.num_classes).tolist()}


def _right_on_forget(predicted: NDArray[np.int64], subject: Subject) -> list[int]:
    """Return 0 or 1 for each unseen forget image, the last rows of `test`: whether it is called its class."""
    count = len(subject.sets["forget_test"])
    if not count:
        return []
    return (torch.from_numpy(predicted[-count:]) == subject.test.labels[-count:]).int().tolist()


def _right(outputs: SetOutputs) -> list[int]:
    """Return 0 or 1 for each sample: whether the model names its class."""
    return correct(outputs.logits, outputs.labels).int().tolist()


def _rounded(values: Iterable[float]) -> list[float]:
    """Six digits are enough for intervals, and a third of the bytes of a log."""
    return [float(f"{value:.6g}") for value in values]


def _rows(outputs: SetOutputs, ids: Tensor) -> SetOutputs:
    """Return the rows `ids` (n,) int64 of a set's outputs without copying them: `Rows` reads as a tensor does."""
    return SetOutputs(
        cast(Tensor, Rows(outputs.logits, ids)), cast(Tensor, Rows(outputs.features, ids)), outputs.labels[ids]
    )


def _same_features(one: FullOutputs, other: FullOutputs) -> bool:
    return torch.equal(one.train.features, other.train.features) and torch.equal(one.test.features, other.test.features)
