"""The same run on a GPU: close to the CPU's, without a synchronisation per step, resumable."""

from __future__ import annotations

import pytest
import torch

from core.data.batches import ImageStore
from core.devices import choose_device, choose_precision
from core.engine.experiment import Experiment
from core.events import State
from core.models.tap import TappedModel
from tests.core.toy import CLASSES, DATA, SIDE, ToyNet, make_engine, make_experiment, run_to_end

GPU = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else ""
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not GPU, reason="this machine has no CUDA or MPS device")]


def on_gpu(method: str, **values) -> Experiment:
    """The toy setting of the CPU tests, moved to the GPU."""
    cpu = make_experiment(method, ToyNet(dropout=0.0), **values)
    device = choose_device(GPU)
    module = cpu.model.module.to(device)
    return Experiment(
        run_id="gpu",
        method=cpu.method,
        values=cpu.values,
        seed=cpu.seed,
        model=TappedModel(module, CLASSES, input_shape=(1, SIDE, SIDE)),
        splits=cpu.splits,
        train=ImageStore(DATA.train, DATA.preprocessing, device, cpu.train.forget.cpu()),
        test=ImageStore(DATA.test, DATA.preprocessing, device),
        class_names=cpu.class_names,
        device=device,
    )


@pytest.mark.parametrize("method", ["muda", "finetune"])
def test_a_run_on_the_gpu_is_close_to_the_same_run_on_the_cpu(method):
    torch.manual_seed(0)
    gpu = on_gpu(method, batch=16)
    engine = make_engine(gpu)
    run_to_end(engine)
    assert engine.outcome is State.FINISHED
    torch.manual_seed(0)
    cpu = make_experiment(method, ToyNet(dropout=0.0), batch=16)
    run_to_end(make_engine(cpu))
    for name, value in cpu.model.module.state_dict().items():
        assert torch.allclose(value, gpu.model.module.state_dict()[name].cpu(), atol=5e-3), name


@pytest.mark.skipif(GPU != "cuda", reason="only CUDA can report synchronisations")
def test_a_step_does_not_wait_for_the_device():
    engine = make_engine(on_gpu("finetune", batch=16, epochs=5))
    engine.advance()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            engine.advance()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_auto_takes_the_gpu_and_a_precision_it_has():
    device = choose_device("auto")
    assert device.type == GPU
    assert choose_precision("auto", device, convolutional=True) in ("float32", "bfloat16")
