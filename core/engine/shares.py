"""One batch on several processes: which rows each takes, and how the outputs of all become those of one network.

Every rank passes its own rows through the network; outputs are gathered, and every rank computes the loss of the whole
batch from them. Its gradient flows back into the rank's own rows, and gradients of weights are added up over the ranks:
so a loss gives the numbers of one process whatever it is made of (means, weights, contrasts, Gram matrices, ranks of
losses), and no method knows of ranks. What a network draws or normalises over a batch, it does over the whole one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode

from core import distributed


@dataclass(frozen=True)
class Share:
    """Which rows of a batch this process passes through the network.

    A batch of `total` rows holds `versions` of each image one after the other (1, or more with altered copies); all
    versions of an image are one rank's. Where there are fewer images than ranks each computes the batch as a whole.
    """

    total: int
    versions: int = 1

    @property
    def images(self) -> int:
        """Number of images, of which there may be several versions."""
        return self.total // self.versions

    @property
    def divided(self) -> bool:
        """Whether the batch is divided; always false in one process."""
        return 1 < distributed.world_size() <= self.images

    @property
    def own(self) -> slice:
        """The images of this rank."""
        return distributed.own_share(self.images) if self.divided else slice(0, self.images)

    def rows(self) -> torch.Tensor:
        """Return the rows of this rank, (m,) int64: version after version."""
        images = torch.arange(self.own.start, self.own.stop)
        return torch.cat([images + version * self.images for version in range(self.versions)])

    def gathered(self, parts: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Return outputs of the whole batch, (total, w) each, from those of the own rows; gradients flow to these."""
        if not self.divided:
            return list(parts)
        counts = [self.versions * count for count in distributed.shares(self.images)]
        together = _Gather.apply(torch.cat(list(parts), dim=1), counts)
        if self.versions > 1:
            together = together[self._places().to(together.device)]
        return list(together.split([part.shape[1] for part in parts], dim=1))

    def _places(self) -> torch.Tensor:
        """Return where each row of the batch stands among the rows that were gathered rank by rank, (total,) int64."""
        begin, order = 0, []
        for count in distributed.shares(self.images):
            images = torch.arange(begin, begin + count)
            order += [images + version * self.images for version in range(self.versions)]
            begin += count
        return torch.cat(order).argsort()


def add_up_gradients(parameters: Sequence[torch.nn.Parameter], share: Share) -> None:
    """Add up the gradients of all ranks, in place; where each has the whole batch's, all take the first rank's."""
    if distributed.world_size() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not share.divided and not distributed.is_first():
        for gradient in gradients:
            gradient.zero_()
    distributed.all_reduce(gradients)


class _Gather(torch.autograd.Function):
    """Gathers the rows of all ranks; the gradient of the own rows is the part that belongs to them.

    Every rank computes the same loss from what was gathered, so nothing needs to be exchanged on the way back.
    """

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, counts: list[int]) -> torch.Tensor:
        begin = sum(counts[: distributed.rank()])
        ctx.own = slice(begin, begin + len(rows))
        return distributed.all_gather(rows, counts)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradient[ctx.own], None


# -- networks that look at more than one image ---------------------------------------------------------------------


@contextmanager
def as_one_batch(share: Share) -> Iterator[None]:
    """Let a network work on the own images as if the whole batch passed through it: batch norm and dropout."""
    if not share.divided:
        yield
        return
    with _WholeBatch(share):
        yield


class _WholeBatch(TorchFunctionMode):
    """Answers for the functions in which images of a batch meet or draw one after the other."""

    def __init__(self, share: Share) -> None:
        super().__init__()
        self._share = share
        self._answers: dict[Any, Callable[..., Any]] = {
            F.batch_norm: self._batch_norm,
            torch.Tensor.bernoulli_: self._bernoulli,
            torch.rand: self._rand,
        }
        for drops in (F.dropout, F.dropout1d, F.dropout2d, F.dropout3d):
            self._answers[drops] = self._dropout_by(drops)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self._answers.get(func, func)(*args, **(kwargs or {}))

    def _batch_norm(
        self, x: torch.Tensor, running_mean: torch.Tensor | None, running_var: torch.Tensor | None,
        weight: torch.Tensor | None = None, bias: torch.Tensor | None = None, training: bool = False,
        momentum: float = 0.1, eps: float = 1e-5,
    ) -> torch.Tensor:  # fmt: skip
        """Normalise by the statistics of the whole batch."""
        if not training:
            return F.batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps)
        return synchronised_batch_norm(x, running_mean, running_var, weight, bias, momentum, eps)

    def _dropout_by(self, drops: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        """Return what draws for the whole batch and drops what falls on the own images."""

        def dropout(x: torch.Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> torch.Tensor:
            whole = self._whole(x.shape)
            if not training or whole is None:
                return drops(x, p, training, inplace)
            shape, own = whole
            ones = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=_order_of(x)).fill_(1)
            factors = drops(ones, p, True)[own.to(x.device)]
            return x.mul_(factors) if inplace else x * factors

        return dropout

    def _bernoulli(self, x: torch.Tensor, *args: Any, **options: Any) -> torch.Tensor:
        whole = self._whole(x.shape)
        if whole is None or (args and isinstance(args[0], torch.Tensor)):
            return x.bernoulli_(*args, **options)
        return x.copy_(x.new_empty(whole[0]).bernoulli_(*args, **options)[whole[1].to(x.device)])

    def _rand(self, *size: Any, **options: Any) -> torch.Tensor:
        shape = torch.Size(size[0] if size and not isinstance(size[0], int) else size)
        whole = self._whole(shape)
        if whole is None:
            return torch.rand(*size, **options)
        drawn = torch.rand(whole[0], **options)
        return drawn[whole[1].to(drawn.device)]

    def _whole(self, shape: torch.Size) -> tuple[list[int], torch.Tensor] | None:
        """Return the shape that a tensor with a row, or several, for each own row has for the whole batch, and which
        rows of that are the own; None for another tensor.
        """  # noqa: D205
        rows = self._share.rows()
        each, rest = divmod(shape[0], len(rows)) if len(shape) else (0, 1)
        if rest or not each:
            return None
        own = (each * rows[:, None] + torch.arange(each)).flatten()
        return [each * self._share.total, *shape[1:]], own


def _order_of(x: torch.Tensor) -> torch.memory_format:
    """Return the order in which a tensor lies in memory, in which draws are made for it."""
    last = x.ndim == 4 and not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


def synchronised_batch_norm(
    x: torch.Tensor, running_mean: torch.Tensor | None, running_var: torch.Tensor | None,
    weight: torch.Tensor | None, bias: torch.Tensor | None, momentum: float, eps: float,
) -> torch.Tensor:  # fmt: skip
    """Return `F.batch_norm` in train mode of the rows that all ranks hold together: the own ones of it.

    x: (m, C, …); m may differ from rank to rank. On GPUs torch's own; that one refuses processors.
    """
    if x.is_cuda:
        import torch.distributed as dist
        from torch.nn.modules._functions import SyncBatchNorm

        group, size = dist.group.WORLD, distributed.world_size()
        normalised: torch.Tensor = SyncBatchNorm.apply(
            x, weight, bias, running_mean, running_var, eps, momentum, group, size
        )
        return normalised
    kept = torch.promote_types(x.dtype, torch.float32)  # of statistics, as torch keeps them
    scale = x.new_ones(x.shape[1], dtype=kept) if weight is None else weight
    shift = torch.zeros_like(scale) if bias is None else bias
    result: torch.Tensor = _BatchNorm.apply(x, scale, shift, running_mean, running_var, momentum, eps)
    return result


class _BatchNorm(torch.autograd.Function):
    """Batch norm over the rows of all ranks, on processors.

    Means and sums of squared deviations of each rank are brought together in float64 (Chan's formula), so that it does
    not matter how large a mean is. The passes over x are torch's own, those of batch norm in eval mode.
    """

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, running_mean: torch.Tensor | None,
        running_var: torch.Tensor | None, momentum: float, eps: float,
    ) -> torch.Tensor:  # fmt: skip
        channels = x.shape[1]
        own_mean, own_var = torch.batch_norm_update_stats(x.to(weight.dtype), None, None, 0.0)
        own = torch.cat([own_mean, own_var, own_mean.new_tensor([x.numel() // channels])]).double()[None]
        every = distributed.all_gather(own, [1] * distributed.world_size())
        means, variances, counts = every[:, :channels], every[:, channels:-1], every[:, -1:]
        total = float(counts.sum())
        if total == 1:
            raise ValueError("Expected more than 1 value per channel when training")
        mean = (means * counts).sum(dim=0) / total
        squares = ((variances + (means - mean).square()) * counts).sum(dim=0)
        for running, seen in ((running_mean, mean), (running_var, squares / (total - 1))):
            if running is not None:
                running.copy_(torch.lerp(running.double(), seen, momentum))
        mean, var = mean.to(weight.dtype), (squares / total).to(weight.dtype)
        ctx.save_for_backward(x, weight, mean, var)
        ctx.total, ctx.eps = total, eps
        return torch.batch_norm(x, weight, bias, mean, var, False, 0.0, eps, False)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, weight, mean, var = ctx.saved_tensors
        own = torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, mean, var, None, None, False, ctx.eps, [True, True, True]
        )
        to_x, to_weight, to_bias = own
        summed = torch.cat([to_weight, to_bias])
        distributed.all_reduce([summed])
        of_weight, of_bias = (part / ctx.total for part in summed.chunk(2))
        # to_x is what a mean and a variance that do not move would give; they move with every row.
        deviation = (var + ctx.eps).rsqrt()
        slope = weight * deviation.square() * of_weight
        level = weight * deviation * of_bias - slope * mean
        shape = [1, -1] + [1] * (x.ndim - 2)
        to_x.addcmul_(x, slope.view(shape), value=-1).sub_(level.view(shape))  # in place: new memory costs more
        return to_x, to_weight, to_bias, None, None, None, None
