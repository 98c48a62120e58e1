"""Batches: augmentation depends on seed, stream, epoch and the place of an image in the data, on nothing else."""

from __future__ import annotations

import itertools

import pytest
import torch

from core.data.batches import Augmentation, ImageStore
from tests.core.toy import DATA

AUGMENTATION = Augmentation(2, flip=True)


@pytest.fixture
def store() -> ImageStore:
    return ImageStore(DATA.train, DATA.preprocessing, torch.device("cpu"))


def test_augmentation_follows_the_seed_the_stream_and_the_epoch(store):
    ids = torch.arange(40)
    drawn = [
        store.batch(ids, AUGMENTATION, seed, stream, epoch).images
        for seed, stream, epoch in ((0, "retain", 0), (1, "retain", 0), (0, "forget", 0), (0, "retain", 1))
    ]
    for one, other in itertools.combinations(drawn, 2):
        assert not torch.equal(one, other)
    assert torch.equal(drawn[1], store.batch(ids, AUGMENTATION, 1, "retain", 0).images)


def test_an_image_is_augmented_alike_in_whatever_batch_it_stands(store):
    whole = store.batch(torch.arange(40), AUGMENTATION, 3, "retain", 2).images
    some = torch.tensor([31, 4, 4, 17])
    assert torch.equal(store.batch(some, AUGMENTATION, 3, "retain", 2).images, whole[some])


def test_without_augmentation_the_seed_does_not_matter(store):
    ids = torch.arange(8)
    assert torch.equal(store.batch(ids, seed=1).images, store.batch(ids, seed=2).images)
