"""The registry of methods: one explicit line each, and behind them those of installed packages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from core import entry_points
from core.entry_points import Offered, Origin
from core.errors import NotFoundError, unknown_name
from core.job import Job, PluginPart
from core.methods import (
    amun,
    ascent,
    boundary,
    challenge,
    dampening,
    distillation,
    finetuning,
    fisher,
    head,
    influence,
    layerwise,
    lipschitz,
    lotus,
    muda,
    munba,
    negmerge,
    relabelling,
    retrain,
    scrub,
    sfron,
    tilted,
    unsir,
)
from core.methods.base import Method
from core.methods.card import faults

_ALL: tuple[Method, ...] = (
    muda.MUDA,
    finetuning.FINETUNE,
    ascent.GRADIENT_ASCENT,
    ascent.NEGGRAD_PLUS,
    sfron.SFR_ON,
    relabelling.RANDOM_LABELS,
    relabelling.SALUN,
    munba.MUNBA,
    scrub.SCRUB,
    distillation.BAD_TEACHER,
    distillation.DELETE,
    lotus.LOTUS,
    finetuning.L1_SPARSE,
    finetuning.CF_K,
    finetuning.EU_K,
    head.HEAD_ONLY,
    retrain.RETRAIN,
    dampening.SSD,
    dampening.LFSSD,
    head.ESC,
    head.LOFT,
    layerwise.LAYER_PROJECTION,
    layerwise.DAMP,
    fisher.FISHER,
    influence.INFLUENCE,
    boundary.BOUNDARY_SHRINK,
    boundary.BOUNDARY_EXPAND,
    amun.AMUN,
    unsir.UNSIR,
    lipschitz.LIPSCHITZ,
    challenge.MSG,
    challenge.CT,
    negmerge.NEGMERGE,
    tilted.TRW,
)
METHODS = {method.id: method for method in _ALL}
"""The program's own."""


def methods() -> Mapping[str, Method]:
    """Return all methods by id: the program's own, then those of installed packages."""
    return {**METHODS, **plugged().found}


@cache
def plugged() -> Offered[Method]:
    """Return the methods of installed packages, loaded at the first call, and which are left out for what reason."""
    found = entry_points.offered(entry_points.METHODS, Method, faults, METHODS)
    return replace(found, found={name: _guarded(one, found.origins[name]) for name, one in found.found.items()})


def get_method(method_id: str) -> Method:
    """Return a method; raises NotFoundError with the nearest ids, or with the reason why it is left out."""
    known = methods()
    if method_id in known:
        return known[method_id]
    if why := plugged().why_not(method_id):
        raise NotFoundError(why, "Mend or remove the package, or choose another method")
    raise unknown_name("method", method_id, known)


def plugin_part(method_id: str) -> PluginPart | None:
    """Return the package a method comes from as jobs record it; None for the program's own."""
    origin = plugged().origins.get(method_id)
    return None if origin is None else PluginPart(distribution=origin.distribution, version=origin.version)


def package_of(job: Job) -> Origin | None:
    """Return the package that the method of a job comes from, as the job records it; None for the program's own."""
    return None if job.plugin is None else Origin(job.plugin.distribution, job.plugin.version)


def changed_package(job: Job) -> str:
    """Say where the method of a job now comes from another version of its package; "" where it does not."""
    then, now = package_of(job), plugged().origins.get(job.method)
    if then is None or now is None or then == now:
        return ""
    return f"The job was made with {then}, and its method now comes from {now}: the result may be another one."


def method_of(job: Job) -> Method:
    """Return the method of a job; raises NotFoundError where the package it comes from is not installed any more."""
    package = package_of(job)
    if package is None or plugged().why_not(job.method):
        return get_method(job.method)
    now = plugged().origins.get(job.method)
    if now is None or now.distribution != package.distribution:
        raise NotFoundError(
            f"The method {job.method!r} comes from the package {package}, which is not installed here",
            f"Install {package.distribution} and try again. What the run has left can be read without it",
        )
    return get_method(job.method)


def _guarded(method: Method, origin: Origin) -> Method:
    """Return a method whose functions that are called before a run name their package where they fail."""
    what = f"The method {method.id!r}"
    return replace(
        method,
        plan=entry_points.guarded(method.plan, what, origin),
        explain=method.explain and entry_points.guarded(method.explain, what, origin),
        layers=entry_points.guarded(method.layers, what, origin),
        reads_unseen=entry_points.guarded(method.reads_unseen, what, origin),
        copies=entry_points.guarded(method.copies, what, origin),
    )
