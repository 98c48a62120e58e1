"""What the window says of a search that goes or waits."""

from __future__ import annotations

from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from app.pages.unlearn import search_presenter
from app.pages.unlearn.search_presenter import SearchPresenter
from core.events import State


@pytest.mark.parametrize(
    ("state", "progress", "shown", "can_stop"),
    [
        (State.RUNNING, (3, 9), (3, 9), True),
        (State.RUNNING, None, (0, 0), True),
        (State.RUNNING, (3, 9), (3, 9), False),
        (State.QUEUED, (3, 9), (0, 0), True),
        (State.QUEUED, None, (0, 0), False),
    ],
)
def test_how_far_a_search_is_is_shown_once_it_goes(monkeypatch, state, progress, shown, can_stop):
    monkeypatch.setattr(search_presenter.words, "headline", lambda run: "Searching")
    told = SimpleNamespace(done=progress[0], total=progress[1]) if progress else None
    run = SimpleNamespace(state=state, progress=told, can=lambda what: can_stop)
    presenter = Mock(_run=run)
    SearchPresenter._told(presenter, run)
    presenter.dialog.progress.set.assert_called_once_with(*shown, "Searching")
    presenter.dialog.stop.setEnabled.assert_called_once_with(can_stop or state is State.QUEUED)
    presenter.dialog.model.set_tries.assert_called_once_with(presenter._work.tries)
    SearchPresenter._told(presenter, Mock())  # of another run nothing is shown
    assert presenter.dialog.progress.set.call_count == 1 and not presenter._over.called
