"""The classes a model settles: its own list, outputs without images, empty class folders. Models are plain torch."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from core.data.splits import Splits
from core.errors import InputError, MismatchError
from core.models.architectures import ModelSpec, build_model
from core.session.bench import Bench, CardOrderError, DataOptions
from tests.core.models.hub_models import CLASSES, write_folder

NAMES = ("Hemd", "Hose", "Kleid")


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path / "home"))


@pytest.fixture
def folders(tmp_path):
    return write_folders(tmp_path / "data", NAMES)


def write_folders(root, names, empty=()):
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        for name in (*names, *empty):
            (root / part / name).mkdir(parents=True)
        for name in names:
            for number in range(3):
                pixels = rng.integers(0, 256, (8, 8), dtype=np.uint8)
                Image.fromarray(pixels).save(root / part / name / f"{number}.png")
    return root


def write_model(path, outputs=3, **beside):
    network = build_model(ModelSpec("small-cnn", outputs, 1, (8, 8)))
    torch.save({"state_dict": network.state_dict(), **beside} if beside else network.state_dict(), path)
    return path


def opened(model, data, **options):
    return Bench().open(model, str(data), DataOptions(**options))


def names_of(bench):
    """The class of each training image, by the name its label has."""
    data = bench.dataset
    return [data.classes[label] for label in data.train.labels.tolist()], [p.split("/")[1] for p in data.train.paths]


@pytest.mark.parametrize(
    "beside",
    [
        {"classes": ["Kleid", "Hemd", "Hose"]},
        {"class_names": ("Kleid", "Hemd", "Hose")},
        {"class_to_idx": {"Hemd": 1, "Hose": 2, "Kleid": 0}},
        {"idx_to_class": {0: "Kleid", 1: "Hemd", 2: "Hose"}},
        {"id2label": {"2": "Hose", "0": "Kleid", "1": "Hemd"}},
        {"hyper_parameters": {"labels": ["Kleid", "Hemd", "Hose"]}},
    ],
    ids=lambda beside: next(iter(beside)),
)
def test_a_checkpoints_own_list_is_used_in_its_order_and_said(tmp_path, folders, beside):
    bench = opened(write_model(tmp_path / "m.pt", **beside), folders)
    assert bench.dataset.classes == ("Kleid", "Hemd", "Hose")
    given, there = names_of(bench)
    assert given == there
    (said,) = bench.dataset.notices
    assert said.startswith("The classes stand in the order of '") and said.endswith("Kleid, Hemd, Hose.")
    # The job says it as if --classes had: a run is resumed, and a reference trained, without this model.
    again = Bench().with_data(str(folders), bench.options).dataset
    assert again.fingerprint == bench.dataset.fingerprint and again.classes == bench.dataset.classes


def test_a_list_in_the_datas_own_order_changes_nothing(tmp_path, folders):
    bench = opened(write_model(tmp_path / "m.pt", classes=list(NAMES)), folders)
    plain = Bench().with_data(str(folders)).dataset
    assert bench.dataset.fingerprint == plain.fingerprint
    assert not bench.dataset.notices and not bench.options.classes_file


def test_metadata_of_safetensors_and_hugging_faces_config(tmp_path, folders):
    from safetensors.torch import save_file

    network = build_model(ModelSpec("small-cnn", 3, 1, (8, 8)))
    save_file(
        network.state_dict(), tmp_path / "a.safetensors", metadata={"classes": json.dumps(["Kleid", "Hose", "Hemd"])}
    )
    assert opened(tmp_path / "a.safetensors", folders).dataset.classes == ("Kleid", "Hose", "Hemd")
    (tmp_path / "hf").mkdir()
    save_file(network.state_dict(), tmp_path / "hf" / "b.safetensors")
    (tmp_path / "hf" / "config.json").write_text(json.dumps({"id2label": {"0": "Hose", "1": "Kleid", "2": "Hemd"}}))
    assert opened(tmp_path / "hf" / "b.safetensors", folders).dataset.classes == ("Hose", "Kleid", "Hemd")


def test_a_folder_of_hugging_face_in_another_order_than_the_folders(tmp_path):
    """Its id2label is no model card of ours: it is used, and told."""
    order = tuple(reversed(CLASSES))
    config = {"id2label": {str(number): name for number, name in enumerate(order)}}
    write_folder(tmp_path / "vit", "vit", **config)
    root = tmp_path / "photos"
    for number, name in enumerate(CLASSES):
        for part in ("train", "test"):
            (root / part / name).mkdir(parents=True)
            Image.new("RGB", (32, 32), (40 * number, 90, 10)).save(root / part / name / "0.png")
    bench = Bench().open(tmp_path / "vit", str(root))
    assert bench.dataset.classes == order
    assert bench.dataset.notices[0].startswith("The classes stand in the order of 'id2label' in config.json")


def test_a_list_of_other_names_is_told_and_the_users_word_wins(tmp_path, folders):
    model = write_model(tmp_path / "m.pt", classes=["shirt", "trousers", "dress"])
    bench = opened(model, folders)
    assert bench.dataset.classes == NAMES
    (said,) = bench.dataset.notices
    assert "output 0 (shirt) is taken for 'Hemd'" in said and "--classes" in said
    order = tmp_path / "order.txt"
    order.write_text("Kleid\nHemd\nHose")
    mine = opened(write_model(tmp_path / "n.pt", classes=list(NAMES)), folders, classes_file=str(order))
    assert mine.dataset.classes == ("Kleid", "Hemd", "Hose") and not mine.dataset.notices


def test_a_model_card_in_another_order_stays_binding(tmp_path, folders):
    model = write_model(tmp_path / "m.pt")
    (tmp_path / "m.json").write_text(json.dumps({
        "schema_version": 1, "architecture": "small-cnn", "num_classes": 3, "classes": ["Kleid", "Hose", "Hemd"]
    }))  # fmt: skip
    with pytest.raises(CardOrderError):
        opened(model, folders)


def test_more_outputs_than_classes_by_the_models_own_list(tmp_path, folders):
    names = ["Jacke", "Hemd", "Hose", "Schuh", "Kleid"]
    for place, beside in enumerate(({"classes": names}, {})):
        model = write_model(tmp_path / f"{place}.pt", 5, **beside)
        if not beside:
            model.with_suffix(".json").write_text(
                json.dumps({"schema_version": 1, "architecture": "small-cnn", "classes": names})
            )
        bench = opened(model, folders)
        assert bench.dataset.classes == tuple(names) and bench.dataset.imageless == ("Jacke", "Schuh")
        assert bench.dataset.notices[-1] == "2 classes have no training image, only an output: 'Jacke', 'Schuh'."
        given, there = names_of(bench)
        assert given == there


def test_more_outputs_than_classes_without_a_list_is_one_sentence_that_can_be_followed(tmp_path, folders):
    model = write_model(tmp_path / "m.pt", 5)
    with pytest.raises(MismatchError) as caught:
        opened(model, folders)
    assert caught.value.message == "The model has 5 outputs, the data set 3 classes."
    assert caught.value.hint.startswith("List the names of all 5 outputs, one a line in their order, in a file")
    order = tmp_path / "five.txt"
    order.write_text("Hemd\nHose\nKleid\nx\ny\n")  # done as it says
    assert opened(model, folders, classes_file=str(order)).dataset.imageless == ("x", "y")
    order.write_text("Hemd\nHose\nKleid\nx\n")
    with pytest.raises(MismatchError, match="5 outputs, the data set 4 classes"):
        opened(model, folders, classes_file=str(order))
    with pytest.raises(MismatchError, match=r"3 classes; 'Kleid' is not among the names in 'classes' in o\.pt"):
        opened(write_model(tmp_path / "o.pt", 5, classes=["Hemd", "Hose", "Rock", "x", "y"]), folders)
    order.write_text("Hemd\nHose\nKleid\n")
    with pytest.raises(MismatchError, match=r"Leave out --classes: 'classes' in p\.pt names all 5 outputs"):
        opened(write_model(tmp_path / "p.pt", 5, classes=[*NAMES, "x", "y"]), folders, classes_file=str(order))
    with pytest.raises(MismatchError, match="3 classes; 'Kleid' is not among the names") as fewer:
        opened(write_model(tmp_path / "two.pt", 2, classes=["Hemd", "Hose"]), folders)
    assert fewer.value.hint == "Open the data the model was trained on, or take out what else is there."


def test_an_empty_class_folder_is_a_class_where_the_outputs_need_it(tmp_path):
    root = write_folders(tmp_path / "data", NAMES, empty=("Jacke",))
    bench = opened(write_model(tmp_path / "m.pt", 4), root)
    assert bench.dataset.classes == ("Hemd", "Hose", "Jacke", "Kleid") and bench.dataset.imageless == ("Jacke",)
    assert bench.dataset.notices[0] == "The model has 4 outputs, one for each class that the data names."
    assert opened(write_model(tmp_path / "n.pt", 3), root).dataset.classes == NAMES  # not needed: no class


def test_a_class_without_training_images_may_have_test_images(tmp_path):
    """The images of a class that was emptied in train/ are neither to keep nor to forget."""
    root = write_folders(tmp_path / "data", NAMES)
    for file in (root / "train" / "Hose").iterdir():
        file.unlink()
    bench = opened(write_model(tmp_path / "m.pt", 3), root)
    assert bench.dataset.classes == NAMES and bench.dataset.imageless == ("Hose",)
    splits = Splits.of(bench.dataset, bench.dataset.train.labels == 0)
    assert splits.retain_classes == (2,) and splits.forget_classes == (0,)
    assert set(bench.dataset.test.labels[splits.retain_test].tolist()) == {2} and len(splits.unseen) == 9
    (root / "train" / "Hose").rmdir()
    with pytest.raises(InputError, match="an empty folder makes a class without training images"):
        opened(write_model(tmp_path / "n.pt", 3), root)


def test_labels_that_are_numbers_are_the_outputs_numbers(tmp_path):
    path = tmp_path / "d.npz"
    x, y = np.zeros((9, 8, 8), np.uint8), np.array([0, 1, 4] * 3)
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y)
    bench = opened(write_model(tmp_path / "m.pt", 7), path)
    assert bench.dataset.classes == tuple("0123456") and bench.dataset.imageless == ("2", "3", "5", "6")
    named = opened(write_model(tmp_path / "n.pt", 7, classes=list("abcdefg")), path)
    assert named.dataset.classes == tuple("abcdefg") and named.dataset.train.labels.tolist() == y.tolist()


def test_arrays_resized_for_the_network_have_the_same_fingerprint_with_the_list_in_a_file(tmp_path):
    path, prepared = tmp_path / "d.npz", tmp_path / "p.json"
    x, y = np.random.default_rng(0).integers(0, 256, (9, 16, 16), dtype=np.uint8), np.array([0, 1, 4] * 3)
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y)
    prepared.write_text(json.dumps({"resize": [8, 8], "mean": 0.5, "std": 0.5}))
    bench = opened(write_model(tmp_path / "m.pt", 7), path, preprocess_file=str(prepared))
    again = Bench().with_data(str(path), bench.options).dataset
    assert again.fingerprint == bench.dataset.fingerprint and again.classes == tuple("0123456")


def test_folders_called_by_numbers_beyond_ten_are_not_guessed(tmp_path):
    """ "10" stands before "2" in the alphabet; which order a network of more outputs was trained on nobody knows."""
    root = write_folders(tmp_path / "data", tuple(str(number) for number in range(11)))
    with pytest.raises(MismatchError, match="12 outputs, the data set 11 classes"):
        opened(write_model(tmp_path / "m.pt", 12), root)
    named = opened(write_model(tmp_path / "n.pt", 12, classes=[str(number) for number in range(12)]), root)
    assert named.dataset.classes == tuple(str(number) for number in range(12))
    given, there = names_of(named)
    assert given == there


def test_another_model_takes_the_data_as_it_was_read(tmp_path, folders):
    own = write_model(tmp_path / "own.pt", 5, classes=["Jacke", "Hemd", "Hose", "Schuh", "Kleid"])
    plain = write_model(tmp_path / "plain.pt")
    bench = Bench().with_data(str(folders)).with_model(own)
    assert bench.dataset.num_classes == 5 and bench.options.classes_file
    back = bench.with_model(plain)
    assert back.dataset.classes == NAMES and not back.options.classes_file and not back.dataset.notices
    again = bench.with_data(str(folders), bench.options)  # other data options, the same model
    assert again.dataset.num_classes == 5 and again.dataset.as_read is not None


def test_a_reference_that_lists_another_order_is_refused(tmp_path, folders):
    bench = opened(write_model(tmp_path / "m.pt"), folders)
    other = write_model(tmp_path / "r.pt", classes=["Kleid", "Hose", "Hemd"])
    with pytest.raises(MismatchError, match=r"r\.pt lists the classes in another order"):
        bench.open_beside(other)
