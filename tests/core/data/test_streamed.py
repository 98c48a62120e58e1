"""Streamed images: the same bits as images held in memory, read ahead, kept once decoded, and honest about changes."""

import gc
import os
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.data import index, reading, streamed
from core.data.batches import Augmentation, ImageStore, Order
from core.data.images import CannotReadError, Form, decode_into, look, reason_of
from core.data.index import NO_STAMP, FolderFiles
from core.data.preprocessing import Preprocessing
from core.data.sources import open_dataset
from core.data.splits import evaluation_half
from core.data.streamed import ROWS, DecodedCache, StreamedImages
from core.errors import InputError, OutOfMemoryError, ParameterError, StoppedError
from tests.core.data.test_images import hollow_png, only_looks_whole, with_damaged_table
from tests.core.toy import DATA, make_engine, make_experiment, run_to_end, same, weights

EVERYTHING = float("inf")
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def collected():
    """A stream's workers end with it; engines and tracebacks hold it in cycles."""
    yield
    gc.collect()


@pytest.fixture
def no_cache(monkeypatch):
    monkeypatch.setenv("UNLEARN_STUDIO_DECODED", "0")


@pytest.fixture
def toy_folder(tmp_path):
    """The toy data as a folder of PNGs, an hour old."""
    for part, images in (("train", DATA.train), ("test", DATA.test)):
        for number, (image, label) in enumerate(zip(images.images, images.labels.tolist(), strict=True)):
            folder = tmp_path / part / f"c{label}"
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image[..., 0].numpy()).save(folder / f"{number:03d}.png")
            age(folder / f"{number:03d}.png")
    return tmp_path


@pytest.fixture
def photos(tmp_path):
    """JPEGs of several sizes, larger than what they are decoded to."""
    rng = np.random.default_rng(3)
    for number in range(40):
        folder = tmp_path / ("train" if number % 4 else "test") / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        low = Image.fromarray(rng.integers(0, 256, (6, 5, 3), dtype=np.uint8))
        low.resize((90 + number, 70), Image.Resampling.BICUBIC).save(folder / f"{number:02d}.jpg")
    for folder in ("test/b", "train/a"):  # both parts have both classes
        (tmp_path / folder).mkdir(exist_ok=True)
        low.resize((80, 70)).save(tmp_path / folder / "more.jpg")
    return tmp_path


def age(path, seconds=3600):
    then = time.time() - seconds
    os.utime(path, (then, then))


def opened(root, **options):
    """The same folder streamed, and held in memory."""
    return (open_dataset(str(root), memory_budget=budget, **options) for budget in (0, EVERYTHING))


def count_decodings(monkeypatch, seen):
    monkeypatch.setattr("core.data.originals.decode_into", lambda *what: (seen.append(1), decode_into(*what))[1])


def as_on_disk(cache_home):
    return sorted(p.suffix for p in cache_home.rglob("decoded/*"))


# --- the same bits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [None, 0.3])
def test_a_stream_is_the_same_data(photos, tmp_path, fraction):
    root = photos if fraction is None else photos / "train"
    streamed, held = opened(root, test_fraction=fraction)
    assert isinstance(streamed.train.images, StreamedImages) and isinstance(held.train.images, torch.Tensor)
    assert streamed.fingerprint == held.fingerprint and streamed.preprocessing == held.preprocessing
    for part in ("train", "test"):
        one, other = getattr(streamed, part), getattr(held, part)
        assert one.paths == other.paths and torch.equal(one.labels, other.labels)
        assert one.images.shape == other.images.shape
        assert torch.equal(one.images[:], other.images)
        assert torch.equal(evaluation_half(one), evaluation_half(other))
        ids = torch.tensor([3, 1, 3, 0])
        assert torch.equal(one.images[ids], other.images[ids])
        assert torch.equal(one.images[2], other.images[2])


@pytest.mark.usefixtures("no_cache")
def test_measured_preprocessing_is_the_same(photos):
    streamed, held = opened(photos, preprocessing=None)
    assert streamed.preprocessing == held.preprocessing
    small = {"train": photos / "small" / "train", "test": photos / "small" / "test"}
    for path in small.values():
        for name in "ab":
            (path / name).mkdir(parents=True)
            Image.effect_noise((9, 8), 60).convert("RGB").save(path / name / "0.png")
    streamed, held = opened(photos / "small")
    assert streamed.preprocessing == held.preprocessing and held.preprocessing.source == "data set"


def test_batches_in_order_with_holes_are_the_same(photos):
    streamed, held = opened(photos)
    stores = [ImageStore(data.train, data.preprocessing, CPU) for data in (streamed, held)]
    assert [store.resident for store in stores] == [False, True]
    members = torch.tensor([i for i in range(len(held.train)) if i % 3])
    orders = [Order(members, len(held.train), 4, 7, "retain") for _ in stores]
    for position in range(14):  # over the end of an epoch
        batches = []
        for store, order in zip(stores, orders, strict=True):
            ids, epoch = order.ids(position)
            for further in (1, 2, 3):
                store.prefetch(order.ids(position + further)[0])
            batches.append(store.batch(ids, Augmentation(2, True), 7, "retain", epoch))
        for name in ("images", "labels", "ids", "forget", "weights"):
            assert torch.equal(getattr(batches[0], name), getattr(batches[1], name))


@pytest.mark.parametrize("method", ["finetune", "muda", "ssd"])
def test_a_run_ends_with_the_same_weights(toy_folder, method):
    streamed, held = opened(toy_folder)
    augmentation = Augmentation(1, True)
    ended = []
    for data in (held, streamed):
        engine = make_engine(make_experiment(method, data=data, augmentation=augmentation))
        events = run_to_end(engine)
        ended.append((weights(engine.experiment.model.module), events[-1].type))
    assert same(ended[0][0], ended[1][0]) and ended[0][1] == ended[1][1]


def test_a_resumed_run_on_a_stream_ends_with_the_same_weights(toy_folder):
    streamed, held = opened(toy_folder)
    settings = {"augmentation": Augmentation(1, True), "epochs": 2, "batch": 16}
    whole = make_engine(make_experiment("finetune", data=held, **settings))
    run_to_end(whole)
    first = make_engine(make_experiment("finetune", data=streamed, **settings))
    walk = first.run()
    while first.step < 5:
        next(walk)
    state = first.state()
    walk.close()
    resumed = make_engine(make_experiment("finetune", data=streamed, **settings))
    resumed.restore(state)
    run_to_end(resumed)
    assert same(weights(resumed.experiment.model.module), weights(whole.experiment.model.module))


# --- the budget ---------------------------------------------------------------------------------------------------


def test_the_budget_decides_and_the_variable_sets_it(toy_folder, monkeypatch):
    needed = 160 * 6 * 6
    for budget, kind in ((needed, torch.Tensor), (needed - 1, StreamedImages)):
        assert isinstance(open_dataset(str(toy_folder), memory_budget=budget).train.images, kind)
        monkeypatch.setenv("UNLEARN_STUDIO_MEMORY", str(budget / 2**30))
        assert isinstance(open_dataset(str(toy_folder)).train.images, kind)
    monkeypatch.setenv("UNLEARN_STUDIO_MEMORY", "much")
    with pytest.raises(ParameterError, match="UNLEARN_STUDIO_MEMORY must be a number of GB, got 'much'"):
        open_dataset(str(toy_folder))


def test_little_free_memory_means_a_stream(toy_folder, monkeypatch):
    monkeypatch.setattr("core.data.reading.free_memory", lambda: 2 * 160 * 6 * 6 - 2)
    assert isinstance(open_dataset(str(toy_folder)).train.images, StreamedImages)


@pytest.mark.usefixtures("no_cache")
def test_what_is_read_ahead_is_bounded_and_used_once(toy_folder, monkeypatch):
    monkeypatch.setattr("core.data.streamed.AHEAD_BYTES", 36 * 20)
    decoded = []
    count_decodings(monkeypatch, decoded)
    images = open_dataset(str(toy_folder), memory_budget=0).train.images
    held = open_dataset(str(toy_folder), memory_budget=EVERYTHING).train.images
    stream = images.stream
    del decoded[:]  # what the mean was measured on, and what is held
    for start in range(0, 80, 10):
        images.prefetch(torch.arange(start, start + 10))
        assert len(stream._ahead) <= 20
    ids = torch.arange(60, 80)
    assert torch.equal(images[ids], held[ids])
    assert not stream._ahead
    stream._pool.shutdown()
    assert len(decoded) == 80  # each once, those that gave way too


# --- decoded once -------------------------------------------------------------------------------------------------


@pytest.fixture
def decodings(monkeypatch):
    """Counts what a stream decodes."""
    seen = []
    count_decodings(monkeypatch, seen)
    return seen


def test_the_second_epoch_decodes_nothing_and_neither_does_the_next_session(photos, own_folders, decodings):
    data, held = opened(photos)
    del decodings[:]  # of what is held
    for _ in range(2):
        assert torch.equal(data.train.images[:], held.train.images)
        assert len(decodings) == len(data.train)
    data.train.images.stream._cache.flush()
    again = open_dataset(str(photos), memory_budget=0)
    assert torch.equal(again.train.images[:], held.train.images) and len(decodings) == len(data.train)
    again.test.images[:]
    assert len(decodings) == len(data.train) + len(data.test)
    assert as_on_disk(own_folders) == [".rows", ".sums"]
    # The names of images are nowhere in it.
    assert all(b"00.jpg" not in p.read_bytes() and b"more" not in p.read_bytes() for p in own_folders.rglob("*.r*"))


def test_other_files_or_another_size_are_other_rows(photos, own_folders, decodings):
    held = open_dataset(str(photos), memory_budget=EVERYTHING)
    del decodings[:]
    first = open_dataset(str(photos), memory_budget=0)
    first.train.images[:]
    first.train.images.stream._cache.flush()
    before = len(decodings)
    card = held.preprocessing.from_dict({"size": 16, "mean": [0.5] * 3, "std": [0.2] * 3, "source": "model card"})
    smaller = open_dataset(str(photos), memory_budget=0, preprocessing=card)
    assert smaller.train.images[:].shape[1:3] == (16, 16) and len(decodings) == 2 * before
    (photos / first.train.paths[5]).unlink()
    fewer, fewer_held = opened(photos)
    del decodings[:]
    assert torch.equal(fewer.train.images[:], fewer_held.train.images) and len(decodings) == before - 1


def test_rows_whose_arrival_on_disk_is_not_noted_are_decoded_again(tmp_path):
    digests, image = np.zeros((4, 32), dtype=np.uint8), np.full((2, 3, 1), 9, dtype=np.uint8)
    cache = DecodedCache.open(digests, Form((2, 3), 1))
    cache.write(1, image)
    cache.flush()
    cache.write(2, image)
    assert cache.has(np.arange(4)).tolist() == [False, True, True, False]
    other = DecodedCache.open(digests, Form((2, 3), 1))
    assert other.has(np.arange(4)).tolist() == [False, True, False, False]
    images, whole = other.read(np.array([1, 1]))
    assert np.array_equal(images, np.stack([image, image])) and whole.all()


@pytest.mark.parametrize("spoilt", [ROWS, ".sums"])
def test_a_flipped_bit_is_noticed_when_a_row_is_first_read_and_the_image_decoded_again(
    photos, own_folders, decodings, spoilt
):
    held = open_dataset(str(photos), memory_budget=EVERYTHING)
    first = open_dataset(str(photos), memory_budget=0)
    first.train.images[:]
    first.train.images.stream._cache.flush()
    path = next(own_folders.rglob(f"*{spoilt}"))
    data = bytearray(path.read_bytes())
    size = first.train.images[0].numel() if spoilt == ROWS else 4
    rows = sorted(first.train.images._rows.tolist())
    for row in (rows[0], rows[3], rows[-1]):
        data[row * size + size // 2] ^= 16
    path.write_bytes(data)
    del decodings[:]
    for _ in range(2):
        again = open_dataset(str(photos), memory_budget=0)
        assert torch.equal(again.train.images[:], held.train.images) and len(decodings) == 3
        again.train.images.stream._cache.flush()


def test_a_row_is_checked_once_by_a_process(tmp_path, monkeypatch):
    digests, image = np.zeros((4, 32), dtype=np.uint8), np.full((2, 3, 1), 9, dtype=np.uint8)
    cache = DecodedCache.open(digests, Form((2, 3), 1))
    cache.write(1, image)
    cache.write(2, np.zeros_like(image))
    cache.flush()
    other, summed = DecodedCache.open(digests, Form((2, 3), 1)), []
    monkeypatch.setattr(streamed, "_sum", lambda row: summed.append(row) or zlib.crc32(row.tobytes()) or 1)
    for _ in range(2):
        assert other.read(np.array([1, 2]))[1].all()
    assert len(summed) == 2


def test_rows_are_those_of_the_same_files_decoded_in_the_same_way():
    digests, image = np.arange(64, dtype=np.uint8).reshape(2, 32), np.full((3, 3, 3), 9, dtype=np.uint8)
    form = Form((3, 3), 3)
    cache = DecodedCache.open(digests, form)
    cache.write(0, image)
    cache.flush()
    assert DecodedCache.open(digests, form).has(np.arange(2)).tolist() == [True, False]
    for other in (Form((3, 3), 3, "bicubic"), Form((9, 1), 3), Form((3, 9), 1)):
        assert not DecodedCache.open(digests, other).has(np.arange(2)).any(), other
    assert not DecodedCache.open(digests[::-1].copy(), form).has(np.arange(2)).any()


def test_the_limit_keeps_the_first_rows_and_removes_what_was_used_longest_ago(own_folders, monkeypatch):
    monkeypatch.setenv("UNLEARN_STUDIO_DECODED", str(3 * 2**20 / 2**30))
    form, side = Form((512, 512), 1), np.zeros((512, 512, 1), dtype=np.uint8)  # 256 KB an image: 12 fit
    caches = []
    for number in range(3):
        cache = DecodedCache.open(np.full((5, 32), number, dtype=np.uint8), form)
        for row in range(5):
            cache.write(row, side)
        cache.flush()
        age(cache._path, 3600 - number)
        caches.append(cache)
    assert [cache._path.exists() for cache in caches] == [False, True, True]
    assert caches[0].read(np.array([4]))[0].shape == (1, 512, 512, 1)  # what is open stays usable
    caches[0].flush()
    assert not caches[0]._path.with_suffix(".sums").exists()
    large = DecodedCache.open(np.full((20, 32), 9, dtype=np.uint8), form)
    assert large.capacity == 12 and not large.has(np.arange(20)).any()
    large.write(15, side)
    assert not large.has(np.array([15]))[0]
    monkeypatch.setenv("UNLEARN_STUDIO_DECODED", "-")
    with pytest.raises(ParameterError, match="UNLEARN_STUDIO_DECODED must be a number of GB"):
        DecodedCache.open(np.zeros((1, 32), dtype=np.uint8), form)


def test_a_full_disk_ends_the_keeping_only(photos, monkeypatch, caplog):
    class Full:
        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, data):
            return 1

    data, held = opened(photos)
    cache = data.train.images.stream._cache
    full = Full()
    full.file, cache._file = cache._file, full
    assert torch.equal(data.train.images[:], held.train.images)
    assert caplog.text.count("no more decoded images are kept: the disk is full") == 1
    assert not cache.has(np.arange(len(data.train))).any()


def test_a_cache_that_cannot_be_made_is_no_error(photos, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path / "file"))
    data, held = opened(photos)
    assert torch.equal(data.train.images[:], held.train.images)


# --- files that change --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_cache")
def test_a_file_changed_since_it_was_indexed_is_noticed(photos):
    data = open_dataset(str(photos), memory_budget=0)
    path = photos / data.train.paths[0]
    good = path.read_bytes()
    age(path, 10)  # touched, with the same content
    assert data.train.images[0].shape == data.train.images.shape[1:]
    path.write_bytes((photos / data.train.paths[1]).read_bytes())
    with pytest.raises(InputError, match=r"\.jpg has changed since the data was opened\. Put the file back"):
        data.train.images[torch.arange(4)]
    path.unlink()
    with pytest.raises(InputError, match="was there when the data was opened and cannot be read now: no such file"):
        data.train.images[torch.arange(4)]
    path.write_bytes(good)
    assert len(data.train.images[torch.arange(4)]) == 4
    assert open_dataset(str(photos), memory_budget=0).fingerprint == data.fingerprint
    path.write_bytes((photos / data.train.paths[1]).read_bytes())
    assert open_dataset(str(photos), memory_budget=0).fingerprint != data.fingerprint


def test_a_damaged_table_is_seen_at_opening(photos):
    name = "train/a/more.jpg"
    (photos / name).write_bytes(with_damaged_table((photos / name).read_bytes()))
    for data in opened(photos):
        assert [u.path for u in data.unreadable] == [name] and name not in data.train.paths


@pytest.mark.usefixtures("no_cache")
def test_an_image_that_only_looked_whole_is_black_and_told_whether_streamed_or_held(photos):
    name = "train/a/zz.jpg"
    (photos / name).write_bytes(only_looks_whole(90, 80))
    age(photos / name)
    for attempt in range(2):  # the second time it has been decoded before, which must make no difference
        streamed, held = opened(photos)
        assert streamed.fingerprint == held.fingerprint and not held.unreadable and not streamed.unreadable
        where = held.train.paths.index(name)
        assert not streamed.train.images[where].any() and not held.train.images[where].any()
        assert torch.equal(streamed.train.images[:], held.train.images)
        assert streamed.undecoded == held.undecoded, attempt
        ((path, reason),) = [(u.path, u.reason) for u in held.undecoded]
        assert path == name and reason.startswith("damaged: ")
        assert held.listed[0].reason == f"{reason}; it counts as black"
        assert [ImageStore(d.train, d.preprocessing, CPU).undecoded for d in (streamed, held)] == [held.undecoded] * 2
    aside = open_dataset(str(photos / "train"), test_fraction=0.3, memory_budget=EVERYTHING)
    assert len(aside.undecoded) == 1 and len(aside.train.undecoded) + len(aside.test.undecoded) == 1


@pytest.mark.parametrize("budget", [0, EVERYTHING])
def test_memory_that_ran_out_says_nothing_of_a_file(photos, monkeypatch, budget):
    def exhausted(data, form):
        raise MemoryError

    monkeypatch.setattr("core.data.images.decode", exhausted)
    with pytest.raises(OutOfMemoryError, match=r"Memory ran out while train/a/\d+\.jpg was decoded"):
        open_dataset(str(photos), memory_budget=budget).train.images[:]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (Path.unlink, r"train/b/01\.jpg was there when the data was opened and cannot be read now: no such file"),
        (lambda file: file.write_bytes(file.read_bytes()[:200]), r"train/b/01\.jpg has changed since the data"),
        (lambda file: file.write_bytes((file.parent / "07.jpg").read_bytes()), r"train/b/01\.jpg has changed since"),
    ],
)
def test_files_that_go_or_change_between_the_look_and_the_reading_are_named(photos, monkeypatch, change, message):
    card = Preprocessing((16, 16), (0.5,) * 3, (0.2,) * 3)  # a size that does not depend on which files are there
    changed = photos / "train/b/01.jpg"
    open_index = reading.open_index

    def meanwhile(*what):
        looked_at = open_index(*what)
        change(changed)
        return looked_at

    monkeypatch.setattr(reading, "open_index", meanwhile)
    with pytest.raises(InputError, match=message):
        open_dataset(str(photos), memory_budget=EVERYTHING, preprocessing=card)
    monkeypatch.undo()
    held, streamed = opened(photos, preprocessing=card)
    assert held.fingerprint == streamed.fingerprint and torch.equal(held.train.images[:], streamed.train.images[:])


# --- the index ----------------------------------------------------------------------------------------------------


def test_the_index_reads_a_file_again_only_where_it_changed(toy_folder, monkeypatch):
    looked = []
    monkeypatch.setattr(index, "look", lambda data: (looked.append(1), look(data))[1])
    first = open_dataset(str(toy_folder), memory_budget=0)
    assert len(looked) == 160
    assert open_dataset(str(toy_folder), memory_budget=0).fingerprint == first.fingerprint and len(looked) == 160
    changed = toy_folder / first.train.paths[5]
    changed.write_bytes((toy_folder / first.train.paths[6]).read_bytes())
    age(changed, 60)
    new = toy_folder / "train" / "c0" / "zz.png"
    new.write_bytes(changed.read_bytes())
    age(new)
    (toy_folder / first.train.paths[0]).unlink()
    second = open_dataset(str(toy_folder), memory_budget=0)
    assert len(looked) == 162 and second.fingerprint != first.fingerprint and len(second.train) == 80


def test_names_are_hashed_again_only_where_there_are_others(toy_folder, monkeypatch):
    first = open_dataset(str(toy_folder))
    keys, hashed = index._keys, []
    monkeypatch.setattr(index, "_keys", lambda names: hashed.append(len(names)) or keys(names))
    assert open_dataset(str(toy_folder)).fingerprint == first.fingerprint and not hashed
    image = toy_folder / first.train.paths[0]
    image.rename(image.with_name("zz" + image.suffix))
    assert open_dataset(str(toy_folder)).fingerprint != first.fingerprint and len(hashed) == 1
    assert len(open_dataset(str(toy_folder)).train) == len(first.train) and len(hashed) == 1


def test_stamps_of_many_files_are_those_of_each(tmp_path):
    (tmp_path / "a.png").write_bytes(b"abc")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    elsewhere = tmp_path / "other" / "b.png"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(b"abcd")
    files = FolderFiles(tmp_path, ["a.png", "empty.png", "folder.png", "missing.png", str(elsewhere)])
    stamped = index.FileIndex(files, np.zeros(5, index._ROW))
    faults = stamped.enter_stamps(range(5))
    stamps = [tuple(stamp) for stamp in stamped.rows[["sizes", "times"]].tolist()]
    assert stamps == [files.stamp(0), NO_STAMP, NO_STAMP, NO_STAMP, files.stamp(4)] and stamps[4][0] == 4
    assert sorted(faults) == [1, 2, 3]
    for position, fault in faults.items():
        with pytest.raises((CannotReadError, FileNotFoundError)) as raised:
            files.stamp(position)
        assert fault == reason_of(raised.value)


def test_a_cancelled_index_goes_on_where_it_was(toy_folder, monkeypatch):
    monkeypatch.setattr(index, "CHUNK", 10)
    seen = []
    with pytest.raises(StoppedError):
        open_dataset(
            str(toy_folder),
            memory_budget=0,
            progress=lambda what, done, total: seen.append((what, done)),
            cancelled=lambda: ("Looking at images", 50) in seen,
        )
    del seen[:]
    open_dataset(str(toy_folder), memory_budget=0, progress=lambda *report: seen.append(report))
    assert next(total for what, _, total in seen if what == "Looking at images") == 160 - 60


def test_faults_are_remembered_but_not_that_a_file_could_not_be_read(toy_folder, monkeypatch):
    broken = toy_folder / "train" / "c0" / "000.png"
    broken.write_bytes(broken.read_bytes()[:-40])
    age(broken)
    read = FolderFiles.read

    def refuse(files, position):
        if files.names[position] == "train/c0/004.png":
            raise PermissionError(13, "Permission denied")
        return read(files, position)

    with monkeypatch.context() as patch:
        patch.setattr("core.data.index.FolderFiles.read", refuse)
        found = open_dataset(str(toy_folder), memory_budget=0).unreadable
        assert [(u.path, u.reason) for u in found][1] == ("train/c0/004.png", "Permission denied")
    looked = []
    monkeypatch.setattr("core.data.index.look", lambda data: (looked.append(1), look(data))[1])
    assert [u.path for u in open_dataset(str(toy_folder), memory_budget=0).unreadable] == ["train/c0/000.png"]
    assert len(looked) == 1  # the one that is readable now


# --- a folder as people have them ---------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [0, EVERYTHING])
def test_a_folder_with_all_that_goes_wrong_survives(tmp_path, budget):
    root = tmp_path / "wild"
    for part, count in (("train", 150), ("test", 50)):
        for name in ("äpfel", "梨\nmit Zeilenumbruch"):
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                kind = ("jpg", "png", "webp", "tiff", "bmp")[number % 5]
                mode = ("L", "RGB", "RGBA", "I;16")[number % 4] if kind in ("png", "tiff") else "RGB"
                path = root / part / name / f"{number:03d} ü\n{'x' * (number % 3)}.{kind}"
                Image.new(mode, (9, 8), 100 if mode in ("L", "I;16") else (100,) * len(mode)).save(path)
    broken = [root / "train" / "äpfel" / f"{i}.jpg" for i in range(4)]
    whole = next((root / "train" / "äpfel").glob("000*.jpg")).read_bytes()
    for path, content in zip(broken, (b"", b"text", whole[:60], whole[: len(whole) // 2]), strict=True):
        path.write_bytes(content)
    bomb = root / "train" / "äpfel" / "bomb.png"
    bomb.write_bytes(hollow_png(20_000, 20_000))
    (root / "train" / "äpfel" / "loop").symlink_to("..")
    (root / "train" / "äpfel" / "self.jpg").symlink_to("self.jpg")
    data = open_dataset(str(root), memory_budget=budget)
    reasons = {u.path.rpartition("/")[2]: u.reason for u in data.unreadable}
    assert set(reasons) == {*(f"{i}.jpg" for i in range(4)), "bomb.png", "self.jpg", "loop"} and all(reasons.values())
    assert "pixels" in reasons["bomb.png"]
    assert (len(data.train), len(data.test)) == (300, 100) and data.channels == 3
    assert len(data.train.images[:]) == 300
