"""What each method costs beside retraining, for all of them at once: cheap, since nothing is measured for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from core.errors import AppError
from core.selection import Selection
from core.session.bench import Bench
from core.session.jobs import preset_values
from core.session.planning import choices, estimate

RETRAIN = "retrain"


def retraining_seconds(bench: Bench, selection: Selection, **settings: Any) -> float | None:
    """Return the training time of a retrained model by the original's recipe; None where no step was measured yet.

    `settings` are those of `estimate`: device, precision, threads.
    """
    values = preset_values(bench, RETRAIN, "", selection.kinds)
    return estimate(bench, selection, RETRAIN, values, measure=False, **settings).training_seconds


def shares_of_retraining(
    bench: Bench,
    selection: Selection,
    methods: Iterable[str] = (),
    values: Mapping[str, Mapping[str, Any]] | None = None,
    **settings: Any,
) -> dict[str, float | None]:
    """Return training time as a ratio of retraining's by method id: `methods`, or all that suit the forget set.

    A method runs with its recommended preset, or with `values[method]`. None stands for a method that cannot be
    planned for this model and forget set, and for all of them while no training step was measured on this device.
    """
    whole = retraining_seconds(bench, selection, **settings)
    wanted = tuple(methods) or tuple(choice.method.id for choice in choices(selection) if choice.suits)
    found: dict[str, float | None] = {}
    for method in wanted:
        found[method] = None
        if not whole:
            continue
        try:
            chosen = (values or {}).get(method) or preset_values(bench, method, "", selection.kinds)
            seconds = estimate(bench, selection, method, chosen, measure=False, **settings).training_seconds
        except AppError:  # such as a head without weight rows: the card says nothing of costs, the start says why
            continue
        found[method] = None if seconds is None else seconds / whole
    return found
