"""The device, precision and number of threads a run computes with, and the memory it uses."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import distributed
from core.errors import InputError, OutOfMemoryError, UsageError

if TYPE_CHECKING:
    import torch

PRECISIONS = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class DeviceInfo:
    """A device to compute on."""

    id: str
    title: str


def list_devices() -> list[DeviceInfo]:
    """Return the usable devices, the one that `auto` chooses first."""
    import torch

    devices = [
        DeviceInfo(f"cuda:{index}", torch.cuda.get_device_name(index)) for index in range(torch.cuda.device_count())
    ]
    if torch.backends.mps.is_available():
        devices.append(DeviceInfo("mps", "Apple GPU"))
    devices.append(DeviceInfo("cpu", f"Processor, {physical_cores()} cores"))
    return devices


def choose_device(name: str = "auto") -> torch.device:
    """Return the torch device for `auto` (CUDA, then MPS, then CPU), `cpu`, `cuda`, `cuda:1` or `mps`.

    Of several processes that share a run each takes a GPU of its own, whatever number is given. Raises UsageError for
    a name torch does not know, InputError for a device this machine lacks.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"There is no device called {name!r}", "Use auto, cpu, cuda:0 or mps") from error
    if device.type == "cuda":
        count = torch.cuda.device_count()
        if count == 0:
            raise InputError("This machine has no usable CUDA device", "Use --device auto or cpu")
        if distributed.world_size() > 1:
            if distributed.local_size() > count:
                raise InputError(
                    f"{distributed.local_size()} processes were started on a machine with {count} CUDA "
                    f"device{'s' if count != 1 else ''}",
                    "Start one for each (--nproc-per-node), or use --device cpu",
                )
            return torch.device("cuda", distributed.local_rank())
        if (device.index or 0) >= count:
            raise InputError(
                f"There is no device {name}: this machine has {count} CUDA device{'s' if count != 1 else ''}",
                f"Use --device cuda:0{f' to cuda:{count - 1}' if count > 1 else ''}, auto or cpu",
            )
        return torch.device("cuda", device.index or 0)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise InputError("This machine has no usable Apple GPU", "Use --device auto or cpu")
    if device.type == "mps" and distributed.world_size() > 1:
        raise UsageError("Several processes cannot share a run on an Apple GPU", "Start one, or use --device cpu")
    if device.type not in ("cpu", "mps"):
        raise UsageError(f"Device {name!r} is not supported", "Use auto, cpu, cuda:0 or mps")
    return device


def unused_gpu(device: torch.device) -> str | None:
    """Return the name of a GPU that is idle while a run computes on the processor; None where there is none."""
    import torch

    if device.type != "cpu":
        return None
    if torch.cuda.is_available():
        return torch.cuda.get_device_name(0)
    return "the Apple GPU" if torch.backends.mps.is_available() else None


def choose_precision(name: str, device: torch.device, *, convolutional: bool) -> str:
    """Return "float32", "bfloat16" or "float16" for the forward and backward pass; master weights stay float32.

    `auto` chooses bfloat16 where it is faster: on CUDA devices that have it, and on processors with bfloat16
    instructions for convolutional networks (benchmarks/speed.py). float16 is for CUDA devices only. Raises UsageError.
    """
    import torch

    if name not in PRECISIONS:
        raise UsageError(f"Precision must be one of {', '.join(PRECISIONS)}, got {name!r}")
    if name == "float16" and device.type != "cuda":
        raise UsageError(f"float16 needs a CUDA device; this run computes on {device.type}", "Use bfloat16 or auto")
    if name != "auto":
        return name
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    if device.type == "cpu" and convolutional and _processor_has_bfloat16():
        return "bfloat16"
    return "float32"


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[Any]:
    """Return the context of one forward pass in this precision; it does nothing in float32."""
    import torch

    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=getattr(torch, precision))


def physical_cores() -> int:
    """Return the number of cores this process may use; on Linux hyper-threads of a core count as one."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    cores = set()
    for cpu in os.sched_getaffinity(0):
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        try:
            cores.add(siblings.read_text())
        except OSError:
            cores.add(str(cpu))
    return max(1, len(cores))


def default_threads() -> int:
    """Return all cores but one, left to the window: two threads on two busy cores made an epoch 15 times slower."""
    return max(1, physical_cores() - 1)


def set_threads(count: int) -> int:
    """Set and return the number of torch's threads; 0 chooses it. Call it in the worker, before its first operation.

    Of several processes that share a run on this machine each takes its share of the cores at most.
    """
    import torch

    count = count or default_threads()
    if distributed.world_size() > 1:
        count = min(count, max(1, physical_cores() // distributed.local_size()))
    torch.set_num_threads(count)
    return count


def side_by_side(device: torch.device) -> int:
    """Return how many computations have a core each, with as many threads as torch uses; on a GPU one."""
    import torch

    return 1 if device.type != "cpu" else max(1, physical_cores() // torch.get_num_threads())


def memory_used(device: torch.device) -> int:
    """Return the bytes in use: allocated memory of a GPU, resident set of the process on a CPU."""
    import torch

    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    if device.type == "mps":
        return torch.mps.current_allocated_memory()
    try:
        with open("/proc/self/statm") as file:  # noqa: PTH123  (a pseudo file)
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def free_memory(device: torch.device) -> None:
    """Give cached memory back to the device. Call it after the `except` block, whose traceback keeps tensors alive."""
    import gc

    import torch

    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def out_of_memory_error(batch: int) -> OutOfMemoryError:
    """Return the error of a run that is out of memory; it offers half the batch."""
    return OutOfMemoryError(
        f"Out of memory at batch {batch}", f"Try again with --set batch={max(1, batch // 2)}, or close other programs"
    )


def _processor_has_bfloat16() -> bool:
    """Whether this processor has instructions for bfloat16, as far as torch can tell."""
    import torch

    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)
