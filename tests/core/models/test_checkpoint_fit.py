"""Model and data are held against each other before anything runs; both values are named."""

import json

import numpy as np
import pytest
import torch

from core.errors import MismatchError
from core.models.architectures import ModelSpec, build_model
from core.models.fit import check_fit
from core.session.bench import Bench, DataOptions
from tests.core.models.opened import open_model


@pytest.fixture
def opened(tmp_path, make_model):
    """Opens a saved model, with a card where fields of one are given."""

    def open_saved(architecture="small-cnn", num_classes=5, in_channels=1, size=(8, 8), card=None):
        path = tmp_path / "net.pt"
        torch.save(make_model(architecture, num_classes, in_channels, size).state_dict(), path)
        if card is not None:
            content = {"schema_version": 1, "architecture": architecture, **card}
            path.with_suffix(".json").write_text(json.dumps(content))
        return open_model(path)

    return open_saved


def test_a_pair_that_fits(opened, make_dataset):
    card = {"num_classes": 5, "in_channels": 1, "input_size": [8, 8], "classes": list("abcde")}
    model, dataset = opened(card=card), make_dataset()
    check_fit(model, dataset)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"classes": "abc"}, r"The model has 5 outputs, the data set 3 classes\. .*--classes"),
        ({"channels": 3}, "takes images of 1 channel, the data set's have 3 channels"),
        ({"size": (28, 28)}, "made for images of 8x8 pixels, the data set is prepared to 28x28 pixels"),
    ],
)
def test_structure_binds_without_a_card(opened, make_dataset, data, words):
    with pytest.raises(MismatchError, match=words) as caught:
        check_fit(opened(), make_dataset(**data))
    assert caught.value.exit_code == 3
    assert caught.value.hint


def test_size_is_free_where_structure_allows(opened, make_dataset):
    model = opened("resnet18-cifar", 5, 1, (16, 16))
    dataset = make_dataset(size=(24, 20))
    check_fit(model, dataset)
    with pytest.raises(MismatchError, match="resnet18-cifar needs images of at least 8x8 pixels"):
        check_fit(model, make_dataset(size=(4, 4)))


def test_small_cnn_takes_sizes_with_as_many_cells(opened, make_dataset):
    model = opened(size=(28, 28))
    check_fit(model, make_dataset(size=(32, 32)))
    with pytest.raises(MismatchError):
        check_fit(model, make_dataset(size=(33, 33)))


def test_size_that_matters_is_the_prepared_one(opened, make_dataset):
    check_fit(opened(), make_dataset(size=(28, 28), prepared=(8, 8)))


def test_card_channels_bind_whatever_images_are_made(tmp_path):
    """Grey networks on colour images: refused where a card says grey images, unless the user states the change."""
    model, data = tmp_path / "m.pt", tmp_path / "colour.npz"
    torch.manual_seed(0)
    torch.save(build_model(ModelSpec("small-cnn", 5, 1, (8, 8))).state_dict(), model)
    card = {"schema_version": 1, "architecture": "small-cnn", "num_classes": 5, "in_channels": 1, "input_size": [8, 8],
            "preprocessing": {"size": [8, 8], "mean": [0.3], "std": [0.4]}}  # fmt: skip
    model.with_suffix(".json").write_text(json.dumps(card))
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    np.savez(data, x_train=images, y_train=np.arange(20) % 5, x_test=images, y_test=np.arange(20) % 5)
    with pytest.raises(MismatchError, match="card says images of 1 channel, the data set's have 3 channels"):
        Bench().open(model, str(data))
    stated = tmp_path / "grey.json"
    stated.write_text('{"grey": 1, "size": 8, "mean": 0.3, "std": 0.4}')
    assert Bench().open(model, str(data), DataOptions(preprocess_file=str(stated))).dataset.channels == 1
    model.with_suffix(".json").write_text(json.dumps(card | {"image_channels": 3}))  # of a run on such images
    assert Bench().open(model, str(data)).dataset.channels == 1


def test_card_size_binds(opened, make_dataset):
    model = opened("resnet18-cifar", 5, 1, (16, 16), card={"input_size": [16, 16]})
    check_fit(model, make_dataset(size=(16, 16)))
    with pytest.raises(MismatchError, match="card says images of 16x16 pixels, the data set is prepared to 24x24"):
        check_fit(model, make_dataset(size=(24, 24)))
    with pytest.raises(MismatchError, match="card says images of 16x16 pixels, the data set has 24x24"):
        check_fit(model, make_dataset(size=(24, 24), prepared=(16, 16), source="model card"))
    check_fit(model, make_dataset(size=(24, 24), prepared=(16, 16), source="file"))


def test_card_may_say_that_training_images_were_resized(opened, make_dataset):
    model = opened("resnet18-cifar", 5, 1, (16, 16), card={"input_size": [16, 16], "image_size": [8, 8]})
    check_fit(model, make_dataset(size=(8, 8), prepared=(16, 16), source="model card"))
    with pytest.raises(MismatchError, match="card says images of 8x8 pixels, the data set has 16x16"):
        check_fit(model, make_dataset(size=(16, 16)))


def test_class_list_of_the_card_binds(opened, make_dataset):
    model = opened(card={"classes": list("abcde")})
    check_fit(model, make_dataset())
    with pytest.raises(MismatchError, match=r"in another order .* output 1 is 'b' in the card, 'c' in the data"):
        check_fit(model, make_dataset("acbde"))
    with pytest.raises(MismatchError, match=r"lists other classes .* output 4 is 'e' in the card, 'f' in the data"):
        check_fit(model, make_dataset("abcdf"))


def test_patch_transformers_name_the_size_they_can_have(opened, make_dataset):
    model = opened("vit_b_32", 5, 3, (64, 64))
    check_fit(model, make_dataset(size=(64, 64), channels=3))
    with pytest.raises(MismatchError, match="made for images of 64x64 pixels"):
        check_fit(model, make_dataset(size=(96, 96), channels=3))
    with pytest.raises(MismatchError, match="vit_b_32 cannot be built for input 65x65"):
        check_fit(model, make_dataset(size=(65, 65), channels=3))
