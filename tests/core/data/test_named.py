"""Data sets by name: found in every place they may lie, fetched whole or not at all, never by an unknown pickle."""

import hashlib
import http.server
import io
import pickle
import tarfile
import threading
from functools import partial

import numpy as np
import pytest
import torchvision.datasets
from PIL import Image

import core.data.named
from core.data.named import data_folder, find_source
from core.data.sources import open_dataset
from core.errors import InputError, NotFoundError, StoppedError


def md5(data):
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("gz", [False, True])
@pytest.mark.parametrize("folder", ["FashionMNIST/raw", "FashionMNIST", "fashion-mnist"])
def test_found_under_the_data_root(tmp_path, write_idx, folder, gz):
    write_idx(tmp_path / folder, gz=gz)
    data = open_dataset("fashion-mnist", data_root=tmp_path)
    assert data.classes == (
        "t-shirt",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    )
    assert data.spec == "fashion-mnist" and data.title == "Fashion-MNIST" and data.image_size == (28, 28)


def test_found_in_the_data_folder_and_in_a_systems_package(tmp_path, write_idx, monkeypatch):
    source = find_source("fashion-mnist")
    assert not source.available()
    monkeypatch.setattr(core.data.named, "SYSTEM_FOLDERS", (tmp_path,))
    write_idx(tmp_path / "fashion-mnist", gz=True)
    assert source.available() and source.find() == tmp_path / "fashion-mnist"
    packaged = open_dataset("fashion-mnist")
    monkeypatch.setenv("UNLEARN_STUDIO_DATA", str(tmp_path / "mine"))
    assert data_folder() == tmp_path / "mine"
    write_idx(tmp_path / "mine" / "FashionMNIST" / "raw")
    assert source.find() == tmp_path / "mine" / "FashionMNIST" / "raw"
    assert open_dataset("fashion-mnist").fingerprint == packaged.fingerprint


@pytest.mark.parametrize("name", ["FashionMNIST", "Fashion-MNIST", "fashion_mnist", "fashionmnist"])
def test_other_spellings(name):
    assert find_source(name).id == "fashion-mnist"


def test_a_name_wins_over_a_folder_but_not_over_a_path(tmp_path, class_folders, monkeypatch):
    class_folders(tmp_path / "digits", {"a": 2, "b": 2})
    monkeypatch.chdir(tmp_path)
    assert open_dataset("digits").title == "Digits (8×8)"
    assert open_dataset("./digits", test_fraction=0.5).classes == ("a", "b")


def test_a_path_below_the_data_root(tmp_path, class_folders, monkeypatch):
    class_folders(tmp_path / "mine", {"a": 2, "b": 2})
    data = open_dataset("mine", data_root=tmp_path, test_fraction=0.5)
    assert data.spec == str(tmp_path / "mine")


def test_an_unknown_name():
    with pytest.raises(NotFoundError, match=r"no data set, file or folder called 'fashon-mnist'\. Did you mean"):
        open_dataset("fashon-mnist")
    with pytest.raises(NotFoundError, match=r"Known names: fashion-sample, digits, fashion-mnist"):
        open_dataset("qqqq")


@pytest.mark.parametrize("name", ["mnist", "cifar10", "cifar100", "svhn", "usps", "kmnist", "tiny-imagenet"])
def test_not_there_and_no_network(tmp_path, name):
    with pytest.raises(NotFoundError) as caught:
        open_dataset(name, data_root=tmp_path)
    assert "was not found" in caught.value.message and str(tmp_path) in caught.value.message
    assert all(file in caught.value.message for file in find_source(name).files)
    assert "--data-root" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


# --- fetching -----------------------------------------------------------------------------------------------------


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serve a folder on this machine only, and say so in place of the published addresses."""
    monkeypatch.delenv("UNLEARN_STUDIO_OFFLINE")
    folder = tmp_path / "served"
    folder.mkdir()
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(folder)))
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    yield folder, f"http://127.0.0.1:{httpd.server_port}/"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture
def served_mnist(server, write_idx, monkeypatch):
    folder, address = server
    write_idx(folder, gz=True)
    files = [(p.name, md5(p.read_bytes())) for p in sorted(folder.iterdir())]
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [address + "no-such/", address])
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", files)
    return folder


def tree(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def test_fetched_from_the_second_mirror_with_progress(tmp_path, served_mnist):
    root = tmp_path / "root"
    seen = []
    data = open_dataset("mnist", data_root=root, progress=lambda *report: seen.append(report))
    assert len(data.train) == 40
    assert tree(root) == ["MNIST", "MNIST/raw", *sorted(f"MNIST/raw/{p.name}" for p in served_mnist.iterdir())]
    downloads = [report for report in seen if report[0] == "Downloading MNIST, file 1 of 4"]
    assert downloads[-1][1] == downloads[-1][2] > 0
    for path in served_mnist.iterdir():
        path.unlink()
    assert open_dataset("mnist", data_root=root).fingerprint == data.fingerprint


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"x"), "train-labels-idx1-ubyte.gz arrived damaged"),
        (lambda path: path.unlink(), "the server answered 404"),
    ],
)
def test_a_failed_download_leaves_nothing(tmp_path, served_mnist, harm, why):
    harm(served_mnist / "train-labels-idx1-ubyte.gz")
    root = tmp_path / "root"
    with pytest.raises(NotFoundError) as caught:
        open_dataset("mnist", data_root=root)
    assert f"could not be downloaded ({why})" in caught.value.message
    assert "127.0.0.1" not in str(caught.value) and "http" not in str(caught.value)
    assert not root.exists()


def test_a_cancelled_download_leaves_nothing(tmp_path, served_mnist):
    seen = []
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(StoppedError):
        open_dataset("mnist", data_root=root, progress=lambda *r: seen.append(r[0]), cancelled=lambda: len(seen) > 4)
    assert any("file 2 of 4" in what for what in seen)
    assert tree(root) == []


def test_no_connection(tmp_path, monkeypatch):
    monkeypatch.delenv("UNLEARN_STUDIO_OFFLINE")
    # The discard port of this machine: nothing listens there, and no other machine is asked.
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(NotFoundError, match=r"could not be downloaded \(no connection\)\. Looked in "):
        open_dataset("mnist", data_root=tmp_path)
    assert tree(tmp_path) == []


# --- CIFAR --------------------------------------------------------------------------------------------------------


def cifar_batch(seed, count=10):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, 3072), dtype=np.uint8)
    return pickle.dumps({"data": pixels, "labels": list(range(10))[:count]}, protocol=2)


@pytest.fixture
def cifar(monkeypatch):
    """Give torchvision's CIFAR10 the checksums of small files of the same form; return the files."""
    vision = torchvision.datasets.CIFAR10
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    files = {name: cifar_batch(i) for i, name in enumerate(names)}
    files["batches.meta"] = pickle.dumps({"label_names": [f"thing_{i}" for i in range(10)]}, protocol=2)
    monkeypatch.setattr(vision, "train_list", [[n, md5(files[n])] for n in names[:5]])
    monkeypatch.setattr(vision, "test_list", [["test_batch", md5(files["test_batch"])]])
    monkeypatch.setattr(vision, "meta", {**vision.meta, "md5": md5(files["batches.meta"])})
    return files


def write_files(folder, files):
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def test_cifar_is_read_as_torchvision_reads_it(tmp_path, cifar):
    write_files(tmp_path / "cifar-10-batches-py", cifar)
    data = open_dataset("cifar10", data_root=tmp_path)
    theirs = torchvision.datasets.CIFAR10(tmp_path, train=True)
    assert np.array_equal(data.train.images.numpy(), theirs.data) and data.train.labels.tolist() == theirs.targets
    assert (data.channels, data.image_size, len(data.test)) == (3, (32, 32), 10)
    assert data.classes[3] == "thing 3"


def test_a_changed_cifar_file_is_never_unpickled(tmp_path, cifar):
    flag = tmp_path / "executed"

    class Hostile:
        def __reduce__(self):
            return (open, (str(flag), "w"))

    write_files(tmp_path / "cifar-10-batches-py", {**cifar, "data_batch_2": pickle.dumps(Hostile())})
    with pytest.raises(InputError, match=r"files of CIFAR10 in .* are damaged or are not the published ones"):
        open_dataset("cifar10", data_root=tmp_path)
    assert not flag.exists()


def archive(files, folder="cifar-10-batches-py"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def serve_archive(server, monkeypatch, data):
    folder, address = server
    (folder / "c.tar.gz").write_bytes(data)
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", address + "c.tar.gz")
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "tgz_md5", md5(data))


def test_an_archive_is_unpacked_and_not_kept(tmp_path, cifar, server, monkeypatch):
    serve_archive(server, monkeypatch, archive({**cifar, "readme.html": b"x"}))
    root = tmp_path / "root"
    assert len(open_dataset("cifar10", data_root=root).train) == 50
    assert tree(root) == ["cifar-10-batches-py", *sorted(f"cifar-10-batches-py/{name}" for name in cifar)]


def test_an_archive_that_lacks_a_file_or_reaches_elsewhere(tmp_path, cifar, server, monkeypatch):
    files = {name: data for name, data in cifar.items() if name != "test_batch"}
    serve_archive(server, monkeypatch, archive({**files, "../../evil": b"x"}))
    root = tmp_path / "root"
    with pytest.raises(NotFoundError, match=r"could not be downloaded \(cifar-10-python\.tar\.gz lacks test_batch\)"):
        open_dataset("cifar10", data_root=root)
    assert not root.exists() and not (tmp_path / "evil").exists()


# --- others -------------------------------------------------------------------------------------------------------


def test_svhn(tmp_path, monkeypatch):
    from scipy.io import savemat

    parts, arrays = {}, {}
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        x = rng.integers(0, 256, (32, 32, 3, 10), dtype=np.uint8)
        path = tmp_path / f"{part}_32x32.mat"
        savemat(path, {"X": x, "y": np.arange(1, 11, dtype=np.uint8)[:, None]})
        parts[part] = ["", path.name, md5(path.read_bytes())]
        arrays[part] = x
    monkeypatch.setattr(torchvision.datasets.SVHN, "split_list", parts)
    data = open_dataset("svhn", data_root=tmp_path)
    assert np.array_equal(data.train.images.numpy(), arrays["train"].transpose(3, 0, 1, 2))
    assert data.train.labels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]


def test_usps(tmp_path):
    import bz2

    for name in ("usps.bz2", "usps.t.bz2"):
        lines = [f"{label} " + " ".join(f"{i + 1}:{label / 5 - 1}" for i in range(256)) for label in range(1, 11)]
        (tmp_path / name).write_bytes(bz2.compress("\n".join(lines).encode()))
    data = open_dataset("usps", data_root=tmp_path)
    assert data.image_size == (16, 16) and data.train.labels.tolist() == list(range(10))
    assert data.train.images[4].unique().tolist() == [127]
    (tmp_path / "usps.bz2").write_bytes(b"no bz2")
    with pytest.raises(InputError, match="files of USPS"):
        open_dataset("usps", data_root=tmp_path)


def test_tiny_imagenet(tmp_path):
    root = tmp_path / "tiny-imagenet-200"
    for number in ("n02", "n01", "n03"):
        (root / "train" / number / "images").mkdir(parents=True)
        for i in range(2):
            Image.new("L" if i else "RGB", (64, 64), 9).save(root / "train" / number / "images" / f"{number}_{i}.JPEG")
    (root / "val" / "images").mkdir(parents=True)
    Image.new("RGB", (64, 64)).save(root / "val" / "images" / "val_0.JPEG")
    (root / "val" / "val_annotations.txt").write_text("val_0.JPEG\tn03\t0\t0\t9\t9\n")
    (root / "wnids.txt").write_text("n02\nn01\nn03\n")
    (root / "words.txt").write_text("n01\tcrane, bird\nn02\tcrane, machine\nn03\tdog, domestic dog\n")
    data = open_dataset("tiny-imagenet", data_root=tmp_path)
    assert data.classes == ("crane (n01)", "crane (n02)", "dog")
    assert data.train.labels.tolist() == [0, 0, 1, 1, 2, 2] and data.test.labels.tolist() == [2]
    assert data.train.paths[0] == "train/n01/images/n01_0.JPEG" and data.channels == 3
    (root / "val" / "val_annotations.txt").write_text("val_0.JPEG\tn77\t0\t0\t9\t9\n")
    with pytest.raises(InputError, match=r"files of Tiny ImageNet in .* are incomplete"):
        open_dataset("tiny-imagenet", data_root=tmp_path)
