"""The original model's outputs on its data, shared by the window's first look, by runs and by checks: taken once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from core.data.batches import ImageStore
from core.engine.full import FullOutputs, cache_name, collect_full
from core.models.tap import TappedModel
from core.places import cache_home


def cached_outputs(
    tap: TappedModel,
    train: ImageStore,
    test: ImageStore,
    *,
    sha256: str,
    fingerprint: str,
    preprocessing: Mapping[str, Any],
    progress: Callable[[int, int], None] | None = None,
) -> FullOutputs:
    """Return a model's outputs on all training and test images, from the cache where they were taken before.

    `sha256` is the model file's, `preprocessing` as in a job. Outputs are taken in float32, so that they do not depend
    on who asks first. `progress(done, total)` may raise to interrupt.
    """
    name = cache_name(sha256, fingerprint, dict(preprocessing), "float32")
    return collect_full(tap, train, test, cache=cache_home() / "outputs" / name, progress=progress)
