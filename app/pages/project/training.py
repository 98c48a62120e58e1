"""*Train a model here*: opens the form, opens the data it names, starts the run, and offers its result."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from app.dialogs.train import OPEN_DATA, Choices, DataChoice, TrainDialog, Training
from app.pages.project.open_card import known_data
from app.services.opening import explain
from app.services.translation import tr
from app.widgets.buttons import TextButton
from app.widgets.page import Page
from app.workers.opening_job import trained
from core.events import State

if TYPE_CHECKING:
    from app.context import AppContext
    from app.workers.live_run import LiveRun
    from core.job import StartPart
    from core.models.checkpoint import OpenedModel
    from core.session.bench import Bench

USUAL = "small-cnn"


class TrainingStarter(QObject):
    """One form at a time; what it lists is read in a worker."""

    def __init__(self, context: AppContext, page: Page, button: TextButton, parent: QObject) -> None:
        super().__init__(parent)
        self._context, self._page, self._button = context, page, button
        context.run_controller.run_ended.connect(self._run_ended)

    def ask(self) -> None:
        """Open the form, once its choices are known."""
        self._button.set_busy(True)
        failed = partial(self._context.notifications.error, what=tr("The networks could not be listed"))
        handle = self._context.jobs.submit(training_choices, self._context.settings.values.data_root, key="training")
        handle.then(self._show, failed, finished=self._listed)

    def _listed(self) -> None:
        self._button.set_busy(False)

    def _show(self, choices: Choices) -> None:
        dataset = self._context.project.dataset
        data = choices.data
        if dataset is not None:
            open_now = DataChoice(OPEN_DATA, dataset.title, tr("open now"), min(dataset.preprocessing.size))
            data = (open_now, *(choice for choice in data if choice.spec != dataset.spec))
        model = self._context.project.opened_model
        starts = [] if model is None else [(tr("{name} (open now)", name=model.path.name), str(model.path))]
        dialog = TrainDialog(replace(choices, data=data), self._page.window(), starts)
        dialog.chosen.connect(self.start)
        dialog.open()

    def start(self, training: Training) -> None:
        """Look at the weights to begin with, open the data where it is not open, and start."""
        if not training.start:
            self._open_data(training, None)
            return
        model = self._context.project.opened_model
        open_now = model if model is not None and str(model.path) == training.start else None
        handle = self._context.jobs.submit(read_training_start, training.start, open_now, key="training")
        handle.then(partial(self._open_data, training), self._failed)

    def _open_data(self, training: Training, start: StartPart | None) -> None:
        project, settings = self._context.project, self._context.settings.values
        if training.data == OPEN_DATA:
            from core.session.bench import Bench, DataOptions  # loads torch, which the data has loaded already

            self._start(training, start, Bench(None, project.dataset, project.data_options or DataOptions()))
            return
        handle = self._context.jobs.submit(open_training_data, training.data, settings.data_root, key="training")
        self._context.shell.follow(handle, "training-data")
        handle.then(partial(self._start, training, start), self._failed)

    def _start(self, training: Training, start: StartPart | None, bench: Bench) -> None:
        settings = self._context.settings.values
        run = self._context.run_controller.start_training(
            bench.on(settings.device, threads=settings.threads).trusting(self._context.trust.everything()),
            training.architecture,
            recipe=dict(training.recipe),
            seed=training.seed,
            start=start,
            checkpoint_seconds=settings.checkpoint_seconds,
            launcher=settings.launcher,
        )
        self._context.project.set_run(run)
        self._context.show_page("unlearn")

    def _failed(self, error: BaseException) -> None:
        self._page.show_error(tr("The training was not started. {why}", why=explain(error)))

    def _run_ended(self, run: LiveRun) -> None:
        if run.kind != "train" or run.state not in (State.FINISHED, State.STOPPED) or run.job is None:
            return
        request = trained(run.folder, run.job)
        if self._context.project.opened_model is None:
            self._context.opening.put(request)
            return
        open_it = partial(self._context.opening.put, request)
        ended = tr("The training {name} has ended; its model is kept.", name=run.id)
        self._page.banner.show_message(ended, "accent", [(tr("Open its model and data"), open_it)])


def training_choices(data_root: str) -> Choices:
    """Read what there is to choose from; runs in a worker."""
    from core.data.named import SOURCES
    from core.methods import get_method
    from core.models.architectures import architectures

    sides = {source.id: min(source.size) for source in SOURCES}
    data = [DataChoice(spec, title, "" if here else tr("download"), sides[spec])
            for spec, title, here in known_data(data_root)]  # fmt: skip
    method = get_method("retrain")
    networks = sorted(architectures(), key=lambda network: network.id != USUAL)
    presets = (replace(one, title=tr("Default")) if one.name == "recipe" else one for one in method.presets)
    return Choices(tuple(data), tuple(networks), method.parameters, tuple(presets))


def read_training_start(file: str, model: OpenedModel | None) -> StartPart:
    """Return the start that a training is to have; `model`: what that file was opened as. Runs in a worker."""
    from core.session.starts import stated_start

    return stated_start(file) if model is None else stated_start(file, model.form.key or None, model.file.trust)


def open_training_data(spec: str, data_root: str, progress: Any, cancelled: Any) -> Bench:
    """Open data for a training; runs in a worker."""
    from core.session.bench import Bench, DataOptions

    return Bench(tell=progress, cancelled=cancelled).with_data(spec, DataOptions(data_root=data_root)).telling(None)
