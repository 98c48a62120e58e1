"""Suspicion of labels: confident learning on hand-made numbers, neighbours and spectral signatures on planted ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.metrics.suspicion import NEIGHBOURS, label_doubts, neighbour_shares, spectral_signatures


def test_confident_learning_by_hand():
    # Thresholds: class 0 (0.9 + 0.7 + 0.2) / 3 = 0.6, class 1 (0.7 + 0.5) / 2 = 0.6.
    probabilities = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.3, 0.7], [0.5, 0.5]])
    found = label_doubts(probabilities, np.array([0, 0, 0, 1, 1]))
    assert found.own == pytest.approx([0.9, 0.7, 0.2, 0.7, 0.5])
    assert found.suggested.tolist() == [0, 0, 1, 1, 0]
    # the third reaches class 1's threshold alone; the last one reaches none, so nothing is said of it
    assert found.confident.tolist() == [False, False, True, False, False]


def test_a_label_that_is_the_likeliest_of_all_is_not_taken_for_wrong():
    probabilities = np.array([[0.45, 0.40, 0.15], [0.70, 0.20, 0.10], [0.55, 0.35, 0.10], [0.10, 0.20, 0.70]])
    # Thresholds 0.575, 0.35 and 0.7: the first image reaches that of class 1 alone, and is likeliest of its own.
    found = label_doubts(probabilities, np.array([0, 0, 1, 2]))
    assert found.confident.tolist() == [False, False, False, False]
    assert label_doubts(probabilities, np.array([2, 0, 1, 2])).confident.tolist() == [True, False, False, False]


def test_a_threshold_counts_as_reached():
    found = label_doubts(np.array([[0.75, 0.25], [0.25, 0.75], [0.25, 0.75]]), np.array([0, 0, 1]))  # 0.5 and 0.75
    assert found.confident.tolist() == [False, True, False]


def test_neighbours_vote_and_nobody_for_himself():
    directions = torch.eye(2).repeat_interleave(NEIGHBOURS + 1, 0)  # two classes at right angles
    labels = torch.arange(2).repeat_interleave(NEIGHBOURS + 1)
    labels[0] = 1  # lies among images of class 0
    shares = neighbour_shares(directions, labels, 2)
    assert shares[0].tolist() == [1.0, 0.0]
    assert shares[1].tolist() == pytest.approx([1 - 1 / NEIGHBOURS, 1 / NEIGHBOURS])
    assert shares[-1].tolist() == [0.0, 1.0]


def test_neighbours_of_two_images_and_of_features_that_are_not_finite():
    assert neighbour_shares(torch.ones(2, 3), torch.tensor([0, 1]), 2).tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert not neighbour_shares(torch.full((3, 3), float("nan")), torch.tensor([0, 1, 1]), 2).any()


def test_an_image_that_nobody_voted_on_is_not_doubted_and_moves_no_threshold():
    none = label_doubts(np.zeros((4, 3), np.float32), np.array([0, 1, 2, 2]))
    assert none.own.tolist() == [1] * 4 and none.suggested.tolist() == [0, 1, 2, 2] and not none.confident.any()
    shares, labels = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.3, 0.7]]), np.array([0, 0, 0, 1])
    asked = label_doubts(shares, labels)
    beside = label_doubts(np.vstack([shares, np.zeros((3, 2))]), np.array([*labels, 0, 1, 1]))
    assert beside.confident[:4].tolist() == asked.confident.tolist() and asked.confident.any()
    assert not beside.confident[4:].any()


def test_spectral_signatures_are_the_squared_projection_onto_the_first_singular_vector():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(60, 5, generator=generator)
    features[:6, 2] += 9  # a tenth of class 0 carries something of its own
    labels = torch.zeros(60, dtype=torch.int64)
    labels[50:] = 1
    scores = spectral_signatures(features, labels, 3)
    rows = features[:50].double().numpy()
    rows -= rows.mean(0)
    squares = (rows @ np.linalg.svd(rows)[2][0]) ** 2
    usual = np.sort(squares)[24]  # torch's median of an even number is the lower one
    assert scores[:50] == pytest.approx(squares / usual, rel=1e-4)
    assert set(np.argsort(-scores[:50])[:6]) == set(range(6))
