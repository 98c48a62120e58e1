"""What a method needs of the data, asked before a run is made: a refusal then is cheaper than one on the way."""

from __future__ import annotations

import numpy as np

from core.data.dataset import Dataset
from core.errors import ForgetSetError
from core.methods.base import Facts, Method
from core.parameters import Values
from core.selection import Selection


def facts_of(selection: Selection, num_classes: int) -> Facts:
    """Return what a plan may depend on, from the forget set alone. Raises ForgetSetError for an empty or full one."""
    selection.check()
    singles = selection.loose_count
    return Facts(selection.count - singles, singles, selection.total - selection.count, num_classes)


def require_data(method: Method, values: Values, selection: Selection, dataset: Dataset) -> Facts:
    """Return the plan's facts; raise ForgetSetError where the method cannot do without data that is not there."""
    facts = facts_of(selection, dataset.num_classes)
    if not facts.kinds <= method.suits:
        raise ForgetSetError(
            f"{method.title} works on whole classes only", "Choose whole classes, or another method for single images"
        )
    if method.reads_unseen(values, facts):
        stays = ~np.isin(dataset.test.labels.numpy(), selection.complete_classes)
        if not stays.any():
            raise ForgetSetError(
                f"With these settings {method.title} looks at unseen images of classes that stay, and the test part of "
                f"{dataset.title} has none",
                "Add such test images, or choose other settings or another method",
            )
    return facts
