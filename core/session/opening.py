"""Opens a model and a data set together and makes sure that they fit before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from core.data.batches import ImageStore
from core.data.dataset import Dataset
from core.data.loaded import ProgressCallback
from core.data.named import find_source
from core.data.preprocessing import Preprocessing
from core.data.sources import open_dataset
from core.devices import choose_precision
from core.engine.setting import convolutional
from core.job import DataPart, Job
from core.models.architectures import ModelSpec
from core.models.card import stated_preprocessing, usual_preprocessing
from core.models.checkpoint import OpenedModel, check_fit, open_model
from core.models.tap import TappedModel


@dataclass(frozen=True)
class DataOptions:
    """How a data set is opened besides its spec; stands in the job."""

    data_root: str = ""
    test_fraction: float | None = None
    classes_file: str = ""
    preprocess_file: str = ""

    @classmethod
    def of(cls, part: DataPart) -> DataOptions:
        """Return the options a job's data set was opened with."""
        return cls(part.data_root, part.test_fraction, part.classes_file, part.preprocess_file)


@dataclass(frozen=True)
class Pair:
    """A model and a data set that fit each other."""

    model: OpenedModel
    dataset: Dataset
    options: DataOptions = DataOptions()


def open_data(
    spec: str,
    options: DataOptions = DataOptions(),
    *,
    preprocessing: Preprocessing | None = None,
    usual: Preprocessing | None = None,
    progress: ProgressCallback | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Dataset:
    """Open a data set with the options of a job or a command."""
    return open_dataset(
        spec,
        data_root=options.data_root or None,
        test_fraction=options.test_fraction,
        classes_file=options.classes_file or None,
        preprocess_file=options.preprocess_file or None,
        preprocessing=preprocessing,
        usual=usual,
        progress=progress,
        cancelled=cancelled,
    )


def open_pair(
    model_path: Path | str,
    data_spec: str,
    options: DataOptions = DataOptions(),
    *,
    arch: str | None = None,
    trust_pickle: bool = False,
    trust_code: bool = False,
    progress: ProgressCallback | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Pair:
    """Open a model file and a data set and check that they fit. Raises the AppErrors of both, or MismatchError."""
    stated = stated_preprocessing(model_path)
    usual = None
    if stated is None and may_be_photos(data_spec):
        # Opened once more below, with what the data says of size and channels.
        known = open_model(model_path, arch=arch, trust_pickle=trust_pickle, trust_code=trust_code)
        usual = usual_preprocessing(known.spec)
    dataset = open_data(data_spec, options, preprocessing=stated, usual=usual, progress=progress, cancelled=cancelled)
    model = open_for(dataset, model_path, arch=arch, trust_pickle=trust_pickle, trust_code=trust_code)
    return Pair(model, dataset, options)


def may_be_photos(data_spec: str) -> bool:
    """Whether a data set may be image files a person collected, told from its name alone."""
    return find_source(data_spec) is None and Path(data_spec).suffix.lower() != ".npz"


def open_for(
    dataset: Dataset,
    model_path: Path | str,
    *,
    arch: str | None = None,
    trust_pickle: bool = False,
    trust_code: bool = False,
) -> OpenedModel:
    """Open a model file for a data set that is already open, and check that they fit."""
    model = open_model(
        model_path,
        arch=arch,
        input_size=dataset.preprocessing.size,
        in_channels=dataset.channels,
        trust_pickle=trust_pickle,
        trust_code=trust_code,
    )
    check_fit(model, dataset)
    return model


def tapped(model: OpenedModel, device: torch.device, *, layers: int = 1, trust_code: bool = False) -> TappedModel:
    """Build the network of an opened model with its weights, on a device."""
    return place(model.build(trust_code=trust_code).train(), model.spec, device, layers=layers)


def place(module: torch.nn.Module, spec: ModelSpec, device: torch.device, *, layers: int = 1) -> TappedModel:
    """Move a network to a device, in the memory order that is faster there, and tap it."""
    module = module.to(device)
    if convolutional(module):
        module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return TappedModel(module, spec.num_classes, layers, input_shape=(spec.in_channels, *spec.input_size))


def precision_of(job: Job, module: torch.nn.Module, device: torch.device) -> str:
    """Return the precision a job computes in on a device."""
    return choose_precision(job.precision, device, convolutional=convolutional(module))


def stores(
    dataset: Dataset, device: torch.device, forget: torch.Tensor | None = None, weights: torch.Tensor | None = None
) -> tuple[ImageStore, ImageStore]:
    """Put a data set's training and test images where a device can use them.

    forget: (n,) bool, the training samples to forget; weights: (n,) float, how much each of them counts.
    """
    return (
        ImageStore(dataset.train, dataset.preprocessing, device, forget, weights),
        ImageStore(dataset.test, dataset.preprocessing, device),
    )
