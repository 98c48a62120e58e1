"""The Project page: what model and what data are open, whether they belong together, and what is done there."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from app.dialogs.sheet import ask_to_open
from app.models.class_table import FitTableModel
from app.pages.project.fit_card import SIDE, FirstRunRow, FitCard
from app.pages.project.open_card import DataMenu, OpenCard, data_facts, model_facts, size_of_first
from app.pages.project.proof_card import ProofCard
from app.pages.project.questions import Questions
from app.pages.project.start import StartQuestion, known, start_fact
from app.pages.project.training import TrainingStarter
from app.services import format as fmt
from app.services import tokens as t
from app.services.doubts import doubt_words
from app.services.opening import explain
from app.services.project import is_order, open_doubts
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.buttons import PrimaryButton, TextButton
from app.widgets.layout import add_to, row
from app.widgets.page import Page
from app.workers.opening_job import Plan
from app.workers.thumbnails import TOPIC, Thumbnails
from core.files import RESOURCES, read_json

if TYPE_CHECKING:
    from app.context import AppContext
    from core.data.dataset import Dataset
    from core.job import StartPart
    from core.models.checkpoint import OpenedModel


class ProjectPage(Page):
    """Two cards side by side over the card that holds them against each other, or over one that asks first."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.first_run = FirstRunRow()
        self.train_button = TextButton(tr("Train a model here…"))
        self.model_card, self.data_card = OpenCard("model", self.train_button), OpenCard("data")
        self.cards = {"model": self.model_card, "data": self.data_card}
        self.thumbnails = Thumbnails(self)
        self.table_model = FitTableModel(self)
        self.fit_card = FitCard(self.table_model, self.thumbnails)
        self.proof_card = ProofCard()
        cards = row((self.model_card, 1), (self.data_card, 1), spacing=t.M)
        add_to(self.content, self.first_run, cards, (self.proof_card, 1), (self.fit_card, 1))
        self.next_button = PrimaryButton("")
        self.add_action(self.next_button)
        self.presenter = ProjectPresenter(context, self)

    def entered(self) -> None:
        self.presenter.refresh_first_run()
        self.context.window_state.look()


NEXT = {  # what the purple button says and does, by whether there are a model and data
    (False, False): ("model", mark("Open a model…"), mark("Then its data.")),
    (False, True): ("model", mark("Open a model…"), ""),
    (True, False): ("data", mark("Open its data…"), mark("The data it was trained on, or a part of it.")),
    (True, True): ("forget", mark("Choose what to forget"), ""),
}

class ProjectPresenter(QObject):
    """Keeps the page on what is open and being opened."""

    def __init__(self, context: AppContext, page: ProjectPage) -> None:
        super().__init__(page)
        self._context, self._page = context, page
        self.questions = Questions(context, page, self)
        self.start = StartQuestion(context, page, self)
        self._known_start: StartPart | None = None  # of the open model, as its files say
        self.training = TrainingStarter(context, page, page.train_button, self)
        DataMenu(context, page.data_card.open_button)
        self._connect()
        self.refresh_first_run()
        self._dataset_changed()
        self._recent_changed()

    def refresh_first_run(self) -> None:
        """Show the newcomer's row while nothing is open."""
        project = self._context.project
        nothing = project.opened_model is None and project.dataset is None
        self._page.first_run.setVisible(nothing)
        if nothing:
            self._page.first_run.set_words(str(read_json(RESOURCES / "example" / "recipe.json")["forget_class"]))

    def _connect(self) -> None:
        page, opening, project, ask = self._page, self._context.opening, self._context.project, self.questions
        page.first_run.run_wanted.connect(partial(opening.open_example, start_run=True))
        changes = {"entry": ask.ask_entry, "architecture": ask.ask_architecture, "preprocessing": ask.ask_preprocessing,
                   "start": self.start.ask,
                   "unreadable": ask.show_unreadable, "notice": ask.show_notices}  # fmt: skip
        for kind, open_it in (("model", opening.open_model), ("data", opening.open_data)):
            card = page.cards[kind]
            card.example_wanted.connect(opening.open_example)
            card.change_wanted.connect(lambda key: changes[key]())
            card.recent_chosen.connect(open_it)
            card.recent_opened.connect(partial(self._fill_recent, kind))
        page.model_card.open_wanted.connect(lambda: ask_to_open(self._context, page, "model"))
        page.next_button.clicked.connect(self._go_on)
        page.train_button.clicked.connect(self.training.ask)
        for match_wanted in (page.fit_card.match_wanted, page.proof_card.match_wanted):
            match_wanted.connect(ask.ask_class_order)
        page.proof_card.prepare_wanted.connect(ask.ask_preprocessing)
        page.proof_card.network_wanted.connect(ask.ask_architecture)
        page.proof_card.attempt_chosen.connect(opening.open_as)
        page.proof_card.accepted.connect(opening.accept)
        page.thumbnails.ready.connect(page.table_model.samples_came)
        page.thumbnails.failed.connect(partial(self._context.notifications.error, topic=TOPIC))
        page.thumbnails.recovered.connect(partial(self._context.notifications.settle, TOPIC))
        opening.looked.connect(self._dragged)
        opening.started.connect(self._started)
        opening.failed.connect(self.questions.answer_failure)
        opening.idle.connect(partial(page.first_run.button.set_busy, False))
        project.model_changed.connect(self._model_changed)
        project.dataset_changed.connect(self._dataset_changed)
        project.evaluation_changed.connect(self._evaluated)
        project.start_changed.connect(self._show_model)
        self._context.window_state.recent_changed.connect(self._recent_changed)

    # -- asking for something to be opened -------------------------------------------------------------------------

    def _go_on(self) -> None:
        step = self._next[0]
        if step == "forget":
            self._context.show_page("forget")
        else:
            ask_to_open(self._context, self._page, step)

    @property
    def _next(self) -> tuple[str, str, str]:
        project = self._context.project
        return NEXT[project.opened_model is not None, project.dataset is not None]

    def _dragged(self, plan: Plan | None) -> None:
        opens = plan.opens if plan is not None else {}
        self._page.model_card.show_drop("model" in opens)
        self._page.data_card.show_drop("dataset" in opens)

    def _recent_changed(self) -> None:
        for kind, card in self._page.cards.items():
            card.recent_button.setEnabled(bool(self._context.window_state.recent(kind)))

    def _fill_recent(self, kind: str) -> None:
        state = self._context.window_state
        self._page.cards[kind].show_recent([(entry, state.name(entry)) for entry in state.recent(kind)])

    # -- how the opening goes --------------------------------------------------------------------------------------

    def _started(self) -> None:
        self._page.banner.hide()
        self._page.first_run.button.set_busy(True, tr("Opening…"))

    # -- what is open ----------------------------------------------------------------------------------------------

    def _model_changed(self) -> None:
        project, page = self._context.project, self._page
        model, dataset = project.opened_model, project.dataset
        self._known_start = None
        self._show_model()
        if model is not None:
            self._context.jobs.submit(known, model, key="start").done.connect(partial(self._start_known, model))
        page.table_model.set_data(dataset, model.names if model is not None else None)
        page.fit_card.set_full(dataset is not None)
        page.fit_card.match_button.setEnabled(project.ready and model is not None and bool(model.spec.num_classes))
        _, text, why = self._next
        page.next_button.setText(tr(text))
        page.set_missing(tr(why) if why else "")
        self._evaluated()
        self.refresh_first_run()

    def _show_model(self) -> None:
        project = self._context.project
        model, start = project.opened_model, start_fact(project.start, self._known_start)
        facts = model_facts(model, project.dataset, start) if model is not None else ()
        self._page.model_card.show_facts(facts)

    def _start_known(self, model: OpenedModel, start: StartPart | None) -> None:
        if model is self._context.project.opened_model:
            self._known_start = start
            self._show_model()

    def _dataset_changed(self) -> None:
        page, dataset = self._page, self._context.project.dataset
        page.data_card.show_facts(data_facts(dataset) if dataset is not None else ())
        if dataset is not None and dataset.train.paths:
            handle = self._context.jobs.submit(size_of_first, dataset, key="size")
            handle.done.connect(partial(self._first_sized, dataset))
        page.thumbnails.set_source(_pixels(dataset), theme.px(SIDE), page.devicePixelRatioF())
        self._model_changed()

    def _first_sized(self, dataset: Dataset, size: tuple[int, int] | None) -> None:
        if dataset is self._context.project.dataset:
            self._page.data_card.show_facts(data_facts(dataset, size))

    # -- how good the model is -------------------------------------------------------------------------------------

    def _evaluated(self) -> None:
        project, card, opening = self._context.project, self._page.fit_card, self._context.opening
        found, proof = project.evaluation.get("baseline"), project.proof
        asked = proof if open_doubts(proof) else None
        question = None if asked is None or is_order(asked) else asked
        self._page.proof_card.ask(question)
        card.setVisible(question is None)
        card.found.say("" if proof is None or asked is not None else " ".join(proof.sentences))
        card.banner.hide()
        self._page.table_model.set_accuracy(found.class_accuracy if found is not None else None)
        if found is not None and not found.names_classes:
            card.set_number("", tr("An encoder gives features and names no class, so nothing can be right or wrong."))
        elif found is not None and project.dataset is not None:
            card.set_number(fmt.percent(found.accuracy), _right_words(found, project.dataset))
            if asked is not None and is_order(asked):
                card.banner.show_message(
                    doubt_words(asked), "caution",
                    [(tr("Use this order"), self._use_order), (tr("Keep mine"), opening.accept)], closable=False,
                )  # fmt: skip
        elif "failure" in project.evaluation:
            card.set_number("", "")
            text = tr("Accuracy could not be measured. {why}", why=explain(project.evaluation["failure"]))
            card.banner.show_message(text, "error", [(tr("Try again"), opening.measuring.again)], closable=False)
        elif project.ready:
            card.set_number("", tr("Measuring the model on all images…"))
        else:
            card.set_number("", tr("Open the model to see how often it is right."))

    def _use_order(self) -> None:
        dataset, proof = self._context.project.dataset, self._context.project.proof
        if dataset is not None and proof is not None and proof.order is not None:
            self._context.opening.change(order=tuple(dataset.classes[label] for label in proof.order.better))


def _right_words(found: Any, dataset: Any) -> str:
    """Return what stands beside the accuracy: of which images it is, and how many of the others are right."""
    test, train = fmt.count(len(dataset.test)), fmt.count(len(dataset.train))
    share = fmt.percent(found.train.accuracy)
    if dataset.test_origin == "own":
        return tr("of all {test} test images are right · {share} of the {train} training images",
                  test=test, share=share, train=train)  # fmt: skip
    return tr("of all {test} test images (seen before) are right · {share} of the {train} training images",
              test=test, share=share, train=train)  # fmt: skip


def _pixels(dataset: Any) -> Any:
    if dataset is None:
        return None
    parts = {"train": dataset.train.images, "test": dataset.test.images}
    return lambda key: parts[key[0]][key[1]].numpy()
