"""Whole pickled networks: read with the user's own classes, or without them, and written back under their own names.

Classes are looked for where the user's program would have found them: beside the file, in the working directory, on
PYTHONPATH, among the installed packages. Each file's are modules of a room of their own, as those of a factory are.
"""

from __future__ import annotations

import ast
import io
import os
import pickle
import pickletools
import warnings
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from types import FunctionType
from typing import Any, ClassVar

import torch
from torch import nn

from core.errors import AppError, InputError, UnsafeFileError, unknown_name
from core.files import read_bytes
from core.models.architectures import reinitialise
from core.models.user_code import Room, code_digests

_WRAPPERS = ("DataParallel", "DistributedDataParallel")
LARGEST = 1 << 40
"""Bytes of a file that is read whole because it runs: as much as memory takes."""

_FILES_LOOKED_AT = 200  # Python files beside a pickle, for the one that defines a class


class Missing(nn.Module):
    """Stands for a class that cannot be imported: it keeps what the file holds of an object, and cannot run."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):  # else that of an object without attributes, or with slots alone
            super().__setstate__(state)

    def forward(self, *_: Any) -> Any:
        """Raise InputError: what the class computes is not known."""
        raise InputError(f"The class {type(self).__name__} was not found")


class Pickles:
    """Reads and writes the pickles of one file, as `pickle_module` of torch.load and torch.save."""

    __name__ = "pickle"

    def __init__(self, path: Path, only: Collection[str] | None = None) -> None:
        """`only`: SHA-256 of the files that may run, this one and the code it imports; None: any."""
        self.path = path
        self.missing: list[str] = []  # "module.Class", of what was not found
        self._room = Room(path.resolve(), [str(Path.cwd())], only)
        self._names: dict[int, tuple[Any, str, str]] = {}  # by id: what stands for it, and how the file names it
        names, find = self._names, self._find

        class Unpickler(pickle.Unpickler):
            def find_class(self, module: str, name: str, /) -> Any:
                found = find(super().find_class, module, name)
                names[id(found)] = (found, module, name)
                return found

        python_pickler: Any = vars(pickle)["_Pickler"]  # the one that asks for every name

        class Pickler(python_pickler):
            def save_global(self, obj: Any, name: str | None = None) -> None:
                if id(obj) not in names:
                    super().save_global(obj, name)
                    return
                _, module, name = names[id(obj)]
                self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())
                self.memoize(obj)

            dispatch: ClassVar[dict[type, Any]] = {**python_pickler.dispatch, FunctionType: save_global}

        self.Unpickler, self.Pickler = Unpickler, Pickler

    def load(self, file: Any, **options: Any) -> Any:
        """Return the next object of an open file."""
        return self.Unpickler(file, **options).load()

    def read(self) -> Any:
        """Return what the file holds; its code runs, that of the content which is looked at and no other.

        Raises UnsafeFileError where it is not one of those that may run, InputError where reading it fails.
        """
        data = read_bytes(self.path, LARGEST)
        self._room.require(data, self.path)
        try:
            with warnings.catch_warnings(), self._room.entered():
                warnings.simplefilter("ignore")  # about how others pickled
                return torch.load(io.BytesIO(data), map_location="cpu", weights_only=False, pickle_module=self)
        except AppError:
            raise
        except Exception as error:
            raise InputError(f"{self.path.name} could not be unpickled: {type(error).__name__}: {error}") from error

    def write(self, content: Any, file: Any) -> None:
        """Write what was read, or parts of it, into an open file; classes have the names they had."""
        torch.save(content, file, pickle_module=self)

    def named(self, kind: type) -> str:
        """Return the name that the file gives a class: "module.Class"."""
        _, module, name = self._names.get(id(kind), (None, kind.__module__, kind.__qualname__))
        return f"{module}.{name}"

    def explain(self) -> InputError:
        """Return the error for a network whose classes were not found: it says which, and what to do."""
        name = self.missing[0].rpartition(".")[2]
        module = self.missing[0].rpartition(".")[0]
        words = f"{self.path.name} holds a whole network whose class {name} was not found"
        if found := _defining(name, (self.path.parent, Path.cwd())):
            file, only_defines = found
            give = f"give its code with --arch {file if only_defines else 'FILE.py'}:{name} --trust-code"
            move = f"Move it from {file}, which does more than define it, into a file of its own, and {give}"
            return InputError(f"{words} (its module is {module!r})", f"G{give[1:]}" if only_defines else move)
        where = "in the program that saved it" if module == "__main__" else f"in {module!r}"
        return InputError(
            f"{words}: it was defined {where}",
            f"Give its code with --arch FILE.py:{name} --trust-code"
            + ("" if module == "__main__" else ", set PYTHONPATH to the folder of its code, or install its package"),
        )

    def _find(self, usual: Callable[[str, str], Any], module: str, name: str) -> Any:
        """Return the class or function that a file names, or what stands for one that is not there."""
        try:
            if module != "__main__" and self._room.owns(module.partition(".")[0]):
                found: Any = self._room.module(module)
                for part in name.split("."):
                    found = getattr(found, part)
                return found
            return usual(module, name)
        except (ImportError, AttributeError):
            self.missing.append(f"{module}.{name}")
            return type(name.rpartition(".")[2], (Missing,), {"__module__": module, "__qualname__": name})
        except Exception as error:
            raise self._room.failed(f"The code of {module} cannot be run", error) from error


def pickled_network(path: Path, name: str, only: Collection[str] | None = None) -> nn.Module:
    """Return the network of class `name` in a pickled file, in float32 and trainable, without what was put around it.

    only: SHA-256 of the files that may run; None: any. Raises InputError where its class is not found, NotFoundError
    where the file holds none of that name.
    """
    pickles = Pickles(path, only)
    networks = {type(network).__name__: network for network in reversed([*networks_in(pickles.read())])}
    if name not in networks:
        raise unknown_name(f"network in {path.name}", name, networks)
    network = networks[name]
    if cannot_run(network):
        raise pickles.explain()
    for parameter in network.parameters():
        if parameter.is_floating_point():
            parameter.requires_grad_(True)
    return network.float()


def fresh_network(path: Path, name: str, only: Collection[str] | None = None) -> nn.Module:
    """Return `pickled_network` with new weights, drawn from the global generator."""
    network = pickled_network(path, name, only)
    reinitialise(network, int(torch.randint(2**62, ())))
    return network


def networks_in(content: Any) -> Iterator[nn.Module]:
    """Yield the pickled networks in what a file held, without what was put around them."""
    if isinstance(content, nn.Module):
        while type(content).__name__ in _WRAPPERS and isinstance(content.module, nn.Module):
            content = content.module
        yield content
    elif isinstance(content, Mapping):
        for value in content.values():
            yield from networks_in(value)


def cannot_run(network: nn.Module) -> bool:
    """Whether a class of a pickled network was not found."""
    return any(isinstance(part, Missing) for part in network.modules())


def refuse_untrusted(user_code: str) -> None:
    """Raise the error for a pickled network, "path.pt:Class", that may not be read."""
    raise UnsafeFileError(
        f"The network is the one pickled in {user_code.rpartition(':')[0]}, which can run program code, so it was not "
        "opened",
        "Allow it with --trust-pickle if you trust who made it",
        code_digests(user_code),
    )


class Bounded(io.BufferedReader):
    """A file that is never asked for more than it has: memory would be set aside for what a length in it says."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Return at most `size` of the bytes that are left."""
        left = os.fstat(self.fileno()).st_size - self.tell()
        return super().read(left if size is None or size < 0 else min(size, left))


def called(path: Path) -> tuple[list[str], bool]:
    """Return what the pickle in a file that torch refused calls ("module name"), and whether that is no dictionary's.

    The pickle is read, not run; nothing is returned of one that is not whole.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                name = next(n for n in archive.namelist() if n.endswith("data.pkl"))
                return _names(archive.read(name))
        with Bounded(io.FileIO(path)) as file:
            return _names(file)
    except Exception:  # zipfile raises nearly anything on a damaged file
        return [], False


def _names(source: Any) -> tuple[list[str], bool]:
    """Return what pickles in `source`, at least one of them whole, call, as `_called` does."""
    names: list[str] = []
    ended = alone = False
    inside = False  # a dictionary or list
    try:
        while True:
            strings: list[str] = []
            for opcode, argument, _ in pickletools.genops(source):
                if opcode.name in ("GLOBAL", "INST", "STACK_GLOBAL"):
                    names.append(str(argument if opcode.name != "STACK_GLOBAL" else " ".join(strings[-2:])))
                    alone = alone or (len(names) == 1 and not inside)
                elif isinstance(argument, str):
                    strings.append(argument)
                inside = inside or opcode.name in ("EMPTY_DICT", "EMPTY_LIST", "DICT", "LIST")
            ended = True
            if isinstance(source, bytes):
                break
    except Exception:  # no further pickle: the rest is tensor data or the end
        pass
    return (names, alone) if ended else ([], False)


def _only_defines(statement: ast.stmt) -> bool:
    """Whether a statement at the top of a file defines or imports something, or is not run when it is imported."""
    if isinstance(statement, ast.If):
        return "__name__" in ast.unparse(statement.test)
    defining = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef, ast.Assign, ast.AnnAssign)
    constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    called = isinstance(statement, (ast.Assign, ast.AnnAssign)) and any(
        isinstance(part, ast.Call) for part in ast.walk(statement)
    )
    return constant or (isinstance(statement, defining) and not called)


def _defining(name: str, folders: tuple[Path, ...]) -> tuple[Path, bool] | None:
    """Return a Python file in one of the folders that defines a class of that name, and whether it only defines.

    Its text is read, not run: a program that trains would do so again when it is imported.
    """
    files = [file for folder in dict.fromkeys(folders) for file in sorted(folder.glob("*.py"))[:_FILES_LOOKED_AT]]
    for file in files:
        try:
            tree = ast.parse(file.read_bytes())
        except (OSError, SyntaxError, ValueError):
            continue
        if any(isinstance(node, ast.ClassDef) and node.name == name for node in tree.body):
            return file, all(map(_only_defines, tree.body))
    return None
