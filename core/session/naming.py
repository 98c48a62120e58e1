"""Which training images a text means: by path, file name, sample id, pattern or folder, or by a column of a table.

Paths and values are compared in Unicode's composed form: macOS writes "ö" as two characters.

A pattern has `*` (anything within a name), `**` (anything), `?` (one character) or `[abc]`. It fits a path from any
folder on, and all that lies in a folder it fits: `customers/47*` is every image of the customers 4700 to 4799.
"""

from __future__ import annotations

import bisect
import contextlib
import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np

from core.files import composed

_LONGEST = 4096  # characters of a pattern or folder: no path is longer
_DEEPEST = 100  # folders of a path that are known by themselves: each takes a copy of the path up to it
_NEIGHBOURS = 60  # names compared on each side of where the searched one would stand
_WILDCARD = re.compile(r"[*?[]")
_PIECES = re.compile(r"\*\*|\*|\?|\[[!^]?\]?[^\]]*\]|.", re.DOTALL)


class Names:
    """Finds images by what their paths are. Tables are made when first needed."""

    def __init__(
        self,
        paths: Sequence[str] | None = None,
        root: Path | None = None,
        columns: Mapping[str, Sequence[str] | np.ndarray] | None = None,
    ) -> None:
        """`paths`: of the images, where the data has any; `root`: the folder they start at; `columns`: of a table."""
        self.paths, self.columns = paths or (), columns or {}
        self._root = "" if root is None else normal(str(root)).rstrip("/") + "/"
        self._by_value: dict[str, dict[str, list[int]]] = {}  # positions by column and value, as far as asked for

    def find(self, text: str) -> list[int]:
        """Return the positions `text` fits as a name: none, one, or several where a name is not enough."""
        if not self.paths:
            return []
        wanted = normal(text)
        if text in self._as_stored or wanted in self._exact:
            return [self._as_stored[text] if text in self._as_stored else self._exact[wanted]]
        by_file, by_stem = self._tables
        same_end = [i for i in by_file.get(_file(wanted), []) if ends_alike(wanted, self._keys[i])]
        return same_end or by_stem.get(wanted, [])

    def matching(self, text: str) -> list[int]:
        """Return the positions that a pattern fits, or that lie in a folder whose path ends with a slash; else none."""
        if text.endswith(("/", "\\")):
            return self.inside(text)
        return self._fitting(text, r"(?:\.[^/.]+)?(?:/.*)?") if is_pattern(text) else []

    def inside(self, folder: str) -> list[int]:
        """Return the positions of all images in a folder, at any depth; `folder` may be a pattern.

        A path from the root of the data wins over one that begins in the middle; a literal name over a pattern.
        """
        wanted = self._relative(folder).rstrip("/")
        if len(wanted) > _LONGEST:
            return []
        for path in (wanted, *(wanted.split("/", count)[-1] for count in range(1, wanted.count("/") + 1))):
            if path in self._folders:
                return self._folders[path]
            if not wanted.startswith("/"):
                break  # only of a whole path, of another machine's folder perhaps, is the end enough
        inner = [self._folders[path] for path in self._called.get(_file(wanted), ()) if path.endswith(f"/{wanted}")]
        return sorted(set().union(*inner)) or (self._fitting(wanted, "/.+") if is_pattern(wanted) else [])

    def with_value(self, column: str, wanted: str) -> list[int]:
        """Return the positions of the values of a column that equal `wanted`, else of those it fits as a pattern."""
        if column not in self._by_value:
            table = self._by_value[column] = {}
            for index, value in enumerate(self.columns[column]):
                table.setdefault(composed(value), []).append(index)
        table, wanted = self._by_value[column], composed(wanted)
        if wanted in table or not is_pattern(wanted):
            return table.get(wanted, [])
        fits = re.compile(_regex(wanted).replace("[^/]", "."), re.DOTALL).fullmatch
        return sorted(index for value, ids in table.items() if fits(value) for index in ids)

    def nearest(self, text: str, count: int = 3) -> tuple[str, ...]:
        """Return the paths most like `text`, and of a pattern or folder the folders, which end with a slash."""
        wanted = self._relative(text)
        if not is_pattern(wanted) and not wanted.endswith("/"):
            if wanted in self._folders:
                return (f"{wanted}/",)
            return self._files.nearest(_file(wanted), count)
        fixed = wanted.rstrip("/").split("/")
        while len(fixed) > 1 and not _literal(fixed[-1]):
            fixed.pop()
        folders = _Alike((_file(folder), f"{folder}/") for folder in self._folders)
        return folders.nearest(_literal(fixed[-1]), count) or self._files.nearest(_literal(fixed[-1]), count)

    def _fitting(self, pattern: str, end: str) -> list[int]:
        fits = re.compile(f"(?:.*/)?{_regex(self._relative(pattern))}{end}", re.DOTALL).fullmatch
        return [index for index, key in enumerate(self._keys) if fits(key)]

    def _relative(self, text: str) -> str:
        """Return a path as those of the data are: from their root."""
        return normal(text).removeprefix(self._root)

    @cached_property
    def _keys(self) -> list[str]:
        """Every path in the form that is compared."""
        return [normal(path) for path in self.paths]

    @cached_property
    def _exact(self) -> dict[str, int]:
        """Positions by path in the form that is compared."""
        return {key: index for index, key in enumerate(self._keys)}

    @cached_property
    def _as_stored(self) -> dict[str, int]:
        """Positions by path, of those that are the same as another's in the form that is compared."""
        if len(self._exact) == len(self.paths):
            return {}
        twice = {key for key, number in Counter(self._keys).items() if number > 1}
        return {path: index for index, path in enumerate(self.paths) if self._keys[index] in twice}

    @cached_property
    def _tables(self) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
        """Positions by file name, and by file name without its ending."""
        by_file: dict[str, list[int]] = {}
        by_stem: dict[str, list[int]] = {}
        for index, key in enumerate(self._keys):
            by_file.setdefault(_file(key), []).append(index)
            by_stem.setdefault(_stem(_file(key)), []).append(index)
        return by_file, by_stem

    @cached_property
    def _files(self) -> _Alike:
        """Paths by the name of their file."""
        return _Alike((_file(key), path) for key, path in zip(self._keys, self.paths, strict=True))

    @cached_property
    def _folders(self) -> dict[str, list[int]]:
        """Positions of the images in every folder, at any depth."""
        folders: dict[str, list[int]] = {}
        for index, key in enumerate(self._keys):
            for place in islice(re.finditer("/", key), _DEEPEST):
                folders.setdefault(key[: place.start()], []).append(index)
        return folders

    @cached_property
    def _called(self) -> dict[str, list[str]]:
        """Folders by their own name."""
        called: dict[str, list[str]] = {}
        for folder in self._folders:
            called.setdefault(_file(folder), []).append(folder)
        return called


class _Alike:
    """Finds the names most like another, compared with its neighbours in the alphabet and from behind only."""

    def __init__(self, shown: Iterable[tuple[str, str]]) -> None:
        """`shown`: names, and what to show for each; the first of a name counts."""
        self._shown: dict[str, str] = {}
        for name, text in shown:
            self._shown.setdefault(name.lower(), text)
        self._forwards = sorted(self._shown)
        self._backwards = sorted(name[::-1] for name in self._shown)

    def nearest(self, name: str, count: int = 3) -> tuple[str, ...]:
        """Return what is shown for the names most like `name`, best first."""
        wanted = name.lower()
        candidates: dict[str, None] = {}
        # The stem's own place first: a.jpg looks for A.jpeg.
        for key in (f"{_stem(wanted)}.", wanted):
            place = bisect.bisect_left(self._forwards, key)
            candidates |= dict.fromkeys(self._forwards[max(0, place - _NEIGHBOURS) : place + _NEIGHBOURS])
        place = bisect.bisect_left(self._backwards, wanted[::-1])
        near = self._backwards[max(0, place - _NEIGHBOURS) : place + _NEIGHBOURS]
        candidates |= dict.fromkeys(name[::-1] for name in near)
        return tuple(self._shown[name] for name in difflib.get_close_matches(wanted, candidates, n=count, cutoff=0.5))


# --- columns ------------------------------------------------------------------------------------------------------


def column_called(name: str, columns: Iterable[str]) -> str:
    """Return which of `columns` a text names, in any case of letters; "" for none."""
    return columns_called([name], columns)[0]


def columns_called(names: Iterable[str], columns: Iterable[str]) -> list[str]:
    """Return for each text which of `columns` it names, in any case of letters; "" for none."""
    known = dict.fromkeys(columns)
    alike = {composed(column).casefold(): column for column in reversed(known)}
    return [name if name in known else alike.get(composed(name).casefold(), "") for name in names]


def nearest_values(values: Iterable[str], wanted: str) -> tuple[str, ...]:
    """Return the values most like a text that none of them is."""
    return _Alike((composed(value), value) for value in values).nearest(_literal(composed(wanted)))


# --- texts --------------------------------------------------------------------------------------------------------


def is_pattern(text: str) -> bool:
    """Whether a text has a character that stands for others."""
    return len(text) <= _LONGEST and _WILDCARD.search(text) is not None


def _regex(pattern: str) -> str:
    """Return a pattern as a regular expression that takes a time in proportion to what it is compared with.

    What stands before the last star is taken at the first place where it fits, for good (atomic groups): a star that
    follows takes whatever lies between, so no later place can fit where the first one does not.
    """
    stars = {"**": ".*", "*": "[^/]*"}

    def piece(text: str) -> str:
        if len(text) > 2 and text[0] == "[":
            inner = text[1:-1].replace("\\", "\\\\").replace("[", "\\[")
            choice = f"[^/{inner[1:]}]" if inner[0] in "!^" else f"[{inner}]"
            with contextlib.suppress(re.error):  # such as [z-a]
                return re.compile(choice).pattern
        return "[^/]" if text == "?" else re.escape(text)

    parts: list[tuple[str, str]] = [("", "")]  # a star, "" for the beginning, and what follows it up to the next one
    for text in _PIECES.findall(pattern):
        star, fixed = parts[-1]
        if text not in stars:
            parts[-1] = star, fixed + piece(text)
        elif fixed or not star:
            parts.append((text, ""))
        elif text == "**":  # two stars, and nothing between them
            parts[-1] = text, ""
    *earlier, (last, end) = parts
    runs: list[list[str]] = []  # of what stands between two "**"
    for star, fixed in earlier:
        if star == "**" or not runs:
            runs.append([stars.get(star, ""), fixed])
        else:
            runs[-1].append(f"(?>[^/]*?{fixed})")
    open_run = runs.pop() if runs and last != "**" and len(runs) > 1 else []  # it must fit with what follows it
    closed = (f"(?>{star}?{''.join(fixed)})" if star else "".join(fixed) for star, *fixed in runs)
    return f"{''.join(closed)}{''.join(open_run)}{stars.get(last, '')}{end}"


def _literal(pattern: str) -> str:
    """Return what a pattern has beside its wildcards."""
    return re.sub(r"[*?[\]]", "", pattern)


def ends_alike(first: str, second: str) -> bool:
    """Whether one path is the other's end, folder by folder."""
    short, long = sorted((first, second), key=len)
    return short == long or long.endswith("/" + short)


def normal(path: str) -> str:
    """Return a path with slashes, without a leading "./", in Unicode's composed form."""
    return composed(path.replace("\\", "/").removeprefix("./"))


def _file(path: str) -> str:
    """Return the name of the file a path leads to."""
    return path.rpartition("/")[2]


def _stem(file: str) -> str:
    """Return a file's name without its ending: the sample id."""
    return file.rpartition(".")[0] or file
