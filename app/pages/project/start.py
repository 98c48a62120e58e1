"""Where the open model's own training began: what its files say, and the question to the user, who may know better."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.dialogs.sheet import ALL_FILES, Choice, ConfirmDialog, ask, ask_file
from app.services.opening import explain
from app.services.translation import tr
from app.widgets.page import Page
from app.widgets.terms import Fact

if TYPE_CHECKING:
    from app.context import AppContext
    from core.job import StartPart
    from core.models.checkpoint import OpenedModel
    from core.models.trust import Trust


class StartQuestion(QObject):
    """Asks where training began, and puts the answer into the project."""

    def __init__(self, context: AppContext, page: Page, parent: QObject) -> None:
        super().__init__(parent)
        self._context, self._page = context, page

    def ask(self) -> ConfirmDialog:
        """Ask; the question blocks nothing."""
        choices = [Choice("no", tr("Cancel")),
                   Choice("pretrained", tr("Pretrained weights…"), act=self._ask_file),
                   Choice("fresh", tr("Fresh weights"), act=partial(self._look, "fresh"))]  # fmt: skip
        details = tr("Retrained models begin where the original began. Pretrained weights may themselves hold the "
                     "features of a forgotten class, so that they come back even after retraining.")  # fmt: skip
        return ask(self._page.window(), tr("What did the training of this model begin with?"), choices, details)

    def _ask_file(self) -> None:
        title = tr("The pretrained weights that training began with")
        ask_file(self._page.window(), title, self._look, (ALL_FILES,))

    def _look(self, said: str) -> None:
        """Look at what was answered, which reads and hashes a file, and take it."""
        model = self._context.project.opened_model
        if model is not None:
            handle = self._context.jobs.submit(settled, said, model, key="start")
            handle.then(partial(self._take, model), partial(self._refuse, said))

    def _take(self, model: OpenedModel, start: StartPart) -> None:
        if model is self._context.project.opened_model:
            self._context.project.set_start(start)

    def _refuse(self, said: str, error: BaseException) -> None:
        name = Path(said).name
        self._page.show_error(tr("{name} was not taken as the start. {why}", name=name, why=explain(error)))


def settled(said: str, model: OpenedModel) -> StartPart:
    """Return the start that was stated. Raises AppErrors where it does not fit what is known; runs in a worker."""
    from core.session.starts import settled_start, stated_start

    trust: Trust = model.file.trust
    start = settled_start(stated_start(said, trust=trust), Path(model.path))
    assert start is not None  # it is stated
    return start


def known(model: OpenedModel) -> StartPart | None:
    """Return where a model's training began, as its files say; runs in a worker."""
    from core.session.starts import known_start

    return known_start(Path(model.path))


def start_fact(stated: StartPart | None, known: StartPart | None) -> Fact:
    """The row of the model's card that says it; what no file says can be stated."""
    start, label = stated or known, tr("Began with")
    change = tr("State…") if known is None else ""
    if start is None:
        hint = tr("Retrained models would begin with fresh weights. If this model began with pretrained ones, say so.")
        return Fact("start", label, tr("not known whether pretrained"), hint, change=change)
    if not start.pretrained:
        return Fact("start", label, tr("fresh weights"), "", change=change)
    from core.session.starts import start_name

    hint = tr("So do models that are retrained for it. These weights may themselves hold the features of a forgotten "
              "class: being close to a retrained model is then no proof that they are gone.")  # fmt: skip
    return Fact("start", label, tr("pretrained weights · {name}", name=start_name(start)), hint, change=change)
