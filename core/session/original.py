"""The original model's outputs on its data, shared by the window's first look, by runs and by checks: taken once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from core.data.batches import ImageStore
from core.engine.full import FullOutputs, cache_name, collect_full
from core.models.tap import TappedModel
from core.places import cache_home
from core.session.outputs_file import mapped_outputs, stream_outputs


def cached_outputs(
    tap: TappedModel,
    train: ImageStore,
    test: ImageStore,
    *,
    sha256: str,
    network: str,
    fingerprint: str,
    preprocessing: Mapping[str, Any],
    progress: Callable[[int, int], None] | None = None,
) -> FullOutputs:
    """Return a model's outputs on all training and test images, from the cache where they were taken before.

    `sha256` is the model file's, `network` its `network_key`, `preprocessing` as in a job. Outputs are taken in
    float32, so that they do not depend on who asks first, and mapped into memory from a file. `progress(done, total)`
    may raise to interrupt.
    """
    path = cache_home() / "outputs" / cache_name(sha256, network, fingerprint, preprocessing)
    kept = mapped_outputs(path, train, test)
    if kept is not None:
        return kept
    try:
        return stream_outputs(tap, train, test, path, progress)
    except OSError:  # a cache that cannot be written costs memory, not results
        return collect_full(tap, train, test, progress=progress)
