"""Class lists: names for outputs without images, and data whose labels leave numbers out."""

import numpy as np
import pytest

from core.data import classes
from core.data.classes import read_class_names
from core.data.sources import open_dataset
from core.errors import InputError, MismatchError


@pytest.fixture
def pets(tmp_path, class_folders):
    return class_folders(tmp_path / "pets", {"train/cat": 2, "train/dog": 3, "test/dog": 1})


def listed(tmp_path, *names):
    path = tmp_path / "outputs.txt"
    path.write_text("\n".join(names), encoding="utf-8")
    return path


def test_a_list_may_name_outputs_without_images(tmp_path, pets):
    data = open_dataset(str(pets), classes_file=listed(tmp_path, "bird", "dog", "fish", "cat"))
    assert data.classes == ("bird", "dog", "fish", "cat") and data.num_classes == 4
    assert data.train.labels.tolist() == [3, 3, 1, 1, 1] and data.test.labels.tolist() == [1]
    assert data.imageless == ("bird", "fish")
    assert data.notices == ("2 classes have no training image, only an output: 'bird', 'fish'.",)


def test_a_name_that_is_missing_is_told_with_what_stands_there_instead(tmp_path, pets):
    with pytest.raises(MismatchError) as caught:
        open_dataset(str(pets), classes_file=listed(tmp_path, "bird", "Dog", "cat"))
    assert caught.value.message == "outputs.txt lacks 'dog' and names 'bird', 'Dog', which the data has not."
    assert "may list more for outputs without images" in caught.value.hint


def test_names_in_either_unicode_form_are_the_same(tmp_path, class_folders):
    root = class_folders(tmp_path / "d", {"train/Pullo\u0308ver": 1, "train/Hose": 1, "test/Hose": 1})
    data = open_dataset(str(root), classes_file=listed(tmp_path, "Pull\u00f6ver", "Hose"))
    assert data.classes == ("Pullo\u0308ver", "Hose") and data.train.labels.tolist() == [1, 0]


def test_labels_may_leave_numbers_out_where_the_outputs_are_known(tmp_path):
    path = tmp_path / "gap.npz"
    x, y = np.zeros((6, 4, 4), np.uint8), np.array([0, 2, 4, 0, 2, 4])
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y)
    with pytest.raises(
        InputError, match=r"no training image has label 1\. Renumber the labels, or list the names of all"
    ):
        open_dataset(str(path))
    assert open_dataset(str(path), outputs_known=True).imageless == ("1", "3")
    named = open_dataset(str(path), classes_file=listed(tmp_path, *"abcdef"))
    assert named.imageless == ("b", "d", "f") and named.train.labels.tolist() == y.tolist()


def test_a_label_that_is_no_class_number(tmp_path):
    path = tmp_path / "far.npz"
    x = np.zeros((2, 4, 4), np.uint8)
    np.savez(path, x_train=x, y_train=[0, 2_000_000], x_test=x, y_test=[0, 0])
    with pytest.raises(InputError, match="a label is 2000000, which is no class's number"):
        open_dataset(str(path), outputs_known=True)


def test_a_long_list_is_read_in_one_pass(tmp_path):
    names = [f"name {i}" for i in range(60_000)]  # each counted among all of them took minutes
    assert read_class_names(listed(tmp_path, *names)) == tuple(names)
    with pytest.raises(InputError, match="names 'name 7' twice"):
        read_class_names(listed(tmp_path, *names, "name 7"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "outputs.txt must be a JSON list of names: expected str, got array at"),
        ('["cat", 3]', r"outputs.txt must be a JSON list of names: expected str, got int at"),
        ("\n".join(map(str, range(30))), "holds 30 class names, and at most 20 are read"),
    ],
)
def test_a_list_of_another_shape_is_refused(tmp_path, monkeypatch, text, words):
    monkeypatch.setattr(classes, "MOST_NAMES", 20)
    with pytest.raises(InputError, match=words):
        read_class_names(listed(tmp_path, text))
