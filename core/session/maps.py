"""A t-SNE map of training images: slower than principal components, and of a share of large data sets only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from core.data.splits import stratified
from core.devices import set_threads
from core.engine.control import Control
from core.metrics.linear_algebra import one_blas_thread

LARGEST = 2500  # samples on a map: about ten seconds on one core, and more would not be told apart
_ROUND = 250  # steps between two looks at `control`; the fewest scikit-learn allows
_ROUNDS = 3
_PERPLEXITY = 30.0
_EXACT_UP_TO = 100  # samples: the approximation gains nothing there

Tell = Callable[[str, int, int], None]


def tsne_map(
    compact: np.ndarray,
    labels: np.ndarray,
    *,
    size: int = LARGEST,
    seed: int = 0,
    progress: Tell | None = None,
    control: Control | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return (m,) int64 ids and their places (m, 2) float32 on a t-SNE map (van der Maaten and Hinton 2008).

    compact: (n, d) float features in their leading directions; labels: (n,) int. Where there are more than `size`
    samples, about as many are taken, the same share of every class. `progress(what, done, total)` may raise to
    interrupt; raises Interrupted where `control` was told to end, ValueError where features are not finite.
    """
    from sklearn.manifold import TSNE

    set_threads(1)
    if not np.isfinite(compact).all():
        raise ValueError("the features hold values that are not finite")
    everything = torch.arange(len(labels))
    ids = stratified(torch.from_numpy(np.asarray(labels, dtype=np.int64)), everything, size, seed).numpy()
    points = np.ascontiguousarray(compact[ids], dtype=np.float32)
    if len(ids) < 3:
        return ids, np.zeros((len(ids), 2), np.float32)
    perplexity = min(_PERPLEXITY, (len(ids) - 1) / 3)
    places = _start(points, seed)
    # In rounds, each from where the last one ended, so that it can be interrupted.
    for done in range(_ROUNDS):
        if control is not None:
            control.check()
        if progress is not None:
            progress("Arranging the map", done, _ROUNDS)
        with one_blas_thread():
            arranged = TSNE(
                init=places,
                perplexity=perplexity,
                early_exaggeration=12.0 if done == 0 else 1.0,
                max_iter=_ROUND,
                random_state=seed,
                method="barnes_hut" if len(ids) > _EXACT_UP_TO else "exact",
            ).fit_transform(points)
        if not np.isfinite(arranged).all():
            break
        places = np.ascontiguousarray(arranged, dtype=np.float32)
    return ids, places


def _start(points: np.ndarray, seed: int) -> np.ndarray:
    """Return where samples begin, (m, 2) float32: their two leading directions, scaled as t-SNE wants it.

    Not scikit-learn's own start: that divides by the spread, and a map that starts at NaN ends the whole process.
    The jitter parts samples that are the same.
    """
    start = np.random.default_rng(seed).normal(scale=1e-6, size=(len(points), 2))
    width = min(2, points.shape[1])
    spread = float(points[:, :1].std()) or 1.0
    start[:, :width] += 1e-4 * (points[:, :width] / spread)
    return start.astype(np.float32)
