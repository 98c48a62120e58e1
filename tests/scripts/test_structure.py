"""Figures of the structure: tokens without words and layout, and walks that see what was entered."""

from __future__ import annotations

from scripts import structure

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


def test_sizes_add_up_over_the_folders():
    rows = structure.sizes()
    whole = rows.pop("core")
    assert whole["tokens"] == sum(row["tokens"] for row in rows.values())
    assert whole["files"] == sum(row["files"] for row in rows.values()) == len(list(structure.CORE.rglob("*.py")))


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
