"""Passes over whole sets that only read the network: what a refresh, an edit or a rule may ask while a run goes on.

Outputs, inputs of inner layers and gradients of a set, in chunks between which the run can be interrupted; the last two
in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.func import functional_call, grad, vmap

from core import distributed
from core.data.batches import Batch, ImageStore
from core.data.splits import stratified
from core.engine.experiment import FORWARD, GRADIENT, Experiment
from core.engine.outputs import Deal, chunk_size, collect
from core.methods.base import LOOK_SAMPLES, Aux, Objective, See
from core.models.tap import SetOutputs, evaluating, gradients_to, main_logits

CHUNK = 250  # images whose gradient is taken at once
LARGEST_CHUNK = 2**27  # bytes of single-sample gradients held at once

Gradients = dict[str, torch.Tensor]


class SetPasses:
    """The `Context` of methods for an experiment.

    Sets are named as in `Experiment.ids`; with a `limit` above 0, about so many samples of one are taken, stratified.
    """

    def __init__(self, experiment: Experiment, check: Callable[[], None]) -> None:
        """`check` is called after every chunk and raises where the run should end."""
        self._experiment, self.check = experiment, check
        self.model = experiment.model
        self.values = experiment.values
        self.aux: Aux = {}
        self.seed = experiment.seed
        self.num_classes = experiment.splits.num_classes
        self.forget_classes = experiment.splits.forget_classes
        self.imageless = experiment.splits.imageless
        self.facts = experiment.facts
        self.input_shape = experiment.input_shape
        self.pixel_range = experiment.pixel_range
        self.device = experiment.device
        self.messages: list[str] = []  # lines for the log that the engine has not passed on yet

    def outputs(self, which: str, limit: int = 0) -> SetOutputs:
        """Return the network's outputs on a set."""
        store, ids = self._samples(which, limit)
        self._experiment.work[FORWARD] += len(ids)
        return collect(self.model, store, ids, self._experiment.precision, lambda done: self.check())

    def labels(self, which: str, limit: int = 0) -> torch.Tensor:
        """Return (n,) int64 true labels, in the order of `outputs`."""
        store, ids = self._samples(which, limit)
        return store.labels[ids.to(store.device)].cpu()

    def batches(self, which: str, limit: int = 0) -> Iterator[Batch]:
        """Yield the samples of a set with their images as they are, some at a time."""
        store, ids = self._samples(which, limit)
        for batch in store.chunks(ids, chunk_size(store)):
            yield batch
            self.check()

    def passed(self, images: int) -> None:
        """Count so many images that went forward and back through the network where only the caller knows of it."""
        self._experiment.work[GRADIENT] += images

    def accuracy(self, which: str, limit: int = LOOK_SAMPLES) -> float:
        """Return the share of a set that the model gets right, 0..1."""
        outputs = self.outputs(which, limit)
        return float((outputs.logits.argmax(dim=1) == outputs.labels).float().mean())

    def inputs(self, which: str, layers: Sequence[str], see: See, limit: int = 0) -> None:
        """Pass a set through the network once, in float32, and show what inner layers receive.

        `see` is called in every chunk for every layer, by module name, in the order data passes them; for one that is
        called twice, twice. It keeps what it needs: nothing is held here.
        """
        store, ids = self._samples(which, limit)
        self._experiment.work[FORWARD] += len(ids)
        for batch in store.chunks(ids, chunk_size(store)):

            def shown(name: str, layer: nn.Module, given: tuple[Any, ...], labels: torch.Tensor = batch.labels) -> None:
                if given:  # not what is given by a keyword alone
                    see(name, given[0].detach(), labels)

            with ExitStack() as stack:
                stack.enter_context(evaluating(self.model.module))
                for name in layers:
                    layer = self.model.module.get_submodule(name)
                    stack.enter_context(layer.register_forward_pre_hook(partial(shown, name)))
                self.model(batch.images)
            self.check()

    def gradient(self, which: str, objective: Objective, limit: int = 0) -> Gradients:
        """Return the gradient of the objective's mean over a set, by parameter name."""
        store, ids = self._samples(which, limit)
        self._experiment.work[GRADIENT] += len(ids)
        named = self.model.trained_parameters()
        total = {name: torch.zeros_like(parameter, dtype=torch.float32) for name, parameter in named.items()}
        deal = Deal(len(ids), CHUNK)
        with evaluating(self.model.module), gradients_to(self.model.module, named.values()):
            for _, batch, _ in deal.rounds(store, ids):
                if batch is not None:
                    value = objective(self.model(batch.images).logits.float(), batch.labels).sum() / max(1, len(ids))
                    parts = torch.autograd.grad(value, list(named.values()), allow_unused=True)
                    for name, part in zip(named, parts, strict=True):
                        if part is not None:
                            total[name] += part
                self.check()
        if deal.divided:
            distributed.all_reduce(list(total.values()))
        return total

    def sample_gradients(self, which: str, objective: Objective, limit: int = 0) -> Iterator[Gradients]:
        """Yield gradients of single samples by parameter name, (m, *shape) each; m is chosen by the network's size.

        The network is in eval mode only while it computes, not while the caller uses what it was given.
        """
        store, ids = self._samples(which, limit)
        self._experiment.work[GRADIENT] += len(ids)
        module = self.model.module
        parameters = {name: parameter.detach() for name, parameter in self.model.trained_parameters().items()}
        every = (*module.named_parameters(), *module.named_buffers())
        constants = {name: value.detach() for name, value in every if name not in parameters}
        size = 4 * sum(p.numel() for p in parameters.values())

        def of_sample(weights: Gradients, image: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
            logits = main_logits(functional_call(module, (weights, constants), (image[None],)))
            return objective(logits.float(), label[None]).sum()

        of_one = grad(of_sample)
        of_chunk = vmap(of_one, in_dims=(None, 0, 0), randomness="same")
        vectorised = True
        for chunk in ids.split(max(1, min(CHUNK, LARGEST_CHUNK // max(1, size)))):
            batch, gradients = store.batch(chunk), None
            with evaluating(module):
                if vectorised:
                    try:
                        gradients = of_chunk(parameters, batch.images, batch.labels)
                    except (RuntimeError, ValueError):  # a layer that vmap does not know: one sample at a time
                        vectorised = False
                if gradients is None:
                    rows = [of_one(parameters, *sample) for sample in zip(batch.images, batch.labels, strict=True)]
                    gradients = {name: torch.stack([row[name] for row in rows]) for name in parameters}
            yield gradients
            self.check()

    def say(self, message: str) -> None:
        """Put a line for people into the run's log."""
        self.messages.append(message)

    def _samples(self, which: str, limit: int) -> tuple[ImageStore, torch.Tensor]:
        experiment, splits = self._experiment, self._experiment.splits
        unseen = which == "unseen"
        store, labels = (experiment.test, splits.test_labels) if unseen else (experiment.train, splits.labels)
        ids = experiment.ids(which)
        return store, stratified(labels, ids, limit, experiment.seed) if limit else ids
