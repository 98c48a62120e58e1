"""What a step works on: its batch, and what the networks say of it.

Orders, augmentation and the networks beside the trained one live here; a frozen front is passed through once.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch

from core.data.batches import AHEAD, NO_AUGMENTATION, Batch, Order, derive_seed, joined
from core.devices import autocast
from core.engine.layout import Segment, stream_of
from core.engine.outputs import chunk_size, collect
from core.engine.setting import Setting
from core.methods.base import Aux, Networks, StageOutput, Train, parts_of
from core.models.architectures import reinitialise
from core.models.split import SplitModel, split_for
from core.models.tap import Output, TappedModel, evaluating, gradients_to
from core.models.work import FORWARD

LARGEST_FRONT = 2 * 2**30  # bytes of cached activations; where there are more, the front is computed in each step


class Supply:
    """Batches and outputs for the stages of one setting; `check` is called between chunks and may raise."""

    def __init__(self, setting: Setting, check: Callable[[], None]) -> None:
        self._setting, self._check = setting, check
        self._orders: dict[str, Order] = {}
        self._teacher_table: torch.Tensor | None = None
        self._teacher_known = torch.zeros(len(setting.train), dtype=torch.bool)
        self._untrained: TappedModel | None = None
        self._front: _Front | None = None
        self._bounds: tuple[torch.Tensor, torch.Tensor] | None = None
        self.batch_size = 0  # of the latest step

    def enter(self, segment: Segment) -> None:
        """Fill what the segment's steps look up: the teacher's outputs, and the activations of a frozen front."""
        setting = self._setting
        for part in segment.parts:
            if "teacher" in part.needs and self._looks_up_teacher(part):
                self._know_teacher(self._read_by(part))
        first = segment.parts[0]
        if not first.cached:
            self._front = None  # its blocks may move now
        elif self._front is None or self._front.tunes != first.tunes:
            alike = [p for stage in setting.plan for p in parts_of(stage) if p.cached and p.tunes == first.tunes]
            ids = torch.cat([self._read_by(part) for part in alike]).unique()  # once for all stages that need it
            self._front = _Front.of(setting, first.tunes, ids, self._check)
            if self._front is not None:
                self._setting.work[f"front:{first.tunes}"] += len(ids)

    def forget_front(self) -> None:
        """Weights were changed from outside: what was computed with them is void."""
        self._front = None

    def batch(self, part: Train, position: int, step: int, aux: Aux) -> Batch:
        """Return batch `position` of a part's stream, prepared as the part says."""
        setting = self._setting
        batch = self._read(part, part.reads, stream_of(part), position)
        if part.beside is not None:
            batch = joined(batch, self._read(part, part.beside, f"{stream_of(part)}:beside:{part.beside}", position))
        if part.prepare is not None:
            with evaluating(setting.model.module), gradients_to(setting.model.module, ()):
                batch = part.prepare(self._networks(step), batch, aux, setting.values)
        self.batch_size = len(batch)
        return batch

    def outputs(self, part: Train, batch: Batch, progress: float) -> StageOutput:
        """Run the networks inside the autocast region; what comes out is float32."""
        setting, images = self._setting, len(batch)
        teacher = untrained = None
        with autocast(setting.device, setting.precision):
            out = self._trained(part, batch)
            if "teacher" in part.needs and setting.teacher is not None:
                if self._teacher_table is not None and self._looks_up_teacher(part):
                    teacher = self._teacher_table[batch.ids]
                else:
                    with torch.no_grad():
                        teacher = setting.teacher(batch.images).logits
                    self._setting.work[FORWARD] += images
            if "untrained" in part.needs:
                with torch.no_grad():
                    untrained = self._untrained_network()(batch.images).logits
                self._setting.work[FORWARD] += images
        return StageOutput(
            out.logits.float(),
            out.features.float(),
            tuple(layer.float() for layer in out.layers),
            None if teacher is None else teacher.float(),
            None if untrained is None else untrained.float(),
            self._parameters(part) if "parameters" in part.needs else {},
            progress,
        )

    # -- batches -------------------------------------------------------------------------------------------------

    def _read(self, part: Train, which: str, key: str, position: int) -> Batch:
        setting = self._setting
        stream = part.stream or part.phase
        if key not in self._orders:
            members = setting.members(part) if which == part.reads else setting.ids(which)
            device = setting.device if setting.train.resident else None
            self._orders[key] = Order(members, len(setting.train), part.batch, setting.seed, stream, device)
        order = self._orders[key]
        ids, epoch = order.ids(position)
        if self._starts_behind_the_front(part):
            return setting.train.unread(ids)
        augmentation = setting.augmentation if part.augment and not part.cached else NO_AUGMENTATION
        batch = setting.train.batch(ids, augmentation, setting.seed, stream, epoch)
        if setting.train.streamed:
            for further in range(position + 1, position + 1 + AHEAD):
                setting.train.prefetch(order.ids(further)[0])
        return batch

    def _starts_behind_the_front(self, part: Train) -> bool:
        return part.cached and part.prepare is None and self._front is not None and "untrained" not in part.needs

    def _read_by(self, part: Train) -> torch.Tensor:
        members = self._setting.members(part)
        return members if part.beside is None else torch.cat([members, self._setting.ids(part.beside)])

    def _networks(self, step: int) -> Networks:
        setting = self._setting
        if self._bounds is None:
            span = torch.tensor([0, 255], dtype=torch.uint8, device=setting.device)
            channels, height, width = setting.input_shape
            extremes = setting.train.preprocessing.apply(span[:, None, None, None].expand(2, height, width, channels))
            self._bounds = extremes[0, :, :1, :1], extremes[1, :, :1, :1]
        generator = torch.Generator(setting.device).manual_seed(derive_seed(setting.seed, "prepare", step))
        return Networks(setting.model, setting.teacher, generator, *self._bounds)

    # -- networks ------------------------------------------------------------------------------------------------

    def _trained(self, part: Train, batch: Batch) -> Output:
        if self._front is not None and self._starts_behind_the_front(part):
            self._setting.work[f"tail:{part.tunes}"] += len(batch)
            return self._front.outputs(batch)
        model, rows = self._setting.model, len(batch) // (part.copies + 1)
        self._setting.work[f"step:{part.tunes}"] += rows
        out = model(batch.images[:rows])
        if rows == len(batch):
            return out
        with torch.no_grad():
            copies = model(batch.images[rows:])
        self._setting.work[FORWARD] += len(batch) - rows
        return Output(
            torch.cat([out.logits, copies.logits]),
            torch.cat([out.features, copies.features]),
            tuple(torch.cat(pair) for pair in zip(out.layers, copies.layers, strict=True)),
        )

    def _parameters(self, part: Train) -> dict[str, torch.nn.Parameter]:
        chosen = {id(parameter) for parameter in self._setting.model.tuned_parameters(part.tunes)}
        named = self._setting.model.module.named_parameters()
        return {name: parameter for name, parameter in named if id(parameter) in chosen}

    def _untrained_network(self) -> TappedModel:
        if self._untrained is None:
            setting = self._setting
            fresh = copy.deepcopy(setting.model.module).eval()
            reinitialise(fresh, derive_seed(setting.seed, "untrained"))
            for parameter in fresh.parameters():
                parameter.requires_grad_(False)
            self._untrained = TappedModel(fresh, setting.model.num_classes, input_shape=setting.input_shape)
        return self._untrained

    def _looks_up_teacher(self, part: Train) -> bool:
        """Outputs of a constant network on images that stay as they are: one pass serves every epoch."""
        plain = part.prepare is None and (not part.augment or part.cached)
        return plain and (part.cached or (part.reads == "forget" and part.beside is None))

    def _know_teacher(self, ids: torch.Tensor) -> None:
        setting = self._setting
        assert setting.teacher is not None
        missing = ids[~self._teacher_known[ids]]
        if not len(missing):
            return
        self._setting.work[FORWARD] += len(missing)
        found = collect(setting.teacher, setting.train, missing, setting.precision, lambda done: self._check()).logits
        if self._teacher_table is None:
            self._teacher_table = torch.zeros(len(setting.train), setting.splits.num_classes, device=setting.device)
        self._teacher_table[missing.to(setting.device)] = found.to(setting.device)
        self._teacher_known[missing] = True


class _Front:
    """Activations that the first tuned block receives, by sample id; kept in the precision they were computed in."""

    def __init__(
        self,
        split: SplitModel,
        tunes: str,
        rows: torch.Tensor,
        activations: torch.Tensor,
        channels_last: bool,
        image_shape: tuple[int, int, int],
    ) -> None:
        """`activations`: (m, ...), channels behind where `channels_last`; `rows`: (n_train,), -1 where not kept."""
        self.tunes = tunes
        self._split, self._rows, self._activations = split, rows, activations
        self._channels_last, self._image_shape = channels_last, torch.Size(image_shape)

    @classmethod
    def of(cls, setting: Setting, tunes: str, ids: torch.Tensor, check: Callable[[], None]) -> _Front | None:
        """Pass `ids` (n,) through the front once; None where the network cannot be cut there or it would be too much.

        Chunks are the same whenever this is asked for the same samples, so a resumed run gets the same bits.
        """
        model = setting.model
        split = split_for(model, tunes)
        if split is None:
            return None
        with evaluating(model.module):
            if not split.holds(setting.train.batch(ids[:2]).images):
                return None
            activations, channels_last, done = None, False, 0
            for batch in setting.train.chunks(ids, chunk_size(setting.train)):
                with autocast(setting.device, setting.precision):
                    found = split.front(batch.images)
                channels_last = found.ndim == 4 and found.is_contiguous(memory_format=torch.channels_last)
                found = found.permute(0, 2, 3, 1) if channels_last else found
                if activations is None:
                    if found[0].nbytes * len(ids) > LARGEST_FRONT:
                        return None
                    activations = found.new_empty((len(ids), *found.shape[1:]))
                activations[done : done + len(batch)] = found
                done += len(batch)
                check()
        assert activations is not None
        rows = torch.full((len(setting.train),), -1, dtype=torch.int64)
        rows[ids] = torch.arange(len(ids))
        return cls(split, tunes, rows.to(setting.device), activations, channels_last, setting.input_shape)

    def outputs(self, batch: Batch) -> Output:
        """Return what the network says of a batch's samples, from their cached activations on."""
        found = self._activations.index_select(0, self._rows[batch.ids])
        if self._channels_last:
            # Truly so: maps of 1x1 count as both layouts, and on the wrong one the bfloat16 gradient of a convolution's
            # weight came out of memory that was never written.
            found = found.permute(0, 3, 1, 2)
        return self._split.tail(found, self._image_shape)

