"""Questions of the Project page: what a failed opening asks for, and the dialogs for class order and preprocessing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QPlainTextEdit

from app.dialogs.opening import ArchitectureDialog, ClassOrderDialog, EntryDialog, ask_test_part
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
Button = tuple[str, Callable[[], object]]  # of the banner: what it says and does


class Questions(QObject):
    """Asks, and puts the request again with the answer. Dialogs are non-blocking."""

    def __init__(self, context: AppContext, page: Page, parent: QObject) -> None:
        super().__init__(parent)
        self._context, self._page = context, page

    # -- after a failure -------------------------------------------------------------------------------------------

    def answer_failure(self, failure: Failure) -> None:
        """Ask what the user can decide; say in a banner what nobody can."""
        request, error, window = failure.request, failure.error, self._page.window()
        if isinstance(error, StoppedError):
            return
        if isinstance(error, UnsafeFileError):
            self._ask_trust(request, error)
        elif isinstance(error, AmbiguousEntryError):
            said = tr("{name} was not opened. {why}", name=request.name, why=error.message)
            self._page.banner.show_message(said, "caution")
            self._ask_entry(request, error.candidates)
        elif isinstance(error, NoTestPartError):
            ask_test_part(window, error.class_counts, lambda share: self._open_with(request, test_fraction=share))
        elif isinstance(error, MismatchError):
            self._say_mismatch(failure, error)
        elif request.model and isinstance(error, UnknownNetworkError):
            self._say_error(failure.sentence, (tr("Name its architecture…"), partial(self._ask_unrecognised, request)))
        else:
            self._say_error(failure.sentence)

    def _ask_entry(self, request: Request, candidates: Sequence[tuple[str, str]], now: str = "") -> None:
        question = tr("{name} holds several networks. The others are not given back with the one you choose.",
                      name=request.name)  # fmt: skip
        dialog = EntryDialog(tr("Which network?"), tr("Open this one"), question, candidates, self._page.window())
        if now in dict(candidates):
            dialog.choose(now)
        _show(dialog, lambda key: self._put(request, key=key))

    def _ask_unrecognised(self, request: Request) -> None:
        dialog = ArchitectureDialog(request.name, (), self._page.window())
        _show(dialog, lambda arch: self._put(request, arch=arch))

    def _ask_trust(self, request: Request, error: UnsafeFileError) -> None:
        window, banner = self._page.window(), self._page.banner
        only = frozenset(error.digests) | (request.trust.only or frozenset())  # what was refused, and no other content
        if not request.trust.code and (files := files_of_code(request.arch)):
            banner.show_message(
                tr("{name} was not opened. Its network is program code.", name=request.name), "caution"
            )
            trust = replace(request.trust, code=True, only=only)
            ask_code(window, files, partial(self._put, request, trust=trust))
            return
        banner.show_message(f"{request.name}: {tr(REFUSED)}", "caution")
        trust = Trust(pickle=True, code=True, only=only)
        ask_trust(window, request.name, partial(self._put, request, trust=trust))

    def _say_mismatch(self, failure: Failure, error: MismatchError) -> None:
        request, project = failure.request, self._context.project
        buttons: list[Button] = []
        if outputs := getattr(error, "outputs", 0):  # of core.models.class_lists.MoreOutputsError
            buttons.append(self._list_all(request, outputs))
        if names := getattr(error, "names", None):  # of core.session.bench.CardOrderError
            buttons.append((tr("Use the card's order"), partial(self._put, request, order=tuple(names))))
        elif request.side == "model" and project.dataset is not None and not request.alone:
            buttons.append((tr("Open it and close the data"), partial(self._put, request, alone=True)))
        elif request.side == "data" and project.opened_model is not None and not request.alone:
            buttons.append((tr("Open it and close the model"), partial(self._put, request, alone=True)))
        self._say_error(failure.sentence, *buttons)

    def _list_all(self, request: Request, outputs: int) -> Button:
        def ask() -> None:
            title = tr("Names of all outputs, one a line in their order")
            ask_file(self._page.window(), title, partial(self._list_outputs, request, outputs), NAMES)

        return tr("List all %n classes…", n=outputs), ask

    def _list_outputs(self, request: Request, outputs: int, path: str) -> None:
        """Open what was asked for again, with the names of all outputs in a file."""
        from core.data.classes import read_class_names

        try:
            names = read_class_names(Path(path))
            if len(names) != outputs:
                raise InputError(tr("It names %n classes, the model has {outputs} outputs", n=len(names),
                                    outputs=outputs))  # fmt: skip
        except AppError as error:
            said = tr("{name} was not used. {why}", name=Path(path).name, why=error.message)
            self._say_error(said, self._list_all(request, outputs))
            return
        if request.side == "model":
            self._put(request, order=names)
        else:
            self._open_with(request, classes_file=path)

    def _open_with(self, request: Request, **options: Any) -> None:
        """Open what was asked for again, with other options of the data."""
        self._put(request, changes={**request.changes, **options})

    def _put(self, request: Request, **answer: Any) -> None:
        self._context.opening.put(replace(request, **answer))

    def _say_error(self, text: str, *buttons: Button) -> None:
        self._page.show_error(text, buttons)

    # -- what can be set by hand -----------------------------------------------------------------------------------

    def ask_class_order(self) -> None:
        """Open the dialog of the class order."""
        project = self._context.project
        if project.dataset is None:
            return
        names = project.opened_model.names if project.opened_model is not None else None
        measured = project.proof.order if project.proof is not None else None
        dialog = ClassOrderDialog(project.dataset.classes, names or (), measured, self._page.window())
        _show(dialog, lambda names: self._context.opening.change(order=names))

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
            failed = partial(self._context.notifications.error, what=tr("The networks that fit were not found"))
            handle = self._context.jobs.submit(_told_apart, model, key="architectures")
            handle.then(partial(self._ask_architecture, model), failed)

    def _ask_architecture(self, model: OpenedModel, apart: Mapping[str, str]) -> None:
        trial = self._context.project.trial
        if model is not self._context.project.opened_model:
            return
        right: dict[str, str] = {}
        for attempt in trial.attempts if trial is not None else ():  # the best first
            said = tr("right on {share} of training images", share=fmt.percent(attempt.accuracy))
            right.setdefault(attempt.network.architecture, said)
        candidates = [(id, " · ".join(filter(None, (right.get(id), apart[id])))) for id in apart]
        _show(ArchitectureDialog(model.path.name, candidates, self._page.window()),
              lambda arch: self._context.opening.change(arch=arch))  # fmt: skip

    def ask_preprocessing(self) -> None:
        """Open the dialog of the preprocessing."""
        project = self._context.project
        if project.dataset is not None:
            by_hand = bool(project.data_options and project.data_options.preprocess_file)
            _show(PreprocessingDialog(project.dataset, self._context.jobs, by_hand, self._page.window()),
                  lambda values: self._context.opening.change(preprocessing=values, prepares=True))  # fmt: skip

    def show_unreadable(self) -> None:
        """List the files that could not be read, with the reason of each."""
        if (dataset := self._context.project.dataset) is not None:
            lines = [f"{what}: {tr('%n files', n=number)}" for what, number in dataset.files.items()]
            lines += [""] if lines else []
            lines += [file.text for file in dataset.listed[:UNREADABLE_SHOWN]]
            if (more := len(dataset.listed) - UNREADABLE_SHOWN) > 0:
                lines.append(tr("and %n more", n=more))
            self._show_lines(tr("Files left out"), lines)

    def show_notices(self) -> None:
        """Show what has to be known of how the data was read."""
        if (dataset := self._context.project.dataset) is not None:
            self._show_lines(tr("How the data was read"), dataset.notices)

    def _show_lines(self, title: str, lines: Sequence[str]) -> None:
        sheet = Sheet(title, tr("Close"), self._page.window())
        sheet.cancel_button.hide()
        text = QPlainTextEdit("\n".join(lines))
        text.setReadOnly(True)
        text.setAccessibleName(title)
        text.setMinimumSize(theme.px(520), theme.px(280))
        sheet.body.addWidget(text)
        sheet.open()


def _show(dialog: Sheet, chosen: Callable[[Any], object]) -> None:
    dialog.chosen.connect(chosen)
    dialog.open()


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
