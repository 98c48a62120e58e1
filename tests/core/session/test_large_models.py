"""Networks of people's own training, written by plain torch: opened, recognised, one step, given back key for key."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision import models

from core.data.batches import NO_AUGMENTATION
from core.data.splits import Splits
from core.engine.control import Control
from core.engine.engine import Engine
from core.engine.experiment import Experiment
from core.engine.monitor import Unwatched
from core.errors import UnsafeFileError
from core.events import State
from core.methods import get_method
from core.models.architectures import ModelSpec, build_model
from core.models.formats import write_same
from core.models.trust import Trust
from core.parameters import resolve
from core.selection import Selection
from core.session.bench import Bench, DataOptions
from core.session.jobs import create_run, make_unlearn_job
from core.session.running import run

ONE_STEP = {
    "reconstruction": ("muda", "reconstruction", {"rounds": 1, "min_steps": 1, "forget_epochs": 0.1, "batch": 9}),
    "default": ("muda", "default", {"rounds": 1, "min_steps": 1, "relearn_min_steps": 1, "batch": 9}),
    "finetune": ("finetune", "", {"epochs": 1, "batch": 9, "min_steps": 0}),
}
IMAGES, CLASSES = 12, 4


@pytest.fixture(scope="module")
def noise(tmp_path_factory) -> Path:
    """A dozen noise images of four classes."""
    path = tmp_path_factory.mktemp("noise") / "noise.npz"
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(IMAGES) % CLASSES
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "presets"),
    [
        ("mobilenet_v3_small", ("reconstruction", "default", "finetune")),
        ("efficientnet_b0", ("default",)),
        ("convnext_tiny", ("reconstruction",)),
        ("resnet50", ("finetune",)),
    ],
)
def test_one_step_on_weights_of_plain_torch(tmp_path, noise, architecture, presets):
    torch.manual_seed(0)
    weights = models.get_model(architecture, num_classes=CLASSES).state_dict()
    torch.save({"state_dict": weights, "epoch": 3}, tmp_path / "in.pth")
    stated = tmp_path / "preprocess.json"
    stated.write_text('{"size": 32, "mean": 0.5, "std": 0.5}')
    bench = Bench().open(tmp_path / "in.pth", str(noise), DataOptions(preprocess_file=str(stated)))
    assert (bench.model.spec.architecture, bench.model.spec.num_classes) == (architecture, CLASSES)
    for name in presets:
        module = stepped(bench, *ONE_STEP[name])
        write_same(tmp_path / "out.pth", module.state_dict(), bench.model.form)
        given = torch.load(tmp_path / "out.pth", weights_only=True)
        assert given["epoch"] == 3
        assert list(given["state_dict"]) == list(weights)
        changed = [key for key, value in given["state_dict"].items() if not torch.equal(value, weights[key])]
        if name == "default":  # the end of the network alone
            assert 0 < len(changed) < len(weights) / 4
            assert set(changed) <= set(list(weights)[-len(weights) // 3 :])
        else:
            assert len(changed) > len(weights) / 2


CODE = """
from torchvision.models import VisionTransformer

def tiny(num_classes):
    return VisionTransformer(
        image_size=32, patch_size=8, num_layers=4, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=num_classes
    )
"""


def test_a_transformer_of_the_users_own_code_goes_all_the_way(tmp_path, noise):
    (tmp_path / "net.py").write_text(CODE)
    arch = f"{tmp_path / 'net.py'}:tiny"
    spec = ModelSpec(arch, CLASSES, 3, (32, 32), user_code=arch)
    weights = build_model(spec, trust_code=True).state_dict()
    torch.save({"model": weights}, tmp_path / "in.pt")
    with pytest.raises(UnsafeFileError, match="--trust-code"):
        Bench().open(tmp_path / "in.pt", str(noise), arch=arch)
    bench = Bench(trust=Trust(code=True)).open(tmp_path / "in.pt", str(noise), arch=arch)
    selection = Selection.empty(bench.dataset.train.labels.numpy(), bench.dataset.classes).with_classes([1])
    machine = {"device": "cpu", "precision": "float32", "threads": 1}
    settings = {"rounds": 1, "min_steps": 1, "relearn_min_steps": 1, "batch": 9}
    job = make_unlearn_job(bench.on(**machine), selection, "muda", settings=settings)
    assert job.model.user_code == arch
    folder = create_run(tmp_path / "run", job, selection, bench.dataset)
    # Opened anew from the job: the code, and what was trusted, come with it.
    assert run(folder, Control(), lambda event: None, Bench(trust=Trust(code=True))) is State.FINISHED
    given = torch.load(folder.file("model.pt"), weights_only=True)["model"]
    assert list(given) == list(weights)
    changed = {key for key in weights if not torch.equal(given[key], weights[key])}
    # Of four layers: three fifths of the blocks, with the head.
    layers = tuple(f"encoder.layers.encoder_layer_{number}" for number in (1, 2, 3))
    parts = (*layers, "encoder.ln", "heads.head")
    assert all(any(key.startswith(part) for key in changed) for part in parts)
    assert all(key.startswith(parts) for key in changed)


def test_auxiliary_heads_are_carried_along_as_they_came_in(tmp_path, noise):
    torch.manual_seed(0)
    network = models.googlenet(weights=None, num_classes=CLASSES, init_weights=False, aux_logits=True)
    weights = network.state_dict()
    torch.save(weights, tmp_path / "in.pth")
    bench = Bench().open(tmp_path / "in.pth", str(noise))
    assert bench.model.spec.architecture == "googlenet"
    after = stepped(bench, *ONE_STEP["finetune"]).state_dict()  # with weight decay
    assert list(after) == list(weights)
    changed = {key for key in weights if not torch.equal(after[key], weights[key])}
    assert "fc.weight" in changed and not {key for key in changed if key.startswith("aux")}


def stepped(bench, method_id, preset, settings):
    """Take a method's one or two steps on all but class 1, without the measures of a run."""
    method, cpu = get_method(method_id), torch.device("cpu")
    forget = bench.dataset.train.labels == 1
    bench = bench.on("cpu")
    train, test = bench.images(forget)
    setting = Experiment(
        run_id="", method=method, values=resolve(method.parameters, method.preset(preset).values, settings), seed=0,
        model=bench.network(bench.model), splits=Splits.of(bench.dataset, forget), train=train, test=test,
        class_names=bench.dataset.classes, device=cpu, precision="float32", augmentation=NO_AUGMENTATION,
    )  # fmt: skip
    engine = Engine(setting, Control(), Unwatched())
    assert not [event for event in engine.run() if event.type == "run_failed"]
    assert engine.outcome is State.FINISHED
    return setting.model.module
