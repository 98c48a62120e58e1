"""The Project page: opens a model and its data and shows whether they fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.pages.project.page import ProjectPage

if TYPE_CHECKING:
    from app.context import AppContext

__all__ = ["ProjectPage", "create"]


def create(context: AppContext) -> ProjectPage:
    """Make the page."""
    return ProjectPage(context)
