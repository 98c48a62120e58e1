"""What was open when the program ended, kept in a file and opened again at the next start."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from PySide6.QtCore import QObject

from app.services.kept_files import read_kept
from app.services.opening import Opening
from app.services.project import ProjectState
from app.services.translation import mark, tr
from app.workers.opening_job import DATA_ANSWERS, Request
from core.files import home, write_json

log = logging.getLogger(__name__)

NAME = mark("The last project")


@dataclass(frozen=True)
class Kept:
    """A project as it stands in the file; `chosen` are the places of the images to forget in the training data."""

    model: str = ""
    data: str = ""
    options: dict[str, Any] | None = None
    arch: str = ""
    key: str = ""
    chosen: list[int] = field(default_factory=list)
    fingerprint: str = ""  # of the data that `chosen` is about


class LastProject(QObject):
    """Kept whenever something was opened, and with its forget set when the window closes."""

    def __init__(
        self, project: ProjectState, opening: Opening, say: Callable[[str], object], parent: QObject | None = None
    ) -> None:
        """`say`: tells the user what became of a file that cannot be read."""
        super().__init__(parent)
        self._say = say
        self.path = home("config") / "last-project.json"
        self._project, self._opening = project, opening
        self._had = False  # whether something was opened in this session
        opening.opened.connect(self._opened)

    def keep(self) -> None:
        """Write down what is open. Where it was closed there is no last project; where nothing was opened it stays."""
        project = self._project
        model, data, chosen = project.opened_model, project.dataset, project.selection
        if model is None and data is None:
            if self._had:
                with contextlib.suppress(OSError):
                    self.path.unlink(missing_ok=True)
            return
        options = {name: getattr(project.data_options, name, None) for name in DATA_ANSWERS}
        kept = Kept(
            model=str(model.path) if model is not None else "", data=data.spec if data is not None else "",
            options={name: value for name, value in options.items() if value}, arch=self._opening.arch,
            key=self._opening.key, chosen=chosen.indices.tolist() if chosen is not None else [],
            fingerprint=data.fingerprint if data is not None else "",
        )  # fmt: skip
        try:
            write_json(self.path, asdict(kept))
        except OSError as error:
            log.warning("what is open could not be remembered: %s", error)

    def restore(self) -> bool:
        """Open what was open; False where there is nothing."""
        kept, problem = read_kept(self.path, Kept)
        if problem:
            self._say(tr("What was open last time is not known. {error}", error=problem))
        if kept is None or not (kept.model or kept.data):
            return False
        self._opening.put(Request(
            "both" if kept.model and kept.data else "model" if kept.model else "data", tr(NAME), model=kept.model,
            data=kept.data, changes=kept.options or {}, arch=kept.arch, key=kept.key,
            then=partial(self._choose_again, kept),
        ))  # fmt: skip
        return True

    def _opened(self) -> None:
        self._had = True
        self.keep()

    def _choose_again(self, kept: Kept) -> None:
        data, chosen = self._project.dataset, self._project.selection
        if kept.chosen and data is not None and chosen is not None and data.fingerprint == kept.fingerprint:
            self._project.set_selection(chosen.with_samples(kept.chosen))
            self.keep()
