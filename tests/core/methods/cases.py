"""One short setting per method and kind of forget set: every generic test runs over all of them."""

from __future__ import annotations

from typing import Any

from core.methods import METHODS

SHORT: dict[str, dict[str, Any]] = {
    "muda": {"rounds": 2, "batch": 8, "lr": 0.05, "recover_share": 0.5, "min_steps": 3},
    "retrain": {"epochs": 2, "batch": 16},
    "finetune": {"epochs": 1, "batch": 16},
    "head-only": {},
}

VARIANTS: list[tuple[str, str, dict[str, Any]]] = [
    ("muda", "class", {"alternation": "round"}),
    ("muda", "class", {"refresh_every": 1, "layers": 2, "centred": True, "w_kd": 0.5, "optimiser": "adamw"}),
    ("muda", "class", {"retain_share": 0.5, "last_blocks": 1, "batch_norm": "train", "clip": 1.0}),
    ("muda", "class", {"direction": "reverse", "mask": "true class", "temperature": 2.0}),
    ("muda", "mixed", {}),
    ("head-only", "class", {"variant": "distil", "batch": 16}),
]


def cases() -> list[tuple[str, str, dict[str, Any]]]:
    """(method id, forget mode, values) over the registry, then named variants."""
    plain = [
        (method.id, mode, SHORT.get(method.id, {}))
        for method in METHODS.values()
        for mode in ("class", "sample")
        if mode in method.suits
    ]
    return plain + [(name, mode, {**SHORT[name], **values}) for name, mode, values in VARIANTS]


def case_id(case: tuple[str, str, dict[str, Any]]) -> str:
    """A readable name for a case."""
    method, mode, values = case
    extra = [f"{k}={v}" for k, v in values.items() if SHORT.get(method, {}).get(k) != v]
    return "-".join([method, mode, *extra])
