"""Reading IDX folders: plain, compressed, other spellings, and damaged ones."""

import gzip
import os
import tracemalloc

import numpy as np
import pytest

from core.data import arrays
from core.data.arrays import read_idx
from core.data.sources import open_dataset, recognise_dataset
from core.errors import InputError


@pytest.mark.parametrize("gz", [False, True])
def test_a_folder_of_idx_files(tmp_path, write_idx, gz):
    folder = write_idx(tmp_path / "letters", classes=3, each=4, size=6, gz=gz)
    assert recognise_dataset(folder) == "idx"
    data = open_dataset(str(folder))
    assert data.classes == ("0", "1", "2") and data.title == "letters"
    assert (len(data.train), len(data.test), data.image_size) == (12, 6, (6, 6))
    assert data.train.labels.tolist() == [0, 1, 2] * 4


def test_compression_does_not_change_the_fingerprint(tmp_path, write_idx):
    plain = open_dataset(str(write_idx(tmp_path / "a", classes=2)))
    packed = open_dataset(str(write_idx(tmp_path / "b", classes=2, gz=True)))
    assert plain.fingerprint == packed.fingerprint


def test_other_spellings_and_colour(tmp_path, idx_bytes):
    x = np.arange(4 * 5 * 5 * 3, dtype=np.uint8).reshape(4, 5, 5, 3)
    (tmp_path / "emnist-letters-train-images.idx4-ubyte").write_bytes(idx_bytes(x))
    (tmp_path / "emnist-letters-train-labels.idx1-ubyte").write_bytes(idx_bytes(np.array([0, 1, 0, 1])))
    data = open_dataset(str(tmp_path), test_fraction=0.5)
    assert data.channels == 3 and data.test_origin == "set aside" and len(data.test) == 2


def test_several_data_sets_in_one_folder_are_refused(tmp_path, idx_bytes):
    for prefix in ("emnist-letters-", "emnist-digits-"):
        (tmp_path / f"{prefix}train-images-idx3-ubyte").write_bytes(idx_bytes(np.zeros((2, 2, 2))))
        (tmp_path / f"{prefix}train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(2)))
    assert recognise_dataset(tmp_path) == "idx"
    with pytest.raises(InputError, match="IDX files of several data sets: 'emnist-digits-', 'emnist-letters-'"):
        open_dataset(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no IDX file of unsigned bytes"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x01\x00", "is no IDX file of unsigned bytes"),
        (b"\x00\x00\x08\x03\x00\x00", "ends within its header"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x09abc", "is truncated: 3 of the 9 bytes its header promises"),
        (b"\x00\x00\x08\x04" + b"\xff" * 16, "its header promises"),
    ],
)
def test_damaged_files(tmp_path, content, words):
    path = tmp_path / "x-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_idx(path)


@pytest.mark.parametrize("cut", [5, 15, -6])
def test_a_damaged_gzip_file(tmp_path, idx_bytes, cut):
    path = tmp_path / "x-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx_bytes(np.random.default_rng(0).integers(0, 256, (9, 9, 9))))[:cut])
    with pytest.raises(InputError, match=r"x-idx3-ubyte\.gz (cannot be read|is no IDX)"):
        read_idx(path)


def test_more_than_the_header_promises_is_refused_without_unpacking_it(tmp_path):
    path = tmp_path / "bomb-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(b"\x00\x00\x08\x01\x00\x00\x00\x03abc" + bytes(50_000_000)))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="holds more than the 3 bytes its header promises"):
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_images_and_labels_that_do_not_belong_together(tmp_path, write_idx, idx_bytes):
    folder = write_idx(tmp_path / "d", classes=2)
    (folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(3)))
    with pytest.raises(InputError, match="train-images-idx3-ubyte holds 8 images, train-labels-idx1-ubyte 3 labels"):
        open_dataset(str(folder))


def test_a_gap_in_the_labels(tmp_path, write_idx, idx_bytes):
    folder = write_idx(tmp_path / "d", classes=2)
    (folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.array([0, 2] * 4)))
    with pytest.raises(InputError, match="they reach 2, but no training image has label 1"):
        open_dataset(str(folder))


def test_test_images_of_another_size(tmp_path, write_idx, idx_bytes):
    folder = write_idx(tmp_path / "d", classes=2, size=6)
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(np.zeros((4, 5, 5))))
    with pytest.raises(InputError, match="images-idx3-ubyte holds images of 6×6×1, t10k-images-idx3-ubyte of 5×5×1"):
        open_dataset(str(folder))


def test_a_compressed_file_that_unpacks_to_many_times_its_size_is_refused(tmp_path, idx_bytes, monkeypatch):
    monkeypatch.setattr(arrays, "FREELY", 50_000)
    path = tmp_path / "x-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx_bytes(np.zeros((40, 60, 60)))))
    with pytest.raises(InputError, match=r"promises 144,000 bytes in \d+: beyond 50,000 bytes, at most 250 times"):
        read_idx(path)


def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "x-idx3-ubyte")
    with pytest.raises(InputError, match="it is no regular file"):
        read_idx(tmp_path / "x-idx3-ubyte")
