"""The one door to data: opens whatever `--dataset` names and settles class order, test part and preprocessing."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from core.data.arrays import load_npz
from core.data.dataset import OWN, SET_ASIDE, Dataset, ImageSet
from core.data.fingerprint import fingerprint
from core.data.idx import find_idx, load_idx
from core.data.loaded import Loaded, Part, ProgressCallback, Reporter
from core.data.named import SOURCES, DatasetSource, find_source, load_named
from core.data.preprocessing import (
    Preprocessing,
    assume_imagenet,
    count_channels,
    measure_preprocessing,
    read_preprocessing,
)
from core.data.setaside import set_aside
from core.errors import InputError, MismatchError, NotFoundError, ParameterError, nearest
from core.jsonio import loads

_PHOTO_SIDE = 64  # colour images at least this large are taken for photographs, seen by ImageNet-like networks


def catalogue() -> tuple[DatasetSource, ...]:
    """Return the data sets known by name, the example first."""
    return SOURCES


def open_dataset(
    spec: str,
    *,
    data_root: Path | str | None = None,
    test_fraction: float | None = None,
    classes_file: Path | str | None = None,
    preprocess_file: Path | str | None = None,
    preprocessing: Preprocessing | None = None,
    progress: ProgressCallback | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Dataset:
    """Open a data set by name or path.

    `spec` is a name of `catalogue()`, an .npz file, a folder of IDX files, a folder of class folders or a CSV of
    path,label[,split]; a name wins over a path. `test_fraction` (0..1, both excluded) sets images aside where the
    data has no test part of its own, and is not used where it has. `classes_file` gives the order of the model's
    outputs. `preprocess_file` wins over `preprocessing` (a model card's), which wins over the default.
    `progress(what, done, total)` and `cancelled()` are called from the calling thread.

    Raises NotFoundError, InputError, MismatchError, ParameterError, or StoppedError where it was cancelled.
    """
    if test_fraction is not None and not 0 < test_fraction < 1:
        raise ParameterError([f"test fraction must be a number above 0 and below 1, got {test_fraction!r}"])
    report = Reporter(progress, cancelled)
    wanted = read_preprocessing(Path(preprocess_file), preprocessing) if preprocess_file else preprocessing
    source = find_source(spec)
    if source is not None:
        name, loaded = source.id, load_named(source, data_root, report)
    else:
        path = _existing_path(spec, data_root)
        name, loaded = str(path), _load_path(path, report)
    if classes_file:
        loaded = _reorder(loaded, Path(classes_file))
    loaded, test, test_origin = _with_test(loaded, test_fraction)
    report("Checking the data", 0, 0)
    return Dataset(
        spec=name,
        title=loaded.title,
        classes=loaded.classes,
        train=_image_set(loaded.train),
        test=_image_set(test),
        preprocessing=_preprocessing(loaded, wanted),
        fingerprint=fingerprint(loaded.classes, loaded.train, test),
        test_origin=test_origin,
        unreadable=loaded.unreadable,
        root=loaded.root,
    )


def recognise_dataset(path: Path) -> str | None:
    """Say what kind of data `path` holds, looking at names and first bytes only: "npz", "idx" or None."""
    if path.is_dir():
        try:
            return "idx" if find_idx(path) is not None else None
        except InputError:
            return "idx"
    return "npz" if path.suffix.lower() == ".npz" and path.is_file() else None


def _load_path(path: Path, report: Reporter) -> Loaded:
    kind = recognise_dataset(path)
    report(f"Reading {path.name}", 0, 0)
    if kind == "npz":
        return load_npz(path)
    if kind == "idx":
        files = find_idx(path)
        if files is not None:
            return load_idx(files, path.name)
    raise InputError(f"{path} is not a data set")


def _existing_path(spec: str, data_root: Path | str | None) -> Path:
    path = Path(spec).expanduser()
    candidates = [path] if path.is_absolute() or not data_root else [path, Path(data_root).expanduser() / path]
    for candidate in candidates:
        if candidate.exists():
            return candidate.absolute()
    if len(path.parts) > 1 or path.suffix:
        raise NotFoundError(f"There is no file or folder {path}", "Check the path")
    alike = nearest(spec, (s.id for s in SOURCES))
    hint = f"Did you mean {' or '.join(alike)}?" if alike else f"Known names: {', '.join(s.id for s in SOURCES)}"
    raise NotFoundError(f"There is no data set, file or folder called {spec!r}", hint)


def _with_test(loaded: Loaded, fraction: float | None) -> tuple[Loaded, Part, str]:
    if loaded.test is not None and len(loaded.test):
        return loaded, loaded.test, OWN
    if fraction is None:
        raise InputError(
            f"{loaded.title} has no test images",
            "Set some aside with --test-fraction, for example --test-fraction 0.1",
        )
    mask = set_aside(loaded.train.labels, fraction, loaded.train.paths)
    if not mask.any():
        raise InputError(f"{loaded.title} has too few images to set any aside: one a class", "Add images")
    test = loaded.train.take(np.flatnonzero(mask))
    return dataclasses.replace(loaded, train=loaded.train.take(np.flatnonzero(~mask)), test=test), test, SET_ASIDE


def _preprocessing(loaded: Loaded, wanted: Preprocessing | None) -> Preprocessing:
    channels = loaded.train.images.shape[3]
    if wanted is not None:
        if wanted.channels == 1 and channels > 1 and wanted.source == "file":
            wanted = dataclasses.replace(wanted, mean=wanted.mean * channels, std=wanted.std * channels)
        if wanted.channels != channels:
            raise MismatchError(
                f"The preprocessing ({wanted.source}) is for {count_channels(wanted.channels)}, "
                f"{loaded.title} has {count_channels(channels)}"
            )
        return wanted
    size = (loaded.train.images.shape[1], loaded.train.images.shape[2])
    if loaded.photos and channels == 3 and min(size) >= _PHOTO_SIDE:
        return assume_imagenet(size)
    return measure_preprocessing(loaded.train.images)


def _reorder(loaded: Loaded, path: Path) -> Loaded:
    names = _read_class_names(path)
    if not loaded.named and len(names) == len(loaded.classes) and set(names) != set(loaded.classes):
        # The data only numbers its classes: the file says what the numbers mean.
        return dataclasses.replace(loaded, classes=names, named=True)
    missing = [name for name in loaded.classes if name not in set(names)]
    unknown = [name for name in names if name not in set(loaded.classes)]
    if missing or unknown:
        parts = []
        if missing:
            parts.append(f"lacks {_some(missing)}")
        if unknown:
            parts.append(f"names {_some(unknown)}, which the data has not")
        raise MismatchError(
            f"{path.name} {' and '.join(parts)}",
            f"It must list the data's {len(loaded.classes)} class names in the order of the model's outputs",
        )
    new_index = np.array([names.index(name) for name in loaded.classes], dtype=np.int64)

    def relabelled(part: Part | None) -> Part | None:
        return None if part is None else dataclasses.replace(part, labels=new_index[part.labels])

    train = relabelled(loaded.train)
    assert train is not None
    return dataclasses.replace(loaded, classes=names, train=train, test=relabelled(loaded.test))


def _read_class_names(path: Path) -> tuple[str, ...]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text file in UTF-8") from error
    if text.lstrip().startswith("["):
        try:
            values = loads(text)
        except ValueError as error:
            raise InputError(f"{path} is not valid JSON: {error}") from error
        if not all(isinstance(value, str) for value in values):
            raise InputError(f"{path} must be a JSON list of names")
    else:
        values = [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise InputError(f"{path} names {_some(twice)} twice")
    if not values:
        raise InputError(f"{path} holds no class names")
    return tuple(values)


def _some(names: list[str], shown: int = 5) -> str:
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return ", ".join(repr(name) for name in names[:shown]) + more


def _image_set(part: Part) -> ImageSet:
    images = np.ascontiguousarray(part.images)
    if not images.flags.writeable:
        images = images.copy()  # torch cannot mark a tensor read-only
    return ImageSet(torch.from_numpy(images), torch.from_numpy(np.ascontiguousarray(part.labels)), part.paths)
