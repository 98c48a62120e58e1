"""The one place to measure: runs, checks and `evaluate` take the measures of all their models here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch

from core.data.preprocessing import numbers_of
from core.data.splits import Splits
from core.engine.outputs import FullOutputs, collect
from core.events import Tell
from core.files import cache_home
from core.job import Job
from core.metrics.conditioning import Conditioning, measure_conditioning
from core.models.architectures import network_key
from core.models.linear import last_linear
from core.session.suspects import Stamped
from core.verify import plugged, reference_attacks, relations, suite
from core.verify.canaries import canary_attacks
from core.verify.measure_log import Keep, Measured, MeasureLog, keep_nothing, merge
from core.verify.recovery import NAME, quantised_accuracy, relearned_from_others
from core.verify.relearning import Ground, Network, batches_to_relearn, edited_head, relearning_curve

Taken = Callable[[str, Mapping[str, Any]], object]

QUICK, FULL = "quick", "full"


RECOVERIES: dict[str, Callable[[Network | None, Ground | None], Measured]] = {
    NAME: quantised_accuracy, "relearning from other images": relearned_from_others,
}  # fmt: skip
"""Measures of the full suite by their names: what was forgotten comes back without any of its images."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model to be measured. `network` gives a fresh copy of it, where there is one to be had."""

    name: str  # original, unlearned, head_only, or a retrained model's: "seed 1"
    sha256: str  # of its weights
    take: Callable[[], FullOutputs]
    network: Network | None = None

    @cached_property
    def outputs(self) -> FullOutputs:
        """What it says of all images, taken when it is asked for the first time."""
        return self.take()


@dataclass(frozen=True, eq=False)
class Measurements:
    """What was measured: by model, by retrained model, and what follows from both."""

    models: dict[str, dict[str, Any]]
    retrained: dict[str, dict[str, Any]] = field(default_factory=dict)
    half_widths: dict[str, dict[str, float]] = field(default_factory=dict)  # by model, by measure
    published: dict[str, relations.PublishedRow] = field(default_factory=dict)
    suite: str = QUICK
    declared: list[dict[str, Any]] = field(default_factory=list)  # measures of installed packages, as reports say them


class Progress:
    """Counts the measures of all models, and what comes after them (`last`), for a progress line."""

    def __init__(self, tell: Tell | None, models: Sequence[str], measures: Sequence[str], last: str = "") -> None:
        self._tell, self._models, self._measures, self._last = tell, list(models), list(measures), last
        self._all = len(models) * len(measures)

    def of(self, model: str) -> Callable[[str], object]:
        """Return what says that a measure of one model begins; of a model that is none of them, what comes last."""
        name = {"head_only": "head-only edit"}.get(model, model)

        def say(measure: str) -> None:
            if self._tell is None:
                return
            if model not in self._models:
                self._tell(f"Measuring {self._last}", self._all, self._all + 1)
            elif measure in self._measures:
                place = self._models.index(model) * len(self._measures) + self._measures.index(measure)
                what = {"published": "published measures"}.get(measure, measure)
                self._tell(f"Measuring {what}, {name}", place, self._all + bool(self._last))

        return say


@dataclass(eq=False)
class Measuring:
    """Measures the models of a report: each step of the suite for each model, then what compares them.

    With `ground` (what networks run on) layers are compared and the published measures taken; the full suite needs it,
    and `fresh`, an untrained network. `tell(what, done, total)` is called before each measure that `log` does not hold
    and may raise to interrupt; `taken(model, values)` after each measure, with what came out.
    """

    original: Candidate | None
    unlearned: Candidate
    retrained: Sequence[Candidate]
    splits: Splits
    which: str = QUICK  # the suite
    references: Sequence[Candidate] = ()  # further models that never saw the forget set, for attacks
    encoder: bool = False  # the models give features alone: what needs classes is not taken
    ground: Ground | None = None
    fresh: Network | None = None
    canaries: int = 0  # of the original's training, and so of the retrained models'
    log: MeasureLog | None = None  # finds finished measures again
    tell: Tell | None = None
    taken: Taken | None = None
    stamped: Stamped | None = None  # of corrective forgetting where the trigger is known

    def __post_init__(self) -> None:
        self.judged = [model for model in (self.original, self.unlearned) if model is not None]
        # The control: the original's head-only edit.
        if self.original is not None and self.splits.forget_classes and not self.encoder:
            self.judged.append(_control(self.original, self.ground, self.splits))
        measures = [step.title for step in suite.steps_of(self.which)] + plugged.titles() + ["distances"]
        measures += ["published"] if self.ground else []
        measures += ["trigger"] if self.stamped else []
        measures += ["relearning", *RECOVERIES] if self.which == FULL else []
        last = "relearning, untrained network" if self.which == FULL and self.fresh is not None else ""
        self.say = Progress(self.tell, [model.name for model in (*self.judged, *self.retrained)], measures, last)
        self._own: dict[str, Measured] = {}  # by model: what was measured of it alone
        self._conditions: dict[str, float | None] = {}
        self._relearned: dict[str, Measured] = {}
        self._layers: dict[str, relations.LayerFeatures] = {}

    def run(self) -> Measurements:
        """Measure model after model; the original first, because the others are compared with it."""
        everyone = (*self.judged, *self.retrained)
        for model in self.judged:
            self._own[model.name] = self._take(model)
        for model in self.judged if self.which == FULL else ():
            self._relearning(model)
        for model in self.retrained:
            self._own[model.name] = self._take(model)
        taken: dict[str, Measured] = {}
        rows: dict[str, relations.PublishedRow] = {}
        for model in everyone:
            taken[model.name], rows[model.name] = self._compare(model)
        retrained = {model.name: taken[model.name] for model in self.retrained}
        models = {model.name: dict(taken[model.name].values) for model in self.judged}
        if retrained:
            models["retrained"] = dict(next(iter(retrained.values())).values)
        if self.which == FULL and self.fresh is not None:
            untrained = Candidate("fresh", "fresh", self.unlearned.take, self.fresh)
            models["fresh"] = dict(self._relearning(untrained).values)
        return Measurements(
            models,
            {name: dict(model.values) for name, model in retrained.items()},
            {model.name: relations.half_widths(taken[model.name], list(retrained.values())) for model in self.judged},
            relations.published_rows(rows, list(retrained), bool(self.splits.forget_classes)) if self.ground else {},
            self.which,
            plugged.declared(),
        )

    def _take(self, model: Candidate) -> Measured:
        """Take a model's own measures, those of features once for all models whose features are the original's."""
        head, original = None, self.original
        if self.which == FULL and model.network is not None:
            weight = model.network().head.weight
            head = weight.detach().flatten(1).cpu() if isinstance(weight, torch.Tensor) else None
        subject = suite.Subject(model.outputs, self.splits, original.outputs if original else None, head)
        own = self._own.get(original.name) if original else None
        taken_before = (original.outputs, own) if original and own else None
        measures = suite.take(
            subject, suite=self.which, features_of=taken_before, keep=self._keep(model),
            depends_on=self._original_hash,
        )  # fmt: skip
        conditioning = self._conditioning(model)
        packages = plugged.take(model.outputs, self.splits, self.say.of(model.name))
        values = {**measures.values, **conditioning, **packages, **self._trigger(model)}
        if self.canaries:
            merge(values, canary_attacks(model.outputs, self.splits, self.canaries).values)
        measures = Measured(values, measures.samples)
        if self.taken is not None:  # once more as a whole: the control's features are the original's, not taken again
            self.taken(model.name, measures.values)
        return measures

    def _trigger(self, model: Candidate) -> Mapping[str, Any]:
        """Return what the trigger does to a model; nothing where none is known, or there is no network to ask."""
        stamped, network = self.stamped, model.network
        if stamped is None or network is None:
            return {}

        def rates() -> Measured:
            check = (lambda: None) if self.ground is None else self.ground.control.check
            found = stamped.rates(network(), model.outputs, check)
            return Measured({"trigger": found and found.as_dict()})

        return self._keep(model)("trigger", (stamped.digest,), rates).values

    def _conditioning(self, model: Candidate) -> dict[str, Any]:
        """Return the condition numbers of a model's last linear layers, and by what factor they are the original's.

        They are taken each time, which is quicker than the network is built.
        """
        if model.name == "head_only":  # without a look: its head has rows of zeros
            return {"conditioning": {**Conditioning(None, HEAD_ROWS, []).as_dict(), "to_original": None}}
        if model.network is None:
            return {}
        found = measure_conditioning(last_linear(model.network()))
        self._conditions[model.name] = found.value
        before = None if self.original is None else self._conditions.get(self.original.name)
        factor = found.value / before if found.value is not None and before is not None else None
        return {"conditioning": {**found.as_dict(), "to_original": factor}}

    def _compare(self, model: Candidate) -> tuple[Measured, relations.PublishedRow]:
        """Compare a model with original and retrained models: all its measures, and its published ones so far."""
        # Without a network to run, layers are not compared: such distances are fewer, and not kept.
        keep = self._keep(model, self.ground is not None)
        own = self._own[model.name]
        values, samples = dict(own.values), dict(own.samples)
        row: relations.PublishedRow = {}
        others = [other for other in self.retrained if other is not model]
        compared = relations.Others(self.original.outputs if self.original else None, [o.outputs for o in others])
        hashes = (*self._original_hash, *(other.sha256 for other in others))
        if hashes:
            distances = keep("distances", hashes, partial(self._distances, model, compared, others))
            merge(values, distances.values)
            samples |= distances.samples
        attackers = [other for other in (*self.retrained, *self.references) if other is not model]
        if self.which == FULL and attackers:
            used = attackers[: self._attackers()]
            hashes_of_used = tuple(other.sha256 for other in used)
            merge(values, keep("RMIA", hashes_of_used, partial(self._rmia, model, used)).values)
            known = (*self._original_hash, *hashes_of_used)
            merge(values, keep("attacks on single samples", known, partial(self._sample_attacks, model, used)).values)
            every = tuple(other.sha256 for other in attackers)  # the judged one would choose its own goal
            merge(values, keep("neighbour class", every, partial(self._neighbour, model, attackers)).values)
        if self.ground is not None and not self.encoder:
            row = dict(keep("published", hashes, partial(self._published, model, compared)).values)
        if self.which == FULL:
            relearn = self._relearning(model)
            values |= relearn.values
            samples |= relearn.samples
            for name, recover in RECOVERIES.items():
                values |= keep(name, (), partial(recover, model.network, self.ground)).values
            batches = keep("relearn time", self._original_hash, partial(self._batches, model))
            row["relearn_batches"] = batches.values["relearn_batches"]
        return Measured(values, samples), row

    @property
    def _original_hash(self) -> tuple[str, ...]:
        return () if self.original is None else (self.original.sha256,)

    def _attackers(self) -> int:
        """Return how many references every model is attacked with: as many as a retrained one has besides itself."""
        pool = len(self.retrained) + len(self.references)
        return max(1, min(reference_attacks.MOST_REFERENCES, pool - 1 if self.retrained else pool))

    # -- parts ------------------------------------------------------------------------------------------------------

    def _distances(self, model: Candidate, compared: relations.Others, others: Sequence[Candidate]) -> Measured:
        without = Measured({"distances": {}}) if self.encoder else None
        distances = without or relations.distances(model.outputs, compared, self.splits)
        geometry = relations.geometry(model.outputs, compared, self.splits)
        own = self._layers_of(model)
        if own is not None:
            original = None if self.original is None else self._layers_of(self.original)
            retrained = [layers for other in others if (layers := self._layers_of(other)) is not None]
            geometry["layers"] = relations.layer_geometry(own, original, retrained)
        return Measured({**distances.values, "geometry": geometry}, distances.samples)

    def _layers_of(self, model: Candidate) -> relations.LayerFeatures | None:
        """Return a model's outputs of each layer, taken once; None where there is nothing to run it on."""
        if self.ground is None or model.network is None:
            return None
        if model.name not in self._layers:
            self._layers[model.name] = relations.layer_features(
                model.network(), self.ground.test, self.splits, self.ground.control.check
            )
        return self._layers[model.name]

    def _rmia(self, model: Candidate, used: Sequence[Candidate]) -> Measured:
        attack = reference_attacks.reference_attack(model.outputs, [other.outputs for other in used], self.splits)
        return Measured({"membership": {"rmia": attack}})

    def _sample_attacks(self, model: Candidate, used: Sequence[Candidate]) -> Measured:
        references, original = [other.outputs for other in used], self.original.outputs if self.original else None
        attacks = reference_attacks.sample_attacks(model.outputs, references, self.splits)
        iam = reference_attacks.interpolated_attack(model.outputs, references[0], original, self.splits)
        return Measured({"membership": {"iam": iam, **attacks}})

    def _neighbour(self, model: Candidate, pool: Sequence[Candidate]) -> Measured:
        known = [other.outputs for other in pool]
        return Measured({"neighbour_class": reference_attacks.neighbour_attack(model.outputs, known, self.splits)})

    def _published(self, model: Candidate, compared: relations.Others) -> Measured:
        own = relations.published_measures(
            self._own[model.name].values, model.outputs, self.splits, self._random_logits
        )
        return Measured({**own, **relations.published_distances(model.outputs, compared.retrained, self.splits)})

    @cached_property
    def _random_logits(self) -> torch.Tensor | None:
        """What an untrained network says of the forget set, (n, K)."""
        if self.fresh is None or self.ground is None:
            return None
        ids, check = self.splits.forget_train, self.ground.control.check
        return collect(self.fresh(), self.ground.train, ids, tick=lambda done: check()).logits

    def _relearning(self, model: Candidate) -> Measured:
        """Return the curve of relearning the forgotten classes, or that there is none."""

        def relearn() -> Measured:
            others = [lambda other=other: other.outputs for other in (*self.retrained, *self.references)]
            accuracy = self._accuracy_before("forget_test_accuracy")
            return relearning_curve(model.network, self.ground, accuracy, others)

        if model.name not in self._relearned:
            self._relearned[model.name] = self._keep(model)("relearning", self._original_hash, relearn)
        return self._relearned[model.name]

    def _batches(self, model: Candidate) -> Measured:
        batches = batches_to_relearn(model.network, self.ground, self._accuracy_before("forget_accuracy"))
        return Measured({"relearn_batches": batches})

    def _accuracy_before(self, key: str) -> float | None:
        """Return an accuracy of the original, 0..1."""
        return None if self.original is None else self._own[self.original.name].values.get(key)

    def _keep(self, model: Candidate, whole: bool = True) -> Keep:
        """Return what finds a model's finished measures again, and tells of those that have to be taken.

        Those that are not `whole` are taken anew and not kept.
        """
        keep = keep_nothing if self.log is None or not whole else self.log.of(model.name, model.sha256)
        say = self.say.of(model.name)

        def keep_and_tell(measure: str, depends_on: tuple[str, ...], compute: Callable[[], Measured]) -> Measured:
            def tell_and_compute() -> Measured:
                say(measure)
                return compute()

            measures = keep(measure, depends_on, tell_and_compute)
            if self.taken is not None:
                self.taken(model.name, measures.values)
            return measures

        return keep_and_tell


HEAD_ROWS = "singular: the rows of the forgotten classes are zeros"


def _control(original: Candidate, ground: Ground | None, splits: Splits) -> Candidate:
    """Return the head-only control: what the original with a silenced head says."""
    network = original.network
    made = None if network is None or ground is None else partial(edited_head, network, ground)
    outputs = suite.head_only(original.outputs, splits.forget_classes)
    return Candidate("head_only", control_id(original.sha256), lambda: outputs, made)


def measure_log(path: Path, job: Job, *, only_kept: bool = False) -> MeasureLog:
    """Return what finds the measures of a job's models again: the run's own in `path`, others in a shared folder."""
    context = (
        job.data.fingerprint, job.forget.sha256, repr(numbers_of(job.model.preprocessing)), network_key(job.model)
    )  # fmt: skip
    return MeasureLog(path, context, cache_home() / "measures", only_kept=only_kept)


def control_id(original: str) -> str:
    """Return what names the weights of the head-only edit of an original."""
    return f"head-only edit of {original}"
