"""Preprocessing against torchvision's own transforms, its file format and its words for wrong values."""

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from core.data.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing, measure_preprocessing
from core.errors import InputError, MismatchError


def imagenets(size):
    return Preprocessing(size, IMAGENET_MEAN, IMAGENET_STD)


def random_images(n=5, h=9, w=7, c=3):
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (n, h, w, c), dtype=np.uint8))


def test_apply_is_torchvisions_to_tensor_and_normalize():
    images = random_images()
    p = imagenets((9, 7))
    expected = v2.functional.normalize(images.permute(0, 3, 1, 2).float() / 255, p.mean, p.std)
    result = p.apply(images)
    assert result.dtype == torch.float32 and result.shape == (5, 3, 9, 7)
    torch.testing.assert_close(result, expected)


@pytest.mark.parametrize("size", [(18, 14), (4, 3), (9, 14)])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_apply_resizes_like_torchvision(size, interpolation):
    images = random_images()
    p = Preprocessing(size, (0.0,) * 3, (1.0,) * 3, interpolation)
    scaled = v2.functional.resize(
        images.permute(0, 3, 1, 2).float() / 255, list(size), v2.InterpolationMode(interpolation), antialias=True
    )
    torch.testing.assert_close(p.apply(images), scaled.clamp(0, 1), atol=1e-6, rtol=1e-5)


def test_apply_keeps_channels_last_and_leaves_the_images_alone():
    images = random_images()
    before = images.clone()
    result = imagenets((9, 7)).apply(images)
    assert result.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(images, before)


def test_apply_refuses_another_number_of_channels():
    with pytest.raises(MismatchError, match=r"for 3 channels, the images have 1 channel\."):
        imagenets((9, 7)).apply(random_images(c=1))


def test_measured_values_are_numpys_rounded():
    images = random_images(50).numpy()
    p = measure_preprocessing(images)
    assert p.mean == tuple(np.round((images / 255).mean(axis=(0, 1, 2)), 4))
    assert p.std == tuple(np.round((images / 255).std(axis=(0, 1, 2)), 4))


def test_a_constant_channel_is_not_divided_by_zero():
    p = measure_preprocessing(np.full((3, 2, 2, 1), 51, dtype=np.uint8))
    assert (p.mean, p.std) == ((0.2,), (1.0,))


def test_round_trip_through_a_dictionary():
    p = Preprocessing((32, 24), (0.5, 0.4, 0.3), (0.2, 0.2, 0.1), "bicubic", "model card")
    assert Preprocessing.from_dict(p.to_dict()) == p


def test_what_a_file_leaves_out_comes_from_the_base():
    base = Preprocessing((28, 28), (0.1,) * 3, (0.2,) * 3)
    p = Preprocessing.from_dict({"size": 32, "mean": 0.5}, base=base, source="file")
    assert p == Preprocessing((32, 32), (0.5,) * 3, (0.2,) * 3, "bilinear", "file")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "must be a JSON object"),
        ({}, "size is missing; mean is missing; std is missing"),
        ({"size": 0}, "size must be one or two whole numbers from 1 to 8192, got 0"),
        ({"size": [3, 4, 5]}, "one or two whole numbers"),
        ({"size": True}, "one or two whole numbers"),
        ({"mean": [123.7, 116.3, 103.5]}, r"mean must lie on the 0..1 scale.*divide by 255\?"),
        ({"std": [0.2, 0.0, 0.2]}, "std must be above 0"),
        ({"std": [58.4]}, r"divide by 255\?"),
        ({"mean": "half"}, "mean must be a number or a list of numbers"),
        ({"mean": []}, "mean must be a number or a list"),
        ({"size": 8, "mean": [0.1, 0.2, 0.3], "std": [1, 1]}, "mean has 3 values, std has 2"),
        ({"interpolation": "lanczos"}, "interpolation must be one of nearest, bilinear, bicubic, got 'lanczos'"),
        ({"meen": 0.5}, r"unknown key 'meen' \(did you mean mean\?\)"),
    ],
)
def test_wrong_values_are_named(data, words):
    with pytest.raises(InputError, match=words):
        Preprocessing.from_dict(data)


def test_all_wrong_values_are_named_at_once():
    with pytest.raises(InputError) as caught:
        Preprocessing.from_dict({"size": -1, "mean": 7, "std": -1, "interpolation": "no"}, where="card.json")
    assert all(word in caught.value.message for word in ("card.json", "size", "mean", "std", "interpolation"))
