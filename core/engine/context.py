"""What a refresh or an edit may ask of the engine: passes over a set, chunked and interruptible."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from core.data.splits import stratified
from core.engine.outputs import SetOutputs, collect
from core.engine.setting import Setting


class EngineContext:
    """Implements core.methods.base.Context on a setting; every pass reads only."""

    def __init__(self, setting: Setting, check: Callable[[], None]) -> None:
        """`check` raises where the run should end; it is called after every chunk."""
        self._setting = setting
        self._check = check
        self.model = setting.model
        self.values = setting.values
        self.seed = setting.seed
        self.num_classes = setting.splits.num_classes
        self.forget_classes = setting.splits.forget_classes
        self.device = setting.device

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

    def losses(self, which: str, limit: int | None = None) -> torch.Tensor:
        """Return (n,) cross-entropies of a set, on the run's device."""
        outputs = self._collect(which, limit)
        return F.cross_entropy(outputs.logits, outputs.labels, reduction="none").to(self.device)

    def accuracy(self, which: str, limit: int | None = None) -> float:
        """Return the share of a set that the model gets right, 0..1."""
        outputs = self._collect(which, limit)
        return float((outputs.logits.argmax(dim=1) == outputs.labels).float().mean())

    def _collect(self, which: str, limit: int | None) -> SetOutputs:
        setting = self._setting
        store, labels = (
            (setting.test, setting.splits.test_labels) if which == "unseen" else (setting.train, setting.splits.labels)
        )
        ids = setting.ids(which)
        if limit is not None:
            ids = stratified(labels, ids, limit, setting.seed)
        return collect(setting.model, store, ids, setting.precision, lambda done: self._check())
