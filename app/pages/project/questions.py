"""Questions of the Project page: what a failed opening asks for, and the dialogs for class order and preprocessing."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QPlainTextEdit

from app.dialogs.opening import ArchitectureDialog, ClassOrderDialog, EntryDialog, NoTestPartDialog
from app.dialogs.preprocessing import PreprocessingDialog
from app.dialogs.sheet import NAMES, Sheet, ask_file
from app.dialogs.trust import REFUSED, ask_code, ask_trust
from app.pages.project.open_card import entry
from app.services import format as fmt
from app.services.opening import Failure
from app.services.theme import theme
from app.services.translation import tr
from app.services.trust import files_of_code
from app.widgets.page import Page
from app.workers.opening_job import Request
from core.errors import (
    AmbiguousEntryError,
    AppError,
    InputError,
    MismatchError,
    NoTestPartError,
    StoppedError,
    UnknownNetworkError,
    UnsafeFileError,
)
from core.models.trust import Trust

if TYPE_CHECKING:
    from app.context import AppContext
    from core.models.checkpoint import OpenedModel

UNREADABLE_SHOWN = 500


class Questions(QObject):
    """Asks, and puts the request again with the answer. Dialogs are non-blocking."""

    def __init__(self, context: AppContext, page: Page, parent: QObject) -> None:
        super().__init__(parent)
        self._context, self._page = context, page

    # -- after a failure -------------------------------------------------------------------------------------------

    def answer_failure(self, failure: Failure) -> None:
        """Ask what the user can decide; say in a banner what nobody can."""
        request, error = failure.request, failure.error
        if isinstance(error, StoppedError):
            return
        if isinstance(error, UnsafeFileError):
            self._ask_trust(request)
        elif isinstance(error, AmbiguousEntryError):
            self._say(f"{request.name} was not opened. {error.message}", "caution")
            self._ask_entry(request, error.candidates)
        elif isinstance(error, NoTestPartError):
            self._ask_test_part(request, error)
        elif isinstance(error, MismatchError):
            self._say_mismatch(failure, error)
        elif request.model and isinstance(error, UnknownNetworkError):
            self._say(failure.sentence, "error", [("Name its architecture…", partial(self._ask_unrecognised, request))])
        else:
            self._say(failure.sentence, "error")

    def _ask_entry(self, request: Request, candidates: Sequence[tuple[str, str]], now: str = "") -> None:
        dialog = EntryDialog(request.name, candidates, self._page.window())
        if now in dict(candidates):
            dialog.choose(now)
        dialog.chosen.connect(partial(self._keyed, request))
        dialog.open()

    def _ask_unrecognised(self, request: Request) -> None:
        dialog = ArchitectureDialog(request.name, (), self._page.window())
        dialog.chosen.connect(lambda arch: self._put(dataclasses.replace(request, arch=arch)))
        dialog.open()

    def _ask_trust(self, request: Request) -> None:
        window = self._page.window()
        if not request.trust.code and (files := files_of_code(request.arch)):
            self._say(f"{request.name} was not opened. Its network is program code.", "caution")
            trust = dataclasses.replace(request.trust, code=True)
            ask_code(window, files, partial(self._trusted, request, trust))
            return
        self._say(f"{request.name}: {tr(REFUSED)}", "caution")
        ask_trust(window, request.name, partial(self._trusted, request, Trust(pickle=True, code=True)))

    def _trusted(self, request: Request, trust: Trust) -> None:
        self._put(dataclasses.replace(request, trust=trust))

    def _keyed(self, request: Request, key: str) -> None:
        self._put(dataclasses.replace(request, key=key))

    def _ask_test_part(self, request: Request, error: NoTestPartError) -> None:
        dialog = NoTestPartDialog(error.class_counts, self._page.window())
        dialog.chosen.connect(partial(self._set_aside, request))
        dialog.open()

    def _set_aside(self, request: Request, fraction: float) -> None:
        self._put(dataclasses.replace(request, changes={**request.changes, "test_fraction": fraction}))

    def _say_mismatch(self, failure: Failure, error: MismatchError) -> None:
        request, project = failure.request, self._context.project
        names = getattr(error, "names", None)  # of core.session.bench.CardOrderError
        other, open_ = ("data", project.dataset) if request.side == "model" else ("model", project.opened_model)
        buttons = []
        if names:
            buttons = [("Use the card's order", partial(self._put, dataclasses.replace(request, order=tuple(names))))]
        elif request.side in ("model", "data") and open_ is not None and not request.alone:
            alone = dataclasses.replace(request, alone=True)
            buttons = [(f"Open it and close the {other}", partial(self._put, alone))]
        if outputs := getattr(error, "outputs", 0):  # of core.models.class_lists.MoreOutputsError
            buttons.insert(0, (f"List all {outputs} classes…", partial(self._ask_outputs, request, outputs)))
        self._say(failure.sentence, "error", buttons)

    def _ask_outputs(self, request: Request, outputs: int) -> None:
        title = "Names of all outputs, one a line in their order"
        ask_file(self._page.window(), title, partial(self._list_outputs, request, outputs), NAMES)

    def _list_outputs(self, request: Request, outputs: int, path: str) -> None:
        """Open what was asked for again, with the names of all outputs in a file."""
        from core.data.classes import read_class_names

        try:
            names = read_class_names(Path(path))
            if len(names) != outputs:
                named = fmt.plural(len(names), "class", "classes")
                raise InputError(f"It names {named}, the model has {outputs} outputs")
        except AppError as error:
            again = [(f"List all {outputs} classes…", partial(self._ask_outputs, request, outputs))]
            self._say(f"{Path(path).name} was not used. {error.message}", "error", again)
            return
        if request.side == "model":
            self._put(dataclasses.replace(request, order=names))
        else:
            self._put(dataclasses.replace(request, changes={**request.changes, "classes_file": path}))

    def _put(self, request: Request) -> None:
        self._page.banner.dismiss()
        self._context.opening.put(request)

    def _say(self, text: str, severity: Any, buttons: list[Any] | None = None) -> None:
        if severity == "error":
            self._context.notifications.keep(text)
        self._page.banner.show_message(text, severity, buttons)

    # -- what can be set by hand -----------------------------------------------------------------------------------

    def ask_class_order(self) -> None:
        """Open the dialog of the class order."""
        from core.data.classes import read_class_names

        project = self._context.project
        if project.dataset is None:
            return
        order = project.proof.order if project.proof is not None else None
        dialog = ClassOrderDialog(
            project.dataset.classes,
            model_names=project.opened_model.names if project.opened_model is not None else None,
            found=order.better if order is not None and order.differs else None,
            accuracy_of=order.accuracy_of if order is not None else None,
            images=order.images if order is not None else 0,
            read_names=read_class_names,
            parent=self._page.window(),
        )
        dialog.chosen.connect(self._context.opening.set_class_order)
        dialog.open()

    def ask_entry(self) -> None:
        """Ask which network of the file is meant, where it holds several."""
        from core.models.wrappers import listed

        model = self._context.project.opened_model
        if model is not None:
            request = Request("model", model.path.name, model=str(model.path))
            self._ask_entry(request, listed(model.file.weights.entries), entry(model))

    def ask_architecture(self) -> None:
        """Open the dialog of the architecture, with what fits the weights."""
        model = self._context.project.opened_model
        if model is not None:
            handle = self._context.jobs.submit(_told_apart, model, key="architectures")
            handle.done.connect(partial(self._ask_architecture, model))

    def _ask_architecture(self, model: OpenedModel, apart: Mapping[str, str]) -> None:
        trial = self._context.project.trial
        if model is not self._context.project.opened_model:
            return
        best: dict[str, float] = {}
        for attempt in trial.attempts if trial is not None else ():  # the best first
            best.setdefault(attempt.network.architecture, attempt.accuracy)
        shares = {id: f"right on {fmt.percent(share)} of training images" for id, share in best.items()}
        candidates = [(id, " · ".join(filter(None, (shares.get(id), apart[id])))) for id in apart]
        dialog = ArchitectureDialog(model.path.name, candidates, self._page.window())
        dialog.chosen.connect(self._context.opening.set_architecture)
        dialog.open()

    def ask_preprocessing(self) -> None:
        """Open the dialog of the preprocessing."""
        dataset = self._context.project.dataset
        if dataset is None:
            return
        by_hand = bool(self._context.project.data_options and self._context.project.data_options.preprocess_file)
        dialog = PreprocessingDialog(dataset, self._context.jobs, by_hand, self._page.window())
        dialog.chosen.connect(self._context.opening.set_preprocessing)
        dialog.open()

    def show_unreadable(self) -> None:
        """List the files that could not be read, with the reason of each."""
        dataset = self._context.project.dataset
        if dataset is None:
            return
        listed = dataset.listed
        counts = [f"{what}: {fmt.plural(number, 'file')}" for what, number in dataset.files.items()]
        lines = [*counts, *([""] if counts else []), *(file.text for file in listed[:UNREADABLE_SHOWN])]
        more = len(listed) - UNREADABLE_SHOWN
        self._show_lines("Files left out", [*lines, f"and {fmt.count(more)} more"] if more > 0 else lines)

    def show_notices(self) -> None:
        """Show what has to be known of how the data was read."""
        dataset = self._context.project.dataset
        if dataset is not None:
            self._show_lines("How the data was read", dataset.notices)

    def _show_lines(self, title: str, lines: Sequence[str]) -> None:
        sheet = Sheet(title, tr("Close"), self._page.window())
        sheet.cancel_button.hide()
        text = QPlainTextEdit("\n".join(lines))
        text.setReadOnly(True)
        text.setAccessibleName(title)
        text.setMinimumSize(theme.px(520), theme.px(280))
        sheet.body.addWidget(text)
        sheet.open()


def _told_apart(model: OpenedModel) -> dict[str, str]:
    """Return the networks that fit a model's weights, its own first, and what each does otherwise; runs in a worker."""
    from core.models.recognise import told_apart

    specs = {model.spec.architecture: model.spec}
    with contextlib.suppress(AppError):  # where only the user knows what it is
        fitting = model.file.opened()  # also those that were left when one of them was stated
        for spec in (fitting.spec, *fitting.alternatives):
            specs.setdefault(spec.architecture, spec)
    apart = dict(told_apart(tuple(specs.values()))) if len(specs) > 1 else {}
    return {id: apart.get(id, "") for id in specs}
