"""Data sets known by name: where their files are looked for, how they are read, where they are downloaded from.

What is downloaded is checked against the published checksums, and in place whole or not at all.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import tarfile
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from core.data.arrays import IDX_FILES, assemble, find_idx, load_idx
from core.data.dataset import ImageSet, Loaded
from core.data.index import FolderFiles
from core.data.reading import Listing, load_listing
from core.data.splits import set_aside
from core.errors import InputError, NotFoundError
from core.events import Tell
from core.files import RESOURCES, data_home, user_path
from core.leftovers import building

TEST_FRACTION = 1 / 3  # of the digits: enough unseen images of one digit for an interval and an attack score
FASHION_CLASSES = (
    "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)
DIGIT_CLASSES = tuple(str(d) for d in range(10))
KUZUSHIJI_CLASSES = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
TINY_FILES = ("wnids.txt", "words.txt", "val/val_annotations.txt")

# Where packages of Linux distributions put data sets (Debian: dataset-fashion-mnist).
SYSTEM_FOLDERS = (Path("/usr/share/datasets"), Path("/usr/local/share/datasets"))
SAMPLE = RESOURCES / "example" / "images"  # of Fashion-MNIST, with its licence


_TIMEOUT = 30.0  # seconds without an answer
_CHUNK = 256 * 1024


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch: its name, the addresses to try in turn, its published MD5, and what to take out of it."""

    name: str
    urls: tuple[str, ...]
    md5: str
    unpack: tuple[str, ...] = ()  # names of files inside a tar archive; the archive itself is not kept


@dataclass(frozen=True)
class DatasetSource:
    """A data set known by name: what it is, and how it is found and read."""

    id: str
    title: str
    summary: str
    classes: int
    channels: int
    size: tuple[int, int]
    # Relative to a data root, in the order they are looked at; none: the data set ships with the program.
    folders: tuple[str, ...] = field(default=(), repr=False)
    files: tuple[str, ...] = field(default=(), repr=False)
    read: Callable[[DatasetSource, Path, Tell], Loaded] | None = field(default=None, repr=False)
    torchvision: str = ""  # its class there, which knows where the files are and their checksums
    names: tuple[str, ...] = field(default=(), repr=False)  # of the classes, where the files hold none

    def available(self, data_root: Path | str | None = None) -> bool:
        """Say whether it can be opened without a download."""
        return not self.folders or self.find(data_root) is not None

    def find(self, data_root: Path | str | None = None) -> Path | None:
        """Return the folder that holds all its files, None where there is none."""
        places = self.places(data_root)
        return next((folder for folder in places if all(_exists(folder / name) for name in self.files)), None)

    def places(self, data_root: Path | str | None = None) -> list[Path]:
        """Return the folders its files are looked for in, best first."""
        stated = [user_path(data_root)] if data_root else []
        return [root / folder for root in (*stated, data_folder(), *SYSTEM_FOLDERS) for folder in self.folders]

    def published(self) -> Any:
        """Return torchvision's class for it."""
        import torchvision.datasets

        return getattr(torchvision.datasets, self.torchvision)

    def remote(self) -> tuple[RemoteFile, ...]:
        """Return what to download, as torchvision's class names it."""
        published = self.published()
        if hasattr(published, "mirrors"):
            urls = {name: tuple(mirror + name for mirror in published.mirrors) for name, _ in published.resources}
            return tuple(RemoteFile(name, urls[name], md5) for name, md5 in published.resources)
        if hasattr(published, "split_list"):
            parts = (published.split_list[part] for part in ("train", "test"))
            return tuple(RemoteFile(name, (url,), md5) for url, name, md5, *_ in parts)
        return (RemoteFile(published.filename, (published.url,), published.tgz_md5, unpack=self.files),)


def data_folder() -> Path:
    """Return where downloaded data sets are kept; the variable UNLEARN_STUDIO_DATA names another place."""
    named = os.environ.get("UNLEARN_STUDIO_DATA")
    return user_path(named) if named else data_home() / "data"


def find_source(name: str) -> DatasetSource | None:
    """Return the data set called `name`, however it is spelt (FashionMNIST, cifar-10), else None."""
    return next((source for source in SOURCES if _plain(source.id) == _plain(name)), None)


def load_named(source: DatasetSource, data_root: Path | str | None, report: Tell) -> Loaded:
    """Read a named data set, fetching it first where it is not on this machine.

    Raises NotFoundError naming the folders and files where it is neither found nor fetched.
    """
    assert source.read is not None, "every data set says how it is read"
    if not source.folders:
        return source.read(source, SAMPLE, report)
    folder = source.find(data_root)
    why, cause = "", None
    if folder is None and source.torchvision:
        if os.environ.get("UNLEARN_STUDIO_OFFLINE"):
            why = " and was not downloaded (UNLEARN_STUDIO_OFFLINE is set)"
        else:
            try:
                fetch(source.remote(), source.places(data_root)[0], f"Downloading {source.title}", report)
            except (OSError, ValueError) as error:
                why, cause = f" and could not be downloaded ({error})", error
            folder = source.find(data_root)
    if folder is None:
        places = source.places(data_root)
        raise NotFoundError(
            f"{source.title} was not found{why}. Looked in {', '.join(map(str, places))} for {', '.join(source.files)}",
            f"Put these files into {places[0]}, or name another root folder with --data-root",
        ) from cause
    report(f"Reading {source.title}", 0, 0)
    return source.read(source, folder, report)


def fetch(files: tuple[RemoteFile, ...], folder: Path, what: str, report: Tell) -> None:
    """Fetch `files` into `folder`, made where missing; `report` is told `what` with the bytes so far and in all.

    Everything arrives in a temporary folder on the same disk and moves only when complete and checked, so a failure, a
    cancel or a killed process leaves `folder` as it was. Raises OSError or ValueError with a reason in words.
    """
    there = next(path for path in (folder, *folder.parents) if path.exists())
    with building(there / "incoming") as staging:
        ready: list[Path] = []
        for number, file in enumerate(files, start=1):
            label = what if len(files) == 1 else f"{what}, file {number} of {len(files)}"
            archive = staging / file.name
            _fetch_one(file, archive, label, report)
            ready += _unpack(archive, file.unpack, staging) if file.unpack else [archive]
        folder.mkdir(parents=True, exist_ok=True)
        for path in ready:
            os.replace(path, folder / path.name)  # noqa: PTH105  (replaces on every platform)


def _fetch_one(file: RemoteFile, target: Path, what: str, report: Tell) -> None:
    """Fetch one file from the first of its addresses that gives it whole; raises OSError or ValueError."""
    from torchvision.datasets.utils import check_md5

    problem = "no address is known"
    for url in file.urls:
        try:
            _stream(url, target, what, report)
            if check_md5(target, file.md5):
                return
            problem = f"{file.name} arrived damaged"
        except urllib.error.HTTPError as error:
            problem = f"the server answered {error.code}"
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError):
            problem = "no connection"
        except OSError as error:
            raise OSError(error.strerror or "it could not be written") from error
    raise ValueError(problem)


def _stream(url: str, target: Path, what: str, report: Tell) -> None:
    """Write what an address answers into `target`."""
    request = urllib.request.Request(url, headers={"User-Agent": "unlearn-studio"})
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer, target.open("wb") as out:
        total = int(answer.headers.get("Content-Length") or 0)
        report(what, 0, total)
        while chunk := answer.read(_CHUNK):
            out.write(chunk)
            report(what, out.tell(), total)


def _unpack(archive: Path, names: tuple[str, ...], staging: Path) -> list[Path]:
    """Take the files `names` out of a tar archive, each into a folder of its own: names in it may claim any place."""
    ready: list[Path] = []
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = PurePosixPath(member.name).name
                source = tar.extractfile(member) if member.isfile() and name in names else None
                if source is not None:
                    target = staging / f"unpacked-{len(ready)}" / name
                    target.parent.mkdir()
                    with source, target.open("wb") as out:
                        shutil.copyfileobj(source, out)
                    ready.append(target)
    except (tarfile.TarError, EOFError) as error:
        raise ValueError(f"{archive.name} cannot be unpacked") from error
    if missing := sorted(set(names) - {path.name for path in ready}):
        raise ValueError(f"{archive.name} lacks {', '.join(missing)}")
    return ready


def _exists(path: Path) -> bool:
    """Whether a file is there, plain or compressed."""
    try:
        return path.is_file() or path.with_name(path.name + ".gz").is_file()
    except OSError:
        return False


def _plain(name: str) -> str:
    """Return a name as it is compared: small letters without signs between them."""
    return re.sub(r"[-_\s]", "", name.lower())


def _read_idx(source: DatasetSource, folder: Path, report: Tell) -> Loaded:
    """Read a data set kept in the four files of MNIST."""
    files = find_idx(folder)
    assert files is not None, "its files were found there"
    return load_idx(files, report, source.title, source.names)


def _read_by_torchvision(source: DatasetSource, folder: Path, report: Tell) -> Loaded:
    """Read files by torchvision's class.

    CIFAR's are pickles: torchvision compares their checksums with those of the published files before it unpickles, so
    nothing else is ever executed; that is why no other pickle reader is used here.
    """
    published = source.published()
    root = folder.parent if hasattr(published, "base_folder") else folder
    options = [{"split": name} if source.id == "svhn" else {"train": name == "train"} for name in ("train", "test")]
    try:
        parts = [published(root=root, download=False, **option) for option in options]
    except (RuntimeError, ValueError, OSError, EOFError, KeyError, IndexError, TypeError) as error:
        raise InputError(
            f"The files of {source.torchvision} in {folder} are damaged or are not the published ones",
            "Delete them to have them downloaded again",
        ) from error
    names = source.names or tuple(name.replace("_", " ") for name in parts[0].classes)
    arrays = {}
    for number, part in enumerate(parts):
        arrays[f"images {number}"] = part.data
        arrays[f"labels {number}"] = np.asarray(part.targets if hasattr(part, "targets") else part.labels)
    return assemble(source.title, source.title, arrays, (names, source.title))


def load_digits() -> Loaded:
    """Return scikit-learn's 1,797 digits as (n, 8, 8, 1) uint8, with a fixed stratified test part."""
    from sklearn import datasets

    source = datasets.load_digits()
    images = np.rint(source.images * (255 / 16)).astype(np.uint8)[..., None]  # values are 0 to 16
    train, test = set_aside(ImageSet.of(images, source.target), TEST_FRACTION, salt="digits")
    return Loaded("Digits (8×8)", DIGIT_CLASSES, train, test)


def _read_tiny_imagenet(source: DatasetSource, root: Path, report: Tell) -> Loaded:
    """Read class folders in train/, and val/ as the test part: one folder, with a list of each image's class."""
    try:
        numbers = sorted((root / "wnids.txt").read_text().split())
        words = dict(line.split("\t", 1) for line in (root / "words.txt").read_text().splitlines() if "\t" in line)
        annotations = [line.split("\t") for line in (root / "val" / "val_annotations.txt").read_text().splitlines()]
        index = {number: i for i, number in enumerate(numbers)}
        train = [
            (f"train/{number}/images/{path.name}", index[number])
            for number in numbers
            for path in sorted((root / "train" / number / "images").iterdir())
        ]
        test = [(f"val/images/{fields[0]}", index[fields[1]]) for fields in annotations if len(fields) > 1]
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"The files of {source.title} in {root} are incomplete: {error}") from error
    first = [words.get(number, number).split(",")[0].strip() for number in numbers]
    counts = Counter(first)  # where two classes share the first word, their WordNet numbers tell them apart
    listing = Listing(
        title=source.title,
        classes=tuple(f"{w} ({number})" if counts[w] > 1 else w for w, number in zip(first, numbers, strict=True)),
        files=FolderFiles(root, [name for name, _ in train + test]),
        labels=([label for _, label in train], [label for _, label in test]),
    )
    return load_listing(listing, report)


def _idx_source(name: str, title: str, summary: str, torchvision: str, classes: tuple[str, ...]) -> DatasetSource:
    """Return a data set in the four files of MNIST, which torchvision puts into a folder raw/."""
    return DatasetSource(
        name, title, summary, 10, 1, (28, 28), (f"{torchvision}/raw", torchvision, name), IDX_FILES, _read_idx,
        torchvision, classes,
    )


SOURCES: tuple[DatasetSource, ...] = (
    DatasetSource(
        "fashion-sample", "Fashion-MNIST (sample)", "Some of its images, 3,500 + 1,500, built in: the example", 10, 1,
        (28, 28), read=_read_idx, names=FASHION_CLASSES,
    ),
    DatasetSource(
        "digits", "Digits (8×8)", "Handwritten digits, built in", 10, 1, (8, 8),
        read=lambda source, folder, report: load_digits(),
    ),
    _idx_source(
        "fashion-mnist", "Fashion-MNIST", "Clothes in grey, 60,000 + 10,000", "FashionMNIST", FASHION_CLASSES
    ),
    _idx_source("mnist", "MNIST", "Handwritten digits, 60,000 + 10,000", "MNIST", DIGIT_CLASSES),
    _idx_source("kmnist", "KMNIST", "Old Japanese characters, 60,000 + 10,000", "KMNIST", KUZUSHIJI_CLASSES),
    DatasetSource(
        "cifar10", "CIFAR-10", "Small photographs of ten things, 50,000 + 10,000", 10, 3, (32, 32),
        ("cifar-10-batches-py", "cifar10/cifar-10-batches-py"),
        (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"), _read_by_torchvision, "CIFAR10",
    ),
    DatasetSource(
        "cifar100", "CIFAR-100", "Small photographs of a hundred things, 50,000 + 10,000", 100, 3, (32, 32),
        ("cifar-100-python", "cifar100/cifar-100-python"), ("train", "test", "meta"), _read_by_torchvision, "CIFAR100",
    ),
    DatasetSource(
        "svhn", "SVHN", "House numbers in colour, 73,257 + 26,032", 10, 3, (32, 32),
        (".", "SVHN", "svhn"), ("train_32x32.mat", "test_32x32.mat"), _read_by_torchvision, "SVHN", DIGIT_CLASSES,
    ),
    DatasetSource(
        "usps", "USPS", "Digits from envelopes, 7,291 + 2,007", 10, 1, (16, 16),
        (".", "USPS", "usps"), ("usps.bz2", "usps.t.bz2"), _read_by_torchvision, "USPS", DIGIT_CLASSES,
    ),
    DatasetSource(
        "tiny-imagenet", "Tiny ImageNet", "Photographs of 200 things, 100,000 + 10,000; not downloaded", 200, 3,
        (64, 64), ("tiny-imagenet-200", "tiny-imagenet"), TINY_FILES, _read_tiny_imagenet,
    ),
)
