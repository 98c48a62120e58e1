"""How large core is, and through how many of its files a walk leads: figures of the structure, counted from the code.

python -m scripts.structure [--json] [--sizes]

Sizes are tokens of code as Python's tokenizer reads them, without comments, docstrings, newlines and indents, so that
neither wrapping nor explaining changes them. A walk is one thing the program does, run for real on the digits; it
counts the files of core with a function entered (not what an import runs), the functions, and the moves: calls from
one file of core into another. docs/development.md says how to read them.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import json
import os
import sys
import tempfile
import threading
import tokenize
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "core"
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


def sizes() -> dict[str, dict[str, int]]:
    """Return tokens, files and the lines of the longest file of each folder of core, and of all ("core")."""
    rows: dict[str, dict[str, int]] = {}
    for path in sorted(CORE.rglob("*.py")):
        inside = path.relative_to(CORE).parts
        lines = len(path.read_text(encoding="utf-8").splitlines())
        for name in ("core", f"core/{inside[0]}" if len(inside) > 1 else "core/*.py"):
            row = rows.setdefault(name, {"tokens": 0, "files": 0, "longest": 0})
            row["tokens"] += tokens_of(path)
            row["files"] += 1
            row["longest"] = max(row["longest"], lines)
    return rows


@dataclass
class Walk:
    """The functions of core that were entered, and the calls from one of its files into another."""

    functions: set[CodeType] = field(default_factory=set)
    moves: int = 0

    def enter(self, code: CodeType, caller: FrameType | None) -> None:
        """Note a call."""
        self.functions.add(code)
        if caller is not None and _in_core(caller.f_code) and caller.f_code.co_filename != code.co_filename:
            self.moves += 1

    def figures(self) -> dict[str, int]:
        """Return the counts of files, functions and moves."""
        files = {code.co_filename for code in self.functions}
        return {"files": len(files), "functions": len(self.functions), "moves": self.moves}


def _in_core(code: CodeType) -> bool:
    """Whether code is a function of core; bodies of modules and classes are what an import runs."""
    function = code.co_flags & inspect.CO_OPTIMIZED
    return bool(function) and code.co_filename.startswith(str(CORE)) and not code.co_name.startswith("<")


@contextmanager
def walking(walk: Walk, inside: str = "", number: int = 1) -> Iterator[None]:
    """Note what is entered into `walk`; with `inside`, only during the `number`-th call of a function of that name."""
    calls = 0
    within: FrameType | None = None

    def note(frame: FrameType, event: str, _: Any) -> None:
        nonlocal calls, within
        if not _in_core(frame.f_code):
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
    options = parser.parse_args()
    figures = {"sizes": sizes(), **({} if options.sizes else {"walks": walks()})}
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for title, rows in (("size", figures["sizes"]), ("walk", figures.get("walks"))):
        if rows:
            Console(width=80).print(_table(title, rows))


if __name__ == "__main__":
    main()
