"""What an own network gives and takes is found by running it, never by the order of keys in its file."""

from __future__ import annotations

import inspect
import json

import pytest
import torch
from safetensors.torch import save_file
from torchvision import models

from core.errors import InputError
from core.models.tap import TappedModel
from tests.core.models.cosine import Cosine
from tests.core.models.opened import open_model

CODE = f"""
import torch
from torch import nn
from torch.nn import functional as F

class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.classifier = nn.Linear(128, num_classes)  # before the embedding, in the file and by name
        self.embedding = nn.Linear(16, 128)
    def forward(self, x):
        return self.classifier(self.embedding(self.stem(x).relu().mean((2, 3))).relu())

class Fixed(Net):
    def __init__(self):
        super().__init__(7)

{inspect.getsource(Cosine)}
class ArcFace(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.arc = Cosine(128, num_classes)
        self.body = nn.Sequential(nn.Conv2d(1, 24, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.embed = nn.Linear(24, 128)
    def forward(self, x, label=None):
        return self.arc(self.embed(self.body(x)))

class Square(nn.Module):  # as wide inside as it has classes
    def __init__(self, num_classes):
        super().__init__()
        self.a_head = nn.Linear(num_classes, num_classes)
        self.z_body = nn.Linear(28 * 28, num_classes)
    def forward(self, x):
        return self.a_head(self.z_body(x.flatten(1)).relu())

class Two(Net):
    def forward(self, image, age):
        return super().forward(image) + age

class Encoder(Net):
    def forward(self, x):
        return self.stem(x)
"""


@pytest.fixture
def own(tmp_path):
    """Builds a network of a file of the user's, and names its factory."""
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    names: dict = {}
    exec(compile(CODE, str(path), "exec"), names)

    def build(name, *arguments):
        torch.manual_seed(0)
        return names[name](*arguments).eval(), f"{path}:{name}"

    return build


def write(net, path):
    state = net.state_dict()
    save_file(state, path) if path.suffix == ".safetensors" else torch.save(state, path)
    return path


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize(
    ("name", "arguments", "shape", "head"),
    [
        ("Net", (9,), (3, 32, 32), "classifier"),
        ("Fixed", (), (3, 32, 32), "classifier"),
        ("ArcFace", (25,), (1, 28, 28), "arc"),
        ("Square", (10,), (1, 28, 28), "a_head"),
    ],
)
def test_the_head_is_what_makes_the_outputs(tmp_path, own, suffix, name, arguments, shape, head):
    net, arch = own(name, *arguments)
    images = torch.rand(2, *shape)
    model = open_model(write(net, tmp_path / f"net{suffix}"), arch=arch, trust_code=True, input_size=shape[1:])
    assert model.spec.num_classes == net(images).shape[1] and model.spec.in_channels == shape[0]
    assert model.proof == "stated"
    assert torch.equal(model.build()(images), net(images))
    assert TappedModel(model.build(), model.spec.num_classes, input_shape=shape).head_name == head


def test_a_card_states_the_number_of_classes_and_is_held_to_it(tmp_path, own):
    net, arch = own("Net", 9)
    path = write(net, tmp_path / "net.safetensors")
    card = json.dumps({"schema_version": 1, "architecture": arch, "num_classes": 9})
    path.with_suffix(".json").write_text(card)
    assert open_model(path, trust_code=True).proof == "card"
    path.with_suffix(".json").write_text(card.replace(": 9", ": 8"))
    with pytest.raises(InputError, match="do not fit the network of"):
        open_model(path, trust_code=True)


def test_weights_of_another_network_are_refused_once_all_counts_were_tried(tmp_path, own):
    net, _ = own("ArcFace", 25)
    with pytest.raises(InputError, match=r"do not fit the network of .*mine.py:Net: "):
        open_model(write(net, tmp_path / "net.pt"), arch=own("Net", 9)[1], trust_code=True)


def test_two_inputs_are_one_sentence(tmp_path, own):
    net, arch = own("Two", 9)
    with pytest.raises(InputError, match=r"takes 2 inputs \(image, age\), and a model here is given images alone\."):
        open_model(write(net, tmp_path / "net.pt"), arch=arch, trust_code=True)


def test_an_encoder_of_own_code_is_no_classifier(tmp_path, own):
    net, arch = own("Encoder", 9)
    with pytest.raises(InputError, match="gives a map of outputs for each image"):
        open_model(write(net, tmp_path / "net.pt"), arch=arch, trust_code=True)


@pytest.mark.parametrize("name", ["resnet18", "vit_b_32"])
def test_networks_without_their_head_are_encoders(tmp_path, name):
    net = models.get_model(name)
    head = {"resnet18": "fc", "vit_b_32": "heads.head"}[name]
    state = {key: value for key, value in net.state_dict().items() if not key.startswith(head)}
    torch.save(state, tmp_path / "net.pt")
    spec = open_model(tmp_path / "net.pt").spec
    assert (spec.architecture, spec.num_classes) == (f"encoder/{name}", 0)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (["inc.double_conv.0.weight", "down1.maxpool_conv.1.double_conv.0.weight", "outc.conv.weight"], "a U-Net"),
        (["encoder.conv1.weight", "decoder.blocks.0.conv1.0.weight", "segmentation_head.0.weight"], "segmentation"),
        (["conv_in.weight", "down_blocks.0.resnets.0.conv1.weight", "up_blocks.0.resnets.0.conv1.weight"], "a U-Net"),
    ],
)
def test_u_nets_of_other_libraries_are_named(tmp_path, keys, words):
    torch.save({key: torch.zeros(4, 3, 3, 3) for key in keys}, tmp_path / "net.pt")
    with pytest.raises(InputError, match=f"The weights are those of .*{words}.*image classifiers"):
        open_model(tmp_path / "net.pt")
