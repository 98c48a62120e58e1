"""The registry of methods: one explicit line each."""

from __future__ import annotations

from core.errors import unknown_name
from core.methods.bad_teacher import BAD_TEACHER
from core.methods.base import Method
from core.methods.boundary import BOUNDARY_EXPAND, BOUNDARY_SHRINK
from core.methods.dampening import LFSSD, SSD
from core.methods.delete import DELETE
from core.methods.finetune import FINETUNE
from core.methods.fisher import FISHER
from core.methods.gradient_ascent import GRADIENT_ASCENT
from core.methods.head_only import HEAD_ONLY
from core.methods.influence import INFLUENCE
from core.methods.l1_sparse import L1_SPARSE
from core.methods.lipschitz import LIPSCHITZ
from core.methods.muda import MUDA
from core.methods.neggrad_plus import NEGGRAD_PLUS
from core.methods.projection import ESC, LOFT
from core.methods.relabelling import RANDOM_LABELS, SALUN
from core.methods.retrain import RETRAIN
from core.methods.scrub import SCRUB
from core.methods.tail import CF_K, EU_K
from core.methods.unsir import UNSIR

_ALL: tuple[Method, ...] = (
    MUDA,
    FINETUNE,
    GRADIENT_ASCENT,
    NEGGRAD_PLUS,
    RANDOM_LABELS,
    SALUN,
    SCRUB,
    BAD_TEACHER,
    DELETE,
    L1_SPARSE,
    CF_K,
    EU_K,
    HEAD_ONLY,
    RETRAIN,
    SSD,
    LFSSD,
    ESC,
    LOFT,
    FISHER,
    INFLUENCE,
    BOUNDARY_SHRINK,
    BOUNDARY_EXPAND,
    UNSIR,
    LIPSCHITZ,
)
METHODS = {method.id: method for method in _ALL}


def get_method(method_id: str) -> Method:
    """Return a registered method; raises NotFoundError with the nearest ids."""
    try:
        return METHODS[method_id]
    except KeyError:
        raise unknown_name("method", method_id, METHODS) from None
