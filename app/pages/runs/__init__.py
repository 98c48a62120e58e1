"""The Runs page: all runs known, and those that wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.pages.runs.page import RunsPage

if TYPE_CHECKING:
    from app.context import AppContext

__all__ = ["RunsPage", "create"]


def create(context: AppContext) -> RunsPage:
    """Make the page."""
    return RunsPage(context)
