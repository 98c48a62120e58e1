"""The door: class order, preprocessing by precedence, test fraction, fingerprint."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from core.data.preprocessing import Preprocessing
from core.data.sources import open_dataset
from core.errors import InputError, MismatchError, ParameterError


@pytest.fixture
def pets(tmp_path, class_folders):
    return class_folders(tmp_path / "pets", {"train/cat": 2, "train/dog": 3, "train/cow": 1, "test/cow": 1})


def file(tmp_path, text, name="f.txt"):
    path = tmp_path / name
    path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
    return path


# --- class order --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["dog\ncat\ncow\n", "\ufeffdog\r\n cat\r\n\r\ncow", '["dog", "cat", "cow"]'])
def test_class_order_renumbers_the_labels(tmp_path, pets, text):
    plain = open_dataset(str(pets))
    data = open_dataset(str(pets), classes_file=file(tmp_path, text))
    assert data.classes == ("dog", "cat", "cow")
    names = [data.classes[i] for i in data.train.labels]
    assert names == [plain.classes[i] for i in plain.train.labels] == [p.split("/")[1] for p in plain.train.paths]
    assert data.test.labels.tolist() == [2]
    assert data.fingerprint != plain.fingerprint  # class 0 is another one now


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("cat\ndog\n", MismatchError, r"f\.txt lacks 'cow'\. It must list the data's 3 class names in the order"),
        ("cat\ndog\nCow\n", MismatchError, "lacks 'cow' and names 'Cow', which the data has not"),
        ("cat\ndog\ncow\ncat\n", InputError, "names 'cat' twice"),
        ("", InputError, "holds no class names"),
        ("[1, 2]", InputError, "must be a JSON list of names"),
        ('["cat"', InputError, "must be a JSON list of names: .*truncated"),
    ],
)
def test_wrong_class_orders(tmp_path, pets, text, error, words):
    with pytest.raises(error, match=words):
        open_dataset(str(pets), classes_file=file(tmp_path, text))


def test_a_missing_class_file(tmp_path, pets):
    with pytest.raises(InputError, match=r"none\.txt cannot be read: No such file"):
        open_dataset(str(pets), classes_file=tmp_path / "none.txt")


def test_names_for_data_that_only_numbers_its_classes(tmp_path, write_idx):
    folder = write_idx(tmp_path / "d", classes=3)
    data = open_dataset(str(folder), classes_file=file(tmp_path, "red\ngreen\nblue"))
    assert data.classes == ("red", "green", "blue") and data.train.labels[:3].tolist() == [0, 1, 2]
    swapped = open_dataset(str(folder), classes_file=file(tmp_path, "1\n0\n2"))
    assert swapped.classes == ("1", "0", "2") and swapped.train.labels[:3].tolist() == [1, 0, 2]
    with pytest.raises(MismatchError):
        open_dataset(str(folder), classes_file=file(tmp_path, "red\ngreen"))


def test_names_for_folders_that_are_called_by_numbers(tmp_path, class_folders):
    root = class_folders(tmp_path / "d", {"train/0": 2, "train/1": 1, "test/1": 1})
    data = open_dataset(str(root), classes_file=file(tmp_path, "red\ngreen"))
    assert data.classes == ("red", "green") and data.train.labels.tolist() == [0, 0, 1]
    gap = class_folders(tmp_path / "gap", {"train/1": 2, "train/2": 1, "test/1": 1})
    with pytest.raises(MismatchError, match="lacks '1', '2' and names 'red', 'green'"):
        open_dataset(str(gap), classes_file=file(tmp_path, "red\ngreen"))


def test_names_for_more_than_ten_numbered_folders_go_by_their_numbers(tmp_path, class_folders):
    """In alphabetical order "10" comes before "2"."""
    root = class_folders(tmp_path / "d", {f"train/{number}": 1 for number in range(12)} | {"test/10": 1})
    names = [f"class {number}" for number in range(12)]
    data = open_dataset(str(root), classes_file=file(tmp_path, "\n".join(names)))
    assert data.classes == tuple(names)
    for part in (data.train, data.test):
        folders = [path.split("/")[1] for path in part.paths]
        assert [data.classes[label] for label in part.labels.tolist()] == [f"class {folder}" for folder in folders]


# --- preprocessing ------------------------------------------------------------------------------------------------

CARD = Preprocessing((16, 16), (0.5,) * 3, (0.25,) * 3, "bicubic", "model card")


def test_a_file_wins_over_a_card_which_wins_over_the_default(tmp_path, pets):
    assert open_dataset(str(pets)).preprocessing.source == "data set"
    assert open_dataset(str(pets), preprocessing=CARD).preprocessing == CARD
    data = open_dataset(str(pets), preprocessing=CARD, preprocess_file=file(tmp_path, {"size": 20, "mean": 0.1}))
    assert data.preprocessing == Preprocessing((20, 20), (0.1,) * 3, (0.25,) * 3, "bicubic", "file")
    assert data.image_size == (20, 20)


def test_a_file_may_say_a_part_only(tmp_path, pets):
    default = open_dataset(str(pets)).preprocessing
    data = open_dataset(str(pets), preprocess_file=file(tmp_path, {"std": [0.1, 0.2, 0.3]}))
    assert data.preprocessing == dataclasses.replace(default, std=(0.1, 0.2, 0.3), source="file")
    sized = open_dataset(str(pets), preprocess_file=file(tmp_path, {"size": [6, 4]}))
    assert sized.image_size == sized.preprocessing.size == (6, 4)


def test_a_file_for_one_channel_makes_colour_files_grey(tmp_path, pets):
    assert open_dataset(str(pets), preprocess_file=file(tmp_path, {"mean": [0.5], "std": [0.2]})).channels == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is not valid JSON"),
        ({"mean": 300}, "The preprocessing in .*f.txt is wrong: mean must lie"),
        ({"sise": 3}, "did you mean size"),
        ([1], "a transform is written"),
        (3, "must be a JSON object"),
    ],
)
def test_a_wrong_file_is_named_before_the_data_is_read(tmp_path, pets, content, words, monkeypatch):
    monkeypatch.setattr("core.data.sources._load_path", lambda *a: pytest.fail("the data was read"))
    with pytest.raises(InputError, match=words):
        open_dataset(str(pets), preprocess_file=file(tmp_path, content))


def test_grey_arrays_get_the_channels_of_a_card():
    data = open_dataset("digits", preprocessing=CARD)
    assert data.channels == 3 and data.preprocessing == CARD
    assert (data.train.images == open_dataset("digits").train.images).all()


def test_two_channels_cannot_be_decoded(pets):
    with pytest.raises(MismatchError, match="read with 1 or 3 channels, the preprocessing is for 2"):
        open_dataset(str(pets), preprocessing=dataclasses.replace(CARD, mean=(0.5, 0.5), std=(1.0, 1.0)))


# --- test fraction and fingerprint --------------------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [0, 1, -0.1, float("nan")])
def test_a_wrong_fraction(fraction):
    with pytest.raises(ParameterError, match="test fraction must be a number above 0 and below 1"):
        open_dataset("digits", test_fraction=fraction)


def test_a_fraction_is_not_used_where_there_is_a_test_part(pets):
    assert open_dataset(str(pets), test_fraction=0.5).fingerprint == open_dataset(str(pets)).fingerprint


def test_one_image_a_class_cannot_be_divided(tmp_path, class_folders):
    root = class_folders(tmp_path, {"a": 1, "b": 1})
    with pytest.raises(InputError, match="has one image a class, too few to set any aside"):
        open_dataset(str(root), test_fraction=0.5)


def test_the_fingerprint_is_of_the_content_not_of_the_place(tmp_path, pets):
    first = open_dataset(str(pets)).fingerprint
    assert len(first) == 64 and int(first, 16) >= 0
    moved = shutil.copytree(pets, tmp_path / "else" / "where")
    assert open_dataset(str(moved)).fingerprint == first
    assert open_dataset(str(moved), preprocessing=CARD).fingerprint == first


def test_every_change_of_content_changes_the_fingerprint(tmp_path, pets):
    seen = {open_dataset(str(pets)).fingerprint}
    for change in (
        lambda r: shutil.copy(r / "train/dog/00.png", r / "train/dog/99.png"),  # an image more
        lambda r: (r / "train/dog/02.png").unlink(),  # an image less
        lambda r: shutil.copy(r / "train/dog/00.png", r / "train/cat/00.png"),  # other pixels
        lambda r: (r / "train/dog/02.png").rename(r / "train/cow/02.png"),  # another label
        lambda r: [(r / part / "cow").rename(r / part / "pig") for part in ("train", "test")],  # another class
        lambda r: (r / "train/dog/02.png").rename(r / "test/cow/02.png"),  # another part
    ):
        root = shutil.copytree(pets, tmp_path / f"copy{len(seen)}")
        change(root)
        seen.add(open_dataset(str(root)).fingerprint)
    assert len(seen) == 7


def test_labels_count_in_the_fingerprint(tmp_path):
    images = np.arange(4 * 9, dtype=np.uint8).reshape(4, 3, 3)
    seen = set()
    for number, labels in enumerate(([0, 1, 0, 1], [0, 1, 1, 0])):
        np.savez(tmp_path / f"{number}.npz", x_train=images, y_train=labels, x_test=images, y_test=[0, 1, 0, 1])
        seen.add(open_dataset(str(tmp_path / f"{number}.npz")).fingerprint)
    assert len(seen) == 2


def test_images_can_be_changed_without_changing_the_next_opening():
    data = open_dataset("digits")
    data.train.images.zero_()
    assert open_dataset("digits").train.images.any()
