"""Images are prepared as the model's files say, else as its architecture was published with."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from core.data.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from core.data.steps import CenterCrop, Resize
from core.models.architectures import ModelSpec
from core.models.card import card_of, stated_preprocessing, usual_preprocessing
from core.session.bench import Bench, DataOptions

TIMM = {"input_size": [3, 48, 48], "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "interpolation": "bicubic"}


def usual(architecture, size=(224, 224), channels=3):
    return usual_preprocessing(ModelSpec(architecture, 5, channels, size))


@pytest.mark.parametrize(
    ("architecture", "size", "resized", "mean"),
    [
        ("resnet50", 224, "Resize(232, bilinear)", IMAGENET_MEAN[0]),
        ("efficientnet_b3", 300, "Resize(320, bicubic)", IMAGENET_MEAN[0]),
        ("inception_v3", 299, "Resize(342, bilinear)", 0.5),  # with transform_input, which no weight tells
        ("googlenet-no-aux", 224, "Resize(256, bilinear)", 0.5),
    ],
)
def test_torchvisions_transforms(architecture, size, resized, mean):
    found = usual(architecture)
    assert (found.size, found.mean[0], found.source) == ((size, size), mean, "weights")
    assert found.transforms[:2] == [resized, f"CenterCrop({size})"]


def test_a_size_that_weights_are_made_for_stays():
    found = usual("vit_b_16", (96, 96))
    assert found.size == (96, 96) and found.transforms[:2] == ["Resize(110, bilinear)", "CenterCrop(96)"]


def test_networks_without_published_weights_have_none():
    assert usual("small-cnn") is usual("resnet18-cifar") is usual("resnet50", channels=1) is None


def test_the_size_of_timms_networks():
    pytest.importorskip("timm")
    found = usual("timm/convnext_atto")
    assert (found.size, found.mean, found.transforms[0]) == ((224, 224), IMAGENET_MEAN, "Resize(256, bicubic)")


@pytest.fixture
def photos(tmp_path):
    """A folder of two classes of photographs in the making."""
    for name in ("train/a", "train/b", "test/a", "test/b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        pixels = np.random.default_rng(0).integers(0, 256, (80, 90, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / name / "x.png")
    return tmp_path / "photos"


@pytest.fixture
def weights(tmp_path):
    """A MobileNet's weights without a word about it."""
    from torchvision import models

    torch.save(models.mobilenet_v3_small(num_classes=2).state_dict(), tmp_path / "net.pt")
    return tmp_path / "net.pt"


def test_photographs_are_prepared_as_usual_for_the_architecture_where_nothing_else_fits_better(photos, weights):
    dataset = Bench().open(weights, str(photos)).dataset
    steps = (Resize((256,)), CenterCrop((224, 224)))
    assert dataset.preprocessing == Preprocessing((224, 224), IMAGENET_MEAN, IMAGENET_STD, "bilinear", "tried", steps)
    assert dataset.image_size == (224, 224)


@pytest.mark.parametrize("model_first", [True, False])
def test_a_window_comes_to_the_same_in_either_order(photos, weights, model_first):
    project = Bench()
    if model_first:
        project = project.with_model(weights).with_data(str(photos), DataOptions())
    else:
        project = project.with_data(str(photos), DataOptions())
        assert project.dataset.preprocessing.source == "assumed"
        project = project.with_model(weights)
    assert project.dataset.preprocessing == Bench().open(weights, str(photos)).dataset.preprocessing
    again = project.with_model(weights)
    assert again.dataset is project.dataset  # nothing to open again


def test_timms_config_beside_the_weights_wins(photos, weights):
    config = {"architecture": "mobilenetv3_small_100", "num_classes": 2, "pretrained_cfg": TIMM}
    weights.with_name("config.json").write_text(json.dumps(config))
    assert stated_preprocessing(weights, *card_of(weights)).source == "timm config"
    found = Bench().open(weights, str(photos)).dataset.preprocessing
    assert (found.size, found.std, found.transforms[0]) == ((48, 48), (0.25,) * 3, "Resize(54, bicubic)")
    project = Bench().with_data(str(photos), DataOptions()).with_model(weights)
    assert project.dataset.preprocessing == found


def test_hugging_faces_configuration_of_images_beside_the_weights_is_used(photos, weights):
    content = {"image_processor_type": "ViTImageProcessor", "do_resize": True, "size": {"height": 40, "width": 40},
               "resample": 3, "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}  # fmt: skip
    weights.with_name("preprocessor_config.json").write_text(json.dumps(content))
    found = Bench().open(weights, str(photos)).dataset.preprocessing
    assert found.words == "Resize((40, 40), bicubic) → RGB, values -1..1; from preprocessor_config.json"


def test_what_the_user_says_wins_over_what_is_usual(photos, weights, tmp_path):
    (tmp_path / "said.json").write_text('{"size": 70, "mean": 0.4}')
    options = DataOptions(preprocess_file=str(tmp_path / "said.json"))
    found = Bench().open(weights, str(photos), options).dataset.preprocessing
    assert (found.size, found.mean, found.std) == ((70, 70), (0.4,) * 3, (0.229, 0.224, 0.225))
    assert found.source == "tried in part"  # std and the way to that size are not stated


def test_another_programs_config_says_nothing(weights):
    for content in ('{"architectures": ["ViT"]}', "[]", "{"):
        weights.with_name("config.json").write_text(content)
        assert stated_preprocessing(weights, *card_of(weights)) is None
