"""How large core and app are, and through how many of their files a walk leads: figures counted from the code.

python -m scripts.structure [--json] [--sizes] [--core | --app]

Sizes are tokens of code as Python's tokenizer reads them, without comments, docstrings, newlines and indents, so that
neither wrapping nor explaining changes them. A walk is one thing the program does, run for real on the digits; it
counts the files of core (of app in the walks of the window, and its own thread alone) with a function entered, not what
an import runs; the functions; and the moves: calls from one of those files into another. docs/development.md says how
to read them.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import inspect
import json
import os
import subprocess
import sys
import tempfile
import threading
import tokenize
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
CORE, APP = ROOT / "core", ROOT / "app"
LAYOUT = frozenset({tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER})
BETWEEN = frozenset({tokenize.NL, tokenize.COMMENT})
STEP = 12  # which step of the SCRUB run is looked at: inside a stage, with every cache filled


def tokens_of(path: Path) -> int:
    """Return the tokens of code of a Python file: no comments, docstrings, newlines or indents."""
    with path.open("rb") as file:
        tokens = [token for token in tokenize.tokenize(file.readline) if token.type not in BETWEEN]
    count = 0
    for before, token, after in zip([None, *tokens], tokens, [*tokens[1:], None], strict=False):
        alone = before is None or before.type in LAYOUT
        docstring = token.type == tokenize.STRING and alone and after is not None and after.type == tokenize.NEWLINE
        count += token.type not in LAYOUT and not docstring
    return count


def sizes(root: Path = CORE) -> dict[str, dict[str, int]]:
    """Return tokens, files and the lines of the longest file of each folder of `root`, and of all by its name."""
    rows: dict[str, dict[str, int]] = {}
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root).parts[:-1]
        lines = len(path.read_text(encoding="utf-8").splitlines())
        # The pages of app are as large as whole folders of core.
        folder = "/".join(inside[: 2 if inside[:1] == ("pages",) else 1]) or "*.py"
        for name in (root.name, f"{root.name}/{folder}"):
            row = rows.setdefault(name, {"tokens": 0, "files": 0, "longest": 0})
            row["tokens"] += tokens_of(path)
            row["files"] += 1
            row["longest"] = max(row["longest"], lines)
    return rows


def imports(root: Path) -> dict[str, set[str]]:
    """Return what each module of a package imports of that package, for type checkers alone and in functions too."""
    paths = {".".join(path.relative_to(root.parent).with_suffix("").parts): path for path in root.rglob("*.py")}
    modules = {name.removesuffix(".__init__"): path for name, path in paths.items()}
    found: dict[str, set[str]] = {name: set() for name in modules}
    for name, path in modules.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found[name] |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                parts = {f"{node.module}.{alias.name}" for alias in node.names}
                found[name] |= {part if part in modules else node.module for part in parts}
    return {name: (wanted & set(modules)) - {name} for name, wanted in found.items()}


def cycles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that import one another, directly or by way of others, each sorted."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            new = graph[waiting.pop()] - seen
            seen |= new
            waiting += new
        return seen

    behind = {name: reached(name) for name in graph}
    groups = {tuple(sorted(other for other in behind[name] if name in behind[other])) for name in graph}
    return sorted(list(group) for group in groups if len(group) > 1)


@dataclass
class Walk:
    """The functions of a package that were entered, and the calls from one of its files into another."""

    functions: set[CodeType] = field(default_factory=set)
    moves: int = 0
    root: Path = CORE

    def holds(self, code: CodeType) -> bool:
        """Whether code is a function of the package; bodies of modules and classes are what an import runs."""
        function = code.co_flags & inspect.CO_OPTIMIZED
        return bool(function) and code.co_filename.startswith(str(self.root)) and not code.co_name.startswith("<")

    def enter(self, code: CodeType, caller: FrameType | None) -> None:
        """Note a call."""
        self.functions.add(code)
        if caller is not None and self.holds(caller.f_code) and caller.f_code.co_filename != code.co_filename:
            self.moves += 1

    def figures(self) -> dict[str, int]:
        """Return the counts of files, functions and moves."""
        files = {code.co_filename for code in self.functions}
        return {"files": len(files), "functions": len(self.functions), "moves": self.moves}


@contextmanager
def walking(walk: Walk, inside: str = "", number: int = 1) -> Iterator[None]:
    """Note what is entered into `walk`; with `inside`, only during the `number`-th call of a function of that name."""
    calls = 0
    within: FrameType | None = None

    def note(frame: FrameType, event: str, _: Any) -> None:
        nonlocal calls, within
        if not walk.holds(frame.f_code):
            return
        if event == "call":
            if inside and within is None and frame.f_code.co_name == inside:
                calls += 1
                within = frame if calls == number else None
            if not inside or within is not None:
                walk.enter(frame.f_code, frame.f_back)
        elif event == "return" and frame is within:
            within = None

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]


def walks() -> dict[str, dict[str, int]]:
    """Run each walk in a folder of its own and return its counts by name."""
    from core.models.checkpoint import read_model

    with tempfile.TemporaryDirectory() as home:
        os.environ["UNLEARN_STUDIO_HOME"] = home
        os.chdir(home)
        machine = ["--device", "cpu", "--threads", "1"]
        _command("train", "--dataset", "digits", "--arch", "small-cnn", "--recipe", "epochs=6", "--out", "original",
                 *machine)  # fmt: skip
        forget = ["--model", "original/model.safetensors", "--dataset", "digits", "--forget-class", "3", *machine]
        rows: dict[str, dict[str, int]] = {}

        def take(name: str, command: list[str], inside: str = "", number: int = 1) -> None:
            walk = Walk()
            with walking(walk, inside, number):
                _command(*command)
            rows[name] = walk.figures()

        scrub = ["unlearn", *forget, "--method", "scrub", "--out"]
        walk = Walk()
        with walking(walk):
            read_model("original/model.safetensors").opened()
        rows["open a model"] = walk.figures()
        take("one SCRUB step", [*scrub, "run-2"], "advance", STEP)
        take("unlearn", ["unlearn", *forget, "--method", "muda", "--out", "run-3"])
        take("verify", ["verify", "run-3", "--retrained", "train", "--seeds", "1"])
        return rows


def _window_walks() -> dict[str, dict[str, int]]:
    """Return the walks of the window; in a process of its own, as the window's thread is the first of one."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.window_walks"], cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True
    )
    walks: dict[str, dict[str, int]] = json.loads(done.stdout.splitlines()[-1])
    return walks


def _command(*arguments: str) -> None:
    """Run a subcommand in this process without its output. Raises RuntimeError where it fails."""
    from core.cli import main

    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        code = main(list(arguments))
    if code:
        raise RuntimeError(f"`{' '.join(arguments)}` ended with {code}")


def _table(title: str, rows: dict[str, dict[str, int]]) -> Table:
    table = Table(title, box=None, pad_edge=False)
    for column in next(iter(rows.values())):
        table.add_column(column, justify="right")
    for name, row in rows.items():
        table.add_row(name, *(f"{value:,}" for value in row.values()))
    return table


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m scripts.structure", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--sizes", action="store_true", help="sizes alone: nothing is run")
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--core", action="store_true", help="core alone")
    one.add_argument("--app", action="store_true", help="the window alone")
    options = parser.parse_args()
    figures: dict[str, dict[str, dict[str, int]]] = {"sizes": {}, "walks": {}}
    if not options.app:
        figures["sizes"] |= sizes()
        figures["walks"] |= {} if options.sizes else walks()
    if not options.core:
        figures["sizes"] |= sizes(APP)
        figures["walks"] |= {} if options.sizes else _window_walks()
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for title, rows in (("size", figures["sizes"]), ("walk", figures["walks"])):
        if rows:
            Console(width=80).print(_table(title, rows))


if __name__ == "__main__":
    main()
