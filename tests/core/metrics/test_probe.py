from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from core.metrics.probe import class_means, k_means, linear_probe, measure_class_means, measure_clustering, nmi
from core.metrics.rows import stratified_subset

torch.set_num_threads(1)
CLASSES = 4


def blobs(n: int, seed: int, spread: float = 1.2) -> tuple[torch.Tensor, torch.Tensor]:
    centres = torch.randn(CLASSES, 6, generator=torch.Generator().manual_seed(99)) * 2
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (n,), generator=generator)
    rows = centres[labels] + spread * torch.randn(n, 6, generator=generator)
    return torch.cat([rows, torch.zeros(n, 1)], 1), labels  # the last channel is dead


@pytest.fixture(scope="module")
def sets() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    return (*blobs(600, 1), *blobs(300, 2))


def test_probe_agrees_with_scikit_learn(sets):
    train, train_labels, test, test_labels = sets
    result = linear_probe(train, train_labels, test, test_labels, {2})
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(tol=1e-6, max_iter=5000))
    found = pipeline.fit(train.double().numpy(), train_labels.numpy()).predict(test.double().numpy())
    truth = test_labels.numpy()
    one = 1 / (truth == 2).sum()
    assert result.forget == pytest.approx((found == 2)[truth == 2].mean(), abs=one)
    assert result.retain == pytest.approx((found == truth)[truth != 2].mean(), abs=0.006)
    assert result.f1 == pytest.approx(f1_score(truth == 2, found == 2), abs=one)
    assert result.samples == 600


def test_confusions_inside_the_forget_set_cost_recall_but_not_f1(sets):
    train, train_labels, test, test_labels = sets
    pair = test_labels < 2
    result = linear_probe(train, train_labels, test[pair], test_labels[pair], {0, 1})
    found = result.predicted
    assert result.retain is None
    assert result.forget == pytest.approx((found == test_labels[pair].numpy()).mean())
    called = int((found < 2).sum())
    assert result.f1 == pytest.approx(2 * called / (called + int(pair.sum())))


def test_permuted_labels_fall_to_chance(sets):
    train, train_labels, test, test_labels = sets
    found = []
    for seed in range(30):  # one cluster gets one answer, so a single permutation scatters widely around chance
        order = torch.randperm(len(train_labels), generator=torch.Generator().manual_seed(seed))
        found.append(linear_probe(train, train_labels[order], test, test_labels, set()).retain)
    assert np.mean(found) == pytest.approx(1 / CLASSES, abs=4 * np.std(found) / np.sqrt(30))
    assert np.std(found) < 0.2


def test_probe_is_blind_to_scale_and_shift_of_features(sets):
    train, train_labels, test, test_labels = sets
    base = linear_probe(train, train_labels, test, test_labels, {2})
    again = linear_probe(train * 100 + 5, train_labels, test * 100 + 5, test_labels, {2})
    assert (base.predicted == again.predicted).mean() > 0.995


def test_probe_keeps_its_budget_and_repeats_itself(sets):
    train, train_labels, test, test_labels = sets
    result = linear_probe(train, train_labels, test, test_labels, {2}, budget=100)
    assert result.samples == len(stratified_subset(train_labels.numpy(), 100)) == 98  # of each class its whole share
    assert result == linear_probe(train, train_labels, test, test_labels, {2}, budget=100)


def test_sample_forgetting_has_no_forget_classes(sets):
    train, train_labels, test, test_labels = sets
    result = linear_probe(train, train_labels, test, test_labels, set())
    assert result.forget is None and result.f1 is None and result.retain > 0.8
    means = measure_class_means(train, train_labels, test, test_labels, CLASSES, set())
    assert means.forget is None and means.retain > 0.8
    assert measure_clustering(test, test_labels, CLASSES).forget_vs_rest is None


def test_nothing_to_probe_is_none(sets):
    train, train_labels, test, test_labels = sets
    assert linear_probe(train[:0], train_labels[:0], test, test_labels, {2}) is None
    assert linear_probe(train, train_labels, test[:0], test_labels[:0], {2}) is None
    assert linear_probe(train * float("nan"), train_labels, test, test_labels, {2}) is None
    assert linear_probe(train, torch.zeros_like(train_labels), test, test_labels, {2}) is None
    assert measure_class_means(train[:0], train_labels[:0], test, test_labels, CLASSES, {2}) is None
    assert measure_class_means(train * float("inf"), train_labels, test, test_labels, CLASSES, {2}) is None
    for part in (train, test):  # one value in one class
        broken = part.clone()
        broken[0, 0] = float("nan")
        both = (broken, test) if part is train else (train, broken)
        assert measure_class_means(both[0], train_labels, both[1], test_labels, CLASSES, {2}) is None
    assert measure_clustering(test[:0], test_labels[:0], CLASSES) is None
    assert measure_clustering(test[:3], test_labels[:3], CLASSES) is None
    assert measure_clustering(test * float("nan"), test_labels, CLASSES) is None


def test_class_means_by_hand():
    train = torch.tensor([[0.0, 0.0], [2.0, 0.0], [10.0, 0.0], [10.0, 2.0]])
    labels = torch.tensor([0, 0, 2, 2])
    means, counts = class_means(train, labels, 3)
    assert means.tolist() == [[1.0, 0.0], [0.0, 0.0], [10.0, 1.0]]
    assert counts.tolist() == [2, 0, 2]
    test = torch.tensor([[0.1, 0.0], [5.4, 0.0], [5.7, 0.0], [9.0, 9.0]])
    result = measure_class_means(train, labels, test, torch.tensor([0, 2, 2, 2]), 3, {2})
    assert result.forget == pytest.approx(2 / 3)  # 5.4 is nearer to 1 than to 10; the empty class never wins
    assert result.retain == 1.0


def test_class_means_agree_with_scikit_learn(sets):
    from sklearn.neighbors import NearestCentroid

    train, train_labels, test, test_labels = sets
    alive = slice(0, 6)  # scikit-learn warns about the dead channel
    model = NearestCentroid().fit(train[:, alive].double().numpy(), train_labels.numpy())
    found = model.predict(test[:, alive].double().numpy())
    result = measure_class_means(train, train_labels, test, test_labels, CLASSES, {1})
    truth = test_labels.numpy()
    assert result.forget == pytest.approx((found == 1)[truth == 1].mean())
    assert result.retain == pytest.approx((found == truth)[truth != 1].mean())


def test_nmi_by_closed_forms():
    labels = np.array([0, 0, 1, 1, 2, 2])
    assert nmi(labels, (labels + 1) % 3) == pytest.approx(1.0)  # names of clusters don't matter
    assert nmi(np.repeat([0, 1], 8), np.tile([0, 1], 8)) == pytest.approx(0.0, abs=1e-12)
    # merging two of three equal classes: I = H(clusters) = ln 3 − (2/3) ln 2, H(labels) = ln 3
    merged = np.log(3) - 2 / 3 * np.log(2)
    assert nmi(labels, np.array([0, 0, 1, 1, 1, 1])) == pytest.approx(2 * merged / (np.log(3) + merged))


def test_clusters_of_separate_blobs_are_the_classes():
    rows, labels = blobs(400, 3, spread=0.05)
    result = measure_clustering(rows, labels, CLASSES, {1})
    assert result.nmi == pytest.approx(1.0)
    forget = (labels == 1).double().mean()
    entropy = float(torch.special.entr(torch.stack([forget, 1 - forget])).sum())
    shares = torch.bincount(labels).double() / len(labels)
    assert result.forget_vs_rest == pytest.approx(2 * entropy / (entropy + float(torch.special.entr(shares).sum())))
    assert result == measure_clustering(rows, labels, CLASSES, {1})


def test_collapsed_features_share_one_cluster():
    assert len(set(k_means(np.ones((20, 3)), 4))) == 1
    assert measure_clustering(torch.ones(20, 3), torch.arange(20) % 4, CLASSES).nmi == 0.0


def test_the_probe_states_all_that_its_fit_depends_on(sets, monkeypatch):
    """A default of scikit-learn may change from one version to the next."""
    import sklearn.linear_model

    asked, fit = [], sklearn.linear_model.LogisticRegression
    monkeypatch.setattr(sklearn.linear_model, "LogisticRegression", lambda **given: asked.append(given) or fit(**given))
    train, train_labels, test, test_labels = sets
    assert linear_probe(train, train_labels, test, test_labels, {1}) is not None
    assert asked == [{"C": 1.0, "tol": 1e-4, "max_iter": 500}]
