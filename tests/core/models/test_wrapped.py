"""A torchvision backbone without its head and a head of one's own beside it is a network that is known."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torchvision import models

from core.errors import InputError
from core.models.formats import write_same
from core.models.split import split_for
from core.models.tap import TappedModel
from tests.core.models.opened import open_model

K = 7


class Own(nn.Module):
    """As people write it: the backbone's head is taken away, another attribute has the new one."""

    def __init__(self, name, path, head, attribute="backbone", other="head"):
        super().__init__()
        net = models.get_model(name, num_classes=K)
        parent, _, last = path.rpartition(".")
        setattr(net.get_submodule(parent), last, nn.Identity())
        self.order = (attribute, other)
        setattr(self, attribute, net)
        setattr(self, other, head)

    def forward(self, x):
        return getattr(self, self.order[1])(getattr(self, self.order[0])(x))


class Numbered(nn.Module):
    """The other way they write it."""

    def __init__(self, head):
        super().__init__()
        self.features = nn.Sequential(*list(models.resnet18().children())[:-1])
        self.classifier = head

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def mlp(width):
    return nn.Sequential(nn.Dropout(), nn.Linear(width, 48), nn.ReLU(), nn.Dropout(), nn.Linear(48, K))


NETS = {
    "resnet18:wrap=backbone+head": lambda: Own("resnet18", "fc", nn.Linear(512, K)),
    "resnet18:head=drop/linear48/relu/drop/linear,wrap=encoder+classifier": lambda: Own(
        "resnet18", "fc", mlp(512), "encoder", "classifier"
    ),
    "mobilenet_v2:head=linear,wrap=backbone+fc": lambda: Own(
        "mobilenet_v2", "classifier", nn.Linear(1280, K), "backbone", "fc"
    ),
    "convnext_tiny:wrap=base+head": lambda: Own("convnext_tiny", "classifier.2", nn.Linear(768, K), "base"),
    "resnet18:wrap=features.n+classifier": lambda: Numbered(nn.Linear(512, K)),
    "resnet18:head=drop/linear48/relu/drop/linear,wrap=features.n+classifier": lambda: Numbered(mlp(512)),
}


def seeded(net):
    for name, buffer in net.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(0, 0.1)
    return net.eval()


@pytest.mark.parametrize("id", NETS)
def test_a_backbone_and_a_head(tmp_path, id):
    torch.manual_seed(0)
    net = seeded(NETS[id]())
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    model = open_model(tmp_path / "net.safetensors")
    assert (model.spec.architecture, model.spec.num_classes, model.form.prefix) == (id, K, "")
    assert len(model.alternatives) == (0 if "resnet" not in id else 3 if "relu" not in id else 4 * 5 - 1)
    images, built = torch.randn(2, 3, 64, 64), model.build()
    with torch.no_grad():
        assert built(images).sub(net(images)).abs().max() < 1e-5
    tapped = TappedModel(built, K)
    assert len(tapped.blocks) > 5
    assert split_for(tapped, "last-2").holds(images)
    write_same(tmp_path / "back.safetensors", built.state_dict(), model.form)
    back = load_file(tmp_path / "back.safetensors")
    assert back.keys() == net.state_dict().keys()
    assert all(torch.equal(back[key], value) for key, value in net.state_dict().items())
    again = open_model(tmp_path / "net.safetensors", arch=id)
    assert (again.spec.architecture, again.proof) == (id, "stated")


def test_inside_a_lightning_module(tmp_path):
    net = seeded(Own("resnet18", "fc", nn.Linear(512, K)))
    state = {f"model.{key}": value for key, value in net.state_dict().items()}
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "last.ckpt")
    model = open_model(tmp_path / "last.ckpt")
    assert (model.spec.architecture, model.form.prefix) == ("resnet18:wrap=backbone+head", "model.")


def test_a_head_that_is_no_chain_is_refused_with_the_way_on(tmp_path):
    net = Own("resnet18", "fc", nn.MultiheadAttention(512, 8))
    torch.save(net.state_dict(), tmp_path / "net.pt")
    with pytest.raises(InputError, match=r"an encoder \(resnet18\) under 'backbone', and beside it .*--arch FILE"):
        open_model(tmp_path / "net.pt")
