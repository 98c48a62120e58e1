"""A model card is found, binds, and is refused where it contradicts its weights."""

import json

import pytest
import torch
from safetensors.torch import save_file

from core.errors import InputError, MismatchError
from core.files import file_sha256
from core.models.card import card_from_metadata, card_to_metadata, find_card, read_card
from tests.core.models.opened import open_model

PREPROCESSING = {"size": [8, 8], "mean": [0.5], "std": [0.25], "interpolation": "bilinear", "source": "data set"}


def card(**changes):
    content = {
        "schema_version": 1, "architecture": "small-cnn", "num_classes": 5, "in_channels": 1, "input_size": [8, 8],
        "classes": list("abcde"), "preprocessing": PREPROCESSING,
    }  # fmt: skip
    return {**content, **changes}


@pytest.fixture
def trained(tmp_path, make_model):
    """A folder as `train` leaves it; returns a function that rewrites its card."""
    path = tmp_path / "model.safetensors"
    save_file(make_model().state_dict(), path)

    def write(**changes):
        files = {"model.safetensors": file_sha256(path)}
        (tmp_path / "model.json").write_text(json.dumps(card(**{"files": files, **changes})))
        return tmp_path

    return write


def test_folder_opens_as_its_model_with_its_card(trained):
    folder = trained()
    model = open_model(folder)
    assert model.path == folder / "model.safetensors"
    assert model.classes == tuple("abcde")
    assert model.preprocessing.mean == (0.5,)
    assert model.preprocessing.source == "model card"
    assert model.size_known


def test_card_size_is_used_where_weights_leave_it_open(tmp_path, make_model):
    torch.save(make_model("resnet18-cifar", 5, 3, (16, 16)).state_dict(), tmp_path / "net.pt")
    stated = card(architecture="resnet18-cifar", in_channels=3, input_size=[16, 16], preprocessing=None)
    (tmp_path / "net.json").write_text(json.dumps(stated))
    assert open_model(tmp_path / "net.pt").spec.input_size == (16, 16)
    assert open_model(tmp_path / "net.pt", input_size=(64, 64)).spec.input_size == (16, 16)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_classes": 7}, r"The model has 5 outputs, model\.json says 7"),
        ({"in_channels": 3}, r"The model has 1 input channel, model\.json says 3"),
        ({"input_size": [28, 28]}, r"made for 8x8 pixels of 1 channel, model\.json says 28x28"),
        ({"classes": ["a", "b"]}, r"model\.json lists 2 classes, the model has 5 outputs"),
        ({"architecture": "mlp"}, r"model\.json says mlp, but the weights do not fit it: 6 missing"),
        ({"files": {"model.safetensors": "0" * 64}}, r"model\.json describes another version of model\.safetensors"),
        ({"schema_version": 2}, "written by a newer version"),
    ],
)
def test_contradictions_are_mismatches(trained, changes, words):
    with pytest.raises(MismatchError, match=words):
        open_model(trained(**changes))


def test_wrong_fields_are_all_named(trained):
    with pytest.raises(InputError, match=r"num_classes must be a whole number from 0, got 'x'; classes must be a list"):
        open_model(trained(num_classes="x", classes=3))


def test_named_architecture_overrules_the_card(trained):
    assert open_model(trained(architecture="nonsense"), arch="small-cnn").spec.architecture == "small-cnn"


def test_card_beside_another_file_needs_to_name_it(trained, make_model):
    folder = trained()
    other = folder / "other.pt"
    torch.save(make_model(num_classes=3).state_dict(), other)
    assert find_card(other) is None
    assert open_model(other).spec.num_classes == 3
    torch.save(make_model().state_dict(), folder / "model.pt")
    assert find_card(folder / "model.pt") == folder / "model.json"
    (folder / "model.json").write_text(json.dumps(card(files={"other.pt": file_sha256(other)}, num_classes=3)))
    assert find_card(other) == folder / "model.json"


def test_unrelated_json_beside_the_weights_is_no_card(tmp_path, make_model):
    torch.save(make_model().state_dict(), tmp_path / "net.pt")
    (tmp_path / "net.json").write_text('{"lr": 0.1}')
    assert open_model(tmp_path / "net.pt").card is None
    (tmp_path / "net.json").write_text("no json")
    assert open_model(tmp_path / "net.pt").card is None


def test_metadata_carries_the_card(tmp_path, make_model):
    path = tmp_path / "net.safetensors"
    save_file(make_model().state_dict(), path, metadata=card_to_metadata(card(files={"x": "y"}, recipe={"lr": 1})))
    model = open_model(path)
    assert model.classes == tuple("abcde")
    assert model.preprocessing.size == (8, 8)
    assert read_card(path) == {k: v for k, v in card().items() if k not in ("files", "recipe")}


def test_foreign_metadata_is_no_card():
    assert card_from_metadata({"format": "pt"}, "x") is None
    assert card_from_metadata({"architecture": "mlp", "classes": "not JSON"}, "x") == {"architecture": "mlp"}


def test_read_card_of_a_folder_and_of_nothing(trained, tmp_path):
    assert read_card(trained())["num_classes"] == 5
    assert read_card(tmp_path / "none.pt") is None
