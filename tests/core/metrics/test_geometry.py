"""Pictures of feature spaces: the plane against scikit-learn, the turn against a rotation known beforehand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.metrics.geometry import orthogonal_fit, principal_plane, principal_projection, turned_projection

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def clusters() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    labels = torch.arange(5).repeat_interleave(40)
    centres = torch.randn(5, 12, generator=generator) * 4
    return centres[labels] + torch.randn(200, 12, generator=generator), labels


def rotation(size: int, seed: int) -> torch.Tensor:
    return torch.linalg.qr(torch.randn(size, size, generator=torch.Generator().manual_seed(seed)))[0]


def test_the_plane_is_that_of_scikit_learn(clusters):
    from sklearn.decomposition import PCA

    features, _ = clusters
    reference = PCA(2, svd_solver="full").fit(features.double().numpy())
    expected = reference.transform(features.double().numpy())
    found = principal_projection(features)
    for axis in range(2):
        assert np.allclose(np.abs(found.points[:, axis]), np.abs(expected[:, axis]), atol=1e-6)
    assert found.explained == pytest.approx(reference.explained_variance_ratio_.sum(), abs=1e-9)


def test_the_same_features_give_the_same_picture_whatever_their_sign(clusters):
    features, _ = clusters
    found = principal_projection(features)
    assert torch.equal(found.points, principal_projection(features.clone()).points)
    # PCA of −F is −(PCA of F) up to signs; fixing signs by the largest entry of the direction shows F mirrored.
    assert torch.allclose(principal_projection(-features).points, -found.points)


def test_a_model_that_differs_by_a_rotation_of_its_features_gives_the_same_picture(clusters):
    features, labels = clusters
    first = turned_projection(features, labels, range(5))
    second = turned_projection(features @ rotation(12, 5), labels, range(5), onto=first)
    assert torch.allclose(first.points, second.points, atol=1e-4)
    assert second.explained == pytest.approx(first.explained)


def test_the_fit_looks_at_retain_classes_only(clusters):
    features, labels = clusters
    first = turned_projection(features, labels, (0, 1, 2))
    moved = features.clone()
    moved[labels == 4] = -3 * features[labels == 4]
    free = turned_projection(moved, labels, (0, 1, 2), onto=first)
    means = torch.stack([free.points[labels == c].mean(0) for c in (0, 1, 2)])
    targets = torch.stack([first.points[labels == c].mean(0) for c in (0, 1, 2)])
    best = orthogonal_fit(means, targets)
    assert torch.allclose(best, torch.eye(2, dtype=torch.float64), atol=1e-8)  # nothing is left to turn


def test_turning_keeps_distances_and_does_not_scale(clusters):
    features, labels = clusters
    first = turned_projection(features, labels, range(5))
    second = turned_projection(3 * features, labels, range(5), onto=first)
    assert torch.allclose(torch.pdist(second.points), 3 * torch.pdist(first.points), atol=1e-4)


def test_a_known_rotation_is_found():
    points = torch.randn(30, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    wanted = torch.tensor([[0.6, -0.8], [-0.8, -0.6]], dtype=torch.float64)  # a reflection
    found = orthogonal_fit(points + 7, points @ wanted)
    assert torch.allclose(found, wanted)
    assert torch.allclose(found @ found.T, torch.eye(2, dtype=torch.float64))


def test_with_fewer_than_two_retain_classes_nothing_is_turned(clusters):
    features, labels = clusters
    first = turned_projection(features, labels, range(5))
    alone = turned_projection(features, labels, (2,), onto=first)
    assert torch.equal(alone.points, principal_projection(features).points)


def test_different_samples_cannot_be_turned_onto_each_other(clusters):
    features, labels = clusters
    first = turned_projection(features, labels, range(5))
    with pytest.raises(ValueError, match="150 samples"):
        turned_projection(features[:150], labels[:150], range(5), onto=first)


def test_constant_and_one_channel_features_have_a_picture():
    flat = principal_projection(torch.ones(6, 4))
    assert torch.allclose(flat.points, torch.zeros(6, 2, dtype=torch.float64))
    assert flat.explained == 0.0
    line = principal_projection(torch.arange(6.0).unsqueeze(1))
    assert torch.equal(line.points[:, 1], torch.zeros(6, dtype=torch.float64))
    assert line.explained == pytest.approx(1.0)


def test_features_that_are_not_finite_are_refused(clusters):
    broken = clusters[0].clone()
    broken[3, 1] = float("nan")
    with pytest.raises(ValueError, match=r"NaN|finite"):
        principal_projection(broken)


def test_the_plane_of_a_map_is_that_of_most_variance(clusters):
    features = clusters[0].double().numpy()
    plane = principal_plane(clusters[0])
    assert plane is not None
    centred = features - features.mean(0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:2].T
    axes = axes * np.sign((axes * plane.axes.numpy()).sum(0))
    expected = centred @ axes
    radius = np.sqrt((expected**2).sum(1).mean())
    np.testing.assert_allclose(plane.points.numpy(), expected / radius, atol=1e-9)
    np.testing.assert_allclose(plane.axes.numpy(), axes, atol=1e-9)
    np.testing.assert_allclose(plane.centre.numpy(), features.mean(0), atol=1e-9)
    assert plane.radius == pytest.approx(radius)
    assert plane.share == pytest.approx((expected**2).sum() / (centred**2).sum())
    wide = torch.cat([clusters[0][:40], torch.zeros(40, 60)], dim=1)  # through the other Gram matrix
    narrow, through = principal_plane(clusters[0][:40]), principal_plane(wide)
    assert narrow is not None and through is not None
    torch.testing.assert_close(narrow.points, through.points)


def test_a_plane_is_turned_in_itself_to_have_the_last_samples_on_the_right(clusters):
    plain, turned = principal_plane(clusters[0]), principal_plane(clusters[0], first=160)
    assert plain is not None and turned is not None
    apart = turned.points[160:].mean(0) - turned.points[:160].mean(0)
    assert float(apart[0]) > 0 and float(apart[1]) == pytest.approx(0, abs=1e-9)
    torch.testing.assert_close(torch.pdist(turned.points), torch.pdist(plain.points))
    torch.testing.assert_close((clusters[0].double() - turned.centre) @ turned.axes / turned.radius, turned.points)
    torch.testing.assert_close(turned.seen(clusters[0])[0], turned.points, atol=1e-6, rtol=0)


def test_what_only_turned_has_not_moved_on_the_map(clusters):
    features = clusters[0]
    plane = principal_plane(features)
    assert plane is not None
    wider = torch.cat([features, torch.zeros(200, 70)], dim=1) @ rotation(82, 5)  # another network's axes and size
    for same in (features, 7 * features @ rotation(12, 5) + 3, -wider):
        points, share = plane.seen(same)
        torch.testing.assert_close(points, plane.points, atol=1e-4, rtol=0)
        assert share == pytest.approx(plane.share, abs=1e-6)


def test_what_moved_shows_and_no_turn_would_bring_it_nearer(clusters):
    features, labels = clusters
    plane = principal_plane(features)
    assert plane is not None
    moved = features.clone()
    moved[labels == 4] = features[labels == 1]  # one class has become another
    points, _ = plane.seen(moved)
    assert torch.allclose(points[labels == 4], points[labels == 1])
    centred = (moved - moved.mean(0)).double()
    start = (features - features.mean(0)).double()
    left, values, right = np.linalg.svd((centred.T @ start).numpy())
    turned = centred.numpy() @ left @ right * values.sum() / float(centred.square().sum())  # as SciPy's does
    np.testing.assert_allclose(points.numpy(), turned @ plane.axes.numpy() / plane.radius, atol=1e-6)
    off = np.linalg.norm(turned - start.numpy())
    for seed in range(20):
        other = centred.numpy() @ rotation(12, seed).double().numpy()
        scale = (other * start.numpy()).sum() / (other**2).sum()
        assert np.linalg.norm(scale * other - start.numpy()) > off


def test_features_of_nothing_are_not_turned_into_the_picture_of_the_start(clusters):
    plane = principal_plane(clusters[0])
    assert plane is not None
    noise = torch.randn(200, 2048, generator=torch.Generator().manual_seed(2))  # more channels than samples
    points, _ = plane.seen(noise)
    assert float(points.square().sum(1).mean()) < 0.1


def test_features_without_a_plane_have_none(clusters):
    broken = clusters[0].clone()
    broken[0, 0] = float("inf")
    for features in (broken, torch.ones(6, 4), torch.randn(6, 1), clusters[0][:1]):
        assert principal_plane(features) is None
    assert principal_plane(clusters[0][:, :2]) is not None  # two channels are a plane already
    plane = principal_plane(clusters[0])
    assert plane is not None
    for features in (broken, torch.ones(200, 12)):
        points, share = plane.seen(features)
        assert bool(points.isnan().all()) and share is None
