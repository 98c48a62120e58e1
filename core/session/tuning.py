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
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from core.data.batches import derive_seed
from core.data.dataset import Dataset, ImageSet
from core.data.splits import Splits, stratified
from core.devices import is_out_of_memory, out_of_memory_error
from core.engine.control import Control, Interrupted
from core.engine.engine import Engine
from core.engine.monitor import Unwatched
from core.errors import AppError, InputError, MismatchError, RunError, StoppedError, UsageError
from core.events import State
from core.files import cache_home, dumps, file_sha256, read_json, write_json
from core.job import Job, TuningPart
from core.methods import get_method
from core.methods.base import Method, SearchRange
from core.parameters import Parameter, Values, resolve
from core.runs.folder import MODEL, TUNING, RunFolder
from core.selection import Selection
from core.session.bench import Bench
from core.session.chain import all_requests
from core.session.jobs import create_run, decides, require_same_job
from core.session.judging import Judge, Judgement, Readings
from core.session.running import require_finite, set_up
from core.session.training import known_references
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
    training images to forget. `distance`: Jensen-Shannon divergence from the retrained outputs, as a share of its
    largest value. `allowed`: within the bound on retain accuracy.
    """

    number: int
    values: dict[str, Any]
    seconds: float
    steps: int
    retain: float | None = None
    forget: float | None = None
    samples: float | None = None
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
    tries: tuple[Try, ...]
    complete: bool

    @property
    def best(self) -> Try | None:
        """The try with the smallest score, among those within the bound where there are any."""
        judged = [tried for tried in self.tries if tried.score is not None]
        return min(judged, key=lambda tried: (not tried.allowed, tried.score, tried.number), default=None)


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
    method = get_method(job.method)
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
    kept = _KeptTries(keep, job, searched, trials.references)
    tries: list[Try] = []
    for number, setting in enumerate(itertools.islice(candidates(searched, values, job.seed), count), start=1):
        done = kept.get(number, setting) or trials.attempt(number, setting, count)
        if done is None:
            break
        tries.append(done)
        kept.put(_result(job, searched, trials, count, tries, complete=False))
        if tried is not None:
            tried(done)
        if control.ending:
            break
    whole = not control.ending or len(tries) == count
    result = _result(job, searched, trials, count, tries, complete=whole)
    kept.put(result)
    return result


def tuned(job: Job, tuning: Tuning, kept: Path | None = None) -> Job:
    """Return the job with the best try's values. Raises RunError where no try gave a usable model."""
    best = tuning.best
    if best is None:
        raise RunError(
            f"None of {len(tuning.tries)} settings gave a usable model: {_first_reason(tuning)}",
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


def ready_run(
    folder: RunFolder,
    job: Job,
    selection: Selection,
    bench: Bench,
    control: Control,
    *,
    tries: int = 0,
    fixed: Collection[str] = (),
) -> tuple[RunFolder, Tuning | None]:
    """Make the run folder of a job, or take it as it is where it holds that very run, to be gone on with.

    Where settings are to be searched for (`tries`; those named in `fixed` stay), the search comes first: its tries are
    kept in the folder-to-be, and the job gets the best of them. Returns the folder and the search, None without one.
    Raises MismatchError where the folder holds another run, StoppedError where `control` ended it before the run.
    """
    if control.ending:
        raise StoppedError("Stopped before the run began, so there is nothing to keep", "Start it again")
    if folder.exists:
        require_same_job(folder, _as_tuned(folder, job))
        return folder, None
    search = None
    if tries and axes(get_method(job.method), Values(job.parameters), fixed):
        kept = folder.file(TUNING)
        with folder.lock():
            search = tune(job, bench, selection, tries, fixed=fixed, keep=kept, control=control)
        if not search.complete:
            raise StoppedError(
                f"Stopped while settings were tried; {len(search.tries)} of {tries} tries are kept in {kept}",
                "Start the same command again to go on",
            )
        job = tuned(job, search, kept)
    return create_run(folder.path, job, selection, bench.dataset), search


def _as_tuned(folder: RunFolder, job: Job) -> Job:
    """Return a job with the values that a search gave the job in a folder that is to be resumed."""
    present = folder.job()
    if present.tuning is None or present.method != job.method:
        return job
    chosen = {name: present.parameters.get(name) for name in present.tuning.searched}
    return dataclasses.replace(job, parameters={**job.parameters, **chosen})


def _first_reason(tuning: Tuning) -> str:
    return next((one.reason for one in tuning.tries if one.reason), "none was tried")


def _result(
    job: Job, searched: tuple[Axis, ...], trials: _Trials, asked: int, tries: list[Try], *, complete: bool
) -> Tuning:
    return Tuning(
        method=job.method,
        searched=tuple(axis.parameter.name for axis in searched),
        judged_by=trials.judge.by,
        goal=trials.judge.goal,
        images=trials.images,
        total=trials.total,
        asked=asked,
        tries=tuple(tries),
        complete=complete,
    )


class _Trials:
    """The part of the images, the sets and the judge that all tries of a search share."""

    def __init__(self, job: Job, bench: Bench, selection: Selection, control: Control) -> None:
        self._job, self._bench, self._control = job, bench, control
        self.total = len(bench.dataset.train)
        ids = chosen_images(selection, job.seed, IMAGES)
        dataset = _subset(bench.dataset, ids)
        forget = torch.from_numpy(selection.mask.copy())[ids]
        weights = None if selection.weights is None else torch.from_numpy(selection.weights.copy())[ids]
        self._images = train, test = dataclasses.replace(bench, opened_data=dataset).images(forget, weights)
        self._splits = Splits.of(dataset, forget)
        self.images = len(train)
        references = known_references(job).values()
        opened = [bench.open_beside(folder.file(MODEL), arch=job.model.builder) for folder in references]
        self.references = tuple(model.sha256 for model in opened)
        retrained = [bench.network(model) for model in opened]
        self.judge = Judge(self._splits, train, test, bench.network(bench.model), retrained)

    def attempt(self, number: int, values: dict[str, Any], count: int) -> Try | None:
        """Run one setting to its end and judge the model; None where the user ended it before.

        Whatever else goes wrong with a setting is the try's reason, and the search goes on. Raises OutOfMemoryError,
        which the settings that follow would meet as well, and StoppedError where the bench was told to stop.
        """
        began, judgement, reason, steps = time.perf_counter(), None, "", 0
        method = get_method(self._job.method)
        try:
            resolved = resolve(method.parameters, {**self._job.parameters, **values}, owner=method.id)
            setting = set_up(self._job, self._bench, resolved, self._images, self._splits)
            engine = Engine(setting, self._control, Unwatched())
            for _ in engine.run():
                steps = engine.step
                self._bench.tell(f"Trying settings, {number} of {count}", steps, engine.timeline.total)
            steps = engine.step
            if engine.outcome is not State.FINISHED:
                return None
            require_finite(setting.model.module)
            judgement = self.judge.judge(setting.model)
            reason = "" if judgement is not None else "Its outputs are not numbers."
        except Interrupted:
            return None
        except StoppedError:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                batch = {**self._job.parameters, **values}.get("batch", 1)
                raise out_of_memory_error(int(batch)) from None
            reason = error.message if isinstance(error, AppError) else f"{type(error).__name__}: {error}"
        return _try(number, values, time.perf_counter() - began, steps, judgement, reason)


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


def _subset(dataset: Dataset, ids: torch.Tensor) -> Dataset:
    if len(ids) == len(dataset.train):
        return dataset
    train = ImageSet(dataset.train.images[ids], dataset.train.labels[ids])
    return dataclasses.replace(dataset, train=train)


def _try(
    number: int, values: dict[str, Any], seconds: float, steps: int, judgement: Judgement | None, reason: str
) -> Try:
    if judgement is None:
        return Try(number, values, seconds, steps, reason=reason)
    read = judgement.readings
    return Try(
        number, values, seconds, steps, read.retain, read.forget, read.samples, judgement.distance, judgement.score,
        judgement.allowed,
    )  # fmt: skip


class _KeptTries:
    """Finished tries in a file, for a search that goes on; in memory only where there is no file."""

    def __init__(self, path: Path | None, job: Job, searched: tuple[Axis, ...], references: tuple[str, ...]) -> None:
        self._path = path
        self._head = {"format": FORMAT, "job": _search_key(job, searched), "references": list(references)}
        self._tries: dict[int, Try] = {}
        if path is None or not path.is_file():
            return
        content = read_json(path)
        if not isinstance(content, dict) or content.get("job") != self._head["job"]:
            raise MismatchError(f"{path} holds settings that were tried for another job", "Choose another folder")
        if content.get("references") != self._head["references"]:
            return  # judged against other models since: not comparable
        try:
            tries = msgspec.convert(content.get("tries"), tuple[Try, ...])
        except msgspec.ValidationError as error:
            raise InputError(f"{path} is damaged: {error}", "Remove it, or choose another folder") from error
        self._tries = {tried.number: tried for tried in tries}

    def get(self, number: int, values: dict[str, Any]) -> Try | None:
        tried = self._tries.get(number)
        return tried if tried is not None and tried.values == values else None

    def put(self, tuning: Tuning) -> None:
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        best = tuning.best
        write_json(self._path, {**self._head, **dataclasses.asdict(tuning), "best": best.number if best else None})


def _search_key(job: Job, searched: tuple[Axis, ...]) -> str:
    """Return a hash of all that decides which settings are tried and what comes out."""
    ranges = [(axis.parameter.name, axis.low, axis.high, axis.log) for axis in searched]
    return hashlib.sha256(dumps((_decides(job), ranges, IMAGES, FORGET_IMAGES))).hexdigest()


def _decides(job: Job) -> tuple[Any, ...]:
    parts = {**decides(job), "parameters": sorted(job.parameters.items())}
    return (*parts.values(), job.device, job.precision, job.threads)


def tries_file(job: Job, fixed: Collection[str] = ()) -> Path:
    """Return the file in the cache for a search around a job's values, named by all that decides its tries."""
    parts = (VERSION, _decides(job), sorted(fixed))
    return cache_home() / "searches" / f"{hashlib.sha256(dumps(parts)).hexdigest()[:32]}.json"


def keep_tries(tries: Path, folder: RunFolder) -> None:
    """Copy a search's file into the folder of a run that is about to be made; the job names it by its hash."""
    folder.path.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(tries, folder.file(TUNING))
