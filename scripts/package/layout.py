"""Puts the installed program together: everything in one package `unlearn_studio`, with imports to match."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "unlearn_studio"
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

# What lies in the package, and where it comes from. Of `docs` only the pages, which open inside the window, with the
# README that they link to.
PARTS = ("core/**/*.py", "app/**/*.py", "main.py", "resources/**/*", "docs/**/*.md", "README.md")
# Of the package itself, from beside this file.
FACE = ("__init__.py", "__main__.py", "conformance.py", "notebook.py", "plugin.py")
MODULES = ("core", "app", "main", "resources", "docs")  # names at the top of the checkout, below the package in a wheel

_FROM = re.compile(r"from\s+")


def assemble(target: Path) -> None:
    """Write the files of the package into a folder; raises ValueError for a module that would not work there."""
    files = {path: path.relative_to(ROOT) for part in PARTS for path in sorted(ROOT.glob(part)) if path.is_file()}
    files |= {HERE / PACKAGE / name: Path(name) for name in FACE}
    for source, place in files.items():
        if "__pycache__" in place.parts:
            continue
        written = target / place
        written.parent.mkdir(parents=True, exist_ok=True)
        if source.suffix == ".py":
            written.write_text(moved(source.read_text(encoding="utf-8"), str(place)), encoding="utf-8")
        else:
            shutil.copyfile(source, written)


def moved(text: str, name: str) -> str:
    """Return a module's text with the imports it needs below the package; `name` is for messages.

    Only `from core… import …` is rewritten, at the place that the syntax tree gives. What cannot be moved soundly is
    refused: `import core…`, which binds another name than it would below the package, and a module of the program
    that is named by a text; `__package__` and `__name__` name it in both places.
    """
    lines = text.splitlines(keepends=True)
    places: list[tuple[int, int]] = []
    for node in ast.walk(tree := ast.parse(text, filename=name)):
        match node:
            case ast.Import():
                if own := [alias.name for alias in node.names if alias.name.partition(".")[0] in MODULES]:
                    raise ValueError(f"{name}:{node.lineno}: `import {own[0]}` must be `from … import …`")
            case ast.ImportFrom(module=str() as module, level=0) if module.partition(".")[0] in MODULES:
                line = lines[node.lineno - 1]
                column = len(line.encode()[: node.col_offset].decode())
                found = _FROM.match(line, column)
                if found is None or not line.startswith(module, found.end()):
                    raise ValueError(f"{name}:{node.lineno}: the module must stand on the line of its `from`")
                places.append((node.lineno - 1, found.end()))
    for text_line, value in _texts(tree):
        if _names_module(value):
            raise ValueError(f"{name}:{text_line}: {value!r} names a module by a text; say it with __package__")
    for number, column in places:
        lines[number] = f"{lines[number][:column]}{PACKAGE}.{lines[number][column:]}"
    return "".join(lines)


def _texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Give the texts of a module with their lines, also those within f-strings; docstrings are for people."""
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.lineno, node.value


def _names_module(text: str) -> bool:
    """Whether a text is the dotted name of a module of the program, or begins one ("core.cli.")."""
    top, dot, rest = text.partition(".")
    if not dot or top not in MODULES or not re.fullmatch(r"[\w.]*", rest):
        return False
    path = ROOT.joinpath(top, *filter(None, rest.split(".")))
    return path.is_dir() or path.with_suffix(".py").is_file()
