"""What a package of methods or measures builds on: the records it fills in, and the parts that methods share.

The names here stay as they are within a major version; anything else of the program may move.
"""

from core.data.batches import Batch
from core.methods.base import (
    BOTH,
    SINGLE,
    WHOLE,
    Alternate,
    Aux,
    Context,
    Edit,
    Facts,
    Length,
    Method,
    Networks,
    Optimiser,
    Preset,
    SearchRange,
    Stage,
    StageOutput,
    Terms,
    Train,
)
from core.methods.common import Group, contrasting, forgetting, keeping, optimiser_parameters, training
from core.methods.losses import mean_of
from core.models.tap import SetOutputs
from core.parameters import Parameter, Values
from core.verify.plugged import ModelMeasure, ModelOutputs

__all__ = [
    "BOTH", "SINGLE", "WHOLE", "Alternate", "Aux", "Batch", "Context", "Edit", "Facts", "Group", "Length", "Method",
    "ModelMeasure", "ModelOutputs", "Networks", "Optimiser", "Parameter", "Preset", "SearchRange", "SetOutputs",
    "Stage", "StageOutput", "Terms", "Train", "Values", "contrasting", "forgetting", "keeping", "mean_of",
    "optimiser_parameters", "training",
]  # fmt: skip
