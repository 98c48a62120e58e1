"""List the images that a COCO file names: JSON with images, annotations and categories, one category an image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.data.classes import several_labels
from core.data.dataset import Found, Unreadable
from core.data.index import FolderFiles
from core.data.listings import find_class_folders
from core.data.reading import PART_NAMES, TRAIN_NAMES, Listing, Parts, part_of
from core.errors import InputError
from core.events import Tell
from core.files import read_json

_IN_FOLDER = ("_annotations.coco.json", "annotations.json")  # beside the images of a part
_BOXES = "instances"  # COCO's own files with categories, which stand beside those with captions of the same images
_PROBE = 64 * 1024
_KEYS = ("images", "annotations", "categories")
_HINT = "It needs images (id, file_name), annotations (image_id, category_id) and categories (id, name)"


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
        categories = {int(entry["id"]): str(entry["name"]) for entry in content["categories"]}
        if names and categories != names:
            raise InputError(f"{files.path.name}: training and test part name their categories differently")
        names = categories
        labelled = _labels(file, content, names)
        folder = _folder(file, [str(entry["file_name"]) for entry in content["images"]])
        found[file] = []
        for entry in content["images"]:
            name = _relative(folder / str(entry["file_name"]), files.root)
            if (category := labelled.get(entry["id"])) is None:
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
        with file.open("rb") as opened:
            start = opened.read(_PROBE)
    except OSError:
        return False
    return start.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{") and any(f'"{key}"'.encode() in start for key in _KEYS)


def _read(file: Path) -> dict[str, Any]:
    """Return the content of a COCO file; raises InputError where parts of it are missing or have no ids."""
    content = read_json(file)
    try:
        for key, fields in zip(_KEYS, (("id", "file_name"), ("image_id", "category_id"), ("id", "name")), strict=True):
            for entry in content[key]:
                for field in fields:
                    entry[field]
    except (KeyError, TypeError) as error:
        raise InputError(f"{file.name} is no COCO file of images with categories: {error} is missing", _HINT) from error
    return dict(content)


def _labels(file: Path, content: Mapping[str, Any], names: Mapping[int, str]) -> dict[Any, int]:
    """Return the category of each annotated image, by the image's id; raises InputError for several of one image."""
    labels: dict[Any, int] = {}
    for entry in content["annotations"]:
        category = int(entry["category_id"])
        if category not in names:
            raise InputError(f"{file.name}: an annotation has category {category}, which categories does not name")
        first = labels.setdefault(entry["image_id"], category)
        if first != category:
            shown = {image["id"]: image["file_name"] for image in content["images"]}.get(entry["image_id"], "an image")
            raise several_labels(f"{file.name}: {shown} has several categories ({names[first]!r}, {names[category]!r})")
    return labels


def _folder(file: Path, names: list[str]) -> Path:
    """Return the folder that images of a COCO file are named from: the first of the usual ones that holds one."""
    above, stem = file.parent.parent, file.stem.removeprefix("instances_")
    usual = (file.parent, file.parent / "images", above, above / "images", above / stem, above / "images" / stem)
    return next((folder for folder in usual for name in names[:3] if (folder / name).is_file()), file.parent)


def _relative(path: Path, root: Path) -> str:
    """Return a path relative to the root where it is below it."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
