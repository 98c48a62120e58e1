"""What the view of a run is told: of the run in view alone, and of no run where there is none."""

from __future__ import annotations

from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from app.pages.unlearn.run_presenter import OverlaidRuns, RunPresenter


@pytest.fixture
def presenter():
    """What the methods below look at: two runs, the first in view."""
    first, second = (SimpleNamespace(name=name, error="", steps=7, planned=None, state=None) for name in "ab")
    return Mock(_run=first, _verdict="verdict"), first, second


def test_only_the_run_in_view_changes_the_bar(presenter):
    view, first, second = presenter
    RunPresenter._changed(view, second)
    assert not view._view.bar.show_run.called and not view._show_banners.called
    RunPresenter._changed(view, first)
    view._view.bar.show_run.assert_called_once_with(first, "verdict")
    assert not view._show_banners.called
    first.error = second.error = "It is gone."
    RunPresenter._changed(view, second)
    assert not view._show_banners.called
    RunPresenter._changed(view, first)
    view._show_banners.assert_called_once_with(first)


def test_the_end_of_the_run_in_view_is_shown_and_that_of_a_check_looks_for_others(presenter):
    view, first, second = presenter
    second.kind = "unlearn"
    RunPresenter._ended(view, second)
    assert not view._show_state.called and not view._ask_others.called
    second.kind = "check"
    RunPresenter._ended(view, second)
    assert not view._show_state.called
    view._ask_others.assert_called_once_with(first)
    RunPresenter._ended(view, first)
    view._show_state.assert_called_once_with(first)


@pytest.mark.parametrize(("steps", "slider"), [(40, 40), (None, 0)])
def test_the_slider_reaches_as_far_as_the_run_and_nowhere_without_one(steps, slider):
    run = None if steps is None else SimpleNamespace(steps=steps)
    view = Mock(_read={}, wanted=list, _context=Mock(project=Mock(run=run)))
    OverlaidRuns._draw(view)
    view._view.update_slider.assert_called_once_with(slider)
