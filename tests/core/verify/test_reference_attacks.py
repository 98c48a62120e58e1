"""Attacks with reference models, on outputs made by hand whose members are planted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from core.data.splits import Splits
from core.engine.outputs import FullOutputs
from core.metrics.membership import attack_from_scores, log_odds, matched_positions, rmia
from core.metrics.sample_attacks import by_hardness, calibrated_scores, iam_scores, iam_signals
from core.models.tap import SetOutputs
from core.verify.reference_attacks import (
    TOO_FEW_REFERENCES,
    interpolated_attack,
    neighbour_attack,
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


def world(lead: float, seed: int, vulnerable: float | None = None, noise: float = 1.0) -> FullOutputs:
    """What a model says of images that differ in difficulty; it remembers forget images by `lead` nats of log-odds.

    The difficulty of each image is the same for all models, the noise is not. vulnerable: the lead on the harder half.
    """
    difficulty = torch.Generator().manual_seed(0)
    own_noise = torch.Generator().manual_seed(seed)

    def part(labels: torch.Tensor, forget: torch.Tensor | None) -> SetOutputs:
        odds = 3 * torch.randn(len(labels), generator=difficulty) - 2
        own = torch.full((len(labels),), lead)
        own[odds < -2] = lead if vulnerable is None else vulnerable
        odds += noise * torch.randn(len(labels), generator=own_noise)
        if forget is not None:
            odds += own * forget
        own_class = F.one_hot(labels, CLASSES).bool()
        rest = torch.zeros(len(labels), CLASSES) - torch.log(torch.tensor(CLASSES - 1.0))
        logits = torch.where(own_class, odds[:, None], rest)
        return SetOutputs(logits, torch.zeros(len(labels), 2), labels)

    return FullOutputs(part(LAB.labels, LAB.forget), part(LAB.test_labels, None))


REFERENCES = [world(0.0, seed) for seed in range(10, 14)]
ORIGINAL = world(0.0, 1, vulnerable=3.0)  # remembers the harder forget images, and the others not at all


def test_what_the_original_remembers_is_found_among_the_vulnerable_images_alone():
    found = sample_attacks(ORIGINAL, REFERENCES, LAB)
    vulnerable, protected = found["sample_vulnerable"], found["sample_protected"]
    assert vulnerable["low"] > 0.9 and protected["auc"] < 0.65
    assert vulnerable["members"] == protected["members"] == 300 and vulnerable["references"] == 4


@pytest.mark.parametrize("references", [2, 4])
def test_a_held_out_retrained_model_is_at_chance_on_both_halves(references):
    outside = []
    for seed in range(20, 30):
        model = world(0.0, seed)
        found = sample_attacks(model, REFERENCES[:references], LAB)
        found["iam"] = interpolated_attack(model, REFERENCES[0], ORIGINAL, LAB)
        outside += [name for name, attack in found.items() if not attack["low"] <= 0.5 <= attack["high"]]
    assert len(outside) <= 4, outside  # 30 intervals of 95 %: more than 4 outside in 1.6 % of all draws


def test_the_references_that_find_hard_images_do_not_attack_them():
    """Scored by what says how hard they are, hard images would look remembered: its errors pass for memories."""
    noisy, judged = [world(0.0, seed, noise=3.0) for seed in (40, 41)], world(0.0, 42)
    found = sample_attacks(judged, noisy, LAB)["sample_vulnerable"]
    assert found["low"] <= 0.5 <= found["high"]
    ids, unseen = LAB.forget_train, LAB.unseen
    expected = {}
    for name, finding, attacking in (("in order", *noisy), ("swapped", *reversed(noisy))):
        model, hard, others = (
            [log_odds(part.logits[rows], part.labels[rows]) for part, rows in ((each.train, ids), (each.test, unseen))]
            for each in (judged, finding, attacking)
        )
        group = by_hardness(hard[0], LAB.labels[ids].numpy(), hard[1], LAB.test_labels[unseen].numpy())["vulnerable"]
        inside, outside = (calibrated_scores(model[side], [others[side]]) for side in (0, 1))
        expected[name] = attack_from_scores(inside[group.members], outside[group.others]).auc
    assert found["auc"] == expected["in order"] != expected["swapped"]


def test_a_half_forgotten_image_lies_between():
    never, half, fitted = (
        interpolated_attack(world(0.0, 50, vulnerable=lead), REFERENCES[0], ORIGINAL, LAB) for lead in (0.0, 1.5, 3.0)
    )
    assert never["auc"] < half["auc"] < fitted["auc"]
    assert never["fitted"]["high"] < half["fitted"]["value"] < fitted["fitted"]["low"]
    assert fitted["low"] > 0.5 and never["low"] <= 0.5 <= never["high"] and fitted["references"] == 1


def test_iam_s_fitted_end_is_the_mean_signal_of_the_shadow_on_its_own_training_images():
    """As the experiments of its authors have it; their score's own default, the signal of p = 1, is another attack."""
    judged, shadow = world(0.0, 50, vulnerable=3.0), REFERENCES[0]
    inside, outside = matched_positions(LAB.labels[LAB.forget_train], LAB.test_labels[LAB.unseen])
    members, others = LAB.forget_train[inside], LAB.unseen[outside]

    def signals(full: FullOutputs) -> np.ndarray:
        parts = ((full.train, members), (full.test, others))
        return np.concatenate([iam_signals(part.logits[ids], part.labels[ids]) for part, ids in parts])

    def auc(fitted: float) -> float:
        scores = iam_scores(signals(judged), signals(shadow), fitted)
        return attack_from_scores(scores[: len(members)], scores[len(members) :]).auc

    learnt = float(iam_signals(shadow.train.logits[LAB.retain_train], LAB.labels[LAB.retain_train]).mean())
    assert interpolated_attack(judged, shadow, None, LAB)["auc"] == auc(learnt) != auc(1.0)


def test_members_and_others_swapped_would_turn_each_attack_round():
    """An attack that took unseen images for members, or the judged model for the reference, would be below chance."""
    swapped = sample_attacks(world(-3.0, 60), REFERENCES, LAB)
    assert swapped["sample_vulnerable"]["high"] < 0.5 and swapped["sample_protected"]["high"] < 0.5
    assert interpolated_attack(world(-3.0, 60), REFERENCES[0], ORIGINAL, LAB)["high"] < 0.5


def test_what_is_missing_is_said():
    few = sample_attacks(ORIGINAL, REFERENCES[:1], LAB)
    assert {attack["reason"] for attack in few.values()} == {TOO_FEW_REFERENCES}
    assert "fitted" not in interpolated_attack(ORIGINAL, REFERENCES[0], None, LAB)
    nothing = Splits(LAB.labels, LAB.test_labels, torch.zeros_like(LAB.forget), LAB.alone, (), CLASSES, LAB.evaluation)
    assert sample_attacks(ORIGINAL, REFERENCES, nothing) == {}
    assert interpolated_attack(ORIGINAL, REFERENCES[0], ORIGINAL, nothing) is None


def test_nothing_depends_on_the_unseen_half_that_is_set_aside():
    other = poisoned(ORIGINAL, ~LAB.evaluation)
    assert sample_attacks(other, REFERENCES, LAB) == sample_attacks(ORIGINAL, REFERENCES, LAB)
    for attack in (lambda model: interpolated_attack(model, REFERENCES[0], model, LAB),
                   lambda model: neighbour_attack(model, REFERENCES, LAB)):  # fmt: skip
        assert attack(other) == attack(ORIGINAL)


def test_forget_images_named_as_retrained_models_name_them_are_told_from_others():
    """The references give the forgotten class to class 2; one model does, too, the other to class 3."""

    def naming(label: int, seed: int) -> FullOutputs:
        def part(labels: torch.Tensor) -> SetOutputs:
            named = torch.where(labels == FORGOTTEN, label, labels)
            noise = torch.randn(len(labels), CLASSES, generator=torch.Generator().manual_seed(seed))
            return SetOutputs(noise + 4 * F.one_hot(named, CLASSES), torch.zeros(len(labels), 2), labels)

        return FullOutputs(part(LAB.labels), part(LAB.test_labels))

    references = [naming(2, seed) for seed in (1, 2)]
    alike, unlike = (neighbour_attack(naming(label, 3), references, LAB) for label in (2, 3))
    assert alike["classes"] == unlike["classes"] == [2] and alike["references"] == 2
    assert alike["low"] > 0.8 and unlike["high"] < 0.2
    assert neighbour_attack(references[0], [], LAB) is None
    assert neighbour_attack(references[0], references, splits(forgotten=(), singles=20)) is None
