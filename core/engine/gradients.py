"""Gradients of a set: of the mean, of single samples, and their squares; in eval mode, float32, in small chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch.func import functional_call, grad, vmap

from core.data.batches import ImageStore
from core.methods.base import Objective
from core.models.tap import TappedModel, evaluating, gradients_to, main_logits

CHUNK = 250
LARGEST_CHUNK = 2**27  # bytes of single-sample gradients held at once

Gradients = dict[str, torch.Tensor]
Check = Callable[[], None]


def mean_gradient(
    model: TappedModel, store: ImageStore, ids: torch.Tensor, objective: Objective, check: Check
) -> Gradients:
    """Return the gradient of the objective's mean over `ids` (n,) int64; `check` may raise after every chunk."""
    named = model.trained_parameters()
    total = {name: torch.zeros_like(parameter, dtype=torch.float32) for name, parameter in named.items()}
    with gradients_to(model.module, named.values()):
        for chunk in ids.split(CHUNK):
            batch = store.batch(chunk)
            value = objective(model(batch.images).logits.float(), batch.labels).sum() / max(1, len(ids))
            found = torch.autograd.grad(value, list(named.values()), allow_unused=True)
            for name, part in zip(named, found, strict=True):
                if part is not None:
                    total[name] += part
            check()
    return total


def sample_gradients(
    model: TappedModel, store: ImageStore, ids: torch.Tensor, objective: Objective, check: Check
) -> Iterator[Gradients]:
    """Yield gradients of single samples by parameter name, each (m, *shape); m is chosen by the network's size.

    The network is in eval mode only while it computes, not while the caller uses what it was given.
    """
    module = model.module
    parameters = {name: parameter.detach() for name, parameter in model.trained_parameters().items()}
    every = (*module.named_parameters(), *module.named_buffers())
    constants = {name: value.detach() for name, value in every if name not in parameters}
    size = 4 * sum(p.numel() for p in parameters.values())
    chunk_size = max(1, min(CHUNK, LARGEST_CHUNK // max(1, size)))

    def of_sample(weights: Gradients, image: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        logits = main_logits(functional_call(module, (weights, constants), (image[None],)))
        return objective(logits.float(), label[None]).sum()

    one = grad(of_sample)
    many = vmap(one, in_dims=(None, 0, 0), randomness="same")
    vectorised = True
    for chunk in ids.split(chunk_size):
        batch = store.batch(chunk)
        found = None
        with evaluating(module):
            if vectorised:
                try:
                    found = many(parameters, batch.images, batch.labels)
                except (RuntimeError, ValueError):  # a layer that vmap does not know: one sample at a time
                    vectorised = False
            if found is None:
                rows = [one(parameters, image, label) for image, label in zip(batch.images, batch.labels, strict=True)]
                found = {name: torch.stack([row[name] for row in rows]) for name in parameters}
        yield found
        check()


def squared_gradients(
    model: TappedModel, store: ImageStore, ids: torch.Tensor, objective: Objective, check: Check
) -> Gradients:
    """Return the mean over `ids` of squared gradients of single samples: the diagonal of an empirical Fisher matrix."""
    total: Gradients = {}
    for found in sample_gradients(model, store, ids, objective, check):
        for name, rows in found.items():
            square = rows.square().sum(dim=0)
            total[name] = square if name not in total else total[name] + square
    return {name: value / max(1, len(ids)) for name, value in total.items()}

