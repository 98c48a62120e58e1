"""Open the data set that a name or path stands for; settle class order, test part, preprocessing and fingerprint."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.data.archives import find_shards, list_shards
from core.data.arrays import find_idx, find_npy, find_npz, load_idx, load_npy, load_npz
from core.data.arrow import find_parquet, find_saved, list_parquet, list_saved
from core.data.classes import arrange, read_class_names, refuse_gap
from core.data.coco import find_coco, list_coco
from core.data.dataset import OWN, SET_ASIDE, Dataset, ImageSet, Loaded
from core.data.foreign import refuse_foreign_data
from core.data.listings import FOLDERS_HINT, find_class_folders, list_folders, why_no_images
from core.data.named import SOURCES, find_source, load_named
from core.data.originals import ArrayOriginals, Originals
from core.data.preprocessing import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    PHOTO_SIDE,
    Preprocessing,
    count_channels,
    measure_preprocessing,
    measured_anew,
)
from core.data.reading import Listing, Parts, load_listing, no_test_part, prepare_parts
from core.data.splits import set_aside
from core.data.stated import read_stated
from core.data.steps import channels_after
from core.data.streamed import StreamedImages
from core.data.tables import find_table, list_table, refuse_table
from core.errors import InputError, MismatchError, NotFoundError, ParameterError, StoppedError, did_you_mean
from core.events import Tell, untold
from core.files import dumps, user_path

_FINGERPRINT_HEADER = b"unlearn-studio data 1\n"
_ANY = Preprocessing.unscaled(1, (1, 1))  # what a preprocessing file is checked with before the data is known


def open_dataset(
    spec: str,
    *,
    data_root: Path | str | None = None,
    test_fraction: float | None = None,
    classes_file: Path | str | None = None,
    outputs_known: bool = False,
    preprocess_file: Path | str | None = None,
    preprocessing: Preprocessing | None = None,
    channels: int | None = None,
    undecided: bool = False,
    memory_budget: float | None = None,
    progress: Tell = untold,
    cancelled: Callable[[], bool] | None = None,
) -> Dataset:
    """Open a data set by name or path.

    `spec` is a name of `SOURCES` or the path of a file or folder in one of `_FORMATS`; a name wins over a path.
    `test_fraction` (0..1, both excluded) sets images aside where the data has no test part of its own, and is not used
    where it has. `classes_file` names the model's outputs in their order, also those
    that the data has no images of. `outputs_known` says that a model tells how many outputs there are: then labels may
    leave numbers out. `preprocess_file` wins over `preprocessing` (a model card's), which wins over the default for a
    network yet to be trained: ImageNet's mean and std for colour photographs, else those measured on the data.
    `channels` are the network's: images are made grey or colour for it where nothing else says what to do. With
    `undecided`, images whose preparation is not stated are neither decoded nor measured: one is to be tried on them
    (`core.data.candidates`) and then taken with `prepare_anew`; their preparation has the source "undecided".
    Image files that take more than `memory_budget` bytes when decoded (None: half of the free memory) are streamed.
    `progress(what, done, total)` and `cancelled()` are called from the calling thread.

    Raises NotFoundError, InputError, MismatchError, ParameterError, or StoppedError where it was cancelled.
    """
    if test_fraction is not None and not 0 < test_fraction < 1:
        raise ParameterError([f"test fraction must be a number above 0 and below 1, got {test_fraction!r}"])

    def report(what: str, done: int, total: int) -> None:
        if cancelled is not None and cancelled():
            raise StoppedError("Opening the data was cancelled")
        progress(what, done, total)

    stated = _Stated.read(preprocess_file, preprocessing)
    undecided = undecided and not stated.says_all
    source = find_source(spec)
    if source is not None:
        name, loaded = source.id, load_named(source, data_root, report)
    else:
        path = _existing_path(spec, data_root)
        name, loaded = str(path), _load_path(path, report, test_fraction is None)
    if classes_file:
        file = Path(classes_file)
        loaded = arrange(loaded, read_class_names(file), file.name)
    elif not outputs_known:
        refuse_gap(loaded)
    train, test, test_origin = _with_test(loaded, test_fraction)
    report("Checking the data", 0, 0)
    content = fingerprint(loaded.classes, train, test)
    geometry = stated.geometry(train.stored.originals, channels)
    budget = 0 if undecided else memory_budget
    train, test = prepare_parts((train, test), geometry, budget, report, keep=not undecided)
    if undecided:  # until one is found
        _, height, width, image_channels = train.images.shape
        settled = Preprocessing.unscaled(image_channels, (height, width), source="undecided")
    else:
        settled = stated.settle(loaded.title, train.images, source is None and loaded.root is not None)
    return Dataset(
        **{**vars(loaded), "train": train, "test": test},
        spec=name,
        preprocessing=settled,
        fingerprint=content,
        test_origin=test_origin,
    )


def prepare_anew(
    dataset: Dataset,
    preprocessing: Preprocessing,
    *,
    memory_budget: float | None = None,
    progress: Tell = untold,
) -> Dataset:
    """Return an open data set with its images prepared in another way, from its files or arrays as they are stored.

    Mean and std of a sample (`MEASURED`) become those of all training images. `progress(what, done, total)` may raise
    to end it. Raises InputError where the images would be of different sizes or a file has changed, MismatchError where
    they cannot get the number of channels.
    """
    for part in (dataset.train, dataset.test):
        part.stored.originals.let_go()
    parts = prepare_parts((dataset.train, dataset.test), preprocessing, memory_budget, progress)
    _, height, width, _ = parts[0].images.shape
    return _with_images(dataset, parts, measured_anew(preprocessing, parts[0].images).of_size((height, width)))


def _with_images(dataset: Dataset, parts: Sequence[ImageSet], preprocessing: Preprocessing) -> Dataset:
    """Return a data set, and the same with its own classes, with the images of the parts (training, test)."""
    train, test = (
        dataclasses.replace(part, images=new.images, faults=new.faults, origin=new.origin)
        for part, new in zip((dataset.train, dataset.test), parts, strict=True)
    )
    own = dataset.as_read
    as_read = None if own is None else _with_images(own, parts, preprocessing)
    return dataclasses.replace(dataset, train=train, test=test, preprocessing=preprocessing, as_read=as_read)


_FORMATS: dict[str, tuple[Callable[[Path], Parts | None], Callable[[Parts, Tell], Loaded | Listing]]] = {
    "npz": (find_npz, load_npz),
    "csv": (find_table, list_table),
    "coco": (find_coco, list_coco),
    "idx": (find_idx, load_idx),
    "hugging face": (find_saved, list_saved),
    "class folders": (find_class_folders, list_folders),
    "parquet": (find_parquet, list_parquet),
    "npy": (find_npy, load_npy),
    "shards": (find_shards, list_shards),
}
"""What finds the parts of a data set at a path, or None, and what reads them, by format; the first that finds some."""


def recognise_dataset(path: Path) -> str | None:
    """Say what kind of data `path` holds, looking at names and first bytes only.

    Returns the name of one of `_FORMATS`, None where it holds no data.
    """
    for name, (find, _) in _FORMATS.items():
        try:
            if find(path) is not None:
                return name
        except InputError:  # of several data sets; opening says so
            return name
    return None


def fingerprint(classes: tuple[str, ...], train: ImageSet, test: ImageSet) -> str:
    """Return the SHA-256, in hex, of the class names in order and of each part's labels and images in order.

    It names the content of the data, wherever the files lie. Images that come one a file count by the bytes of the
    file, so the size they are decoded at does not matter; all others by their pixels, so compression and file layout
    do not.
    """
    digest = hashlib.sha256(_FINGERPRINT_HEADER + dumps(classes))
    for part in (train, test):
        content = part.digests
        if content is None:
            stored = part.stored
            assert isinstance(stored.originals, ArrayOriginals)  # of files the digests are known
            content = stored.originals.held(stored.rows)
        digest.update(repr(content.shape).encode())
        digest.update(np.ascontiguousarray(part.labels.numpy(), dtype="<i8").data)
        digest.update(np.ascontiguousarray(content).data)
    return digest.hexdigest()


@dataclass(frozen=True)
class _Stated:
    """What is said of preprocessing before the data is read: by a file and a model card."""

    file: Path | None
    data: Mapping[str, Any] | None
    card: Preprocessing | None

    @classmethod
    def read(cls, path: Path | str | None, card: Preprocessing | None) -> _Stated:
        """Read and check the file, so that a mistake is told before a large data set is read."""
        file = Path(path) if path else None
        stated = cls(file, read_stated(file) if file else None, card)
        stated._merge(card or _ANY)
        return stated

    @property
    def says_all(self) -> bool:
        """Whether nothing of the preparation has to be found out: it stands in a card, or in the file alone."""
        if self.card is not None:
            return True
        try:
            Preprocessing.from_dict(self.data or {})
        except InputError:
            return False
        return True

    def geometry(self, originals: Originals, channels: int | None) -> Preprocessing:
        """Return what is stated of size, steps and channels; channels: the network's, where they are known."""
        data = self.data or {}
        merged = self._merge(self.card or _ANY)
        lengths = [len(data[key]) for key in ("mean", "std") if isinstance(data.get(key), list)]
        if self.card is not None or max(lengths, default=0) > 1 or channels_after(merged.steps or ()) is not None:
            channels = merged.channels
        elif channels is None and lengths:
            channels = 1
        size = merged.size if self.card is not None or data.get("size") is not None else originals.size
        return Preprocessing.unscaled(
            channels or originals.channels, size,
            interpolation=merged.interpolation, steps=merged.steps, upright=merged.upright,
        )  # fmt: skip

    def settle(self, title: str, images: torch.Tensor | StreamedImages, may_be_photos: bool) -> Preprocessing:
        """Return the preprocessing to use; raises MismatchError where it is for another number of channels.

        images: (n, H, W, C) uint8, the training images; may_be_photos: they come from files somebody collected. Where
        nothing is stated, photographs get ImageNet's values, and other images what is measured on them.
        """
        _, height, width, channels = images.shape
        size = (height, width)
        if self.card is not None:
            base = self.card
        elif may_be_photos and channels == 3 and min(size) >= PHOTO_SIDE:
            base = Preprocessing(size, IMAGENET_MEAN, IMAGENET_STD, source="assumed")
        else:
            base = measure_preprocessing(images)
        result = self._merge(base).of_size(size)
        if result.channels != channels:
            raise MismatchError(
                f"The preprocessing ({result.source}) is for {count_channels(result.channels)}, "
                f"{title} has {count_channels(channels)}"
            )
        return result

    def _merge(self, base: Preprocessing) -> Preprocessing:
        """Return what the file says, with what it leaves out from `base`."""
        if self.data is None:
            return base
        where = f"The preprocessing in {self.file}"
        return Preprocessing.from_dict(self.data, base=base, source="file", where=where)


def _load_path(path: Path, report: Tell, needs_test: bool) -> Loaded:
    """Read the data at a path in the first format that knows it; raises InputError where none does."""
    report(f"Reading {path.name}", 0, 0)
    for find, read in _FORMATS.values():
        parts = find(path)
        if parts is not None:
            data = read(parts, report)
            return data if isinstance(data, Loaded) else load_listing(data, report, needs_test=needs_test)
    refuse_foreign_data(path)
    refuse_table(path)
    if path.is_dir():
        if why := why_no_images(path):
            raise InputError(f"{path} holds no images that can be read ({why})", FOLDERS_HINT)
        raise InputError(f"{path} holds no class folders with images", FOLDERS_HINT)
    raise InputError(
        f"{path} is not a data set",
        "Open a folder of class folders or of IDX files, a CSV of path,label, an .npz, .npy, parquet or COCO file, or "
        ".tar shards",
    )


def _existing_path(spec: str, data_root: Path | str | None) -> Path:
    """Return the absolute path that `spec` names, as it is or below `data_root`; raises NotFoundError."""
    path = user_path(spec)
    candidates = [path] if path.is_absolute() or not data_root else [path, user_path(data_root) / path]
    for candidate in candidates:
        if os.path.exists(candidate):  # noqa: PTH110  (false for any text)
            return candidate.absolute()
    if len(path.parts) > 1 or path.suffix:
        raise NotFoundError(f"There is no file or folder {path}", "Check the path")
    names = [source.id for source in SOURCES]
    hint = did_you_mean(spec, names) or f"Known names: {', '.join(names)}"
    raise NotFoundError(f"There is no data set, file or folder called {spec!r}", hint)


def _with_test(loaded: Loaded, fraction: float | None) -> tuple[ImageSet, ImageSet, str]:
    """Return training and test part, and where the test part comes from; raises NoTestPartError or InputError."""
    if loaded.test is not None:
        return loaded.train, loaded.test, OWN
    if fraction is None:
        raise no_test_part(loaded.title, loaded.train.labels.numpy())
    train, test = set_aside(loaded.train, fraction)
    if not len(test):
        raise InputError(f"{loaded.title} has one image a class, too few to set any aside")
    return train, test, SET_ASIDE
