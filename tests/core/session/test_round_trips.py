"""Accuracies of the report are those of a plain torch loop on the file that came in and on the exported one."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn
from torchvision import datasets
from torchvision import transforms as T

from core.data.splits import evaluation_half
from core.engine.control import Control
from core.events import State
from core.models.trust import Trust
from core.selection import Selection
from core.session.bench import Bench, DataOptions
from core.session.exporting import export
from core.session.jobs import create_run, make_unlearn_job
from core.session.proof import proven
from core.session.running import run
from tests.core.session import owners

pytestmark = pytest.mark.slow  # so that this file is begun early: one process alone is at it for long

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
HALVES = {"mean": [0.5] * 3, "std": [0.5] * 3}
PLAIN = {"mean": [0.0] * 3, "std": [1.0] * 3}
TRUSTING = Trust(pickle=True, code=True)
SHORT = {
    "finetune": {"epochs": 1, "min_steps": 2, "lr": 0.02},
    "random-labels": {"epochs": 1, "max_steps": 2, "lr": 0.01},
    "gradient-ascent": {"max_steps": 2, "batch": 20, "lr": 0.2},
    "muda": {"rounds": 1, "min_steps": 2, "relearn_min_steps": 2, "forget_epochs": 0.5, "recover_share": 0.5},
}
KEYS = {
    "train": ("retain_accuracy", "forget_accuracy"),
    "test": ("retain_test_accuracy", "forget_test_accuracy"),  # on the half that numbers are taken on
}

OWN = """
from torch import nn

class Own(nn.Module):
    def __init__(self, num_classes=4):
        super().__init__()
        self.fc = nn.Linear(96, num_classes)
        self.body = nn.Sequential(
            nn.Conv2d(3, 24, 5, 2), nn.BatchNorm2d(24), nn.Mish(),
            nn.Conv2d(24, 24, 3, 2), nn.BatchNorm2d(24), nn.ELU(),
            nn.AdaptiveAvgPool2d(2),
        )

    def forward(self, x):
        return self.fc(self.body(x).flatten(1))

def net(num_classes):
    return Own(num_classes)
"""


def prepared(*steps: Any, mean: list[float], std: list[float]) -> T.Compose:
    return T.Compose([*steps, T.ToTensor(), T.Normalize(mean, std)])


# --- what the owners keep: how they write their network, and how they load such a file again ------------------------


def state_dict(module, path):
    torch.save(module.state_dict(), path)


def from_state_dict(module, path):
    module.load_state_dict(torch.load(path, weights_only=True))
    return module


def half(module, path):
    torch.save({"model": module.half().state_dict(), "epoch": 3}, path)
    module.float()


def from_half(module, path):
    module.load_state_dict(torch.load(path, weights_only=True)["model"])
    return module


def safetensors(module, path):
    save_file(module.state_dict(), path)


def from_safetensors(module, path):
    module.load_state_dict(load_file(path))
    return module


def lightning(module, path):
    weights = {f"net.{key}": value for key, value in module.state_dict().items()}
    content = {"epoch": 2, "pytorch-lightning_version": "2.5.0", "hyper_parameters": {"lr": 0.1}}
    torch.save({**content, "state_dict": {**weights, "criterion.weight": torch.ones(owners.CLASSES)}}, path)


def from_lightning(module, path):
    wrapper = nn.Module()
    wrapper.net, wrapper.criterion = module, nn.CrossEntropyLoss(torch.ones(owners.CLASSES))
    wrapper.load_state_dict(torch.load(path, weights_only=True)["state_dict"])
    return module


def averaged(module, path):
    other = {key: torch.zeros_like(value) for key, value in module.state_dict().items()}
    torch.save({"model": other, "ema": module.state_dict()}, path)


def from_averaged(module, path):
    module.load_state_dict(torch.load(path, weights_only=True)["ema"])
    return module


def whole(module, path):
    torch.save(module, path)


def from_whole(module, path):
    return torch.load(path, weights_only=False)


def hub(module, path):
    config = {
        "architectures": ["ViTForImageClassification"], "model_type": "vit", "hidden_act": "gelu", "image_size": 32,
        "hidden_size": module.WIDTH, "intermediate_size": module.INNER, "num_hidden_layers": module.LAYERS,
        "num_attention_heads": module.HEADS, "patch_size": module.PATCH, "num_channels": 3, "layer_norm_eps": 1e-12,
        "qkv_bias": True, "id2label": {str(number): f"stripes {number}" for number in range(owners.CLASSES)},
    }  # fmt: skip
    path.with_name("config.json").write_text(json.dumps(config))
    save_file(module.state_dict(), path, metadata={"format": "pt"})


def with_head(module: nn.Module, **heads: nn.Module) -> nn.Module:
    for name, head in heads.items():
        module.set_submodule(name, head)
    return module


def dropout_head() -> nn.Module:
    head = nn.Sequential(nn.Dropout(0.4), nn.Linear(512, 48), nn.ReLU(), nn.Dropout(0.2), nn.Linear(48, owners.CLASSES))
    return with_head(owners.resnet(), fc=head)


def own() -> nn.Module:
    return importlib.import_module("stripes_of_own").Own()


def small() -> nn.Module:
    return owners.SmallCNN(3, 16)


def torchvisions(name: str, **settings: Any) -> Callable[[], nn.Module]:
    return lambda: torchvision.models.get_model(name, num_classes=owners.CLASSES, **settings)


# --- the combinations -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A network as its owner builds it, how its images are prepared, its file, and what is stated to the program.

    stated: content of the --preprocess file, None where nothing is stated; beside: content of preprocessor_config.json.
    """

    build: Callable[[], nn.Module]
    data: str
    prepare: T.Compose
    stated: Any = None
    method: str = "finetune"
    head: str = "fc"
    name: str = "net.pth"
    write: Callable[[nn.Module, Path], None] = state_dict
    load: Callable[[nn.Module, Path], nn.Module] = from_state_dict
    beside: Any = None
    arch: str | None = None
    key: str | None = None
    steps: int = 150


EXACT = prepared(T.Resize((20, 20)), **IMAGENET)
CROPPED = prepared(T.Resize(24), T.CenterCrop(20), **HALVES)
CUBIC = prepared(T.Resize(24, T.InterpolationMode.BICUBIC), T.CenterCrop(20), **IMAGENET)
GREY = prepared(T.Grayscale(1), T.Resize((24, 24)), mean=[0.5], std=[0.25])
PADDED = prepared(T.CenterCrop(80), T.Pad(8), T.Resize((24, 24)), **PLAIN)
JAGGED = T.Compose([
    T.PILToTensor(), T.Resize((20, 20), antialias=False), T.ConvertImageDtype(torch.float32), T.Normalize(**HALVES)
])  # fmt: skip
CROPPED_LIST = [{"Resize": 24}, {"CenterCrop": 20}, {"Normalize": HALVES}]
HF = {"do_resize": True, "do_rescale": True, "do_normalize": True, "rescale_factor": 1 / 255, "resample": 2}
HF |= {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}}

CASES = {
    "stem 3, stride 2, safetensors, plain values": Case(
        lambda: owners.resnet(3, 2), "tiny", prepared(**PLAIN), {"resize": None, "range": "0..1", **PLAIN},
        "random-labels", name="net.safetensors", write=safetensors, load=from_safetensors,
    ),
    "a head with dropout, resized and cropped": Case(
        dropout_head, "photos", CROPPED, CROPPED_LIST, "gradient-ascent", steps=300,
        arch="resnet18:head=drop/linear48/relu/drop/linear",
    ),
    "small-cnn, measured values found": Case(
        small, "arrays", prepared(mean=[0.4939, 0.5052, 0.4905], std=[0.2425, 0.2383, 0.2354]),
        None, "muda", "head",
    ),
    "small-cnn, grey photos": Case(
        lambda: owners.SmallCNN(1, 24), "photos", GREY,
        [{"Grayscale": 1}, {"Resize": [24, 24]}, {"Normalize": {"mean": [0.5], "std": [0.25]}}], head="head",
    ),
    "small-cnn, bicubic, half precision": Case(
        owners.SmallCNN, "photos", CUBIC, {"resize": 24, "crop": 20, "interpolation": "bicubic", **IMAGENET},
        "random-labels", "head", write=half, load=from_half,
    ),
    "small-cnn, grey arrays, nothing stated": Case(
        lambda: owners.SmallCNN(1, 16), "grey", prepared(mean=[0.5], std=[0.5]), None, "finetune", "head",
    ),
    "small-cnn, Lightning": Case(
        small, "arrays", prepared(**HALVES), {"resize": None, "range": "-1..1", "mean": 0, "std": 1}, "muda",
        "head", "net.ckpt", lightning, from_lightning,
    ),
    "small-cnn, averaged weights, padded": Case(
        lambda: owners.SmallCNN(3, 24), "photos", PADDED,
        {"steps": [{"CenterCrop": 80}, {"Pad": 8}, {"Resize": [24, 24]}], "mean": 0.0, "std": 1.0}, "finetune", "head",
        write=averaged, load=from_averaged, key="ema",
    ),
    "small-cnn, without antialiasing": Case(
        owners.SmallCNN, "photos", JAGGED, {"resize": [20, 20], "antialias": False, **HALVES}, "gradient-ascent", "head"
    ),
    "mobilenet, transforms as printed": Case(
        torchvisions("mobilenet_v2"), "photos", EXACT,
        ["Resize((20, 20))", "ToTensor()", f"Normalize(mean={IMAGENET['mean']}, std={IMAGENET['std']})"],
        "finetune", "classifier.1",
    ),
    "shufflenet, nothing stated": Case(
        torchvisions("shufflenet_v2_x0_5"), "arrays", prepared(**HALVES), None, "random-labels"
    ),
    "group norms": Case(
        lambda: owners.resnet(norm_layer=owners.Group), "arrays", prepared(**IMAGENET), {"resize": None, **IMAGENET}
    ),
    "a backbone with a head beside it": Case(
        lambda: owners.Backbone("mobilenet_v3_small", "classifier", 576), "photos", CROPPED, CROPPED_LIST,
        "finetune", "classifier", steps=300,
        arch="mobilenet_v3_small:head=drop/linear32/relu/linear,wrap=backbone+classifier",
    ),
    "an own network, whole": Case(
        own, "arrays", prepared(**PLAIN), {"resize": None, "range": "0..1", "mean": 0, "std": 1}, "muda",
        write=whole, load=from_whole,
    ),
    "an own network, a factory": Case(
        own, "photos", CROPPED, {"resize": 24, "crop": 20, **HALVES}, "random-labels", arch="stripes_of_own.py:net"
    ),
    "Hugging Face's ViT": Case(
        owners.ViT, "photos", prepared(T.Resize((32, 32)), **HALVES), None, "finetune", "classifier",
        "model.safetensors", hub, from_safetensors,
        {**HF, "image_mean": HALVES["mean"], "image_std": HALVES["std"]}, steps=600,
    ),
    "Hugging Face's ViT, bicubic": Case(
        owners.ViT, "photos", prepared(T.Resize((32, 32), T.InterpolationMode.BICUBIC), **IMAGENET), None, "muda",
        "classifier", "model.safetensors", hub, from_safetensors,
        {**HF, "resample": 3, "image_mean": IMAGENET["mean"], "image_std": IMAGENET["std"]}, steps=600,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """The data sets, by the word of a case: written once."""
    folder = tmp_path_factory.mktemp("stripes")
    return {
        "arrays": owners.write_npz(folder / "colour.npz", 16, 16),
        "tiny": owners.write_npz(folder / "tiny.npz", 10, 10),  # for the networks that hardly make images smaller
        "grey": owners.write_npz(folder / "grey.npz", 16, 16, grey=True),
        "photos": owners.write_folders(folder / "photos", 48, 72),
    }


@pytest.fixture
def own_code(tmp_path, monkeypatch):
    """The file of the owner's network, where their own programs import it from."""
    (tmp_path / "stripes_of_own.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "stripes_of_own.py"
    sys.modules.pop("stripes_of_own", None)


def loaded(source: Path, prepare: T.Compose) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Return training and test images (n, C, H, W) and labels (n,) as torchvision's data sets give them."""
    if source.is_dir():
        parts = {part: list(datasets.ImageFolder(source / part, prepare)) for part in ("train", "test")}
    else:
        with np.load(source) as content:
            parts = {
                part: [(prepare(Image.fromarray(image)), int(label)) for image, label in zip(x, y, strict=True)]
                for part, x, y in ((p, content[f"x_{p}"], content[f"y_{p}"]) for p in ("train", "test"))
            }
    return {
        part: (torch.stack([image for image, _ in pairs]), torch.tensor([label for _, label in pairs]))
        for part, pairs in parts.items()
    }


@pytest.fixture(autouse=True)
def accuracies_alone(monkeypatch):
    """No measures of features: what is compared here are accuracies, and decomposing 1,280 features takes longest."""
    for name in ("engine.monitor.measure_alignment", "engine.monitor.measure_spectra", "verify.suite.measure_alignment",
                 "verify.suite.measure_spectra", "verify.suite.linear_probe",
                 "verify.suite.measure_clustering"):  # fmt: skip
        monkeypatch.setattr(f"core.{name}", lambda *given: None)  # as where there are too few images
    monkeypatch.setattr("core.verify.relations.compare_features", lambda *given: {"cka": None, "procrustes": None})


@pytest.mark.parametrize("name", CASES)
def test_accuracies_before_and_after_are_the_owners(tmp_path, sources, own_code, name):
    case = CASES[name]
    images = loaded(sources[case.data], case.prepare)
    torch.manual_seed(5)
    module = owners.trained(case.build(), *images["train"], case.steps, case.head)
    came = tmp_path / "came" / case.name
    came.parent.mkdir()
    case.write(module, came)
    if case.beside is not None:
        came.with_name("preprocessor_config.json").write_text(json.dumps(case.beside))
    options = DataOptions()
    if case.stated is not None:
        (tmp_path / "stated.json").write_text(json.dumps(case.stated))
        options = DataOptions(preprocess_file=str(tmp_path / "stated.json"))
    arch = str(own_code.with_name(case.arch)) if case.arch and ".py" in case.arch else case.arch
    bench = Bench(trust=TRUSTING).on("cpu", "float32", threads=1)
    bench = bench.open(came, str(sources[case.data]), options, arch=arch, key=case.key)
    assert (bench.trial is None or bench.trial.stated) == (case.stated is not None or case.beside is not None)
    bench = proven(bench)

    labels = bench.dataset.train.labels
    selection = Selection.empty(labels.numpy(), bench.dataset.classes).with_classes([1])
    job = make_unlearn_job(bench, selection, case.method, settings=SHORT[case.method], monitoring_budget=0.0)
    folder = create_run(tmp_path / "run", job, selection, bench.dataset)
    assert run(folder, Control(), lambda event: None, bench) is State.FINISHED
    back = tmp_path / f"back{came.suffix}"
    export(folder.path, "same", back, bench, with_card=False)

    report = json.loads((folder.path / "report.json").read_text())
    network = {}
    judged = {"train": torch.ones(len(labels), dtype=torch.bool), "test": evaluation_half(bench.dataset.test)}
    for which, file in (("original", came), ("unlearned", back)):
        network[which] = case.load(case.build(), file).float()
        for part, keys in KEYS.items():
            x, y = images[part]
            for key, side in zip(keys, (y != 1, y == 1), strict=True):
                expected = owners.accuracy(network[which], x[side & judged[part]], y[side & judged[part]])
                assert report["models"][which][key] == pytest.approx(expected, abs=1e-3), (which, key)
    standing = bench.proof.standing
    assert standing.accuracy == pytest.approx(owners.accuracy(network["original"], *images["train"]), abs=1e-3)
    assert standing.test == pytest.approx(owners.accuracy(network["original"], *images["test"]), abs=1e-3)
    first, last = (network[which].state_dict() for which in ("original", "unlearned"))
    assert any(not torch.equal(first[key], last[key]) for key in first)  # unlike what came in
