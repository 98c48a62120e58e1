"""Attacks with reference models, on outputs made by hand whose members are planted."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from core.data.splits import Splits
from core.engine.outputs import FullOutputs
from core.metrics.membership import attack_from_scores, log_odds, matched_positions, rmia
from core.metrics.sample_attacks import by_memorisation, calibrated_scores
from core.models.tap import SetOutputs
from core.verify.reference_attacks import (
    NO_ORIGINAL,
    TOO_FEW_REFERENCES,
    interpolated_attack,
    reference_attack,
    sample_attacks,
)
from tests.core.verify.hand_made import CLASSES, FORGOTTEN, outputs, poisoned, splits

torch.set_num_threads(1)
SPLITS = splits()


def test_the_reference_attack_has_unseen_images_of_the_evaluation_half_as_non_members():
    model, references = outputs(SPLITS, 1), [outputs(SPLITS, 2), outputs(SPLITS, 3)]
    found = reference_attack(model, references, SPLITS)
    ids, pool = torch.nonzero(SPLITS.forget).flatten(), torch.nonzero(SPLITS.evaluation).flatten()
    inside, outside = matched_positions(SPLITS.labels[ids], SPLITS.test_labels[pool])
    members, others = ids[inside], pool[outside]
    assert set(SPLITS.test_labels[others].tolist()) == {FORGOTTEN}
    expected = rmia(
        model.train.logits[members], SPLITS.labels[members], [each.train.logits[members] for each in references],
        model.test.logits[others], SPLITS.test_labels[others], [each.test.logits[others] for each in references],
    )  # fmt: skip
    assert found["auc"] == expected.auc and found["references"] == 2
    assert reference_attack(poisoned(model, ~SPLITS.evaluation), references, SPLITS) == found
    assert reference_attack(poisoned(model, SPLITS.evaluation), references, SPLITS) != found


LAB = splits(train=600, test=900)
HARD = torch.arange(600) % 2 == 0  # of the forgotten class: its images are told apart by how hard they are


def world(lead: float, seed: int, vulnerable: float | None = None, noise: float = 1.0) -> FullOutputs:
    """What a model says of images that differ in difficulty; it remembers forget images by `lead` nats of log-odds.

    The difficulty of each image is the same for all models, the noise is not. vulnerable: the lead on every other one.
    """
    difficulty = torch.Generator().manual_seed(0)
    own_noise = torch.Generator().manual_seed(seed)

    def part(labels: torch.Tensor, forget: torch.Tensor | None) -> SetOutputs:
        odds = 3 * torch.randn(len(labels), generator=difficulty) - 2
        odds += noise * torch.randn(len(labels), generator=own_noise)
        if forget is not None:
            own = torch.full((600,), lead)
            own[HARD] = lead if vulnerable is None else vulnerable
            odds[forget] += own
        own_class = F.one_hot(labels, CLASSES).bool()
        rest = torch.zeros(len(labels), CLASSES) - torch.log(torch.tensor(CLASSES - 1.0))
        logits = torch.where(own_class, odds[:, None], rest)
        return SetOutputs(logits, torch.zeros(len(labels), 2), labels)

    return FullOutputs(part(LAB.labels, LAB.forget), part(LAB.test_labels, None))


REFERENCES = [world(0.0, seed) for seed in range(10, 14)]
ORIGINAL = world(0.0, 1, vulnerable=3.0)  # remembers every other forget image, and the rest not at all


def test_what_the_original_remembers_is_found_among_the_vulnerable_images_alone():
    found = sample_attacks(ORIGINAL, REFERENCES, ORIGINAL, LAB)
    vulnerable, protected = found["sample_vulnerable"], found["sample_protected"]
    assert vulnerable["low"] > 0.9 and protected["auc"] < 0.55
    assert vulnerable["members"] == protected["members"] == 300 and vulnerable["references"] == 4


@pytest.mark.parametrize("references", [2, 4])
def test_a_held_out_retrained_model_is_at_chance_on_both_halves(references):
    """Also for a planted worst case: the halves were made with the original that is attacked elsewhere."""
    outside = []
    for seed in range(20, 30):
        model = world(0.0, seed)
        found = sample_attacks(model, REFERENCES[:references], ORIGINAL, LAB)
        found["iam"] = interpolated_attack(model, REFERENCES[0], ORIGINAL, LAB)
        outside += [name for name, attack in found.items() if not attack["low"] <= 0.5 <= attack["high"]]
    assert len(outside) <= 4, outside  # 30 intervals of 95 %: more than 4 outside in 1.6 % of all draws


def test_images_that_one_half_of_the_references_chose_are_attacked_with_the_other_half():
    """With the same references for both, their errors pass for memories: a retrained model looks attacked."""
    noisy = [world(0.0, seed, noise=3.0) for seed in (40, 41)]
    judged, own = world(0.0, 42), world(0.0, 43)
    found = sample_attacks(judged, noisy, own, LAB)["sample_vulnerable"]
    assert found["low"] <= 0.5 <= found["high"]
    ids, unseen = LAB.forget_train, LAB.unseen
    model, original, same = (
        [log_odds(part.logits[rows], part.labels[rows]) for part, rows in ((each.train, ids), (each.test, unseen))]
        for each in (judged, own, noisy[0])
    )
    group = by_memorisation(
        original[0], same[0], LAB.labels[ids].numpy(), same[1], LAB.test_labels[unseen].numpy()
    )["vulnerable"]  # fmt: skip
    inside, outside = (calibrated_scores(model[side], [same[side]]) for side in (0, 1))
    assert attack_from_scores(inside[group.members], outside[group.others]).low > 0.55


def test_a_half_forgotten_image_lies_between():
    never, half, fitted = (
        interpolated_attack(world(0.0, 50, vulnerable=lead), REFERENCES[0], ORIGINAL, LAB) for lead in (0.0, 1.5, 3.0)
    )
    assert never["auc"] < half["auc"] < fitted["auc"]
    assert never["fitted"]["high"] < half["fitted"]["value"] < fitted["fitted"]["low"]
    assert fitted["low"] > 0.5 and never["low"] <= 0.5 <= never["high"] and fitted["references"] == 1


def test_members_and_others_swapped_would_turn_each_attack_round():
    """An attack that took unseen images for members, or the judged model for the reference, would be below chance."""
    swapped = sample_attacks(world(-3.0, 60), REFERENCES, ORIGINAL, LAB)
    assert swapped["sample_vulnerable"]["high"] < 0.5 and swapped["sample_protected"]["high"] < 0.5
    assert interpolated_attack(world(-3.0, 60), REFERENCES[0], ORIGINAL, LAB)["high"] < 0.5


def test_what_is_missing_is_said():
    few = sample_attacks(ORIGINAL, REFERENCES[:1], ORIGINAL, LAB)
    assert {attack["reason"] for attack in few.values()} == {TOO_FEW_REFERENCES}
    assert {attack["reason"] for attack in sample_attacks(ORIGINAL, REFERENCES, None, LAB).values()} == {NO_ORIGINAL}
    assert "fitted" not in interpolated_attack(ORIGINAL, REFERENCES[0], None, LAB)
    nothing = Splits(LAB.labels, LAB.test_labels, torch.zeros_like(LAB.forget), LAB.alone, (), CLASSES, LAB.evaluation)
    assert sample_attacks(ORIGINAL, REFERENCES, ORIGINAL, nothing) == {}
    assert interpolated_attack(ORIGINAL, REFERENCES[0], ORIGINAL, nothing) is None


def test_nothing_depends_on_the_unseen_half_that_is_set_aside():
    other = poisoned(ORIGINAL, ~LAB.evaluation)
    assert sample_attacks(other, REFERENCES, other, LAB) == sample_attacks(ORIGINAL, REFERENCES, ORIGINAL, LAB)
    assert interpolated_attack(other, REFERENCES[0], other, LAB) == interpolated_attack(
        ORIGINAL, REFERENCES[0], ORIGINAL, LAB
    )
