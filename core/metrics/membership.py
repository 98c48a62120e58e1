"""Membership attacks: whether a model's outputs tell that a sample was in its training set.

RMIA, offline: a per-sample membership attack that needs few reference models.

With p_u(x) the probability of the true class under the judged model and p_k(x) under reference models that never saw x,

    Pr(x) = ((1 + a) · mean_k p_k(x) + (1 − a)) / 2        r(x) = p_u(x) / Pr(x)
    score(x) = share of population samples z with r(x) / r(z) ≥ γ

Source: Zarifzadeh, Liu, Shokri, "Low-cost high-power membership inference attacks", arXiv 2312.03262, offline form. The
population are unseen samples, which no reference saw either. Ours: no sample of the population is compared with itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from core.metrics.probe import standardised_regression
from core.metrics.spaces import one_blas_thread

MINIMUM_SAMPLES = 30
"""Fewer members or non-members give an AUC whose interval covers nearly everything."""

Z_95 = 1.959964
"""Half-width of a 95 % interval in standard errors of a normal distribution."""

FALSE_POSITIVE_RATES = {"tpr_at_fpr_1e-2": 0.01, "tpr_at_fpr_1e-3": 0.001}

ROC_RATES = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, *(0.1 * i for i in range(1, 11)))
"""False-positive rates at which a curve is kept: dense where attacks matter. The curve is drawn, never judged."""

EXPECTED_FALSE_POSITIVES = 10
"""A rate x needs at least this many over x non-members; below, the threshold rests on a handful of samples."""


OFFSET = 0.3
"""The paper's a: how far a mean over models that never saw x is from one over both kinds. 0.3 for CIFAR-10 there."""

THRESHOLD = 1.0
"""The paper's γ, 1..2."""


@dataclass(frozen=True)
class Attack:
    """How well an attack separates members from non-members; 0.5 is chance. `reason` says why a value is missing."""

    auc: float | None
    low: float | None  # 95 % interval of the AUC
    high: float | None
    rates: dict[str, float | None]  # true-positive rates at the false-positive rates above
    members: int
    nonmembers: int
    reason: str = ""
    roc: tuple[float, ...] = ()  # true-positive rates at ROC_RATES; empty where refused
    placements: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())  # of members and of non-members; AUC: their mean

    def as_dict(self) -> dict[str, Any]:
        """Return the contract's keys: auc, its interval, tpr_at_fpr_1e-2 and so on; `roc` as two lists."""
        return {
            "auc": self.auc, "low": self.low, "high": self.high, **self.rates,
            "members": self.members, "nonmembers": self.nonmembers, "reason": self.reason,
            "roc": {"fpr": list(ROC_RATES), "tpr": list(self.roc)} if self.roc else None,
        }


def attack_from_scores(members: ArrayLike, nonmembers: ArrayLike) -> Attack:
    """Judge an attack by the score it gave each sample, higher for members; refuses fewer than 30, with a reason."""
    scored = (np.asarray(members, dtype=np.float64), np.asarray(nonmembers, dtype=np.float64))
    return _refusal(*map(len, scored)) or _judged([scored])


def output_statistics(logits: Tensor, labels: Tensor) -> NDArray[np.float64]:
    """Return what the population attack looks at, (n, 3): log-odds of the true class, entropy, loss in nats.

    Confidence enters as log-odds, log(p / (1 − p)) from the logits: the probability itself saturates at 1.
    """
    logits = logits.detach().cpu().double()
    labels = labels.cpu()
    log_p = torch.log_softmax(logits, 1)
    own = log_p.gather(1, labels[:, None])[:, 0]
    entropy = torch.special.entr(log_p.exp()).sum(1)
    statistics = torch.stack([_log_odds(logits, labels), entropy, -own], 1)
    return _finite(statistics)


def log_odds(logits: Tensor, labels: Tensor) -> NDArray[np.float64]:
    """Return each sample's log-odds of its own class, z_y − logsumexp of the others, (n,), from logits (n, K)."""
    return _finite(_log_odds(logits.detach().cpu().double(), labels.cpu()))


def _log_odds(logits: Tensor, labels: Tensor) -> Tensor:
    others = logits.scatter(1, labels[:, None], -math.inf).logsumexp(1)
    return logits.gather(1, labels[:, None])[:, 0] - others


def _finite(values: Tensor) -> NDArray[np.float64]:
    """Return values with what a masked class makes infinite at the ends of what a regression can be fitted to."""
    return values.clamp(-_LARGEST, _LARGEST).nan_to_num(0.0).numpy()  # a masked true class has odds −∞


def population_attack(
    member_logits: Tensor, member_labels: Tensor, nonmember_logits: Tensor, nonmember_labels: Tensor
) -> Attack:
    """Tell forget-train samples from unseen ones by a logistic regression on confidence, entropy and loss.

    Members are forget-train samples, non-members unseen samples *of the same classes* from the evaluation half (other
    classes would be told apart without any memory). Logits (n, K) and labels (n,). Both sets are split in two seeded
    halves; each half is scored by a regression fitted on the other, and the halves' results are averaged, so no
    sample is scored by a model that saw it. Refuses fewer than 30 samples on a side, with a reason.
    """
    refused = _refusal(len(member_logits), len(nonmember_logits))
    if refused is not None:
        return refused
    generator = np.random.default_rng(0)
    members = np.array_split(generator.permutation(output_statistics(member_logits, member_labels)), 2)
    others = np.array_split(generator.permutation(output_statistics(nonmember_logits, nonmember_labels)), 2)
    scored = [_fit_and_score(members[1 - half], others[1 - half], members[half], others[half]) for half in (0, 1)]
    return _judged(scored)


def matched_positions(
    member_labels: Tensor, pool_labels: Tensor, *, most: int | None = None, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Choose members and non-members with the same share of each class; ascending positions into both, int64.

    Classes tell themselves apart without any memory, so an attack on sets of different classes would measure the
    classes. member_labels: (n,) int, pool_labels: (m,) int of unseen samples. Members of a class that the pool lacks
    are left out. As many non-members as the scarcest class allows, and at most `most` on either side; members are all
    taken unless `most` says otherwise. Seeded.
    """
    generator = np.random.default_rng(seed)
    members, pool = member_labels.cpu().numpy(), pool_labels.cpu().numpy()
    classes, counts = np.unique(members[np.isin(members, pool)], return_counts=True)
    if not len(classes):
        return torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64)
    available = np.array([(pool == label).sum() for label in classes])
    ratio = float((available / counts).min())  # non-members per member, the same in every class
    share = 1.0 if most is None else min(1.0, most / counts.sum(), most / (ratio * counts.sum()))
    positions: tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]] = ([], [])
    for label, count in zip(classes, counts, strict=True):
        for side, labels, wanted in ((0, members, count * share), (1, pool, count * ratio * share)):
            of_class = np.flatnonzero(labels == label)
            quota = min(len(of_class), max(1, int(wanted + 1e-9)))
            positions[side].append(generator.permutation(of_class)[:quota])
    chosen = [torch.from_numpy(np.sort(np.concatenate(part)).astype(np.int64)) for part in positions]
    return chosen[0], chosen[1]


def rmia_scores(
    members: NDArray[np.float64],
    members_out: NDArray[np.float64],
    population: NDArray[np.float64],
    population_out: NDArray[np.float64],
    *,
    offset: float = OFFSET,
    threshold: float = THRESHOLD,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the scores of members (n,) and of the population (m,), 0..1, higher for members.

    members, population: p_u of the true class, (n,) and (m,); *_out: mean p_k over the references, the same shapes.
    """
    own, ratios = _ratio(members, members_out, offset), _ratio(population, population_out, offset)
    ordered = np.sort(ratios)
    beaten, beaten_by_others = (np.searchsorted(ordered, values / threshold, "right") for values in (own, ratios))
    itself = ratios / threshold >= ratios  # z itself is among those counted
    return beaten / len(ordered), (beaten_by_others - itself) / max(1, len(ordered) - 1)


def rmia(
    member_logits: Tensor,
    member_labels: Tensor,
    member_references: Sequence[Tensor],
    other_logits: Tensor,
    other_labels: Tensor,
    other_references: Sequence[Tensor],
) -> Attack:
    """Attack a model with reference models that never saw the members; logits (n, K) and (m, K), labels (n,), (m,).

    `*_references`: each reference's logits on the same samples, at least one. Refuses fewer than 30 samples on a side.
    """
    if not member_references or len(member_references) != len(other_references):
        raise ValueError("RMIA needs at least one reference model, the same on both sides")
    return _refusal(len(member_logits), len(other_logits)) or attack_from_scores(*rmia_scores(
        true_probability(member_logits, member_labels),
        _mean_out(member_references, member_labels),
        true_probability(other_logits, other_labels),
        _mean_out(other_references, other_labels),
    ))  # fmt: skip


def rmia_dict(attack: Attack, references: int) -> dict[str, Any]:
    """Return the attack under the contract's keys with what it was run with."""
    return {**attack.as_dict(), "references": references, "offset": OFFSET, "threshold": THRESHOLD}


def probabilities(logits: Tensor) -> Tensor:
    """Return the probabilities of classes, (n, K) float64 on the processor, from logits (n, K)."""
    return torch.softmax(logits.detach().cpu().double(), 1)


def true_probability(logits: Tensor, labels: Tensor) -> NDArray[np.float64]:
    """Return the probability of each sample's own class, (n,) float64, from logits (n, K) and labels (n,)."""
    return probabilities(logits).gather(1, labels.cpu()[:, None])[:, 0].numpy()


_LARGEST = 1e4
"""Log-odds and losses beyond this are masked classes; finite so that a regression can be fitted."""


def _fit_and_score(
    fit_members: NDArray[np.float64], fit_others: NDArray[np.float64],
    members: NDArray[np.float64], others: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the scores, as log-odds, of `members` and `others` ((n, 3) each) by a regression fitted on other ones."""
    rows = np.concatenate([fit_members, fit_others])
    truth = np.repeat([1, 0], [len(fit_members), len(fit_others)])
    with one_blas_thread():
        # balanced: sets of different size must not move the threshold
        model, scored = standardised_regression(rows, truth, members, others, class_weight="balanced", max_iter=1000)
        return model.decision_function(scored[0]), model.decision_function(scored[1])


def _judged(parts: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> Attack:
    """Judge scores of members and non-members; what parts that were scored by different models give is averaged.

    The interval of the AUC, clipped to 0..1, is that of DeLong, DeLong, Clarke-Pearson, "Comparing the areas under two
    or more correlated receiver operating characteristic curves", Biometrics 1988. A rate needs enough non-members.
    """
    placements = [_placements(*part) for part in parts]
    value = sum(float(of_members.mean()) for of_members, _ in placements) / len(parts)
    half = Z_95 * math.sqrt(sum(_variance(a) + _variance(b) for a, b in placements)) / len(parts)
    members, nonmembers = (sum(len(part[side]) for part in parts) for side in (0, 1))
    rates = {
        name: sum(_rate_at(*part, rate) for part in parts) / len(parts)
        if nonmembers * rate >= EXPECTED_FALSE_POSITIVES
        else None
        for name, rate in FALSE_POSITIVE_RATES.items()
    }
    roc = tuple(np.mean([_roc_points(*part) for part in parts], axis=0).tolist())
    sides = tuple(tuple(np.concatenate([pair[side] for pair in placements]).tolist()) for side in (0, 1))
    return Attack(
        value, max(0.0, value - half), min(1.0, value + half), rates, members, nonmembers, roc=roc,
        placements=(sides[0], sides[1]),
    )  # fmt: skip


def _roc_points(members: NDArray[np.float64], nonmembers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the receiver operating curve at ROC_RATES, straight between its points, so that ties lie on a diagonal."""
    from sklearn.metrics import roc_curve

    truth = np.repeat([1, 0], [len(members), len(nonmembers)])
    wrong, right, _ = roc_curve(truth, np.concatenate([members, nonmembers]), drop_intermediate=False)
    return np.interp(np.asarray(ROC_RATES) + 1e-12, wrong, right)  # the upper end of a jump, whatever rounding does


def _rate_at(members: NDArray[np.float64], nonmembers: NDArray[np.float64], rate: float) -> float:
    """Return the share of members above the threshold that `rate` of the non-members are above."""
    threshold = np.sort(nonmembers)[::-1][int(rate * len(nonmembers))]
    return float((members > threshold).mean())


def _placements(
    members: NDArray[np.float64], nonmembers: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return per member the share of non-members below it, and per non-member the share of members above it."""
    members_sorted, nonmembers_sorted = np.sort(members), np.sort(nonmembers)
    below = np.searchsorted(nonmembers_sorted, members, "left") + np.searchsorted(nonmembers_sorted, members, "right")
    under = np.searchsorted(members_sorted, nonmembers, "left") + np.searchsorted(members_sorted, nonmembers, "right")
    return below / (2 * len(nonmembers)), 1 - under / (2 * len(members))


def _variance(placements: NDArray[np.float64]) -> float:
    """Return what one side's placements add to the variance of the AUC (DeLong)."""
    return float(placements.var(ddof=1)) / len(placements) if len(placements) > 1 else 0.0


def _refusal(members: int, nonmembers: int) -> Attack | None:
    """Return an attack without values that says which side has too few samples; None where both have enough."""
    if members >= MINIMUM_SAMPLES and nonmembers >= MINIMUM_SAMPLES:
        return None
    few, kind = (members, "forget") if members < MINIMUM_SAMPLES else (nonmembers, "unseen")
    noun = f"{kind} image is" if few == 1 else f"{kind} images are"
    reason = f"{few} {noun} too few for an attack score; at least {MINIMUM_SAMPLES} are needed."
    return Attack(None, None, None, dict.fromkeys(FALSE_POSITIVE_RATES), members, nonmembers, reason)


def _mean_out(references: Sequence[Tensor], labels: Tensor) -> NDArray[np.float64]:
    """Return the mean probability of each sample's own class over the references, (n,)."""
    return np.mean([true_probability(logits, labels) for logits in references], axis=0)


def _ratio(own: NDArray[np.float64], out: NDArray[np.float64], offset: float) -> NDArray[np.float64]:
    """Return r(x) of probabilities p_u and mean p_k ((n,) each)."""
    return own / (0.5 * ((1 + offset) * out + (1 - offset)))
