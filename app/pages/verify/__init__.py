"""The Verify page: a run's result compared with original, head-only edit and retrained models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.pages.lanes import LanesPresenter
from app.pages.verify.page import VerifyView
from app.pages.verify.presenter import VerifyPresenter

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from app.context import AppContext

__all__ = ["VerifyPage"]


class VerifyPage(VerifyView):
    """Shows the run in view; works for a live run that ended and for one opened from disk."""

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        self.presenter = VerifyPresenter(context, self)
        self.lanes_presenter = LanesPresenter(context, self.lanes, self)
