"""The Verify page: a run's result compared with original, head-only edit and retrained models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.pages.verify.page import VerifyView
from app.pages.verify.presenter import VerifyPresenter

if TYPE_CHECKING:
    from app.context import AppContext

__all__ = ["VerifyPage"]


class VerifyPage(VerifyView):
    """Shows the run in view; works for a live run that ended and for one opened from disk."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.presenter = VerifyPresenter(context, self)

    def entered(self) -> None:
        self.presenter.entered()

    def left(self) -> None:
        self.presenter.left()
