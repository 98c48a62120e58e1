"""What is to be exported: a network with all that is known of it, and images to compare its copies on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from core.data.dataset import Dataset
from core.data.named import find_source
from core.data.preprocessing import Preprocessing
from core.data.sources import recognise_dataset
from core.errors import AppError, InputError
from core.job import DataPart, Job
from core.models.card import SCHEMA_VERSION
from core.models.checkpoint import CheckpointForm, OpenedModel, open_model
from core.runs.folder import MODEL, RunFolder
from core.session.opening import DataOptions, open_data
from core.session.overview import check_state, is_done
from core.version import VERSION

SAMPLES = 256  # images that both models see
PIXELS = SAMPLES * 64 * 64  # of all of them together: networks for large images are compared on fewer
SMALLEST_SAMPLE = 16
QUICK_BYTES = 256 * 2**20  # a larger data file is not opened only for these images

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Source:
    """A model to export: its network, the form of the file that came in, and what its card should say."""

    model: OpenedModel
    module: nn.Module
    form: CheckpointForm
    folder: RunFolder | None = None
    job: Job | None = None

    @property
    def protected(self) -> tuple[Path, ...]:
        """The files that must not be written over: what is exported, and the models it came from."""
        found = [self.model.path]
        if self.job is not None and self.job.model.path:
            found.append(Path(self.job.model.path))
        if self.job is not None and self.job.origin is not None:
            found.append(Path(self.job.origin.path))
        return tuple(found)


def open_source(
    source: Path | str, *, arch: str | None = None, trust_pickle: bool = False, trust_code: bool = False
) -> Source:
    """Open what is to be exported: a run folder with a result, or a weights file."""
    folder = RunFolder(source)
    if not folder.exists:
        model = open_model(source, arch=arch, trust_pickle=trust_pickle, trust_code=trust_code)
        return Source(model, model.build(trust_code=trust_code), model.form)
    job = folder.job()
    if not is_done(folder):
        raise InputError(
            f"{folder.path} has no result to export yet: it is {folder.status().state}", "Finish or resume the run"
        )
    part = job.model
    model = open_model(
        folder.file(MODEL), arch=part.user_code or part.architecture, input_size=part.input_size,
        in_channels=part.in_channels, trust_code=trust_code,
    )  # fmt: skip
    form = CheckpointForm.from_dict(part.form) if part.form else model.form
    return Source(model, model.build(trust_code=trust_code), form, folder, job)


def sample_images(
    source: Source, dataset: Dataset | None = None, progress: Tell | None = None
) -> tuple[torch.Tensor, bool]:
    """Return network input (n, C, H, W) float32 to compare on, and whether it is noise.

    Test images of `dataset`, or of the run's data where that opens in a moment, spread over the test part; else
    seeded noise of the right shape.
    """
    spec = source.model.spec
    if dataset is None and source.job is not None:
        dataset = _quickly_opened(source.job.data, source.job, progress)
    if dataset is not None and len(dataset.test) and dataset.channels == spec.in_channels:
        size = dataset.preprocessing.size
        ids = torch.linspace(0, len(dataset.test) - 1, min(_sample_count(size), len(dataset.test))).round().long()
        return dataset.preprocessing.apply(dataset.test.images[ids]), False
    generator = torch.Generator().manual_seed(0)
    shape = (_sample_count(spec.input_size), spec.in_channels, *spec.input_size)
    return torch.randn(shape, generator=generator), True


def base_card(source: Source) -> dict[str, Any]:
    """Return what is known of the model: its own card, or what its weights tell."""
    card = source.folder.card() if source.folder else source.model.card
    if card and "schema_version" in card:
        unlearned = source.job is not None and source.job.kind == "unlearn" and source.folder is not None
        state = check_state(source.folder) if unlearned and source.folder else {}
        return {**{name: value for name, value in card.items() if name not in ("files", "export")}, **state}
    model, spec = source.model, source.model.spec
    known: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "app_version": VERSION,
        "architecture": spec.architecture,
        "user_code": spec.user_code,
        "num_classes": spec.num_classes,
        "in_channels": spec.in_channels,
        "input_size": list(spec.input_size) if model.size_known else None,
        "classes": list(model.classes) if model.classes else None,
        "preprocessing": model.preprocessing.to_dict() if model.preprocessing else None,
    }
    return {**(card or {}), **{name: value for name, value in known.items() if value is not None}}


def _sample_count(size: tuple[int, int]) -> int:
    return max(SMALLEST_SAMPLE, min(SAMPLES, PIXELS // max(1, size[0] * size[1])))


def _quickly_opened(data: DataPart, job: Job, progress: Tell | None) -> Dataset | None:
    """Open the data of a job where that takes a moment; None where it would take longer or does not work any more."""
    try:
        source = find_source(data.spec)
        if source is not None:
            quick = source.available(data.data_root or None)
        else:
            path = Path(data.spec)
            kind = recognise_dataset(path)
            quick = kind == "idx" or (kind == "npz" and path.stat().st_size <= QUICK_BYTES)
        if not quick:
            return None
        options = DataOptions.of(data)
        dataset = open_data(data.spec, options, progress=progress)
        stated = Preprocessing.from_dict(job.model.preprocessing)
    except (AppError, OSError):
        return None
    return replace(dataset, preprocessing=stated) if stated.channels == dataset.channels else None
