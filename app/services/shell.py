"""What services and pages may ask of the window around them, and the services that all others build on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.services.notifications import Notifications
from app.services.project import PageStates, ProjectState
from app.services.settings import Settings
from app.services.trust import TrustedFiles
from app.services.window_state import WindowState
from app.workers.jobs import JobHandle, Jobs
from core.files import runs_home, user_path


@dataclass(frozen=True)
class Activity:
    """Something that goes on: `total` 0 is without a measure, `on_cancel` offers *Cancel*."""

    text: str
    done: float = 0
    total: float = 0
    on_cancel: Callable[[], object] | None = None


class Shell(QObject):
    """The window as its services see it. It listens to these signals; without a window nobody does."""

    page_wanted = Signal(str)
    said = Signal(str)
    device_named = Signal(str, str)  # its name, and what is to be minded about it
    activity_changed = Signal(str, object)  # key; an Activity, or None where it has ended
    current_page = ""  # the page in view, as the window says

    def follow(
        self, handle: JobHandle, key: str, text: str = "", on_cancel: Callable[[], object] | None = None
    ) -> None:
        """Show a job's progress in the status line until it ends; `text` stands there before it tells anything."""

        def show(text: str, done: int = 0, total: int = 0) -> None:
            self.activity_changed.emit(key, Activity(text, done, total, on_cancel=on_cancel))

        if text:
            show(text)
        handle.then(progress=show, finished=lambda: self.activity_changed.emit(key, None))


@dataclass(kw_only=True)
class Services:
    """What every other service needs, and pages too."""

    settings: Settings
    window_state: WindowState
    notifications: Notifications
    jobs: Jobs  # short jobs, two workers
    device_jobs: Jobs  # anything that needs a model on the device, one worker
    project: ProjectState
    page_states: PageStates
    shell: Shell
    trust: TrustedFiles = field(default_factory=TrustedFiles)  # what may run program code, in this session

    def runs_folder(self) -> Path:
        """Where new runs go."""
        chosen = self.settings.values.runs_folder
        return user_path(chosen) if chosen else runs_home()

    def show_page(self, page_id: str) -> None:
        """Bring a page into view."""
        self.shell.page_wanted.emit(page_id)
