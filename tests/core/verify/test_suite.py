"""The suite as a composition: on outputs made by hand each number equals the metric called directly on those rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.engine.outputs import FullOutputs
from core.metrics.membership import matched_positions, population_attack
from core.metrics.neighbours import measure_neighbours, nearest_to
from core.metrics.probe import linear_probe, measure_class_means, measure_clustering
from core.metrics.prototype import prototype_attack
from core.metrics.spaces import FeatureSpace, measure_alignment, measure_spectra
from core.verify import suite
from core.verify.measure_log import Measured
from tests.core.verify.hand_made import CHANNELS, CLASSES, FORGOTTEN, outputs, poisoned, splits

torch.set_num_threads(1)

SPLITS = splits()
FORGET, RETAIN = SPLITS.labels == FORGOTTEN, SPLITS.labels != FORGOTTEN
UNSEEN = SPLITS.evaluation
UNSEEN_FORGET, UNSEEN_RETAIN = UNSEEN & (SPLITS.test_labels == FORGOTTEN), UNSEEN & (SPLITS.test_labels != FORGOTTEN)
HEAD = torch.randn(CLASSES, CHANNELS, generator=torch.Generator().manual_seed(9))


def take(full: FullOutputs, original: FullOutputs) -> Measured:
    return suite.take(suite.Subject(full, SPLITS, original, HEAD), suite="full")


@pytest.fixture(scope="module")
def models() -> tuple[FullOutputs, FullOutputs]:
    """The model that is measured, and the original."""
    return outputs(SPLITS, 1), outputs(SPLITS, 2)


@pytest.fixture(scope="module")
def found(models) -> Measured:
    return take(*models)


def right(logits: torch.Tensor, labels: torch.Tensor) -> list[int]:
    return (logits.argmax(1) == labels).int().tolist()


def test_accuracies_are_counted_on_the_set_that_names_them(models, found):
    train, test = models[0].train, models[0].test
    for key, part, rows in (
        ("retain_accuracy", train, RETAIN), ("forget_accuracy", train, FORGET),
        ("retain_test_accuracy", test, UNSEEN_RETAIN), ("forget_test_accuracy", test, UNSEEN_FORGET),
    ):  # fmt: skip
        assert found.values[key] == np.mean(right(part.logits[rows], part.labels[rows])), key
    assert found.samples["forget_accuracy"] == right(test.logits[UNSEEN_FORGET], test.labels[UNSEEN_FORGET])
    assert np.sum(found.values["confusion"]["counts"]) == int(UNSEEN.sum())
    by_class = [np.mean(right(test.logits[rows], test.labels[rows]))
                for rows in (UNSEEN & (test.labels == c) for c in range(CLASSES))]  # fmt: skip
    assert found.values["per_class"] == by_class
    assert found.values["retain_test_macro"] == pytest.approx(np.mean([a for c, a in enumerate(by_class) if c != 1]))


def test_the_attack_has_unseen_images_of_the_evaluation_half_as_non_members(models, found):
    train, test = models[0].train, models[0].test
    attack = population_attack(
        train.logits[FORGET], train.labels[FORGET], test.logits[UNSEEN_FORGET], test.labels[UNSEEN_FORGET]
    )
    assert found.values["membership"]["population"] == attack.as_dict()


def test_the_attack_on_retain_images_draws_ids_not_positions(models, found):
    train, test = models[0].train, models[0].test
    pool = torch.nonzero(UNSEEN_RETAIN).flatten()
    inside, outside = matched_positions(train.labels[RETAIN], test.labels[pool], most=suite.ATTACK_SAMPLES)
    attack = population_attack(
        train.logits[RETAIN][inside], train.labels[RETAIN][inside],
        test.logits[pool[outside]], test.labels[pool[outside]],
    )  # fmt: skip
    assert found.values["membership"]["population_retain"]["auc"] == attack.auc


def test_neighbours_are_found_in_the_original_and_scored_in_the_model(models, found):
    full, original = models
    near = nearest_to(original.train.features[FORGET], original.test.features[UNSEEN_RETAIN])
    expected = measure_neighbours(full.test.logits[UNSEEN_RETAIN], full.test.labels[UNSEEN_RETAIN], near)
    assert found.values["neighbours"] == expected.as_dict()


def test_alignment_and_spectra_are_of_training_features(models, found):
    forget, retain = (models[0].train.features[rows] for rows in (FORGET, RETAIN))
    expected = measure_alignment(FeatureSpace(forget), FeatureSpace(retain), CLASSES - 1).as_dict()
    assert found.values["dimensional_alignment"]["value"] == pytest.approx(expected["value"], abs=1e-12)
    assert found.values["dimensional_alignment"]["profile"] == pytest.approx(expected["profile"], abs=1e-12)
    assert found.values["dimensional_alignment"]["k"] == CLASSES - 1
    spectra = measure_spectra(FeatureSpace(forget), FeatureSpace(retain)).as_dict()
    for key in ("retain", "forget", "retain_rank", "forget_rank", "retain_norm", "forget_norm"):
        assert found.values["spectra"][key] == pytest.approx(spectra[key], abs=1e-12), key


def test_the_probe_learns_from_training_images_and_is_scored_on_unseen_ones(models, found):
    train, test = models[0].train, models[0].test
    rows = torch.cat([torch.nonzero(part).flatten() for part in (RETAIN, FORGET)])
    unseen = torch.cat([torch.nonzero(part).flatten() for part in (UNSEEN_RETAIN, UNSEEN_FORGET)])
    expected = linear_probe(
        train.features[rows], train.labels[rows], test.features[unseen], test.labels[unseen], {FORGOTTEN}
    )
    assert found.values["probe"] == expected.as_dict()
    assert 0 < expected.forget < 1  # so that the model's own training images would give another number
    assert np.mean(found.samples["probe"]) == pytest.approx(expected.forget)
    assert len(found.samples["probe"]) == int(UNSEEN_FORGET.sum())


def test_clustering_and_class_means_are_of_unseen_features(models, found):
    train, test = models[0].train, models[0].test
    unseen = torch.cat([torch.nonzero(part).flatten() for part in (UNSEEN_RETAIN, UNSEEN_FORGET)])
    clusters = measure_clustering(test.features[unseen], test.labels[unseen], CLASSES, {FORGOTTEN})
    assert found.values["clustering"] == clusters.as_dict() and found.values["nmi"] == clusters.nmi
    assert found.samples["nmi"] == [list(clusters.labels), list(clusters.clusters)]
    means = measure_class_means(
        train.features, train.labels, test.features[unseen], test.labels[unseen], CLASSES, {FORGOTTEN}
    )
    assert found.values["class_means"] == means.as_dict()
    assert np.mean(found.samples["class_means"]) == pytest.approx(means.forget)


def test_the_prototype_attack_sets_its_threshold_on_images_no_number_is_of(models, found):
    train, test = models[0].train, models[0].test
    aside = ~UNSEEN & (test.labels != FORGOTTEN)
    expected = prototype_attack(
        train.features[FORGET], train.labels[FORGET],
        (test.logits[UNSEEN_FORGET], test.features[UNSEEN_FORGET], test.labels[UNSEEN_FORGET]),
        (test.logits[aside], test.features[aside]), HEAD, (FORGOTTEN,),
    )  # fmt: skip
    assert found.values["prototype"] == expected.as_dict()
    assert found.samples["prototype"] == list(expected.recovered)


def test_no_number_depends_on_the_half_that_is_set_aside(models, found):
    full, original = models
    other = take(poisoned(full, ~UNSEEN), poisoned(original, ~UNSEEN))
    assert set(other.values) == set(found.values) and set(other.samples) == set(found.samples)
    for key in found.values:
        if key != "prototype":  # its threshold is set there
            assert other.values[key] == found.values[key], key
            assert other.samples.get(key) == found.samples.get(key), key


def test_the_prototype_attack_does_not_see_unseen_images_that_are_kept(models, found):
    full, original = models
    other = take(poisoned(full, UNSEEN_RETAIN), original)
    assert other.values["prototype"] == found.values["prototype"]
    assert other.values["retain_test_accuracy"] != found.values["retain_test_accuracy"]


def test_measures_of_features_are_not_taken_twice_where_features_are_the_same(models, found):
    edited = suite.head_only(models[0], (FORGOTTEN,))
    said: list[str] = []

    def keep(measure, depends_on, compute):
        said.append(measure)
        return compute()

    other = suite.take(suite.Subject(edited, SPLITS, models[1]), features_of=(models[0], found), keep=keep)
    assert said == ["accuracies", "membership attack", "neighbours"]
    assert all(other.values[key] == found.values[key] for key in suite.FEATURE_KEYS)
    kept = {key: found.samples[key] for key in suite.FEATURE_KEYS if key in found.samples}
    assert set(kept) == {"dimensional_alignment", "probe", "nmi", "class_means"}
    assert {key: other.samples.get(key) for key in kept} == kept  # what its intervals are made of
    assert other.values["forget_test_accuracy"] == 0.0


def test_beside_single_images_alignment_is_of_the_class_alone():
    both = splits(singles=20)
    full = outputs(both, 1)
    found = suite.take(suite.Subject(full, both)).values
    features, retain = full.train.features, FeatureSpace(full.train.features[both.retain_train])
    of_class = measure_alignment(FeatureSpace(features[FORGET]), retain, CLASSES - 1)
    of_both = measure_alignment(FeatureSpace(features[both.forget_train]), retain, CLASSES - 1)
    assert found["dimensional_alignment"]["value"] == pytest.approx(of_class.value, abs=1e-12)
    assert abs(of_class.value - of_both.value) > 1e-3
    for key, ids in (("forget_single_accuracy", both.forget_single_train), ("forget_accuracy", both.forget_train)):
        assert found[key] == pytest.approx(np.mean(right(full.train.logits[ids], both.labels[ids]))), key


@pytest.mark.parametrize(("few", "said"), [(1, "1 retain image is"), (12, "12 retain images are")])
def test_of_too_few_retain_images_it_is_said_that_they_are_retain_images(models, monkeypatch, few, said):
    def refused(subject, members, pool):
        return population_attack(torch.zeros(few, 3), torch.zeros(few).long(), torch.zeros(100, 3),
                                 torch.zeros(100).long())  # fmt: skip

    monkeypatch.setattr(suite, "_attack", refused)
    membership = suite._over_protection(suite.Subject(models[0], SPLITS)).values["membership"]
    assert membership["population_retain"]["reason"].startswith(f"{said} too few")
