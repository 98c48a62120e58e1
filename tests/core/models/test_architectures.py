"""Architectures are built as asked, and errors name what was asked and what would do."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from core.errors import InputError, NotFoundError
from core.models.architectures import ModelSpec, architectures, build_model, build_on_meta, get_architecture, signature

ROOT = Path(__file__).resolve().parents[3]
ALL = [a.id for a in architectures()]


def test_ours_come_first_and_all_of_torchvision_is_there():
    from torchvision import models

    assert ALL[:3] == ["small-cnn", "mlp", "resnet18-cifar"]
    assert set(models.list_models(module=models)) <= set(ALL)
    assert len(ALL) == len(set(ALL))


@pytest.mark.parametrize("size", [(8, 8), (9, 13), (28, 28), (32, 32), (64, 64)])
@pytest.mark.parametrize("architecture", ["small-cnn", "mlp"])
def test_small_networks_take_any_size(make_model, architecture, size):
    module = make_model(architecture, num_classes=3, in_channels=2, size=size)
    assert module(torch.rand(2, 2, *size)).shape == (2, 3)


def test_small_cnn_of_eight_pixels_ends_in_one_cell(make_model):
    assert make_model(size=(8, 8)).hidden.weight.shape == (128, 64)


def test_small_networks_have_readable_keys_and_the_stated_widths(make_model):
    cnn, mlp = make_model("small-cnn").state_dict(), make_model("mlp").state_dict()
    assert [cnn[f"block{i}.conv.weight"].shape[0] for i in (1, 2, 3)] == [16, 32, 64]
    assert [mlp[f"hidden{i}.weight"].shape[0] for i in (1, 2, 3)] == [256, 128, 64]
    assert cnn["head.weight"].shape == (5, 128)
    assert mlp["head.weight"].shape == (5, 64)


def test_small_cnn_has_no_dropout(make_model):
    assert not any(isinstance(m, nn.Dropout) for m in make_model().modules())


def test_weights_come_from_the_global_generator(make_model):
    first, again, other = (make_model(seed=s).head.weight for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_cifar_resnet_keeps_small_images_and_torchvisions_keys():
    from torchvision.models import resnet18

    spec = ModelSpec("resnet18-cifar", 10, 3, (32, 32))
    module = build_on_meta(spec)
    assert isinstance(module.maxpool, nn.Identity)
    assert module.conv1.stride == (1, 1)
    assert list(signature(spec)) == list(resnet18(num_classes=10).state_dict())
    assert signature(spec)["conv1.weight"] == (64, 3, 3, 3)


@pytest.mark.parametrize("architecture", ["resnet18", "squeezenet1_1", "mobilenet_v2", "shufflenet_v2_x0_5"])
def test_other_channel_counts_replace_the_stem_and_keep_the_keys(architecture):
    colour, grey = (signature(ModelSpec(architecture, 7, channels, (32, 32))) for channels in (3, 1))
    assert list(colour) == list(grey)
    changed = {key for key in colour if colour[key] != grey[key]}
    assert len(changed) == 1
    assert grey[changed.pop()][1] == 1


def test_replaced_stem_keeps_the_scale_of_activations():
    torch.manual_seed(0)
    stems = [build_model(ModelSpec("resnet18", 2, channels, (32, 32))).conv1.weight for channels in (3, 12)]
    fan_in_spread = [float(w.detach().std()) * w.shape[1] ** 0.5 for w in stems]
    assert fan_in_spread[0] == pytest.approx(fan_in_spread[1], rel=0.05)


def test_unknown_architecture_names_the_nearest():
    with pytest.raises(NotFoundError, match=r"no architecture called 'resnet-18'.*resnet18"):
        get_architecture("resnet-18")


def test_too_small_an_input_is_refused_before_building():
    with pytest.raises(InputError, match="vgg11 needs images of at least 32x32 pixels, not 8x8"):
        build_model(ModelSpec("vgg11", 10, 3, (8, 8)))


def test_a_size_the_network_cannot_have_is_an_input_error():
    with pytest.raises(InputError, match="vit_b_16 cannot be built for input 33x33"):
        build_model(ModelSpec("vit_b_16", 10, 3, (33, 33)))
    with pytest.raises(InputError, match="height and width must be equal, got 32x48"):
        build_model(ModelSpec("vit_b_16", 10, 3, (32, 48)))


def test_timm_is_named_when_it_is_missing(monkeypatch):
    monkeypatch.setattr("core.models.timm_models.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"timm/resnet18 needs the package timm\. Install it"):
        get_architecture("timm/resnet18")


def test_signature_leaves_the_generator_alone_and_allocates_nothing():
    before = torch.get_rng_state()
    module = build_on_meta(ModelSpec("swin_t", 3, 3, (224, 224)))
    assert torch.equal(before, torch.get_rng_state())
    assert module.head.weight.is_meta


@pytest.mark.parametrize("architecture", ["googlenet", "inception_v3"])
def test_auxiliary_heads_keep_their_keys_but_do_not_run(architecture):
    size = get_architecture(architecture).min_size
    with_heads = build_on_meta(ModelSpec(architecture, 3, 3, (size, size)))
    without = signature(ModelSpec(f"{architecture}-no-aux", 3, 3, (size, size)))
    extra = set(with_heads.state_dict()) - set(without)
    assert {key.split(".")[0] for key in extra} <= {"aux1", "aux2", "AuxLogits"}
    assert extra
    output = with_heads.to("meta").train()(torch.empty(2, 3, size, size, device="meta"))
    assert output[0].shape == (2, 3)
    assert not any(isinstance(value, torch.Tensor) for value in output[1:])


def test_small_networks_are_opened_without_torchvision(tmp_path):
    """Its import takes more than a second, in every process that opens the example."""
    code = """
import sys
import torch
from core.models.architectures import ModelSpec, build_model
from tests.core.models.opened import open_model
for name in ("small-cnn", "mlp"):
    torch.save(build_model(ModelSpec(name, 5, 1, (8, 8))).state_dict(), sys.argv[1])
    assert open_model(sys.argv[1]).spec.architecture == name
assert "torchvision" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "net.pt")], check=True, cwd=ROOT)
