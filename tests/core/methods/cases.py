"""One short setting per method and kind of forget set: every generic test runs over all of them."""

from __future__ import annotations

from typing import Any

from core.conformance.checks import IDENTITY, SEED, Case
from core.methods import METHODS

SHORT: dict[str, dict[str, Any]] = {
    "boundary-shrink": {"epochs": 2, "batch": 8},
    "boundary-expand": {"epochs": 2, "batch": 8},
    "amun": {"epochs": 1, "batch": 16, "steps": 4},
    "unsir": {"batch": 16, "noise_images": 6, "noise_steps": 3},
    "lipschitz": {"epochs": 2, "batch": 8, "copies": 3},
    "muda": {"rounds": 2, "batch": 8, "lr": 0.05, "recover_share": 0.5, "min_steps": 3},
    "retrain": {"epochs": 2, "batch": 16},
    "finetune": {"epochs": 1, "batch": 16},
    "head-only": {},
    "gradient-ascent": {"epochs": 2, "batch": 8, "goal": "none"},
    "neggrad-plus": {"epochs": 1, "batch": 16},
    "ssd": {},
    "lfssd": {},
    "esc": {},
    "loft": {},
    "layer-projection": {},
    "damp": {},
    "fisher": {"samples": 20, "labels": 2},
    "influence": {"samples": 20},
    "sfr-on": {"epochs": 2, "batch": 16, "retain_steps": 2},
    "random-labels": {"epochs": 1, "batch": 16},
    "salun": {"epochs": 1, "batch": 16, "weight_decay": 1e-3},
    "munba": {"epochs": 1, "batch": 16},
    "scrub": {"epochs": 2, "max_epochs": 1, "batch": 16, "forget_batch": 8, "batch_norm": "train"},
    "bad-teacher": {"epochs": 1, "batch": 8},
    "delete": {"epochs": 3, "batch": 8},
    "lotus": {"epochs": 2, "batch": 8},
    "l1-sparse": {"epochs": 1, "batch": 16},
    "cf-k": {"epochs": 1, "batch": 16},
    "eu-k": {"epochs": 1, "batch": 16},
    "msg": {"epochs": 1, "batch": 16},
    "ct": {"epochs": 1, "batch": 16},
    "negmerge": {"models": 2, "epochs": 1, "batch": 16, "lr": 0.05},
    "trw": {"epochs": 1, "batch": 16},
}

# What the nature of a method's short setting rules out; a variant has its own.
NEVER: dict[str, frozenset[str]] = {
    "head-only": frozenset({SEED, IDENTITY}),
    "ssd": frozenset({SEED}),
    "lfssd": frozenset({SEED}),
    "esc": frozenset({SEED}),
    "loft": frozenset({SEED}),
    "layer-projection": frozenset({SEED}),
    "damp": frozenset({SEED}),
    "eu-k": frozenset({IDENTITY}),
    "msg": frozenset({IDENTITY}),
    "ct": frozenset({IDENTITY}),
}

VARIANTS: list[Case] = [
    Case("unsir", "class", {"retain_share": 0.5, "noise_share": 0.6, "optimiser": "adamw"}),
    Case("muda", "class", {"alternation": "round"}),
    Case("muda", "class", {"refresh_every": 1, "layers": 2, "centred": True, "w_kd": 0.5, "optimiser": "adamw"}),
    Case("muda", "class", {"retain_share": 0.5, "last_blocks": 1, "batch_norm": "train", "clip": 1.0}),
    Case("muda", "class", {"direction": "reverse", "mask": "true class", "temperature": 2.0}),
    Case("muda", "mixed", {}),
    Case(
        "muda",
        "class",
        {"relearn_blocks": 2, "relearn_keep": 0.2, "relearn_min_steps": 4, "w_sd": 0.0, "optimiser": "nesterov"},
    ),
    Case("head-only", "class", {"variant": "distil", "batch": 16}),
    Case(
        "gradient-ascent", "class", {"goal": "forget accuracy", "stop_accuracy": 0.0, "optimiser": "adamw", "lr": 1e-3}
    ),
    Case("sfr-on", "mixed", {"threshold": 1.0, "ceiling": 0.0, "optimiser": "adamw", "lr": 1e-3}),
    Case("neggrad-plus", "mixed", {"retain_weight": 0.9, "ceiling": 0.0}),
    Case(
        "random-labels",
        "class",
        {"epochs": 2, "order": "mixed", "draw": "every pass", "labels": "any class", "batch": 40},
    ),
    Case("random-labels", "mixed", {"labels": "other classes"}),
    Case("salun", "class", {"epochs": 2, "share": 0.2, "order": "mixed", "batch": 40, "optimiser": "adamw"}),
    Case("munba", "mixed", {"epochs": 2, "turns": "over the forget set", "labels": "any class", "draw": "every pass"}),
    Case("fisher", "class", {"replace_rows": True}),
    Case("scrub", "sample", {"epochs": 3, "max_epochs": 2, "batch": 30, "rewind": True, "optimiser": "adamw"}),
    Case("scrub", "mixed", {"rewind": True, "batch_norm": "frozen"}),
    Case("bad-teacher", "mixed", {"retain_share": 1.0, "batch": 30, "forget_weight": 0.5, "temperature": 2.0}),
    Case("delete", "class", {"mask": "forget classes", "batch_norm": "train", "optimiser": "adamw"}),
    Case("lotus", "mixed", {"hide": "nothing", "retain_share": 1.0, "alpha": 8.0, "optimiser": "adamw"}),
    Case("amun", "sample", {"own_labels": True, "start": 0.5, "optimiser": "adamw", "lr": 1e-3}),
    Case("l1-sparse", "class", {"unpenalised": 0.5, "optimiser": "adamw", "l1": 0.01}),
    Case("cf-k", "class", {"k": 1, "cached": True}),
    Case("msg", "class", {"layers": "all", "old_rate": 0.0, "clip": 0.5}, frozenset({IDENTITY})),
    Case("negmerge", "mixed", {"search": False, "optimiser": "adamw", "lr": 1e-3}),
]


def cases() -> list[Case]:
    """The registry's methods on every kind of forget set they suit, then named variants."""
    plain = [
        Case(method.id, mode, SHORT.get(method.id, {}), NEVER.get(method.id, frozenset()))
        for method in METHODS.values()
        for mode in ("class", "sample")
        if mode in method.suits
    ]
    return plain + [case._replace(values={**SHORT[case.method], **case.values}) for case in VARIANTS]


def case_id(case: Case) -> str:
    """A readable name for a case."""
    extra = [f"{k}={v}" for k, v in case.values.items() if SHORT.get(case.method, {}).get(k) != v]
    return "-".join([case.method, case.mode, *extra])
