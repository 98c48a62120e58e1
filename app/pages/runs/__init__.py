"""The Runs page: all runs known, and those that wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.pages.runs.page import RunsView
from app.pages.runs.presenter import RunsPresenter

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from app.context import AppContext

__all__ = ["RunsPage"]


class RunsPage(RunsView):
    """Opens, resumes, compares, checks, starts again and deletes runs."""

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        self.presenter = RunsPresenter(context, self)
