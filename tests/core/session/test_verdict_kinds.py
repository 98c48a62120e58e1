"""The verdict on sets of both kinds, on outputs made by hand: a whole class goes, and images of another class alone."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch

from core.engine.outputs import FullOutputs
from core.session.measuring import Candidate, Measuring
from core.verify.verdict import Forgotten, Verdict, decide
from tests.core.verify.hand_made import FORGOTTEN, outputs, splits

torch.set_num_threads(1)
BOTH = splits(train=300, singles=200)


def network(seed: int, knows: bool) -> FullOutputs:
    """An original, which learnt single images by heart, or one that saw neither them nor the class."""
    full = outputs(BOTH, seed)
    parts = []
    for part in (full.train, full.test):
        logits = part.logits.clone()
        logits[:, FORGOTTEN] += 0 if knows else -30
        parts.append(replace(part, logits=logits))
    if knows:
        parts[0].logits[BOTH.forget_single_train, 0] += 12
    return FullOutputs(*parts)


def with_single_logits(full: FullOutputs, logits: torch.Tensor) -> FullOutputs:
    changed = full.train.logits.clone()
    changed[BOTH.forget_single_train] = logits
    return replace(full, train=replace(full.train, logits=changed))


def judge(unlearned: FullOutputs, references: int) -> Verdict:
    models = {"original": ORIGINAL, "unlearned": unlearned}
    candidates = [Candidate(name, name, partial(models.get, name)) for name in models]
    seeds = range(1, references + 1)
    retrained = [Candidate(f"seed {seed}", f"{seed}", partial(network, seed, False)) for seed in seeds]
    found = Measuring(*candidates, retrained, BOTH).run()
    retrained = list(found.retrained.values())
    return decide(found.models, retrained, forgotten=Forgotten.of(BOTH), half_widths=found.half_widths)


ORIGINAL, RETRAINED = network(0, True), network(4, False)


@pytest.mark.parametrize("references", [1, 3])
def test_single_images_beside_a_class_are_judged_as_well(references):
    single = BOTH.forget_single_train
    result = judge(RETRAINED, references)
    assert result.code == "close", result.sentence
    assert "On the 200 single images" in result.sentence
    deciding = {row.key for row in result.measures if row.decides}
    assert {"forget_accuracy", "output_distance", "forget_accuracy_single", "membership_single"} <= deciding
    inverted = judge(with_single_logits(RETRAINED, -RETRAINED.train.logits[single]), references)
    assert inverted.code in ("partly", "not"), inverted.sentence
    assert any(row.moved_away for row in inverted.measures if row.key.endswith("_single"))
    kept = judge(with_single_logits(RETRAINED, ORIGINAL.train.logits[single]), references)
    assert kept.code in ("partly", "not"), kept.sentence
    assert all(not row.closed for row in kept.measures if row.key.endswith("_single") and row.decides)
