"""The one table of how a run's state may change; buttons and commands are derived from it."""

from __future__ import annotations

from core.events import State

TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.PREPARING, State.DISCARDED}),
    State.PREPARING: frozenset({State.RUNNING, State.STOPPING, State.DISCARDING, State.FAILED}),
    State.RUNNING: frozenset({State.PAUSED, State.STOPPING, State.DISCARDING, State.FINISHED, State.FAILED}),
    State.PAUSED: frozenset({State.RUNNING, State.STOPPING, State.DISCARDING, State.FAILED}),
    # From PREPARING there is nothing to keep: STOPPING ends as DISCARDED.
    State.STOPPING: frozenset({State.STOPPED, State.DISCARDED, State.FAILED}),
    State.DISCARDING: frozenset({State.DISCARDED}),
    State.INTERRUPTED: frozenset({State.PREPARING, State.DISCARDED}),
    State.STOPPED: frozenset(),
    State.DISCARDED: frozenset(),
    State.FINISHED: frozenset(),
    State.FAILED: frozenset(),
}

TERMINAL = frozenset(state for state, following in TRANSITIONS.items() if not following)

# What a user may ask for, and the state it leads to.
ACTIONS: dict[str, State] = {
    "pause": State.PAUSED,
    "resume": State.RUNNING,
    "stop": State.STOPPING,
    "discard": State.DISCARDING,
}


def can(state: State, action: str) -> bool:
    """Tell whether a user's action is allowed: pause, resume, stop, discard, checkpoint or start again (restart)."""
    if action == "checkpoint":
        return state in (State.RUNNING, State.PAUSED)
    if action == "restart":
        return state is State.INTERRUPTED
    if action == "resume":
        return state is State.PAUSED
    return ACTIONS[action] in TRANSITIONS[state]
