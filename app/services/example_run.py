"""The example's run in the window: it starts, and is then held against the retrained models that ship with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from core.errors import AppError
from core.events import State
from core.runs.folder import RunFolder

if TYPE_CHECKING:
    from pathlib import Path

    from app.services.shell import Services
    from app.workers.live_run import LiveRun
    from app.workers.run_controller import RunController
    from core.job import Job
    from core.session.example import Example

RECENT = "example"  # what the window's state calls the runs of the example


class ExampleRun(QObject):
    """Starts the example's run; once it has finished, its check starts by itself, so that the verdict comes unasked."""

    def __init__(self, services: Services, controller: RunController, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._services, self._controller = services, controller
        self._run: LiveRun | None = None
        self._example: Example | None = None
        controller.run_ended.connect(self._ended)

    def start(self, example: Example, job: Job, folder: Path | None = None) -> None:
        """Start the run, into `folder` where one is named, and bring it into view."""
        services = self._services
        self._example = example
        self._run = self._controller.start(job, example.bench, example.selection, folder)
        services.project.set_run(self._run)
        services.window_state.add_recent(RECENT, str(self._run.folder.path))
        services.show_page("unlearn")

    def _ended(self, run: LiveRun) -> None:
        if run is not self._run:
            return
        example, self._run, self._example = self._example, None, None
        if run.state is State.FINISHED and example is not None and example.retrained:
            self._controller.start_reference(run.folder, example.retrained, bench=example.bench, which="full")


def example_seconds(services: Services) -> float | None:
    """Return how long the example's last run took on this machine; None where none has finished here."""
    for path in services.window_state.recent(RECENT):
        try:
            cost = (RunFolder(path).card() or {}).get("cost") or {}
        except AppError:
            continue
        if isinstance(cost.get("seconds"), int | float):
            return float(cost["seconds"])
    return None
