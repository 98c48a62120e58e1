"""The processes that share one run: how many there are, which one this is, and every exchange between them.

`torchrun --nproc-per-node N` starts N of them (ranks 0 to N - 1) with the same command; `joined` brings them together,
by gloo for tensors on processors and by nccl for those on GPUs. From then on each takes the same steps: whoever calls a
function that exchanges does so on every rank, in the same order. The first rank decides whatever depends on a clock, a
user or a disk, and is the only one that writes and prints.

In the usual single process every function here returns what it was given, or does nothing, and torch.distributed is not
imported. `alone` makes it so for a rank while it works by itself, as the first does on a result.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from core.errors import InputError, ProcessEndedError, is_out_of_memory

if TYPE_CHECKING:
    import torch

T = TypeVar("T")

SPEAKING_SECONDS = 2.0  # that others wait for the first rank to say why all end, before they end themselves
_FAILED, _TOLD = "unlearn-studio/failed", "unlearn-studio/told"  # keys of the store that torchrun keeps

_rank, _world_size = 0, 1
_lost = False  # one of the others is gone: nothing can be exchanged any more
_speaks = True


def launched() -> bool:
    """Tell whether a launcher like torchrun started this process as one of several."""
    return _number("WORLD_SIZE", 1) > 1 and "RANK" in os.environ


def launched_rank() -> int:
    """Return which of the processes this is, 0 where it is the only one; known before they are joined."""
    return _number("RANK", 0) if launched() else 0


def local_rank() -> int:
    """Return which of the joined processes on this machine this is, from 0; the number of its GPU."""
    return _number("LOCAL_RANK", _rank) if _world_size > 1 else 0


def local_size() -> int:
    """Return how many of the launched processes share this machine."""
    return max(1, _number("LOCAL_WORLD_SIZE", _number("WORLD_SIZE", 1))) if launched() else 1


def world_size() -> int:
    """Return how many processes share the run."""
    return _world_size


def rank() -> int:
    """Return which of them this is, from 0."""
    return _rank


def is_first() -> bool:
    """Tell whether this process is the one that writes, prints and decides."""
    return _rank == 0


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """Bring the launched processes together for a while; does nothing where there is only this one.

    They leave together, unless one of them fails. Raises InputError where they do not find each other.
    """
    global _rank, _world_size, _lost, _speaks
    if not launched():
        yield
        return
    import torch
    import torch.distributed as dist

    # Its default arguments would hold the group for good if torch imported it later, and gloo's threads with it: they
    # end the process with an abort where they meet an interpreter that is leaving.
    import torch.distributed.nn.functional

    if _number("LOCAL_RANK", 0) < torch.cuda.device_count():
        torch.cuda.set_device(_number("LOCAL_RANK", 0))
    try:
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    except (RuntimeError, ValueError, OSError) as error:
        raise InputError(
            f"The {_number('WORLD_SIZE', 1)} processes did not find each other: {_reason(error)}",
            "Start them with torchrun, and look at its address and port",
        ) from error
    _rank, _world_size, _lost = dist.get_rank(), dist.get_world_size(), False
    _speaks = _rank == 0
    try:
        yield
        with contextlib.suppress(ProcessEndedError):  # the first rank ended its own way
            barrier()
    except Exception as error:
        _take_leave(error)
        raise
    finally:
        _rank, _world_size = 0, 1
        if not (_lost and torch.cuda.is_available()):  # nccl would wait for the one that is gone
            dist.destroy_process_group()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let this rank work by itself: until this ends, it exchanges nothing and all work is its own."""
    global _world_size
    before, _world_size = _world_size, 1
    try:
        yield
    finally:
        _world_size = before


# -- what one rank tells all --------------------------------------------------------------------------------------


def first_says(ask: Callable[[], T]) -> T:
    """Return on every rank what `ask` gives on the first; the others do not call it."""
    if _world_size == 1:
        return ask()
    import torch
    import torch.distributed as dist

    told: list[Any] = [ask() if _rank == 0 else None]
    with _exchanging():
        dist.broadcast_object_list(told, device=torch.device("cpu"))
    answer: T = told[0]
    return answer


def agreed(*flags: bool) -> tuple[bool, ...]:
    """Return the first rank's flags on every rank: `first_says` for what is asked in every step."""
    if _world_size == 1:
        return flags
    import torch
    import torch.distributed as dist

    told = torch.tensor(flags, dtype=torch.uint8)
    with _exchanging():
        dist.broadcast(told, 0)
    return tuple(bool(flag) for flag in told.tolist())


def broadcast(tensor: torch.Tensor, source: int = 0) -> None:
    """Replace a tensor's content by what it is on one rank; on all of them it has the same shape, type and device."""
    if _world_size == 1 or not tensor.numel():
        return
    import torch.distributed as dist

    whole = tensor.contiguous()
    with _exchanging():
        dist.broadcast(_bytes(whole), source)
    if whole is not tensor:
        tensor.copy_(whole)


def barrier() -> None:
    """Wait until every rank has come so far."""
    if _world_size > 1:
        import torch

        all_reduce([torch.zeros(1)])


# -- what all ranks bring together -----------------------------------------------------------------------------------


def all_reduce(tensors: Sequence[torch.Tensor]) -> None:
    """Replace each tensor by its sum over the ranks, in one exchange; they are of one type and device."""
    if _world_size == 1 or not tensors:
        return
    import torch
    import torch.distributed as dist

    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    with _exchanging():
        dist.all_reduce(flat)
    for tensor, total in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(total.view_as(tensor))


def all_gather(rows: torch.Tensor, counts: Sequence[int]) -> torch.Tensor:
    """Return the rows of all ranks, (n, …), in the order of ranks; rank r brings `counts[r]` of them. No gradient."""
    if _world_size == 1:
        return rows
    import torch
    import torch.distributed as dist

    most = max(counts)
    own = rows.new_zeros((most, *rows.shape[1:]))
    own[: len(rows)] = rows.detach()
    everyone = rows.new_empty((_world_size, most, *rows.shape[1:]))
    if own.numel():
        with _exchanging():
            dist.all_gather([_bytes(part) for part in everyone], _bytes(own))
    return torch.cat([part[:count] for part, count in zip(everyone, counts, strict=True)])


def shares(total: int) -> list[int]:
    """Return how many of `total` rows each rank takes: even shares, the first ranks one more where they are uneven."""
    whole, rest = divmod(total, _world_size)
    return [whole + (number < rest) for number in range(_world_size)]


def own_share(total: int) -> slice:
    """Return which of `total` rows this rank takes."""
    counts = shares(total)
    begin = sum(counts[:_rank])
    return slice(begin, begin + counts[_rank])


def require_same(what: dict[str, Any]) -> None:
    """Raise InputError naming what is another on this rank than on the first; values are compared by their text."""
    own = {name: str(value) for name, value in what.items()}
    first = first_says(lambda: own)
    different = [name for name in own if own[name] != first[name]]
    if different:
        raise InputError(
            f"Process {_rank} of {_world_size} has another {' and another '.join(different)} than the first",
            "Start all processes with the same command, program, files and kind of device",
        )


# -- when one of them is gone ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _exchanging() -> Iterator[None]:
    """Turn what torch says of a lost connection into a ProcessEndedError; from then on this process is alone."""
    global _world_size, _lost
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        size, _world_size, _lost = _world_size, 1, True
        raise ProcessEndedError(
            f"One of the {size} processes of this run ended, so the others end, too{_why_failed()}",
            "`resume` goes on from the last checkpoint, with any number of processes",
        ) from error


def speaks() -> bool:
    """Tell whether this process says an error: the first one does, and others where that one is gone without a word."""
    return _speaks


def _take_leave(error: Exception) -> None:
    """Settle who says why the run ends: the first rank, once for all.

    Another one that fails leaves its reason for the first, and goes after it: torchrun ends all once one has ended.
    """
    global _speaks
    store = _store()
    with contextlib.suppress(RuntimeError):
        if _rank == 0:
            store.set(_TOLD, "")
            return
        if not isinstance(error, ProcessEndedError):
            store.set(_FAILED, f"process {_rank} failed: {_reason(error)}")
    try:
        store.wait([_TOLD], timedelta(seconds=SPEAKING_SECONDS))
    except RuntimeError:
        _speaks = isinstance(error, ProcessEndedError)


def _why_failed() -> str:
    """Return what a rank has left in the store on its failure, as an end to a sentence; empty where it just died."""
    store = _store()
    with contextlib.suppress(RuntimeError):
        if store.check([_FAILED]):
            return f" ({store.get(_FAILED).decode()})"
    return ""


def _store() -> Any:
    """Return the store by which the processes found each other; torchrun keeps it, whichever of them ends."""
    import torch.distributed as dist

    return dist.distributed_c10d._get_default_store()


def _bytes(tensor: torch.Tensor) -> torch.Tensor:
    """Return a contiguous tensor's memory as bytes, which every backend moves whatever the type."""
    import torch

    return tensor.view(-1).view(torch.uint8)


def _reason(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:300] or type(error).__name__


def _number(name: str, default: int) -> int:
    """Return a whole number that the launcher left in the environment."""
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else default
