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
    everything = torch.arange(len(labels))
    ids = stratified(torch.from_numpy(np.asarray(labels, dtype=np.int64)), everything, size, seed).numpy()
    points = np.ascontiguousarray(compact[ids], dtype=np.float32)
    if len(ids) < 3:
        return ids, np.zeros((len(ids), 2), np.float32)
    perplexity = min(_PERPLEXITY, (len(ids) - 1) / 3)
    # In rounds, each from where the last one ended, so that it can be interrupted.
    places: np.ndarray | str = "pca" if points.shape[1] >= 2 else "random"
    for done in range(_ROUNDS):
        if control is not None:
            control.check()
        if progress is not None:
            progress("Arranging the map", done, _ROUNDS)
        exaggeration = 12.0 if done == 0 else 1.0
        with one_blas_thread():
            places = TSNE(
                init=places, perplexity=perplexity, early_exaggeration=exaggeration, max_iter=_ROUND, random_state=seed
            ).fit_transform(points)
    return ids, np.asarray(places, dtype=np.float32)
