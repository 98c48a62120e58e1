"""The Forget page: chooses what to forget, by class, by image, by place on a map or from a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.pages.forget.page import SPLITTER, ForgetView
from app.pages.forget.presenter import ForgetPresenter

if TYPE_CHECKING:
    from app.context import AppContext

__all__ = ["ForgetPage"]


class ForgetPage(ForgetView):
    """The page with its presenter."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.presenter = ForgetPresenter(context, self)

    def entered(self) -> None:
        self.presenter.entered()

    def left(self) -> None:
        self.presenter.left()
        self.context.window_state.save_splitter(SPLITTER, self.splitter)
