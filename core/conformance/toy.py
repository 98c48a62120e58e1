"""A tiny data set, a network that knows it and settings on both, for checks that run the engine hundreds of times."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import torch
from torch import nn

from core.data.batches import NO_AUGMENTATION, Augmentation, ImageStore
from core.data.dataset import Dataset, ImageSet
from core.data.preprocessing import Preprocessing
from core.data.splits import Splits
from core.engine.control import Control
from core.engine.engine import Engine
from core.engine.experiment import Experiment
from core.engine.monitor import Monitor
from core.events import Event
from core.methods import get_method
from core.methods.base import Method
from core.models.tap import TappedModel
from core.parameters import resolve

CLASSES = 4
SIDE = 6
CPU = torch.device("cpu")


class ToyNet(nn.Module):
    """Convolution, batch norm, dropout: everything that could make a resume differ."""

    def __init__(self, channels: int = 1, classes: int = CLASSES, dropout: float = 0.3) -> None:
        super().__init__()
        self.block1 = nn.Sequential(nn.Conv2d(channels, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2))
        self.block2 = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(6 * 9, 10), nn.ReLU())
        self.head = nn.Linear(10, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits, (n, classes)."""
        return self.head(self.block2(self.block1(x)))


def toy_dataset(train: int = 80, test: int = 80, channels: int = 1, seed: int = 0) -> Dataset:
    """Return blobs at a corner per class, with noise; every class in every part."""
    generator = torch.Generator().manual_seed(seed)

    def part(count: int) -> ImageSet:
        labels = torch.arange(count) % CLASSES
        images = torch.randint(0, 200, (count, SIDE, SIDE, channels), generator=generator)
        for i, label in enumerate(labels.tolist()):
            y, x = divmod(label, 2)
            images[i, 3 * y : 3 * y + 3, 3 * x : 3 * x + 3] += 55
        return ImageSet(images.to(torch.uint8), labels)

    return Dataset(
        spec="toy",
        title="Toy",
        classes=("north", "east", "south", "west"),
        train=part(train),
        test=part(test),
        preprocessing=Preprocessing((SIDE, SIDE), (0.3,) * channels, (0.3,) * channels),
        fingerprint="toy",
    )


DATA = toy_dataset()


def trained_net() -> ToyNet:
    """Return a network that has learnt the toy data a little; the same at every call."""
    return copy.deepcopy(_trained())


@cache
def _trained() -> ToyNet:
    torch.manual_seed(0)
    net = ToyNet()
    experiment = make_experiment("retrain", net, forget=None, epochs=4, batch=16, lr=0.05)
    list(make_engine(experiment).run())
    return net


def forget_mask(mode: str = "class", data: Dataset = DATA) -> torch.Tensor:
    """Return the mask of class 1 as a whole, or of every seventh sample, or both."""
    labels = data.train.labels
    by_class = labels == 1
    by_sample = torch.arange(len(labels)) % 7 == 0
    return {"class": by_class, "sample": by_sample, "mixed": by_class | by_sample}[mode]


def make_experiment(
    method: str | Method,
    net: nn.Module | None = None,
    forget: str | None = "class",
    *,
    seed: int = 0,
    augmentation: Augmentation = NO_AUGMENTATION,
    data: Dataset = DATA,
    device: torch.device = CPU,
    **values: Any,
) -> Experiment:
    """Return a setting on the toy data in float32."""
    chosen = get_method(method) if isinstance(method, str) else method
    resolved = resolve(chosen.parameters, values)
    mask = torch.zeros(len(data.train), dtype=torch.bool) if forget is None else forget_mask(forget, data)
    net = (trained_net() if net is None else net).to(device)
    return Experiment(
        run_id="test",
        method=chosen,
        values=resolved,
        seed=seed,
        model=TappedModel(net, CLASSES, chosen.layers(resolved), input_shape=(data.channels, SIDE, SIDE)),
        splits=Splits.of(data, mask),
        train=ImageStore(data.train, data.preprocessing, device, mask),
        test=ImageStore(data.test, data.preprocessing, device),
        class_names=data.classes,
        device=device,
        augmentation=augmentation,
    )


def make_engine(experiment: Experiment, control: Control | None = None, **options: Any) -> Engine:
    """Return an engine without a folder behind it; the monitor evaluates at the ends only."""
    return Engine(experiment, control or Control(), Monitor(experiment, 0.0), **options)


def run_to_end(engine: Engine) -> list[Event]:
    """Walk an engine to its end and return what it reported."""
    return list(engine.run())


def weights(module: nn.Module) -> dict[str, torch.Tensor]:
    """Return a copy of all weights and buffers."""
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Whether two sets of weights are bit for bit the same."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)

