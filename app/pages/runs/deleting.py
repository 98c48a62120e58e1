"""Runs are deleted to the trash; where there is none, only after asking again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QFile
from PySide6.QtWidgets import QWidget

from app.dialogs.confirm import Choice, ask
from app.services import format as fmt
from core.errors import AppError
from core.runs.folder import RunFolder

if TYPE_CHECKING:
    from app.context import AppContext

log = logging.getLogger(__name__)


def ask_delete(
    context: AppContext, folders: Sequence[RunFolder], parent: QWidget, then: Callable[[], object] | None = None
) -> None:
    """Ask, then move to the trash; `then` is called where something was deleted."""
    if not folders:
        return
    what = f"the run {folders[0].id}" if len(folders) == 1 else fmt.plural(len(folders), "run")

    def answered(answer: str) -> None:
        if answer == "delete":
            delete(context, folders, parent, then)

    ask(
        parent, f"Move {what} to the trash?",
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
    to_trash = to_trash or _to_trash
    busy = [folder for folder in folders if folder.locked]
    if busy:
        context.notifications.caution(f"{busy[0].id} is in use.", "Stop the run first.")
    left = [folder for folder in folders if folder not in busy]
    refused = [folder for folder in left if not to_trash(folder.path)]
    moved = len(left) - len(refused)
    if moved:
        context.notifications.info(f"{fmt.plural(moved, 'run')} moved to the trash.")
        _gone(context, [folder for folder in left if folder not in refused], then)
    if not refused:
        return
    names = refused[0].id if len(refused) == 1 else fmt.plural(len(refused), "run")

    def answered(answer: str) -> None:
        if answer == "delete":
            _delete_for_good(context, refused, then)

    ask(
        parent, f"The trash does not take {names}. Delete for good?",
        [Choice("keep", "Keep"), Choice("delete", "Delete for good", destructive=True)],
        answered, str(refused[0].path),
    )  # fmt: skip


def _delete_for_good(
    context: AppContext, folders: Sequence[RunFolder], then: Callable[[], object] | None
) -> None:
    done = []
    for folder in folders:
        try:
            folder.delete()
            done.append(folder)
        except AppError as error:
            context.notifications.error(error, f"{folder.id} was not deleted")
    _gone(context, done, then)


def _gone(context: AppContext, folders: Sequence[RunFolder], then: Callable[[], object] | None) -> None:
    if not folders:
        return
    paths = {folder.path for folder in folders}
    shown = context.project.run
    if shown is not None and shown.path in paths:
        context.project.set_run(None)
    if context.run_library is not None:
        context.run_library.refresh()
    if then is not None:
        then()


def _to_trash(path: Path) -> bool:
    try:
        return bool(QFile(str(path)).moveToTrash())
    except OSError:
        log.info("%s was not taken by the trash", path, exc_info=True)
        return False
