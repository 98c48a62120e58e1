"""Linear probe: whether a new linear classifier finds the forgotten class again in the frozen features.

Multinomial logistic regression on all original classes, trained on standardised features of training samples of all
classes (the forget set included), scored on test samples. The goal is the retrained value, not chance: a network that
never saw a class usually still separates it to some degree.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from core.metrics.linear_algebra import one_blas_thread
from core.metrics.rows import stratified_subset

SAMPLE_BUDGET = 6000
"""Training samples of the probe, spread over the classes: enough for C = 512, and fits take seconds."""

INVERSE_REGULARISATION = 1.0
"""scikit-learn's C on standardised features; between 0.1 and 1 digits' results move by less than two samples."""

TOLERANCE, MAX_ITERATIONS = 1e-4, 500
"""On standardised features L-BFGS needs 10 to 60 iterations; coarser tolerances moved forget recall by 4 points."""


@dataclass(frozen=True)
class LinearProbe:
    """What the probe finds, 0..1; None where there are no such test samples."""

    forget: float | None  # recall of forget-test samples: called their own class
    retain: float | None  # accuracy on retain-test samples
    f1: float | None  # forget classes against the rest
    samples: int  # training samples used
    predicted: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64), compare=False, repr=False)
    """(m,): the class the probe gives each test sample, for comparisons between models sample by sample."""

    def as_dict(self) -> dict[str, Any]:
        """Return the contract's keys."""
        return {"forget": self.forget, "retain": self.retain, "f1": self.f1, "samples": self.samples}


def linear_probe(
    train_features: Tensor | None,
    train_labels: Tensor,
    test_features: Tensor | None,
    test_labels: Tensor,
    forget_classes: Collection[int],
    *,
    budget: int = SAMPLE_BUDGET,
    seed: int = 0,
) -> LinearProbe | None:
    """Fit on training features ((n, C), labels (n,), all classes) and score on test features ((m, C), (m,)).

    `forget_classes` are the wholly forgotten classes; with none (sample forgetting) only `retain` has a value.
    Deterministic. None where a set is missing or empty, holds a single class, or features are not finite.
    """
    if train_features is None or test_features is None or not len(train_features) or not len(test_features):
        return None
    labels = train_labels.cpu().numpy()
    used = stratified_subset(labels, budget, seed)
    rows, tested = as_float64(train_features[used]), as_float64(test_features)
    if not (np.isfinite(rows).all() and np.isfinite(tested).all()) or len(np.unique(labels[used])) < 2:
        return None
    mean, scale = rows.mean(0), rows.std(0)
    scale[scale == 0] = 1.0  # a dead channel carries nothing and must not divide by zero
    from sklearn.linear_model import LogisticRegression

    with one_blas_thread():
        model = LogisticRegression(C=INVERSE_REGULARISATION, tol=TOLERANCE, max_iter=MAX_ITERATIONS)
        model.fit((rows - mean) / scale, labels[used])
        predicted = model.predict((tested - mean) / scale)
    truth = test_labels.cpu().numpy()
    forget, called_forget = (np.isin(named, list(forget_classes)) for named in (truth, predicted))
    right = predicted == truth
    return LinearProbe(
        forget=float(right[forget].mean()) if forget.any() else None,
        retain=float(right[~forget].mean()) if not forget.all() else None,
        f1=_f1(forget, called_forget) if forget.any() else None,
        samples=len(used),
        predicted=predicted,
    )


def as_float64(features: Tensor) -> NDArray[np.float64]:
    """Return a tensor from any device as a float64 array."""
    return features.detach().cpu().double().numpy()


def _f1(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> float:
    hits = int((truth & found).sum())
    return 2 * hits / (int(truth.sum()) + int(found.sum()))
