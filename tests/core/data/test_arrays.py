"""Reading .npz: every form that is promised, and the words for every form that is not."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from core.data import arrays as readers
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
        ({"y_test": None}, "has x_test but no labels with it; it holds x_test, x_train, y_train"),
        ({"x_test": None}, "has y_test but no images with it"),
        ({"x_train": objects()}, "array x_train in data.npz holds Python objects.*could run program code"),
        ({"y_train": np.arange(5) % 3}, "x_train holds 12 images, y_train 5 labels"),
        ({"y_train": np.arange(12) % 3 / 2}, "y_train must hold integers, got float64"),
        ({"y_train": np.array(["a"] * 12)}, "y_train must hold integers"),
        ({"y_train": np.ones((12, 3), int)}, "y_train gives 12 images several labels: this is multi-label data"),
        ({"y_train": np.zeros((12, 3), int)}, "y_train gives 12 images no label"),
        ({"y_train": np.full((12, 3), 0.5)}, "one label an image, got shape .* other values than 0 and 1"),
        ({"y_train": np.zeros((12, 1, 2), int)}, "y_train must be one label an image"),
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
        ({"x_train": np.zeros((12, 8, 9, 8), np.uint8)}, "channels first or last, and fewer of them than pixels"),
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


@pytest.mark.parametrize(
    ("names", "test"),
    [
        (("x_train", "y_train", "x_test", "y_test"), True),
        (("train_images", "train_labels", "test_images", "test_labels"), True),
        (("X_train", "Y_train", "X_val", "Y_val"), True),
        (("images", "labels"), False),
        (("x", "y"), False),
        (("data", "targets"), False),
    ],
)
@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_what_arrays_are_called(tmp_path, kind, names, test):
    """Other names in one file, or a file each."""
    given = dict(zip(names, arrays().values(), strict=False))
    if kind == "npz":
        path = tmp_path / "data.npz"
        np.savez(path, other=np.zeros(3), **given)
    else:
        path = tmp_path / "folder"
        path.mkdir()
        for name, array in given.items():
            np.save(path / f"{name}.npy", array)
    data = open_dataset(str(path), test_fraction=None if test else 0.25)
    assert len(data.train) == (12 if test else 9) and len(data.test) == (6 if test else 3)
    assert data.test_origin == ("own" if test else "set aside")
    if kind == "npy":  # either file of it stands for all
        assert open_dataset(str(path / f"{names[0]}.npy"), test_fraction=0.25).fingerprint == data.fingerprint


def test_a_part_that_is_not_used_is_told(tmp_path):
    path = save(tmp_path, x_val=arrays()["x_test"], y_val=arrays()["y_test"])
    assert open_dataset(path).notices == ("data.npz: not used are x_val, y_val; x_test is.",)


def test_arrays_without_names_are_refused_clearly(tmp_path):
    np.savez(tmp_path / "data.npz", *arrays().values())
    with pytest.raises(InputError) as caught:
        open_dataset(str(tmp_path / "data.npz"))
    assert "have no names (arr_0, arr_1, arr_2, arr_3)" in caught.value.message
    assert caught.value.hint == "Save them as np.savez(file, x_train=..., y_train=...)."


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, bool])
def test_one_hot_labels_are_the_place_of_the_one_and_said(tmp_path, dtype):
    labels = arrays()["y_train"]
    data = open_dataset(save(tmp_path, y_train=np.eye(3, dtype=dtype)[labels]))
    assert data.train.labels.tolist() == labels.tolist()
    assert data.notices == ("y_train in data.npz is one-hot: the place of the 1 is taken for the label.",)


@pytest.mark.parametrize("channels", [2, 4, 5, 12])
def test_any_number_of_channels_first_or_last(tmp_path, channels):
    x = np.random.default_rng(0).integers(0, 256, (12, 16, 20, channels), dtype=np.uint8)
    last = open_dataset(save(tmp_path, x_train=x, x_test=x[:6]))
    first = open_dataset(save(tmp_path, x_train=x.transpose(0, 3, 1, 2), x_test=x[:6].transpose(0, 3, 1, 2)))
    assert last.channels == first.channels == channels and last.fingerprint == first.fingerprint
    assert last.image_size == (16, 20) and len(last.preprocessing.mean) == channels
    assert last.preprocessing.mean[1] == pytest.approx(x[..., 1].mean() / 255, abs=1e-3)


def test_npy_files_that_are_no_arrays(tmp_path):
    np.save(tmp_path / "x_train.npy", arrays()["x_train"])
    np.save(tmp_path / "y_train.npy", objects())
    with pytest.raises(InputError, match=r"y_train\.npy holds Python objects"):
        open_dataset(str(tmp_path))
    (tmp_path / "y_train.npy").write_bytes(b"nonsense")
    with pytest.raises(InputError, match=r"y_train\.npy is damaged or no \.npy file"):
        open_dataset(str(tmp_path))
    (tmp_path / "y_train.npy").unlink()
    with pytest.raises(InputError, match=r"has x_train\.npy but no labels with it"):
        open_dataset(str(tmp_path))


# --- foreign content ----------------------------------------------------------------------------------------------


def npy(array, old="", new=""):
    """Return an array as np.save writes it, with a part of its header replaced."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue().replace(old.encode(), new.encode().ljust(len(old)))


def zipped(tmp_path, compression=zipfile.ZIP_STORED, **members):
    path = tmp_path / "data.npz"
    held = {name: npy(array) for name, array in arrays().items()} | members
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in held.items():
            archive.writestr(f"{name}.npy", data)
    return str(path)


X = np.zeros((12, 8, 9), np.uint8)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no array at all", "x_train in data.npz is damaged or no .npy file"),
        (npy(X, "(12, 8, 9)", "(12, 8, 9 "), "x_train in data.npz is damaged"),
        (npy(X, "(12, 8, 9)", "(-2, 8, 9)"), r"is damaged: its shape is \(-2, 8, 9\)"),
        (npy(X, "'|u1'", "'|V0'"), "is damaged: its shape is"),
        (npy(X, "(12, 8, 9)", "(99, 8, 9)"), "is truncated: 864 of the 7,128 bytes its header promises"),
        (npy(X, "(12, 8, 9)", "(1<<3,8,9)"), "x_train in data.npz is damaged"),
        (npy(X)[:6] + b"\2\0\xff\xff\xff\x7f", "its header has 2,147,483,647 bytes, at most 10,000 are read"),
        (npy(X)[:6] + b"\1\0\x10\x27" + b"(" * 9000, "x_train in data.npz is damaged"),
    ],
)
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_that_are_no_arrays(tmp_path, content, words, compression):
    with pytest.raises(InputError, match=words):
        open_dataset(zipped(tmp_path, compression, x_train=content))


def test_an_array_that_promises_more_than_it_holds_is_not_set_aside(tmp_path):
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "x_train.npy").write_bytes(npy(X, "(12, 8, 9), }" + " " * 20, f"({2**40}, 8, 9), }}"))
    np.save(folder / "y_train.npy", np.zeros(12, int))
    with pytest.raises(InputError, match=r"x_train\.npy is truncated: 864 of the 79,164,837,199,872 bytes"):
        open_dataset(str(folder))


def test_an_archive_that_unpacks_to_many_times_its_size_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "FREELY", 50_000)
    even = np.zeros((300, 20, 20), np.uint8)
    path = zipped(tmp_path, zipfile.ZIP_DEFLATED, x_train=npy(even), y_train=npy(np.arange(300) % 3))
    words = r"x_train in data.npz promises 120,000 bytes in \d+: beyond 50,000 bytes, at most 250 times as many"
    with pytest.raises(InputError, match=words):
        open_dataset(path, test_fraction=0.5)
    path = zipped(tmp_path, x_train=npy(even[:, :8, :9]), y_train=npy(np.arange(300) % 3))  # as it is
    assert len(open_dataset(path).train) == 300
    monkeypatch.setattr(readers, "free_memory", lambda swap: 20_000)
    with pytest.raises(InputError, match="does not fit into memory: it takes 21,600 bytes, and 20,000 are free"):
        open_dataset(path)


def test_an_encrypted_archive_is_refused(tmp_path):
    path = Path(zipped(tmp_path))
    data = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = -1
        while (start := data.find(mark, start + 1)) >= 0:
            data[start + place] |= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"in data\.npz is damaged: File .* is encrypted"):
        open_dataset(str(path))


def test_a_pipe_among_arrays_is_refused(tmp_path):
    np.save(tmp_path / "y_train.npy", np.zeros(12, int))
    os.mkfifo(tmp_path / "x_train.npy")
    with pytest.raises(InputError, match=r"x_train\.npy cannot be read: it is no regular file"):
        open_dataset(str(tmp_path))
