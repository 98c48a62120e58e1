"""Requests to open something, and the work of fulfilling one; the work runs in a worker and knows no widgets."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from core.session.example import Example
    from core.session.project import Project

Side = Literal["model", "data", "both", "example"]
Tell = Callable[[str, int, int], None]


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
    prepares: bool = False  # whether `preprocessing` is to be set, or with None taken back
    trust_pickle: bool = False
    trust_code: bool = False
    arch: str = ""  # what the model is, where its weights fit several
    alone: bool = False  # close the other side, which it does not fit
    start_run: bool = False  # of the example
    wanted_by: object = field(default=None, compare=False)  # who goes on once it is open, also after a question


@dataclass(frozen=True)
class Result:
    """What a request came to."""

    request: Request
    project: Project
    example: Example | None = None
    job: Any = None  # of the example's run


def work(
    request: Request, present: tuple[Any, ...], settings: Any, progress: Tell, cancelled: Callable[[], bool]
) -> Result:
    """Open what a request asks for."""
    from core.session.opening import DataOptions
    from core.session.project import Project

    if request.side == "example":
        return _example(request, settings, progress, cancelled)
    model, dataset, options, trust_pickle, trust_code, arch = present
    options = dataclasses.replace(options or DataOptions(), data_root=settings.data_root)
    project = Project(model, dataset, options, trust_pickle, trust_code, arch)
    if request.side == "both":
        project = Project(options=options)
    elif request.alone:
        project = Project(options=options) if request.side == "model" else dataclasses.replace(project, model=None)
    options = dataclasses.replace(project.options, **request.changes)
    known: dict[str, Any] = {"progress": progress, "cancelled": cancelled}
    trust: dict[str, Any] = {
        "trust_pickle": request.trust_pickle, "trust_code": request.trust_code, "arch": request.arch or None, **known
    }  # fmt: skip
    if request.model and request.order and dataset is not None:
        return Result(request, _ordered_for(project, request, trust, known))
    if request.model:
        project = project.with_model(request.model, **trust)
    if request.data:
        project = project.with_data(request.data, options, **known)
    if request.order:
        project = project.with_class_order(request.order, **known)
    if request.prepares:
        project = project.with_preprocessing(request.preprocessing, **known)
    return Result(request, project)


def _ordered_for(project: Project, request: Request, trust: dict[str, Any], known: dict[str, Any]) -> Project:
    """Open a model after the data has taken the order of its card; the former model need not fit that order."""
    alone = dataclasses.replace(project, model=None).with_class_order(request.order, **known)
    return alone.with_model(request.model, **trust)


def _example(request: Request, settings: Any, progress: Tell, cancelled: Callable[[], bool]) -> Result:
    from core.engine.control import Control
    from core.session.example import open_example
    from core.session.jobs import make_unlearn_job
    from core.session.project import Project

    control = Control()

    def tell(what: str, done: int, total: int) -> None:
        if cancelled():
            control.discard()
        progress(what, done, total)

    example = open_example(control, tell)
    pair = example.pair
    project = Project(pair.model, pair.dataset, pair.options)
    if not request.start_run:
        return Result(request, project, example)
    job = make_unlearn_job(
        pair,
        example.selection,
        example.method,
        preset=example.preset,
        seed=example.seed,
        device=settings.device,
        threads=settings.threads,
        monitoring_budget=settings.monitoring_budget,
    )
    return Result(request, project, example, job)
