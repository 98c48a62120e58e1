"""How a module's imports are written for the wheel, and what is refused because it could not work there."""

from __future__ import annotations

import ast

import pytest

from scripts.package import layout


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from core.files import x", "from unlearn_studio.core.files import x"),
        ("from core import cli", "from unlearn_studio.core import cli"),
        ("from main import main", "from unlearn_studio.main import main"),
        ("def f():\n    é = 1; from  app.a import (\n        b,\n    )", None),
        ("from core_other import x\nfrom .core import y\nfrom torch.core import z\nimport torch", ""),
        ('"""from core.files import x"""\nx = "from core.files import x"  # from core.files import x', ""),
        ('log("core"); CONTEXT = "app"; name = "main.log"; said = "docs.python.org"', ""),
    ],
)
def test_imports_of_our_modules_get_the_package_before_them(source, expected):
    expected = source.replace("app.a", "unlearn_studio.app.a") if expected is None else expected or source
    assert layout.moved(source, "x.py") == expected
    ast.parse(expected)


@pytest.mark.parametrize(
    "source",
    [
        "import core.files", "import core", "import torch, app.context as context", "from \\\n core.files import x",
        'import_module("core.files")', 'import_module(f"core.cli.{name}")', 'run([python, "-m", "core.cli"])',
    ],
)  # fmt: skip
def test_what_would_not_work_below_the_package_is_refused(source):
    with pytest.raises(ValueError, match=r"^place\.py:1: "):
        layout.moved(source, "place.py")
