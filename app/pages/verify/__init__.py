"""The Verify page: a run's result held against original, head-only edit and retrained models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.pages.verify.page import VerifyPage

if TYPE_CHECKING:
    from app.context import AppContext

__all__ = ["VerifyPage", "create"]


def create(context: AppContext) -> VerifyPage:
    """Make the page."""
    return VerifyPage(context)
