"""Rules for the whole source that no linter knows. Each rule is a function from a tree or text to places."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from repository import at, python_files, relative, text_files, tree

from scripts.package.layout import moved

MAX_LINES = 500

MACHINE_PATHS = re.compile(r"(?<![\w.:])/(?:" + "|".join(["work", "root", "home", "Users"]) + r")/")
HEX_COLOUR = re.compile(r"#(?:[0-9A-Fa-f]{8}|[0-9A-Fa-f]{6})\b|^#[0-9A-Fa-f]{3}$")
LATER = re.compile(r"\b(?:" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b")

# Where colours are at home: the theme, and the report, which is a page of its own and follows no theme.
COLOURS_LIVE_IN = ("app/services/theme", "app/services/tokens.py", "core/verify/report")

WINDOW_NEVER_IMPORTS = {"torch", "torchvision", "scipy", "sklearn"}


# ---- the rules -------------------------------------------------------------------------------------------


def hex_colours(module: ast.Module) -> Iterator[int]:
    """Lines of string constants that hold a colour value."""
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and HEX_COLOUR.search(node.value):
            yield node.lineno


def forbidden_calls(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Lines of calls that are never right here, with the reason."""
    for node in ast.walk(module):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        last = name.rpartition(".")[2]
        keywords = {keyword.arg for keyword in node.keywords}
        if last == "processEvents":
            yield node.lineno, "processEvents re-enters slots; use the mailbox or a short job"
        if last == "terminate" and "." in name:
            yield node.lineno, "terminate() leaves locks held; set a flag and wait"
        if name == "torch.load" and "weights_only" not in keywords:
            yield node.lineno, "torch.load runs code without weights_only"
        if name in {"pickle.load", "pickle.loads", "eval", "exec"}:
            yield node.lineno, f"{name} runs code from data"


def imported_names(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Lines and top-level names of all imports, also those inside functions; type-only ones are left out."""
    hidden: set[int] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            hidden.update(id(inner) for inner in ast.walk(node))
        if id(node) in hidden:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module.partition(".")[0]


# ---- the source keeps them -------------------------------------------------------------------------------


def test_no_path_of_a_machine_is_in_a_tracked_file():
    places = [
        at(path, number)
        for path, text in text_files()
        for number, line in enumerate(text.splitlines(), 1)
        if MACHINE_PATHS.search(line)
    ]
    assert not places, f"paths that exist on one machine only: {places}"


def test_every_module_says_first_what_it_is_for():
    silent = [
        relative(path)
        for path in python_files("app", "benchmarks", "core", "main.py", "resources", "scripts")
        if path.stat().st_size and not re.match(r'(#![^\n]*\n)?r?"""\S', path.read_text(encoding="utf-8"))
    ]
    assert not silent, f"the first line is no docstring: {silent}"


def test_colours_live_in_the_theme():
    places = [
        at(path, line)
        for path in python_files("app", "core")
        if not relative(path).startswith(COLOURS_LIVE_IN)
        for line in hex_colours(tree(path))
    ]
    assert not places, f"colour values outside the theme: {places}"


def test_modules_stay_readable():
    long = {
        relative(path): count
        for path in python_files("app", "core")
        if (count := path.read_text(encoding="utf-8").count("\n")) > MAX_LINES
    }
    assert not long, f"more than {MAX_LINES} lines, so more than one reason to change: {long}"


def test_no_call_that_is_never_right():
    found = [
        f"{at(path, line)} {why}"
        for path in python_files("app", "core")
        for line, why in forbidden_calls(tree(path))
    ]
    assert not found, "\n".join(found)


def test_the_window_holds_no_numerics():
    found = [
        f"{at(path, line)} {name}"
        for path in python_files("app")
        for line, name in imported_names(tree(path))
        if name in WINDOW_NEVER_IMPORTS
    ]
    assert not found, f"app reaches these only through core: {found}"


def test_every_module_works_below_the_package_of_a_wheel():
    refused = []
    for path in python_files("app", "core", "main.py"):
        try:
            moved(path.read_text(encoding="utf-8"), relative(path))
        except ValueError as error:
            refused.append(str(error))
    assert not refused, refused


def test_nothing_is_left_for_later():
    places = [
        at(path, number)
        for path in python_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if LATER.search(line)
    ]
    assert not places, f"unfinished: {places}"


# ---- each rule is seen to catch --------------------------------------------------------------------------


COLOURED = ['x = "#1B1F24"', 'x = f"color: #1b1f24; {y}"', 'x = "#abc"', 'x = "#FF1B1F24"']
COLOURLESS = ["# fault #3328\nx = 1", 'x = "see #3328"', 'x = "#3328"', 'x = "# heading"']


@pytest.mark.parametrize("source", COLOURED)
def test_colour_rule_catches(source):
    assert list(hex_colours(ast.parse(source))) == [1]


@pytest.mark.parametrize("source", COLOURLESS)
def test_colour_rule_lets_pass(source):
    assert not list(hex_colours(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "QApplication.processEvents()", "self.thread.terminate()", "torch.load(path)", "pickle.loads(data)",
        "torch.load(path, map_location='cpu')", "eval(text)",
    ],
)
def test_call_rule_catches(source):
    assert len(list(forbidden_calls(ast.parse(source)))) == 1


@pytest.mark.parametrize(
    "source", ["torch.load(p, weights_only=True)", "model.eval()", "terminate()", "json.load(file)"]
)
def test_call_rule_lets_pass(source):
    assert not list(forbidden_calls(ast.parse(source)))


def test_import_rule_sees_into_functions_but_not_types():
    source = "if TYPE_CHECKING:\n    import torch\ndef f():\n    from torch import nn\nimport numpy.linalg\n"
    assert list(imported_names(ast.parse(source))) == [(5, "numpy"), (4, "torch")]


@pytest.mark.parametrize("place", ["work", "root", "home", "Users"])
def test_path_rule_catches(place):
    assert MACHINE_PATHS.search(f'open("/{place}/someone/file")')
    assert not MACHINE_PATHS.search(f"docs/{place}/file")
