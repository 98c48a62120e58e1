"""Heads and norms that people put into torchvision's networks are known from keys and shapes alone."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torchvision import models

from core.errors import InputError
from core.models import heads
from core.models.architectures import build_model, get_architecture, shapes_of
from core.models.formats import write_same
from core.models.recognise import around, fitting
from core.models.tap import TappedModel
from tests.core.models.opened import open_model

K = 7  # no layer is as wide


def mlp(width, *, act=nn.ReLU, hidden=48):
    return nn.Sequential(nn.Linear(width, hidden), act(), nn.Dropout(0.3), nn.Linear(hidden, K))


def with_norm(width):
    return nn.Sequential(
        nn.Linear(width, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Dropout(0.5), nn.Linear(48, 20), nn.BatchNorm1d(20),
        nn.ReLU(), nn.Linear(20, K),
    )  # fmt: skip


def norm_last(width):
    return nn.Sequential(nn.Linear(width, 48), nn.ReLU(), nn.BatchNorm1d(48), nn.Dropout(), nn.Linear(48, K))


def named(width):
    layers = [("fc1", nn.Linear(width, 48)), ("relu", nn.ReLU()), ("drop", nn.Dropout()), ("out", nn.Linear(48, K))]
    return nn.Sequential(OrderedDict(layers))


HEADS = {
    "drop/linear": lambda width: nn.Sequential(nn.Dropout(0.4), nn.Linear(width, K)),
    "0.linear": lambda width: nn.Sequential(nn.Linear(width, K)),
    "linear-nobias": lambda width: nn.Linear(width, K, bias=False),
    "linear48/relu/drop/linear": mlp,
    "drop/linear48/relu/linear": lambda width: nn.Sequential(
        nn.Dropout(), nn.Linear(width, 48), nn.ReLU(), nn.Linear(48, K)
    ),
    "linear48/bn/relu/drop/linear20/bn/relu/linear": with_norm,
    "linear48/relu/bn/drop/linear": norm_last,
    "bn/drop/linear48/linear": lambda width: nn.Sequential(
        nn.BatchNorm1d(width), nn.Dropout(), nn.Linear(width, 48), nn.Linear(48, K)
    ),
    "fc1.linear48/relu/out.linear": named,
}


def seeded(module):
    """Fill a network with weights and statistics that all show in the logits."""
    torch.manual_seed(3)
    for name, buffer in module.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(0, 0.1)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
    for parameter in module.parameters():
        if parameter.ndim == 1:
            parameter.data.add_(torch.randn_like(parameter) * 0.1)
    return module.eval()


def check(path, net, id, size=64):
    """Open a state dict: the network must be `id`, say the same, be tapped, and come back as it was."""
    save_file(net.state_dict(), path)
    model = open_model(path)
    images = torch.randn(2, 3, size, size)
    assert model.spec.architecture == id
    assert model.spec.num_classes == K
    with torch.no_grad():
        assert model.build()(images).sub(net(images)).abs().max() < 1e-5
    assert TappedModel(model.build(), K).feature_dim < 4097
    write_same(path.with_name("back.safetensors"), model.build().state_dict(), model.form)
    back = load_file(path.with_name("back.safetensors"))
    assert all(torch.equal(back[key], value) for key, value in net.state_dict().items())
    assert back.keys() == net.state_dict().keys()
    return model


@pytest.mark.parametrize("text", HEADS)
def test_heads_of_a_resnet(tmp_path, text):
    torch.manual_seed(0)
    net = models.resnet18(num_classes=K)
    net.fc = HEADS[text](512)
    model = check(tmp_path / "net.safetensors", seeded(net), f"resnet18:head={text}")
    assert {spec.architecture for spec in (model.spec, *model.alternatives)} == {
        get_architecture(f"resnet18:head={like},stem=7,stride={stride},pool={pool}").id
        for stride in (1, 2) for pool in ("max", "none") for like in heads.like(text)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "path", "width", "id"),
    [
        ("mobilenet_v2", "classifier", 1280, "head=linear48/relu/drop/linear"),
        ("mobilenet_v3_small", "classifier.3", 1024, "last=linear48/relu/drop/linear"),
        ("efficientnet_b0", "classifier.1", 1280, "last=linear48/relu/drop/linear"),
        ("convnext_tiny", "classifier.2", 768, "last=linear48/relu/drop/linear"),
        ("swin_t", "head", 768, "head=linear48/relu/drop/linear"),
        ("shufflenet_v2_x0_5", "fc", 1024, "head=linear48/relu/drop/linear"),
    ],
)
def test_heads_of_other_families(tmp_path, name, path, width, id):
    torch.manual_seed(0)
    net = models.get_model(name, num_classes=K)
    parent, _, attribute = path.rpartition(".")
    setattr(net.get_submodule(parent), attribute, mlp(width))
    check(tmp_path / "net.safetensors", seeded(net), f"{name}:{id}")


def test_a_plain_layer_in_the_place_of_a_sequence(tmp_path):
    net = models.mobilenet_v2(num_classes=K)
    net.classifier = nn.Linear(1280, K)
    check(tmp_path / "net.safetensors", seeded(net), "mobilenet_v2:head=linear")


def test_heads_of_a_vision_transformer(tmp_path):
    net = models.vit_b_32(num_classes=K, image_size=64)
    net.heads = mlp(768)
    check(tmp_path / "net.safetensors", seeded(net), "vit_b_32:head=linear48/relu/drop/linear")


def agreeing(net, specs, size=32):
    """Return the ids of the networks that say the same as `net` with its weights."""
    images, agree = torch.randn(2, 3, size, size), []
    with torch.no_grad():
        logits = net(images)
        for spec in specs:
            built = build_model(spec).eval()
            built.load_state_dict(net.state_dict())
            agree += [spec.architecture] * bool(built(images).sub(logits).abs().max() < 1e-5)
    return agree


@pytest.mark.parametrize(("act", "name"), [(nn.Tanh, "tanh"), (partial(nn.LeakyReLU, 0.2), "leaky_relu0.2")])
def test_another_activation_of_a_head_is_tried(act, name):
    torch.manual_seed(0)
    net = models.resnet18(num_classes=K)
    net.fc = mlp(512, act=act)
    first = fitting(shapes_of(seeded(net).state_dict()))
    others = first if name == "tanh" else around(first[0])
    heads_alone = [each for each in others if ":head=" in each.architecture]
    assert agreeing(net, heads_alone) == [f"resnet18:head=linear48/{name}/drop/linear"]


def test_one_with_a_hidden_activation_is_never_the_only_one_that_fits(tmp_path):
    net = models.mobilenet_v2(num_classes=K)
    net.classifier = mlp(1280, act=nn.SiLU)
    torch.save(net.state_dict(), tmp_path / "net.pt")
    model = open_model(tmp_path / "net.pt")
    assert (len(model.alternatives), model.proof) == (4, "")


def test_a_norm_before_or_behind_the_activation():
    assert "linear8/relu/bn/drop/linear" in heads.like("linear8/relu/bn/drop/linear")
    assert "linear8/drop/bn/relu/linear" in heads.like("linear8/relu/bn/drop/linear")
    assert heads.rare("drop/linear") == ("drop/linear",)
    assert heads.like("drop/linear") == ("drop/linear",)


@pytest.mark.parametrize("groups", ["group16", "group1", "instance"])
def test_group_normalisation(groups):
    torch.manual_seed(0)
    number = {"group16": 16, "group1": 1}.get(groups)
    net = models.resnet18(num_classes=K, norm_layer=lambda width: nn.GroupNorm(number or width, width))
    specs = fitting(shapes_of(seeded(net).state_dict()))
    assert specs[0].architecture == "resnet18:norm=group32"
    assert len(specs) == 4 * 7
    assert agreeing(net, [spec for spec in specs if "stem=" not in spec.architecture]) == [f"resnet18:norm={groups}"]


def test_groups_and_head_and_stem_together(tmp_path):
    net = models.resnet18(num_classes=K, norm_layer=lambda width: nn.GroupNorm(32, width))
    net.conv1, net.maxpool = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.Identity()
    net.fc = with_norm(512)
    id = "resnet18-cifar:norm=group32,head=linear48/bn/relu/drop/linear20/bn/relu/linear"
    check(tmp_path / "net.safetensors", seeded(net), id, size=32)


@pytest.mark.parametrize(
    "text", ["", "linear", "linear8", "drop", "relu/linear/linear", "linear8/linear8", "lin/linear"]
)
def test_texts_that_are_no_head(text):
    assert heads.clean(text) == (text if text == "linear" else "")


def test_an_impossible_norm_is_refused():
    with pytest.raises(InputError, match="norm of resnet18 must be batch, instance or group with a number"):
        get_architecture("resnet18:norm=layer")
