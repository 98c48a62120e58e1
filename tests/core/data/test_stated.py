"""Preparations as other programs write them, against what those programs do with the same words."""

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import models
from torchvision import transforms as T
from torchvision.transforms import InterpolationMode as Mode
from torchvision.transforms import v2

from core.data.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from core.data.sources import open_dataset
from core.data.stated import own_keys, read_stated, stated_in
from core.errors import InputError

MEAN, STD = list(IMAGENET_MEAN), list(IMAGENET_STD)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    root = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for part in ("train/a", "train/b", "test/a"):
        (root / part).mkdir(parents=True)
        for number, size in enumerate(((96, 144), (131, 88))):
            small = Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8))
            small.resize(size[::-1], Image.Resampling.BICUBIC).save(root / part / f"{number}.png")
    return root


def prepared(photos, tmp_path, content):
    """Network input of the training images under a --preprocess file with this content, and the preparation."""
    file = tmp_path / "said.txt"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    data = open_dataset(str(photos), preprocess_file=file)
    return data.preprocessing.apply(data.train.images), data


def cropped(side):
    """A centre crop as Hugging Face's processors do it: half a pixel is rounded down, not to the even one."""

    def crop(image):
        left, top = (image.width - side) // 2, (image.height - side) // 2
        return image.crop((left, top, left + side, top + side))

    return crop


def owners(photos, data, pipeline):
    return torch.stack([pipeline(Image.open(photos / path).convert("RGB")) for path in data.train.paths])


COMPOSED = {
    "plain": T.Compose([T.Resize(36), T.CenterCrop(32), T.ToTensor(), T.Normalize(MEAN, STD)]),
    "exact, no mean": T.Compose([T.Resize((32, 40), Mode.BICUBIC), T.ToTensor()]),
    "pad and grey": T.Compose([T.Resize([28, 28]), T.Pad(2, fill=9), T.Grayscale(3), T.ToTensor(),
                               T.Normalize((0.5,) * 3, (0.5,) * 3)]),
    "v2": v2.Compose([v2.Resize(size=(33, 31), interpolation=Mode.LANCZOS), v2.PILToTensor(),
                      v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean=MEAN, std=STD)]),
    "grey alone": T.Compose([T.Grayscale(), T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.1307], [0.3081])]),
}  # fmt: skip


@pytest.mark.parametrize("name", COMPOSED)
def test_what_python_prints_of_transforms_is_read(photos, tmp_path, name):
    pipeline = COMPOSED[name]
    found, data = prepared(photos, tmp_path, str(pipeline))
    wanted = owners(photos, data, pipeline)  # v2 multiplies by 1 / 255 instead of dividing by 255
    assert torch.equal(found, wanted) or (name == "v2" and torch.allclose(found, wanted, atol=1e-6, rtol=1e-6))
    listed = [line.strip() for line in str(pipeline).splitlines()[1:-1]]
    assert torch.equal(prepared(photos, tmp_path, listed)[0], found)
    assert torch.equal(prepared(photos, tmp_path, {"transforms": listed})[0], found)


def test_a_list_of_objects_is_read(photos, tmp_path):
    for listed in (
        [{"Resize": 36}, {"CenterCrop": 32}, {"Normalize": {"mean": MEAN, "std": STD}}],
        [{"transforms.Resize": [36]}, "T.CenterCrop(32)", "ToTensor", {"Normalize": [MEAN, STD]}],
        "Compose([Resize(36), CenterCrop(32), ToTensor(), Normalize(mean=[0.485, 0.456, 0.406], "
        "std=[0.229, 0.224, 0.225])])",
    ):
        found, data = prepared(photos, tmp_path, listed)
        assert torch.equal(found, owners(photos, data, COMPOSED["plain"]))


@pytest.mark.parametrize(
    "text",
    [
        "Resize(36)\nCenterCrop(32),\n\nToTensor()\nNormalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])\n",
        "test_tf = T.Compose(\n    [\n        T.Resize(36),  # the short side\n        T.CenterCrop(32),\n"
        "        T.ToTensor(),\n        T.Normalize(\n            mean=[0.485, 0.456, 0.406],\n"
        "            std=[0.229, 0.224, 0.225],\n        ),\n    ]\n)\n",
    ],
)
def test_transforms_are_read_as_a_program_writes_them(photos, tmp_path, text):
    found, data = prepared(photos, tmp_path, text)
    assert torch.equal(found, owners(photos, data, COMPOSED["plain"]))


def test_means_are_read_as_products_and_fractions(photos, tmp_path):
    text = "Resize((32, 32))\nToTensor()\nNormalize([0.5] * 3, (63.0 / 255, 62.1 / 255.0, 0.25))"
    found, data = prepared(photos, tmp_path, text)
    pipeline = [T.Resize((32, 32)), T.ToTensor(), T.Normalize([0.5] * 3, (63.0 / 255, 62.1 / 255.0, 0.25))]
    assert torch.equal(found, owners(photos, data, T.Compose(pipeline)))


@pytest.mark.parametrize("mean", ["[0.5] * 99", "[0.5] + [0.1]", "3 / 0", "__import__('os') * 3"])
def test_what_is_no_such_product_or_fraction_is_refused(photos, tmp_path, mean):
    with pytest.raises(InputError, match="is no transform"):
        prepared(photos, tmp_path, f"Resize((32, 32))\nNormalize({mean}, 0.5)")


def test_a_size_alone_is_read_as_it_is_written(photos, tmp_path):
    stated, data = prepared(photos, tmp_path, {"size": [20, 24], "mean": MEAN, "std": STD, "interpolation": "bicubic"})
    assert data.preprocessing.transforms[0] == "Fit((20, 24), bicubic)"
    for content in (data.preprocessing.transforms, "\n".join(data.preprocessing.transforms)):
        found, again = prepared(photos, tmp_path, content)
        assert again.preprocessing == data.preprocessing and torch.equal(found, stated)


def test_bytes_that_are_not_scaled_stay_bytes(photos, tmp_path):
    found, data = prepared(photos, tmp_path, ["Resize((32, 32))", "PILToTensor()", "Normalize(120, 60)"])
    assert found.min() >= -2 and found.max() <= 255 / 60 and data.channels == 3
    pixels = owners(photos, data, T.Compose([T.Resize((32, 32)), T.PILToTensor()])).float()
    torch.testing.assert_close(found, (pixels - 120) / 60)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (["RandomCrop(32)"], "holds RandomCrop, which is for training only.*List what images go through"),
        ([{"RandomHorizontalFlip": 0.5}], "RandomHorizontalFlip, which is for training only"),
        (["ColorJitter()"], "ColorJitter, which is for training only"),
        (["Lambda()"], "holds Lambda, which is none of Resize, CenterCrop, Pad, Grayscale, ToTensor, Normalize"),
        (["Resise(3)"], r"holds Resise \(did you mean Resize\?\)"),
        (["FiveCrop(3)"], "holds FiveCrop"),
        ("", "is empty"),
        ("Fit((20, 24), bilinear)\nCenterCrop(16)\nToTensor()", "no other step goes with it"),
        (["CenterCrop(32, 24)"], r"'CenterCrop\(32, 24\)' is no transform"),
        (["Resize("], r"'Resize\(' is no transform"),
        (["Resize(__import__('os'))"], "Resize is wrong"),
        ([36], r'a transform is written {"Resize": 36} or "Resize\(36\)", got 36'),
        (["Resize(32, foo=1)"], "unknown field `foo`"),
        (["Normalize(0.5)"], "Normalize needs mean and std"),
        ({"input_size": [3, 32, 32], "mean": 0.5, "std": 0.5, "interpolation": "random"}, "interpolation 'random'"),
        ({"image_processor_type": "CLIPImageProcessor", "size": 32, "image_mean": 0.5, "image_std": 0.5},
         "lacks resample"),
        ({"crop_size": 32, "resize": 36}, "holds resize beside torchvision's"),
        ({"resise": 36, "mean": 0.5, "std": 0.5}, "did you mean resize.*known are size, mean, std.*resize, crop"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_refused_by_name(photos, tmp_path, content, words):
    with pytest.raises(InputError, match=words):
        prepared(photos, tmp_path, content)


@pytest.mark.parametrize("name", ["resnet50", "efficientnet_b3", "vit_b_16", "swin_v2_t", "convnext_tiny"])
def test_the_transforms_of_torchvisions_weights_are_read(photos, tmp_path, name):
    transforms = models.get_model_weights(name).DEFAULT.transforms()
    found, data = prepared(photos, tmp_path, str(transforms))
    wanted = torch.stack([transforms(Image.open(photos / path)) for path in data.train.paths])
    assert torch.equal(found, wanted)


def timms(size, crop_pct, mode, interpolation, mean, std):
    """transforms_imagenet_eval of timm 1.0, written out."""
    scaled = [math.floor(size / crop_pct)] * 2
    resize = T.Resize(scaled if mode == "squash" else scaled[0], Mode(interpolation))
    return T.Compose([resize, T.CenterCrop(size), T.ToTensor(), T.Normalize(mean, std)])


@pytest.mark.parametrize(
    ("config", "values"),
    [
        ({"input_size": [3, 48, 48], "mean": MEAN, "std": STD, "interpolation": "bicubic"},
         (48, 0.875, "center", "bicubic", MEAN, STD)),
        ({"input_size": [3, 40, 40], "mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bilinear", "crop_pct": 0.95,
          "crop_mode": "squash"}, (40, 0.95, "squash", "bilinear", [0.5] * 3, [0.5] * 3)),
        ({"input_size": [3, 32, 32], "mean": MEAN, "std": STD, "interpolation": "bicubic", "crop_pct": 1.0},
         (32, 1.0, "center", "bicubic", MEAN, STD)),
    ],
)  # fmt: skip
def test_timms_configuration_is_read(photos, tmp_path, config, values):
    wanted = timms(*values)
    for content in (config | {"crop_pct": values[1]}, {"architecture": "x", "pretrained_cfg": config}):
        found, data = prepared(photos, tmp_path, content)
        assert torch.equal(found, owners(photos, data, wanted))
    timm = pytest.importorskip("timm")
    own = timm.data.create_transform(**timm.data.resolve_data_config(pretrained_cfg=config))
    assert torch.equal(found, owners(photos, data, own))


HF = {"do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": MEAN, "image_std": STD}
# A configuration as Hugging Face's processors save it, and what they do with it on PIL images.
PROCESSORS = {
    "ViTImageProcessor": (
        {**HF, "size": {"height": 40, "width": 36}, "resample": 2, "do_resize": True},
        [T.Resize((40, 36))],
    ),
    "ViTFeatureExtractor": ({**HF, "size": 40, "resample": 3, "do_resize": True}, [T.Resize((40, 40), Mode.BICUBIC)]),
    "CLIPImageProcessor": (
        {**HF, "size": {"shortest_edge": 40}, "resample": 3, "do_center_crop": True,
         "crop_size": {"height": 38, "width": 38}},
        [T.Resize(40, Mode.BICUBIC), cropped(38)],
    ),
    "BitImageProcessor": (
        {**HF, "size": {"shortest_edge": 64}, "resample": 2, "do_center_crop": True, "crop_size": 56},
        [T.Resize(64), cropped(56)],
    ),
    "ConvNextImageProcessor": (
        {**HF, "size": {"shortest_edge": 56}, "resample": 3, "crop_pct": 0.875},
        [T.Resize(64, Mode.BICUBIC), cropped(56)],
    ),
    "ConvNextFeatureExtractor": (
        {**HF, "size": {"shortest_edge": 384}, "resample": 3, "crop_pct": 0.875},
        [T.Resize((384, 384), Mode.BICUBIC)],
    ),
    "DeiTImageProcessor": (
        {**HF, "size": {"height": 64, "width": 64}, "resample": 3, "do_center_crop": True,
         "crop_size": {"height": 56, "width": 56}},
        [T.Resize((64, 64), Mode.BICUBIC), cropped(56)],
    ),
    "LevitImageProcessor": (
        {**HF, "size": {"shortest_edge": 56}, "resample": 3, "do_center_crop": True,
         "crop_size": {"height": 56, "width": 56}},
        [T.Resize(64, Mode.BICUBIC), cropped(56)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROCESSORS)
def test_hugging_faces_configuration_is_read(photos, tmp_path, name):
    config, steps = PROCESSORS[name]
    kind = "feature_extractor_type" if "Extractor" in name else "image_processor_type"
    found, data = prepared(photos, tmp_path, {**config, kind: name})
    wanted = owners(photos, data, T.Compose([*steps, T.ToTensor(), T.Normalize(MEAN, STD)]))
    assert torch.equal(found, wanted), data.preprocessing.words
    transformers = pytest.importorskip("transformers")
    processor = getattr(transformers, name.replace("FeatureExtractor", "ImageProcessor")).from_dict(dict(config))
    images = [Image.open(photos / path) for path in data.train.paths]
    theirs = torch.stack([processor(image, return_tensors="pt")["pixel_values"][0] for image in images])
    # Theirs resizes tensors: one of 255 levels off here and there.
    assert theirs.shape == found.shape and (theirs - found).abs().mean() < 0.01
    assert (theirs - found).abs().max() < 2.5 / 255 / min(STD)


def test_values_that_hugging_face_scales_otherwise():
    config = {"image_processor_type": "EfficientNetImageProcessor", "do_resize": False, "rescale_factor": 1 / 127.5,
              "rescale_offset": True, "image_mean": [0.1] * 3, "image_std": [0.5] * 3}  # fmt: skip
    p = Preprocessing.from_dict(own_keys(config, "x")).of_size((16, 16))
    image = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1).expand(1, 16, 16, 3)
    wanted = ((image.permute(0, 3, 1, 2).float() / 127.5 - 1) - 0.1) / 0.5 / 0.5
    torch.testing.assert_close(p.apply(image), wanted, atol=1e-5, rtol=1e-5)
    for flags, low, high in (({"do_rescale": False}, 0, 255), ({}, 0, 1)):
        p = Preprocessing.from_dict(own_keys({"do_resize": False, "do_normalize": False, **flags}, "x"))
        values = p.of_size((16, 16)).apply(image[..., :1])
        assert (float(values.min()), float(values.max())) == (low, pytest.approx(high))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"do_normalize": True, "size": 32}, "lacks image_mean or image_std"),
        ({**HF, "image_processor_type": "ViTImageProcessor", "size": {"longest_edge": 32}}, "size .* is not known"),
        ({**HF, "size": 32, "do_pad": True}, "do_pad is not known"),
        ({"crop_pct": 0.9}, "lacks input_size, mean or std"),
        ({"crop_mode": "border", "input_size": [3, 8, 8], "mean": MEAN, "std": STD}, "crop_mode 'border'"),
    ],
)  # fmt: skip
def test_configurations_that_cannot_be_followed_are_refused(config, words):
    with pytest.raises(InputError, match=words):
        own_keys(config, "The preprocessing in x.json")


def test_a_model_card_is_a_preparation_too(tmp_path):
    p = Preprocessing.from_dict({"resize": 36, "crop": 32, "mean": MEAN, "std": STD})
    (tmp_path / "card.json").write_text(json.dumps({"architecture": "mlp", "preprocessing": p.to_dict()}))
    assert Preprocessing.from_dict(read_stated(tmp_path / "card.json")) == p


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ToTensor(" + "(" * 3000, "is no transform"),
        ("Resize(" + "-" * 5000 + "1)", "is no transform"),
        ("a" + ".a" * 5000, "x"),
        ("Resize(" + "9" * 5000 + ")", "is no transform"),
        ("Normalize([1" + "0" * 400 + " / 3], [1])", "is no transform"),
        ("Resize({[]: 1})", "is no transform"),
        ("# " + "x" * 70_000, "has 70,002 characters of transforms, and at most 65,536 are read"),
        ("[" * 400 + "]" * 400, "x"),
        ('{"preprocessing": {"size": 8, "mean": 0.5, "std": 0.5, "source": []}}', ""),
        ('{"do_resize": true, "resample": 3, "size": {"shortest_edge": 224}, "crop_pct": 1e-308}', "x"),
    ],
)
def test_text_of_any_content_is_read_or_refused_in_a_short_sentence(text, words):
    try:
        Preprocessing.from_dict(stated_in(text, "x"), base=Preprocessing.unscaled(3, (8, 8)))
    except InputError as error:
        assert words and words in error.message and len(error.text) < 600
    else:
        assert not words or text.startswith("[")
