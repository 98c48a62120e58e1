"""Hugging Face's networks without a head open as encoders: they say what transformers says, and are given back."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors import InputError, MismatchError, UnknownNetworkError
from core.models.architectures import get_architecture
from core.models.checkpoint import read_model
from core.models.encoders import tapped
from core.session.exporting import export
from core.session.inspecting import inspect
from tests.core.models.hub_models import ENCODERS, images_of, said_by, stored, write_folder
from tests.core.models.opened import open_model

FILE = "model.safetensors"


def tap_of(model):
    return tapped(model.build(), model.spec.num_classes, input_shape=(model.spec.in_channels, *model.spec.input_size))


def differs(model, name, embedding):
    return tap_of(model)(images_of(stored()[name]["config"])).features.sub(embedding).abs().max()


def rewrite(folder, weights):
    save_file({key: value.clone() for key, value in weights.items()}, folder / FILE)


@pytest.mark.parametrize("name", ENCODERS)
def test_the_embedding_is_what_a_head_would_receive(tmp_path, name):
    _, embedding = write_folder(tmp_path, name)
    model, images = open_model(tmp_path), images_of(stored()[name]["config"])
    assert model.spec.architecture.startswith("encoder/hf/")
    assert (model.spec.num_classes, model.spec.in_channels) == (0, images.shape[1])
    if model.size_known:
        assert model.spec.input_size == tuple(images.shape[2:])
    tap = tapped(model.build(), 0, input_shape=tuple(images.shape[1:]))
    out = tap(images)
    assert out.features.sub(embedding).abs().max() < 1e-5 and out.logits.shape == (4, 0)
    assert tap.feature_dim == embedding.shape[1] and len(tap.blocks) >= 4
    out.features.sum().backward()  # nothing within is left out, and nothing beside is within
    assert all(value.grad is not None for key, value in tap.module.named_parameters() if "mask_token" not in key)


@pytest.mark.parametrize("name", ENCODERS)
def test_the_files_own_keys_and_values_come_back(tmp_path, name):
    weights, _ = write_folder(tmp_path, name, half=True)
    back = load_file(export(tmp_path, "same", tmp_path / "back" / FILE, with_card=False).path)
    kept = {key: value for key, value in weights.items() if not key.startswith("text_model.")}
    assert back.keys() == kept.keys()
    assert all(back[key].dtype == value.dtype and torch.equal(back[key], value) for key, value in kept.items())


def test_a_large_pooler_is_left_out_and_said_to_be(tmp_path):
    weights, embedding = write_folder(tmp_path, "vit-encoder")
    rewrite(tmp_path, weights | {"pooler.dense.weight": torch.zeros(200, 200)})
    model = open_model(tmp_path)
    assert model.form.dropped == ("pooler",) and differs(model, "vit-encoder", embedding) < 1e-5
    result = export(tmp_path, "same", tmp_path / "back" / FILE, with_card=False)
    assert load_file(result.path).keys() == weights.keys() - {"pooler.dense.weight", "pooler.dense.bias"}
    assert any(note.startswith("pooler dropped") for note in result.notes)


def test_transformers_says_the_same_of_the_exported_file(tmp_path):
    transformers = pytest.importorskip("transformers")
    for name in ("vit-encoder", "clip-with-projection"):
        weights, embedding = write_folder(tmp_path / name, name)
        rewrite(tmp_path / name, {key: 1.1 * value for key, value in weights.items()})
        model = open_model(tmp_path / name)
        export(tmp_path / name, "same", tmp_path / "out.safetensors", with_card=False)
        (tmp_path / "out.safetensors").rename(tmp_path / name / FILE)
        loaded = getattr(transformers, ENCODERS[name][0]).from_pretrained(tmp_path / name).eval()
        images = images_of(stored()[name]["config"])
        with torch.no_grad():
            said = said_by(loaded, images)
        assert said.sub(tap_of(model)(images).features).abs().max() < 1e-5 < said.sub(embedding).abs().max()


@pytest.mark.parametrize(("name", "front"), [("vit-encoder", "vit."), ("clip-image-half", "vision_model.")])
def test_keys_with_the_familys_name_in_front_are_the_same_encoder(tmp_path, name, front):
    weights, embedding = write_folder(tmp_path, name)
    rewrite(tmp_path, {front + key: value for key, value in weights.items()})
    model = open_model(tmp_path)
    assert model.form.prefix == front and differs(model, name, embedding) < 1e-5
    back = load_file(export(tmp_path, "same", tmp_path / "back" / FILE, with_card=False).path)
    assert back.keys() == {front + key for key in weights}


def test_the_id_alone_builds_it_and_what_may_be_a_head_is_asked_about(tmp_path):
    weights, embedding = write_folder(tmp_path, "clip")
    (tmp_path / "config.json").unlink()
    arch = "encoder/hf/clip_vision_model:hidden_size=24,num_hidden_layers=2,num_attention_heads=3,"
    arch += "intermediate_size=40,patch_size=8"
    assert differs(open_model(tmp_path, arch=arch), "clip", embedding) < 1e-5
    rewrite(tmp_path, weights | {"classifier.weight": torch.zeros(7, 24)})
    with pytest.raises(UnknownNetworkError, match=r"beside it classifier\.weight, perhaps its head"):
        open_model(tmp_path, arch=arch)
    assert differs(read_model(tmp_path, key="vision_model").opened(arch=arch), "clip", embedding) < 1e-5
    image_half = {key.removeprefix("vision_model."): value for key, value in weights.items() if "vision_model" in key}
    rewrite(tmp_path, image_half | {"classifier.weight": torch.zeros(7, 24)})
    with pytest.raises(InputError, match=r"do not fit encoder/hf/clip.* 1 unexpected \(classifier\.weight\)"):
        open_model(tmp_path, arch=arch)


def test_older_folders_number_their_places_and_say_what_generated_text_needs(tmp_path):
    weights, embedding = write_folder(tmp_path, "clip")
    config = json.loads((tmp_path / "config.json").read_text())
    image_half = {**config["vision_config"], "dropout": 0.0, "top_k": 50, "is_decoder": False, "bad_words_ids": None,
                  "id2label": {"0": "LABEL_0", "1": "LABEL_1"}, "problem_type": None}  # fmt: skip
    config |= {"vision_config": {"hidden_size": 768}, "vision_config_dict": image_half}
    (tmp_path / "config.json").write_text(json.dumps(config))
    numbers = {"vision_model.embeddings.position_ids": torch.arange(17)[None]}
    rewrite(tmp_path, weights | numbers)
    model = open_model(tmp_path)
    assert differs(model, "clip", embedding) < 1e-5 and model.classes is None
    back = load_file(export(tmp_path, "same", tmp_path / "back" / FILE, with_card=False).path)
    assert torch.equal(back[next(iter(numbers))], torch.arange(17)[None])


def test_images_are_prepared_as_the_folder_says(tmp_path):
    write_folder(tmp_path, "clip")
    prepared = {"image_processor_type": "CLIPImageProcessor", "do_center_crop": True, "crop_size": 32, "resample": 3,
                "size": {"shortest_edge": 32}, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}  # fmt: skip
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(prepared | {"do_convert_rgb": True}))
    found = open_model(tmp_path).preprocessing
    assert found.source == "hugging face" and found.words.startswith("Resize(32, bicubic) → CenterCrop(32")
    said = inspect(str(tmp_path)).data
    assert said["num_classes"] == 0 and said["form"]["dropped"] == ["text_model"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"architectures": ["BeitModel"], "model_type": "beit"}, "none of the encoders built here.*: CLIPModel or ViT"),
        ({"architectures": ["SiglipVisionModel"], "model_type": "siglip_vision_model"}, "a model of images and text"),
        ({"architectures": ["CLIPTextModel"], "model_type": "clip_text_model"}, "a model of images and text"),
        ({"architectures": ["CLIPForImageClassification"], "model_type": "clip"}, "not among the networks built here"),
        ({"architectures": ["ViTForMaskedImageModeling"]}, "a model from pretraining, without a head"),
        ({"rotary": 3}, "the setting rotary, which is not known of Hugging Face's vit"),
        ({"num_hidden_layers": 3}, r"config\.json says encoder/hf/vit.*the weights do not fit it: \d+ missing"),
    ],
)
def test_what_does_not_open_is_refused_by_name(tmp_path, changed, message):
    write_folder(tmp_path, "vit-without-pooler", **changed)
    with pytest.raises((InputError, MismatchError), match=message):
        open_model(tmp_path)


def test_a_network_that_has_no_head_is_named_as_an_encoder():
    with pytest.raises(InputError, match=r"CLIPVisionModel has no head\. Name it encoder/hf/clip_vision_model:patch_s"):
        get_architecture("hf/clip_vision_model:patch_size=14")
