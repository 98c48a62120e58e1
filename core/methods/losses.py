"""Losses and terms several methods share; pure functions on tensors, checked against closed forms in tests."""

from __future__ import annotations

import torch
import torch.nn.functional as F

MASKS = ("true class", "forget classes", "none")
DIRECTIONS = ("forward", "reverse")


def columns(logits: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Return (n, K) bool: True in the columns of these classes, (f,) int64, of logits (n, K)."""
    chosen = torch.zeros_like(logits, dtype=torch.bool)
    chosen[:, classes] = True
    return chosen


def hidden_classes(mask: str, logits: torch.Tensor, labels: torch.Tensor, forget_classes: torch.Tensor) -> torch.Tensor:
    """Return (n, K) bool: which of the teacher's logits (n, K) are hidden before its softmax, by a name in MASKS.

    labels: (n,) int64; forget_classes: (f,) int64. Where a mask would hide every class, nothing of that row is hidden.
    """
    hidden = columns(logits, forget_classes if mask == "forget classes" else forget_classes[:0])
    if mask != "none":
        hidden.scatter_(1, labels[:, None], True)
    return hidden & ~hidden.all(dim=1, keepdim=True)


def masked_distillation(
    logits: torch.Tensor,
    teacher: torch.Tensor,
    hidden: torch.Tensor,
    temperature: float = 1.0,
    direction: str = "forward",
    weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the mean divergence of the student from the teacher without its hidden classes: 0-d, >= 0.

    forward: KL(softmax(mask(teacher)/T) || softmax(student/T)) * T^2; reverse: the student first, over the classes
    not hidden plus a term for probability left on hidden ones. logits, teacher: (n, K); hidden: (n, K) bool;
    weights: (n,), how much each row counts.
    """
    target = F.softmax((teacher / temperature).masked_fill(hidden, float("-inf")), dim=1)
    student = F.log_softmax(logits / temperature, dim=1)
    if direction == "forward":
        # Probabilities as target: with log targets a masked class gives 0 * -inf = NaN.
        rows = F.kl_div(student, target, reduction="none").sum(dim=1)
    else:
        seen = F.log_softmax((logits / temperature).masked_fill(hidden, float("-inf")), dim=1)
        ratio = seen.masked_fill(hidden, 0.0) - target.clamp_min(1e-12).log()
        rows = (seen.exp() * ratio).masked_fill(hidden, 0.0).sum(dim=1)
        rows = rows - torch.logsumexp(student.masked_fill(hidden, float("-inf")), dim=1)
    return mean_of(rows, weights) * temperature**2


def cross_entropies(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy of each sample, (n,). logits: (n, K), labels: (n,) int64."""
    return F.cross_entropy(logits, labels, reduction="none")


def divergence(logits: torch.Tensor, teacher: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
    """Return KL(softmax(teacher/T) || softmax(logits/T)) of each row times T^2, (n,), >= 0. logits, teacher: (n, K)."""
    target = F.softmax(teacher / temperature, dim=1)
    student = F.log_softmax(logits / temperature, dim=1)
    return F.kl_div(student, target, reduction="none").sum(dim=1) * temperature**2


def mean_of(rows: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
    """Return the mean of (n,) numbers, each times its weight: one of weight 2 counts like two, 0 not at all.

    Divided by n and not by the sum of weights, so that the other samples count the same whatever one of them weighs.
    """
    return rows.mean() if weights is None else (rows * weights).mean()


def mean_over(rows: torch.Tensor, chosen: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
    """Return `mean_of` the chosen rows only, 0 where none is chosen. rows, weights: (n,); chosen: (n,) bool.

    As sums, because picking rows by a mask would make a GPU wait for their number.
    """
    weighted = rows if weights is None else rows * weights
    return torch.where(chosen, weighted, 0.0).sum() / chosen.sum().clamp_min(1)


def quantile_matching(
    losses: torch.Tensor, reference: torch.Tensor, weights: torch.Tensor, chosen: torch.Tensor
) -> torch.Tensor:
    """Return the squared 2-Wasserstein distance between the chosen losses and a reference: 0-d; 0 where none is chosen.

    losses: (N,) with gradient; weights: (N,), how much each sample is drawn; chosen: (N,) bool, n of them; reference:
    (m,) sorted constants. The i-th smallest loss is compared with the reference's quantile (i + 1/2)/n, so that an
    image's loss is drawn to where losses of unseen images lie.
    """
    m = len(reference)
    place = torch.arange(len(losses), device=losses.device)
    # Rows left out go behind all others, because picking rows by a mask would make a GPU wait for their number.
    key = torch.where(chosen, losses, float("inf"))
    n = chosen.sum().clamp_min(1)
    ranks = (place.to(losses.dtype) + 0.5) / n * m - 0.5
    low = ranks.floor().clamp(0, m - 1).long()
    high = (low + 1).clamp(max=m - 1)
    quantiles = torch.lerp(reference[low], reference[high], (ranks - low).clamp(0, 1))
    order = key.detach().argsort()
    ranked = torch.where(place < chosen.sum(), losses[order], quantiles)  # no distance where left out
    return ((ranked - quantiles).square() * weights[order]).sum() / n
