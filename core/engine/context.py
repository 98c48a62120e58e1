"""What a refresh or an edit may ask of the engine: passes over a set, chunked and interruptible."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
import torch.nn.functional as F

from core.data.batches import ImageStore
from core.data.splits import stratified
from core.engine.gradients import Gradients, mean_gradient, sample_gradients, squared_gradients
from core.engine.outputs import SetOutputs, collect
from core.engine.setting import Setting
from core.methods.base import Aux, Objective
from core.models.tap import TappedModel, evaluating, gradients_to
from core.models.work import FORWARD, GRADIENT


class EngineContext:
    """Implements core.methods.base.Context on a setting; every pass reads only."""

    def __init__(self, setting: Setting, check: Callable[[], None]) -> None:
        """`check` raises where the run should end; it is called after every chunk."""
        self._setting = setting
        self._check = check
        self.model = setting.model
        self.values = setting.values
        self.aux: Aux = {}
        self.seed = setting.seed
        self.num_classes = setting.splits.num_classes
        self.forget_classes = setting.splits.forget_classes
        self.facts = setting.facts
        self.input_shape = setting.input_shape
        self.device = setting.device
        self.said: list[str] = []  # lines for the log that the engine has not passed on yet

    def logits(self, which: str, limit: int | None = None) -> torch.Tensor:
        """Return (n, K) logits of a set."""
        return self._collect(which, limit).logits

    def features(self, which: str, limit: int | None = None) -> torch.Tensor:
        """Return (n, C) features of a set."""
        return self._collect(which, limit).features

    def layer_features(self, which: str, limit: int | None = None) -> list[torch.Tensor]:
        """Return the pooled features of every tapped layer, the head's input last."""
        outputs = self._collect(which, limit)
        return [*outputs.layers, outputs.features]

    def labels(self, which: str, limit: int | None = None) -> torch.Tensor:
        """Return (n,) int64 true labels, in the order of `logits`."""
        store, ids = self._samples(which, limit)
        return store.labels[ids.to(store.device)].cpu()

    def losses(self, which: str, limit: int | None = None) -> torch.Tensor:
        """Return (n,) cross-entropies of a set, on the run's device."""
        outputs = self._collect(which, limit)
        return F.cross_entropy(outputs.logits, outputs.labels, reduction="none").to(self.device)

    def accuracy(self, which: str, limit: int | None = None) -> float:
        """Return the share of a set that the model gets right, 0..1."""
        outputs = self._collect(which, limit)
        return float((outputs.logits.argmax(dim=1) == outputs.labels).float().mean())

    def gradient(self, which: str, objective: Objective, limit: int | None = None) -> Gradients:
        """Return the gradient of the objective's mean over a set, by parameter name."""
        store, ids = self._samples(which, limit)
        self._setting.work[GRADIENT] += len(ids)
        with evaluating(self.model.module):
            return mean_gradient(self.model, store, ids, objective, self._check)

    def sample_gradients(self, which: str, objective: Objective, limit: int | None = None) -> Iterator[Gradients]:
        """Yield gradients of single samples, some at a time: by parameter name, (n, *shape)."""
        store, ids = self._samples(which, limit)
        self._setting.work[GRADIENT] += len(ids)
        yield from sample_gradients(self.model, store, ids, objective, self._check)

    def squared_gradients(self, which: str, objective: Objective, limit: int | None = None) -> Gradients:
        """Return the mean over a set of squared gradients of single samples."""
        store, ids = self._samples(which, limit)
        self._setting.work[GRADIENT] += len(ids)
        return squared_gradients(self.model, store, ids, objective, self._check)

    @contextmanager
    def trying(self, weights: Mapping[str, torch.Tensor]) -> Iterator[None]:
        """Give the network these weights, by parameter name, for a while; the old ones are put back."""
        named = dict(self.model.module.named_parameters())
        before = {name: named[name].detach().clone() for name in weights}
        try:
            _write(named, weights)
            yield
        finally:
            _write(named, before)

    @contextmanager
    def frozen(self) -> Iterator[TappedModel]:
        """Give the network in eval mode for a while: gradients flow to what is put in, not to weights."""
        with evaluating(self.model.module), gradients_to(self.model.module, ()):
            yield self.model

    def check(self) -> None:
        """Raise where the run should end."""
        self._check()

    def say(self, message: str) -> None:
        """Put a line for people into the run's log."""
        self.said.append(message)

    def _collect(self, which: str, limit: int | None) -> SetOutputs:
        store, ids = self._samples(which, limit)
        self._setting.work[FORWARD] += len(ids)
        return collect(self._setting.model, store, ids, self._setting.precision, lambda done: self._check())

    def _samples(self, which: str, limit: int | None) -> tuple[ImageStore, torch.Tensor]:
        setting = self._setting
        store, labels = (
            (setting.test, setting.splits.test_labels) if which == "unseen" else (setting.train, setting.splits.labels)
        )
        ids = setting.ids(which)
        return store, ids if limit is None else stratified(labels, ids, limit, setting.seed)


def _write(named: Mapping[str, torch.nn.Parameter], weights: Mapping[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, value in weights.items():
            named[name].copy_(value)
