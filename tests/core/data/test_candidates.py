"""The usual preparations: those that owners write are among them, none twice, and a data set is prepared by any."""

import dataclasses

import numpy as np
import pytest
import torch
from torchvision import transforms as T

from core.data.candidates import usual_candidates
from core.data.preprocessing import IMAGENET_MEAN, IMAGENET_STD, MEASURED, Preprocessing
from core.data.sources import open_dataset, prepare_anew
from core.data.steps import CenterCrop, Resize
from core.files import cache_home

FOLDERS = {"train/a": 4, "train/b": 4, "test/a": 2}


@pytest.fixture
def photos(tmp_path, class_folders):
    return class_folders(tmp_path / "photos", FOLDERS, size=(96, 144))


def pixels(dataset, candidate):
    return dataset.prepared(np.arange(len(dataset.train)), candidate)


@pytest.mark.parametrize("size", [None, (32, 32)])
def test_what_owners_write_is_among_them(photos, size):
    from PIL import Image

    data = open_dataset(str(photos), undecided=True)
    found = [pixels(data, c) for c in usual_candidates(data, size=size)]
    for steps in ([T.Resize((32, 32))], [T.Resize(36), T.CenterCrop(32)], [T.Resize(32), T.CenterCrop(32)]):
        for values in ((IMAGENET_MEAN, IMAGENET_STD), ((0.5,) * 3, (0.5,) * 3), ((0.0,) * 3, (1.0,) * 3)):
            owners = T.Compose([*steps, T.ToTensor(), T.Normalize(*values)])
            wanted = torch.stack([owners(Image.open(photos / path)) for path in data.train.paths])
            assert any(torch.equal(wanted, images) for images in found), (steps, values)


def test_no_two_are_alike_and_all_give_the_size_that_weights_are_made_for(photos):
    data = open_dataset(str(photos), undecided=True)
    candidates = usual_candidates(data, size=(32, 32))
    assert {c.size for c in candidates} == {(32, 32)} and {c.source for c in candidates} == {"tried"}
    images = [pixels(data, c) for c in candidates]
    assert not any(torch.equal(a, b) for i, a in enumerate(images) for b in images[:i])
    sizes = {c.size for c in usual_candidates(data)}
    assert {(96, 144), (32, 32), (96, 96), (224, 224)} <= sizes
    assert usual_candidates(data)[0].steps == ()  # as stored


def test_square_images_that_have_the_size_are_taken_as_they_are(tmp_path, class_folders):
    data = open_dataset(str(class_folders(tmp_path, FOLDERS, size=(32, 32))), undecided=True)
    candidates = usual_candidates(data, size=(32, 32))
    assert {c.steps for c in candidates} == {(), (Resize((36,)), CenterCrop((32, 32)))}


@pytest.mark.parametrize(
    ("stated", "wanted"),
    [({"mean": [0.5] * 3, "std": [0.5] * 3}, ((), (32, 32))), ({"resize": 28}, ((Resize((28,)),), (28, 28)))],
)
def test_a_part_that_is_stated_leaves_the_size_of_images_as_they_are_stored(tmp_path, class_folders, stated, wanted):
    dataset = open_dataset(str(class_folders(tmp_path, FOLDERS, size=(32, 32))), undecided=True)

    candidates = usual_candidates(dataset, channels=3, stated=stated)

    assert wanted in [(one.steps, one.size) for one in candidates]
    assert all(0 not in one.size for one in candidates)


def test_the_published_preparation_comes_first(photos):
    data = open_dataset(str(photos), undecided=True)
    published = Preprocessing(
        (48, 48), (0.1, 0.2, 0.3), (0.4,) * 3, steps=(Resize((50,), "bicubic"), CenterCrop((48, 48)))
    )
    first = usual_candidates(data, published=published)[0]
    assert (first.steps, first.mean, first.size) == (published.steps, published.mean, (48, 48))


def test_grey_and_colour_follow_the_network(photos, tmp_path, class_folders):
    data = open_dataset(str(photos), undecided=True, channels=1)
    assert data.channels == 1 and data.stored_channels == 3
    candidates = usual_candidates(data, channels=1, size=(32, 32))
    assert all(c.channels == 1 and c.words.startswith("Grayscale(1)") for c in candidates)
    assert pixels(data, candidates[0]).shape == (8, 1, 32, 32)
    grey = open_dataset(str(class_folders(tmp_path / "g", FOLDERS, size=(28, 28), mode="L")), undecided=True)
    assert {c.channels for c in usual_candidates(grey)} == {1}
    assert (0.1307,) in {c.mean for c in usual_candidates(grey)}
    colour = usual_candidates(grey, channels=3)
    assert pixels(grey, colour[0]).shape[1] == 3


def test_measured_values_are_those_of_all_images_where_they_are_in_memory():
    data = open_dataset("digits")
    assert data.preprocessing.mean in {c.mean for c in usual_candidates(data)}
    undecided = open_dataset("digits", undecided=True)
    assert data.preprocessing.mean in {c.mean for c in usual_candidates(undecided)}


def test_undecided_data_is_not_decoded_and_then_prepared_as_found(photos, monkeypatch):
    from core.data import originals

    with monkeypatch.context() as patched:
        patched.setattr(originals, "decode_into", lambda *a: pytest.fail("an image was decoded"))
        data = open_dataset(str(photos), undecided=True)
    assert not list((cache_home() / "decoded").glob("*"))  # no place is taken for images that are never read so
    assert data.preprocessing.source == "undecided" and data.fingerprint == open_dataset(str(photos)).fingerprint
    chosen = usual_candidates(data, size=(32, 32))[0]
    for budget in (None, 0):
        again = prepare_anew(data, chosen, memory_budget=budget)
        assert isinstance(again.train.images, torch.Tensor) == (budget is None)
        assert again.preprocessing == chosen and again.fingerprint == data.fingerprint
        assert torch.equal(again.preprocessing.apply(again.train.images[:]), pixels(data, chosen))
        assert again.train.paths == data.train.paths and again.test.images.shape == (2, 32, 32, 3)


def test_data_whose_classes_follow_from_a_model_keeps_its_own_beside_them(photos):
    data = open_dataset(str(photos), undecided=True)
    labels = [dataclasses.replace(part, labels=1 - part.labels) for part in (data.train, data.test)]
    settled = dataclasses.replace(data, classes=("b", "a"), train=labels[0], test=labels[1], as_read=data)
    again = prepare_anew(settled, usual_candidates(data, size=(32, 32))[0])
    assert again.as_read.classes == ("a", "b") and again.as_read.preprocessing == again.preprocessing
    assert again.as_read.train.images is again.train.images
    assert torch.equal(again.as_read.train.labels, data.train.labels)
    assert torch.equal(again.train.labels, 1 - data.train.labels)


def test_arrays_that_stay_as_they_are_are_not_copied():
    data = open_dataset("digits")
    for steps in ((), (Resize((8,)), CenterCrop((8, 8)))):
        again = prepare_anew(data, Preprocessing((8, 8), (0.5,), (0.5,), steps=steps))
        assert again.train.images.data_ptr() == data.train.images.data_ptr() and again.preprocessing.mean == (0.5,)
    assert prepare_anew(data, Preprocessing((9, 9), (0.5,), (0.5,), steps=(Resize((9,)),))).image_size == (9, 9)


def test_what_is_stated_is_never_undecided(photos, tmp_path):
    card = Preprocessing((16, 16), (0.5,) * 3, (0.5,) * 3, source="model card")
    assert open_dataset(str(photos), undecided=True, preprocessing=card).preprocessing == card
    (tmp_path / "said.json").write_text('{"resize": [20, 20], "mean": 0.5, "std": 0.5}')
    data = open_dataset(str(photos), undecided=True, preprocess_file=tmp_path / "said.json")
    assert data.preprocessing.source == "file" and isinstance(data.train.images, torch.Tensor)


def test_the_mean_of_a_sample_becomes_that_of_all_images_once_it_is_taken(tmp_path, class_folders):
    root = class_folders(tmp_path / "many", {"train/a": 200, "train/b": 200, "test/a": 2}, size=(6, 6))
    whole = open_dataset(str(root)).preprocessing
    data = open_dataset(str(root), undecided=True)
    ways = usual_candidates(data)
    sampled = next(one for one in ways if one.source == MEASURED)
    taken = prepare_anew(data, sampled).preprocessing
    assert (sampled.mean, sampled.std) != (whole.mean, whole.std) == (taken.mean, taken.std)
    assert taken.source == "tried" and all(one.source in (MEASURED, "tried") for one in ways)
    assert usual_candidates(data, stated={"resize": 6})[0].source.endswith("in part")
