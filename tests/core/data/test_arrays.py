"""Reading .npz: every form that is promised, and the words for every form that is not."""

from pathlib import Path

import numpy as np
import pytest

from core.data.sources import open_dataset
from core.errors import InputError


def arrays(shape=(12, 8, 9), classes=3, test=6):
    rng = np.random.default_rng(0)
    y = np.arange(shape[0]) % classes
    return {
        "x_train": rng.integers(0, 256, shape, dtype=np.uint8),
        "y_train": y,
        "x_test": rng.integers(0, 256, (test, *shape[1:]), dtype=np.uint8),
        "y_test": np.arange(test) % classes,
    }


def save(tmp_path, **changes):
    path = tmp_path / "data.npz"
    held = {**arrays(), **changes}
    np.savez(path, **{name: value for name, value in held.items() if value is not None})
    return str(path)


@pytest.mark.parametrize(
    ("shape", "size", "channels"),
    [
        ((12, 8, 9), (8, 9), 1),
        ((12, 8, 9, 1), (8, 9), 1),
        ((12, 8, 9, 3), (8, 9), 3),
        ((12, 1, 8, 9), (8, 9), 1),
        ((12, 3, 8, 9), (8, 9), 3),
    ],
)
def test_layouts(tmp_path, shape, size, channels):
    held = arrays(shape)
    data = open_dataset(save(tmp_path, **held))
    assert (data.image_size, data.channels) == (size, channels)
    assert data.classes == ("0", "1", "2") and data.title == "data" and data.spec.endswith("data.npz")
    x = held["x_train"]
    expected = x.transpose(0, 2, 3, 1) if shape[1] in (1, 3) and len(shape) == 4 and shape[3] not in (1, 3) else x
    assert np.array_equal(data.train.images.numpy(), expected.reshape(12, *size, channels))
    assert data.train.labels.tolist() == held["y_train"].tolist()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_become_the_nearest_byte(tmp_path, dtype):
    held = arrays()
    path = save(tmp_path, x_train=(held["x_train"] / 255).astype(dtype), x_test=(held["x_test"] / 255).astype(dtype))
    assert np.array_equal(open_dataset(path).train.images[..., 0].numpy(), held["x_train"])


def test_class_names_and_a_class_without_images(tmp_path):
    data = open_dataset(save(tmp_path, classes=np.array(["cat", "dog", "cow", "gone"])))
    assert data.classes == ("cat", "dog", "cow", "gone")


def test_labels_in_a_column(tmp_path):
    assert len(open_dataset(save(tmp_path, y_train=arrays()["y_train"][:, None])).train) == 12


def test_without_a_test_part(tmp_path):
    path = save(tmp_path, x_test=None, y_test=None)
    with pytest.raises(InputError, match=r"data has no test images\. Set some aside with --test-fraction"):
        open_dataset(path)
    data = open_dataset(path, test_fraction=0.25)
    assert (len(data.train), len(data.test), data.test_origin) == (9, 3, "set aside")
    assert sorted(data.test.labels.tolist()) == [0, 1, 2]


def objects():
    return np.array([{"a": 1}, {}], dtype=object)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x_train": None}, r"has no array x_train; it holds x_test, y_test, y_train\. It needs x_train and y_train"),
        ({"y_test": None}, "has x_test but no y_test"),
        ({"x_test": None}, "has y_test but no x_test"),
        ({"x_train": objects()}, "array x_train in data.npz holds Python objects.*could run program code"),
        ({"y_train": np.arange(5) % 3}, "x_train holds 12 images, y_train 5 labels"),
        ({"y_train": np.arange(12) % 3 / 2}, "y_train must hold integers, got float64"),
        ({"y_train": np.array(["a"] * 12)}, "y_train must hold integers"),
        ({"y_train": np.eye(3, dtype=int)[np.arange(12) % 3]}, "y_train must be one label an image"),
        ({"y_train": np.arange(12) % 3 + 1}, "0 to K-1 without a gap.*no training image has label 0"),
        ({"y_train": np.arange(12) % 3 * 2}, "no training image has label 1"),
        ({"y_test": np.array([0, 1, 2, 3, 1, 1])}, "reach 3, but no training image has label 3"),
        ({"y_train": np.arange(12) % 3 - 1}, "labels must be 0 or more, got -1"),
        ({"x_train": arrays()["x_train"].astype(np.int32)}, "must be uint8, or floating point in 0..1, got int32"),
        ({"x_train": arrays()["x_train"] / 127.5 - 1}, "from -1 to 1; they must lie in 0..1.*before normalisation"),
        ({"x_train": arrays()["x_train"].astype(np.float32)}, "must lie in 0..1"),
        ({"x_train": np.full((12, 8, 9), np.nan)}, "infinite or not a number"),
        ({"x_train": np.full((12, 8, 9), np.inf)}, "infinite or not a number"),
        ({"x_train": np.zeros((12, 8), np.uint8)}, r"must be \(N, H, W\).*got shape \(12, 8\)"),
        ({"x_train": np.zeros((12, 8, 9, 2), np.uint8)}, "1 or 3 channels, first or last"),
        ({"x_train": np.zeros((0, 8, 9), np.uint8), "y_train": np.zeros(0, int)}, "x_train is empty"),
        ({"x_test": np.zeros((6, 8, 8), np.uint8)}, "x_train holds images of 8×9×1, x_test of 8×8×1"),
        ({"classes": np.array(["a", "b"])}, "label 2 has no name; classes holds 2 names"),
        ({"classes": np.array(["a", "b", "a"])}, "classes holds a name twice"),
        ({"classes": np.arange(3)}, "classes must be a list of strings"),
    ],
)
def test_wrong_content_is_named(tmp_path, changes, words):
    with pytest.raises(InputError, match=words):
        open_dataset(save(tmp_path, **changes))


@pytest.mark.parametrize("content", [b"", b"PK\3\4 not a zip", b"hello" * 100, b"x"])
def test_damaged_files(tmp_path, content):
    path = tmp_path / "broken.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.npz is damaged"):
        open_dataset(str(path))


def test_a_truncated_file(tmp_path):
    path = save(tmp_path)
    with Path(path).open("rb+") as file:
        file.truncate(700)
    with pytest.raises(InputError, match=r"data\.npz"):
        open_dataset(path)


def test_a_single_array_and_a_bare_pickle_are_refused(tmp_path):
    path = tmp_path / "one.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(InputError, match="holds a single array"):
        open_dataset(str(path))
    import pickle

    path.write_bytes(pickle.dumps({"x_train": [1]}))
    with pytest.raises(InputError, match="could run program code"):
        open_dataset(str(path))
