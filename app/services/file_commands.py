"""The commands that open something: a model, data, a run, a batch file, a forget list, the example."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

from app.dialogs import sheet

if TYPE_CHECKING:
    from app.context import AppContext


def register_file_commands(context: AppContext, window: QWidget) -> None:
    """Register them; what was chosen is opened whatever page is in view, and its page comes into view."""
    project = context.project

    def why_no_list() -> str:
        return "" if project.dataset is not None else "Open the data first: a forget list names its images."

    def ask(dialog: sheet.Asking, page: str) -> None:
        if page:
            context.show_page(page)
        dialog(context, window)

    def open_example() -> None:
        context.show_page("project")
        context.opening.open_example()

    add = context.actions.add
    add("file.model", "Open a &model…", partial(ask, sheet.ask_model, "project"), menu="file", icon="model",
        shortcut="Ctrl+O")  # fmt: skip
    add("file.data", "Open a &data folder…", partial(ask, sheet.ask_data_folder, "project"), menu="file", icon="data",
        shortcut="Ctrl+Shift+O")  # fmt: skip
    add("file.data_file", "Open a data &file…", partial(ask, sheet.ask_data_file, "project"), menu="file", icon="file")
    add("file.example", "Open the e&xample", open_example, menu="file", icon="unlearn",
        tip="A small network and the handwritten digits it was trained on")  # fmt: skip
    add("file.run", "Open a &run folder…", partial(ask, sheet.ask_run, ""), menu="file", icon="runs")
    add("file.batch", "Open a &batch file…", partial(ask, sheet.ask_batch, ""), menu="file", icon="runs",
        tip="Queue the runs of a batch file (TOML)")  # fmt: skip
    add("file.list", "Import a forget &list…", partial(ask, sheet.ask_list, "forget"), menu="file", icon="forget",
        why_disabled=why_no_list)  # fmt: skip
