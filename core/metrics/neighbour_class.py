"""The attack on neighbouring classes: whether forget images are named as a retrained model would name them.

A retrained model gives images of a class it never saw to the classes most like it. A model that was made to avoid the
class need not: what it says instead gives the forgotten images away.

After MIA-NN of Ebrahimpour-Boroojeny, Wang, Sundaram, "On the necessity of output distribution reweighting for
effective class unlearning", arXiv 2506.20893. A reconstruction: that retrained models tell which class is nearest,
that an SVM on logits is trained for it, and that its hits on unseen forget images are compared with the retrained
model's, is the paper's; kernel, samples and which logits it sees are ours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.metrics.membership import probabilities
from core.metrics.spaces import one_blas_thread

FIT_SAMPLES = 1000
"""Training images a side that the SVM is fitted on: its time grows with their square."""


def nearest_class(references: Sequence[Tensor], kept: Sequence[int]) -> int:
    """Return which of the classes `kept` models that never saw a class give its images to: largest mean probability.

    references: (n, K) logits of each on images of the class.
    """
    shares = torch.stack([probabilities(logits).mean(0) for logits in references]).mean(0)
    return int(kept[int(shares[list(kept)].argmax())])


def named_as(
    logits: Tensor, labels: Tensor, forget_logits: Tensor, neighbour: int, kept: Sequence[int]
) -> NDArray[np.bool_] | None:
    """Return which images of a forgotten class an SVM takes for its neighbour, (m,) bool.

    logits, labels: (n, K) and (n,) of training images of the classes `kept`; forget_logits: (m, K). The SVM sees the
    logits of the classes `kept` alone and tells the neighbour's images from as many of the others. None where either
    has no image.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    generator = np.random.default_rng(0)
    sides = [generator.permutation(np.flatnonzero((labels == neighbour).numpy() == own)) for own in (True, False)]
    count = min(FIT_SAMPLES, *map(len, sides))
    if not count or not len(forget_logits):
        return None
    rows = np.concatenate([side[:count] for side in sides])
    columns = list(kept)
    with one_blas_thread():
        machine = make_pipeline(StandardScaler(), SVC(kernel="rbf"))
        machine.fit(logits[torch.from_numpy(rows)][:, columns].double().numpy(), np.repeat([1, 0], count))
        return np.asarray(machine.predict(forget_logits[:, columns].double().numpy()) == 1)
