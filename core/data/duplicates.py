"""Find images that show the same picture: copies of forget images among the kept ones, and copies among all (twins).

1. Every image becomes 8 x 8 grey cells of its middle, whitened by the images' own covariance: what is common to all
   trousers weighs little, what tells one pair from another weighs much. Of these *details* the cosine is taken.
2. Candidates are the images whose details lie nearest to those of a forget image, of its mirror, and of both moved,
   zoomed and turned a little: the span of these is one small subspace an image.
3. A candidate is aligned with the forget image in pixels (place, zoom, angle, sharpness), and its *rest* is 1 - cosine
   of the details afterwards. The agreement is 1 - rest / the forget image's usual rest, which its nearest strangers
   have: a fixed correlation would take all trousers for one, and no photograph for its crop.

Libraries of image hashes (imagehash) are weighed in docs/adr/0016: they cannot tell such pictures apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import ceil, log, radians
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from core.data.dataset import hash_each
from core.events import Tell, untold
from core.likeness import LEVELS

SIDE = 32  # pixels of the grey square that images are aligned on
VIEW = 6 / 7  # of a side that is compared, the middle: a copy moved by a fourteenth of a side still shows all of it
WINDOW = 24  # pixels of the view
CELLS = 8  # cells a side that the view is averaged to
CHUNK = 1024  # images held at once
LOOKS = 20  # candidates of an image, nearest first
STRANGER = 8  # candidates before the one that is taken for a stranger: copies of one picture do not hide each other
ALONE = 0.5  # the rest strangers have where there are too few images to say
AROUND = 24  # the rank whose rest, before any is aligned, says how near an image's neighbours usually are
FEW = 64  # images that what is known of photographs counts as, beside the images themselves
RIDGE = 0.1  # of the mean variance, added before whitening: noise is not blown up
EVEN = 4.0  # brightness that varies less (standard deviation, grey levels) shows nothing to compare
SPAN, COARSE, MANY = 16, 8, 2000  # dimensions of the subspace of an image's small moves; those of more than MANY images
MOST_ASKED = 30_000  # forget images of which copies other than exact ones are looked for
GROUP = 4096  # images that are searched together
ROWS = 512  # of a product with a group: what a cache holds
BUDGET = 1.2e11  # multiplications of the search: some seconds
MOST_COMPARED = 4000  # candidates that are aligned; the likeliest first
PAIRS = 256  # aligned at once: all moves of each are held
LIKELY, PROMISING = 0.8, 0.5  # of the usual rest, at most, before and after it is aligned, to be looked at further
TWIN = 0.85  # of the usual rest that is gone between twins, which are not aligned
TURNS = 5  # steps of the alignment

LONE = -1  # the group of an image without a twin


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Kept images that show the same picture as a forget image, best agreement first, each with its best match.

    kept, forgotten: (m,) int64 positions in the training part; agreement: (m,) float32, 1 where pixels are the same;
    complete: False where the search was cut off for time; threshold: the least agreement.
    """

    kept: np.ndarray
    forgotten: np.ndarray
    agreement: np.ndarray
    complete: bool = True
    threshold: float = LEVELS["near"]

    def __len__(self) -> int:
        return len(self.kept)

    @property
    def exact(self) -> np.ndarray:
        """Which have the same pixels: (m,) bool."""
        return self.agreement == 1

    def at(self, threshold: float) -> Duplicates:
        """Return those that agree at least so much; `threshold` lies between LEVELS["near"] and 1."""
        rows = self.agreement >= np.float32(threshold)
        return Duplicates(self.kept[rows], self.forgotten[rows], self.agreement[rows], self.complete, threshold)

    def as_dict(self, paths: tuple[str, ...] | None = None, most: int | None = None) -> dict[str, Any]:
        """Return the counts and the pairs (the first `most` of them), by position and, with `paths`, by path."""
        columns = (column[:most].tolist() for column in (self.kept, self.forgotten, self.exact, self.agreement))
        rows = []
        for kept, forgotten, exact, agreement in zip(*columns, strict=True):
            rows.append({"kept": kept, "forgotten": forgotten, "exact": exact, "agreement": round(agreement, 4)})
            if paths is not None:
                rows[-1] |= {"kept_path": paths[kept], "forgotten_path": paths[forgotten]}
        return {**self.counts(), "pairs": rows}

    def counts(self) -> dict[str, Any]:
        """Return how many pairs there are from which agreement, how many have equal pixels, and whether all is seen."""
        exact = int(self.exact.sum())
        return {
            "count": len(self), "exact": exact, "near": len(self) - exact, "complete": self.complete,
            "threshold": self.threshold,
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Twins:
    """Which images show the same picture.

    group: (n,) int64, the first image of the group an image belongs to, LONE without a twin.
    """

    group: np.ndarray

    @property
    def has_twin(self) -> np.ndarray:
        """Which images have a twin: (n,) bool."""
        return self.group != LONE


@dataclass(frozen=True, eq=False)
class Looks:
    """cells: (n, 64) float16, brightness in the middle of each image; digests: (n,) uint64, hash of its pixels."""

    cells: np.ndarray
    digests: np.ndarray

    @property
    def details(self) -> _Details:
        """The measure of details of these images."""
        return _Details(torch.from_numpy(self.cells[:: max(1, len(self.cells) // 20_000)]).float())


def take_looks(images: Any, tick: Tell = untold) -> Looks:
    """Look at all images (n, H, W, C) uint8, read in pieces; `tick` may raise to interrupt."""
    count = len(images)
    cells, digests = np.zeros((count, CELLS**2), np.float16), np.zeros(count, np.uint64)
    still = _matrix(_moves()[0], 1.0).T
    for start in range(0, count, CHUNK):
        tick("Looking at all images", start, count)
        part = slice(start, start + CHUNK)
        pixels = np.asarray(images[part])
        cells[part] = grey_squares(pixels).flatten(1) @ still
        digests[part] = hash_each(image.tobytes() for image in pixels)
    return Looks(cells, digests)


def find_duplicates(images: Any, forget: np.ndarray, looks: Looks, tick: Tell = untold) -> Duplicates:
    """Find kept images that show the same picture as an image of the forget set, from LEVELS["near"] on.

    images: (n, H, W, C) uint8, read in pieces; forget: (n,) bool; looks: what `take_looks` gave. Copies that were
    moved, cropped, turned by some degrees, mirrored, resized, recompressed, brightened are found. `tick(what, done,
    total)` may raise to interrupt.
    """
    forget_ids, retain_ids = np.flatnonzero(forget), np.flatnonzero(~forget)
    same = _same_pixels(looks.digests, forget_ids, retain_ids)
    pairs, near, complete = np.zeros((0, 2), np.int64), np.zeros(0, np.float32), True
    if len(forget_ids) and len(retain_ids):
        details, asked = looks.details, forget_ids[:: ceil(len(forget_ids) / MOST_ASKED)]
        size = SPAN if len(asked) <= MANY else COARSE
        parts = np.split(asked, range(CHUNK, len(asked), CHUNK))
        spans = torch.cat([_spans(*_squares(images, part), size, details) for part in parts])
        nearest = _nearest(spans, asked, looks.cells, details, tick)
        stays = ~(forget | np.isin(np.arange(len(forget)), same[:, 1]))
        pairs, near, complete = _agreeing(images, asked, nearest, stays, details, tick)
        complete &= nearest.complete and len(asked) == len(forget_ids)
    forgotten, kept = np.concatenate([same, pairs]).T
    agreement = np.concatenate([np.ones(len(same), np.float32), near])
    order = np.lexsort((kept, -agreement))
    _, first = np.unique(kept[order], return_index=True)
    best = order[np.sort(first)]  # forget image of each kept one
    return Duplicates(kept[best], forgotten[best], agreement[best], complete)


def find_twins(looks: Looks, tick: Tell = untold) -> Twins:
    """Group images that show the same picture: equal pixels, or a resized, recompressed or slightly moved copy.

    looks: what `take_looks` gave. Copies that are mirrored or moved are not looked for; a chain of pairs is one group.
    `tick(what, done, total)` may raise to interrupt.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(looks.digests)
    if not count:
        return Twins(np.zeros(0, np.int64))
    _, first, copy = np.unique(looks.digests, return_index=True, return_inverse=True)
    details = looks.details
    cells = looks.cells[first]
    own = details.of(torch.from_numpy(cells).float())[:, None, None]
    nearest = _nearest(own, np.arange(len(first)), cells, details, tick, reach=2)
    row, column = np.nonzero(nearest.rest <= (1 - TWIN) * nearest.usual)
    pairs = np.column_stack([first[row], first[nearest.found[row, column]]])
    same = np.column_stack([np.arange(count), first[copy.ravel()]])  # each image, and the first of the same pixels
    starts, ends = np.concatenate([same, pairs]).T
    links = coo_array((np.ones(len(starts), bool), (starts, ends)), shape=(count, count))
    group = connected_components(links, directed=False)[1]
    _, lead, sizes = np.unique(group, return_index=True, return_counts=True)
    return Twins(np.where(sizes[group] > 1, lead[group], LONE))


def grey_squares(images: np.ndarray) -> Tensor:
    """Return images (n, H, W, C) uint8 as grey squares (n, 1, SIDE, SIDE) float32."""
    grey = torch.from_numpy(images.astype(np.float32).mean(axis=3))[:, None]
    return functional.interpolate(grey, (SIDE, SIDE), mode="bilinear", antialias=True)


class _Details:
    """Whitens cells by the covariance of a sample of them (n, 64)."""

    def __init__(self, sample: Tensor) -> None:
        lit = _standard(sample[sample.std(1) > EVEN])
        places = torch.cartesian_prod(torch.arange(CELLS), torch.arange(CELLS)).float()
        smooth = torch.exp(-torch.cdist(places, places) / (CELLS / 2))  # of photographs: for where there are few images
        centre = torch.eye(CELLS**2) - 1 / CELLS**2
        usual = FEW * centre @ (smooth / CELLS**2) @ centre
        self._mean = lit.sum(0) / (len(lit) + FEW)
        centred = lit - self._mean
        variances, axes = torch.linalg.eigh((centred.T @ centred + usual) / (len(lit) + FEW))
        self._whiten = axes / (variances + RIDGE * variances.mean()).sqrt()

    def of(self, cells: Tensor) -> Tensor:
        """Return the details of cells (n, 64), vectors of norm 1; zeros where a view is even."""
        shows = cells.std(1, keepdim=True) > EVEN
        return functional.normalize((_standard(cells) - self._mean) @ self._whiten, dim=1) * shows


def _standard(rows: Tensor) -> Tensor:
    """Return rows (n, p) with mean 0 and norm 1."""
    return functional.normalize(rows - rows.mean(1, keepdim=True), dim=1)


def _same_pixels(digests: np.ndarray, forget_ids: np.ndarray, retain_ids: np.ndarray) -> np.ndarray:
    """Return forget images, and kept images with exactly the same pixels: (m, 2)."""
    wanted, first = np.unique(digests[forget_ids], return_index=True)
    if not len(wanted):
        return np.zeros((0, 2), np.int64)
    place = np.minimum(np.searchsorted(wanted, digests[retain_ids]), len(wanted) - 1)
    same = wanted[place] == digests[retain_ids]
    return np.column_stack([forget_ids[first[place[same]]], retain_ids[same]])


# --- moves --------------------------------------------------------------------------------------------------------


def _moves() -> Tensor:
    """Return the moves that are tried, standing still first: (moves, 4) of right, down, log zoom, angle.

    Right and down are shares of half a side. Crops of 86 % and of 93 % in nine places, and the other way round.
    """
    step = 1 / 14  # half a side
    places = [(0, 0), *(place for place in product((-2, -1, 0, 1, 2), repeat=2) if any(place))]
    moved = [(step * right, step * down, 0.0, 0.0) for right, down in places]
    zooms = [
        (right * abs(1 - zoom), down * abs(1 - zoom), log(zoom), 0.0)
        for zoom in (0.93, 0.86, 1 / 0.93, 1 / 0.86)
        for right, down in product((-1, 0, 1), repeat=2)
    ]
    return torch.tensor([*moved, *zooms, *((0.0, 0.0, 0.0, radians(angle)) for angle in (-5, -2.5, 2.5, 5))])


def _places(moves: Tensor, shape: float) -> tuple[Tensor, Tensor]:
    """Return where the view's pixels lie in a moved square, and their derivative by angle: (n, WINDOW, WINDOW, 2) each.

    shape: height / width of the image that was made a square, since angles are those of the image.
    """
    line = torch.linspace(-VIEW, VIEW, 2 * WINDOW + 1)[1::2]
    down, right = torch.meshgrid(line, line, indexing="ij")
    zoom, angle = moves[:, 2, None, None].exp(), moves[:, 3, None, None]
    cos, sin = zoom * angle.cos(), zoom * angle.sin()
    shift = moves[:, None, None, :2]
    turned = torch.stack([cos * right - sin * down * shape, sin * right / shape + cos * down], 3)
    change = torch.stack([-sin * right - cos * down * shape, cos * right / shape - sin * down], 3)
    return turned + shift, change


def _seen(squares: Tensor, places: Tensor) -> Tensor:
    """Return what squares (n, channels, SIDE, SIDE) show at places: (n, channels, pixels)."""
    return functional.grid_sample(squares, places, padding_mode="border", align_corners=False).flatten(2)


def _to_cells(windows: Tensor) -> Tensor:
    """Average windows (n, WINDOW²) to cells (n, CELLS²)."""
    return functional.adaptive_avg_pool2d(windows.reshape(-1, 1, WINDOW, WINDOW), CELLS).flatten(1)


def _matrix(move: Tensor, shape: float) -> Tensor:
    """Return the matrix (CELLS², SIDE²) from a square to the cells of it moved."""
    points = torch.eye(SIDE**2).reshape(1, SIDE**2, SIDE, SIDE)  # a square each that is lit at one place
    return _to_cells(_seen(points, _places(move[None], shape)[0])[0]).T


@lru_cache(4)
def _moving(shape: float) -> Tensor:
    """Return the matrices (2 moves, CELLS², SIDE²) from a square to the cells of its moves, then of its mirror's."""
    matrices = torch.stack([_matrix(move, shape) for move in _moves()])
    mirrored = matrices.reshape(-1, CELLS**2, SIDE, SIDE).flip(3).flatten(2)
    return torch.cat([matrices, mirrored])


def _squares(images: Any, ids: np.ndarray) -> tuple[Tensor, float]:
    """Return the squares of images, and their height / width."""
    pixels = np.asarray(images[ids])
    return grey_squares(pixels), pixels.shape[1] / pixels.shape[2]


def _moved(squares: Tensor, shape: float, details: _Details) -> Tensor:
    """Return the details of all moves of squares, then of their mirrors': (n, 2 moves, CELLS²)."""
    matrices = _moving(shape)
    cells = squares.flatten(1) @ matrices.flatten(0, 1).T
    return details.of(cells.reshape(-1, CELLS**2)).reshape(len(squares), len(matrices), -1)


def _spans(squares: Tensor, shape: float, size: int, details: _Details) -> Tensor:
    """Return bases of what small moves make of each square, and of its mirror: (n, 2, size, CELLS²)."""
    moved = _moved(squares, shape, details).unflatten(1, (2, -1))
    start = torch.randn(moved.shape[2], size, generator=torch.Generator().manual_seed(0))
    rough = moved.mT @ (moved @ (moved.mT @ start))  # a power step: the leading directions
    return torch.linalg.qr(rough)[0].mT.contiguous()


# --- search and comparison ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Nearest:
    """Of each of some images those nearest to it, nearest first, before they are aligned.

    found: (q, m) their positions; rest: (q, m); usual: (q, 1), the rest of those further away; complete: whether most
    groups of images were looked into.
    """

    found: np.ndarray
    rest: np.ndarray
    usual: np.ndarray
    complete: bool


def _nearest(
    spans: Tensor, ids: np.ndarray, cells: np.ndarray, details: _Details, tick: Tell, reach: int = 0
) -> _Nearest:
    """Find the LOOKS images nearest to each of `ids`; spans: (ids, mirrors, dimensions, 64); cells: of all images.

    They are searched in groups of like ones, of which each looks into `reach` (0: as many as BUDGET allows).
    """
    own = details.of(torch.from_numpy(cells).float())
    shown = own.any(1).nonzero()[:, 0]  # even images are like nothing
    heads = own[shown[:: max(1, ceil(len(shown) / ceil(len(own) / GROUP)))]]
    home = torch.cat([(own[part] @ heads.T).argmax(1) for part in shown.split(GROUP)]) if len(heads) else shown
    groups = shown[home.argsort(stable=True)].split(home.bincount(minlength=len(heads)).tolist())
    cost = spans.numel() * GROUP
    tried = min(len(heads), reach or max(2, int(BUDGET / cost)))
    looks = torch.zeros(len(spans), len(heads), dtype=torch.bool)
    for part in torch.arange(len(spans)).split(CHUNK):
        looks[part[:, None], _scores(spans[part], heads).topk(tried).indices] = True
    best = min(len(own), AROUND + 1)
    scores, found = torch.full((len(spans), best), -1.0), torch.zeros(len(spans), best, dtype=torch.int64)
    for number, group in enumerate(groups):
        tick("Comparing images", number, len(heads))
        for part in looks[:, number].nonzero()[:, 0].split(max(1, ROWS // spans[0, :, :, 0].numel())):
            for members in group.split(GROUP):
                joined = torch.cat([scores[part], _scores(spans[part], own[members])], 1)
                names = torch.cat([found[part], members.expand(len(part), -1)], 1)
                scores[part], places = joined.topk(best)
                found[part] = names.gather(1, places)
    scores[found == torch.from_numpy(ids)[:, None]] = -1.0  # itself
    scores, order = scores.sort(1, descending=True)
    rest, others = (1 - scores[:, :-1]).clamp(min=1e-6).numpy(), found.gather(1, order)[:, :-1].numpy()
    usual = rest[:, -1:] if best > AROUND else np.ones_like(rest[:, :1])
    return _Nearest(others[:, :LOOKS], rest[:, :LOOKS], usual, 2 * tried >= len(heads))


def _scores(spans: Tensor, details: Tensor) -> Tensor:
    """Return how much of each of the details (n, 64) lies in a span, or in that of the mirror: (spans, n), 0 to 1."""
    return (spans.flatten(0, 2) @ details.T).unflatten(0, spans.shape[:3]).square_().sum(2).amax(1).sqrt_()


def _agreeing(
    images: Any, ids: np.ndarray, nearest: _Nearest, stays: np.ndarray, details: _Details, tick: Tell
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return pairs (p, 2) of `ids` and images of `stays` (n,) bool that agree from "near" on, how well, (p,) float32.

    The likeliest MOST_COMPARED are aligned; whether that is all is the third value. An agreement is held against what
    the image's strangers have when they are aligned as well.
    """
    found, usual = nearest.found, nearest.usual
    rest = np.full(found.shape, np.nan, np.float32)

    def align(places: np.ndarray) -> None:
        for start in range(0, len(places), PAIRS):
            tick("Aligning images", start, len(places))
            row, column = places[start : start + PAIRS].T
            (left, shape), (right, _) = (_squares(images, each) for each in (ids[row], found[row, column]))
            rest[row, column] = aligned_rest(left, right, shape, details).numpy()

    wanted = stays[found]
    likely = np.argwhere(wanted & (nearest.rest < LIKELY * usual))
    order = np.argsort((nearest.rest / usual)[tuple(likely.T)], kind="stable")
    align(likely[order[:MOST_COMPARED]])
    promising = np.any(rest < PROMISING * usual, axis=1, keepdims=True)
    align(np.argwhere(np.isnan(rest) & promising))
    strangers = _of_strangers(np.sort(rest, axis=1))
    agreement = np.where(wanted & promising, 1 - rest / strangers, 0.0)
    row, column = np.nonzero(agreement >= LEVELS["near"])
    agreed = agreement[row, column].clip(max=0.9999).astype(np.float32)
    return np.column_stack([ids[row], found[row, column]]), agreed, len(likely) <= MOST_COMPARED


def _of_strangers(ranked: np.ndarray) -> np.ndarray:
    """Return the rest that strangers of each image have, (q, 1), from those of its candidates (q, m), ascending.

    It is that of the ninth; where some are copies of the image, of the ninth after these.
    """
    if ranked.shape[1] <= STRANGER:
        return np.full((len(ranked), 1), ALONE)
    copies = (ranked < (1 - LEVELS["near"]) * ranked[:, STRANGER, None]).sum(1, keepdims=True)
    return np.take_along_axis(ranked, np.minimum(STRANGER + copies, ranked.shape[1] - 1), 1)


def aligned_rest(left: Tensor, right: Tensor, shape: float, details: _Details) -> Tensor:
    """Return 1 - cosine of the details of squares (n, 1, SIDE, SIDE) after the left ones were aligned: (n,).

    From the best of all moves on, Gauss-Newton steps lessen the difference of the standardised views (Lucas and
    Kanade 1981), by place, zoom, angle and sharpness: a resized copy is blurred.
    """
    moves = _moves()
    still = _places(torch.zeros(1, 4), shape)[0].expand(len(left), -1, -1, -1)
    theirs = _seen(right, still)[:, 0]
    start = (_moved(left, shape, details) @ details.of(_to_cells(theirs))[:, :, None])[:, :, 0].argmax(1)
    mirrored = (start >= len(moves))[:, None, None, None]
    layers = _layers(torch.where(mirrored, left.flip(3), left))
    now = torch.cat([moves[start % len(moves)], torch.zeros(len(left), 1)], 1)
    limits = torch.tensor([0.25, 0.25, 0.22, 0.15, 1.5])
    wanted, least = _standard(theirs), torch.full((len(left),), torch.inf)
    best = torch.zeros_like(theirs)
    for _ in range(TURNS + 1):
        places, turning = _places(now, shape)
        grey, right_slope, down_slope, blur = _seen(layers, places).unbind(1)
        seen = grey + now[:, 4:] * blur
        error = wanted - _standard(seen)
        size = error.square().sum(1)
        best = torch.where((size < least)[:, None], seen, best)
        least = torch.minimum(least, size)
        growing = (places - now[:, None, None, :2]).flatten(1, 2)
        turning = turning.flatten(1, 2)
        slopes = torch.stack([right_slope, down_slope], 2)
        effects = [right_slope, down_slope, (slopes * growing).sum(2), (slopes * turning).sum(2), blur]
        design = torch.stack(effects, 2)
        design = design - design.mean(1, keepdim=True)
        unit = _standard(seen)[:, :, None]
        design = (design - unit * (unit.mT @ design)) / (seen - seen.mean(1, keepdim=True)).norm(dim=1)[
            :, None, None
        ].clamp(min=1e-3)
        normal = design.mT @ design
        normal = normal + torch.diag_embed(0.01 * normal.diagonal(dim1=1, dim2=2) + 1e-6)
        step = torch.linalg.solve(normal, design.mT @ error[:, :, None])[:, :, 0]
        now = torch.clamp(now + step.clamp(-0.15, 0.15), -limits, limits)
    return 1 - (details.of(_to_cells(best)) * details.of(_to_cells(theirs))).sum(1)


def _layers(squares: Tensor) -> Tensor:
    """Return squares with their slopes (a half side as unit) and their Laplacian: (n, 4, SIDE, SIDE)."""
    padded = functional.pad(squares, (1, 1, 1, 1), mode="replicate")
    across = torch.tensor([[0.0, 0, 0], [-1, 0, 1], [0, 0, 0]]) * SIDE / 4
    around = torch.tensor([[0.5, 1, 0.5], [1, -6, 1], [0.5, 1, 0.5]]) / 6
    kernels = torch.stack([across, across.T, around])[:, None]
    return torch.cat([squares, functional.conv2d(padded, kernels)], 1)
