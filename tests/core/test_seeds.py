"""Seeds as people type them."""

from __future__ import annotations

import pytest

from core.errors import UsageError
from core.seeds import MOST, parse_seeds


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("0", (0,)), ("1-3", (1, 2, 3)), (" 4 , 1-2 ", (4, 1, 2)), ("1–2", (1, 2)), ("2;2;2-3", (2, 3)), ("7-7", (7,))],
)
def test_forms(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", " ", "x", "1,", "-1", "1-", "3-1", "1.5", "²", "1-2-3", str(2**40)])
def test_what_is_none_says_how_to_write_it(text):
    with pytest.raises(UsageError) as raised:
        parse_seeds(text)
    assert raised.value.hint


@pytest.mark.parametrize("text", [f"0-{MOST}", ", ".join(map(str, range(MOST + 1))), "0-2000000000"])
def test_a_slip_of_the_finger_starts_no_thousand_runs(text):
    with pytest.raises(UsageError, match="more than"):
        parse_seeds(text)
