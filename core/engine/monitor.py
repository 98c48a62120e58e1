"""What a run shows of itself while it goes on: measures of fixed, stratified subsets, within a share of its time.

One forward pass per set gives logits and features together; accuracy, alignment, spectra and losses all come from it.
Weights, batch-norm statistics and random state stay bit-identical (tests hash them).
"""

from __future__ import annotations

import time
from typing import Any

import torch

from core import distributed
from core.data.splits import SETS, stratified
from core.engine.experiment import Experiment
from core.engine.feature_map import FeatureMapper
from core.engine.outputs import FullOutputs, collect
from core.events import AlignmentMeasured, Evaluation, Event, SpectrumMeasured
from core.metrics.accuracy import accuracy, mean_loss, predicted_shares
from core.metrics.spaces import FeatureSpace, energy_in_directions, measure_alignment, measure_spectra
from core.models.tap import SetOutputs

SMALLEST, LARGEST = 256, 2000  # samples a set; between them twice as many as features, for a Gram of full rank
DIRECTIONS = 32  # leading retain directions whose energy is told at least, or twice the classes that stay
HISTOGRAM_SAMPLES = 500  # losses sent along for the histograms of sample forgetting


class Monitor:
    """Evaluates as often as its budget allows, and always at the first and the last step."""

    def __init__(self, experiment: Experiment, budget: float, start: FullOutputs | None = None) -> None:
        """`budget`: largest share of the time between first and last step, 0..1; 0 evaluates at the ends only.

        `start`: outputs of the model that the run starts from, in whose features the feature map is laid out.
        """
        self._experiment = experiment
        self._budget = budget
        size = max(SMALLEST, min(LARGEST, 2 * experiment.model.feature_dim))
        splits = experiment.splits
        self._subsets = {
            name: stratified(experiment.store(name).labels.cpu(), getattr(splits, name), size, seed=0) for name in SETS
        }
        self._mapper = FeatureMapper.of(experiment, self._subsets, start) if start is not None else None
        self._laid_out = False  # whether the feature map of this stretch of the run is told
        self.spent = 0.0  # seconds between first and last step
        self._cost = 0.0  # seconds of the latest evaluation

    def due(self, elapsed: float) -> bool:
        """Tell whether one more evaluation fits the budget after `elapsed` seconds of training and monitoring."""
        return self.spent + self._cost <= self._budget * elapsed

    def evaluate(self, step: int, *, charged: bool = True) -> list[Event]:
        """Measure the subsets; not `charged` to the budget are the evaluations at both ends of a run."""
        began = time.perf_counter()
        experiment = self._experiment
        outputs = {
            name: collect(experiment.model, experiment.store(name), ids, experiment.precision)
            for name, ids in self._subsets.items()
        }
        if not distributed.is_first():  # it has taken its share of the passes; the first one's events are reported
            return []
        events = events_of(experiment, outputs, step, "subset", self._mapper)
        if self._mapper is not None and not self._laid_out:
            events.insert(0, self._mapper.laid_out(step))
            self._laid_out = True
        self._cost = time.perf_counter() - began
        if charged:
            self.spent += self._cost
        return events


class Unwatched(Monitor):
    """Measures nothing: for runs of which only the result counts, such as tries of a search."""

    def __init__(self) -> None:
        self.spent = 0.0

    def due(self, elapsed: float) -> bool:
        """Never."""
        return False

    def evaluate(self, step: int, *, charged: bool = True) -> list[Event]:
        """Return no events."""
        return []


def events_of(
    experiment: Experiment,
    outputs: dict[str, SetOutputs],
    step: int,
    scope: str,
    mapper: FeatureMapper | None = None,
) -> list[Event]:
    """Turn outputs of the four sets into an evaluation, an alignment (whole classes only) and a spectrum.

    With `mapper`, which knows the samples in `outputs`, also into where they are on the feature map.
    """
    common: dict[str, Any] = {"run": experiment.run_id, "step": step, "time": time.time()}
    retain, forget = outputs["retain_train"], outputs["forget_train"]
    unseen = outputs["forget_test"]
    shares = predicted_shares(unseen.logits, len(experiment.class_names)) or []
    by_class = bool(experiment.splits.forget_classes)
    events: list[Event] = [
        Evaluation(
            **common,
            scope=scope,
            retain_accuracy=accuracy(retain.logits, retain.labels),
            forget_accuracy=accuracy(forget.logits, forget.labels),
            retain_test_accuracy=accuracy(outputs["retain_test"].logits, outputs["retain_test"].labels),
            forget_test_accuracy=accuracy(unseen.logits, unseen.labels),
            retain_loss=mean_loss(retain.logits, retain.labels),
            forget_loss=mean_loss(forget.logits, forget.labels),
            counts={name: len(out) for name, out in outputs.items()},
            forget_predictions={experiment.class_names[i]: share for i, share in enumerate(shares) if share > 0},
            forget_losses=[] if by_class else _losses(forget),
            unseen_losses=[] if by_class else _losses(outputs["retain_test"]),
        )
    ]
    if not len(forget) or not len(retain):
        return events
    retain_space, forget_space = FeatureSpace.of(retain.features), FeatureSpace.of(forget.features)
    forget_energy: list[float] = []
    if by_class:
        whole = torch.isin(forget.labels, torch.tensor(experiment.splits.forget_classes))
        of_classes = forget_space if bool(whole.all()) else FeatureSpace.of(forget.features[whole])
        k = len(experiment.splits.retain_classes)
        alignment = measure_alignment(of_classes, retain_space, k)
        if alignment is not None:
            values = alignment.as_dict()
            del values["at_energy"]
            events.append(AlignmentMeasured(**common, scope=scope, **values))
            if mapper is not None and of_classes is not None and retain_space is not None:
                shares = energy_in_directions(of_classes, retain_space, max(2 * k, DIRECTIONS))
                forget_energy = [round(share, 6) for share in shares]
    spectra = measure_spectra(forget_space, retain_space)
    if spectra is not None:
        events.append(SpectrumMeasured(**common, scope=scope, **spectra.as_dict()))
    if mapper is not None:
        events.append(mapper.moved(outputs, step, forget_energy))
    return events


def _losses(outputs: SetOutputs) -> list[float | None]:
    """Return losses of single images for a histogram, those that are not finite left out."""
    if not len(outputs):
        return []
    losses = outputs.losses[:HISTOGRAM_SAMPLES]
    return [round(loss, 5) for loss in losses[losses.isfinite()].tolist()]
