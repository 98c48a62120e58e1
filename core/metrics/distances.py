"""How far two models' outputs are apart on the same samples."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from core.metrics.linear_algebra import gram_dtype


def jensen_shannon(logits: Tensor, reference: Tensor) -> float:
    """Return the mean Jensen-Shannon divergence of two models' outputs (logits (n, K) each) in nats, 0..ln 2."""
    return float(sample_jensen_shannon(logits, reference).mean())


def agreement(logits: Tensor, reference: Tensor) -> float:
    """Return the share of samples on which two models (logits (n, K) each) name the same class, 0..1."""
    return float((logits.argmax(1) == reference.to(logits.device).argmax(1)).double().mean())


def sample_jensen_shannon(logits: Tensor, reference: Tensor) -> Tensor:
    """Return each sample's Jensen-Shannon divergence in nats, (n,), stable for any logits."""
    p, q = _log_probabilities(logits), _log_probabilities(reference.to(logits.device))
    middle = torch.logaddexp(p, q) - math.log(2)
    return (0.5 * (_weighted(p, middle) + _weighted(q, middle))).sum(1).clamp_min(0.0)


def sample_total_variation(logits: Tensor, reference: Tensor) -> Tensor:
    """Return each sample's total variation distance, (n,), 0..1."""
    p, q = _log_probabilities(logits), _log_probabilities(reference.to(logits.device))
    return 0.5 * (p.exp() - q.exp()).abs().sum(1)


def _log_probabilities(logits: Tensor) -> Tensor:
    return torch.log_softmax(logits.detach().to(gram_dtype(logits.device)), 1)


def _weighted(log_p: Tensor, log_middle: Tensor) -> Tensor:
    p = log_p.exp()
    return torch.where(p > 0, p * (log_p - log_middle), torch.zeros_like(p))  # 0 · log 0 is 0, not NaN
