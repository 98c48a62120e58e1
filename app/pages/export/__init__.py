"""The Export page: the checkpoint in the form it came in or another, and what is still kept of the forget images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.pages.export.page import ExportPage

if TYPE_CHECKING:
    from app.context import AppContext

__all__ = ["ExportPage", "create"]


def create(context: AppContext) -> ExportPage:
    """Make the page."""
    return ExportPage(context)
