"""A small calibration of the verdict with fixed seeds: the benchmark of that name, on few networks and draws."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from benchmarks.calibration import DIGITS, FASHION, ForgetSet, Plan, Pool, cells_of, shares, table

torch.set_num_threads(1)
SMALL = {"originals": 1, "retrained": 4, "draws": 4}  # right draws: all, with each of six seeds; 0.9 is asked for
CLASS = replace(DIGITS, sets=(ForgetSet((3,)),), epochs=6, **SMALL)
IMAGES = replace(DIGITS, architecture="mlp", sets=(ForgetSet(images=250),), images=400, epochs=25, **SMALL)


@pytest.mark.parametrize("plan", [CLASS, IMAGES], ids=["class", "images"])
def test_retrained_models_are_close_and_originals_and_edits_are_not(plan: Plan):
    cells = list(cells_of(Pool(plan, plan.sets[0]), plan.draws))
    name = "classes" if plan is CLASS else "images"
    found = shares(cells)[name]
    assert found["held out"] is not None and found["held out"] >= 0.9, table(cells)
    assert found["original"] == 0 and found["head-only"] == (0 if plan is CLASS else None)
    assert {cell.references for cell in cells} == {1, 2, 3}
    assert all(cell.codes["original"]["not"] or cell.codes["original"]["nothing"] for cell in cells)


def test_both_data_sets_are_judged_on_classes_and_on_single_images():
    for plan in (DIGITS, FASHION):
        assert {bool(forget.classes) for forget in plan.sets} == {True, False}
