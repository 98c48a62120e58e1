"""Read a folder of class folders: train/ and test/ with a folder a class in each, or one level of class folders."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from core.data.dataset import Unreadable
from core.data.files import FolderFiles
from core.data.images import SUFFIXES
from core.data.loaded import DecodeOptions, Loaded, Reporter, no_test_part
from core.data.reading import read_images
from core.errors import InputError

TRAIN_NAMES = ("train", "training")
TEST_NAMES = ("test", "testing", "val", "valid", "validation")  # the first one there is is used
_IGNORED = ("__macosx", "__pycache__", "lost+found", "$recycle.bin")
_UPWARD = "a link to a folder that holds it, not followed"
_TWICE = "a link to a folder of its class, which is read once"
_DEAD = "a link that leads nowhere"
_LAYOUT = "Make a sub-folder for each class, directly in it or in train/ and test/"


@dataclass(frozen=True)
class Layout:
    """Where the class folders are: `train` is the root itself where there is one level."""

    train: Path
    test: Path | None


def find_layout(root: Path) -> Layout | None:
    """Return the layout of `root`, None where it has no sub-folders that hold images."""
    folders = {folder.name.lower(): folder for folder in _subfolders(root)}
    train = next((folders[name] for name in TRAIN_NAMES if name in folders), None)
    if train is not None and _subfolders(train):  # without: a class called "train"
        tests = (folders[name] for name in TEST_NAMES if name in folders)
        test = next((folder for folder in tests if _subfolders(folder)), None)
        return Layout(train, test) if any(_holds_image(f) for f in _subfolders(train)) else None
    return Layout(root, None) if any(_holds_image(folder) for folder in folders.values()) else None


def load_folders(root: Path, options: DecodeOptions, report: Reporter, *, needs_test: bool = False) -> Loaded:
    """Read all class folders; classes are their names in alphabetical order (by character code).

    Raises InputError where the layout cannot be read; unreadable files and empty folders are listed instead. With
    `needs_test`, raises NoTestPartError before the images are read where there is no test folder.
    """
    layout = find_layout(root)
    if layout is None:
        raise InputError(f"{root} holds no class folders with images", _LAYOUT)
    report("Looking for images", 0, 0)
    train, skipped = _scan(root, layout.train, report)
    test, skipped_test = _scan(root, layout.test, report) if layout.test else ({}, [])
    classes = tuple(sorted(train))
    if len(classes) < 2:
        raise InputError(f"{root} holds images of one class only ({classes[0]!r})", _nested_hint(root, layout))
    if needs_test and not test:
        raise no_test_part(root.name, (len(train[name]) for name in classes))
    unknown = sorted(set(test) - set(classes))
    if unknown:
        raise InputError(
            f"{layout.test} holds the class {unknown[0]!r}, which {layout.train} does not",
            "Training and test folders must have the same names",
        )
    (train_names, train_labels), (test_names, test_labels) = _listed(train, classes), _listed(test, classes)
    names, labels = train_names + test_names, np.concatenate([train_labels, test_labels])
    decoded = read_images(FolderFiles(root, names), report, options)
    train_part, test_part = decoded.parts(names, labels, len(train_names))
    if not len(train_part):
        raise InputError(f"None of the training images in {layout.train} can be read")
    return Loaded(
        title=root.name,
        classes=classes,
        train=train_part,
        test=test_part if len(test_part) else None,
        photos=True,
        unreadable=(*skipped, *skipped_test, *decoded.unreadable),
        root=root,
    )


def _scan(root: Path, part: Path, report: Reporter) -> tuple[dict[str, list[str]], list[Unreadable]]:
    """Return the image files of each class folder of `part`, and what was left out."""
    files: dict[str, list[str]] = {}
    skipped = [_left_out(root, part / name, _DEAD) for name in _dead_links(part)]
    above = _above(root, part)
    for folder in _subfolders(part):
        report("Looking for images", 0, 0)
        if _identity(folder) in above:
            skipped.append(_left_out(root, folder, _UPWARD))
            continue
        found = _images_below(folder, root, skipped)
        if found:
            files[folder.name] = found
        else:
            skipped.append(Unreadable(folder.relative_to(root).as_posix(), "a folder without images, so no class"))
    return files, skipped


def _images_below(folder: Path, root: Path, skipped: list[Unreadable]) -> list[str]:
    """Return image files at any depth, sorted by folder, then name; every real folder is entered once."""
    above = _above(root, folder.parent)
    seen = {_identity(folder)}
    found: dict[str, list[str]] = {}  # names by folder
    for current, folders, names in os.walk(folder, followlinks=True):
        here = Path(current)
        kept = []
        for name in sorted(folders):
            identity = _identity(here / name)
            if _is_hidden(name) or identity is None:
                continue
            if identity in above or identity in seen:
                skipped.append(_left_out(root, here / name, _UPWARD if identity in above else _TWICE))
                continue
            seen.add(identity)
            kept.append(name)
        folders[:] = kept
        relative = here.relative_to(root).as_posix()
        # Hidden by their first letter only: no other name that is passed over ends like an image.
        images = sorted(name for name in names if _has_suffix(name) and name[0] != ".")
        plain = relative.isascii() and "".join(images).isascii()
        found[relative] = images if plain else [name for name in images if _is_text(f"{relative}/{name}")]
        lost = sorted(set(images).difference(found[relative])) if not plain else []
        skipped += [_left_out(root, here / name, "the file name is not valid Unicode") for name in lost]
        bare = sorted(name for name in names if "." not in name and not _is_hidden(name))
        skipped += [_left_out(root, here / name, _DEAD) for name in bare if _is_dead_link(here / name)]
    return [f"{relative}/{name}" for relative in sorted(found) for name in found[relative]]


def _above(root: Path, part: Path) -> set[tuple[int, int] | None]:
    """Return the folders that hold `part`: a link back to one makes all images those of one class, or never ends."""
    return {_identity(path) for path in (root, *root.resolve().parents, part)}


def _left_out(root: Path, path: Path, why: str) -> Unreadable:
    name = path.relative_to(root).as_posix()
    return Unreadable(name if _is_text(name) else ascii(name)[1:-1], why)


def _dead_links(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        links = [e.name for e in entries if e.is_symlink() and not _is_hidden(e.name) and not _has_suffix(e.name)]
    return sorted(name for name in links if _is_dead_link(folder / name))


def _is_dead_link(path: Path) -> bool:
    """Whether a link leads to nothing, or to itself."""
    return path.is_symlink() and _identity(path) is None


def _listed(files: dict[str, list[str]], classes: tuple[str, ...]) -> tuple[list[str], np.ndarray]:
    """Return all names, class by class, with their labels (n,) int64."""
    each = [files.get(name, []) for name in classes]
    return list(chain.from_iterable(each)), np.repeat(np.arange(len(classes)), [len(names) for names in each])


def _subfolders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if not _is_hidden(e.name) and _is_text(e.name) and _is_folder(e)]
    except OSError:
        return []
    return [folder / name for name in sorted(names)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _holds_image(folder: Path) -> bool:
    """Whether an image lies in `folder`, or one level deeper."""
    try:
        with os.scandir(folder) as entries:
            deeper = []
            for entry in entries:
                if _has_suffix(entry.name) and not _is_hidden(entry.name):
                    return True
                if _is_folder(entry) and not _is_hidden(entry.name):
                    deeper.append(entry.path)
        return any(_has_suffix(name) for path in deeper for name in os.listdir(path))  # noqa: PTH208
    except OSError:
        return False


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _IGNORED


def _has_suffix(name: str) -> bool:
    place = name.rfind(".")  # os.path.splitext and a Path take ten times as long, and there is one call a file
    return place > 0 and name[place:].lower() in SUFFIXES


def _is_text(name: str) -> bool:
    if name.isascii():
        return True
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _nested_hint(root: Path, layout: Layout) -> str:
    inner = [folder for folder in _subfolders(layout.train) if find_layout(folder) is not None]
    if layout.train == root and len(inner) == 1:
        return f"The class folders seem to be in {inner[0]}; open that folder"
    return _LAYOUT
