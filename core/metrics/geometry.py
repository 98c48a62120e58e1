"""Geometry: how alike two networks' features of the same samples are, whatever their rotation and scale."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from core.metrics.linear_algebra import one_blas_thread
from core.metrics.probe import as_float64


def linear_cka(features: Tensor | None, reference: Tensor | None) -> float | None:
    """Return linear centred kernel alignment of two networks' features ((n, C), (n, D)) of the same samples, 0..1.

    1 up to rotation and scale. Never to be read alone: it can move without a change of function. None where a set is
    missing, empty or constant. Source: Kornblith et al., arXiv 1905.00414.
    """
    pair = _centred(features, reference)
    if pair is None:
        return None
    x, y = pair
    with one_blas_thread():
        shared = np.square(x.T @ y).sum()
        value = shared / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))
    return float(min(1.0, value))


def procrustes_distance(features: Tensor | None, reference: Tensor | None) -> float | None:
    """Return the squared distance of two feature sets ((n, C), (n, D)) after the best rotation, 0..2.

    Both are centred and scaled to unit norm first; 0 up to rotation and scale. None as in `linear_cka`.
    Source: Ding et al., "Grounding representation similarity through statistical testing", arXiv 2108.01661.
    """
    pair = _centred(features, reference)
    if pair is None:
        return None
    with one_blas_thread():
        nuclear = np.linalg.svd(pair[0].T @ pair[1], compute_uv=False).sum()
    return float(max(0.0, 2.0 - 2.0 * nuclear))


def _centred(features: Tensor | None, reference: Tensor | None) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Return both sets centred and scaled to unit Frobenius norm."""
    if features is None or reference is None or not len(features):
        return None
    scaled = []
    for rows in (as_float64(features), as_float64(reference)):
        centred = rows - rows.mean(0)
        norm = np.linalg.norm(centred)
        if not np.isfinite(norm) or norm == 0:
            return None
        scaled.append(centred / norm)
    return scaled[0], scaled[1]
