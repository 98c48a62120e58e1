"""Reports as a run writes them, small, for tests of the pages that show them."""

from __future__ import annotations

from typing import Any

from core.verify.verdict import decide

CLASSES = [str(number) for number in range(10)]

HALF_WIDTHS = {name: {"probe": 0.01} for name in ("original", "unlearned")}


def measures(forget: float, probe: float, alignment: float, **more: Any) -> dict[str, Any]:
    """One model's measures."""
    spectrum = [8.0, 4.0, 2.0, 1.0, 0.5, 0.25, 0.1, 0.05, 0.01, 0.001, 0.0, 0.0]
    going = [0.0] * 10
    going[3], going[8] = forget, 1 - forget
    return {
        "forget_test_accuracy": forget, "forget_accuracy": forget, "retain_test_accuracy": 0.95,
        "retain_accuracy": 0.99, "probe": {"forget": probe, "f1": probe, "retain": 0.96}, "nmi": 0.8,
        "class_means": {"forget": probe, "retain": 0.9},
        "dimensional_alignment": {
            "value": alignment, "k": 9, "energy": 0.964, "centred": False, "floor": 0.85,
            "profile": [min(1.0, alignment * (0.5 + k / 12)) for k in range(12)],
        },
        "spectra": {
            "retain": spectrum, "forget": [value * alignment for value in spectrum], "k": 9,
            "retain_rank": 7.5, "forget_rank": 2.0, "retain_norm": 3.0, "forget_norm": 4.0,
        },
        "per_class": [forget if c == 3 else 0.95 for c in range(10)], "forget_predictions": going,
        "counts": {"retain_train": 900, "forget_train": 100, "retain_test": 180, "forget_test": 20},
        **more,
    }  # fmt: skip


def full_report(**changes: Any) -> dict[str, Any]:
    """A report with two retrained models."""
    models = {
        "original": measures(0.98, 0.98, 0.7, distances={"forget_test": {"js_to_retrained": 0.5}}),
        "head_only": measures(0.0, 0.98, 0.7, distances={"forget_test": {"js_to_retrained": 0.3}}),
        "unlearned": measures(0.0, 0.92, 0.95, distances={"forget_test": {"js_to_retrained": 0.1}}),
    }
    retrained = {"seed 1": measures(0.0, 0.908, 0.9), "seed 2": measures(0.0, 0.912, 0.905)}
    models["retrained"] = retrained["seed 1"]
    verdict = decide(models, list(retrained.values()), {"dimensional_alignment"}, half_widths=HALF_WIDTHS)
    return {
        "schema_version": 1, "run": "run-1", "state": "finished", "forget_classes": ["3"], "forget_count": 100,
        "forget_mode": "class", "total": 1000, "method": "muda",
        "method_details": {"title": "MUDA (reconstruction)", "notes": []},
        "dataset": {"title": "Digits", "spec": "digits", "classes": CLASSES, "test_origin": "own"},
        "models": models, "retrained": retrained,
        "retrained_notes": {"seconds": 20.0, "recipe": "the original's model card", "seeds": [1, 2]},
        "verdict": verdict.as_dict(), "warnings": [],
        "cost": {"seconds": 5.0, "steps": 100, "samples_seen": 6400, "share_of_retraining": 0.25},
        **changes,
    }  # fmt: skip


def bare_report(**changes: Any) -> dict[str, Any]:
    """A report as a run leaves it: without a retrained model."""
    full = full_report()
    models = {name: {**found} for name, found in full["models"].items() if name != "retrained"}
    for found in models.values():
        found.pop("distances", None)
    cost = {**full["cost"], "share_of_retraining": None}
    return {
        **full, "models": models, "retrained": {}, "retrained_notes": {}, "cost": cost,
        "verdict": decide(models, []).as_dict(), **changes,
    }  # fmt: skip


def attacked_report(**changes: Any) -> dict[str, Any]:
    """A report of the full suite: with attacks, relearning curves and the field's own measures."""
    found = full_report(suite="full", **changes)
    aucs = {"original": 0.8, "head_only": 0.8, "unlearned": 0.6, "retrained": 0.5}
    for name, auc in aucs.items():
        attack = {
            "auc": auc, "low": auc - 0.1, "high": auc + 0.1, "members": 100, "nonmembers": 40,
            "roc": {"fpr": [0.0, 0.5, 1.0], "tpr": [0.0, auc, 1.0]},
        }  # fmt: skip
        found["models"][name]["membership"] = {"population": attack, "rmia": {**attack, "references": 2}}
    for name in (*aucs, "fresh"):
        curve = {"samples": [0, 100, 400], "forget": [0.0, 0.4, 0.9], "shots": 16, "draws": 3}
        found["models"].setdefault(name, {})["relearn"] = curve
    found["published"] = {
        "original": {"ua": 0.02, "tow": None}, "head_only": {"ua": 1.0}, "unlearned": {"ua": 1.0, "tow": 0.9},
        "retrained": {"ua": 0.99, "tow": 0.98}, "seed 1": {"ua": 1.0, "tow": 0.97}, "seed 2": {"ua": 0.98, "tow": 0.99},
    }  # fmt: skip
    return found
