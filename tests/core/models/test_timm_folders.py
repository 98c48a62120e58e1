"""Folders that timm writes open as what config.json says, and its vision transformers in any width and depth."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors import InputError, MismatchError
from core.models import timm_models
from core.models.architectures import build_model, get_architecture, shapes_of
from core.models.recognise import around, fitting
from core.session.exporting import export
from core.session.inspecting import kind_of
from tests.core.models.opened import open_model

timm = pytest.importorskip("timm", reason="timm is an extra: pip install unlearn-studio[timm]")

K = 7
SMALL = {"img_size": 32, "patch_size": 8, "embed_dim": 48, "depth": 3, "num_heads": 3}


@pytest.fixture(autouse=True)
def some_of_timm(monkeypatch):
    """Looking at all thousand takes seconds."""
    monkeypatch.setattr(timm, "list_models", lambda *args, **options: ["vit_base_patch16_224", "convnext_atto"])


def made(name, **arguments):
    torch.manual_seed(0)
    net = timm.create_model(name, num_classes=K, **arguments).eval()
    for parameter in net.parameters():
        parameter.data.add_(0.05 * torch.randn_like(parameter))
    return net


def folder_of(path, net, name, **config):
    path.mkdir(parents=True, exist_ok=True)
    save_file(net.state_dict(), path / "model.safetensors")
    content = {"architecture": name, "num_classes": K, "pretrained_cfg": {"input_size": [3, 32, 32]}, **config}
    (path / "config.json").write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("name", "arguments", "id"),
    [
        ("resnet18", {"in_chans": 1}, "timm/resnet18"),
        (
            "vit_tiny_patch16_224", SMALL,
            "timm/vit_tiny_patch16_224:patch_size=8,embed_dim=48,depth=3,num_heads=3",
        ),
        (
            "vit_tiny_patch16_224", {**SMALL, "global_pool": "avg", "qkv_bias": False},
            "timm/vit_tiny_patch16_224:patch_size=8,embed_dim=48,depth=3,num_heads=3,qkv_bias=false,global_pool=avg",
        ),
        ("convnext_atto", {"depths": (1, 1, 2, 1)}, "timm/convnext_atto:depths=1-1-2-1"),
    ],
)  # fmt: skip
def test_a_folder_is_what_its_config_says(tmp_path, name, arguments, id):
    net = made(name, **arguments)
    recorded = {"num_classes": K, "in_chans": 3, **arguments}
    if name.startswith("vit") and "global_pool" not in recorded:
        recorded["global_pool"] = "token"
    folder_of(tmp_path, net, name, model_args=recorded, label_names=list("abcdefg"))
    model = open_model(tmp_path)
    assert (model.spec.architecture, model.classes, model.proof) == (id, tuple("abcdefg"), "card")
    images = torch.randn(2, model.spec.in_channels, 32, 32)
    with torch.no_grad():
        assert model.build()(images).sub(net(images)).abs().max() < 1e-5
    back = load_file(export(tmp_path, "same", tmp_path / "back.safetensors", with_card=False).path)
    assert back.keys() == net.state_dict().keys()
    assert all(torch.equal(back[key], value) for key, value in net.state_dict().items())
    assert kind_of(tmp_path) == "model"
    assert around(model.spec) == () or ":" not in id


def test_a_folder_as_timm_itself_writes_it(tmp_path):
    from timm.models._hub import save_for_hf

    net = made("vit_tiny_patch16_224", **SMALL)
    save_for_hf(net, tmp_path, safe_serialization=True)
    model = open_model(tmp_path)
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert model.build()(images).sub(net(images)).abs().max() < 1e-5


@pytest.mark.parametrize(
    "arguments",
    [
        SMALL,
        {**SMALL, "num_heads": 6, "mlp_ratio": 2.5},
        {**SMALL, "depth": 2, "qkv_bias": False, "init_values": 1e-5, "reg_tokens": 4},
        {**SMALL, "class_token": False, "global_pool": "avg", "qk_norm": True},
    ],
)
def test_a_vision_transformer_of_any_size_is_known_from_its_shapes(tmp_path, arguments):
    net = made("vit_base_patch16_224", **arguments)
    torch.save(net.state_dict(), tmp_path / "net.pt")
    model = open_model(tmp_path / "net.pt")
    specs = (model.spec, *model.alternatives)
    # A norm of queries and keys is as wide as a head.
    assert (len(specs), model.proof) == (1, "only one fits") if "qk_norm" in arguments else len(specs) > 3
    assert (model.spec.num_classes, model.spec.input_size) == (K, (32, 32))
    images, agree = torch.randn(2, 3, 32, 32), []
    with torch.no_grad():
        for spec in specs:
            built = build_model(spec).eval()
            built.load_state_dict(net.state_dict())
            agree += [spec.architecture] * bool(built(images).sub(net(images)).abs().max() < 1e-5)
    assert len(agree) == 1 and agree[0].endswith(f"num_heads={arguments['num_heads']}")


def test_the_usual_width_of_a_head_comes_first():
    net = made("vit_tiny_patch16_224", depth=2)
    assert fitting(shapes_of(net.state_dict()))[0].architecture.endswith("embed_dim=192,depth=2,num_heads=3")


def test_weights_of_another_depth_than_config_json_says(tmp_path):
    net = made("vit_tiny_patch16_224", **SMALL)
    folder_of(tmp_path, net, "vit_tiny_patch16_224")
    with pytest.raises(MismatchError, match=r"config\.json says timm/vit_tiny_patch16_224, but the weights"):
        open_model(tmp_path)


def test_arguments_that_timm_does_not_have():
    with pytest.raises(InputError, match="unexpected keyword argument 'wings'"):
        build_model(fitting(shapes_of(made("convnext_atto").state_dict()))[0].__class__(
            "timm/convnext_atto:wings=2", K, 3, (32, 32)
        ))  # fmt: skip
    with pytest.raises(InputError, match="The argument act_layer of timm's convnext_atto is no number"):
        get_architecture("timm/convnext_atto:act_layer=")
    assert get_architecture("timm/convnext_atto:eps=0.001").id == "timm/convnext_atto:eps=0.001"


def test_without_timm_its_config_is_left_aside(tmp_path, monkeypatch):
    """Most of its weights are those of a network that is known here."""
    net = made("resnet18")
    folder_of(tmp_path, net, "resnet18")
    monkeypatch.setattr(timm_models, "find_spec", lambda name: None)
    assert open_model(tmp_path).spec.architecture == "resnet18"
    folder_of(tmp_path / "vit", made("vit_tiny_patch16_224", **SMALL), "vit_tiny_patch16_224")
    with pytest.raises(InputError, match="With the package timm installed"):
        open_model(tmp_path / "vit")
