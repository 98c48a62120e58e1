"""The Unlearn page: choose a method, start, watch, stop; and look back at any run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.pages.unlearn.page import UnlearnView
from app.pages.unlearn.presenter import UnlearnPresenter

if TYPE_CHECKING:
    from app.context import AppContext

__all__ = ["UnlearnPage"]


class UnlearnPage(UnlearnView):
    """The page with its presenter."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.presenter = UnlearnPresenter(context, self)

    def entered(self) -> None:
        self.presenter.entered()
