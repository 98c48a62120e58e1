"""The Forget page: chooses what to forget, by class, by image, by place on a map or from a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.pages.forget.page import ForgetPage

if TYPE_CHECKING:
    from app.context import AppContext

__all__ = ["ForgetPage", "create"]


def create(context: AppContext) -> ForgetPage:
    """Make the page."""
    return ForgetPage(context)
