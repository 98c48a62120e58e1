"""The default preset of every method, on every kind of forget set it declares, does on digits what its card says."""

from __future__ import annotations

import copy
import math
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F

from core.data.batches import ImageStore
from core.data.sources import open_dataset
from core.data.splits import Splits
from core.engine.control import Control
from core.engine.engine import Engine
from core.engine.experiment import Experiment
from core.engine.monitor import Unwatched
from core.methods import METHODS, get_method
from core.methods.base import Method
from core.models.architectures import ModelSpec, build_model
from core.models.tap import TappedModel
from core.parameters import resolve
from tests.core.toy import run_to_end

CLASS, SINGLES = 3, 40
EPOCHS, BATCH = 12, 64
KINDS = {"class": {"class"}, "sample": {"sample"}, "both": {"class", "sample"}}
CPU = torch.device("cpu")


class Figures(NamedTuple):
    """Accuracies in percent and mean losses; NaN where there are no such images."""

    forget_test: float  # unseen images of the class to forget
    retain_test: float
    retain_train: float
    singles: float
    singles_loss: float
    unseen_loss: float


class Bounds(NamedTuple):
    """What a card allows: most forget-test accuracy, most points of retain-test and singles' accuracy lost."""

    forget_test: float = 5.0
    lost: float = 4.0
    singles_lost: float = 6.0


# What cards warn of; everything else is held to the bounds above.
LOOSER = {
    "finetune": Bounds(forget_test=100.0),  # hopes that the others fade, and "often forgets little"
    "gradient-ascent": Bounds(forget_test=11.0, lost=18.0),  # 5 % of the training images; sixteen points on digits
    "lipschitz": Bounds(forget_test=7.0, lost=20.0, singles_lost=20.0),  # ten to eighteen points on the others
    "esc": Bounds(lost=10.0),  # "which can cost retain accuracy"
    "fisher": Bounds(lost=6.0),  # as strong as the images to keep bear: `max_drop`
    "ssd": Bounds(lost=6.0),
    "lfssd": Bounds(lost=6.0),
    "influence": Bounds(lost=8.0),
    "bad-teacher": Bounds(lost=12.0, singles_lost=12.0),
    "delete": Bounds(lost=6.0),  # five on digits
    "negmerge": Bounds(lost=8.0),  # "most of which it costs on digits": seven points
    "boundary-shrink": Bounds(lost=6.0),  # five on digits
    "boundary-expand": Bounds(forget_test=34.0, lost=31.0),  # up to a third is left, up to thirty points are lost
}


FEWER = {"fisher": {"samples": 500}}  # images behind the information: ten passes of single gradients over them


class Digits:
    """Digits and a network trained on them as the example's is."""

    def __init__(self) -> None:
        self.data = open_dataset("digits")
        self.original = self.trained()
        nothing = torch.zeros(len(self.data.train), dtype=torch.bool)
        labels = self.data.train.labels
        others = torch.nonzero(labels != CLASS).flatten()
        drawn = others[torch.randperm(len(others), generator=torch.Generator().manual_seed(3))[:SINGLES]]
        single = torch.zeros_like(nothing)
        single[drawn] = True
        self.masks = {"class": labels == CLASS, "sample": single, "both": single | (labels == CLASS)}
        self.before = {
            kind: self.figures(self.experiment("retrain", self.original, mask, {}), self.original)
            for kind, mask in self.masks.items()
        }

    def trained(self) -> torch.nn.Module:
        """Train in double precision, in which a dozen passes end alike on every processor; in single they do not."""
        torch.manual_seed(0)
        network = build_model(ModelSpec("small-cnn", 10, 1, (8, 8))).double()
        images, labels = self.data.preprocessing.apply(self.data.train.images).double(), self.data.train.labels
        optimiser = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS * math.ceil(len(labels) / BATCH))
        for ids in (ids for _ in range(EPOCHS) for ids in torch.randperm(len(labels)).split(BATCH)):
            optimiser.zero_grad()
            F.cross_entropy(network(images[ids]), labels[ids]).backward()
            optimiser.step()
            schedule.step()
        return network.float().eval()

    def experiment(self, method_id, network, mask, values) -> Experiment:
        """A method on the digits, without the session around it."""
        method, data = get_method(method_id), self.data
        chosen = resolve(method.parameters, values)
        return Experiment(
            run_id="test", method=method, values=chosen, seed=0,
            model=TappedModel(network, 10, method.layers(chosen), input_shape=(1, 8, 8)), splits=Splits.of(data, mask),
            train=ImageStore(data.train, data.preprocessing, CPU, mask),
            test=ImageStore(data.test, data.preprocessing, CPU), class_names=data.classes, device=CPU,
        )  # fmt: skip

    def figures(self, experiment: Experiment, network) -> Figures:
        """Measure a network on the sets of a setting."""
        splits = experiment.splits

        def measured(store, ids) -> tuple[float, float]:
            batch = store.batch(ids)
            with torch.no_grad():
                logits = network.eval()(batch.images)
            right = (logits.argmax(dim=1) == batch.labels).float().mean()
            return 100 * float(right), float(F.cross_entropy(logits, batch.labels))

        single, single_loss = measured(experiment.train, splits.forget_single_train)
        unseen, unseen_loss = measured(experiment.test, splits.retain_test)
        forget_test, _ = measured(experiment.test, splits.forget_test)
        return Figures(
            forget_test, unseen, measured(experiment.train, splits.retain_train)[0], single, single_loss, unseen_loss
        )


@pytest.fixture(scope="module")
def digits() -> Digits:
    """The original, trained once."""
    return Digits()


def cases(method: Method) -> list[str]:
    """Both kinds at once are held to what either is; one alone is run where it has a default of its own."""
    if not KINDS["both"] <= method.suits:
        return [kind for kind, kinds in KINDS.items() if kinds <= method.suits]
    default = method.preset("", KINDS["both"])
    return [kind for kind, kinds in KINDS.items() if kind == "both" or method.preset("", kinds) != default]


CASES = [
    (method.id, kind) for method in METHODS.values() if method.starts_from == "original" for kind in cases(method)
]


@pytest.mark.parametrize(("method_id", "kind"), CASES)
def test_the_default_does_what_the_card_says(digits, method_id, kind):
    method = get_method(method_id)
    preset = method.preset("", KINDS[kind])
    assert KINDS[kind] <= preset.suits
    network = copy.deepcopy(digits.original)
    values = {**preset.values, **FEWER.get(method_id, {})}
    experiment = digits.experiment(method_id, network, digits.masks[kind], values)
    before = digits.before[kind]
    run_to_end(Engine(experiment, Control(), Unwatched()))
    after, allowed = digits.figures(experiment, network), LOOSER.get(method_id, Bounds())
    assert after.retain_test >= before.retain_test - allowed.lost
    if "class" in KINDS[kind]:
        assert before.forget_test == 100.0
        assert after.forget_test <= allowed.forget_test
    if "sample" in KINDS[kind]:
        # Their class stays: they are to be about as right and about as sure as unseen images, never far from them.
        assert after.singles >= before.singles - allowed.singles_lost
        assert after.singles_loss <= max(after.unseen_loss, 0.1) * 1.5
