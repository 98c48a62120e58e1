"""Wires what has to do with runs: commands, rail and status line, known runs, the close guard, interrupted runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

if TYPE_CHECKING:
    from app.context import AppContext


def install_runs(context: AppContext, window: QWidget, *, ask_interrupted: bool = True) -> None:
    """Call once, when controller and window are there. `ask_interrupted`: offer interrupted runs of before."""
    from app.dialogs.batch import BatchQueue
    from app.dialogs.runs import InterruptedRuns, RunCloseGuard, WaitingRuns
    from app.services.commands import RunCommands
    from app.services.run_library import RunLibrary
    from app.services.run_status import RunStatus

    context.run_controller.attach_window(window)
    RunCommands(context)
    context.actions.install(window)
    RunStatus(context)
    BatchQueue(context, window)
    context.close_guard = RunCloseGuard(context, window)
    library = context.run_library = RunLibrary(context)
    if ask_interrupted:
        interrupted = InterruptedRuns(context, window)
        interrupted.answered.connect(WaitingRuns(context, window).look)  # it began before them: it goes on before them
        library.first_read.connect(lambda: interrupted.offer(library.rows))
    library.refresh()
