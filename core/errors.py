"""Errors a user can meet: each says what happened and what to do, and has the exit code of the command line.

AppError
├── FaultError            1  the program has a fault
├── UsageError            2  the command or a form was filled in wrongly
│   └── ParameterError       one or more parameters are wrong; all are named
├── InputError            3  a file, a data set or their combination cannot be used
│   ├── NotFoundError        the file or name does not exist; similar names are offered
│   ├── TargetExistsError    the file to be written exists already
│   ├── UnsafeFileError      opening the file would run program code
│   ├── MismatchError        model and data (or run and job) do not belong together
│   ├── AmbiguousEntryError  a checkpoint holds several networks; the user must choose
│   ├── UnprovenError        nothing proves that a model is used as it was trained; the user must say so
│   ├── NoTestPartError      the data has no test images, and no share to set aside was given
│   └── ForgetSetError       the forget set is empty, everything, or does not match the data
├── RunError              4  the run failed while running
│   ├── NonFiniteError       a loss or weight became infinite or not a number
│   ├── OutOfMemoryError     the device has too little memory
│   └── ProcessEndedError    a process of a run ended before it; the run can be resumed
├── StoppedError          5  the user stopped or discarded it
└── RequirementError      6  the verdict is below what was required
"""

from __future__ import annotations

import difflib
import errno
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from core.text import visible


class AppError(Exception):
    """An error with a sentence on what happened and one on what to do; `exit_code` is that of the command line."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = _sentence(message)
        self.hint = _sentence(hint)
        super().__init__(self.text)

    @property
    def text(self) -> str:
        """What happened and what to do, on one line."""
        return " ".join(part for part in (self.message, self.hint) if part)

    @property
    def kind(self) -> str:
        """A word for programs: the class's name without "Error", in lower case ("not_found", "out_of_memory")."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(self).__name__.removesuffix("Error")).lower()

    def as_dict(self) -> dict[str, Any]:
        """Return the error as plain data: message, hint, exit_code, kind, and what its class holds beside them."""
        return {"message": self.message, "hint": self.hint, "exit_code": self.exit_code, "kind": self.kind} | vars(self)


class FaultError(AppError):
    """The program has a fault."""


class UsageError(AppError):
    """The command or a form was filled in wrongly."""

    exit_code = 2


class ParameterError(UsageError):
    """One or more parameters are wrong; each of `problems` names one, its rule and the value given."""

    def __init__(self, problems: Iterable[str], hint: str = "") -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems), hint)


class InputError(AppError):
    """A file, a data set or their combination cannot be used."""

    exit_code = 3


class NotFoundError(InputError):
    """A file or a name does not exist."""


class TargetExistsError(InputError):
    """The file to be written exists already."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} already exists", "Choose another file name, or replace it with --force")
        self.path = path


class UnsafeFileError(InputError):
    """Opening the file would run program code; `digests`: SHA-256 of the files it is in, for who allows just these."""

    def __init__(self, message: str, hint: str = "", digests: Iterable[str] = ()) -> None:
        super().__init__(message, hint)
        self.digests = tuple(digests)


class UnknownNetworkError(InputError):
    """A file opens once its network is named, or its code given: which it is was not found out."""

    @property
    def kind(self) -> str:
        """Return "input": to programs it is any file that cannot be opened."""
        return "input"


class MismatchError(InputError):
    """Two things do not belong together, such as a model with 10 outputs and data with 100 classes."""


class AmbiguousEntryError(InputError):
    """A checkpoint holds several networks; `candidates` holds what --key calls each and what it is.

    parts: whether they may also be parts of one network. option: the one that chooses, where it is another one.
    """

    def __init__(
        self, message: str, candidates: Iterable[tuple[str, str]], *, parts: bool = False, option: str = "--key"
    ) -> None:
        self.candidates = tuple(candidates)
        listed = "; ".join(f"{name} ({what})" for name, what in self.candidates)
        together = f"; parts of one network together: {'+'.join(name for name, _ in self.candidates[:2])}"
        super().__init__(message, f"Choose the network with {option}: {listed}{together if parts else ''}")


class UnprovenError(InputError):
    """Nothing proves that a model is used as it was trained; `proof`: what was tried and measured, as plain data."""

    def __init__(self, message: str, hint: str, proof: Mapping[str, Any]) -> None:
        self.proof = dict(proof)
        super().__init__(message, hint)


class NoTestPartError(InputError):
    """The data has no test images; `class_counts` holds the number of images of each class."""

    def __init__(self, message: str, hint: str, class_counts: Iterable[int]) -> None:
        self.class_counts = tuple(class_counts)
        super().__init__(message, hint)


class ForgetSetError(InputError):
    """The forget set is empty, is everything, or does not match the data."""


class RunError(AppError):
    """A run failed while running."""

    exit_code = 4


class NonFiniteError(RunError):
    """A loss or a weight became infinite or not a number."""


class OutOfMemoryError(RunError):
    """The device has too little memory for the batch."""


class ProcessEndedError(RunError):
    """A process that worked on a run ended before the run did, which can be resumed; `last_words`: what it wrote."""

    def __init__(self, message: str, hint: str = "", last_words: str = "") -> None:
        super().__init__(message, hint)
        self.last_words = last_words


class StoppedError(AppError):
    """The user stopped or discarded the run."""

    exit_code = 5

    @classmethod
    def before_run(cls) -> StoppedError:
        """Return the error of a run that was stopped while model and data were opened and weighed."""
        return cls("Stopped before the run began, so there is nothing to keep", "Start it again")


class RequirementError(AppError):
    """The verdict is below what was required."""

    exit_code = 6


_OUT_OF_MEMORY = (
    "out of memory", "can't allocate memory", "cannot allocate memory", "bad_alloc", "failed to map segment",
    "can't start new thread",
)  # fmt: skip
_PATH = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP, errno.EISDIR)
_HANDLES = (errno.EMFILE, errno.ENFILE)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception, the system's or a library's, means that memory has run out, the device's or the machine's.

    Libraries that cannot be mapped into memory are said by Python to fail at their import.
    """
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    text = str(error).lower() if isinstance(error, RuntimeError | ImportError) else ""
    return any(words in text for words in _OUT_OF_MEMORY)


def of_system(error: BaseException) -> AppError | None:
    """Return the error to say where the machine is the reason: disk, permissions, file handles, memory.

    An AppError is returned as it is; None for an exception that is a fault of the program.
    """
    if isinstance(error, AppError):
        return error
    if is_out_of_memory(error):
        return OutOfMemoryError("Out of memory", "Close other programs, or use fewer or smaller images")
    code = getattr(error, "errno", None)
    if code in _HANDLES or (isinstance(error, ImportError) and "too many open files" in str(error).lower()):
        return RunError("Too many files are open", "Allow more with `ulimit -n`, or close other programs")
    if not isinstance(error, OSError) or code is None:
        return None
    name = error.filename2 or error.filename  # of two files the one that was written
    said = f"{name}: {error.strerror}" if name else str(error.strerror)
    if code in _PATH:
        return InputError(said, "Check the path")
    return RunError(said, "Check the disk and its permissions, then try again")


def behind_torch(error: Exception) -> Exception:
    """Return the system's error behind one that torch raises in its place, as on a full disk; else the error itself."""
    return error.__context__ if isinstance(error.__context__, OSError) else error


def nearest(name: str, names: Iterable[str], count: int = 3) -> list[str]:
    """Return the names most similar to `name`, best first; empty where none shares most of its letters."""
    by_lower = {choice.lower(): choice for choice in names}
    return [by_lower[match] for match in difflib.get_close_matches(name.lower(), by_lower, n=count)]


def did_you_mean(name: str, names: Iterable[str], count: int = 3) -> str:
    """Return the question whether the names most similar to `name` were meant; empty where none is similar."""
    similar = nearest(name, names, count)
    return f"Did you mean {' or '.join(similar)}?" if similar else ""


def maybe_meant(name: str, names: Iterable[str]) -> str:
    """Return " (did you mean …?)" with the name most similar to `name`, to stand behind it; empty where none is."""
    similar = nearest(name, names, 1)
    return f" (did you mean {similar[0]}?)" if similar else ""


def unknown_name(kind: str, name: str, names: Iterable[str]) -> NotFoundError:
    """Return the error for a name that is none of `names`; it offers the most similar ones, else all of them."""
    names = list(names)
    hint = did_you_mean(name, names) or (f"Choose one of {', '.join(names)}" if names else "")
    return NotFoundError(f"There is no {kind} called {name!r}", hint)


def first_few(names: Iterable[str], count: int = 3) -> str:
    """Return the first names separated by commas, with an ellipsis where there are more."""
    listed = list(names)
    return ", ".join(listed[:count]) + (", …" if len(listed) > count else "")


def _sentence(text: str) -> str:
    """Return a text on one line with a full stop at its end; characters that are not drawn are written out."""
    text = visible(" ".join(str(text).split()))
    return text if not text or text[-1] in ".?!]" else text + "."
