"""The registry of methods: one explicit line each."""

from __future__ import annotations

from core.errors import unknown_name
from core.methods import (
    ascent,
    boundary,
    dampening,
    distillation,
    finetuning,
    fisher,
    head,
    influence,
    lipschitz,
    muda,
    relabelling,
    retrain,
    scrub,
    unsir,
)
from core.methods.base import Method

_ALL: tuple[Method, ...] = (
    muda.MUDA,
    finetuning.FINETUNE,
    ascent.GRADIENT_ASCENT,
    ascent.NEGGRAD_PLUS,
    relabelling.RANDOM_LABELS,
    relabelling.SALUN,
    scrub.SCRUB,
    distillation.BAD_TEACHER,
    distillation.DELETE,
    finetuning.L1_SPARSE,
    finetuning.CF_K,
    finetuning.EU_K,
    head.HEAD_ONLY,
    retrain.RETRAIN,
    dampening.SSD,
    dampening.LFSSD,
    head.ESC,
    head.LOFT,
    fisher.FISHER,
    influence.INFLUENCE,
    boundary.BOUNDARY_SHRINK,
    boundary.BOUNDARY_EXPAND,
    unsir.UNSIR,
    lipschitz.LIPSCHITZ,
)
METHODS = {method.id: method for method in _ALL}


def get_method(method_id: str) -> Method:
    """Return a registered method; raises NotFoundError with the nearest ids."""
    try:
        return METHODS[method_id]
    except KeyError:
        raise unknown_name("method", method_id, METHODS) from None
