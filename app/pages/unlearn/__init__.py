"""The Unlearn page: choose a method, start, watch, stop; and look back at any run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.pages.unlearn.page import UnlearnPage

if TYPE_CHECKING:
    from app.context import AppContext

__all__ = ["UnlearnPage", "create"]


def create(context: AppContext) -> UnlearnPage:
    """Make the page."""
    return UnlearnPage(context)
