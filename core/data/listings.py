"""List the image files of class folders: train/ and test/ with a folder a class in each, or one level of them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from core.data.dataset import Found, Unreadable
from core.data.images import NO_IMAGE, is_image, suffix_of, why_foreign
from core.data.index import FolderFiles
from core.data.reading import TEST_NAMES, TRAIN_NAMES, Listing, Parts
from core.data.tables import metadata_beside
from core.errors import InputError
from core.events import Tell
from core.files import composed

_IGNORED = ("__macosx", "__pycache__", "lost+found", "$recycle.bin")
_DEEPEST = 100  # levels below a class folder
_UPWARD = "a link to a folder that holds it, not followed"
_TWICE = "a link to a folder of its class, which is read once"
_DEAD = "a link that leads nowhere"
_NOT_TEXT = "in a folder whose name is not valid Unicode"
_HIDDEN = "hidden, or in a hidden folder"
_OUTSIDE = "in no class folder"
_NOT_TAKEN = "in {}/, which is not used beside {}/"
FOLDERS_HINT = "Make a sub-folder for each class, directly in it or in train/ and test/"

_Identity = tuple[int, int]  # of a folder: device and inode


def find_class_folders(root: Path) -> Parts | None:
    """Return the folders that hold class folders: train/ and test/, or `root` itself; None where none holds images.

    Raises InputError where train/ holds images without class folders beside a training/ that has some.
    """
    folders = {folder.name.lower(): folder for folder in _subfolders(root)}
    train, test = (  # without sub-folders it is a class called "train"
        [folders[name] for name in names if name in folders and _subfolders(folders[name])][:1]
        for names in (TRAIN_NAMES, TEST_NAMES)
    )
    for name in TRAIN_NAMES:
        if train and name in folders and not _subfolders(folders[name]) and _holds_image(folders[name], depth=0):
            raise InputError(
                f"{folders[name]} holds images without class folders, while {train[0].name}/ has class folders",
                "Sort its images into class folders too, or move it away",
            )
    flat = [name for name, folder in folders.items() if _holds_image(folder)]
    if not train and len(flat) > 1 and set(flat) <= {*TRAIN_NAMES, *TEST_NAMES}:
        raise InputError(
            f"{root} holds images in {'/, '.join(flat)}/ without class folders",
            f"{FOLDERS_HINT}, or list the images with their labels in a CSV",
        )
    parts = Parts(root, tuple(train), tuple(test)) if train else Parts(root, (root,))
    return parts if any(map(_holds_image, _subfolders(parts.train[0]))) else None


def list_folders(parts: Parts, report: Tell) -> Listing:
    """List the images of all class folders; classes are their names in alphabetical order (by character code).

    Raises InputError where there is one class only, or a test class without a folder in the training part. Folders
    without an image, and files that seem to be images and cannot be read, are left out.
    """
    root = parts.path
    report("Looking for images", 0, 0)
    scan = _Scan(root, report)
    train = scan.classes(parts.train[0])
    every = tuple(sorted((*train, *scan.empty)))
    test = scan.classes(parts.test[0]) if parts.test else {}
    if len(train) < 2:
        raise InputError(f"{root} holds images of one class only ({next(iter(train))!r})", _nested_hint(parts))
    spelt = {composed(name): name for name in every}
    test = {name if name in every else spelt.get(composed(name), name): files for name, files in test.items()}
    unknown = sorted(set(test) - set(every))
    if unknown:
        raise InputError(
            f"{parts.test[0]} holds the class {unknown[0]!r}, which {parts.train[0]} does not",
            "Training and test folders must have the same names; an empty folder makes a class without training images",
        )
    names = tuple(sorted({*train, *test}))
    scan.look_around(parts)
    paths = [path for part in (train, test) for name in names for path in part.get(name, ())]
    columns: dict[str, list[str]] = {}
    notices: tuple[str, ...] = ()
    try:
        columns = metadata_beside(root, (root, *parts.every), paths)
    except InputError as error:
        notices = (f"Its columns are not used: {error.message}",)
    return Listing(
        title=root.name,
        classes=names,
        files=FolderFiles(root, paths),
        labels=(_labels(names, train), _labels(names, test)),
        left_out=tuple(scan.left_out),
        found=Found(every=every, passed=dict(scan.passed), notices=notices),
        columns=columns,
    )


def _labels(names: Sequence[str], files: Mapping[str, Sequence[str]]) -> np.ndarray:
    """Return the class of each image, by class and file: (n,)."""
    return np.repeat(np.arange(len(names)), [len(files.get(name, ())) for name in names])


class _Scan:
    """Lists image files in class folders, and what is left out on the way."""

    def __init__(self, root: Path, report: Tell) -> None:
        self._root, self._report = root, report
        self.left_out: list[Unreadable] = []
        self.empty: list[str] = []  # class folders without an image
        self.passed = Counter[str]()  # number of files by why they are passed over, for those not named one by one

    def classes(self, part: Path) -> dict[str, list[str]]:
        """Return the image files of each class folder of `part`."""
        files: dict[str, list[str]] = {}
        # A link to a folder above the class folders would put all images into one class.
        above = {_identity(path) for path in (self._root, *self._root.resolve().parents, part)}
        for folder in _subfolders(part):
            self._report("Looking for images", 0, 0)
            if _identity(folder) in above:
                self._leave_out(part, [folder.name], _UPWARD)
            elif images := self._images_below(folder, above):
                files[folder.name] = images
            else:
                self.empty.append(folder.name)
                self._leave_out(part, [folder.name], "a folder without images")
        return files

    def _images_below(self, folder: Path, above: set[_Identity | None]) -> list[str]:
        """Return image files at any depth, sorted by folder, then name. Links are followed, no folder twice."""
        entered = {_identity(folder)}
        images: dict[str, list[str]] = {}  # names by folder
        for here, folders, names in self._walk(folder):
            kept = []
            for name in sorted(folders):
                identity = _identity(here / name)
                if _is_hidden(name) or identity is None:
                    self._count(here / name, _HIDDEN)
                    continue
                if identity in above or identity in entered:
                    self._leave_out(here, [name], _UPWARD if identity in above else _TWICE)
                    continue
                entered.add(identity)
                kept.append(name)
            folders[:] = kept  # those that are entered
            relative = here.relative_to(self._root).as_posix()
            # Hidden by their first letter only: no other name that is passed over ends like an image.
            candidates = sorted(name for name in names if is_image(name) and name[0] != ".")
            images[relative] = [name for name in candidates if _is_text(relative + name)]
            self._leave_out(here, set(candidates).difference(images[relative]), "the file name is not valid Unicode", 1)
            self._pass_over(here, set(names).difference(candidates))
        return [f"{relative}/{name}" for relative in sorted(images) for name in images[relative]]

    def _walk(self, folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
        """Yield each folder from `folder` on with the names of its folders and files; what is taken out is not entered.

        Not os.walk: Python 3.11's calls itself once for every level. What lies too deep is left out.
        """
        waiting = [(folder, 0)]
        while waiting:
            here, depth = waiting.pop()
            entries = _everything(here)
            folders = [entry.name for entry in entries if _is_folder(entry)]
            within = set(folders)
            yield here, folders, [entry.name for entry in entries if entry.name not in within]
            if depth == _DEEPEST and folders:
                self._leave_out(here, folders, f"more than {_DEEPEST} folders deep")
                continue
            waiting += [(here / name, depth + 1) for name in reversed(folders)]

    def look_around(self, parts: Parts) -> None:
        """Count the files outside the class folders."""
        used = set(parts.every)
        for folder in dict.fromkeys((parts.path, *parts.every)):
            for entry in _everything(folder):
                path = folder / entry.name
                if not _is_folder(entry):
                    self._pass_over(folder, [entry.name])
                elif _is_hidden(entry.name):
                    self._count(path, _HIDDEN)
                elif not _is_text(entry.name):
                    self._count(path, _NOT_TEXT)
                elif folder not in used and path not in used:  # beside train/ and test/
                    part = parts.test if parts.test and entry.name.lower() in TEST_NAMES else parts.train
                    self._count(path, _NOT_TAKEN.format(entry.name, part[0].name))

    def _pass_over(self, folder: Path, names: Iterable[str]) -> None:
        """Count files in `folder` that are not taken; those of a kind that is not read, and dead links, are named."""
        for name in sorted(names):
            if _is_hidden(name):
                self.passed[_HIDDEN] += 1
            elif why := why_foreign(name) or (_DEAD if _is_dead_link(folder / name) else ""):
                self._leave_out(folder, [name], why, 1)
            else:
                self.passed[_OUTSIDE if is_image(name) else NO_IMAGE.format(suffix_of(name) or "no ending")] += 1

    def _count(self, folder: Path, why: str) -> None:
        """Count all files below a folder that is passed over; links to folders are not followed."""
        count, waiting = 0, [(folder, 0)]
        while waiting:
            here, depth = waiting.pop()
            for entry in _everything(here):
                if not _is_folder(entry):
                    count += 1
                elif depth < _DEEPEST and not entry.is_symlink():
                    waiting.append((here / entry.name, depth + 1))
        if count:
            self.passed[why] += count

    def _leave_out(self, folder: Path, names: Iterable[str], why: str, files: int = 0) -> None:
        """Note why files (each counts as 1) or folders (0) of these names in `folder` are left out."""
        for name in sorted(names):
            path = (folder / name).relative_to(self._root).as_posix()
            self.left_out.append(Unreadable(path if _is_text(path) else ascii(path)[1:-1], why, files))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return what lies in a folder and is not hidden; nothing where it cannot be looked into."""
    return [entry for entry in _everything(folder) if not _is_hidden(entry.name)]


def _everything(folder: Path) -> list[os.DirEntry[str]]:
    """Return what lies in a folder; nothing where it cannot be looked into."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _subfolders(folder: Path) -> list[Path]:
    """Return the folders directly in a folder by name, hidden ones left out."""
    names = [entry.name for entry in _entries(folder) if _is_text(entry.name) and _is_folder(entry)]
    return [folder / name for name in sorted(names)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _holds_image(folder: Path, depth: int = 1) -> bool:
    """Whether an image lies in `folder`, or at most `depth` levels deeper."""
    entries = _entries(folder)
    if any(is_image(entry.name) for entry in entries):
        return True
    return depth > 0 and any(_holds_image(Path(entry.path), depth - 1) for entry in entries if _is_folder(entry))


def why_no_images(root: Path, depth: int = 3) -> str:
    """Say why a folder holds no class folders with images: its first image of a kind that is not read, or ""."""
    entries = sorted(_entries(root), key=lambda entry: entry.name)
    for entry in entries:
        if why := why_foreign(entry.name):
            return f"{entry.path}: {why}"
    folders = (Path(entry.path) for entry in entries if depth and _is_folder(entry))
    return next((why for folder in folders if (why := why_no_images(folder, depth - 1))), "")


def _identity(path: Path) -> _Identity | None:
    """Return what tells a folder from all others, whatever its path; None where it cannot be reached."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_dead_link(path: Path) -> bool:
    """Whether a link leads to nothing, or to itself."""
    return path.is_symlink() and _identity(path) is None


def _is_hidden(name: str) -> bool:
    """Whether a file or folder is passed over because of its name."""
    return name.startswith(".") or name.lower() in _IGNORED


def _is_text(name: str) -> bool:
    """Whether a name is valid Unicode, which file systems do not demand."""
    return name.isascii() or name == name.encode("utf-8", "ignore").decode("utf-8")


def _nested_hint(parts: Parts) -> str:
    """Say which folder to open where the class folders lie one level deeper, else how they should lie."""
    inner = [folder for folder in _subfolders(parts.train[0]) if find_class_folders(folder) is not None]
    if parts.train == (parts.path,) and len(inner) == 1:
        return f"The class folders seem to be in {inner[0]}; open that folder"
    return FOLDERS_HINT
