"""What an opened data set promises: shapes and types, and that a wrong set cannot be made."""

import pytest
import torch

from core.data.dataset import ImageSet
from core.data.named import SOURCES
from core.data.sources import open_dataset

DIGITS_FINGERPRINT = "d547cc54815248d93ab04bece5f7c6f3495c0514297066e69369a21454cd08ec"


def images(n=3):
    return torch.zeros((n, 4, 5, 1), dtype=torch.uint8)


@pytest.mark.parametrize(
    ("pixels", "labels", "paths", "words"),
    [
        (images().float(), torch.zeros(3, dtype=torch.int64), None, "uint8"),
        (images()[0], torch.zeros(3, dtype=torch.int64), None, "n, H, W, C"),
        (images(), torch.zeros(2, dtype=torch.int64), None, "labels"),
        (images(), torch.zeros(3), None, "int64"),
        (images(), torch.zeros(3, dtype=torch.int64), ("a",), "paths"),
    ],
)
def test_a_wrong_image_set_is_refused(pixels, labels, paths, words):
    with pytest.raises(ValueError, match=words):
        ImageSet(pixels, labels, paths)


def test_digits_are_the_embedded_example():
    data = open_dataset("digits")
    assert data.classes == tuple("0123456789")
    assert (data.num_classes, data.channels, data.image_size) == (10, 1, (8, 8))
    assert len(data.train) + len(data.test) == 1797
    assert 590 <= len(data.test) <= 610
    assert data.test_origin == "own" and data.root is None and data.train.paths is None
    assert data.train.images.min() == 0 and data.train.images.max() == 255
    assert (data.preprocessing.source, data.preprocessing.size) == ("data set", (8, 8))
    for labels in (data.train.labels, data.test.labels):
        share = torch.bincount(labels, minlength=10) / len(labels)
        assert share.min() > 0.09 and share.max() < 0.11


def test_digits_have_the_same_split_every_time_and_everywhere():
    first, second = open_dataset("digits"), open_dataset("digits")
    assert torch.equal(first.train.images, second.train.images)
    # Written down once: another machine or library version must find the same split.
    assert first.fingerprint == second.fingerprint == DIGITS_FINGERPRINT


def test_no_digit_is_in_both_parts():
    from sklearn.datasets import load_digits

    data = open_dataset("digits")
    both = torch.cat([data.train.images, data.test.images]).reshape(-1, 64).numpy().tolist()
    assert sorted(both) == sorted((load_digits().images.reshape(-1, 64) * 255 / 16).round().astype(int).tolist())


def test_catalogue_starts_with_the_example_and_names_are_unique():
    ids = [source.id for source in SOURCES]
    assert ids[0] == "fashion-sample" and len(set(ids)) == len(ids)
    assert {"fashion-mnist", "mnist", "cifar10", "cifar100", "svhn", "tiny-imagenet"} <= set(ids)
    assert SOURCES[0].available()
