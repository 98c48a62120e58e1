"""A made-up report and its events, with every part filled; the numbers are not a result."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.verify.verdict import decide

CLASSES = ["boot", "sandal", "bag"]

HALF_WIDTHS = {name: {"probe": 0.03} for name in ("original", "unlearned")}


def measures(forget: float, probe: float, alignment: float, js: float | None, accuracy: float = 0.93) -> dict[str, Any]:
    profile = np.linspace(alignment - 0.3, 1.0, 8)
    profile[1] = alignment
    spectrum = np.geomspace(30, 1e-9, 8)
    return {
        "retain_accuracy": 0.99,
        "forget_accuracy": forget,
        "retain_test_accuracy": accuracy,
        "forget_test_accuracy": forget,
        "per_class": [accuracy, forget, accuracy - 0.01],
        "forget_predictions": [1 - forget, forget, 0.0],
        "dimensional_alignment": {
            "value": alignment,
            "k": 2,
            "energy": 0.957,
            "centred": False,
            "profile": profile.tolist(),
            "floor": 0.5,
            "sample_energy": 0.7,
        },
        "spectra": {
            "retain": spectrum.tolist(),
            "forget": (spectrum / 3).tolist(),
            "retain_rank": 3.2,
            "forget_rank": 1.4,
            "retain_norm": 12.0,
            "forget_norm": 9.0,
        },
        "probe": {"forget": probe, "retain": 0.95, "f1": 0.9},
        "nmi": 0.7 + probe / 5,
        "class_means": {"forget": probe},
        "distances": {"forget_test": {} if js is None else {"js_to_retrained": js, "agreement_with_retrained": 0.8}},
        "membership": {"population": {"auc": 0.5 + forget / 5}},
        "counts": {"forget_train": 500},
    }


def attacked(found: dict[str, Any], level: float) -> dict[str, Any]:
    """The same with what the full suite adds; `level` is how much an attack gets."""
    rates = [0.0, 0.01, 0.1, 0.5, 1.0]
    attack = {
        "auc": 0.5 + level / 4,
        "low": 0.45 + level / 4,
        "high": 0.55 + level / 4,
        "members": 500,
        "nonmembers": 490,
        "reason": "",
        "roc": {"fpr": rates, "tpr": [rate ** (1 - level / 2) for rate in rates]},
    }
    return {
        **found,
        "membership": {**found["membership"], "rmia": {**attack, "references": 2}, "population_retain": attack},
        "relearn": {
            "accuracy": 0.4 + level / 3,
            "needed": {"0.9": 512 if level > 0.5 else None},
            "samples": [0, 64, 512],
            "forget": [0.0, level / 2, 0.9 * level],
            "retain": [0.9, 0.8, 0.9],
            "shots": 32,
            "draws": 3,
        },
        "prototype": {"forget": 0.5 + level / 3, "shots": 16, "false_positives": 0.05},
        "geometry": {"to_retrained": {"cka": 0.7 + level / 10, "procrustes": 0.3}},
        "neighbours": {"accuracy": 0.91, "far_accuracy": 0.93, "count": 100},
    }


def full_report() -> dict[str, Any]:
    """A report of the full suite: attacks, relearning with its anchors, and the published measures."""
    report = sample_report(suite="full")
    levels = {"original": 1.0, "unlearned": 0.6, "head_only": 1.0, "retrained": 0.3}
    models = {name: attacked(found, levels[name]) for name, found in report["models"].items()}
    models["fresh"] = {"relearn": attacked(models["retrained"], 0.05)["relearn"]}
    retrained = {name: attacked(found, 0.3) for name, found in report["retrained"].items()}
    verdict = decide(models, list(retrained.values()), {"dimensional_alignment"}, half_widths=HALF_WIDTHS)
    row = {"ua": 0.4321, "ra": 0.99, "ta": 0.93, "mia": 0.77, "average_gap": 0.0123, "tow": 0.876, "zrf": 0.456}
    published = {name: {**row, "ua": row["ua"] + i / 50} for i, name in enumerate([*levels, *retrained])}
    published["retrained"]["ua"] = sum(published[name]["ua"] for name in retrained) / len(retrained)
    return {
        **report, "models": models, "retrained": retrained, "verdict": verdict.as_dict(), "published": published,
        "closure": {each.key: each.closure for each in verdict.measures},
    }  # fmt: skip


def sample_report(**changes: Any) -> dict[str, Any]:
    retrained = {
        f"seed {i}": measures(0.0, 0.80 + shift, 0.99 + shift / 10, 0.03 + shift)
        for i, shift in enumerate((0.0, 0.005, -0.005), 1)
    }
    models = {
        "original": measures(0.98, 0.98, 0.78, 0.66),
        "unlearned": measures(0.0, 0.93, 0.96, 0.2, 0.92),
        "head_only": measures(0.0, 0.98, 0.78, 0.4),
        "retrained": retrained["seed 1"],
    }
    verdict = decide(models, list(retrained.values()), {"dimensional_alignment"}, half_widths=HALF_WIDTHS)
    return {
        "schema_version": 1, "created": "2026-03-04T09:05:00+00:00", "app_version": "9.8.7", "run": "run-17",
        "state": "finished", "forget_classes": ["sandal"], "forget_count": 500, "forget_mode": "class", "total": 1500,
        "method": "muda",
        "method_details": {
            "title": "MUDA (reconstruction)", "preset": "balanced",
            "parameters": {"rounds": 3, "lr": 0.05, "centred": False},
            "status": "reconstruction", "citation": "Seo, Kim, Han", "notes": ["Ours: the schedule."],
        },
        "dataset": {
            "spec": "shoes", "title": "Shoes", "fingerprint": "f1" * 32, "test_origin": "own", "classes": CLASSES
        },
        "model": {"path": "shoes.safetensors", "sha256": "a2" * 32, "architecture": "small-cnn"},
        "models": models, "retrained": retrained, "retrained_notes": {"seconds": 200.0},
        "verdict": verdict.as_dict(), "closure": {row.key: row.closure for row in verdict.measures},
        "cost": {"seconds": 100.4, "steps": 920, "samples_seen": 60000, "share_of_retraining": 0.502},
        "unchanged": False, "warnings": ["Retain accuracy fell by 12.4 points."],
        "files": {"model.safetensors": "b3" * 32, "job.json": "c4" * 32, "events.jsonl": "d5" * 32},
        "machine": {"system": "Linux"}, "libraries": {"torch": "2.4"}, "seed": 7, "device": "cpu",
        "precision": "float32",
        **changes,
    }  # fmt: skip


def sample_events() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for step, forget, alignment in ((0, 0.98, 0.78), (460, 0.3, 0.9), (920, 0.0, 0.96)):
        rows.append(
            {
                "type": "evaluation",
                "step": step,
                "scope": "subset",
                "retain_test_accuracy": 0.92,
                "forget_test_accuracy": forget,
                "forget_accuracy": forget,
                "forget_losses": [],
                "unseen_losses": [],
            }
        )
        rows.append(
            {
                "type": "alignment",
                "step": step,
                "scope": "subset",
                "value": alignment,
                "k": 2,
                "energy": 0.957,
                "centred": False,
                "profile": [],
            }
        )
    return [*rows, {"type": "step_metrics", "step": 920}, {"type": "made_later", "step": 1}]
