"""Measures all models of a report: each step of the suite for each model, then what holds them against each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from core.data.splits import Splits, stratified
from core.engine.full import FullOutputs
from core.engine.outputs import collect
from core.events import Tell
from core.verify import published, relations, suite
from core.verify.half_widths import half_widths
from core.verify.layers import LAYER_SAMPLES, LayerFeatures, layer_features, layer_geometry
from core.verify.measure_log import Found, Keep, MeasureLog, keep_nothing, merge
from core.verify.relearning import Ground, Network, batches_to_relearn, edited_head, relearning_curve

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
    half_widths: dict[str, float] = field(default_factory=dict)
    published: dict[str, dict[str, float | None]] = field(default_factory=dict)
    suite: str = QUICK


def measure_all(
    original: Candidate,
    unlearned: Candidate,
    retrained: Sequence[Candidate],
    splits: Splits,
    *,
    which: str = QUICK,
    references: Sequence[Candidate] = (),
    ground: Ground | None = None,
    fresh: Network | None = None,
    log: MeasureLog | None = None,
    tell: Tell | None = None,
    taken: Taken | None = None,
) -> Measurements:
    """Measure original, unlearned, the head-only control (class forgetting) and the retrained models.

    `which` is the suite. `references` are further models that never saw the forget set, for RMIA. With `ground` (what
    networks run on) layers are compared and the published measures taken; the full suite needs it, and `fresh`, an
    untrained network. `log` finds finished measures again. `tell(what, done, total)` is called before each measure of
    each model and may raise to interrupt; `taken(model, values)` after each, with what was found.
    """
    return _Measuring(original, unlearned, retrained, splits, which, references, ground, fresh, log, tell, taken).run()


class Progress:
    """Counts the measures of all models, and what comes after them (`last`), for a progress line."""

    def __init__(self, tell: Tell | None, models: Sequence[str], titles: Sequence[str], last: str = "") -> None:
        self._tell, self._models, self._titles, self._last = tell, list(models), list(titles), last
        self._all = len(models) * len(titles)

    def of(self, model: str) -> Callable[[str], object]:
        """Return what a model's measures are told to."""
        first = self._models.index(model) * len(self._titles)
        name = {"head_only": "head-only edit"}.get(model, model)

        def say(what: str) -> None:
            if self._tell is not None:
                place = first + self._titles.index(what)
                self._tell(f"Measuring {what}, {name}", place, self._all + bool(self._last))

        return say

    def at_last(self) -> None:
        """Tell that what comes after the models' measures begins."""
        if self._tell is not None and self._last:
            self._tell(f"Measuring {self._last}", self._all, self._all + 1)


class _Measuring:
    """One measurement of all models; keeps what its parts share."""

    def __init__(
        self,
        original: Candidate,
        unlearned: Candidate,
        retrained: Sequence[Candidate],
        splits: Splits,
        which: str,
        references: Sequence[Candidate],
        ground: Ground | None,
        fresh: Network | None,
        log: MeasureLog | None,
        tell: Tell | None,
        taken: Taken | None,
    ) -> None:
        self.original, self.retrained, self.references = original, list(retrained), list(references)
        self.splits, self.which, self.ground, self.fresh = splits, which, ground, fresh
        self.log, self.taken = log, taken
        self.judged = [original, unlearned]
        if splits.forget_classes:
            self.judged.append(_control(original, ground, splits))
        titles = [step.title for step in suite.steps_of(which)] + ["distances"]
        titles += ["published measures"] if ground else []
        titles += ["relearning"] if which == FULL else []
        last = "relearning, untrained network" if which == FULL and fresh is not None else ""
        self.say = Progress(tell, [each.name for each in (*self.judged, *self.retrained)], titles, last)
        self._layers: dict[str, LayerFeatures] = {}
        self._random: torch.Tensor | None = None
        self._accuracies: dict[str, Any] = {}  # the original's

    def run(self) -> Measurements:
        """Measure model after model; the original first, because the others are held against it."""
        first = self._own(self.original, None)
        self._accuracies = dict(first.values)
        known = (self.original.outputs, first)
        found = {each.name: first if each is self.original else self._own(each, known) for each in self.judged}
        again = {each.name: self._own(each, known) for each in self.retrained}
        rows: dict[str, published.Row] = {}
        for each in (*self.judged, *self.retrained):
            group = again if each in self.retrained else found
            more, row = self._held(each, group[each.name])
            values = dict(group[each.name].values)
            merge(values, more.values)
            group[each.name] = Found(values, {**group[each.name].samples, **more.samples})
            rows[each.name] = row
        models = {name: dict(each.values) for name, each in found.items()}
        if again:
            models["retrained"] = dict(next(iter(again.values())).values)
        if self.which == FULL and self.fresh is not None:
            self.say.at_last()
            models["fresh"] = dict(
                self._relearning(Candidate("fresh", "fresh", self.original.outputs, self.fresh)).values
            )
        return Measurements(
            models,
            {name: dict(each.values) for name, each in again.items()},
            half_widths(found["unlearned"], list(again.values())),
            published.completed(rows, list(again), bool(self.splits.forget_classes)) if self.ground else {},
            self.which,
        )

    def _own(self, each: Candidate, known: tuple[FullOutputs, Found] | None) -> Found:
        head = None
        if self.which == FULL and each.network is not None:
            weight = each.network().head.weight
            head = weight.detach().flatten(1).cpu() if isinstance(weight, torch.Tensor) else None
        subject = suite.Subject(each.outputs, self.splits, self.original.outputs, head)
        found = suite.take(
            subject, suite=self.which, features_of=known, keep=self._keep(each), depends_on=(self.original.sha256,),
            say=self.say.of(each.name),
        )  # fmt: skip
        if self.taken is not None:  # once more as a whole: the control's features are the original's, not taken again
            self.taken(each.name, found.values)
        return found

    def _held(self, each: Candidate, own: Found) -> tuple[Found, published.Row]:
        """Hold a model against original and retrained models; also returns its published measures so far."""
        say, keep = self.say.of(each.name), self._keep(each)
        others = [other for other in self.retrained if other is not each]
        held = relations.Others(self.original.outputs, [other.outputs for other in others])
        hashes = (self.original.sha256, *(other.sha256 for other in others))
        say("distances")
        found = keep("distances", hashes, partial(self._distances, each, held, others))
        values, samples = dict(found.values), dict(found.samples)
        attackers = [other for other in (*self.retrained, *self.references) if other is not each]
        if self.which == FULL and attackers:
            used = attackers[: self._attackers()]
            attack = keep("RMIA", tuple(one.sha256 for one in used), partial(self._rmia, each, used))
            merge(values, attack.values)
        row: published.Row = {}
        if self.ground is not None:
            say("published measures")
            row = dict(keep("published", hashes, partial(self._published, each, own, held)).values)
        if self.which == FULL:
            say("relearning")
            relearn = self._relearning(each)
            values |= relearn.values
            samples |= relearn.samples
            row["relearn_batches"] = keep("relearn time", (self.original.sha256,), partial(self._batches, each)).values[
                "relearn_batches"
            ]
        return Found(values, samples), row

    def _attackers(self) -> int:
        """Return how many references every model is attacked with: as many as a retrained one has besides itself."""
        pool = len(self.retrained) + len(self.references)
        return max(1, min(relations.MOST_REFERENCES, pool - 1 if self.retrained else pool))

    # -- parts ------------------------------------------------------------------------------------------------------

    def _distances(self, each: Candidate, held: relations.Others, others: Sequence[Candidate]) -> Found:
        found = relations.distances(each.outputs, held, self.splits)
        geometry = relations.geometry(each.outputs, held, self.splits)
        if self.ground is not None and each.network is not None:
            known = [self._layers_of(other) for other in others if other.network is not None]
            geometry["layers"] = layer_geometry(self._layers_of(each), self._layers_of(self.original), known)
        return Found({**found.values, "geometry": geometry}, found.samples)

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

    def _published(self, each: Candidate, accuracies: Found, held: relations.Others) -> Found:
        own = published.own_measures(accuracies.values, each.outputs, self.splits, self._random_logits())
        return Found({**own.values, **published.relative_measures(each.outputs, held.retrained, self.splits)})

    def _random_logits(self) -> torch.Tensor | None:
        """Return what an untrained network says of the forget set, (n, K); taken once."""
        if self._random is None and self.fresh is not None and self.ground is not None:
            ids, check = self.splits.forget_train, self.ground.control.check
            self._random = collect(self.fresh(), self.ground.train, ids, tick=lambda done: check()).logits
        return self._random

    def _relearning(self, each: Candidate) -> Found:
        return self._keep(each)("relearning", (self.original.sha256,), partial(self._relearn, each))

    def _relearn(self, each: Candidate) -> Found:
        if self.ground is None or each.network is None:
            return Found({"relearn": None})
        curve = relearning_curve(each.network, self.ground)
        if curve is None:
            return Found({"relearn": None})
        accuracy = self._accuracies.get("forget_test_accuracy")
        return Found({"relearn": curve.as_dict(accuracy)}, {"relearn": list(curve.recovered)})

    def _batches(self, each: Candidate) -> Found:
        if self.ground is None or each.network is None:
            return Found({"relearn_batches": None})
        accuracy = self._accuracies.get("forget_accuracy")
        return Found({"relearn_batches": batches_to_relearn(each.network, self.ground, accuracy)})

    def _keep(self, each: Candidate) -> Keep:
        keep = keep_nothing if self.log is None else self.log.of(each.name, each.sha256)
        taken = self.taken
        if taken is None:
            return keep

        def told(measure: str, depends_on: tuple[str, ...], compute: Callable[[], Found]) -> Found:
            found = keep(measure, depends_on, compute)
            taken(each.name, found.values)
            return found

        return told


def _control(original: Candidate, ground: Ground | None, splits: Splits) -> Candidate:
    """Return the head-only control: what the original with a silenced head says."""
    network = original.network
    made = None if network is None or ground is None else partial(edited_head, network, ground)
    outputs = suite.head_only(original.outputs, splits.forget_classes)
    return Candidate("head_only", f"head-only edit of {original.sha256}", outputs, made)
