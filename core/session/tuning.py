"""Tuning: searches a method's settings for a model and a forget set by short tries on a part of the images.

    for each candidate (the job's own values first, then points spread over the method's ranges):
        run the whole plan on at most IMAGES training images, from the original's weights
        judge the result on the calibration half of the test images, never on the evaluation half

Tries are kept in a file as they end, so that a search that was stopped or killed goes on where it was.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import math
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from core.data.batches import derive_seed
from core.data.dataset import ImageSet
from core.data.splits import Splits, stratified
from core.devices import out_of_memory_error
from core.engine.control import Control, Interrupted
from core.engine.engine import Engine
from core.engine.monitor import Unwatched
from core.engine.step import require_finite
from core.errors import AppError, InputError, MismatchError, RunError, StoppedError, UsageError, is_out_of_memory
from core.events import State
from core.files import cache_home, dumps, file_sha256, prepared, read_json, write_json
from core.job import Job, TuningPart
from core.methods import method_of
from core.methods.base import Method, SearchRange
from core.parameters import Parameter, Values, resolve
from core.runs.folder import MODEL
from core.selection import Selection
from core.session.bench import Bench, Images
from core.session.chains import all_requests
from core.session.jobs import decides
from core.session.judging import Judge, Readings
from core.session.references import known_references
from core.session.suspects import STAMPED, Stamped
from core.version import VERSION

IMAGES = 10_000  # training images a try runs on: enough that what is best there is good on all of them
FORGET_IMAGES = 500  # of these at least, where the forget set has as many: few images say little
FORMAT = 1
DIGITS = 3  # significant digits of a tried value: more say nothing, and people read them
PASSED_OVER = 200  # points in a row that give no new setting, before the ranges count as exhausted


# -- which settings are tried -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Axis:
    """A parameter that a search varies, and the bounds it varies it between."""

    parameter: Parameter
    low: float
    high: float
    log: bool

    def at(self, share: float) -> int | float:
        """Return the value at a share (0..1) of the way from `low` to `high`, rounded and within these."""
        value = self.low * (self.high / self.low) ** share if self.log else self.low + (self.high - self.low) * share
        if self.parameter.kind == "int":
            return round(value)
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)


def axes(method: Method, values: Values, fixed: Collection[str] = ()) -> tuple[Axis, ...]:
    """Return the parameters that a search around `values` varies, those in `fixed` left out.

    A range relative to a value of 0 is left out: what is switched off stays off. Bounds are cut to what the parameter
    allows.
    """
    by_name = {parameter.name: parameter for parameter in method.parameters}
    varied = []
    for searched in method.searched:
        start = float(values[searched.name])
        if searched.name in fixed or (searched.relative and start == 0):
            continue
        varied.append(_axis(by_name[searched.name], searched, start if searched.relative else 1.0))
    return tuple(varied)


def candidates(searched: tuple[Axis, ...], values: Values, seed: int) -> Iterator[dict[str, Any]]:
    """Yield settings of the searched parameters, each once: those of `values` first, then points between the bounds.

    The points are the additive recurrence with the generalised golden ratio (Roberts 2018, "The unreasonable
    effectiveness of quasirandom sequences"), shifted by the seed: any number of them covers the ranges evenly, and a
    longer search begins with the points of a shorter one. Ends where the ranges hold no further setting.
    """
    first = {axis.parameter.name: values[axis.parameter.name] for axis in searched}
    seen = {tuple(first.values())}
    yield first
    steps = _irrational(len(searched))
    shifts = [derive_seed(seed, "search", axis.parameter.name) / 2**63 for axis in searched]
    point = missed = 0
    while searched and missed < PASSED_OVER:
        point += 1
        shares = [(shift + point * step) % 1.0 for shift, step in zip(shifts, steps, strict=True)]
        setting = {axis.parameter.name: axis.at(share) for axis, share in zip(searched, shares, strict=True)}
        missed = missed + 1 if tuple(setting.values()) in seen else 0
        if not missed:
            seen.add(tuple(setting.values()))
            yield setting


def _axis(parameter: Parameter, searched: SearchRange, scale: float) -> Axis:
    """Return the axis of a parameter: its range times `scale`, cut to what the parameter allows."""
    low, high = searched.low * scale, searched.high * scale
    low = low if parameter.low is None else max(low, parameter.low)
    high = high if parameter.high is None else min(high, parameter.high)
    if parameter.kind == "int":
        low, high = math.ceil(low), math.floor(high)
    return Axis(parameter, low, max(low, high), searched.log and low > 0)


def _irrational(dimensions: int) -> list[float]:
    """Return 1/g, 1/g², ... for the root g of g^(d+1) = g + 1."""
    root = 1.5
    for _ in range(60):  # the fixed point of a contraction; far more than float64 needs
        root = (1 + root) ** (1 / (dimensions + 1))
    return [root ** -(power + 1) for power in range(dimensions)]


# -- searching ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Try:
    """A setting that was tried. `score`: smaller is better; None where the try failed, for `reason`.

    Accuracies (0..1) are those of the calibration half: `retain` and `forget` on unseen images, `samples` on single
    training images to forget; `trigger` is the success of a correction's trigger. `distance`: Jensen-Shannon divergence
    from the retrained outputs, as a share of its largest value. `allowed`: within the bound on retain accuracy.
    """

    number: int
    values: dict[str, Any]
    seconds: float
    steps: int
    retain: float | None = None
    forget: float | None = None
    samples: float | None = None
    trigger: float | None = None
    distance: float | None = None
    score: float | None = None
    allowed: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Tuning:
    """The result of a search. `goal` is what a try should come to; `complete`: it was not stopped before its end."""

    method: str
    searched: tuple[str, ...]
    judged_by: str
    goal: Readings
    images: int  # training images each try ran on, of `total`
    total: int
    asked: int
    tries: tuple[Try, ...] = ()
    complete: bool = False

    @property
    def best(self) -> Try | None:
        """The try with the smallest score, among those within the bound where there are any."""
        judged = [done for done in self.tries if done.score is not None]
        return min(judged, key=lambda done: (not done.allowed, done.score, done.number), default=None)


def tune(
    job: Job,
    bench: Bench,
    selection: Selection,
    count: int,
    *,
    fixed: Collection[str] = (),
    keep: Path | None = None,
    control: Control | None = None,
    tried: Callable[[Try], object] | None = None,
) -> Tuning:
    """Try `count` settings around a job's values and return all tries; the job itself is not run.

    Parameters named in `fixed` stay as they are. `keep`: a file that finished tries are kept in and taken from. The
    bench is told of a try's steps, `tried` gets each finished try, both in the calling thread. Stop and discard of
    `control` end the search after the current step; what was finished is returned.

    The same job gives the same tries. Raises UsageError where the method has nothing to search, InputError where the
    test part has no calibration half, MismatchError where `keep` holds the tries of another job.
    """
    method = method_of(job)
    values = resolve(method.parameters, job.parameters, owner=method.id)
    searched = axes(method, values, fixed)
    if not searched:
        raise UsageError(f"{method.title} has no setting to search for", "Run it as it is")
    control = control or Control()
    bench.tell("Preparing the search for settings", 0, 0)
    bench = bench.for_job(job)
    if job.chain:  # a try must not train on what earlier requests forgot
        selection = all_requests(Path(job.model.path), selection, bench.dataset)
    trials = _Trials(job, bench, selection, control)
    names = tuple(axis.parameter.name for axis in searched)
    judge, total = trials.judge, len(bench.dataset.train)
    tuning = Tuning(method.id, names, judge.by, judge.goal, trials.images, total, asked=count)
    about = {"format": FORMAT, "job": _search_key(job, searched), "references": trials.references}
    kept = _kept_tries(keep, about) if keep is not None and keep.is_file() else {}
    for number, setting in enumerate(itertools.islice(candidates(searched, values, job.seed), count), start=1):
        done = kept.get(number)
        if done is None or done.values != setting:
            done = trials.attempt(number, setting, count)
        if done is None:
            break
        tuning = dataclasses.replace(tuning, tries=(*tuning.tries, done))
        _keep(tuning, keep, about)
        if tried is not None:
            tried(done)
        if control.ending:
            break
    tuning = dataclasses.replace(tuning, complete=not control.ending or len(tuning.tries) == count)
    _keep(tuning, keep, about)
    return tuning


def tuned(job: Job, tuning: Tuning, kept: Path | None = None) -> Job:
    """Return the job with the best try's values. Raises RunError where no try gave a usable model."""
    best = tuning.best
    if best is None:
        reason = next((done.reason for done in tuning.tries if done.reason), "none was tried")
        raise RunError(
            f"None of {len(tuning.tries)} settings gave a usable model: {reason}",
            "Start from a smaller step size: --set lr=…, or a preset",
        )
    part = TuningPart(
        asked=tuning.asked,
        tried=len(tuning.tries),
        best=best.number,
        score=best.score,
        judged_by=tuning.judged_by,
        images=tuning.images,
        searched=tuning.searched,
        sha256=file_sha256(kept) if kept is not None else "",
    )
    return dataclasses.replace(job, parameters={**job.parameters, **best.values}, tuning=part)


class _Trials:
    """The part of the images, the sets and the judge that all tries of a search share."""

    def __init__(self, job: Job, bench: Bench, selection: Selection, control: Control) -> None:
        self._job, self._bench, self._control = job, bench, control
        ids = chosen_images(selection, job.seed, IMAGES)
        self._images, self._splits = _part(bench, selection, ids)
        self.images = len(ids)
        retrained = [
            bench.open_beside(folder.file(MODEL), arch=job.model.builder) for folder in known_references(job).values()
        ]
        self.references = [model.sha256 for model in retrained]
        trigger, unseen = job.forget.trigger, self._splits.calibration
        self.judge = Judge(
            self._splits, *self._images, bench.network(bench.model), [bench.network(model) for model in retrained],
            purpose=job.purpose, stamped=None if trigger is None else Stamped.of(bench, trigger, unseen, STAMPED),
        )  # fmt: skip

    def attempt(self, number: int, values: dict[str, Any], count: int) -> Try | None:
        """Run one setting to its end and judge the model; None where the user ended it before.

        Whatever else goes wrong with a setting is the try's reason, and the search goes on. Raises OutOfMemoryError,
        which the settings that follow would meet as well, and StoppedError where the bench was told to stop.
        """
        began, steps = time.perf_counter(), 0
        result: dict[str, Any] = {"reason": "Its outputs are not numbers."}
        method = method_of(self._job)
        try:
            resolved = resolve(method.parameters, {**self._job.parameters, **values}, owner=method.id)
            experiment = self._bench.experiment(self._job, resolved, self._images, self._splits)
            engine = Engine(experiment, self._control, Unwatched())
            for _ in engine.run():
                steps = engine.steps_taken
                self._bench.tell(f"Trying settings, {number} of {count}", engine.step, engine.timeline.total)
            steps = engine.steps_taken
            if engine.outcome is not State.FINISHED:
                return None
            require_finite(experiment.model.module)
            judgement = self.judge.judge(experiment.model)
            if judgement is not None:
                result = vars(judgement)
        except Interrupted:
            return None
        except StoppedError:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                batch = {**self._job.parameters, **values}.get("batch", 1)
                raise out_of_memory_error(int(batch)) from None
            result = {"reason": error.message if isinstance(error, AppError) else f"{type(error).__name__}: {error}"}
        return Try(number, values, time.perf_counter() - began, steps, **result)


def chosen_images(selection: Selection, seed: int, limit: int) -> torch.Tensor:
    """Return the training images a try runs on, (m,) int64 ascending: all, or about `limit`, the classes' shares kept.

    Forget and retain set shrink by the same factor, so that a plan's phases keep their proportions; a small forget
    set keeps FORGET_IMAGES.
    """
    labels = torch.from_numpy(np.array(selection.labels, dtype=np.int64))
    forget = torch.from_numpy(selection.mask.copy())
    share = min(1.0, limit / selection.total)
    parts = []
    for members, at_least in ((torch.nonzero(forget).flatten(), FORGET_IMAGES), (torch.nonzero(~forget).flatten(), 1)):
        parts.append(stratified(labels, members, max(at_least, round(share * len(members))), seed))
    return torch.cat(parts).sort().values


def _part(bench: Bench, selection: Selection, ids: torch.Tensor) -> tuple[Images, Splits]:
    """Return the images of a bench with only `ids` (m,) int64 of the training images, and their sets."""
    data, rows = bench.dataset, ids.numpy()
    if len(ids) < len(data.train):
        data = dataclasses.replace(data, train=ImageSet(data.train.images[ids], data.train.labels[ids]))
    weights = None if selection.weights is None else selection.weights[rows]
    chosen = Selection(selection.mask[rows], selection.labels[rows], selection.class_names, weights)
    return dataclasses.replace(bench, opened_data=data).laid_out(chosen)


# -- tries in a file ----------------------------------------------------------------------------------------------


def _kept_tries(path: Path, about: dict[str, Any]) -> dict[int, Try]:
    """Return the finished tries in a search's file, by number; none where they were judged against other models.

    about: what the search is about, as `_keep` writes it. Raises MismatchError for the file of another job, InputError
    for a damaged one.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("job") != about["job"]:
        raise MismatchError(f"{path} holds settings that were tried for another job", "Choose another folder")
    if content.get("references") != about["references"]:
        return {}
    try:
        tries = msgspec.convert(content.get("tries"), prepared(tuple[Try, ...]))
    except msgspec.ValidationError as error:
        raise InputError(f"{path} is damaged: {error}", "Remove it, or choose another folder") from error
    return {done.number: done for done in tries}


def _keep(tuning: Tuning, path: Path | None, about: dict[str, Any]) -> None:
    """Write a search with its finished tries to its file, where it has one."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    best = tuning.best
    write_json(path, {**about, **dataclasses.asdict(tuning), "best": best.number if best else None})


def _search_key(job: Job, searched: tuple[Axis, ...]) -> str:
    """Return a hash of all that decides which settings are tried and what comes out."""
    ranges = [(axis.parameter.name, axis.low, axis.high, axis.log) for axis in searched]
    return hashlib.sha256(dumps((_decides(job), ranges, IMAGES, FORGET_IMAGES))).hexdigest()


def _decides(job: Job) -> tuple[Any, ...]:
    """Return what decides how a try of a job's method comes out, the machine's share included."""
    parts = {**decides(job), "parameters": sorted(job.parameters.items())}
    return (*parts.values(), job.device, job.precision, job.threads)


def tries_file(job: Job, fixed: Collection[str] = ()) -> Path:
    """Return the file in the cache for a search around a job's values, named by all that decides its tries."""
    parts = (VERSION, _decides(job), sorted(fixed))
    return cache_home() / "searches" / f"{hashlib.sha256(dumps(parts)).hexdigest()[:32]}.json"
