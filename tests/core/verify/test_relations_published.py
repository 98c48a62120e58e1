"""The field's own measures of several models, on outputs made by hand."""

from __future__ import annotations

import pytest
import torch

from core.metrics import published as metrics
from core.metrics.accuracy import accuracy
from core.verify import relations, suite
from tests.core.verify.hand_made import FORGOTTEN, outputs, poisoned, splits

torch.set_num_threads(1)
SPLITS = splits()
FORGET = SPLITS.labels == FORGOTTEN


def own(full):
    return relations.published_measures(suite.output_measures(suite.Subject(full, SPLITS)), full, SPLITS, None)


def test_a_models_own_measures_are_those_of_the_sets_they_name():
    full = outputs(SPLITS, 1)
    train, test, unseen = full.train, full.test, SPLITS.evaluation
    kept = unseen & (test.labels != FORGOTTEN)
    found = own(full)
    assert found["ua"] == 1 - accuracy(train.logits[FORGET], train.labels[FORGET])
    assert found["ra"] == accuracy(train.logits[~FORGET], train.labels[~FORGET])
    assert found["ta"] == accuracy(test.logits[kept], test.labels[kept])
    assert found["ta_all"] == accuracy(test.logits[unseen], test.labels[unseen])
    parts = ((train, ~FORGET), (test, unseen), (train, FORGET))
    assert found["mia"] == metrics.svc_confidence(*((part.logits[rows], part.labels[rows]) for part, rows in parts))


def test_no_published_measure_depends_on_the_half_that_is_set_aside():
    full = outputs(SPLITS, 1)
    assert own(poisoned(full, ~SPLITS.evaluation)) == own(full)
    assert own(poisoned(full, SPLITS.evaluation)) != own(full)


def test_a_retrained_model_is_compared_with_the_others_alone():
    """Its row is the noise floor: with itself among what it is compared with, the floor would be too low."""
    rows = {
        "original": {"ua": 0.0, "ra": 1.0, "ta": 0.9, "mia": 0.0, "relearn_batches": 0},
        "unlearned": {"ua": 0.8, "ra": 0.9, "ta": 0.8, "mia": 0.6, "relearn_batches": 3},
        "seed 1": {"ua": 0.9, "ra": 1.0, "ta": 0.9, "mia": 0.8, "relearn_batches": 4},
        "seed 2": {"ua": 0.7, "ra": 1.0, "ta": 0.9, "mia": 0.8, "relearn_batches": 8},
    }
    found = relations.published_rows(rows, ["seed 1", "seed 2"], by_class=True)
    assert found["seed 1"]["average_gap"] == pytest.approx(0.2 / 4)
    assert found["seed 1"]["tow"] == pytest.approx(0.8)
    assert found["seed 1"]["ain"] == pytest.approx(4.01 / 8.01)
    assert found["unlearned"]["average_gap"] == pytest.approx((0.0 + 0.1 + 0.1 + 0.2) / 4)
    assert found["unlearned"]["ain"] == pytest.approx(3.01 / 6.01)
    assert found["retrained"]["ua"] == pytest.approx(0.8)
    alone = relations.published_rows({name: rows[name] for name in list(rows)[:3]}, ["seed 1"], by_class=True)
    assert alone["seed 1"]["average_gap"] is None and alone["seed 1"]["ain"] is None
