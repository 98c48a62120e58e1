"""What the user allowed in this session: files that can run program code, each as it was when it was allowed.

Questions are asked by path, size and times; what runs is held against the SHA-256 of what was allowed, as it runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import AppError
from core.files import file_sha256
from core.models.trust import Trust

if TYPE_CHECKING:
    from core.job import Job
    from core.models.checkpoint import OpenedModel

HARMLESS = ".safetensors"  # holds numbers and nothing else
_Mark = tuple[str, int, int, int]  # path, bytes, times of the last change of content and of anything


class TrustedFiles:
    """Lives as long as the program: nothing of it is written down. A file that was changed is not trusted any more."""

    def __init__(self) -> None:
        self._allowed: set[_Mark] = set()
        self._digests: set[str] = set()

    def allow(self, files: Iterable[Path]) -> None:
        """Take these files as trusted, as they are now."""
        for path in files:
            with suppress(AppError):  # one that is gone
                self._allow(path, file_sha256(path))

    def allow_model(self, model: OpenedModel) -> None:
        """Remember what was allowed when a model was opened: that very content."""
        trust = model.file.trust
        if not (trust.pickle or trust.code):
            return
        self._allow(Path(model.path), model.sha256)
        code = files_of_code(model.spec.user_code) if trust.code else ()
        if trust.only is None:
            self.allow(code)
            return
        self._digests |= trust.only
        self.allow(path for path in code if path.is_file() and file_sha256(path) in trust.only)

    def _allow(self, path: Path, sha256: str) -> None:
        self._digests.add(sha256)
        if (mark := _mark(path)) is not None:
            self._allowed.add(mark)

    def of(self, job: Job, brought: Iterable[Path] = ()) -> Trust:
        """Return what is trusted of a job and the models brought to it: files that can hold code, and code itself."""
        brought = list(brought)
        risky = [path for path in files_of(job, brought) if path.suffix.lower() != HARMLESS]
        return Trust(self._allows_all(risky), self._allows_all(code_files(job, brought)), frozenset(self._digests))

    def everything(self) -> Trust:
        """Return what is trusted of any job: the files that were allowed, each as it was then."""
        return Trust(bool(self._digests), bool(self._digests), frozenset(self._digests))

    def allows(self, path: Path) -> bool:
        """Whether a file is trusted as it is now, as far as size and times tell; what it holds is asked as it runs."""
        return _mark(path) in self._allowed

    def asked(self, job: Job, brought: Iterable[Path] = ()) -> list[Path]:
        """Return the program code that must be allowed first; a file that is gone is no question."""
        return [path for path in code_files(job, brought) if path.is_file() and not self.allows(path)]

    def _allows_all(self, files: Sequence[Path]) -> bool:
        """Whether there are files and all of them are trusted."""
        return bool(files) and all(map(self.allows, files))


def code_files(job: Job, brought: Iterable[Path] = ()) -> Sequence[Path]:
    """Return the files of program code that a job's network and the models brought are made by."""
    named = [job.model.user_code, *map(_code_of, brought)]
    return list(dict.fromkeys(file for one in dict.fromkeys(named) for file in files_of_code(one)))


def files_of(job: Job, brought: Iterable[Path] = ()) -> list[Path]:
    """Return the model files that working on a job opens: its model, the first of its chain, and those brought."""
    named = [job.model.path, job.origin.path if job.origin is not None else "",
             job.start.path if job.start is not None else ""]  # fmt: skip
    return [*(Path(name) for name in dict.fromkeys(named) if name), *brought]


def files_of_code(arch: str) -> tuple[Path, ...]:
    """Return the files of a network of the user's own, "path.py:factory": the factory's, and those it imports."""
    from core.models.architectures import is_user_code
    from core.models.user_code import source_files

    return source_files(arch) if is_user_code(arch) else ()


def _code_of(model: Path) -> str:
    """Return the program code that a model's card names; empty where there is none."""
    from core.models.architectures import is_user_code
    from core.models.card import read_card

    try:
        architecture = str((read_card(model) or {}).get("architecture") or "")
    except (AppError, OSError):
        return ""  # opening the model says what is wrong with it
    return architecture if is_user_code(architecture) else ""


def _mark(path: Path) -> _Mark | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return str(path.resolve()), found.st_size, found.st_mtime_ns, found.st_ctime_ns
