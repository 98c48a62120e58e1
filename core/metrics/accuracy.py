"""Accuracies counted in whole numbers: per set, per class, and where forget samples go.

Outputs without a column, which are an encoder's, name no class: there is then no accuracy, not a low one.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from core.metrics.rows import ROWS_PER_CHUNK


def names_classes(outputs: Tensor) -> bool:
    """Whether outputs, logits (n, K) or classes (n,), name classes at all: those of an encoder, (n, 0), do not."""
    return outputs.ndim != 2 or outputs.shape[1] > 0


def predictions(outputs: Tensor) -> Tensor:
    """Return the class each row names: argmax of logits ((n, K)), or class numbers ((n,)) as they are."""
    return outputs.argmax(1) if outputs.ndim == 2 else outputs


def correct(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return which of `outputs` (logits (n, K) or classes (n,)) name their label ((n,) int): (n,) bool.

    Reads `outputs` piece by piece, so that stored ones (`Rows`) are never held as a whole.
    """
    if not len(labels):
        return torch.zeros(0, dtype=torch.bool)
    pieces = zip(outputs.split(ROWS_PER_CHUNK), labels.split(ROWS_PER_CHUNK), strict=True)
    return torch.cat([predictions(rows) == truth.to(rows.device) for rows, truth in pieces])


def accuracy(outputs: Tensor, labels: Tensor) -> float | None:
    """Return the share of right answers, 0..1 (micro average); None where there are no samples, or no answers."""
    return int(correct(outputs, labels).sum()) / len(labels) if len(labels) and names_classes(outputs) else None


def share_interval(right: Tensor) -> dict[str, float]:
    """Return the share of `right` (n,) bool, n > 0, with its 95 % interval by Wilson's score: value, low, high."""
    from scipy.stats import binomtest

    interval = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    return {"value": int(right.sum()) / len(right), "low": float(interval.low), "high": float(interval.high)}


def confusion_matrix(outputs: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Return how often class i (row) was called class j (column), (K, K) int64 on the processor."""
    flat = labels.cpu().to(torch.int64) * num_classes + predictions(outputs).cpu().to(torch.int64)
    return torch.bincount(flat, minlength=num_classes**2).reshape(num_classes, num_classes)


def per_class_accuracy(outputs: Tensor, labels: Tensor, num_classes: int) -> list[float | None]:
    """Return each class's accuracy (recall), 0..1, in class order; None for a class without samples."""
    if not names_classes(outputs):
        return [None] * num_classes
    truth = labels.cpu().to(torch.int64)
    totals = torch.bincount(truth, minlength=num_classes).tolist()  # no matrix: it has gigabytes for 20,000 classes
    rights = torch.bincount(truth[predictions(outputs).cpu() == truth], minlength=num_classes).tolist()
    return [right / total if total else None for right, total in zip(rights, totals, strict=True)]


def macro_accuracy(outputs: Tensor, labels: Tensor, num_classes: int) -> float | None:
    """Return the mean of the accuracies of the classes that occur, 0..1; None where there are no samples."""
    present = [value for value in per_class_accuracy(outputs, labels, num_classes) if value is not None]
    return sum(present) / len(present) if present else None


def predicted_shares(outputs: Tensor, num_classes: int) -> list[float] | None:
    """Return the share of samples called each class, (K,) summing to 1; None where there are no samples."""
    if not len(outputs) or not names_classes(outputs):
        return None
    counts = torch.bincount(predictions(outputs).cpu().to(torch.int64), minlength=num_classes)
    return (counts.to(torch.float64) / len(outputs)).tolist()


def sample_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """Return each sample's cross-entropy in nats, (n,) float32, from logits (n, K) and labels (n,) int."""
    return functional.cross_entropy(logits.detach().float(), labels.to(logits.device), reduction="none")


def mean_loss(logits: Tensor, labels: Tensor) -> float | None:
    """Return the mean cross-entropy in nats; None where there are no samples or it is not finite."""
    if not names_classes(logits):
        return None
    value = float(sample_losses(logits, labels).double().mean())  # NaN where there are none
    return value if math.isfinite(value) else None
