"""The Project page: what model and what data are open, whether they belong together, and what is done there."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.dialogs.sheet import ask_to_open
from app.models.class_table import FitTableModel
from app.pages.project.fit_card import SIDE, FirstRunRow, FitCard
from app.pages.project.open_card import DataMenu, OpenCard, data_facts, model_facts, size_of_first
from app.pages.project.proof_card import ProofCard
from app.pages.project.questions import Questions
from app.pages.project.training import TrainingStarter
from app.services import format as fmt
from app.services import tokens as t
from app.services.doubts import doubt_words, is_order
from app.services.opening import Failure, example_seconds, explain
from app.services.project import open_doubts
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.buttons import PrimaryButton, TextButton
from app.widgets.page import Page
from app.workers.opening_job import Plan, Request
from app.workers.thumbnails import Thumbnails
from core.files import RESOURCES, read_json

if TYPE_CHECKING:
    from app.context import AppContext
    from core.data.dataset import Dataset

MODEL_TEXT = "Drop a checkpoint here, or open one. It is only read, never changed."
ROOM_BESIDE_LIST, ROOM_BESIDE_QUESTION = 860, 630  # heights of the page that leave room for the classes below these
DATA_TEXT = "Drop the folder the model was trained on. Each class is a sub-folder."


class ProjectPage(Page):
    """Two cards side by side over the card that holds them against each other, or one that asks first."""

    next_wanted = Signal(str)  # the step of `set_next`

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        self.first_run = FirstRunRow()
        self.train_button = TextButton("Train a model here…")
        self.model_card = OpenCard("Model", "model", MODEL_TEXT, self.train_button)
        self.data_card = OpenCard("Data", "data", DATA_TEXT)
        self.thumbnails = Thumbnails(self)
        self.table_model = FitTableModel(self)
        self.fit_card = FitCard(self.table_model, self.thumbnails)
        self.proof_card = ProofCard()
        cards = QHBoxLayout()
        cards.setSpacing(theme.px(t.M))
        cards.addWidget(self.model_card, 1)
        cards.addWidget(self.data_card, 1)
        self.content.addWidget(self.first_run)
        self.content.addLayout(cards)
        self.content.addWidget(self.proof_card)
        self.content.addWidget(self.fit_card, 1)
        self.next_button = PrimaryButton("", self._next)
        self._step = ""
        self.add_action(self.next_button)
        self.presenter = ProjectPresenter(context, self)

    def entered(self) -> None:
        self.presenter.refresh_first_run()
        self.context.recent.look()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.arrange()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:  # a banner came or went
            self.arrange()
        return super().event(event)

    def arrange(self) -> None:
        """Show what is asked first, and beside it how the classes fare where there is room for both."""
        needed = ROOM_BESIDE_LIST if self.proof_card.rows() else ROOM_BESIDE_QUESTION
        banner = 0 if self.banner.isHidden() else self.banner.height() + theme.px(t.M)
        room = self.height() - banner >= theme.px(needed)
        self.fit_card.setVisible(room or self.proof_card.isHidden())
        self.proof_card.set_beside(room)

    def set_next(self, text: str, step: str, why: str) -> None:
        """Name the next step on the button that takes it, and what is to be known of it beside that."""
        self._step = step
        self.next_button.setText(tr(text))
        self.set_missing(tr(why) if why else "")

    def _next(self) -> None:
        self.next_wanted.emit(self._step)


NEXT = {  # what the purple button says and does, by whether there are a model and data
    (False, False): (mark("Open a model…"), "model", mark("Then its data.")),
    (False, True): (mark("Open a model…"), "model", ""),
    (True, False): (mark("Open its data…"), "data", mark("The data it was trained on, or a part of it.")),
    (True, True): (mark("Choose what to forget"), "forget", ""),
}
HAND_WORDS = {
    "classes_file": "the class order", "preprocess_file": "the preprocessing", "arch": "the architecture",
}  # fmt: skip
SET_BEFORE = "When this model was last used with this data, {words} {were} set by hand."


class ProjectPresenter(QObject):
    """Keeps the page on what is open and being opened."""

    def __init__(self, context: AppContext, page: ProjectPage) -> None:
        super().__init__(page)
        self._context, self._page = context, page
        self.questions = Questions(context, page, self)
        self.training = TrainingStarter(context, page, page.train_button, self)
        self._data_menu = DataMenu(context, page.data_card.open_button)
        page.data_card.open_button.set_menu(self._data_menu)
        self._connect()
        self.refresh_first_run()
        self._dataset_changed()
        self._model_changed()

    def refresh_first_run(self) -> None:
        """Show the newcomer's row while nothing is open."""
        project = self._context.project
        self._page.first_run.setVisible(project.opened_model is None and project.dataset is None)
        if not self._page.first_run.isHidden():
            self._page.first_run.set_words(_forgotten_class(), example_seconds(self._context))

    def _connect(self) -> None:
        page, opening, project = self._page, self._context.opening, self._context.project
        page.first_run.run_wanted.connect(self._run_example)
        for card, kind in ((page.model_card, "model"), (page.data_card, "data")):
            card.example_wanted.connect(self._open_example)
            card.cancel_wanted.connect(opening.cancel)
            card.change_wanted.connect(self._change)
            card.set_recent(self._recent_model if kind == "model" else self._recent_data, self._context.recent.name)
            card.recent_opened.connect(self._look_for_recent)
        page.model_card.open_wanted.connect(self._ask_model)
        page.model_card.recent_chosen.connect(opening.open_model)
        page.data_card.recent_chosen.connect(opening.open_data)
        page.next_wanted.connect(self._go_on)
        page.train_button.clicked.connect(self.training.ask)
        page.fit_card.match_wanted.connect(self.questions.ask_class_order)
        page.proof_card.prepare_wanted.connect(self.questions.ask_preprocessing)
        page.proof_card.network_wanted.connect(self.questions.ask_architecture)
        page.proof_card.match_wanted.connect(self.questions.ask_class_order)
        page.proof_card.attempt_chosen.connect(opening.open_as)
        page.proof_card.accepted.connect(opening.accept)
        page.thumbnails.ready.connect(page.table_model.samples_came)
        opening.looked.connect(self._dragged)
        opening.started.connect(self._started)
        opening.progress.connect(self._progressed)
        opening.failed.connect(self._failed)
        opening.opened.connect(self._opened)
        opening.idle.connect(self._idle)
        opening.measuring.progress.connect(self._measured_so_far)
        project.model_changed.connect(self._model_changed)
        project.dataset_changed.connect(self._dataset_changed)
        project.evaluation_changed.connect(self._evaluated)
        self._context.window_state.recent_changed.connect(self._recent_changed)
        self._context.recent.checked.connect(self._recent_checked)

    # -- asking for something to be opened -------------------------------------------------------------------------

    def _ask_model(self) -> None:
        ask_to_open(self._context, self._page, "model")

    def _go_on(self, step: str) -> None:
        if step == "forget":
            self._context.show_page("forget")
        elif step == "model":
            self._ask_model()
        else:
            ask_to_open(self._context, self._page, "data")

    def _open_example(self) -> None:
        self._context.opening.open_example()

    def _run_example(self) -> None:
        self._context.opening.open_example(start_run=True)

    def _dragged(self, plan: Plan | None) -> None:
        opens = plan.opens if plan is not None else {}
        self._page.model_card.show_drop("model" in opens)
        self._page.data_card.show_drop("dataset" in opens)

    def _recent_model(self) -> list[str]:
        return self._context.window_state.recent("model")

    def _recent_data(self) -> list[str]:
        return self._context.window_state.recent("data")

    def _recent_changed(self, kind: str) -> None:
        if kind == "model":
            self._page.model_card.set_recent(self._recent_model, self._context.recent.name)
        elif kind == "data":
            self._page.data_card.set_recent(self._recent_data, self._context.recent.name)

    def _look_for_recent(self) -> None:
        self._context.recent.look()
        for card in (self._page.model_card, self._page.data_card):
            card.show_looking(self._context.recent.looking)

    def _recent_checked(self) -> None:
        state = self._context.window_state
        for card, kind in ((self._page.model_card, "model"), (self._page.data_card, "data")):
            card.show_looking(False, [place for place in state.places(kind) if not state.is_there(place)])
            self._recent_changed(kind)

    def _change(self, key: str) -> None:
        ask = self.questions
        asks = {"entry": ask.ask_entry, "architecture": ask.ask_architecture, "preprocessing": ask.ask_preprocessing,
                "unreadable": ask.show_unreadable, "notice": ask.show_notices}  # fmt: skip
        asks[key]()

    # -- how the opening goes --------------------------------------------------------------------------------------

    def _started(self, request: Request) -> None:
        self._page.banner.dismiss()
        self._page.first_run.button.set_busy(True, "Opening…")
        for card in self._cards(request):
            card.show_progress(f"Opening {request.name}")

    def _progressed(self, request: Request, what: str, done: int, total: int) -> None:
        counted = f"{what} · {fmt.count(done)} of {fmt.count(total)}" if total else what
        for card in self._cards(request):
            card.show_progress(counted, done, total)

    def _opened(self, request: Request) -> None:
        self._quiet()
        found = self._context.opening.set_before()
        if found:
            words = " and ".join(HAND_WORDS[name] for name in found)
            self._page.banner.show_message(
                SET_BEFORE.format(words=words, were="was" if len(found) == 1 else "were"), "info",
                [("Use again", self._set_again), ("Leave as it is", self._leave_as_it_is)], closable=False,
            )  # fmt: skip

    def _set_again(self) -> None:
        self._page.banner.dismiss()
        self._context.opening.set_again()

    def _leave_as_it_is(self) -> None:
        self._page.banner.dismiss()
        self._context.opening.forget_what_was_set()

    def _failed(self, failure: Failure) -> None:
        self._quiet()
        self.questions.answer_failure(failure)

    def _idle(self) -> None:
        self._quiet()
        self._page.first_run.button.set_busy(False)

    def _quiet(self) -> None:
        for card in (self._page.model_card, self._page.data_card):
            card.show_progress(None)

    def _cards(self, request: Request) -> list[Any]:
        page = self._page
        if request.side == "model":
            return [page.model_card]
        return [page.data_card] if request.side == "data" else [page.model_card, page.data_card]

    # -- what is open ----------------------------------------------------------------------------------------------

    def _model_changed(self) -> None:
        model, dataset = self._context.project.opened_model, self._context.project.dataset
        self._page.model_card.set_facts(model_facts(model, dataset) if model is not None else ())
        self._show_table()
        self._show_state()

    def _dataset_changed(self) -> None:
        project, page = self._context.project, self._page
        dataset = project.dataset
        page.data_card.set_facts(data_facts(dataset) if dataset is not None else ())
        if dataset is not None and dataset.train.paths:
            handle = self._context.jobs.submit(size_of_first, dataset, key="size")
            handle.done.connect(partial(self._first_sized, dataset))
        page.thumbnails.set_source(_pixels(dataset), theme.px(SIDE), page.devicePixelRatioF())
        self._model_changed()

    def _first_sized(self, dataset: Dataset, size: tuple[int, int] | None) -> None:
        if dataset is self._context.project.dataset:
            self._page.data_card.set_facts(data_facts(dataset, size))

    def _show_table(self) -> None:
        project, page = self._context.project, self._page
        model = project.opened_model
        page.table_model.set_data(project.dataset, model.names if model is not None else None)
        page.fit_card.set_full(project.dataset is not None)
        page.fit_card.match_button.setEnabled(project.ready)
        self._evaluated()

    def _show_state(self) -> None:
        project = self._context.project
        self._page.set_next(*NEXT[project.opened_model is not None, project.dataset is not None])
        self.refresh_first_run()

    # -- how good the model is -------------------------------------------------------------------------------------

    def _measured_so_far(self, what: str, done: int, total: int) -> None:
        self._page.fit_card.show_progress(what, done, total)

    def _evaluated(self) -> None:
        project, card = self._context.project, self._page.fit_card
        found, proof = project.evaluation.get("baseline"), project.proof
        asked = proof if open_doubts(proof) else None
        card.show_progress(None)
        self._page.proof_card.ask(None if asked is None or is_order(asked) else asked)
        self._page.arrange()
        card.set_found("" if proof is None or asked is not None else " ".join(proof.sentences))
        card.banner.dismiss()
        self._page.table_model.set_accuracy(found.class_accuracy if found is not None else None)
        if found is not None and project.dataset is not None:
            card.set_number(*_accuracy_words(found, project.dataset))
            if asked is not None and is_order(asked):
                card.banner.show_message(
                    doubt_words(asked), "caution",
                    [("Use this order", self._use_order), ("Keep mine", self._context.opening.accept)], closable=False,
                )  # fmt: skip
        elif "failure" in project.evaluation:
            card.set_number("", "")
            again = self._context.opening.measuring.again
            text = f"Accuracy could not be measured. {explain(project.evaluation['failure'])}"
            card.banner.show_message(text, "error", [("Try again", again)], closable=False)
        elif project.ready:
            card.set_number("", "Measuring the model on all images…")
        else:
            card.set_number("", "Open the model to see how often it is right.")

    def _use_order(self) -> None:
        dataset, proof = self._context.project.dataset, self._context.project.proof
        if dataset is not None and proof is not None and proof.order is not None:
            self._context.opening.set_class_order(tuple(dataset.classes[label] for label in proof.order.better))


def _accuracy_words(found: Any, dataset: Any) -> tuple[str, str, str]:
    """Return the number, what stands beside it, and both for a screen reader."""
    number = fmt.percent(found.accuracy)
    seen = " (seen before)" if dataset.test_origin != "own" else ""
    text = f"of all {fmt.count(len(dataset.test))} test images{seen} are right"
    trained = f"{fmt.percent(found.train.accuracy)} of the {fmt.count(len(dataset.train))} training images"
    return number, f"{text} · {trained}", f"Accuracy {number} {text}"


def _pixels(dataset: Any) -> Any:
    if dataset is None:
        return None
    parts = {"train": dataset.train.images, "test": dataset.test.images}
    return lambda key: parts[key[0]][key[1]].numpy()


def _forgotten_class() -> str:
    """Return what the example forgets."""
    return str(read_json(RESOURCES / "example" / "recipe.json")["forget_class"])
