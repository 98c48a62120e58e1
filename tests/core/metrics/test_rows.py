from __future__ import annotations

import numpy as np
import torch

from core.metrics.rows import Rows, stratified_subset


def test_a_subset_keeps_the_shares_and_every_class():
    labels = np.repeat([0, 1, 2], [6000, 2990, 10])
    chosen = stratified_subset(labels, 600, seed=1)
    assert np.bincount(labels[chosen]).tolist() == [400, 199, 1]
    assert (np.diff(chosen) > 0).all()


def test_it_is_the_same_each_time_and_differs_by_seed():
    labels = np.arange(1000) % 7
    first = stratified_subset(labels, 100)
    assert np.array_equal(first, stratified_subset(labels, 100))
    assert not np.array_equal(first, stratified_subset(labels, 100, seed=1))


def test_everything_where_it_fits():
    assert stratified_subset(np.array([2, 0, 2]), 3).tolist() == [0, 1, 2]


def test_many_small_classes_do_not_exceed_the_budget():
    labels = np.concatenate([np.arange(4000), np.full(8000, 4000)])
    chosen = stratified_subset(labels, 6000)
    assert len(chosen) == len(set(chosen.tolist())) == 6000  # 4,000 + 4,000 before
    assert set(labels[chosen].tolist()) == set(range(4001))
    assert len(stratified_subset(np.arange(8000), 6000)) == 6000


def test_an_edited_copy_leaves_the_table_as_it_was():
    table = torch.arange(12.0).reshape(4, 3)
    before, edited = table.clone(), Rows(table, silenced=[1], value=-5.0)
    assert (
        (edited.ndim, tuple(edited.shape), len(edited))
        == (table.ndim, tuple(table.shape), len(table))
        == (2, (4, 3), 4)
    )
    wanted = torch.tensor([[0.0, -5.0, 2.0], [3.0, -5.0, 5.0]])
    assert torch.equal(edited[:2], wanted) and torch.equal(edited[torch.tensor([0, 1])], wanted)
    assert torch.equal(next(edited.split(2)), wanted) and torch.equal(edited[0], wanted[0])
    assert torch.equal(table, before)
    assert torch.equal(Rows(edited, torch.tensor([3, 1]))[:1], torch.tensor([[9.0, -5.0, 11.0]]))
    assert torch.equal(table, before)
