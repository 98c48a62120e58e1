"""Projections in every layer: each stops reading the directions in which what it receives is of the forget set.

A layer with weight W gives W x + b of what it receives, x: (C,). With W P for W it reads P x; so the edited weights say
what a network with projections built in would say, and survive every export. A convolution reads the channels of every
position of its kernel through the same P. All directions are taken from the original in passes over samples of both
sets; no gradient is taken. Left out: the layer that reads the images themselves, grouped convolutions (each of their
outputs reads some of the channels), attention that is computed from its weights elsewhere (torch's MultiheadAttention;
projections that are layers of their own are edited), layers of another kind, and layers that never run.

Layer i of L edited ones, in the order data passes them, has a depth i / L: early layers serve all classes alike.

Projection in every layer, by the generalised Rayleigh quotient, as LOFT projects before the head alone:
    S_r, S_f = second moments of x over the positions of retain and forget images, (C, C);  S_f v = m S_r v, m falling
    W <- W (I - s * depth * (S_r V_k) V_k^T)            s: searched, so that the class goes and the others stay

DAMP (arXiv 2604.15166), x averaged over positions (and over its calls, where a layer runs more than once):
    mu_f, R = mean of x over each forgotten class, and over each kept class as columns
    d_f = mu_f - R R^+ mu_f      (published), or mu_f minus the nearest mixture of kept classes, whose weights are >= 0
    Q = orthonormal basis of all d_f
    W <- W (I - s * a * Q Q^T),  a = separability * depth
    separability = 2 * balanced accuracy of a linear probe of x, forget against retain, on images held out - 1, >= 0
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from core.errors import RunError, first_few
from core.methods.base import WHOLE, Context, Edit, Facts, Method, Preset, SearchRange
from core.methods.common import Group
from core.methods.head import discriminating_directions
from core.methods.strength import STRENGTH, looks_of_search, searched, strength_of, weights_of
from core.metrics.probe import standardised_regression
from core.metrics.rows import as_float64
from core.metrics.spaces import gram, one_blas_thread
from core.parameters import Values

PROJECTION = Group("Projection")

CHECKED = 64  # images that show in which order layers run, and on what
WIDEST = 8192  # channels of a layer whose second moments are taken: 0.5 GB each
LARGEST = 2**30  # bytes of what is held of layers at once; more layers want another pass
WEAKEST, STRONGEST = 0.05, 1.5  # of the search; beyond 2 a direction would come back with the other sign
SMALLEST = 1e-6  # of a prototype's length: a residual below it is rounding, and no direction

EDITED = (nn.Linear, nn.Conv2d)


@dataclass(frozen=True)
class Layers:
    """Layers to edit: how many channels each receives, in the order data passes them; and those left out."""

    widths: Mapping[str, int]
    left_out: tuple[str, ...]

    def depth(self, name: str) -> float:
        """Return how deep a layer lies, above 0 to 1."""
        return (list(self.widths).index(name) + 1) / len(self.widths)

    def groups(self, size: Callable[[int], int]) -> Iterator[list[str]]:
        """Yield layers in groups of LARGEST bytes at most, or of one. size: bytes held of one of so many channels."""
        group: list[str] = []
        held = 0
        for name, width in self.widths.items():
            if group and held + size(width) > LARGEST:
                yield group
                group, held = [], 0
            group.append(name)
            held += size(width)
        if group:
            yield group


def editable(context: Context, widest: int) -> Layers:
    """Return the layers that a projection can be folded into. Raises RunError where there is none."""
    trained = context.model.trained_parameters()
    named = dict(context.model.module.named_modules())
    layers = [name for name, layer in named.items() if isinstance(getattr(layer, "weight", None), nn.Parameter)]
    layers = [name for name in layers if named[name].weight.ndim > 1]
    order: dict[str, int] = {}
    images = 0

    def see(name: str, given: torch.Tensor, labels: torch.Tensor) -> None:
        nonlocal images
        images = len(labels)
        plain = any(isinstance(named[name], kind) and type(named[name]).forward is kind.forward for kind in EDITED)
        whole = getattr(named[name], "groups", 1) == 1 and len(given) % images == 0
        width = channels(named[name], given)
        fits = plain and whole and width <= widest and f"{name}.weight" in trained
        order[name] = width if fits and order.get(name, width) else 0  # in every call of a layer that runs twice

    context.inputs("all", layers, see, CHECKED)
    first = next(iter(order), "")
    widths = {name: width for name, width in order.items() if width and name != first}
    if not widths:
        raise RunError(
            "The network has no layer behind its first that a projection can be folded into", "Choose another method"
        )
    return Layers(widths, tuple(name for name in layers if name not in widths and name != first))


def channels(layer: nn.Module, given: torch.Tensor) -> int:
    """Return how many channels a layer's input has."""
    return int(given.shape[1 if isinstance(layer, nn.Conv2d) else -1])


def by_position(layer: nn.Module, given: torch.Tensor) -> torch.Tensor:
    """Return a layer's input, one row a position of an image: (n * positions, C)."""
    moved = given.movedim(1, -1) if isinstance(layer, nn.Conv2d) else given
    return moved.reshape(-1, moved.shape[-1])


def by_image(layer: nn.Module, given: torch.Tensor, images: int) -> torch.Tensor:
    """Return a layer's input averaged over positions, one row an image: (images, C)."""
    rows = by_position(layer, given)
    return rows.reshape(images, -1, rows.shape[-1]).mean(dim=1)


def removal(weight: torch.Tensor, dropped: torch.Tensor, measured: torch.Tensor) -> torch.Tensor:
    """Return W A B^T in the shape of W, float64 on the CPU: what is taken off W for W (I - A B^T).

    weight: (K, C) or (K, C, h, w); A, B = dropped, measured: (C, k).
    """
    rows = weight.detach().cpu().double().movedim(1, -1)
    dropped, measured = dropped.to(rows), measured.to(rows)
    return ((rows @ dropped) @ measured.T).movedim(-1, 1)


def weakened(context: Context, taken: Mapping[str, torch.Tensor]) -> Callable[[float], dict[str, torch.Tensor]]:
    """Return the weights, by parameter name, as a function of how often `taken`, by layer, is taken off them."""
    start = {name: weight for name, weight in weights_of(context).items() if name.removesuffix(".weight") in taken}

    def at(strength: float) -> dict[str, torch.Tensor]:
        return {
            name: (weight.cpu().double() - strength * taken[name.removesuffix(".weight")]).to(weight)
            for name, weight in start.items()
        }

    return at


def told(context: Context, layers: Layers, what: str) -> None:
    """Put into the log what was edited, and what was left out."""
    left = f" Left out: {first_few(layers.left_out, 10)}." if layers.left_out else ""
    context.say(f"{what} in {len(layers.widths)} layers.{left}")


def second_moments(context: Context, which: str, group: list[str], limit: int) -> dict[str, torch.Tensor]:
    """Return the second moments of what layers receive over all positions of a set, by layer: (C, C) float64."""
    named = dict(context.model.module.named_modules())
    sums: dict[str, torch.Tensor] = {}
    counts: dict[str, int] = dict.fromkeys(group, 0)

    def see(name: str, given: torch.Tensor, labels: torch.Tensor) -> None:
        rows = by_position(named[name], given)
        part = gram(rows)
        sums[name] = sums[name] + part if name in sums else part
        counts[name] += len(rows)

    context.inputs(which, group, see, limit)
    return {name: total.cpu().double() / max(1, counts[name]) for name, total in sums.items()}


def project_layers(context: Context) -> None:
    """Change the network: every layer reads less of what has most forget energy for each unit of retain energy."""
    values = context.values
    layers = editable(context, WIDEST)
    taken: dict[str, torch.Tensor] = {}
    for group in layers.groups(lambda width: 2 * 8 * width**2):
        retain, forget = (second_moments(context, which, group, values.samples) for which in ("retain", "forget"))
        for name in group:
            count = min(values.directions or max(1, len(context.forget_classes)), layers.widths[name])
            dropped, measured, _ = discriminating_directions(retain[name], forget[name], count, values.ridge)
            weight = context.model.module.get_submodule(name).weight
            depth = layers.depth(name) if values.by_depth else 1.0
            taken[name] = depth * removal(weight, dropped, measured)  # type: ignore[arg-type]
            context.check()
    at = weakened(context, taken)
    strength = strength_of(context, at, values.strength, WEAKEST, STRONGEST)
    told(context, layers, f"Projected at strength {strength:.3g}")
    context.model.write(at(strength))


def projecting_layers(values: Values, facts: Facts) -> list[Edit]:
    """Return the edit, with the images it looks at."""
    seen = sum(min(values.samples or images, images) for images in (facts.retain, facts.forget))
    return [Edit("project every layer", project_layers, looks=seen + CHECKED + looks_of_search(values, facts))]


def explain_layers(values: Values, facts: Facts) -> tuple[str, ...]:
    """Say what is dropped where."""
    count = int(values.get("directions", 0))
    each = f"{count} directions" if count > 1 else "One direction" if count else "One direction a class to forget"
    return (f"{each} in every layer behind the first; what layers add to their own input is still there.",)


SAMPLES = PROJECTION.images(
    "samples",
    1000,
    "Images of each set behind the directions, the same share of every class; 0 takes all.",
    title="Images behind it",
)

LAYER_PROJECTION = Method(
    id="layer-projection",
    title="Projection in every layer",
    summary="Drops from what every layer reads the directions in which the forget set has most energy for each unit of "
    "the retain set's; no training.",
    citation="Ours, after LOFT (arXiv 2601.22456), whose criterion it takes from the head to every layer, and Kodge, "
    "Saha, Roy 2023 (arXiv 2312.00761), who project every layer's weights by singular vectors",
    status="reconstruction",
    group="closed form",
    parameters=(
        PROJECTION(
            "directions",
            0,
            "Directions to drop in each layer; 0 drops one for each class to forget.",
            high=65536,
            title="Directions to drop",
        ),
        PROJECTION(
            "by_depth",
            True,
            "Project early layers less, by how deep they lie; without it all are projected alike.",
            title="Less in early layers",
        ),
        PROJECTION.share(
            "ridge",
            0.3,
            "Share of the mean retain energy added in every direction, so that directions with next to none of it do "
            "not count for their noise.",
            low_open=True,
            log=True,
        ),
        SAMPLES,
        *searched(
            STRENGTH("strength", 1.0, "How much of the directions is taken off; 1: all, in the deepest layer.", high=2),
            "the strength",
        ),
    ),
    plan=projecting_layers,
    explain=explain_layers,
    shared=False,
    needs=("forget set", "retain set"),
    suits=WHOLE,
    presets=(
        Preset.default(
            "One direction a class in each layer, less in early ones, and a large ridge; chosen on digits and "
            "Fashion-MNIST, where all layers alike cost retain accuracy."
        ),
    ),
    search=(SearchRange("ridge", 0.01, 1.0), SearchRange("max_drop", 0.005, 0.05)),
    notes=(
        "No publication is followed to the letter: the quotient in every layer, its closed form, the depth and all "
        "constants are ours.",
        "Images of the class go to few others: on Fashion-MNIST outputs on it stay further from a retrained network's "
        "than those of DAMP.",
        "Convolutions are projected in their channels, alike at every position of the kernel. Left out are the first "
        "layer, grouped convolutions, and attention whose weights are read elsewhere than in their layer; the log "
        "names up to ten.",
        "Where a network adds a layer's input to its output, the sum still holds what the layer does not read.",
        "Running statistics of batch norm stay.",
    ),
)


def images_seen(
    context: Context, which: str, group: list[str], limit: int
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Return what layers receive from a set, averaged over positions and over the calls of a layer that runs more than
    once, by layer: (n, C) float32; and labels (n,).
    """  # noqa: D205
    named = dict(context.model.module.named_modules())
    calls: dict[str, list[list[torch.Tensor]]] = {name: [] for name in group}  # of each chunk of images
    shown: dict[str, torch.Tensor] = {}  # the labels a layer was last shown: the same in all calls of a chunk

    def see(name: str, given: torch.Tensor, labels: torch.Tensor) -> None:
        if shown.get(name) is not labels:
            calls[name].append([])
        shown[name] = labels
        calls[name][-1].append(by_image(named[name], given, len(labels)).float().cpu())

    context.inputs(which, group, see, limit)
    rows = {name: torch.cat([torch.stack(each).mean(dim=0) for each in chunks]) for name, chunks in calls.items()}
    return rows, context.labels(which, limit)


def prototypes(rows: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the mean row of every class that there is, as columns: (C, classes) float64."""
    return torch.stack([rows[labels == label].double().mean(dim=0) for label in labels.unique()], dim=1)


def residual(prototype: torch.Tensor, kept: torch.Tensor, against: str) -> torch.Tensor:
    """Return what of a forgotten class's prototype (C,) the kept ones, (C, classes), do not explain: (C,) float64.

    against: "span", all their linear combinations, as published; "mixtures", those with weights of 0 or more.
    """
    if against == "span":
        return prototype - kept @ torch.linalg.lstsq(kept, prototype[:, None], driver="gelsd").solution[:, 0]
    from scipy.optimize import nnls

    weights, _ = nnls(kept.numpy(), prototype.numpy())
    return prototype - kept @ torch.from_numpy(weights)


def forget_directions(forget: torch.Tensor, kept: torch.Tensor, against: str) -> torch.Tensor:
    """Return an orthonormal basis (C, k) of the residuals of forgotten classes' prototypes, (C, f), k <= f."""
    residuals = [residual(prototype, kept, against) for prototype in forget.T]
    found = [d for d, prototype in zip(residuals, forget.T, strict=True) if d.norm() > SMALLEST * prototype.norm()]
    if not found:
        return forget[:, :0]
    basis, sizes, _ = torch.linalg.svd(torch.stack([d / d.norm() for d in found], dim=1), full_matrices=False)
    return basis[:, sizes > SMALLEST]


def separability(forget: torch.Tensor, retain: torch.Tensor) -> float:
    """Return how well a linear probe tells forget (n, C) from retain rows (m, C): 0 by chance, 1 always.

    Fitted on half of the rows, drawn the same at every call, and tested on the rest: every other row would be one class
    where two take turns. Both sets count the same, whatever their sizes.
    """
    forget, retain = (rows[_drawn_order(len(rows))] for rows in (forget, retain))
    halves = [as_float64(torch.cat([forget[start::2], retain[start::2]])) for start in (0, 1)]
    truth = [np.arange(len(half)) < len(forget[start::2]) for start, half in enumerate(halves)]
    if any(half.all() or not half.any() for half in truth):
        return 0.0
    with one_blas_thread():
        probe, (tested,) = standardised_regression(
            halves[0], truth[0].astype(np.int64), halves[1], class_weight="balanced", max_iter=200
        )
        called = probe.predict(tested).astype(bool)
    balanced = (called[truth[1]].mean() + (~called[~truth[1]]).mean()) / 2
    return max(0.0, 2 * float(balanced) - 1)


def _drawn_order(count: int) -> torch.Tensor:
    """Return the places 0..count-1 in an order that is drawn, always the same, (count,) int64."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(0))


def damp(context: Context) -> None:
    """Change the network: every layer reads less of what sets the forgotten classes' prototypes apart."""
    values = context.values
    layers = editable(context, 2**62)
    taken: dict[str, torch.Tensor] = {}
    scales = []
    for group in layers.groups(lambda width: 2 * 4 * width * (values.samples or context.facts.images)):
        retain, kept_labels = images_seen(context, "retain", group, values.samples)
        forget, forget_labels = images_seen(context, "forget", group, values.samples)
        for name in group:
            basis = forget_directions(
                prototypes(forget[name], forget_labels), prototypes(retain[name], kept_labels), values.against
            )
            scale = separability(forget[name], retain[name]) * layers.depth(name)
            scales.append(scale)
            weight = context.model.module.get_submodule(name).weight
            taken[name] = scale * removal(weight, basis, basis)  # type: ignore[arg-type]
            context.check()
    told(context, layers, f"Removed the forget directions by {min(scales):.2f} to {max(scales):.2f}")
    context.model.write(weakened(context, taken)(float(values.strength)))


def damping(values: Values, facts: Facts) -> list[Edit]:
    """Return the edit, with the images it looks at."""
    seen = sum(min(values.samples or images, images) for images in (facts.retain, facts.forget))
    return [Edit("remove forget directions", damp, looks=seen + CHECKED)]


DAMP = Method(
    id="damp",
    title="DAMP",
    summary="Drops from what every layer reads what sets the forgotten class's mean apart from the kept classes', "
    "little in early layers and more in deep ones; no training.",
    citation="Hatami, Aalishah, Monosov 2026, Class Unlearning via Depth-Aware Removal of Forget-Specific Directions "
    "(arXiv 2604.15166)",
    status="reconstruction",
    group="closed form",
    parameters=(
        PROJECTION.choice(
            "against",
            ("mixtures", "span"),
            "mixtures",
            "What the forgotten class's mean is held against: mixtures of kept classes' means, or, as published, all "
            "their combinations, negative ones too.",
            title="Residual against",
        ),
        STRENGTH(
            "strength",
            1.5,
            "Factor on how much is taken off in every layer; published: 1. Above it what deep layers read of the "
            "direction changes its sign.",
            high=2,
        ),
        SAMPLES,
    ),
    plan=damping,
    explain=explain_layers,
    shared=False,
    needs=("forget set", "retain set"),
    suits=WHOLE,
    presets=(
        Preset.default(
            "Residuals against mixtures, because against all combinations a class of the digits stayed, and half as "
            "much again, which moved features further; chosen on digits and Fashion-MNIST."
        ),
        Preset(
            "published",
            "As published",
            "Residuals against all combinations, taken off once.",
            {"against": "span", "strength": 1.0},
        ),
    ),
    search=(SearchRange("strength", 0.5, 2.0),),
    notes=(
        "Published: prototypes at the input of the next layer, residuals against the span of the kept ones, a "
        "low-rank projection for several classes, and a scale of probe separability and depth. The form of the scale, "
        "averaging over positions (and over the calls of a layer that runs more than once), and mixtures in place of "
        "combinations are ours, since the text was available in part only.",
        "Left out are the first layer, grouped convolutions, and attention whose weights are read elsewhere than in "
        "their layer; the log names up to ten.",
        "Where a network adds a layer's input to its output, the sum still holds what the layer does not read.",
        "Biases and running statistics of batch norm stay.",
    ),
)
