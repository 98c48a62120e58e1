"""The front half of a step: its batch, and the forward passes of the networks on it.

Orders and augmentation, the networks beside the trained one, and what is passed through them once and then looked up:
the teacher's logits on images that stay as they are, and the activations behind a frozen front.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from core import distributed
from core.data.batches import AHEAD, NO_AUGMENTATION, Batch, Order, derive_seed, joined, rows_of
from core.devices import autocast
from core.engine.experiment import FORWARD, Experiment
from core.engine.outputs import Deal, chunk_size, collect
from core.engine.shares import Share, as_one_batch
from core.engine.timeline import Segment, stream_of
from core.methods.base import NOT_NEEDED, Aux, Networks, StageOutput, Train, parts_of
from core.models.architectures import reinitialise
from core.models.encoders import tapped
from core.models.split import SplitModel, split_for
from core.models.tap import Output, TappedModel, evaluating

LARGEST_FRONT = 2 * 2**30  # bytes of cached activations; where there are more, the front is computed in each step


@dataclass(frozen=True)
class StepBatch:
    """The batch of a step: `whole`, which the loss is computed of, and the `own` rows that pass through the network.

    In one process both are the same. On several, `whole` has images only where a stage prepares its batches.
    """

    whole: Batch
    own: Batch
    share: Share

    def __len__(self) -> int:
        return len(self.whole)


class ForwardPasses:
    """Batches of an experiment's stages and the networks' outputs on them."""

    def __init__(self, experiment: Experiment, check: Callable[[], None]) -> None:
        """`check` is called between the chunks of long passes and may raise."""
        self._experiment, self._check = experiment, check
        self._autocast = autocast(experiment.device, experiment.precision)
        self._orders: dict[str, Order] = {}
        samples = len(experiment.train)
        self._teacher_table: torch.Tensor | None = None
        self._teacher_filled = torch.zeros(samples, dtype=torch.bool)  # rows of the table
        self._teacher_counted = torch.zeros(samples, dtype=torch.bool)  # passes that the run's work holds
        self._front: FrozenFront | None = None
        self._front_counted = ""  # the tuned part in front of which passes were counted last
        self.batch_size = 0  # of the latest step

    def enter(self, segment: Segment) -> None:
        """Compute once what the segment's steps look up: the teacher's logits, and activations behind the front."""
        for part in segment.parts:
            if "teacher" in part.needs and self._looks_up_teacher(part):
                self._fill_teacher_table(self._read_by(part))
        first = segment.parts[0]
        if not first.cached:
            self.drop_front()  # its blocks may move now
        elif self._front is None or self._front.tunes != first.tunes:
            stages = self._experiment.plan
            alike = [p for stage in stages for p in parts_of(stage) if p.cached and p.tunes == first.tunes]
            ids = torch.cat([self._read_by(part) for part in alike]).unique()  # once for all stages that need it
            self._front = FrozenFront.of(self._experiment, first.tunes, ids, self._check)
            if self._front is not None and self._front_counted != first.tunes:
                self._experiment.work[f"front:{first.tunes}"] += len(ids)
                self._front_counted = first.tunes

    def drop_front(self) -> None:
        """Forget what was computed with weights that have changed or are about to."""
        self._front, self._front_counted = None, ""

    def state(self) -> dict[str, Any]:
        """Return for a checkpoint which passes are counted already: a resumed run computes them anew."""
        return {"teacher": self._teacher_counted.clone(), "front": self._front_counted}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` returned."""
        self._teacher_counted, self._front_counted = state["teacher"].cpu(), state["front"]

    def batch(self, part: Train, position: int, step: int, aux: Aux) -> StepBatch:
        """Return batch `position` of a part's stream, prepared as the part says."""
        taken = [self._order(part, part.reads).ids(position)]
        if part.beside is not None:
            taken.append(self._order(part, part.beside).ids(position))
        total = sum(len(ids) for ids, _ in taken)
        share = Share(total)
        if part.prepare is None or part.by_image:
            own, begin = [], 0
            for which, (ids, epoch) in zip((part.reads, part.beside), taken, strict=False):
                mine = slice(max(0, share.own.start - begin), max(0, share.own.stop - begin))
                if len(ids[mine]):
                    own.append(self._read(part, ids[mine], epoch))
                    self._read_ahead(part, str(which), position, mine)
                begin += len(ids)
            batch = self._prepared(part, own[0] if len(own) == 1 else joined(*own), total, step, aux)
            whole = batch
            if share.divided:
                whole = self._without_images(torch.cat([ids for ids, _ in taken]), batch)
                if part.prepare is not None:
                    labels = distributed.all_gather(batch.labels, distributed.shares(total))
                    whole = replace(whole, labels=labels)
        else:
            # As a whole on every rank: what is drawn for a batch is then what one process draws.
            every = [self._read(part, ids, epoch) for ids, epoch in taken]
            for which in (part.reads, part.beside)[: len(taken)]:
                self._read_ahead(part, str(which), position, slice(None))
            whole = self._prepared(part, every[0] if len(every) == 1 else joined(*every), total, step, aux)
            share = Share(len(whole), part.copies + 1)
            batch = rows_of(whole, share.rows()) if share.divided else whole
        self.batch_size = len(whole)
        return StepBatch(whole, batch, share)

    def outputs(self, part: Train, batch: StepBatch, progress: float) -> StageOutput:
        """Run the networks inside the autocast region; what comes out is float32. `progress`: 0..1 over the stage."""
        looked_up = self._teacher_table is not None and self._looks_up_teacher(part)
        with self._autocast:
            out = self._trained(part, batch)
            parts = [out.logits.float(), out.features.float(), *(layer.float() for layer in out.layers)]
            if "teacher" in part.needs and not looked_up:
                assert self._experiment.teacher is not None
                parts.append(self._logits(self._experiment.teacher, batch))
            if "untrained" in part.needs:
                parts.append(self._logits(self._untrained, batch))
        logits, features, *rest = batch.share.gathered(parts)
        layers, beside = rest[: len(out.layers)], rest[len(out.layers) :]
        teacher = NOT_NEEDED
        if looked_up and "teacher" in part.needs:
            assert self._teacher_table is not None
            teacher = self._teacher_table[batch.whole.ids]
        elif "teacher" in part.needs:
            teacher = beside.pop(0)
        return StageOutput(
            logits,
            features,
            tuple(layers),
            teacher,
            beside.pop(0) if beside else NOT_NEEDED,
            self._tuned() if "parameters" in part.needs else {},
            progress,
        )

    # -- batches -------------------------------------------------------------------------------------------------

    def _prepared(self, part: Train, batch: Batch, total: int, step: int, aux: Aux) -> Batch:
        """Return what a part makes of a batch, or of the own rows of one of `total`."""
        if part.prepare is None:
            return batch
        with self._experiment.model.frozen():
            batch = part.prepare(self._networks(step), batch, aux, self._experiment.values)
        if part.teacher_passes:
            self._experiment.work[FORWARD] += part.teacher_passes * max(total, len(batch))
        return batch

    def _order(self, part: Train, which: str) -> Order:
        """Return the order in which a part visits one of its sets."""
        experiment = self._experiment
        key = stream_of(part) if which == part.reads else f"{stream_of(part)}:beside:{which}"
        if key not in self._orders:
            members = experiment.members(part) if which == part.reads else experiment.ids(which)
            device = experiment.device if experiment.train.resident else None
            stream = part.stream or part.phase
            self._orders[key] = Order(members, len(experiment.train), part.batch, experiment.seed, stream, device)
        return self._orders[key]

    def _read(self, part: Train, ids: torch.Tensor, epoch: int) -> Batch:
        experiment, store = self._experiment, self._experiment.train
        if self._starts_behind_the_front(part):
            return store.unread(ids)
        augmentation = experiment.augmentation if part.augment and not part.cached else NO_AUGMENTATION
        return store.batch(ids, augmentation, experiment.seed, part.stream or part.phase, epoch)

    def _read_ahead(self, part: Train, which: str, position: int, mine: slice) -> None:
        """Begin to read what the next steps need of a set, where images are streamed; `mine`: rows of a batch."""
        store = self._experiment.train
        if store.streamed and not self._starts_behind_the_front(part):
            for further in range(position + 1, position + 1 + AHEAD):
                store.prefetch(self._order(part, which).ids(further)[0][mine])

    def _without_images(self, ids: torch.Tensor, like: Batch) -> Batch:
        """Return a batch of these samples whose images nobody can compute with: other ranks hold some of them."""
        shape = (len(ids), *like.images.shape[1:])
        return replace(self._experiment.train.unread(ids), images=like.images.new_empty(shape, device="meta"))

    def _starts_behind_the_front(self, part: Train) -> bool:
        return part.cached and part.prepare is None and self._front is not None and "untrained" not in part.needs

    def _read_by(self, part: Train) -> torch.Tensor:
        members = self._experiment.members(part)
        return members if part.beside is None else torch.cat([members, self._experiment.ids(part.beside)])

    def _networks(self, step: int) -> Networks:
        experiment = self._experiment
        generator = torch.Generator(experiment.device).manual_seed(derive_seed(experiment.seed, "prepare", step))
        return Networks(experiment.model, experiment.teacher, generator, *experiment.pixel_range)

    # -- networks ------------------------------------------------------------------------------------------------

    def _trained(self, part: Train, batch: StepBatch) -> Output:
        """Return the trained network's outputs on the own rows."""
        work, own, share = self._experiment.work, batch.own, batch.share
        if self._front is not None and self._starts_behind_the_front(part):
            work[f"tail:{part.tunes}"] += len(batch)
            with as_one_batch(share):
                return self._front.outputs(own)
        model, rows = self._experiment.model, len(own) // (part.copies + 1)
        work[f"step:{part.tunes}"] += len(batch) // (part.copies + 1)
        if part.balance is not None:
            work[f"back:{part.tunes}"] += (len(part.balance.terms) - 1) * len(batch)
        with as_one_batch(Share(share.images)):
            out = model(own.images[:rows])
        if rows == len(own):
            return out
        with torch.no_grad(), as_one_batch(Share(share.total - share.images, part.copies)):
            copies = model(own.images[rows:])
        work[FORWARD] += len(batch) - len(batch) // (part.copies + 1)
        return Output(
            torch.cat([out.logits, copies.logits]),
            torch.cat([out.features, copies.features]),
            tuple(torch.cat(pair) for pair in zip(out.layers, copies.layers, strict=True)),
        )

    def _looks_up_teacher(self, part: Train) -> bool:
        """Whether a part's images are always the same and few enough to keep the teacher's logits on all of them."""
        few_and_plain = not part.augment and part.reads == "forget" and part.beside is None
        return part.prepare is None and (part.cached or few_and_plain)

    def _fill_teacher_table(self, ids: torch.Tensor) -> None:
        experiment = self._experiment
        assert experiment.teacher is not None
        missing = ids[~self._teacher_filled[ids]]
        if not len(missing):
            return
        outputs = collect(
            experiment.teacher, experiment.train, missing, experiment.precision, lambda done: self._check()
        )
        said = outputs.logits if experiment.teacher.num_classes else outputs.features
        if self._teacher_table is None:
            self._teacher_table = torch.zeros(len(experiment.train), said.shape[1], device=experiment.device)
        self._teacher_table[missing.to(experiment.device)] = said.to(experiment.device)
        experiment.work[FORWARD] += int((~self._teacher_counted[missing]).sum())
        self._teacher_filled[missing] = self._teacher_counted[missing] = True

    def _logits(self, network: TappedModel, batch: StepBatch) -> torch.Tensor:
        """Return what a frozen network beside the trained one says on the own rows: logits (m, K), else features."""
        self._experiment.work[FORWARD] += len(batch)
        with torch.no_grad():
            out = network(batch.own.images)
        return (out.logits if network.num_classes else out.features).float()

    @functools.cached_property
    def _untrained(self) -> TappedModel:
        """A network of the same kind with fresh weights, the same ones in every step."""
        experiment = self._experiment
        fresh = copy.deepcopy(experiment.model.module).eval().requires_grad_(False)
        reinitialise(fresh, derive_seed(experiment.seed, "untrained"))
        return tapped(fresh, experiment.model.num_classes, input_shape=experiment.input_shape)

    def _tuned(self) -> dict[str, torch.Tensor]:
        """Return the weights that the stage trains, by name: only these have gradients.

        A term of weights alone is the same on every rank, and gradients are added up: so it has one on the first only.
        """
        named = self._experiment.model.module.named_parameters()
        first = distributed.is_first()
        return {name: weight if first else weight.detach() for name, weight in named if weight.requires_grad}


@dataclass(frozen=True, eq=False)
class FrozenFront:
    """Activations that the first tuned block receives, by sample id; kept in the precision they were computed in."""

    tunes: str
    split: SplitModel
    rows: torch.Tensor  # (n_train,) int64: where a sample's activations stand, -1 where they are not kept
    activations: torch.Tensor  # (m, ...), the channels last where `channels_last`
    channels_last: bool
    image_shape: tuple[int, int, int]

    @classmethod
    def of(
        cls, experiment: Experiment, tunes: str, ids: torch.Tensor, check: Callable[[], None]
    ) -> FrozenFront | None:
        """Pass `ids` (n,) through the front once; None where the network cannot be cut there or it would be too much.

        Chunks are the same whenever this is asked for the same samples, so a resumed run gets the same bits.
        """
        model, store = experiment.model, experiment.train
        split = split_for(model, tunes)
        if split is None:
            return None
        with evaluating(model.module):
            if not split.holds(store.batch(ids[:2]).images):
                return None
            size = chunk_size(store)
            kept, channels_last, deal = None, False, Deal(len(ids), size)
            for number, batch, _ in deal.rounds(store, ids):
                if batch is not None:
                    with autocast(experiment.device, experiment.precision):
                        activations = split.front(batch.images)
                    channels_last = activations.ndim == 4 and activations.is_contiguous(
                        memory_format=torch.channels_last
                    )
                    activations = activations.permute(0, 2, 3, 1) if channels_last else activations
                    if kept is None:
                        if activations[0].nbytes * len(ids) > LARGEST_FRONT:
                            return None
                        kept = activations.new_empty((len(ids), *activations.shape[1:]))
                    kept[number * size : number * size + len(batch)] = activations
                check()
        assert kept is not None
        deal.exchange(kept)
        rows = torch.full((len(store),), -1, dtype=torch.int64)
        rows[ids] = torch.arange(len(ids))
        return cls(tunes, split, rows.to(experiment.device), kept, channels_last, experiment.input_shape)

    def outputs(self, batch: Batch) -> Output:
        """Return the network's outputs on a batch's samples, from their cached activations on."""
        activations = self.activations.index_select(0, self.rows[batch.ids])
        if self.channels_last:
            # Truly so: maps of 1x1 count as both layouts, and on the wrong one the bfloat16 gradient of a convolution's
            # weight came out of memory that was never written.
            activations = activations.permute(0, 3, 1, 2)
        return self.split.tail(activations, torch.Size(self.image_shape))
