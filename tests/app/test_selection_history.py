"""Undo of the forget set, held against a list of everything that happened."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.services.project import History
from core.selection import Selection


def selection(labels, chosen=()):
    return Selection.empty(np.array(labels, dtype=np.int64), ("cat", "dog", "cow")).with_samples(chosen)


class HistoryMachine(RuleBasedStateMachine):
    """Held against a plain list of all selections and a position in it."""

    @initialize()
    def start(self):
        self.history = History(selection([0, 0, 1, 1, 2]), limit=4)
        self.steps, self.at, self.floor = [self.history.current], 0, 0

    @rule(ids=st.sets(st.integers(0, 4)), weight=st.sampled_from([1.0, 0.5]))
    def push(self, ids, weight):
        s = selection([0, 0, 1, 1, 2]).with_samples(ids, weights=np.full(len(ids), weight))
        self.history.push(s)
        if s != self.steps[self.at]:
            self.steps[self.at + 1 :] = [s]
            self.at += 1
            self.floor = max(self.floor, self.at - 4)

    @rule()
    def undo(self):
        self.at = max(self.at - 1, self.floor)
        assert self.history.undo() == self.steps[self.at]

    @rule()
    def redo(self):
        self.at = min(self.at + 1, len(self.steps) - 1)
        assert self.history.redo() == self.steps[self.at]

    @invariant()
    def agrees(self):
        assert self.history.current == self.steps[self.at]
        assert self.history.can_undo == (self.at > self.floor)
        assert self.history.can_redo == (self.at < len(self.steps) - 1)


TestHistory = HistoryMachine.TestCase


def test_an_equal_selection_is_no_step():
    history = History(selection([0, 1]))
    history.push(selection([0, 1]))
    assert not history.can_undo
