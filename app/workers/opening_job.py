"""What opening does in a worker: find out what files open as, and fulfil a request to open something."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from app.services.translation import mark, tr
from core.errors import InputError
from core.models.trust import NO_TRUST, Trust
from core.runs.folder import RunFolder
from core.session.inspecting import Kind, kind_of

if TYPE_CHECKING:
    from core.events import Tell
    from core.job import Job
    from core.session.bench import Bench
    from core.session.example import Example

OPENS: dict[Kind, str] = {  # what the window opens, in this order
    "model": mark("{name} opens as the model."),
    "dataset": mark("{name} opens as the data."),
    "forget list": mark("{name} opens as a forget list."),
    "batch": mark("{name} opens as a batch."),
    "run": mark("The run {name} opens."),
}


@dataclass(frozen=True)
class Plan:
    """What becomes of some paths: of each kind the first opens; `left` says in sentences what does not, and why."""

    opens: dict[Kind, Path]
    left: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What opens, and what is left and why."""
        return " ".join([*(tr(OPENS[kind], name=self.opens[kind].name) for kind in OPENS if kind in self.opens),
                         *self.left])  # fmt: skip


def look(paths: Sequence[Path], data_open: bool) -> Plan:
    """Return what opening these paths would do; runs in a worker, for a disk may be slow."""
    opens: dict[Kind, Path] = {}
    more, unknown, left = [], [], []
    for path in paths:
        kind = opens_as(path)
        # A quick look stops at the first sub-folder: opening a folder says what it holds, or what is missing in it.
        kind = "dataset" if kind is None and path.is_dir() else kind
        if kind is None:
            unknown.append(path.name)
        elif kind in opens:
            more.append(path.name)
        else:
            opens[kind] = path
    if more:
        left.append(tr("Left, for one of a kind opens at a time: {names}.", names=", ".join(more)))
    if "forget list" in opens and "dataset" not in opens and not data_open:
        del opens["forget list"]
        left.append(tr("Open the data first: a forget list names its images."))
    if unknown:
        left.append(tr("No model, data, run, forget list or batch file: {names}.", names=", ".join(unknown)))
    return Plan(opens, tuple(left))


def opens_as(path: Path) -> Kind | None:
    """Return what the window opens a path as; None for what it does not open.

    A run that trained a model is opened as that model. A damaged run is a run: opening it says what is wrong.
    """
    kind = kind_of(path)
    if kind == "run":
        folder = RunFolder(path)
        with contextlib.suppress(InputError):
            if folder.exists and folder.job().kind == "train" and folder.has_result:
                return "model"
    return kind if kind in OPENS else None


DATA_ANSWERS = ("test_fraction", "classes_file", "preprocess_file")  # of DataOptions: what the user said of the data
Side = Literal["model", "data", "both", "example"]


@dataclass(frozen=True)
class Request:
    """What is to be opened, and what the user answered to earlier questions about it."""

    side: Side
    name: str  # in messages
    model: str = ""
    data: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)  # fields of DataOptions that differ from those in force
    order: tuple[str, ...] = ()  # classes in the order of the model's outputs
    preprocessing: Mapping[str, Any] | None = None  # set by hand; see `prepares`
    prepared: Mapping[str, Any] = field(default_factory=dict)  # how a job says that the images of `data` are
    prepares: bool = False  # whether `preprocessing` is to be set, or with None taken back
    trust: Trust = NO_TRUST
    arch: str = ""  # what the model is, where its weights fit several; without `model`, of the one that is open
    key: str = ""  # the entry of its file that is the network, where it holds several
    alone: bool = False  # close the other side, which it does not fit
    start_run: bool = False  # of the example
    then: Callable[[], object] | None = field(default=None, compare=False)  # once it is open, also after a question


@dataclass(frozen=True)
class Result:
    """What a request came to."""

    request: Request
    bench: Bench
    example: Example | None = None
    job: Any = None  # of the example's run


def work(
    request: Request, present: tuple[Any, ...], settings: Any, progress: Tell, cancelled: Callable[[], bool]
) -> Result:
    """Open what a request asks for."""
    from core.data.preprocessing import Preprocessing
    from core.methods import plugged
    from core.session.bench import Bench, DataOptions

    plugged()  # what packages bring may take long to load, and is asked for by the window's thread next
    if request.side == "example":
        return _example(request, settings, progress, cancelled)
    model, dataset, options, trust, arch = present
    options = dataclasses.replace(options or DataOptions(), data_root=settings.data_root)
    bench = Bench(model, dataset, options, arch, trust, tell=progress, cancelled=cancelled)
    if request.side == "model" and (dataset is None or request.alone):
        request = _with_own_data(request)
    both = request.side == "both"
    if both or (request.alone and request.side == "data"):
        bench = dataclasses.replace(bench, opened_model=None)
    if both or (request.alone and request.side == "model"):
        bench = dataclasses.replace(bench, opened_data=None)
    # The data takes the order of a new model's card first; the former model need not fit that order.
    order_first = bool(request.model and request.order and bench.opened_data is not None)
    if order_first:
        bench = dataclasses.replace(bench, opened_model=None).with_class_order(request.order)
    if request.model:
        bench = bench.trusting(request.trust)
        bench = bench.with_model(request.model, arch=request.arch or None, key=request.key or None)
    elif request.arch:
        trust = request.trust if request.trust != NO_TRUST else bench.trust
        bench = dataclasses.replace(bench, arch=request.arch, trust=trust)
        if not request.data and not request.prepares:
            bench = bench.with_data(bench.dataset.spec, bench.options)
    if request.data:
        options = dataclasses.replace(bench.options, **request.changes)
        prepared = Preprocessing.from_dict(request.prepared) if request.prepared else None
        bench = bench.with_data(request.data, options, prepared=prepared)
    if request.order and not order_first:
        bench = bench.with_class_order(request.order)
    if request.prepares:
        bench = bench.with_preprocessing(request.preprocessing)
    return Result(request, bench)


def trained(folder: RunFolder, job: Job) -> Request:
    """Return the request for what a training made, with the data it was made on."""
    data = job.data
    changes = {name: getattr(data, name) for name in DATA_ANSWERS}
    return Request("both", folder.id, model=str(folder.path), data=data.spec, changes=changes)


def _with_own_data(request: Request) -> Request:
    """Return a request for a model that a run here made with the data of that run, where that is still there."""
    from core.data.named import SOURCES
    from core.session.starts import earlier_run

    folder = earlier_run(Path(request.model))
    if folder is None:
        return request
    own = trained(folder, folder.job())
    there = Path(own.data).exists() or own.data in {source.id for source in SOURCES}
    return dataclasses.replace(request, side="both", data=own.data, changes=own.changes) if there else request


def _example(request: Request, settings: Any, progress: Tell, cancelled: Callable[[], bool]) -> Result:
    from core.engine.control import Control
    from core.session.example import open_example

    control = Control()

    def tell(what: str, done: int, total: int) -> None:
        if cancelled():
            control.discard()
        progress(what, done, total)

    example = open_example(control, tell)
    if not request.start_run:
        return Result(request, example.bench, example)
    bench = example.bench.on(settings.device, example.bench.precision, settings.threads)
    job = example.job(bench, monitoring_budget=settings.monitoring_budget)
    return Result(request, example.bench, example, job)
