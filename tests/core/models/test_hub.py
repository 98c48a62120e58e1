"""Hugging Face's folders open without transformers, say the same, and are given back as they came."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from core.errors import InputError, MismatchError, NotFoundError
from core.models.architectures import get_architecture
from core.models.card import weights_file
from core.models.formats import compare_export, export_onnx, export_pt2
from core.models.split import split_for
from core.models.tap import TappedModel
from core.session.exporting import export
from core.session.inspecting import inspect, kind_of
from tests.core.models.hub_models import (
    CLASSES,
    ENCODERS,
    MODELS,
    built_by_transformers,
    images_of,
    stored,
    write_folder,
)
from tests.core.models.opened import open_model


@pytest.mark.parametrize("name", MODELS)
def test_a_folder_gives_the_logits_of_transformers(tmp_path, name):
    _, logits = write_folder(tmp_path, name)
    model = open_model(tmp_path)
    images = images_of(stored()[name]["config"])
    assert model.build()(images).sub(logits).abs().max() < 1e-5
    assert model.classes == CLASSES
    assert (model.spec.num_classes, model.spec.in_channels) == (7, images.shape[1])
    if model.size_known:
        assert model.spec.input_size == tuple(images.shape[2:])


@pytest.mark.parametrize("name", [*MODELS, *ENCODERS])
def test_the_stored_outputs_are_those_of_transformers(name):
    pytest.importorskip("transformers")
    built, known = built_by_transformers(name), stored()[name]
    assert built["shapes"] == known["shapes"]
    assert torch.tensor(built["outputs"]).sub(torch.tensor(known["outputs"])).abs().max() < 1e-5


@pytest.mark.parametrize("name", ["vit", "resnet", "swin"])
def test_transformers_says_the_same_of_the_exported_file(tmp_path, name):
    transformers = pytest.importorskip("transformers")
    write_folder(tmp_path / "came", name)
    (tmp_path / "out").mkdir()
    model = open_model(tmp_path / "came")
    config = tmp_path / "came" / "config.json"
    (tmp_path / "out" / "config.json").write_bytes(config.read_bytes())
    export(tmp_path / "came", "same", tmp_path / "out" / "model.safetensors", with_card=False)
    loaded = transformers.AutoModelForImageClassification.from_pretrained(tmp_path / "out").eval()
    images = images_of(json.loads(config.read_text()))
    with torch.no_grad():
        assert loaded(images).logits.sub(model.build()(images)).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("name", "half"), [*((name, False) for name in MODELS), ("vit", True), ("resnet", True), ("swin", True)]
)
def test_keys_types_and_values_come_back(tmp_path, name, half):
    weights, _ = write_folder(tmp_path, name, half=half)
    result = export(tmp_path, "same", tmp_path / "back" / "model.safetensors", with_card=False)
    back = load_file(result.path)
    assert back.keys() == weights.keys()
    assert all(back[key].dtype == value.dtype and torch.equal(back[key], value) for key, value in weights.items())


def test_older_files_hold_swins_table_of_positions_as_well(tmp_path):
    weights, _ = write_folder(tmp_path, "swin")
    model = open_model(tmp_path)
    index = {key: value for key, value in model.build().state_dict().items() if key.endswith("position_index")}
    assert len(index) == 4
    torch.save({**weights, **index}, tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    result = export(tmp_path, "same", tmp_path / "back.bin", with_card=False)
    assert torch.load(result.path).keys() == {*weights, *index}


def test_pytorch_model_bin_opens_by_its_folder_and_by_its_name(tmp_path):
    weights, logits = write_folder(tmp_path, "vit")
    (tmp_path / "model.safetensors").unlink()
    torch.save(weights, tmp_path / "pytorch_model.bin")
    for path in (tmp_path, tmp_path / "pytorch_model.bin"):
        model = open_model(path)
        assert model.build()(images_of(stored()["vit"]["config"])).sub(logits).abs().max() < 1e-5
    assert kind_of(tmp_path) == "model"


def test_inspect_names_a_folder(tmp_path):
    write_folder(tmp_path, "vit")
    description = inspect(str(tmp_path))
    assert description.kind == "model"
    assert description.data["architecture"].startswith("hf/vit:hidden_size=24,num_hidden_layers=2")
    assert description.data["classes"] == list(CLASSES)


def test_the_id_alone_builds_the_network(tmp_path):
    """A run's job has nothing else, and the weights file may have been moved out of its folder."""
    _, logits = write_folder(tmp_path, "resnet-of-other-settings")
    arch = open_model(tmp_path).spec.architecture
    assert arch == (
        "hf/resnet:embedding_size=8,hidden_sizes=8-24,depths=1-2,layer_type=basic,hidden_act=silu,"
        "downsample_in_first_stage=true"
    )
    moved = tmp_path / "elsewhere.safetensors"
    (tmp_path / "model.safetensors").rename(moved)
    model = open_model(moved, arch=arch)
    assert model.build()(torch.randn(2, 3, 40, 40)).shape == (2, 7)
    assert model.build()(images_of({"model_type": "resnet"})).sub(logits).abs().max() < 1e-5


@pytest.mark.parametrize("name", MODELS)
def test_the_networks_can_be_tapped_and_cut(tmp_path, name):
    write_folder(tmp_path, name)
    images = images_of(stored()[name]["config"])
    tapped = TappedModel(open_model(tmp_path).build(), 7, input_shape=tuple(images.shape[1:]))
    assert tapped.head_name in ("classifier", "classifier.1")
    assert len(tapped.blocks) >= 4
    assert split_for(tapped, "last-2").holds(images)


@pytest.mark.parametrize(
    ("name", "format"), [("vit", "onnx"), ("swin", "pt2"), ("convnextv2", "pt2"), ("resnet", "pt2")]
)  # an ONNX file is made of what torch.export gives
def test_the_networks_can_be_written_as_programs(tmp_path, name, format):
    if format == "onnx":
        pytest.importorskip("onnxruntime")
    write_folder(tmp_path, name)
    module, images = open_model(tmp_path).build(), images_of(stored()[name]["config"])
    write = export_pt2 if format == "pt2" else export_onnx
    write(tmp_path / f"net.{format}", module, tuple(images.shape[2:]), images.shape[1])
    assert compare_export(tmp_path / f"net.{format}", format, module, images).largest_difference < 1e-5


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"architectures": ["DetrForObjectDetection"], "model_type": "detr"}, "an object detection model"),
        ({"architectures": ["SegformerForSemanticSegmentation"]}, "a segmentation model"),
        ({"architectures": ["DeiTForImageClassificationWithTeacher"], "model_type": "deit"}, "two heads"),
        ({"architectures": ["BertForMaskedLM"], "model_type": "bert"}, "no image classifier"),
        ({"architectures": ["LevitForImageClassification"]}, r"not among the networks built here\. Save Auto"),
        ({"architectures": None, "model_type": "levit"}, "model type levit is not among"),
        ({"rotary": 3}, "the setting rotary, which is not known of Hugging Face's vit"),
        ({"quantization_config": {"bits": 4}}, "The weights are quantised"),
        ({"hidden_act": "gelu_nw"}, "no activation called 'gelu_nw'.*gelu_new"),
        ({"patch_size": [8, 4]}, "patch_size cannot be '8-4'"),
        ({"problem_type": "multi_label_classification"}, "a multi-label model"),
        ({"num_attention_heads": 5}, "24 cannot be shared among 5 attention heads"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(tmp_path, changed, message):
    write_folder(tmp_path, "vit", **changed)
    with pytest.raises(InputError, match=message):
        open_model(tmp_path)


def test_weights_of_another_network_than_config_json_says(tmp_path):
    write_folder(tmp_path, "vit", num_hidden_layers=3)
    with pytest.raises(MismatchError, match=r"config\.json says hf/vit.*the weights do not fit it: 16 missing"):
        open_model(tmp_path)
    write_folder(tmp_path, "vit", id2label={"0": "a", "1": "b"})
    with pytest.raises(MismatchError, match=r"The model has 7 outputs, config\.json says 2"):
        open_model(tmp_path)


def test_names_nobody_gave_are_no_classes(tmp_path):
    write_folder(tmp_path, "vit", id2label={str(number): f"LABEL_{number}" for number in range(7)})
    assert open_model(tmp_path).classes is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("adapter_model.safetensors", "merge_and_unload"),
        ("model.safetensors.index.json", "max_shard_size"),
        ("tf_model.h5", "from_tf"),
        ("flax_model.msgpack", "from_flax"),
    ],
)
def test_other_forms_of_weights_are_named(tmp_path, name, message):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / name).write_text("x")
    with pytest.raises(InputError, match=message):
        weights_file(tmp_path)
    with pytest.raises(NotFoundError, match=r"holds no model\.safetensors"):
        weights_file(tmp_path.parent)


def test_the_way_on_from_an_unknown_family_works(tmp_path):
    transformers = pytest.importorskip("transformers")
    config = transformers.BeitConfig(
        hidden_size=24, num_hidden_layers=1, num_attention_heads=3, intermediate_size=40, image_size=32, patch_size=8,
        use_relative_position_bias=True, id2label=dict(enumerate(CLASSES)),
    )  # fmt: skip
    folder = tmp_path / "folder"
    transformers.AutoModelForImageClassification.from_config(config).save_pretrained(folder)
    with pytest.raises(InputError, match=r"BeitForImageClassification .*from_pretrained\(FOLDER\)\.state_dict"):
        open_model(folder)
    network = transformers.AutoModelForImageClassification.from_pretrained(folder).eval()
    torch.save(network.state_dict(), tmp_path / "net.pt")
    (tmp_path / "nets.py").write_text(
        "from transformers import AutoConfig, AutoModelForImageClassification\n"
        f"config = AutoConfig.from_pretrained({str(folder)!r})\n"
        "def make():\n    return AutoModelForImageClassification.from_config(config)\n"
    )
    model = open_model(tmp_path / "net.pt", arch=f"{tmp_path / 'nets.py'}:make", trust_code=True, input_size=(32, 32))
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert model.build()(images).logits.sub(network(images).logits).abs().max() < 1e-5


def test_own_code_opens_what_is_not_known_here(tmp_path):
    """config.json is asked only where nobody says better."""
    write_folder(tmp_path / "folder", "vit", architectures=["NewForImageClassification"], model_type="new")
    (tmp_path / "nets.py").write_text(
        "from core.models.architectures import ModelSpec, build_model\n"
        "ID = 'hf/vit:hidden_size=24,num_hidden_layers=2,num_attention_heads=3,intermediate_size=40,patch_size=8'\n"
        "def make(num_classes):\n    return build_model(ModelSpec(ID, num_classes, 3, (32, 32)))\n"
    )
    model = open_model(tmp_path / "folder", arch=f"{tmp_path / 'nets.py'}:make", trust_code=True, input_size=(32, 32))
    assert model.build()(torch.zeros(2, 3, 32, 32)).shape == (2, 7)


def test_swin_needs_maps_as_large_as_its_windows():
    assert get_architecture("hf/swin").min_size == 193
    assert get_architecture("hf/convnext").min_size == 32
