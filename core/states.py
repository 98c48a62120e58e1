"""The states of a run and the one table of transitions; buttons and commands are derived from it."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """A run's state; the value is what status.json holds."""

    QUEUED = "queued"
    PREPARING = "preparing"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"
    DISCARDING = "discarding"
    DISCARDED = "discarded"
    FINISHED = "finished"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


def named(value: str) -> State | None:
    """Return the state of this name; None for one that only a newer version knows."""
    return State.__members__.get(str(value).upper())


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
ACTIVE = frozenset({State.PREPARING, State.RUNNING, State.PAUSED, State.STOPPING, State.DISCARDING})

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


def move(current: State, following: State) -> State:
    """Return `following`; raises ValueError where the table has no such transition."""
    if following not in TRANSITIONS[current]:
        raise ValueError(f"a run cannot go from {current} to {following}")
    return following
