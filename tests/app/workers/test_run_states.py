"""The table of states: every walk a user can take ends, and buttons follow from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.workers.live_run import ACTIONS, ENDS, TERMINAL, TRANSITIONS
from core.events import ACTIVE, State


@given(st.lists(st.integers(0, 10), max_size=30), st.sampled_from([State.QUEUED, State.INTERRUPTED]))
def test_any_walk_along_the_table_stays_in_it_and_can_reach_an_end(choices, start):
    state = start
    for choice in choices:
        following = sorted(TRANSITIONS[state])
        if not following:
            break
        state = following[choice % len(following)]
    reachable, frontier = set(), {state}
    while frontier:
        reachable |= frontier
        frontier = {s for f in frontier for s in TRANSITIONS[f]} - reachable
    assert reachable & TERMINAL


def test_terminal_states_have_no_way_out_and_active_ones_do():
    assert {State.STOPPED, State.DISCARDED, State.FINISHED, State.FAILED} == TERMINAL
    assert not ACTIVE & TERMINAL
    assert all(TRANSITIONS[state] for state in ACTIVE)


@pytest.mark.parametrize(
    ("state", "allowed"),
    [
        (State.QUEUED, set()),
        (State.PREPARING, {"stop", "discard", "leave"}),
        (State.RUNNING, {"pause", "stop", "discard", "leave", "checkpoint"}),
        (State.PAUSED, {"resume", "stop", "discard", "leave", "checkpoint"}),
        (State.STOPPING, set()),
        (State.DISCARDING, set()),
        (State.FINISHED, set()),
        (State.INTERRUPTED, set()),
    ],
)
def test_what_a_user_may_do(state, allowed):
    assert {action for action, states in ACTIONS.items() if state in states} == allowed


@pytest.mark.parametrize("action", ENDS)
def test_what_ends_a_run_leads_along_the_table(action):
    assert all(ENDS[action] in TRANSITIONS[state] for state in ACTIONS[action])
