"""The feature map of a run: the same few images in one fixed plane of the features of the model it starts from.

Which images: unseen ones, and where single images are forgotten these themselves. The plane is that in which the
start's features of them vary most, what is to be forgotten on the right, and stays. Training turns a network, and fresh
blocks share no axes with the old ones, so features are turned and scaled as a whole to fit the start (`Plane.seen`):
what moves on the map, no turn could keep in place. What leaves the plane is told by the share of the variance that it
still holds.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from core.engine.experiment import Experiment
from core.engine.outputs import FullOutputs
from core.events import FeatureMap, FeaturesMoved, pack_points
from core.metrics.geometry import Plane, principal_plane
from core.metrics.rows import stratified_subset
from core.models.tap import SetOutputs

FORGET_POINTS, RETAIN_POINTS = 120, 280  # of a map: 400 points tell clouds apart, and an event of them is 2 KB


@dataclass(frozen=True, eq=False)
class FeatureMapper:
    """Places the samples of a run's map. `chosen`: by set, which of the samples that the monitor measures are on it."""

    experiment: Experiment
    ids: Mapping[str, torch.Tensor]  # by set, those of the samples that the monitor measures
    chosen: Mapping[str, torch.Tensor]
    plane: Plane

    @classmethod
    def of(
        cls, experiment: Experiment, ids: Mapping[str, torch.Tensor], start: FullOutputs
    ) -> FeatureMapper | None:
        """Choose samples of the monitor's sets and the plane; None where there is nothing to be followed.

        That is where nothing is forgotten, where the method begins with a fresh network, which shares no axes with the
        start, and where the start's features are not finite or do not vary.
        """
        splits = experiment.splits
        if experiment.method.starts_from != "original" or not bool(splits.forget.any()):
            return None
        sets = {"retain_test" if len(ids["retain_test"]) else "retain_train": RETAIN_POINTS}
        shown = [name for name, wanted in (
            ("forget_test", bool(splits.forget_classes)), ("forget_train", splits.has_singles)
        ) if wanted and len(ids[name])] or ["forget_train"]  # fmt: skip
        sets |= {name: FORGET_POINTS // len(shown) for name in shown}
        chosen = {name: _subset(experiment, name, ids[name], count) for name, count in sets.items()}
        rows = [(start.train if name.endswith("train") else start.test).features[ids[name][which]]
                for name, which in chosen.items()]  # fmt: skip
        plane = principal_plane(torch.cat(rows), first=len(rows[0]))
        return cls(experiment, ids, chosen, plane) if plane is not None else None

    def laid_out(self, step: int) -> FeatureMap:
        """Return the event that says which images are followed in which plane."""
        names, plane = self.experiment.class_names, self.plane
        samples = {name: self.ids[name][which] for name, which in self.chosen.items()}
        labels = [self.experiment.store(name).labels.cpu()[ids] for name, ids in samples.items()]
        return FeatureMap(
            run=self.experiment.run_id,
            step=step,
            time=time.time(),
            counts={name: len(ids) for name, ids in samples.items()},
            ids=torch.cat(list(samples.values())).tolist(),
            labels=[names[label] for label in torch.cat(labels).tolist()],
            channels=len(plane.centre),
            centre=_packed(plane.centre),
            axes=_packed(plane.axes),
            radius=plane.radius,
            points=pack_points(plane.points.numpy()),
            share=plane.share,
        )

    def moved(self, outputs: Mapping[str, SetOutputs], step: int, forget_energy: list[float]) -> FeaturesMoved:
        """Return the event that says where the images are for these outputs of the monitor's sets."""
        features = torch.cat([outputs[name].features[which] for name, which in self.chosen.items()])
        points, share = self.plane.seen(features)
        return FeaturesMoved(
            run=self.experiment.run_id,
            step=step,
            time=time.time(),
            points=pack_points(points.numpy()),
            share=share,
            forget_energy=forget_energy,
        )


def _subset(experiment: Experiment, name: str, ids: torch.Tensor, count: int) -> torch.Tensor:
    """Return the positions of at most `count` of the samples `ids` of a set, of each class its share."""
    labels = experiment.store(name).labels.cpu()[ids].numpy()
    if name == "forget_train" and experiment.splits.has_singles and experiment.splits.forget_classes:
        alone = experiment.splits.alone[ids].numpy()  # whole classes are shown by unseen images
        return torch.from_numpy(np.flatnonzero(alone)[stratified_subset(labels[alone], count)])
    return torch.from_numpy(stratified_subset(labels, count))


def _packed(values: torch.Tensor) -> str:
    return base64.b64encode(values.numpy().astype("<f4").tobytes()).decode()
