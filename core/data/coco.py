"""List the images that a COCO file names: JSON with images, annotations and categories, one category an image."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from core.data.classes import several_labels
from core.data.dataset import Found, Unreadable
from core.data.index import FolderFiles
from core.data.listings import find_class_folders
from core.data.reading import PART_NAMES, TRAIN_NAMES, Listing, Parts, part_of
from core.errors import InputError
from core.events import Tell
from core.files import loads, open_regular, read_bytes

_IN_FOLDER = ("_annotations.coco.json", "annotations.json")  # beside the images of a part
_BOXES = "instances"  # COCO's own files with categories, which stand beside those with captions of the same images
_PROBE = 64 * 1024
_KEYS = ("images", "annotations", "categories")
_MOST_BYTES = 4 << 30  # of a file: the largest public ones have half of it
_HINT = "It needs images (id, file_name), annotations (image_id, category_id) and categories (id, name)"


Id = int | str


class _Image(msgspec.Struct, gc=False):
    """An image: its number, and the file it is."""

    id: Id
    file_name: str


class _Annotation(msgspec.Struct, gc=False):
    """What is seen in an image; where in it is not read."""

    image_id: Id
    category_id: int


class _Category(msgspec.Struct, gc=False):
    """A class."""

    id: int
    name: str


class _Coco(msgspec.Struct):
    """What is read of a COCO file."""

    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


def find_coco(path: Path) -> Parts | None:
    """Return a COCO file, or those in train/ and test/ or beside each other in annotations/; None where there is none.

    Of a file itself the first bytes are looked at.
    """
    if path.is_file():
        return Parts(path, (path,)) if _looks_like(path) else None
    if any((path / name).is_dir() and find_class_folders(path / name) for name in TRAIN_NAMES):
        return None  # class folders, with a file beside them
    inner = [(name, path / name / file) for name in PART_NAMES for file in _IN_FOLDER]
    files = [(name, file) for name, file in inner if file.is_file()]
    beside = sorted(
        (path / "annotations").glob("*.json"), key=lambda file: (not file.name.startswith(_BOXES), file.name)
    )
    files = files or [(part_of(file), file) for file in beside]
    return Parts.of(path, {name: file for name, file in reversed(files) if _looks_like(file)}.items())


def list_coco(files: Parts, report: Tell) -> Listing:
    """List the images with a category; classes stand in the order of the categories' numbers.

    Raises InputError where a file is none, an image has several categories, or no image is found.
    """
    report(f"Reading {files.path.name}", 0, 0)
    paths: list[str] = []
    found: dict[Path, list[int]] = {}  # categories of a file's images
    left_out: list[Unreadable] = []
    names: dict[int, str] = {}
    for file in files.every:
        content = _read(file)
        categories = {entry.id: entry.name for entry in content.categories}
        if names and categories != names:
            raise InputError(f"{files.path.name}: training and test part name their categories differently")
        names = categories
        labelled = _labels(file, content, names)
        folder = _folder(file, content.images[:3])
        found[file] = []
        for entry in content.images:
            name = _relative(folder / entry.file_name, files.root)
            if (category := labelled.get(entry.id)) is None:
                left_out.append(Unreadable(name, "no annotation gives it a category"))
            else:
                paths.append(name)
                found[file].append(category)
    used = {category for categories in found.values() for category in categories}
    if len(used) < 2:
        raise InputError(f"{files.path.name} gives its images fewer than two categories", _HINT)
    numbers = {category: number for number, category in enumerate(sorted(used))}
    train, test = ([numbers[c] for file in part for c in found[file]] for part in (files.train, files.test))
    return Listing(
        title=files.path.stem,
        classes=tuple(names[category] for category in numbers),
        files=FolderFiles(files.root, paths),
        labels=(train, test),
        left_out=tuple(left_out),
        found=Found(every=tuple(names[category] for category in sorted(names))),
    )


def _looks_like(file: Path) -> bool:
    """Whether a file begins like a COCO file."""
    if file.suffix.lower() != ".json":
        return False
    try:
        with open_regular(file) as opened:
            start = opened.read(_PROBE)
    except (OSError, InputError):
        return False
    return start.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{") and any(f'"{key}"'.encode() in start for key in _KEYS)


def _read(file: Path) -> _Coco:
    """Return the content of a COCO file; raises InputError where parts of it are missing or of another type."""
    try:
        return loads(read_bytes(file, _MOST_BYTES), _Coco)
    except ValueError as error:
        raise InputError(f"{file.name} is no COCO file of images with categories: {error}", _HINT) from error


def _labels(file: Path, content: _Coco, names: Mapping[int, str]) -> dict[Id, int]:
    """Return the category of each annotated image, by the image's id; raises InputError for several of one image."""
    labels: dict[Id, int] = {}
    for entry in content.annotations:
        category = entry.category_id
        if category not in names:
            raise InputError(f"{file.name}: an annotation has category {category}, which categories does not name")
        first = labels.setdefault(entry.image_id, category)
        if first != category:
            shown = next((image.file_name for image in content.images if image.id == entry.image_id), "an image")
            raise several_labels(f"{file.name}: {shown} has several categories ({names[first]!r}, {names[category]!r})")
    return labels


def _folder(file: Path, images: Sequence[_Image]) -> Path:
    """Return the folder that images of a COCO file are named from: the first of the usual ones that holds one."""
    above, stem = file.parent.parent, file.stem.removeprefix("instances_")
    usual = (file.parent, file.parent / "images", above, above / "images", above / stem, above / "images" / stem)
    names = [image.file_name for image in images]
    there = (folder for folder in usual for name in names if os.path.isfile(folder / name))  # noqa: PTH113
    return next(there, file.parent)


def _relative(path: Path, root: Path) -> str:
    """Return a path relative to the root where it is below it."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
