"""Batch files: several forget sets, methods and seeds on one model, written down in TOML; every combination is a run.

    model = "original"            # paths start at the batch file's folder
    dataset = "digits"
    seeds = "1-3"                 # a number, a list of numbers, or words as in the window
    methods = ["muda"]            # ids, or tables below

    [[forget]]
    name = "three"
    classes = ["3"]               # and samples = "list.csv", where = ["customer=47*"], folders = ["customers/4711"],
                                  # or random = 0.01 alone

    [[method]]
    id = "finetune"
    preset = ""
    set = { epochs = 2 }

    check = "quick"               # at the top: each result is checked, with this suite …
    retrained = "1-3"             # … against models retrained with these seeds, each trained once
    started_from = "base.pt"      # of the original's own training: the pretrained weights' file (start_key: its entry)

What can be seen to be wrong without the model and the data is reported when the file is read, all at once.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.data.dataset import Dataset
from core.data.named import find_source
from core.errors import AppError, InputError, nearest
from core.files import is_shallow, read_text, user_path
from core.methods import get_method
from core.models.architectures import anchored
from core.parameters import resolve
from core.seeds import parse_seeds
from core.selection import Selection
from core.session.bench import DataOptions
from core.session.forget_sets import named_selection, random_selection
from core.session.measuring import FULL, QUICK
from core.session.starts import FRESH
from core.session.suspects import read_trigger

_MOST_BYTES = 4 << 20  # of a batch file: ten thousand forget sets
_DEEPEST = 20  # tables and lists within one another; settings of a method are four deep
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class ForgetEntry:
    """One forget set of a batch: classes by name or index, a forget list, columns and folders, or a random share."""

    name: str
    classes: tuple[str, ...] = ()
    samples: Path | None = None
    where: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    random: float | None = None
    allow_missing: bool = False
    corrective: bool = False  # they should not have been as they are …
    trigger: Path | None = None  # … and carry this patch

    def selection(self, dataset: Dataset) -> Selection:
        """Return the forget set in the data; the random share is drawn with seed 0, the same for every run.

        Raises the AppErrors of classes and lists that do not match.
        """
        if self.random is not None:
            selection = random_selection(dataset, self.random, seed=0)
        else:
            selection = named_selection(
                dataset, self.classes, self.samples, where=self.where, folders=self.folders,
                allow_missing=self.allow_missing, option="allow_missing = true",
            )  # fmt: skip
            selection.check()
        trigger = None if self.trigger is None else read_trigger(self.trigger, dataset)
        return selection.correcting(self.corrective, trigger)


@dataclass(frozen=True)
class MethodEntry:
    """One method of a batch with its settings."""

    id: str
    name: str  # part of the run folders' names
    preset: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Item:
    """One run of a batch; `name` is that of its folder."""

    name: str
    forget: ForgetEntry
    method: MethodEntry
    seed: int


@dataclass(frozen=True)
class Batch:
    """A batch file, checked as far as it can be without the model and the data."""

    path: Path
    model: Path
    dataset: str
    options: DataOptions
    arch: str | None
    key: str | None  # entry of the model's file that is the network
    forgets: tuple[ForgetEntry, ...]
    methods: tuple[MethodEntry, ...]
    seeds: tuple[int, ...]
    machine: Mapping[str, Any]  # device, precision, threads: those that are given
    run_options: Mapping[str, Any]  # monitoring_budget, where it is given
    accept_accuracy: bool
    expect_accuracy: float | None
    start: tuple[str, str] | None = None  # where the model's own training began: "fresh" or a file, and its entry
    check: str = ""  # the suite each result is checked with, "quick" or "full"; empty: none is
    retrained: tuple[int, ...] = ()  # seeds of the retrained models that checks hold results against

    def items(self) -> tuple[Item, ...]:
        """Return all runs: forget set by forget set, method by method, seed by seed."""
        return tuple(
            Item(f"{forget.name}-{method.name}-s{seed}", forget, method, seed)
            for forget in self.forgets
            for method in self.methods
            for seed in self.seeds
        )


def read_batch(path: Path) -> Batch:
    """Read a batch file. Raises InputError naming all that is wrong with it."""
    try:
        content = tomllib.loads(read_text(path, _MOST_BYTES))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is no TOML file: {error}") from error
    except RecursionError:
        content = None
    except ValueError as error:  # a number of thousands of digits
        raise InputError(f"{path} cannot be read: {error}") from error
    if content is None or not is_shallow(content, _DEEPEST):
        raise InputError(f"{path} cannot be read: its tables or lists lie more than {_DEEPEST} deep in one another")
    return _Reader(path, content).batch()


class _Reader:
    """Turns a file's content into a Batch and collects all that is wrong with it."""

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        self._path, self._content = path, content
        self._home = path.absolute().parent
        self._problems: list[str] = []

    def batch(self) -> Batch:
        """Return the batch. Raises InputError naming all problems."""
        content = self._fields(self._content, _TOP, "")
        for name in ("model", "dataset"):
            if not self._content.get(name):
                self._problems.append(f"{name} is missing")
        forgets = [self._forget(number, entry) for number, entry in enumerate(self._tables("forget"), start=1)]
        methods = [self._method(entry, f"methods, entry {n}") for n, entry in enumerate(self._methods(), start=1)]
        seeds = self._try(lambda: _seeds(content.get("seeds", 0)), "seeds", (0,))
        check, retrained = self._check(content)
        if content.get("start_key") and not content.get("started_from"):
            self._problems.append("start_key names an entry of a file, and started_from names none")
        if not forgets:
            self._problems.append("no forget set is named: write a [[forget]] table")
        if not methods:
            self._problems.append('no method is named: write methods = ["…"] or a [[method]] table')
        for what, names in (("forget sets", [f.name for f in forgets]), ("methods", [m.name for m in methods])):
            for name in sorted(name for name, count in Counter(names).items() if count > 1):
                self._problems.append(f"two {what} are called {name!r}: give them a name each")
        if self._problems:
            wrong = "; ".join(self._problems)
            raise InputError(f"{self._path} cannot be used: {wrong}", "The guide shows a batch file")
        files = ("data_root", "classes", "preprocess")
        root, classes, preprocess = (str(self._file(content[name])) if content.get(name) else "" for name in files)
        return Batch(
            self._path, self._file(content["model"]), self._data(content["dataset"]),
            DataOptions(root, content.get("test_fraction"), classes, preprocess),
            anchored(content["arch"], self._home) if "arch" in content else None,
            content.get("key"),
            tuple(forgets), tuple(methods), seeds,
            {name: content[name] for name in _MACHINE if name in content},
            {name: content[name] for name in _RUN if name in content},
            content.get("accept_accuracy", False), content.get("expect_accuracy"), self._start(content), check,
            retrained,
        )  # fmt: skip

    def _start(self, content: Mapping[str, Any]) -> tuple[str, str] | None:
        """Return what is stated of where the model's own training began, with a file's path whole."""
        said, key = content.get("started_from"), content.get("start_key", "")
        if not said:
            return None
        return (said if said == FRESH else str(self._file(said))), key

    def _check(self, content: Mapping[str, Any]) -> tuple[str, tuple[int, ...]]:
        """Return the suite that results are checked with and the seeds of retrained models, where any of both is given.

        What is left out is the quick suite, and seed 1.
        """
        if "check" not in content and "retrained" not in content:
            return "", ()
        check = content.get("check", QUICK)
        if check not in (QUICK, FULL):
            self._problems.append(f'check must be "{QUICK}" or "{FULL}", got {check!r}')
        return check, self._try(lambda: _seeds(content.get("retrained", 1)), "retrained", ())

    def _forget(self, number: int, entry: Mapping[str, Any]) -> ForgetEntry:
        """Return an entry of [[forget]]; its name is made of what it holds where it has none."""
        where = f"forget set {number}"
        entry = self._fields(entry, _FORGET, where)
        classes, conditions, folders = (_texts(entry.get(name)) for name in ("classes", "where", "folders"))
        samples, random = entry.get("samples"), entry.get("random")
        trigger = entry.get("trigger")
        if trigger and not entry.get("corrective"):
            self._problems.append(f"{where}: trigger is about poisoned images: write corrective = true as well")
        named = bool(classes or conditions or folders) or samples is not None
        if not named and random is None:
            self._problems.append(f"{where} names nothing: write classes, samples, where, folders or random")
        if random is not None and named:
            self._problems.append(f"{where}: random cannot be combined with classes, samples, where or folders")
        if random is not None and not (isinstance(random, float) and 0 < random < 1):
            self._problems.append(f"{where}: random must be a share above 0 and below 1, got {random!r}")
        parts = [*classes, *([Path(samples).stem] if samples else []), *conditions, *folders]
        usual = "-".join(parts) or f"random-{random}"
        name = self._name(entry.get("name", re.sub(r"[^A-Za-z0-9._-]+", "-", usual).strip("-.") or str(number)), where)
        return ForgetEntry(
            name, classes, self._file(samples) if samples else None, conditions, folders, random,
            bool(entry.get("allow_missing", False)), entry.get("corrective", False),
            self._file(trigger) if trigger else None,
        )  # fmt: skip

    def _method(self, entry: Mapping[str, Any], where: str) -> MethodEntry:
        """Return an entry of `methods` or [[method]], whose settings are checked against the method."""
        entry = self._fields(entry, _METHOD, where)
        chosen, preset, settings = entry.get("id", ""), entry.get("preset", ""), entry.get("set", {})
        if not chosen:
            self._problems.append(f"{where} needs an id, and may have a preset and a table of settings (set)")
            return MethodEntry("", where)

        def check() -> None:
            method = get_method(chosen)
            resolve(method.parameters, method.preset(preset).values, settings, owner=method.id)

        self._try(check, where, None)
        return MethodEntry(chosen, self._name(entry.get("name", chosen), where), preset, settings)

    def _methods(self) -> list[Mapping[str, Any]]:
        """Return the entries of both ways to name methods as tables."""
        plain = self._content.get("methods", [])
        plain = [plain] if isinstance(plain, str) else plain
        if not isinstance(plain, list):
            self._problems.append(f"methods must be a list of ids, got {plain!r}")
            plain = []
        return [{"id": name} for name in plain] + self._tables("method")

    def _tables(self, name: str) -> list[Mapping[str, Any]]:
        """Return the tables [[name]] of the file."""
        entries = self._content.get(name, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            self._problems.append(f"{name} must be a list of tables: write [[{name}]]")
            return []
        return list(entries)

    def _name(self, value: Any, where: str) -> str:
        if isinstance(value, str) and _NAME.fullmatch(value):
            return value
        self._problems.append(f"{where}: a name is made of letters, digits, '.', '_' and '-', got {value!r}")
        return ""

    def _fields(self, table: Mapping[str, Any], rules: Mapping[str, Rule], where: str) -> dict[str, Any]:
        """Return a table's entries that are known and of their type; what is wrong with the others is noted."""
        fitting = {}
        for name, value in table.items():
            kinds, rule = rules.get(name, (object, ""))
            if name not in rules:
                alike = "".join(f"; did you mean {other!r}?" for other in nearest(name, rules, count=1))
                self._problems.append(f"{where or 'the file'} has no {name!r}{alike}")
            elif not isinstance(value, kinds) or (rule and isinstance(value, bool) and kinds is not bool):
                self._problems.append(f"{where + ': ' if where else ''}{name} must be {rule}, got {value!r}")
            else:
                fitting[name] = value
        return fitting

    def _try(self, make: Callable[[], Any], where: str, otherwise: Any) -> Any:
        """Return what `make` returns; where it raises an AppError, note that and return `otherwise`."""
        try:
            return make()
        except AppError as error:
            self._problems.append(f"{where}: {error.text}")
            return otherwise

    def _file(self, text: str) -> Path:
        """Return a path, which starts at the batch file's folder."""
        path = user_path(text)
        return path if path.is_absolute() else self._home / path

    def _data(self, text: str) -> str:
        """Return a data set's name as it is, and a path as one that is valid from every folder."""
        path = self._file(text)
        return text if find_source(text) is not None and not os.path.exists(path) else str(path)  # noqa: PTH110  (false for any text)


Rule = tuple[Any, str]  # the type of an entry, and the same in words; neither where the entry is looked at by itself
_ANY: Rule = (object, "")
_TEXT, _FILE = (str, "a text"), (str, "a file")
_MACHINE, _RUN = ("device", "precision", "threads"), ("monitoring_budget",)
_TOP: dict[str, Rule] = {
    "model": _TEXT, "dataset": _TEXT, "device": _TEXT, "precision": _TEXT, "threads": (int, "a whole number"),
    "monitoring_budget": ((int, float), "a number"), "arch": _TEXT, "key": _TEXT, "data_root": _TEXT, "classes": _FILE,
    "preprocess": _FILE, "test_fraction": (float, "a share"), "seeds": _ANY, "methods": _ANY, "method": _ANY,
    "forget": _ANY, "accept_accuracy": (bool, "true or false"), "expect_accuracy": ((int, float), "a share"),
    "check": _TEXT, "retrained": _ANY, "started_from": _TEXT, "start_key": _TEXT,
}  # fmt: skip
_FORGET: dict[str, Rule] = {
    "name": _ANY, "classes": _ANY, "samples": _FILE, "where": _ANY, "folders": _ANY, "random": _ANY,
    "allow_missing": _ANY, "corrective": (bool, "true or false"), "trigger": _FILE,
}  # fmt: skip
_METHOD: dict[str, Rule] = {
    "id": _TEXT, "name": _ANY, "preset": _TEXT, "set": (dict, "a table of settings")
}  # fmt: skip


def _texts(value: Any) -> tuple[str, ...]:
    """Return one value or a list of them as texts."""
    return tuple(str(each) for each in (value if isinstance(value, list) else [value] if value else []))


def _seeds(value: Any) -> tuple[int, ...]:
    if isinstance(value, list):
        value = ",".join(str(seed) for seed in value)
    return parse_seeds(str(value))
