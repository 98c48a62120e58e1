"""Methods and measures of other packages: found, checked, named where they are left out, and nothing else breaks."""

from __future__ import annotations

import sys

import pytest

from core.cli import main
from core.entry_points import Origin
from core.errors import NotFoundError, RunError
from core.methods import METHODS, get_method, methods, plugged
from core.methods.base import Facts
from core.parameters import resolve
from tests.packages import install

GOOD = """
from dataclasses import replace
from core.methods import finetuning
SLOWLY = replace(finetuning.FINETUNE, id="slowly", title="Slowly")
"""
BAD = """
from dataclasses import replace
from core.methods import finetuning
def fails(values, facts):
    raise KeyError("epochs")
ODD = replace(finetuning.FINETUNE, id="odd", summary="no sentence", group="other")
OTHER = replace(finetuning.FINETUNE, id="something-else")
PLANLESS = replace(finetuning.FINETUNE, id="planless", plan=fails)
NUMBER = 7
"""


@pytest.fixture
def offer(tmp_path, monkeypatch):
    """Return what installs a package for this test alone."""
    made: list[str] = []

    def install_here(modules, **given):
        folder = tmp_path / f"site-{len(made)}"
        folder.mkdir()
        monkeypatch.syspath_prepend(install(folder, modules, **given))
        made.extend(modules)
        plugged.cache_clear()

    plugged.cache_clear()
    yield install_here
    plugged.cache_clear()
    for module in made:
        sys.modules.pop(module, None)


def test_a_method_of_a_package_stands_behind_those_of_the_program(offer):
    offer({"slow": GOOD}, methods={"slowly": "slow:SLOWLY"})
    assert list(methods()) == [*METHODS, "slowly"]
    assert get_method("slowly").title == "Slowly"
    assert plugged().origins == {"slowly": Origin("forget-more", "1.2")} and not plugged().left_out


LEFT_OUT = {
    "missing": ("nowhere:METHOD", "ModuleNotFoundError: No module named 'nowhere'"),
    "absent": ("bad:ABSENT", "AttributeError: module 'bad' has no attribute 'ABSENT'"),
    "raises": ("raising:METHOD", "ZeroDivisionError: division by zero"),
    "leaves": ("leaving:METHOD", "SystemExit: 3"),
    "number": ("bad:NUMBER", "it leads to a int, and a Method is wanted"),
    "another": ("bad:OTHER", "the method calls itself 'something-else'"),
    "muda": ("slow:SLOWLY", "the program has one of this name itself"),
    "Not An Id": ("slow:SLOWLY", "its name is no id: small letters and digits, joined by - or _"),
}


def test_what_does_not_load_is_left_out_with_its_reason_and_nothing_else_is(offer):
    modules = {"slow": GOOD, "bad": BAD, "raising": "1 / 0", "leaving": "raise SystemExit(3)"}
    offer(modules, methods={name: point for name, (point, _) in LEFT_OUT.items()} | {"slowly": "slow:SLOWLY"})
    assert list(methods()) == [*METHODS, "slowly"] and methods()["muda"] is METHODS["muda"]
    assert {one.name: one.reason for one in plugged().left_out} == {name: why for name, (_, why) in LEFT_OUT.items()}
    with pytest.raises(NotFoundError, match=r"'raises' of the package forget-more 1\.2 is left out: ZeroDivisionError"):
        get_method("raises")


def test_a_record_that_a_card_cannot_be_made_of_is_left_out_with_all_that_is_wrong(offer):
    offer({"bad": BAD}, methods={"odd": "bad:ODD"})
    (one,) = plugged().left_out
    assert "its summary is no sentence" in one.reason and "group must be one of reference, alignment" in one.reason


def test_one_name_of_two_packages_is_left_out_of_both(offer):
    offer({"slow": GOOD}, methods={"slowly": "slow:SLOWLY"})
    offer({"slow2": GOOD}, methods={"slowly": "slow2:SLOWLY"}, name="also-slow")
    assert "slowly" not in methods()
    assert [str(one.origin) for one in plugged().left_out] == ["also-slow 1.2", "forget-more 1.2"]
    assert {one.reason for one in plugged().left_out} == {"another package has one of this name, too"}


def test_a_plan_that_fails_names_its_package(offer):
    offer({"bad": BAD}, methods={"planless": "bad:PLANLESS"})
    method = get_method("planless")
    with pytest.raises(RunError, match=r"'planless' of the package forget-more 1\.2 failed: KeyError: 'epochs'"):
        method.plan(resolve(method.parameters), Facts(10, 0, 90, 4))


def test_methods_lists_those_of_packages_and_names_what_is_left_out(offer, capsys):
    offer({"slow": GOOD}, methods={"slowly": "slow:SLOWLY", "gone": "nowhere:METHOD"})
    assert main(["methods"]) == 0
    said = capsys.readouterr()
    assert "from the package forget-more 1.2" in " ".join(said.out.split())
    assert "warning: The method 'gone' of the package forget-more 1.2 is left out: ModuleNotFoundError" in said.err
