"""Running: a job in its folder, from the start or its last checkpoint, to a result on disk."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass
from typing import Any

import torch

from core.data.batches import Augmentation
from core.data.dataset import Dataset
from core.data.splits import Splits
from core.devices import choose_device, free_memory, is_out_of_memory, out_of_memory_error, unused_gpu
from core.engine.control import Control, Interrupted
from core.engine.engine import Engine
from core.engine.experiment import Experiment
from core.engine.monitor import Monitor, events_of
from core.engine.outputs import FullOutputs, collect_full, keep_outputs, outputs_file
from core.errors import AppError, NonFiniteError
from core.events import Emit, Event, Log, PhaseChanged, Progress, RunFailed, RunFinished, State
from core.files import file_sha256
from core.job import Job, TuningPart
from core.methods import get_method
from core.models.architectures import network_key
from core.parameters import Values, resolve
from core.runs.folder import MODEL, RunFolder
from core.runs.recorder import Recorder, list_checkpoints, load_checkpoint, save_checkpoint
from core.session import results
from core.session.bench import Bench, Images
from core.session.caveats import DOUBTS, doubts_about
from core.session.forget_sets import run_selection


@dataclass
class _Prepared:
    """A job ready to run: what the engine works on, and the original's outputs to hold the result against."""

    job: Job
    setting: Experiment
    dataset: Dataset
    original: FullOutputs | None  # None where a fresh model is trained
    start: FullOutputs | None  # of the model the run starts from; in a chain of requests not the original


def run(
    folder: RunFolder,
    control: Control,
    emit: Emit,
    bench: Bench | None = None,
    *,
    resume: bool = False,
) -> State:
    """Run the job in `folder` and return the state it ended in; every event is on disk before `emit` sees it.

    `bench` says what is trusted; the job's model and data are opened where it does not hold them. `resume` goes on
    from the last checkpoint, or from step 0 without one; a run that has a result is left as it is. A resume that is
    stopped before its first step ends as INTERRUPTED. Raises the AppError a run failed with, after recording it.
    """
    if folder.is_done:
        return State(folder.status().state)
    with folder.lock():
        folder.clear_leftovers()
        recorder = Recorder(folder)
        runner = _Runner(folder, control, recorder, emit)
        failure: Exception | None = None
        outcome = State.FAILED
        try:
            outcome = runner.run(bench or Bench(), resume)
        except Interrupted:
            # Stopped before a resumed run went on: its checkpoints stay, and it is as interrupted as before.
            resumable = not control.discarding and bool(list_checkpoints(folder))
            outcome = State.INTERRUPTED if resumable else runner.end_without_result()
        except Exception as error:
            failure = runner.fail(error)
        finally:
            recorder.close()
    if failure is not None:
        # Outside the except block: its traceback would keep the run's tensors alive.
        free_memory(choose_device(folder.job().device))
        raise failure
    if outcome is State.DISCARDED:
        folder.delete()
    return outcome


class _Runner:
    """One run from opening to result; keeps what its steps share."""

    def __init__(self, folder: RunFolder, control: Control, recorder: Recorder, emit: Emit) -> None:
        self._folder, self._control, self._recorder, self._emit = folder, control, recorder, emit
        self._step = 0
        self._began = time.perf_counter()

    def run(self, bench: Bench, resume: bool) -> State:
        """Prepare, run the engine, and write the results."""
        self._state(State.PREPARING, "Opening model and data")
        job = self._folder.job()
        prepared = self._prepare(job, bench.telling(self._progress, self._ending).for_job(job))
        setting = prepared.setting
        engine = Engine(
            setting,
            self._control,
            Monitor(setting, job.monitoring_budget),
            save=lambda state: save_checkpoint(self._folder, state),
            checkpoint_seconds=job.checkpoint_seconds,
        )
        state = load_checkpoint(self._folder) if resume else None
        if resume and state is None and self._folder.read_events():
            engine.begin_anew()
        if state is not None:
            engine.restore(state)
        elif prepared.start is not None:
            if job.tuning is not None:
                self._log("info", tuning_text(job, job.tuning), "tuned")
            for event in events_of(setting, prepared.start.split(setting.splits), 0, "full"):
                self._report(event)
        for event in engine.run():
            self._report(event)
        self._step = engine.step
        self._tell_undecoded(setting)
        if engine.outcome is State.DISCARDED:
            return self.end_without_result()
        return self._finish(prepared, engine)

    def _tell_undecoded(self, setting: Experiment) -> None:
        files = setting.train.undecoded + setting.test.undecoded
        if files:
            first = f"{files[0].path} ({files[0].reason})"
            what = f"{len(files):,} files" if len(files) > 1 else "One file"
            message = f"{what} could not be decoded and counted as black: {first}{' and others' * (len(files) > 1)}."
            self._log("warning", message, "unreadable")

    def end_without_result(self) -> State:
        """End a run that was discarded, or stopped while there was nothing to keep."""
        self._state(State.DISCARDING)
        self._report(self._finished(State.DISCARDED, {}, False))
        return State.DISCARDED

    def fail(self, error: Exception) -> Exception:
        """Record a failure; returns the error to raise (out of memory becomes an AppError with advice)."""
        details = "".join(traceback.format_exception(error))
        if is_out_of_memory(error):
            job = self._folder.job()
            error = out_of_memory_error(int(job.parameters.get("batch", 1)))
        message = error.message if isinstance(error, AppError) else f"{type(error).__name__}: {error}"
        hint = (
            error.hint if isinstance(error, AppError) else "This is a fault of the application; the log has the details"
        )
        common: dict[str, Any] = {"run": self._folder.id, "step": self._step, "time": time.time()}
        event = RunFailed(**common, error=message, hint=hint, details=details)
        self._recorder.record(event)
        self._emit(event)
        return error

    # -- preparing -------------------------------------------------------------------------------------------------

    def _prepare(self, job: Job, bench: Bench) -> _Prepared:
        """Set a job up on the bench that holds its model and data; an original's outputs are taken on the way."""
        dataset = bench.dataset
        if (idle := unused_gpu(bench.place)) is not None:
            self._log("warning", f"Running on the processor; {idle} is free. Use it from the next run on.", "cpu")
        selection = run_selection(self._folder, dataset)
        forget = torch.from_numpy(selection.mask.copy())
        weights = None if selection.weights is None else torch.from_numpy(selection.weights.copy())
        method = get_method(job.method)
        if weights is not None and job.kind == "unlearn" and not method.honours_weights:
            message = f"{method.title} does not use the forget list's weights: all images count 1."
            self._log("warning", message, "weights")
        values = resolve(method.parameters, job.parameters, owner=method.id)
        images = bench.images(forget, weights)
        setting = set_up(job, bench, values, images, Splits.of(dataset, forget), self._folder.id)
        original = start = None
        if bench.opened_model is not None:
            self._state(State.PREPARING, "Measuring the original model")
            original = start = bench.outputs(bench.model, "Measuring the original model", images)
            first = bench.first_model(job)
            if first is not bench.model:  # a later request: its result is compared with the first of all models
                original = bench.outputs(first, "Measuring the original model", images)
            elif job.origin is not None and job.origin.sha256 != first.sha256:
                message = f"{job.origin.path}, the model before the first request, is gone or was changed: the result "
                self._log("warning", f"{message}is compared with the model this run starts from.", "origin")
            for doubt in doubts_about(original, dataset):  # before the first step: a run that makes no sense is stopped
                self._log(doubt.level, doubt.message, doubt.code)
        self._control.check()
        return _Prepared(job, setting, dataset, original, start)

    # -- results ---------------------------------------------------------------------------------------------------

    def _finish(self, prepared: _Prepared, engine: Engine) -> State:
        setting = prepared.setting
        require_finite(setting.model.module)
        if engine.outcome is State.STOPPED:
            self._state(State.STOPPING, "Keeping the model as it is now")
        self._tick("Measuring the result", 0, 0)
        final = collect_full(
            setting.model,
            setting.train,
            setting.test,
            progress=lambda done, total: self._tick("Measuring the result", done, total),
        )
        sets = final.split(setting.splits)
        for event in events_of(setting, sets, engine.step, "full"):
            self._report(event)
        results.write_models(self._folder, prepared.job, setting.model.module)
        outcome = results.Outcome(
            state=engine.outcome,
            steps=engine.step,
            seconds=engine.elapsed,
            samples_seen=engine.samples_seen,
            operations=setting.operations(),
        )
        if prepared.job.kind == "train":
            sha256 = file_sha256(self._folder.file(MODEL))  # who opens it next, a check or the window, asks for them
            keep_outputs(outputs_file(sha256, network_key(prepared.job.model), prepared.dataset), final)
            measures = results.write_card(self._folder, prepared.job, prepared.dataset, final, setting.splits, outcome)
            self._report(self._finished(engine.outcome, measures, False))
            return engine.outcome
        assert prepared.original is not None
        report = results.build_report(
            self._folder, prepared.job, prepared.dataset, setting.splits, prepared.original, final, outcome,
            start=prepared.start, tell=self._tick,
        )  # fmt: skip
        for caveat in report.pop("log"):
            if caveat.code not in DOUBTS:  # said at the start
                self._log(caveat.level, caveat.message, caveat.code)
        finished = self._finished(engine.outcome, report["models"]["unlearned"], report["unchanged"])
        self._recorder.record(finished)  # before the report, which carries the event log's hash
        results.write_card(self._folder, prepared.job, prepared.dataset, final, setting.splits, outcome, report)
        results.write_report(self._folder, report)
        self._emit(finished)
        return engine.outcome

    # -- events ----------------------------------------------------------------------------------------------------

    def _common(self) -> dict[str, Any]:
        return {"run": self._folder.id, "step": self._step, "time": time.time()}

    def _report(self, event: Event) -> None:
        self._recorder.record(event)
        self._step = event.step
        self._emit(event)

    def _state(self, state: State, detail: str = "") -> None:
        self._report(PhaseChanged(**self._common(), state=state.value, detail=detail))

    def _log(self, level: str, message: str, code: str = "") -> None:
        self._report(Log(**self._common(), level=level, message=message, code=code))

    def _finished(self, state: State, measures: dict[str, Any], unchanged: bool) -> RunFinished:
        summary = {key: measures.get(key) for key in results.SUMMARY_KEYS if key in measures}
        seconds = time.perf_counter() - self._began
        return RunFinished(**self._common(), state=state.value, seconds=seconds, measures=summary, unchanged=unchanged)

    def _tick(self, what: str, done: int, total: int) -> None:
        self._report(Progress(**self._common(), what=what, done=done, total=total))
        if self._control.discarding:
            raise Interrupted

    def _progress(self, what: str, done: int, total: int) -> None:
        self._report(Progress(**self._common(), what=what, done=done, total=total))
        self._control.check()

    def _ending(self) -> bool:
        return self._control.ending


def set_up(job: Job, bench: Bench, values: Values, images: Images, splits: Splits, run_id: str = "") -> Experiment:
    """Return what the engine works on for a job with these values of its method, on the images of the bench.

    The network has the original's weights or, where the method begins afresh, ones drawn with the job's seed.
    """
    method = get_method(job.method)
    layers = method.layers(values)
    if method.starts_from == "original" and bench.opened_model is not None:
        network = bench.network(bench.model, layers=layers)
    else:
        network = bench.untrained(job.model, job.seed, layers=layers)
    return Experiment(
        run_id=run_id,
        method=method,
        values=values,
        seed=job.seed,
        model=network,
        splits=splits,
        train=images[0],
        test=images[1],
        class_names=bench.dataset.classes,
        device=bench.place,
        precision=bench.precision_for(network.module),
        augmentation=_augmentation_of(values),
    )


def tuning_text(job: Job, tuning: TuningPart) -> str:
    """Say in a sentence how a job's values were chosen."""
    chosen = ", ".join(f"{name} {job.parameters[name]:g}" for name in tuning.searched)
    tries = f"{tuning.tried} {'try' if tuning.tried == 1 else 'tries'}"
    return f"Settings chosen from {tries} on {tuning.images:,} images: {chosen}. Judged by {tuning.judged_by}."


def require_finite(module: torch.nn.Module) -> None:
    """Raise NonFiniteError naming a weight or a batch norm statistic that is not finite; losses need not show it."""
    for name, value in module.state_dict().items():
        if value.is_floating_point() and not value.isfinite().all():
            raise NonFiniteError(f"{name} became infinite", "Choose a smaller step size or a gradient clip")


def _augmentation_of(values: Values) -> Augmentation:
    """Return the augmentation a recipe names; none where the method has no such parameter."""
    name = values.get("augmentation", "none")
    return Augmentation(pad=0 if name == "none" else 4, flip=name == "crop and flip")
