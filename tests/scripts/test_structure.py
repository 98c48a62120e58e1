"""Figures of the structure: tokens without words and layout, and walks that see what was entered."""

from __future__ import annotations

import pytest

from scripts import structure, window_walks

SOURCE = '''"""Words of a module."""

X = 1  # a comment


def double(x):
    """Words of a function, over
    two lines.
    """
    text = "no docstring"
    return (
        x * 2
    )
'''


def test_tokens_are_those_of_code_alone(tmp_path):
    file = tmp_path / "module.py"
    file.write_text(SOURCE)
    #  X = 1 | def double ( x ) : | text = "…" | return ( x * 2 )
    assert structure.tokens_of(file) == 3 + 6 + 3 + 6


@pytest.mark.parametrize("root", [structure.CORE, structure.APP])
def test_sizes_add_up_over_the_folders(root):
    rows = structure.sizes(root)
    whole = rows.pop(root.name)
    assert whole["tokens"] == sum(row["tokens"] for row in rows.values())
    assert whole["files"] == sum(row["files"] for row in rows.values()) == len(list(root.rglob("*.py")))


def test_imports_are_seen_wherever_they_stand(tmp_path):
    package = tmp_path / "things"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("def later():\n    from things import b\n    from things.c import X\n")
    (package / "b.py").write_text("import sys\nimport things.c\n")
    (package / "c.py").write_text("if False:\n    from things.b import Y\nX = 1\n")
    found = structure.imports(package)
    assert found == {"things": set(), "things.a": {"things.b", "things.c"}, "things.b": {"things.c"},
                     "things.c": {"things.b"}}  # fmt: skip


def test_a_walk_of_the_window_leaves_painting_out():
    from app.services import format as fmt

    def paintEvent():
        fmt.size(10)

    walk = structure.Walk(root=structure.APP)
    with window_walks.in_the_window(walk):
        paintEvent()
        fmt.images(2)
    names = {code.co_name for code in walk.functions}
    assert "images" in names and "size" not in names


def test_a_walk_counts_files_functions_and_moves_of_core():
    from core import files, parameters

    walk = structure.Walk()
    with structure.walking(walk):
        files.loads(files.dumps({"a": 1}))
        parameters.parse_assignments(["a=1"], "--set")
    assert {code.co_name for code in walk.functions} >= {"loads", "dumps", "parse_assignments"}
    assert walk.figures()["files"] >= 2
    assert not any(code.co_name.startswith("<") for code in walk.functions)


def test_a_walk_inside_a_function_sees_the_call_that_was_asked_for_and_nothing_else():
    from core import files, parameters

    walk = structure.Walk()
    with structure.walking(walk, inside="parse_assignments", number=2):
        parameters.parse_assignments(["wrong=1"], "--set")
        files.dumps({"a": 1})
        parameters.parse_assignments(["a=1"], "--set")
    assert "dumps" not in {code.co_name for code in walk.functions}
    assert "parse_assignments" in {code.co_name for code in walk.functions}
    assert walk.figures()["files"] == len({code.co_filename for code in walk.functions})
