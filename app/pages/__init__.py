"""The pages in the order of the rail; each is imported when it is first shown, so that one cannot break another."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from app.context import AppContext
    from app.main_window import PageSpec

# id, name in the rail, title in the header
PAGES = (
    ("project", "Project", "Model and data"),
    ("forget", "Forget", "What to forget"),
    ("unlearn", "Unlearn", "Unlearn"),
    ("verify", "Verify", "Check the result"),
    ("export", "Export", "Export"),
    ("runs", "Runs", "Runs"),
)


def page_specs() -> list[PageSpec]:
    """Return the pages of the window; the icon of each is called like the page."""
    from app.main_window import PageSpec

    return [
        PageSpec(page_id, name, title, page_id, _factory(page_id), below_line=page_id == "runs")
        for page_id, name, title in PAGES
    ]


def _factory(page_id: str) -> Callable[[AppContext], QWidget]:
    def make(context: AppContext) -> QWidget:
        page: QWidget = importlib.import_module(f"app.pages.{page_id}").create(context)
        return page

    return make
