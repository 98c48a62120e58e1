"""Runs are deleted to the trash, in a worker; where there is none, only after asking again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QFile, QObject
from PySide6.QtWidgets import QWidget

from app.dialogs.confirm import Choice, ask
from app.services import format as fmt
from core.errors import AppError
from core.runs.folder import RunFolder

if TYPE_CHECKING:
    from app.context import AppContext

log = logging.getLogger(__name__)


@dataclass
class Outcome:
    """What became of the runs that were to be deleted."""

    gone: list[RunFolder] = field(default_factory=list)
    busy: list[RunFolder] = field(default_factory=list)  # somebody works on them
    refused: list[RunFolder] = field(default_factory=list)  # the trash does not take them
    failed: list[tuple[RunFolder, Exception]] = field(default_factory=list)


def ask_delete(
    context: AppContext, folders: Sequence[RunFolder], parent: QWidget, then: Callable[[], object] | None = None
) -> None:
    """Ask, then move to the trash; `then` is called where something was deleted."""
    if not folders:
        return

    def answered(answer: str) -> None:
        if answer == "delete":
            delete(context, folders, parent, then)

    ask(
        parent, f"Move {_named(folders)} to the trash?",
        [Choice("keep", "Keep"), Choice("delete", "Move to trash", destructive=True)],
        answered, "Its model, report and checkpoints go with it. The original model is not touched.",
    )  # fmt: skip


def delete(
    context: AppContext,
    folders: Sequence[RunFolder],
    parent: QWidget,
    then: Callable[[], object] | None = None,
    to_trash: Callable[[Path], bool] | None = None,
) -> None:
    """Move runs to the trash; for those the system's trash does not take, ask whether to delete them for good."""
    Deletion(context, parent, then).start(folders, to_trash or _to_trash)


class Deletion(QObject):
    """One order to delete runs. While it is carried out the runs say so in the list, and the status line how far it is:
    a folder of checkpoints on a network takes its time.
    """  # noqa: D205

    def __init__(self, context: AppContext, window: QWidget, then: Callable[[], object] | None) -> None:
        super().__init__(window)
        self._context, self._window, self._then = context, window, then
        self._folders: Sequence[RunFolder] = ()
        self._words = ""
        self._key = f"delete {id(self)}"

    def start(self, folders: Sequence[RunFolder], to_trash: Callable[[Path], bool]) -> None:
        """Move runs to the trash."""
        self._begin(folders, f"Moving {_named(folders)} to the trash")
        handle = self._context.jobs.submit(move_to_trash, folders, to_trash)
        handle.done.connect(self._moved)
        self._follow(handle)

    def _begin(self, folders: Sequence[RunFolder], words: str) -> None:
        self._folders, self._words = folders, words
        if self._context.run_library is not None:
            self._context.run_library.set_deleting([folder.path for folder in folders])
        self._progressed("", 0, 0)

    def _follow(self, handle: Any) -> None:
        handle.failed.connect(self._context.notifications.error)
        handle.progress.connect(self._progressed)
        handle.finished.connect(self._ended)

    def _progressed(self, _what: str, done: int, total: int) -> None:
        if self._context.status is not None:
            self._context.status.set_activity(self._key, self._words, done, total if total > 1 else 0)

    def _ended(self) -> None:
        if self._context.status is not None:
            self._context.status.end_activity(self._key)
        if self._context.run_library is not None:
            self._context.run_library.set_deleting([folder.path for folder in self._folders], on=False)

    def _moved(self, outcome: Outcome) -> None:
        notifications = self._context.notifications
        if outcome.busy:
            notifications.caution(f"{outcome.busy[0].id} is in use.", "Stop the run first.")
        if outcome.gone:
            notifications.info(f"{fmt.plural(len(outcome.gone), 'run')} moved to the trash.")
            self._gone(outcome.gone)
        if not outcome.refused:
            return
        refused = outcome.refused
        names = refused[0].id if len(refused) == 1 else fmt.plural(len(refused), "run")

        def answered(answer: str) -> None:
            if answer == "delete":
                self._delete_for_good(refused)

        ask(
            self._window, f"The trash does not take {names}. Delete for good?",
            [Choice("keep", "Keep"), Choice("delete", "Delete for good", destructive=True)],
            answered, str(refused[0].path),
        )  # fmt: skip

    def _delete_for_good(self, folders: Sequence[RunFolder]) -> None:
        self._begin(folders, f"Deleting {_named(folders)}")
        handle = self._context.jobs.submit(delete_for_good, folders)
        handle.done.connect(self._deleted)
        self._follow(handle)

    def _deleted(self, outcome: Outcome) -> None:
        for folder, error in outcome.failed:
            self._context.notifications.error(error, f"{folder.id} was not deleted")
        if outcome.gone:
            self._context.notifications.info(f"{fmt.plural(len(outcome.gone), 'run')} deleted.")
        self._gone(outcome.gone)

    def _gone(self, folders: Sequence[RunFolder]) -> None:
        if not folders:
            return
        paths = {folder.path for folder in folders}
        shown = self._context.project.run
        if shown is not None and shown.path in paths:
            self._context.project.set_run(None)
        if self._context.run_library is not None:
            self._context.run_library.drop(paths)
        if self._then is not None:
            self._then()


def move_to_trash(
    folders: Sequence[RunFolder], to_trash: Callable[[Path], bool], progress: Any, cancelled: Any
) -> Outcome:
    """Move runs to the trash one after the other; runs in a worker."""
    outcome = Outcome()
    for number, folder in enumerate(folders):
        if cancelled():
            break
        progress(folder.id, number, len(folders))
        if folder.locked:
            outcome.busy.append(folder)
        else:
            (outcome.gone if to_trash(folder.path) else outcome.refused).append(folder)
    return outcome


def delete_for_good(folders: Sequence[RunFolder], progress: Any, cancelled: Any) -> Outcome:
    """Delete runs one after the other; runs in a worker."""
    outcome = Outcome()
    for number, folder in enumerate(folders):
        if cancelled():
            break
        progress(folder.id, number, len(folders))
        try:
            folder.delete()
            outcome.gone.append(folder)
        except (AppError, OSError) as error:
            outcome.failed.append((folder, error))
    return outcome


def _named(folders: Sequence[RunFolder]) -> str:
    return f"the run {folders[0].id}" if len(folders) == 1 else fmt.plural(len(folders), "run")


def _to_trash(path: Path) -> bool:
    try:
        return bool(QFile(str(path)).moveToTrash())
    except OSError:
        log.info("%s was not taken by the trash", path, exc_info=True)
        return False
