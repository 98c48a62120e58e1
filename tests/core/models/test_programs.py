"""A program in the file proves the network, or is it; whole pickled networks of any class open under trust."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision import models

from core.errors import InputError, MismatchError, UnsafeFileError
from core.models.architectures import ModelSpec, build_model, network_key
from tests.core.models.opened import open_model
from tests.core.models.test_settings import hand_made, replaced
from tests.core.programs import run_program

IMAGES = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def pickled(net, path):
    torch.save(net, path)


def traced(net, path):
    torch.jit.trace(net, IMAGES).save(str(path))


def exported(net, path):
    batch = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(net, (IMAGES,), dynamic_shapes=batch), path)


WRITERS = {".pth": pickled, ".ts": traced, ".pt2": exported}


def opened(path, **stated):
    return open_model(path, trust_pickle=True, trust_code=True, **stated)


def logits(net, images=IMAGES):
    with torch.no_grad():
        return net.eval()(images)


@pytest.mark.parametrize(
    ("suffix", "side", "stride", "pool"),
    [
        (".pth", 7, 2, True), (".pth", 3, 1, False), (".pth", 7, 1, False),
        (".ts", 3, 1, True), (".ts", 7, 2, False), (".pt2", 3, 2, True),
    ],
)  # fmt: skip
def test_the_program_says_which_of_the_networks_it_is(tmp_path, suffix, side, stride, pool):
    net = hand_made(side, stride, pool)
    WRITERS[suffix](net, tmp_path / f"net{suffix}")
    model = opened(tmp_path / f"net{suffix}")
    assert (model.proof, model.alternatives) == ("program", ())
    torch.testing.assert_close(logits(model.build()), logits(net))


@pytest.mark.parametrize("suffix", WRITERS)
def test_what_is_stated_is_held_against_the_program(tmp_path, suffix):
    path, other = tmp_path / f"net{suffix}", "resnet18:stem=3,stride=2,pool=none"
    WRITERS[suffix](hand_made(3, 1, True), path)
    with pytest.raises(InputError, match=rf"holds a program whose outputs differ from those of {other} by up to"):
        opened(path, arch=other)
    assert opened(path, arch="resnet18-cifar:pool=max").proof == "stated"


def test_programs_of_changed_networks_are_found_in_the_wider_circle(tmp_path):
    torch.manual_seed(0)
    net = replaced(models.mobilenet_v3_small(num_classes=5), nn.Hardswish, nn.ELU).eval()
    traced(net, tmp_path / "net.ts")
    model = opened(tmp_path / "net.ts")
    assert (model.spec.architecture, model.proof) == ("mobilenet_v3_small:act=elu", "program")
    torch.testing.assert_close(logits(model.build()), logits(net), rtol=1e-4, atol=1e-4)


def test_a_program_exported_in_training_mode_is_known_all_the_same(tmp_path):
    net = hand_made(3, 2, True)
    exported(net.train(), tmp_path / "net.pt2")
    assert opened(tmp_path / "net.pt2").spec.architecture == "resnet18:stem=3,stride=2,pool=max"


@pytest.mark.parametrize("suffix", [".ts", ".pt2"])
def test_programs_that_nothing_reproduces_are_refused_in_a_sentence(tmp_path, suffix):
    net = models.squeezenet1_1(num_classes=5).eval()
    net.classifier[2] = nn.Hardtanh(-0.1, 0.1)
    WRITERS[suffix](net, tmp_path / f"net{suffix}")
    with pytest.raises(InputError, match=r"computes the same as: squeezenet1_1.*other outputs.*--arch FILE"):
        opened(tmp_path / f"net{suffix}")
    own = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)).eval()
    WRITERS[suffix](own, tmp_path / f"own{suffix}")
    said = r"no known network computes the same as: The architecture was not recognised"
    with pytest.raises(InputError, match=said) as error:
        opened(tmp_path / f"own{suffix}")
    assert "--" not in error.value.message and error.value.hint.startswith("Give its code with --arch")


def test_a_card_that_names_another_network_than_the_program_is_refused(tmp_path):
    pickled(hand_made(3, 2, True), tmp_path / "net.pth")
    (tmp_path / "net.json").write_text('{"schema_version": 1, "architecture": "resnet18-cifar"}')
    with pytest.raises(MismatchError, match="says resnet18-cifar, whose outputs differ from those of the program"):
        opened(tmp_path / "net.pth")


def test_a_pickled_network_that_differs_from_all_known_ones_is_the_network(tmp_path):
    net = hand_made(3, 1, False)
    net.layer1[0].downsample = nn.Hardtanh()
    pickled(net, tmp_path / "net.pth")
    model = opened(tmp_path / "net.pth")
    assert model.spec.architecture == f"{tmp_path / 'net.pth'}:ResNet" and model.proof == "program"
    assert torch.equal(logits(model.build()), logits(net))


# --- networks of the user's own, saved whole -----------------------------------------------------------------------

LAYERS = "from torch import nn\n\nclass Act(nn.Module):\n    def forward(self, x):\n        return x.clamp(min=-0.1)\n"
NETWORK = """
import torch
from torch import nn
from layers import Act

class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.classifier = nn.Linear(width, 6)
        self.body = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), Act())
        self.body[1].running_mean.normal_()
        self.scale = nn.Parameter(torch.full((1,), 2.0))
        for value in self.body.parameters():
            value.requires_grad_(False)
    def forward(self, x):
        return self.classifier(self.body(x).mean((2, 3))) * self.scale

class Two(Net):
    def forward(self, image, age):
        return super().forward(image) + age
"""
SAVE = """
import torch
from {module} import *
torch.manual_seed(0)
net = {make}
torch.save({content}, {path!r})
net.eval().float()
torch.save({{"images": (x := torch.randn(4, 3, 16, 16)), "logits": net(x).detach()}}, {path!r} + ".seen")
"""


def saved(folder: Path, name="net.pth", make="Net()", content="net", inline=False):
    """Save a network as a program of its owner does; return its file, images and what it says of them."""
    folder.mkdir(exist_ok=True)
    (folder / "layers.py").write_text(LAYERS)
    path = folder / name
    code = SAVE.format(module="torch" if inline else "mynet", make=make, content=content, path=str(path))
    if inline:
        (folder / "train.py").write_text(NETWORK + code)
    else:
        (folder / "mynet.py").write_text(NETWORK)
        (folder / "train.py").write_text(code)
    run_program(folder, (folder / "train.py").read_text())
    seen = torch.load(f"{path}.seen", weights_only=True)
    return path, seen["images"], seen["logits"]


@pytest.mark.parametrize(
    ("make", "content"),
    [
        ("Net()", "net"),
        ("Net(12)", '{"model": net, "epoch": 3}'),
        ("Net()", "torch.nn.DataParallel(net)"),
        ("Net()", "net.half()"),
    ],
)
def test_an_own_network_saved_whole_just_opens(tmp_path, make, content):
    path, images, wanted = saved(tmp_path, make=make, content=content)
    model = opened(path)
    assert (model.spec.num_classes, model.spec.in_channels, model.proof) == (6, 3, "program")
    torch.testing.assert_close(logits(model.build(), images), wanted)
    assert all(value.requires_grad for value in model.build().parameters())
    assert "mynet" not in sys.modules and "layers" not in sys.modules
    with pytest.raises(UnsafeFileError, match="--trust-pickle"):
        open_model(path, trust_code=True)


def test_fresh_weights_are_drawn_by_the_seed(tmp_path):
    path, *_ = saved(tmp_path)
    model = opened(path)
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(build_model(model.spec, trust_code=True).state_dict())
    assert torch.equal(drawn[0]["classifier.weight"], drawn[1]["classifier.weight"])
    for other in (drawn[2], model.state_dict):
        assert not torch.equal(drawn[0]["classifier.weight"], other["classifier.weight"])
    assert not drawn[0]["body.1.running_mean"].any()
    with pytest.raises(UnsafeFileError, match=r"pickled in .*net\.pth.*--trust-pickle"):
        build_model(model.spec)


def test_networks_of_the_same_name_in_two_folders_are_kept_apart(tmp_path):
    first, images, wanted = saved(tmp_path / "a")
    second = saved(tmp_path / "b")[0]
    (tmp_path / "b" / "layers.py").write_text(LAYERS.replace("-0.1", "0.5"))
    other = opened(second)
    assert torch.equal(logits(opened(first).build(), images), wanted)
    assert not torch.allclose(logits(other.build(), images), wanted)
    assert network_key(opened(first).spec) != network_key(other.spec)  # although the weights are the same


def test_weights_of_a_run_open_with_the_network_that_a_card_names(tmp_path):
    path, images, wanted = saved(tmp_path)
    model = opened(path)
    torch.save(model.state_dict, tmp_path / "weights.pt")
    card = '{"schema_version": 1, "architecture": "%s:Net", "num_classes": 6}'
    (tmp_path / "weights.json").write_text(card % path)
    again = open_model(tmp_path / "weights.pt", trust_pickle=True)
    assert again.proof == "card" and torch.equal(logits(again.build(), images), wanted)
    with pytest.raises(UnsafeFileError, match=r"names the program .*net\.pth for the network.*--trust-pickle"):
        open_model(tmp_path / "weights.pt", trust_code=True)
    (tmp_path / "net.json").write_text(card % (tmp_path / "gone.pth"))  # written back with a card, the first is gone
    assert opened(path).spec.user_code == f"{path}:Net"
    (tmp_path / "net.json").unlink()
    other = opened(path, arch=f"{path}:Net")
    assert other.proof == "stated" and other.spec == ModelSpec(f"{path}:Net", 6, 3, (224, 224), f"{path}:Net")


def test_a_class_of_the_saving_program_is_named_with_its_file(tmp_path):
    path, images, wanted = saved(tmp_path, inline=True)
    words = r"whole network whose class Net was not found \(its module is '__main__'\)"
    with pytest.raises(InputError, match=rf"{words}.*Move it from .*train\.py, which does more than define it"):
        opened(path)  # importing it would train and save again
    (tmp_path / "train.py").write_text(NETWORK + 'if __name__ == "__main__":\n    Net()\n')
    with pytest.raises(InputError, match=rf"{words}.*Give its code with --arch .*train\.py:Net --trust-code"):
        opened(path)
    (tmp_path / "net.py").write_text(NETWORK)
    (tmp_path / "train.py").unlink()
    model = opened(path, arch=f"{tmp_path / 'net.py'}:Net")
    assert torch.equal(logits(model.build(), images), wanted)
    (tmp_path / "net.py").unlink()
    with pytest.raises(InputError, match=r"it was defined in the program that saved it.*--arch FILE\.py:Net"):
        opened(path)


def test_a_pickled_network_of_known_keys_needs_no_class(tmp_path):
    code = "import torch\nfrom torchvision.models import ResNet\nfrom torchvision.models.resnet import BasicBlock\n"
    code += "class Mine(ResNet):\n    pass\n\ntorch.save(Mine(BasicBlock, [2, 2, 2, 2], 5), 'net.pth')\n"
    (tmp_path / "train.py").write_text(code)
    run_program(tmp_path, code)
    model = opened(tmp_path / "net.pth")
    assert model.spec.architecture == "resnet18" and model.proof == "" and len(model.alternatives) == 3


def test_two_inputs_of_a_pickled_network_are_one_sentence(tmp_path):
    folder = tmp_path
    (folder / "layers.py").write_text(LAYERS)
    (folder / "mynet.py").write_text(NETWORK)
    code = "import torch\nfrom mynet import Two\ntorch.save(Two(), 'net.pth')\n"
    run_program(folder, code)
    with pytest.raises(InputError, match=r"takes 2 inputs \(image, age\)"):
        opened(folder / "net.pth")


def test_two_inputs_of_a_pickled_network_are_seen_where_a_part_of_it_is_named(tmp_path):
    code = (
        "import torch\nfrom torch import nn\nfrom torchvision.models import resnet18\n"
        "class Two(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.net = resnet18(num_classes=4)\n    def forward(self, image, age):\n"
        "        return self.net(image) + age\n"
    )
    (tmp_path / "mytwo.py").write_text(code)
    run_program(tmp_path, "import torch, mytwo; torch.save(mytwo.Two(), 'net.pth')")
    for arch in (None, "resnet18"):
        with pytest.raises(InputError, match=r"takes 2 inputs \(image, age\), not images alone"):
            opened(tmp_path / "net.pth", arch=arch)


@pytest.mark.parametrize("suffix", ["pt2", "ts"])
def test_two_inputs_of_a_program_are_one_sentence(tmp_path, suffix):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = models.resnet18(num_classes=4)

        def forward(self, image: torch.Tensor, age: torch.Tensor) -> torch.Tensor:
            return self.net(image) + age

    path, given = tmp_path / f"net.{suffix}", (torch.rand(2, 3, 32, 32), torch.rand(2, 1))
    if suffix == "pt2":
        torch.export.save(torch.export.export(Two().eval(), given), path)
    else:
        torch.jit.trace(Two().eval(), given).save(str(path))
    for arch in (None, "resnet18"):
        with pytest.raises(InputError, match="takes 2 inputs, not images alone"):
            opened(path, arch=arch)
