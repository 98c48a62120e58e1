"""What compares models with each other, on outputs made by hand."""

from __future__ import annotations

import torch

from core.metrics.membership import matched_positions, rmia
from core.verify.relations import reference_attack
from tests.core.verify.hand_made import FORGOTTEN, outputs, poisoned, splits

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
