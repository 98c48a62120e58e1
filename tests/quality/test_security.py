"""docs/security.md: every promise stands beside a test that exists."""

from __future__ import annotations

import ast
import re

from repository import ROOT

TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
PROMISES = re.findall(r"^\| (?!promise \||---)(.+?) \| (.+?) \|$", TEXT, flags=re.MULTILINE)


def test_every_promise_names_tests_that_exist():
    assert len(PROMISES) > 20
    for promise, named in PROMISES:
        tests = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", named)
        assert tests and not re.sub(r"`[^`]*`|\s", "", named), promise
        for file, name in tests:
            tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
            defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
            assert name in defined, f"{file}::{name}"


def test_what_is_not_promised_is_said_as_well():
    named = set(re.findall(r"`(tests/[^`]+)`", TEXT))
    assert named == {test for _, cell in PROMISES for test in re.findall(r"`(tests/[^`]+)`", cell)}
    assert len(re.findall(r"^- \*\*", TEXT.partition("## What is not promised")[2], flags=re.MULTILINE)) >= 6
