"""Networks of the user's own: a factory in a Python file, run only when the user trusts it, in a room of its own.

A room is a package without a file. What the user's code imports and what lies beside it (`from layers import Block`,
`from core.layers import Block` where the user has a folder of that name) becomes a module of the room, so that neither
the program's modules nor those of another of the user's projects are touched or taken for it. Imports are led there
by the `__import__` of each module of the room, also those that a function makes later, in whatever thread.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import importlib
import inspect
import os
import sys
import sysconfig
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from core.errors import AppError, InputError, NotFoundError, UnsafeFileError, unknown_name
from core.files import file_sha256, read_bytes, user_path

if TYPE_CHECKING:
    from torch import nn

FACTORY_OPTION = "--arch FILE.py:FACTORY --trust-code"
"""How hints say that the code of a network is to be given; the window says it in its own words."""

CODE = ".py"  # ending of files that hold a factory; of other files a network pickled in them is meant
_PREFIX = "unlearn_studio_user_"
_PROGRAM = str(Path(__file__).resolve().parents[2])  # holds `core` and `app`: a checkout is on sys.path
_INSTALLED = {sysconfig.get_path(kind) for kind in ("purelib", "platlib", "stdlib")}
_LOADING = threading.RLock()


def build_from_user_code(
    user_code: str, num_classes: int, *, trust_code: bool = False, only: Collection[str] | None = None
) -> nn.Module:
    """Run the factory of "path.py:factory" with num_classes (if it takes that) and return its network.

    Of another file it is the network of that class which is pickled in it, with fresh weights. Raises UnsafeFileError
    without `trust_code`, and for code whose SHA-256 is not in `only` (None: any may run), NotFoundError where file or
    factory is missing, and InputError where the file cannot be run, or the factory fails or gives something else than
    a network.
    """
    text, _, name = user_code.rpartition(":")
    if not is_factory(user_code):
        from core.models.pickles import fresh_network, refuse_untrusted

        if not trust_code:
            refuse_untrusted(user_code)
        return fresh_network(Path(text), name, only)
    if not trust_code:
        raise UnsafeFileError(
            f"{text} is program code, so it was not run", "Allow it with --trust-code if you trust who wrote it",
            code_digests(user_code),
        )  # fmt: skip
    path = Path(text)
    if not path.is_file():
        raise NotFoundError(f"There is no file {path}")
    from torch import nn

    room, before = Room(path.resolve(), only=only), list(sys.path)
    try:
        factory = room.factory(name, text)
        try:
            module = factory(num_classes=num_classes) if _takes_num_classes(factory) else factory()
        except AppError:
            raise
        except Exception as error:
            raise room.failed(f"{name}() of {text} failed", error) from error
    finally:
        sys.path[:] = before
    if not isinstance(module, nn.Module):
        raise InputError(f"{name}() of {text} gave {type(module).__name__}, not a torch.nn.Module")
    return module


def is_factory(user_code: str) -> bool:
    """Whether user code is a factory, "path.py:factory", and not a pickled network, "path.pt:Class"."""
    return user_code.rpartition(":")[0].endswith(CODE)


def source_files(user_code: str) -> tuple[Path, ...]:
    """Return the file of "path.py:factory" and the user's files that it imports, as far as their text tells.

    Nothing is run. A file that is gone is returned all the same.
    """
    path = user_path(user_code.rpartition(":")[0])
    beside = [] if path.suffix == CODE else [str(Path.cwd())]
    return (path, *Room(path.resolve(), beside).imported()) if path.is_file() else (path,)


def code_digests(user_code: str) -> tuple[str, ...]:
    """Return the SHA-256 of each of `source_files` that is there."""
    return tuple(file_sha256(file) for file in source_files(user_code) if file.is_file())


def source_key(user_code: str) -> str:
    """Return a text that differs where the factory's name or the content of `source_files` does, wherever they lie."""
    files = source_files(user_code)
    digests = [file_sha256(file) if file.is_file() else "" for file in files]
    digest = digests[0] if len(digests) == 1 else hashlib.sha256(" ".join(digests).encode()).hexdigest()
    return f"{digest}:{user_code.rpartition(':')[2]}"


class Room:
    """Where the modules of one file of the user's and of what it imports live, under a name that the file decides."""

    def __init__(self, path: Path, beside: Sequence[str] = (), only: Collection[str] | None = None) -> None:
        """`beside`: folders that modules are looked for in as well. only: SHA-256 of the files that may run; None: any.

        What is run is the very content that was looked at.
        """
        self.path = path
        self._only = only
        package = path.parent
        parts = [] if path.stem == "__init__" else [path.stem.replace(".", "_")]
        while (package / "__init__.py").is_file() and package.parent != package and "." not in package.name:
            parts.insert(0, package.name)
            package = package.parent
        self.root = str(package)  # the folder of the file, or of the outermost package it is in
        self.name = _PREFIX + hashlib.sha256(str(path).encode()).hexdigest()[:12]
        self.main = ".".join([self.name, *parts])
        self.builtins = {**vars(builtins), "__import__": self.importing}
        self._added = [*beside]  # folders that the user's own code puts on sys.path come to it
        self._before = list(sys.path)
        self._owned: dict[str, bool] = {}

    def factory(self, name: str, text: str) -> Callable[..., Any]:
        """Run the user's file, and what it imports of theirs, as they are now; return its function or class `name`.

        text: the file, in words. Raises NotFoundError where there is none of that name, else InputError.
        """
        try:
            module = self._load()
        except AppError:
            raise
        except Exception as error:
            raise self.failed(f"{text} cannot be run", error) from error
        factory = getattr(module, name, None)
        if factory is None:
            made = {called: getattr(value, "__module__", None) for called, value in vars(module).items()}
            own = [called for called, where in made.items() if str(where).startswith(self.name)]
            raise unknown_name(f"factory in {self.path.name}", name, own)
        if not callable(factory):
            raise InputError(f"{name} in {text} is no function or class")
        return factory

    def _load(self) -> ModuleType:
        with self.entered():
            return importlib.import_module(self.main)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Empty the room, so that what is imported into it in this block is as its files are now."""
        with _LOADING:
            importlib.invalidate_caches()
            shell = ModuleType(self.name, "Modules of the user's own.")
            shell.__path__ = [self.root]
            sys.modules[self.name] = shell  # pickling and dataclasses look modules up by name
            for name in [name for name in sys.modules if name.startswith(f"{self.name}.")]:
                del sys.modules[name]
            _FINDER.rooms[self.name] = self
            yield

    def module(self, name: str) -> ModuleType:
        """Import a module of the user's own, as a pickle names it, into the room."""
        return importlib.import_module(f"{self.name}.{name}")

    def failed(self, what: str, error: Exception) -> InputError:
        """Return the error for user code that failed; one for a module that is missing says where it was sought."""
        reason, name = str(error).replace(f"{self.name}.", ""), self.path.name
        if isinstance(error, ModuleNotFoundError) and error.name:
            missing = error.name.removeprefix(f"{self.name}.")
            folders = " and ".join(dict.fromkeys([self.root, str(self.path.parent), *self._added]))
            stated = os.environ.get("PYTHONPATH")
            return InputError(
                f"{what}: it imports {missing!r}, which is neither in {folders} nor on PYTHONPATH "
                f"({stated or 'not set'}) nor installed",
                f"Put it beside {name}, set PYTHONPATH to the folder that holds {missing.partition('.')[0]!r}, "
                "or install it",
            )
        hint = "Put an __init__.py into every folder of the package" if "relative import" in reason else ""
        if "required positional argument" in reason:
            hint = "A factory gets num_classes where it takes that, and nothing else: give its other arguments defaults"
        return InputError(f"{what}: {type(error).__name__}: {reason}", hint)

    def require(self, data: bytes, path: Path | str) -> None:
        """Raise UnsafeFileError where the content of a file that would run is not one that was allowed."""
        digest = hashlib.sha256(data).hexdigest()
        if self._only is not None and digest not in self._only:
            raise UnsafeFileError(
                f"{path} is not the code that was allowed, so it was not run",
                "It was changed, or nobody was asked about it: open the model again, and allow it if you trust it",
                [digest],
            )

    # --- what is the user's own ------------------------------------------------------------------------------------

    @property
    def search_path(self) -> list[str]:
        """The folders that modules of the room are looked for in, as Python would without this program."""
        outside = [entry for entry in sys.path if os.path.realpath(entry) != _PROGRAM]
        return list(dict.fromkeys([self.root, str(self.path.parent), *self._added, *outside]))

    def owns(self, top: str) -> bool:
        """Whether a module or package of that name is the user's own, and not the program's or a library's."""
        if added := [entry for entry in sys.path if entry not in self._before and entry not in self._added]:
            self._added += added
            self._owned.clear()
        if top not in self._owned:
            self._owned[top] = top not in sys.builtin_module_names and self._is_own(top)
        return self._owned[top]

    def _is_own(self, top: str) -> bool:
        """Decide by where Python would find it: the user's folders come first, as those of a script do."""
        usual = _regular(PathFinder.find_spec(top, sys.path))
        if usual and _is_programs(usual):
            places = [place for place in self.search_path if os.path.realpath(place) != _PROGRAM]
            return PathFinder.find_spec(top, places) is not None
        first = [self.root, *self._added]
        if _regular(PathFinder.find_spec(top, first)) is None:
            return usual is None and PathFinder.find_spec(top, [*first, str(self.path.parent)]) is not None
        return self.root not in _INSTALLED or top == self.main.split(".")[1]

    # --- imports of the room's modules -----------------------------------------------------------------------------

    def importing(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """Import as a statement says, taking what is the user's own from the room: the `__import__` of its modules."""
        top = name.partition(".")[0]
        if level or not self.owns(top):
            module = builtins.__import__(name, globals, locals, fromlist or (), level)
            return self._importlib() if module is importlib else module
        module = builtins.__import__(f"{self.name}.{name}", globals, locals, fromlist or (), 0)
        return module if fromlist else sys.modules[f"{self.name}.{top}"]

    def _importlib(self) -> ModuleType:
        """Return importlib with an `import_module` that knows the room."""

        def import_module(name: str, package: str | None = None) -> ModuleType:
            inside = not name.startswith(".") and self.owns(name.partition(".")[0])
            return importlib.import_module(f"{self.name}.{name}" if inside else name, package)

        own = ModuleType(importlib.__name__, importlib.__doc__)
        own.__dict__.update(vars(importlib), import_module=import_module)
        return own

    # --- files that are imported -----------------------------------------------------------------------------------

    def imported(self) -> list[Path]:
        """Return the user's files that the file imports, directly or through others, in order of appearance."""
        main = self.main.removeprefix(f"{self.name}.")
        known = {self.path: main, **dict(self._files(main))}
        waiting = list(known.items())
        while waiting:
            path, name = waiting.pop(0)
            for wanted, is_relative in _imports(path, name):
                if not is_relative and not self.owns(wanted.partition(".")[0]):
                    continue
                new = {file: found for file, found in self._files(wanted) if file not in known}
                known |= new
                waiting += new.items()
        return list(known)[1:]

    def _files(self, name: str) -> Iterator[tuple[Path, str]]:
        """Give the files that importing `name` ("core.layers") would run, each with its own name."""
        parts, path = name.split("."), self.search_path
        for count, part in enumerate(parts, 1):
            spec = PathFinder.find_spec(part, path) if part else None
            if spec is None:
                return
            if spec.has_location and spec.origin and spec.origin.endswith(".py"):
                yield Path(spec.origin).resolve(), ".".join(parts[:count])
            path = list(spec.submodule_search_locations or ())


class _Finder:
    """Finds the modules of rooms, for Python's import system."""

    def __init__(self) -> None:
        self.rooms: dict[str, Room] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module of a room is; None for every other module."""
        top, _, rest = fullname.partition(".")
        room = self.rooms.get(top)
        if room is None:
            return None
        if fullname == room.main and room.path.stem != "__init__":  # whatever its file is called
            return spec_from_file_location(fullname, room.path, loader=_Loader(fullname, str(room.path), room))
        spec = PathFinder.find_spec(fullname, path if "." in rest else room.search_path)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _Loader(fullname, spec.loader.path, room)
        elif spec is not None and spec.has_location and spec.origin:  # compiled, without its text
            room.require(read_bytes(Path(spec.origin)), spec.origin)
        return spec


_FINDER = _Finder()
sys.meta_path.insert(0, _FINDER)


class _Loader(SourceFileLoader):
    """Compiles a file whenever it is loaded, writes nothing beside it, and leads its imports to its room.

    A compiled form on disk is taken for a file that was changed within the same second and kept its length.
    """

    def __init__(self, fullname: str, path: str, room: Room) -> None:
        super().__init__(fullname, path)
        self._room = room

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of the file as it is now, where it may run."""
        path = self.get_filename(fullname)
        data = self.get_data(path)
        self._room.require(data, path)
        return self.source_to_code(data, path)

    def exec_module(self, module: ModuleType) -> None:
        """Run the file; its functions keep the room's `__import__`."""
        module.__dict__["__builtins__"] = self._room.builtins
        super().exec_module(module)


def _regular(spec: ModuleSpec | None) -> ModuleSpec | None:
    """Return what was found unless it is a mere folder, which gives way to every module and package."""
    return spec if spec is not None and spec.origin is not None else None


def _is_programs(spec: ModuleSpec) -> bool:
    """Whether what `spec` finds belongs to this program."""
    places = spec.submodule_search_locations or [spec.origin or ""]
    return any(os.path.dirname(os.path.realpath(place)) == _PROGRAM for place in places)  # noqa: PTH120


def _imports(path: Path, name: str) -> Iterator[tuple[str, bool]]:
    """Give the modules that a file imports, as its text says, and whether by a relative name; `name`: its own."""
    if path.suffix != CODE:
        from core.models.pickles import called

        yield from ((module.partition(" ")[0], False) for module in called(path)[0])
        return
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    package = name.split(".") if path.stem == "__init__" else name.split(".")[:-1]
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from ((alias.name, False) for alias in node.names)
            case ast.ImportFrom() if node.level <= len(package) + 1:
                above = package[: len(package) - node.level + 1] if node.level else []
                base = [*above, *([node.module] if node.module else [])]
                yield ".".join(base), bool(node.level)
                yield from ((".".join([*base, alias.name]), bool(node.level)) for alias in node.names)
            case ast.Call(
                func=ast.Name(id="import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str() as wanted), *_],
            ):
                yield wanted, False


def _takes_num_classes(factory: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(p.name == "num_classes" or p.kind is p.VAR_KEYWORD for p in parameters)
