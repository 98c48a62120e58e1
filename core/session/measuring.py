"""The one place to measure: runs, checks and `evaluate` take the measures of all their models here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import torch

from core.data.splits import Splits, stratified
from core.engine.outputs import FullOutputs, collect
from core.events import Tell
from core.verify import relations, suite
from core.verify.measure_log import Found, Keep, MeasureLog, keep_nothing, merge
from core.verify.relations import (
    LAYER_SAMPLES,
    LayerFeatures,
    PublishedRow,
    half_widths,
    layer_features,
    layer_geometry,
    published_rows,
)
from core.verify.relearning import Ground, Network, batches_to_relearn, edited_head, relearning_curve
from core.verify.verdict import decide

Taken = Callable[[str, Mapping[str, Any]], object]

QUICK, FULL = "quick", "full"


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model to be measured. `network` gives a fresh copy of it, where there is one to be had."""

    name: str  # original, unlearned, head_only, or a retrained model's: "seed 1"
    sha256: str  # of its weights
    outputs: FullOutputs
    network: Network | None = None


@dataclass(frozen=True, eq=False)
class Measurements:
    """What was measured: by model, by retrained model, and what follows from both."""

    models: dict[str, dict[str, Any]]
    retrained: dict[str, dict[str, Any]] = field(default_factory=dict)
    half_widths: dict[str, dict[str, float]] = field(default_factory=dict)  # by model, by measure
    published: dict[str, PublishedRow] = field(default_factory=dict)
    suite: str = QUICK


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
    references: Sequence[Candidate] = ()  # further models that never saw the forget set, for RMIA
    ground: Ground | None = None
    fresh: Network | None = None
    log: MeasureLog | None = None  # finds finished measures again
    tell: Tell | None = None
    taken: Taken | None = None

    def __post_init__(self) -> None:
        self.judged = [each for each in (self.original, self.unlearned) if each is not None]
        if self.original is not None and self.splits.forget_classes:  # the control: its head-only edit
            self.judged.append(_control(self.original, self.ground, self.splits))
        measures = [step.title for step in suite.steps_of(self.which)] + ["distances"]
        measures += ["published"] if self.ground else []
        measures += ["relearning"] if self.which == FULL else []
        last = "relearning, untrained network" if self.which == FULL and self.fresh is not None else ""
        self.say = Progress(self.tell, [each.name for each in (*self.judged, *self.retrained)], measures, last)
        self._own: dict[str, Found] = {}  # by model: what was measured of it alone
        self._layers: dict[str, LayerFeatures] = {}

    def run(self) -> Measurements:
        """Measure model after model; the original first, because the others are compared with it."""
        everyone = (*self.judged, *self.retrained)
        for each in everyone:
            self._own[each.name] = self._take(each)
        taken: dict[str, Found] = {}
        rows: dict[str, PublishedRow] = {}
        for each in everyone:
            taken[each.name], rows[each.name] = self._compare(each)
        retrained = {each.name: taken[each.name] for each in self.retrained}
        models = {each.name: dict(taken[each.name].values) for each in self.judged}
        if retrained:
            models["retrained"] = dict(next(iter(retrained.values())).values)
        if self.which == FULL and self.fresh is not None:
            untrained = Candidate("fresh", "fresh", self.unlearned.outputs, self.fresh)
            models["fresh"] = dict(self._relearning(untrained).values)
        return Measurements(
            models,
            {name: dict(each.values) for name, each in retrained.items()},
            {each.name: half_widths(taken[each.name], list(retrained.values())) for each in self.judged},
            published_rows(rows, list(retrained), bool(self.splits.forget_classes)) if self.ground else {},
            self.which,
        )

    def _take(self, each: Candidate) -> Found:
        """Take a model's own measures, those of features once for all models whose features are the original's."""
        head, original = None, self.original
        if self.which == FULL and each.network is not None:
            weight = each.network().head.weight
            head = weight.detach().flatten(1).cpu() if isinstance(weight, torch.Tensor) else None
        subject = suite.Subject(each.outputs, self.splits, original.outputs if original else None, head)
        own = self._own.get(original.name) if original else None
        taken_before = (original.outputs, own) if original and own else None
        measures = suite.take(
            subject, suite=self.which, features_of=taken_before, keep=self._keep(each),
            depends_on=self._original_hash,
        )  # fmt: skip
        if self.taken is not None:  # once more as a whole: the control's features are the original's, not taken again
            self.taken(each.name, measures.values)
        return measures

    def _compare(self, each: Candidate) -> tuple[Found, PublishedRow]:
        """Compare a model with original and retrained models: all its measures, and its published ones so far."""
        keep, own = self._keep(each), self._own[each.name]
        values, samples = dict(own.values), dict(own.samples)
        row: PublishedRow = {}
        others = [other for other in self.retrained if other is not each]
        compared = relations.Others(self.original.outputs if self.original else None, [o.outputs for o in others])
        hashes = (*self._original_hash, *(other.sha256 for other in others))
        if hashes:
            distances = keep("distances", hashes, partial(self._distances, each, compared, others))
            merge(values, distances.values)
            samples |= distances.samples
        attackers = [other for other in (*self.retrained, *self.references) if other is not each]
        if self.which == FULL and attackers:
            used = attackers[: self._attackers()]
            attack = keep("RMIA", tuple(one.sha256 for one in used), partial(self._rmia, each, used))
            merge(values, attack.values)
        if self.ground is not None:
            row = dict(keep("published", hashes, partial(self._published, each, compared)).values)
        if self.which == FULL:
            relearn = self._relearning(each)
            values |= relearn.values
            samples |= relearn.samples
            batches = keep("relearn time", self._original_hash, partial(self._batches, each))
            row["relearn_batches"] = batches.values["relearn_batches"]
        return Found(values, samples), row

    @property
    def _original_hash(self) -> tuple[str, ...]:
        return () if self.original is None else (self.original.sha256,)

    def _attackers(self) -> int:
        """Return how many references every model is attacked with: as many as a retrained one has besides itself."""
        pool = len(self.retrained) + len(self.references)
        return max(1, min(relations.MOST_REFERENCES, pool - 1 if self.retrained else pool))

    # -- parts ------------------------------------------------------------------------------------------------------

    def _distances(self, each: Candidate, compared: relations.Others, others: Sequence[Candidate]) -> Found:
        distances = relations.distances(each.outputs, compared, self.splits)
        geometry = relations.geometry(each.outputs, compared, self.splits)
        if self.ground is not None and each.network is not None:
            original, *retrained = (
                self._layers_of(one) if one is not None and one.network is not None else None
                for one in (self.original, *others)
            )
            geometry["layers"] = layer_geometry(self._layers_of(each), original, [one for one in retrained if one])
        return Found({**distances.values, "geometry": geometry}, distances.samples)

    def _layers_of(self, each: Candidate) -> LayerFeatures:
        if each.name not in self._layers:
            assert self.ground is not None and each.network is not None
            ids = torch.nonzero(self.splits.evaluation).flatten()
            ids = stratified(self.splits.test_labels, ids, LAYER_SAMPLES, seed=0)
            self._layers[each.name] = layer_features(each.network(), self.ground.test, ids, self.ground.control.check)
        return self._layers[each.name]

    def _rmia(self, each: Candidate, used: Sequence[Candidate]) -> Found:
        attack = relations.reference_attack(each.outputs, [other.outputs for other in used], self.splits)
        return Found({"membership": {"rmia": attack}})

    def _published(self, each: Candidate, compared: relations.Others) -> Found:
        own = relations.published_measures(self._own[each.name].values, each.outputs, self.splits, self._random_logits)
        return Found({**own, **relations.published_distances(each.outputs, compared.retrained, self.splits)})

    @cached_property
    def _random_logits(self) -> torch.Tensor | None:
        """What an untrained network says of the forget set, (n, K)."""
        if self.fresh is None or self.ground is None:
            return None
        ids, check = self.splits.forget_train, self.ground.control.check
        return collect(self.fresh(), self.ground.train, ids, tick=lambda done: check()).logits

    def _relearning(self, each: Candidate) -> Found:
        return self._keep(each)("relearning", self._original_hash, partial(self._relearn, each))

    def _relearn(self, each: Candidate) -> Found:
        curve = None if each.network is None or self.ground is None else relearning_curve(each.network, self.ground)
        if curve is None:
            return Found({"relearn": None})
        accuracy = self._accuracy_before("forget_test_accuracy")
        return Found({"relearn": curve.as_dict(accuracy)}, {"relearn": list(curve.recovered)})

    def _batches(self, each: Candidate) -> Found:
        if self.ground is None or each.network is None:
            return Found({"relearn_batches": None})
        accuracy = self._accuracy_before("forget_accuracy")
        return Found({"relearn_batches": batches_to_relearn(each.network, self.ground, accuracy)})

    def _accuracy_before(self, key: str) -> float | None:
        """Return an accuracy of the original, 0..1."""
        return None if self.original is None else self._own[self.original.name].values.get(key)

    def _keep(self, each: Candidate) -> Keep:
        """Return what finds a model's finished measures again, and tells of those that have to be taken."""
        keep = keep_nothing if self.log is None else self.log.of(each.name, each.sha256)
        say = self.say.of(each.name)

        def keep_and_tell(measure: str, depends_on: tuple[str, ...], compute: Callable[[], Found]) -> Found:
            def tell_and_compute() -> Found:
                say(measure)
                return compute()

            measures = keep(measure, depends_on, tell_and_compute)
            if self.taken is not None:
                self.taken(each.name, measures.values)
            return measures

        return keep_and_tell


def _control(original: Candidate, ground: Ground | None, splits: Splits) -> Candidate:
    """Return the head-only control: what the original with a silenced head says."""
    network = original.network
    made = None if network is None or ground is None else partial(edited_head, network, ground)
    outputs = suite.head_only(original.outputs, splits.forget_classes)
    return Candidate("head_only", f"head-only edit of {original.sha256}", outputs, made)


def evaluation(model: Candidate, others: Sequence[Candidate], splits: Splits) -> dict[str, Any]:
    """Return the measures of one model under the contract's keys, compared with `others` where there are any.

    Of `others`, the one named "original" is the original and the rest are retrained models. Their own measures stand
    under `references`; with an original there is a verdict.
    """
    original = next((each for each in others if each.name == "original"), None)
    retrained = [each for each in others if each is not original]
    measured = Measuring(original, replace(model, name="unlearned"), retrained, splits).run()
    by_name = {**measured.models, **measured.retrained}
    measures = measured.models["unlearned"]
    if others:
        measures["references"] = {each.name: by_name[each.name] for each in others}
    if original is not None:
        models = {**measured.models, "unlearned": measures}
        verdict = decide(models, list(measured.retrained.values()), half_widths=measured.half_widths)
        measures["verdict"] = verdict.as_dict()
    return measures
