"""How much speaks against an image's label: what its neighbours are called, and how it stands out among its class.

The network was trained on these labels, so its own answers are optimistic: one that was trained for long names every
wrong label as it was given. Neighbours in its features are asked instead, and the image itself has no vote. What that
finds beside the losses is printed by `python -m benchmarks.corrective` and stands in docs/methods.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from core.events import Tell, untold
from core.metrics.accuracy import accuracy, predictions
from core.metrics.rows import MetricResult

NEIGHBOURS = 20
"""Images that vote on a label; between 10 and 50 the result moves by a point."""

ROWS = 512  # of a product with all voters, held at once
MOST_VOTERS = 60_000  # of more images so many vote, spread evenly: the search grows with images × voters


@dataclass(frozen=True, eq=False)
class LabelDoubts:
    """own: (n,) float32, share of an image's neighbours that have its label; suggested: (n,) int64, the most frequent
    label among them; confident: (n,) bool, which labels confident learning takes for wrong.
    """  # noqa: D205

    own: np.ndarray
    suggested: np.ndarray
    confident: np.ndarray


def neighbour_shares(features: Tensor, labels: Tensor, classes: int, tell: Tell = untold) -> np.ndarray:
    """Return of each image the labels of its NEIGHBOURS nearest others, as shares: (n, classes) float32.

    By the cosine of features ((n, C)); labels: (n,) int64. `tell(what, done, total)` may raise to interrupt. All zero
    where features are not finite or there is no other image.
    """
    count = len(labels)
    shares = np.zeros((count, classes), np.float32)
    step = -(-count // MOST_VOTERS)
    voters = torch.arange(0, count, max(1, step))
    directions = F.normalize(features.float(), dim=1)
    if count < 2 or not bool(torch.isfinite(directions).all()):
        return shares
    called = F.one_hot(labels[voters], classes).float()
    for start in range(0, count, ROWS):
        tell("Comparing labels of like images", start, count)
        likeness = directions[start : start + ROWS] @ directions[voters].T
        rows = torch.arange(start, start + len(likeness))
        likeness[rows[:, None] == voters] = -torch.inf  # nobody votes for himself
        nearest = likeness.topk(min(NEIGHBOURS, len(voters) - 1), dim=1).indices
        shares[start : start + ROWS] = called[nearest].mean(1).numpy()
    return shares


def label_doubts(probabilities: np.ndarray, labels: np.ndarray) -> LabelDoubts:
    """Find labels that are likely wrong by confident learning (Northcutt, Jiang, Chuang 2021, arXiv:1911.00068, eq. 1).

    A class's threshold is the mean probability of the class over the images that have its label. An image counts as
    confidently of the likeliest class among those whose threshold it reaches, and its label as wrong where that is
    another one (off the diagonal of the confident joint), unless the label is the likeliest of all, as cleanlab has it.

    probabilities: (n, K), of a model that was not trained on the image in question; labels: (n,) int. A row of zeros is
    an image that nobody was asked about: its label is not doubted, and it moves no threshold.
    """
    rows, classes = np.arange(len(labels)), probabilities.shape[1]
    own = probabilities[rows, labels]
    asked = probabilities.any(1)
    sums = np.bincount(labels, own, minlength=classes)
    counts = np.bincount(labels[asked], minlength=classes)
    thresholds = np.divide(sums, counts, out=np.full(classes, np.inf), where=counts > 0)
    reached = np.where(probabilities >= thresholds, probabilities, -1.0)
    likeliest = np.where(asked, probabilities.argmax(1), labels)
    confident = (reached.max(1) >= 0) & (reached.argmax(1) != labels) & (likeliest != labels)
    return LabelDoubts(np.where(asked, own, 1), likeliest, confident)


def spectral_signatures(features: Tensor, labels: Tensor, classes: int) -> np.ndarray:
    """Return how far each image stands out along its class's leading direction: (n,) float32, 1 is usual in its class.

    Tran, Li, Madry 2018 (arXiv:1811.00636): images that carry a trigger leave a large part of the variance in one
    direction. The score is the squared projection onto the top singular vector of the class's centred features, here
    divided by the class's median, so that classes can be compared. features: (n, C), labels: (n,) int64.
    """
    scores = np.zeros(len(labels), np.float32)
    for label in range(classes):
        ids = torch.nonzero(labels == label).flatten()
        rows = features[ids].double()
        if len(ids) < 3 or not bool(torch.isfinite(rows).all()):
            continue
        rows = rows - rows.mean(0)
        direction = torch.linalg.eigh(rows.T @ rows).eigenvectors[:, -1]
        squares = (rows @ direction).square()
        usual = float(squares.median())
        scores[ids.numpy()] = (squares / usual if usual > 0 else squares).float().numpy()
    return scores


@dataclass(frozen=True)
class TriggerRates(MetricResult):
    """What a trigger does to unseen images of other classes than its target, as shares of them.

    success: called the target with the patch; without: called so without it; own_class: called by their own class with
    it.
    """

    success: float
    without: float
    own_class: float
    images: int


def trigger_rates(stamped: Tensor, plain: Tensor, labels: Tensor, target: int) -> TriggerRates | None:
    """Return the rates of a trigger from logits with and without it, (n, K) each; labels: (n,) int64, none the target.

    None where there is no image.
    """
    if not len(labels):
        return None
    called = [float((predictions(logits) == target).float().mean()) for logits in (stamped, plain)]
    return TriggerRates(called[0], called[1], accuracy(stamped, labels) or 0.0, len(labels))
