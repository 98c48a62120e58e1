"""KLoM: how far margins of unlearned models lie from those of retrained ones, sample by sample, over many models.

A margin is a sample's log-odds of its own class, z_y − logsumexp of the others. Each sample has one a model, so a
distribution over models: KLoM is the KL divergence of the unlearned models' from the retrained models', by histogram.

Source: Georgiev et al., arXiv 2410.23232, and Rinberg et al., arXiv 2602.16400, with the constants of its code (MIT):
margins are clipped, bins spread evenly over the joint range of a sample's margins, and the retrained share of a bin has
a floor. Ours: the largest margin counts in the last bin, where that code drops it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CLIP = 100.0
BINS = 20
FLOOR = 1e-5

FEWEST_MODELS = 10
"""Models a side below which a histogram of 20 bins is nearly empty, and says more of their number than of the models.

The publications have 100.
"""

Margins = NDArray[np.float64]


def klom(unlearned: Margins, retrained: Margins) -> Margins:
    """Return each sample's KL divergence in nats, (n,), from margins (N, n) and (M, n), a row a model.

    0 is the least, log(1/FLOOR), 11.5, about the most: no retrained model has a margin where unlearned ones do.
    """
    p, q = (np.clip(margins, -CLIP, CLIP) for margins in (unlearned, retrained))
    low = np.minimum(p.min(0), q.min(0))
    width = np.maximum(p.max(0), q.max(0)) - low
    width[width == 0] = 1.0
    shares = [_histogram((margins - low) / width) for margins in (p, q)]
    floored = np.where(shares[0] > 0, np.maximum(shares[1], FLOOR), shares[1])
    floored /= floored.sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(shares[0] > 0, shares[0] * np.log(shares[0] / floored), 0.0)
    return np.asarray(terms.sum(0))


def margin_distance(unlearned: Margins, retrained: Margins) -> Margins:
    """Return each sample's Wasserstein distance of both distributions of margins, (n,): for few models.

    It needs no bins; it is not KLoM, and no published number compares with it.
    """
    from scipy.stats import wasserstein_distance

    p, q = (np.clip(margins, -CLIP, CLIP) for margins in (unlearned, retrained))
    return np.array([wasserstein_distance(p[:, i], q[:, i]) for i in range(p.shape[1])])


def _histogram(places: Margins) -> Margins:
    """Return the share of models in each bin, (BINS, n), from places 0..1 in the range, (N, n)."""
    bins = np.minimum((places * BINS).astype(np.int64), BINS - 1)
    return np.stack([(bins == number).mean(0) for number in range(BINS)])
