"""WebDataset shards: the images where they lie, damage listed."""

import base64
import gc
import io
import json
import os
import re
import tarfile
import time

import numpy as np
import pytest
import torch
from PIL import Image

from core.data import archives
from core.data.sources import open_dataset, recognise_dataset
from core.errors import InputError, NoTestPartError


@pytest.fixture(autouse=True)
def collected():
    yield
    gc.collect()


def png(value, side=8):
    out = io.BytesIO()
    Image.fromarray(np.full((side, side, 3), value, dtype=np.uint8)).save(out, "PNG")
    return out.getvalue()


def shard(path, members):
    """Write a tar file of {name: bytes}."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    then = time.time() - 100
    os.utime(path, (then, then))


def samples(first, count):
    found = {}
    for i in range(first, first + count):
        found |= {f"s/{i:04d}.png": png(i), f"s/{i:04d}.cls": str(i % 3).encode(), f"s/{i:04d}.json": b"{}"}
    return found


# --- shards -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names", [("a-train-0.tar", "a-train-1.tar", "a-val-0.tar"), ("train/0.tar", "train/1.tar", "test/0.tar")]
)
@pytest.mark.parametrize("budget", [0, float("inf")])
def test_shards_of_both_parts(tmp_path, names, budget):
    for number, name in enumerate(names):
        shard(tmp_path / name, samples(10 * number, 10))
    assert recognise_dataset(tmp_path) == "shards"
    data = open_dataset(str(tmp_path), memory_budget=budget)
    assert data.classes == ("0", "1", "2") and (len(data.train), len(data.test)) == (20, 10)
    assert data.train.labels.tolist() == [i % 3 for i in range(20)]
    assert data.train.paths[11] == f"{names[1]}/s/0011.png"
    assert data.train.images[torch.tensor([11, 2])][:, 0, 0, 0].tolist() == [11, 2]
    assert not data.unreadable


def test_one_shard_with_class_names_and_test_images_set_aside(tmp_path):
    shard(tmp_path / "pets.tar", samples(0, 30))
    (tmp_path / "classes.txt").write_text("cat\ndog\nfox\nowl\n")
    assert recognise_dataset(tmp_path / "pets.tar") == "shards"
    with pytest.raises(NoTestPartError, match="pets has no test images"):
        open_dataset(str(tmp_path / "pets.tar"))
    data = open_dataset(str(tmp_path / "pets.tar"), test_fraction=0.2)
    assert data.title == "pets" and data.classes == ("cat", "dog", "fox", "owl")
    assert (len(data.train), len(data.test)) == (24, 6)


def test_what_is_wrong_in_a_shard_is_listed(tmp_path):
    members = samples(0, 12)
    members["s/0003.cls"] = b"dog"
    del members["s/0004.cls"]
    members["s/0005.png"] = b"no image"
    members["s/0006.png"] = b""
    members["s/0007.psd"] = b"?"
    shard(tmp_path / "train-0.tar", members)
    shard(tmp_path / "train-1.tar", samples(12, 12))
    whole = (tmp_path / "train-1.tar").read_bytes()
    (tmp_path / "train-1.tar").write_bytes(whole[: 512 * 3 * 2 * 6 + 100])  # in the middle of a header
    (tmp_path / "train-2.tar").write_bytes(b"x" * 600)
    data = open_dataset(str(tmp_path), test_fraction=0.2)
    reasons = {u.path: u.reason for u in data.unreadable}
    assert reasons["train-0.tar/s/0003.png"] == "its label 'dog' is no number"
    assert reasons["train-0.tar/s/0004.png"] == "there is no label (.cls) beside it"
    assert reasons["train-0.tar/s/0005.png"] == "not an image, or of an unknown kind"
    assert reasons["train-0.tar/s/0006.png"] == "the file is empty"
    assert reasons["train-0.tar/s/0007.psd"] == "PSD images are not read; save it as PNG or JPEG"
    assert reasons["train-1.tar"].startswith("the shard is damaged") and "train-2.tar" in reasons
    assert len(data.train) + len(data.test) > 8 + 3
    assert data.files["no image (.json)"] >= 12


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"a.png": png(1), "b.txt": b""}, "holds no images with labels. A shard holds KEY.jpg"),
        ({"a.png": png(1), "a.cls": b"7"}, "they reach 7, but no training image has label 0"),
        ({"a.png": b"?", "a.cls": b"0"}, "None of the 1 images in .* can be read"),
    ],
)
def test_wrong_shards(tmp_path, members, words):
    shard(tmp_path / "x.tar", members)
    with pytest.raises(InputError, match=words):
        open_dataset(str(tmp_path / "x.tar"), test_fraction=0.5)


def test_a_shard_that_changed_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARN_STUDIO_DECODED", "0")
    shard(tmp_path / "train.tar", samples(0, 10))
    shard(tmp_path / "test.tar", samples(10, 10))
    data = open_dataset(str(tmp_path), memory_budget=0)
    shard(tmp_path / "train.tar", samples(20, 10))
    with pytest.raises(InputError, match=r"train\.tar/s/0002\.png has changed since the data was opened"):
        data.train.images[2]


@pytest.fixture
def walks(monkeypatch):
    """Counts the shards that are walked through."""
    seen, walk = [], archives._walk
    monkeypatch.setattr(archives, "_walk", lambda shard, *what: (seen.append(shard.name), walk(shard, *what))[1])
    return seen


def long_names(first, count):
    """Names that a tar file stores in a block of their own, and in other scripts."""
    return {f"{'x' * 120}/ü{name}": data for name, data in samples(first, count).items()}


def test_shards_are_listed_once(tmp_path, walks, own_folders):
    extra = {"s/none.png": png(1), "s/odd.png": png(2), "s/odd.cls": b"cat", "s/odd.psd": b"?"}
    shard(tmp_path / "train-0.tar", {**samples(0, 10), **extra})
    shard(tmp_path / "train-1.tar", long_names(10, 10))
    shard(tmp_path / "test-0.tar", samples(20, 10))
    first = open_dataset(str(tmp_path))
    assert walks == ["train-0.tar", "train-1.tar", "test-0.tar"] and len(first.unreadable) == 3
    again = open_dataset(str(tmp_path))
    assert len(walks) == 3
    assert again.fingerprint == first.fingerprint and again.unreadable == first.unreadable
    assert again.train.paths == first.train.paths and "ü" in again.train.paths[-1]
    assert torch.equal(again.train.images, first.train.images) and torch.equal(again.test.labels, first.test.labels)
    (file,) = own_folders.rglob("*.shards")
    kept = file.read_bytes()  # base64 and hashes: "0003" alone may stand there by chance
    assert not any(name in kept for name in (b"s/0003", b"s/odd", b"x" * 120))  # no names


def test_a_changed_a_new_and_a_missing_shard_are_noticed(tmp_path, walks):
    for number in range(3):
        shard(tmp_path / f"train-{number}.tar", samples(10 * number, 10))
    open_dataset(str(tmp_path), test_fraction=0.2)
    shard(tmp_path / "train-1.tar", samples(50, 10))
    os.utime(tmp_path / "train-1.tar", (1e9, 1e9))  # the size is the same
    shard(tmp_path / "train-3.tar", samples(90, 10))
    (tmp_path / "train-0.tar").unlink()
    del walks[:]
    data = open_dataset(str(tmp_path), test_fraction=0.2)
    assert walks == ["train-1.tar", "train-3.tar"]
    names = {path.rpartition("/")[2] for path in (*data.train.paths, *data.test.paths)}
    assert names == {f"{i:04d}.png" for i in (*range(20, 30), *range(50, 60), *range(90, 100))}


def test_shards_that_may_change_again_or_are_damaged_are_not_remembered(tmp_path, walks):
    shard(tmp_path / "train-0.tar", samples(0, 10))
    os.utime(tmp_path / "train-0.tar")
    shard(tmp_path / "train-1.tar", samples(10, 10))
    data = (tmp_path / "train-1.tar").read_bytes()
    (tmp_path / "train-1.tar").write_bytes(data[: 512 * 30])
    os.utime(tmp_path / "train-1.tar", (1e9, 1e9))
    for _ in range(2):
        assert "the shard is damaged" in open_dataset(str(tmp_path), test_fraction=0.2).unreadable[0].reason
    assert walks == ["train-0.tar", "train-1.tar"] * 2


@pytest.mark.parametrize("spoil", [b"", b"{", b'{"version": 1, "shards": 3}', None])
def test_a_spoilt_index_of_shards_is_made_anew(tmp_path, walks, own_folders, spoil):
    shard(tmp_path / "train-0.tar", samples(0, 12))
    first = open_dataset(str(tmp_path), test_fraction=0.25)
    (file,) = own_folders.rglob("*.shards")
    good = file.read_bytes()
    if spoil is None:  # names that would lie elsewhere
        held = json.loads(good)
        numbers = np.frombuffer(base64.b64decode(next(iter(held["shards"].values()))["images"]), "<i8").copy()
        numbers[0] = 10**9
        next(iter(held["shards"].values()))["images"] = base64.b64encode(numbers.tobytes()).decode()
        spoil = json.dumps(held).encode()
    file.write_bytes(spoil)
    assert open_dataset(str(tmp_path), test_fraction=0.25).fingerprint == first.fingerprint
    assert len(walks) == 2 and file.read_bytes() == good


# --- foreign content ----------------------------------------------------------------------------------------------


def with_header(path, kind, size, name=b"s/0000.png"):
    """Put a header that says another kind and size in front of a shard's members."""
    head = bytearray(tarfile.TarInfo("s/0000.png").tobuf())
    head[:100], head[124:136], head[156:157] = name.ljust(100, b"\0"), size, kind
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    path.write_bytes(bytes(head) + path.read_bytes())
    os.utime(path, (1e9, 1e9))


@pytest.mark.parametrize(
    ("kind", "size", "words"),
    [
        (b"0", b"\xff" * 10 + b"\xfc\0", "a header says that its file has -1,024 bytes"),
        (b"S", b"\xff" * 10 + b"\xfc\0", "a header leads back to itself"),
        (b"0", b"\x80" + b"\x7f" * 11, "a header says that its file has 154,135,671,558"),
        (b"L", b"\x80" + b"\x7f" * 11, "a header says that it has 154,135,671,558.* at most 1,048,576 are read"),
        (b"x", b"77777777777\0", "a header says that it has 8,589,934,592 bytes, at most 1,048,576 are read"),
        (b"x", b"\xff" * 10 + b"\xfe\0", "a header says that it has -512 bytes"),
    ],
)
def test_a_damaged_header_costs_its_shard_and_no_other(tmp_path, kind, size, words):
    shard(tmp_path / "train-0.tar", samples(0, 12))
    shard(tmp_path / "train-1.tar", samples(12, 12))
    with_header(tmp_path / "train-1.tar", kind, size)
    data = open_dataset(str(tmp_path), test_fraction=0.2)
    (left,) = data.unreadable
    assert left.path == "train-1.tar" and re.search(words, left.reason)
    assert len(data.train) + len(data.test) == 12


def test_names_of_members_are_neither_kept_as_endings_nor_endless(tmp_path, own_folders):
    more = {"a/photo.john.smith": b"", "a/b.\udcff\udcff": b"", f"{'d/' * 4000}x.png": png(1), "a/c.Txt": b""}
    shard(tmp_path / "train-0.tar", samples(0, 12) | more)
    data = open_dataset(str(tmp_path), test_fraction=0.2)
    why = ("no image (.smith)", "no image (.txt)", "no image (another ending)", "no image (too long a name)")
    assert [data.files[each] for each in why] == [1, 1, 1, 1]
    (file,) = own_folders.rglob("*.shards")
    assert b"john" not in file.read_bytes()


@pytest.mark.parametrize(("column", "value"), [(2, -5), (3, -5), (3, 2**62), (4, -1), (4, 2**40)])
def test_places_outside_a_shard_are_not_believed(tmp_path, walks, own_folders, column, value):
    shard(tmp_path / "train-0.tar", samples(0, 12))
    first = open_dataset(str(tmp_path), test_fraction=0.25)
    (file,) = own_folders.rglob("*.shards")
    held = json.loads(file.read_bytes())
    entry = next(iter(held["shards"].values()))
    numbers = np.frombuffer(base64.b64decode(entry["images"]), "<i8").copy()
    numbers.reshape(-1, 5)[3, column] = value
    entry["images"] = base64.b64encode(numbers.tobytes()).decode()
    file.write_text(json.dumps(held))
    again = open_dataset(str(tmp_path), test_fraction=0.25)
    assert len(walks) == 2 and again.fingerprint == first.fingerprint


def test_a_pipe_among_shards_is_passed_over(tmp_path):
    shard(tmp_path / "train-0.tar", samples(0, 12))
    os.mkfifo(tmp_path / "train-1.tar")
    assert len(open_dataset(str(tmp_path), test_fraction=0.25).train) == 9
