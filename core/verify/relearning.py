"""Relearning: how few forget images bring the forgotten class back. Every step is the engine's.

Every network gets the same fresh head rows for the forgotten classes (an attacker is not bound to the rows that were
shipped), then learns from a few forget images among images of the other classes, so that always naming the forgotten
class does not count as remembering it. A head-only edit relearns as the original does, bit for bit; a network that
never saw the class has to learn its features first.

The published relearn time goes without fresh rows and retain images: see `batches_to_relearn`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from core.data.batches import ImageStore, drawn_since_seeded
from core.data.splits import Splits, stratified
from core.devices import side_by_side
from core.engine.control import Control
from core.engine.engine import Engine
from core.engine.experiment import Experiment
from core.engine.monitor import Unwatched
from core.engine.outputs import MOST_IMAGES, chunk_size, collect
from core.errors import NonFiniteError
from core.methods import get_method
from core.methods.base import Length, Method, Optimiser, Train
from core.methods.common import classification
from core.metrics.published import RELEARN_ALPHA
from core.models.tap import TappedModel
from core.parameters import Values, resolve
from core.verify.measure_log import Measured

SHOTS = 32
"""Forget images of a class that the attacker has, and as many of every other class …"""

MOST_RETAIN = 512
"""… but of all classes together no more retain images than about this, up to the rounding of each class's share."""

DRAWS = 3
"""Draws of them; curves are means over draws."""

BATCH, STEP_SIZE = 32, 0.02
"""Plain SGD without momentum, so that measuring between stages changes nothing; batch norm keeps its statistics."""

STEPS = (0, 1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128)
"""Steps after which a point of the curve is taken."""

SHARES = (0.5, 0.8, 0.9, 0.95)
"""Shares of the original's forget accuracy; a curve says how many samples bring each back."""

UNSEEN = 500
"""Unseen images of each kind that a point is measured on, at most."""

LONGEST, PUBLISHED_BATCH, PUBLISHED_STEP_SIZE = 50, 128, 0.01
"""The published relearn time: batches at most, images a batch, step size."""

Network = Callable[[], TappedModel]  # a fresh copy every time: relearning changes it


@dataclass(frozen=True, eq=False)
class Ground:
    """What all networks relearn on: data on the device, sets, class names, and who may end it."""

    train: ImageStore
    test: ImageStore
    splits: Splits
    class_names: tuple[str, ...]
    device: torch.device
    control: Control

    @cached_property
    def at_once(self) -> int:
        """How many networks may compute at the same time: more than one has room where all images are small."""
        small = all(not store.streamed and chunk_size(store) == MOST_IMAGES for store in (self.train, self.test))
        return side_by_side(self.device) if small else 1


def relearning_curve(
    network: Network | None,
    ground: Ground | None,
    original_accuracy: float | None,
    beside: Sequence[Callable[[], object]] = (),
) -> Measured:
    """Relearn the forgotten classes from a few images: accuracies by samples seen, means over draws, 0..1.

    Once the first draw has shown that the network draws nothing at random, the others relearn at the same time where
    cores are free, and `beside` is done with them: what will be needed and draws nothing either.

    Under `relearn` stand the contract's keys: `accuracy` is the mean over the curve, `needed` the samples to a share of
    `original_accuracy`, the original's on unseen forget images (null: not reached); the samples are each unseen forget
    image's mean over the points. None where there is no class to relearn, nothing to relearn on, the head has no row a
    class, or the loss became infinite. Raises Interrupted where `ground.control` was told to end.
    """
    nothing = Measured({"relearn": None})
    if network is None or ground is None or not ground.splits.forget_classes or not len(ground.splits.forget_test):
        return nothing
    splits = ground.splits
    forget = stratified(splits.test_labels, splits.forget_test, UNSEEN, seed=0)
    retain = stratified(splits.test_labels, splits.retain_test, UNSEEN, seed=0)

    def relearn(draw: int, tap: TappedModel) -> Tensor | None:
        """Return which of the forget and retain images are right at each point, (points, images) bool."""
        if not renew_rows(tap, splits.forget_classes, seed=draw):
            return None
        points: dict[int, Tensor] = {}

        def look(model: TappedModel, step: int) -> bool:
            seen = collect(model, ground.test, torch.cat([forget, retain]), tick=lambda done: ground.control.check())
            points[step] = seen.logits.argmax(1) == seen.labels
            return False

        try:
            train_on(tap, _shots(splits, draw), ground, STEPS, BATCH, STEP_SIZE, draw, look)
        except NonFiniteError:
            return None
        return torch.stack([points[step] for step in STEPS])

    first = relearn(0, network())
    if first is None:
        return nothing
    at_once = 1 if drawn_since_seeded() else ground.at_once
    others = [network() for _ in range(1, DRAWS)]  # here: an untrained one draws its weights from the one generator
    with ThreadPoolExecutor(at_once) as pool:
        done = [pool.submit(work) for work in beside if at_once > 1]
        right = [first, *pool.map(relearn, range(1, DRAWS), others)]
        for each in done:
            each.result()
    known = [each.double() for each in right if each is not None]
    if len(known) < DRAWS:
        return nothing
    on_forget, on_retain = torch.stack(known).mean(0).tensor_split([len(forget)], dim=1)  # (points, images) each
    curve = on_forget.mean(1).tolist()
    values = {
        "accuracy": sum(curve) / len(curve),
        "needed": {f"{share:g}": samples_to(share, curve, original_accuracy) for share in SHARES},
        "samples": [step * BATCH for step in STEPS], "forget": curve, "retain": on_retain.mean(1).tolist(),
        "shots": SHOTS, "draws": DRAWS, "batch": BATCH, "step_size": STEP_SIZE,
    }  # fmt: skip
    return Measured({"relearn": values}, {"relearn": on_forget.mean(0).tolist()})


def samples_to(share: float, curve: Sequence[float], original_accuracy: float | None) -> int | None:
    """Return the samples after which a curve, an accuracy a step of STEPS, reaches a share of the original's accuracy.

    None where it does not, or the original's is not known.
    """
    if original_accuracy is None:
        return None
    reached = (step for step, accuracy in zip(STEPS, curve, strict=True) if accuracy >= share * original_accuracy)
    step = next(reached, None)
    return None if step is None else step * BATCH


def batches_to_relearn(
    network: Network | None, ground: Ground | None, original_accuracy: float | None
) -> int | None:
    """Return after how many batches of fine-tuning on the forget set alone its accuracy is back, at most LONGEST.
    Back is (1 − α) of the original's `original_accuracy` on the forget set. None without a forget set or anything to
    relearn on.

    The published relearn time (ERASURE's protocol, counted in batches): the network as it is, no retain images, so
    that naming the forgotten class for everything counts as having relearned it. The curve above is ours.
    A network whose loss becomes infinite did not get there. Raises Interrupted where told to end.
    """  # noqa: D205
    if network is None or ground is None or original_accuracy is None or not len(ground.splits.forget_train):
        return None
    splits = ground.splits
    ids = stratified(splits.labels, splits.forget_train, UNSEEN, seed=0)
    reached: list[int] = []

    def look(model: TappedModel, step: int) -> bool:
        seen = collect(model, ground.train, ids, tick=lambda done: ground.control.check())
        back = float((seen.logits.argmax(1) == seen.labels).double().mean()) >= (1 - RELEARN_ALPHA) * original_accuracy
        if back:
            reached.append(step)
        return back

    steps = tuple(range(LONGEST + 1))
    try:
        train_on(network(), splits.forget, ground, steps, PUBLISHED_BATCH, PUBLISHED_STEP_SIZE, 0, look)
    except NonFiniteError:  # a silenced row gives losses of thousands: such a network did not relearn
        return LONGEST
    return reached[-1] if reached else LONGEST


def renew_rows(tap: TappedModel, classes: Sequence[int], seed: int) -> bool:
    """Draw the head's rows of `classes` anew, with the mean norm and the mean bias of the other rows; False where the
    head has no weight row per class.
    """  # noqa: D205
    weight, bias = getattr(tap.head, "weight", None), getattr(tap.head, "bias", None)
    kept = [c for c in range(tap.num_classes) if c not in set(classes)]
    if not isinstance(weight, nn.Parameter) or weight.shape[0] != tap.num_classes or not kept:
        return False
    with torch.no_grad():
        rows = weight.detach().flatten(1)
        drawn = torch.randn(len(classes), rows.shape[1], generator=torch.Generator().manual_seed(seed)).to(rows)
        drawn *= rows[kept].norm(dim=1).mean() / drawn.norm(dim=1, keepdim=True)
        weight[list(classes)] = drawn.reshape(len(classes), *weight.shape[1:])
        if isinstance(bias, nn.Parameter):
            bias[list(classes)] = bias[kept].mean()
    return True


def edited_head(network: Network, ground: Ground) -> TappedModel:
    """Return a network after the head-only edit, made by the method of that name."""
    method, tap = get_method("head-only"), network()
    _run(tap, method, resolve(method.parameters, {"variant": "mask"}), ground.splits, ground, seed=0)
    return tap


def _shots(splits: Splits, draw: int) -> Tensor:
    """Return which training images the attacker has, a bool mask (n,)."""
    generator = torch.Generator().manual_seed(draw)
    mask = torch.zeros(len(splits.labels), dtype=torch.bool)
    for label in splits.forget_classes:
        members = splits.forget_train[splits.labels[splits.forget_train] == label]
        mask[members[torch.randperm(len(members), generator=generator)[:SHOTS]]] = True
    wanted = min(MOST_RETAIN, SHOTS * len(splits.retain_classes))
    mask[stratified(splits.labels, splits.retain_train, wanted, seed=draw)] = True
    return mask


def train_on(
    tap: TappedModel,
    mask: Tensor,
    ground: Ground,
    steps: Sequence[int],
    batch: int,
    step_size: float,
    seed: int,
    look: Callable[[TappedModel, int], bool],
) -> None:
    """Train on the images of `mask` through the engine; `look(network, step)` after each of `steps`, True ends it.

    Where the engine begins again with a smaller step size after an infinite loss, looks are repeated.
    """  # fmt: skip
    if look(tap, 0):
        return
    stages = tuple(
        Train(
            name="relearn", phase="train", reads="forget", loss=classification, length=Length(steps=last - first),
            batch=batch, optimiser=Optimiser(lr=step_size, momentum=0.0), batch_norm="frozen", stream="relearn",
            augment=False, until=lambda context, last=last: look(context.model, last),  # type: ignore[misc]
        )
        for first, last in itertools.pairwise(steps)
    )  # fmt: skip
    method = Method(
        id="relearn", title="Relearning attack", summary="", citation="", status="control", parameters=(),
        plan=lambda values, facts: stages,
    )  # fmt: skip
    _run(tap, method, Values({}), replace(ground.splits, forget=mask), ground, seed)


def _run(tap: TappedModel, method: Method, values: Values, splits: Splits, ground: Ground, seed: int) -> None:
    """Let the engine run a method on a network in place, measured by `look` alone; raises Interrupted as told."""
    experiment = Experiment(
        run_id="", method=method, values=values, seed=seed, model=tap, splits=splits, train=ground.train,
        test=ground.test, class_names=ground.class_names, device=ground.device,
    )  # fmt: skip
    for _ in Engine(experiment, ground.control, Unwatched()).run():
        pass
    ground.control.check()
