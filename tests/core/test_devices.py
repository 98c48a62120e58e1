"""Devices, precision and threads: what `auto` takes, and what is refused with which words."""

from __future__ import annotations

import pytest
import torch

from core.devices import (
    choose_device,
    choose_precision,
    default_threads,
    list_devices,
    memory_used,
    out_of_memory_error,
    physical_cores,
    unused_gpu,
)
from core.errors import InputError, UsageError

CPU = torch.device("cpu")


def test_auto_takes_cuda_then_mps_then_the_processor(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto") == CPU
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto").type == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("auto") == torch.device("cuda", 0)
    assert choose_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(InputError, match="has 2 CUDA device"):
        choose_device("cuda:2")


@pytest.mark.parametrize("name", ["tpu9", "cuda:x", "meta", ""])
def test_a_name_that_is_no_device_is_a_usage_error(name):
    with pytest.raises(UsageError):
        choose_device(name)


def test_a_missing_gpu_is_said(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for name in ("cuda", "cuda:0", "mps"):
        with pytest.raises(InputError, match="no usable"):
            choose_device(name)


def test_an_idle_gpu_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "Card 9")
    assert unused_gpu(CPU) == "Card 9"
    assert unused_gpu(torch.device("cuda", 0)) is None


def test_precision_follows_the_device():
    assert choose_precision("float32", CPU, convolutional=True) == "float32"
    assert choose_precision("auto", CPU, convolutional=False) == "float32"
    assert choose_precision("bfloat16", CPU, convolutional=False) == "bfloat16"
    with pytest.raises(UsageError, match="float16 needs a CUDA device"):
        choose_precision("float16", CPU, convolutional=True)
    with pytest.raises(UsageError, match="one of auto"):
        choose_precision("double", CPU, convolutional=True)


def test_one_core_is_left_to_the_window():
    assert 1 <= default_threads() <= max(1, physical_cores() - 1)
    assert any(device.id == "cpu" for device in list_devices())
    assert memory_used(CPU) > 10**7


def test_out_of_memory_offers_half_the_batch():
    assert "--set batch=64" in out_of_memory_error(128).text
