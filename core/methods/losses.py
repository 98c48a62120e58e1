"""Losses and terms several methods share; pure functions on tensors, checked against closed forms in tests."""

from __future__ import annotations

import torch
import torch.nn.functional as F

MASKS = ("true class", "forget classes", "none")
DIRECTIONS = ("forward", "reverse")


def hidden_classes(
    mask: str, labels: torch.Tensor, num_classes: int, forget_classes: torch.Tensor | None
) -> torch.Tensor:
    """Return (n, K) bool: which logits of the teacher are hidden before its softmax.

    labels: (n,) int64; forget_classes: (f,) int64. Where a mask would hide every class, nothing of that row is hidden.
    """
    hidden = torch.zeros(len(labels), num_classes, dtype=torch.bool, device=labels.device)
    if mask in ("true class", "forget classes"):
        hidden.scatter_(1, labels[:, None], True)
    if mask == "forget classes" and forget_classes is not None and len(forget_classes):
        hidden[:, forget_classes] = True
    return hidden & ~hidden.all(dim=1, keepdim=True)


def masked_distillation(
    logits: torch.Tensor,
    teacher: torch.Tensor,
    hidden: torch.Tensor,
    temperature: float = 1.0,
    direction: str = "forward",
) -> torch.Tensor:
    """Mean KL between the teacher's renormalised ranking of the classes not hidden and the student; 0-d, >= 0.

    forward: KL(softmax(mask(teacher)/T) || softmax(student/T)) * T^2; reverse: the student first, over the classes
    not hidden plus a term for probability left on hidden ones. logits, teacher: (n, K); hidden: (n, K) bool.
    """
    target = F.softmax((teacher / temperature).masked_fill(hidden, float("-inf")), dim=1)
    student = F.log_softmax(logits / temperature, dim=1)
    if direction == "forward":
        # Probabilities as target: with log targets a masked class gives 0 * -inf = NaN.
        loss = F.kl_div(student, target, reduction="batchmean")
    else:
        seen = F.log_softmax((logits / temperature).masked_fill(hidden, float("-inf")), dim=1)
        ratio = seen.masked_fill(hidden, 0.0) - target.clamp_min(1e-12).log()
        loss = (seen.exp() * ratio).masked_fill(hidden, 0.0).sum(dim=1).mean()
        kept = torch.logsumexp(student.masked_fill(hidden, float("-inf")), dim=1)
        loss = loss - kept.mean()
    return loss * temperature**2


def quantile_matching(losses: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Squared 2-Wasserstein distance between two sets of numbers: 0-d.

    losses: (n,) with gradient; reference: (m,) sorted constants. The i-th smallest loss is compared with the
    reference's quantile (i + 1/2)/n, so an unlearned sample's loss is drawn where losses of unseen samples lie.
    """
    n, m = len(losses), len(reference)
    ranks = (torch.arange(n, device=losses.device, dtype=losses.dtype) + 0.5) / n * m - 0.5
    low = ranks.floor().clamp(0, m - 1).long()
    high = (low + 1).clamp(max=m - 1)
    quantiles = torch.lerp(reference[low], reference[high], (ranks - low).clamp(0, 1))
    return (losses.sort().values - quantiles).square().mean()
