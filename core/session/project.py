"""The opened model and data as one value; a change makes a new one, or raises and leaves the old one as it is."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.data.dataset import Dataset
from core.data.loaded import ProgressCallback
from core.data.preprocessing import Preprocessing
from core.errors import InputError, MismatchError
from core.files import write_atomic
from core.jsonio import dumps_pretty
from core.models.card import stated_preprocessing, usual_preprocessing
from core.models.checkpoint import OpenedModel, check_fit, open_model
from core.places import data_home
from core.session.class_order import write_class_order
from core.session.opening import DataOptions, open_data

Cancelled = Callable[[], bool]

_GUESSED = ("assumed", "weights")  # preprocessing of photographs that nobody stated
_STATED = ("model card", "timm config")  # preprocessing that belongs to one model


class CardOrderError(MismatchError):
    """The model card lists the classes of the data in another order; `names` is the card's."""

    def __init__(self, error: MismatchError, names: tuple[str, ...]) -> None:
        self.names = names
        super().__init__(error.message, error.hint)


@dataclass(frozen=True)
class Project:
    """What is open. `trust_pickle` and `trust_code` are what the user allowed for this model file."""

    model: OpenedModel | None = None
    dataset: Dataset | None = None
    options: DataOptions = field(default_factory=DataOptions)
    trust_pickle: bool = False
    trust_code: bool = False
    arch: str | None = None  # what the user said the model is, where its weights do not tell

    def with_model(
        self,
        path: Path | str,
        *,
        trust_pickle: bool = False,
        trust_code: bool = False,
        arch: str | None = None,
        progress: ProgressCallback | None = None,
        cancelled: Cancelled | None = None,
    ) -> Project:
        """Open another model; the data is opened again where images are prepared for it in another way.

        That is as its card says, else for photographs as its architecture was published with.

        Raises the AppErrors of opening a model, and MismatchError where it does not fit the data.
        """
        path = Path(path)
        if progress:
            progress(f"Opening {path.name}", 0, 0)
        dataset = self.dataset
        if dataset is not None:
            stated = stated_preprocessing(path)
            usual = None
            if stated is None and dataset.preprocessing.source in _GUESSED:
                known = open_model(path, arch=arch, trust_pickle=trust_pickle, trust_code=trust_code)
                usual = usual_preprocessing(known.spec)
            if not _prepared_like(dataset.preprocessing, stated, usual, self.options):
                dataset = open_data(
                    dataset.spec, self.options,
                    preprocessing=stated, usual=usual, progress=progress, cancelled=cancelled,
                )  # fmt: skip
        model = _open_model(path, dataset, trust_pickle, trust_code, arch)
        if dataset is not None:
            _check(model, dataset)
        return Project(model, dataset, self.options, trust_pickle, trust_code, arch)

    def with_data(
        self,
        spec: str,
        options: DataOptions,
        *,
        progress: ProgressCallback | None = None,
        cancelled: Cancelled | None = None,
    ) -> Project:
        """Open other data, or the same with other options; the model is opened again for its size and channels.

        Raises the AppErrors of opening data, and MismatchError where the model does not fit it.
        """
        stated = stated_preprocessing(self.model.path) if self.model else None
        usual = usual_preprocessing(self.model.spec) if self.model else None
        dataset = open_data(spec, options, preprocessing=stated, usual=usual, progress=progress, cancelled=cancelled)
        model = self.model
        if model is not None:
            if progress:
                progress(f"Opening {model.path.name}", 0, 0)
            model = _open_model(model.path, dataset, self.trust_pickle, self.trust_code, self.arch)
            _check(model, dataset)
        return dataclasses.replace(self, model=model, dataset=dataset, options=options)

    def with_class_order(
        self, names: tuple[str, ...], *, progress: ProgressCallback | None = None, cancelled: Cancelled | None = None
    ) -> Project:
        """Open the data again with its classes in this order: that of the model's outputs."""
        assert self.dataset is not None
        options = dataclasses.replace(self.options, classes_file=str(write_class_order(names)))
        return self.with_data(self.dataset.spec, options, progress=progress, cancelled=cancelled)

    def with_preprocessing(
        self,
        values: Mapping[str, Any] | None,
        *,
        progress: ProgressCallback | None = None,
        cancelled: Cancelled | None = None,
    ) -> Project:
        """Open the data again with preprocessing set by hand (size, mean, std, interpolation); None: without it."""
        assert self.dataset is not None
        file = str(write_preprocessing(values)) if values is not None else ""
        options = dataclasses.replace(self.options, preprocess_file=file)
        return self.with_data(self.dataset.spec, options, progress=progress, cancelled=cancelled)


def write_preprocessing(values: Mapping[str, Any]) -> Path:
    """Write preprocessing as `--preprocess` reads it, under a name made from its content; return the file.

    Raises InputError naming every value that is wrong, or where the file cannot be written.
    """
    checked = Preprocessing.from_dict(values)
    content = {name: value for name, value in checked.to_dict().items() if name != "source"}
    data = dumps_pretty(content)
    path = data_home() / "preprocessing" / f"{hashlib.sha256(data).hexdigest()[:16]}.json"
    try:
        write_atomic(path, data)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from error
    return path


def _open_model(
    path: Path, dataset: Dataset | None, trust_pickle: bool, trust_code: bool, arch: str | None
) -> OpenedModel:
    size = dataset.preprocessing.size if dataset is not None else None
    channels = dataset.channels if dataset is not None else None
    try:
        return open_model(
            path, arch=arch, input_size=size, in_channels=channels, trust_pickle=trust_pickle, trust_code=trust_code
        )
    except MismatchError:
        if dataset is None:
            raise
        # The file says otherwise than the data: `_check` names both in words about the data.
        return open_model(path, arch=arch, trust_pickle=trust_pickle, trust_code=trust_code)


def _check(model: OpenedModel, dataset: Dataset) -> None:
    try:
        check_fit(model, dataset)
    except MismatchError as error:
        if model.classes and model.classes != dataset.classes and sorted(model.classes) == sorted(dataset.classes):
            raise CardOrderError(error, model.classes) from error
        raise


def _prepared_like(
    present: Preprocessing, stated: Preprocessing | None, usual: Preprocessing | None, options: DataOptions
) -> bool:
    """Whether the data, as it was opened, is prepared as a model states (or as no model states anything)."""
    if options.preprocess_file:
        return stated is None  # the user's values lie over the card's, so another card may change the rest
    if stated is None:
        wanted = "assumed" if usual is None else "weights"
        if present.source in _GUESSED:
            return present.source == wanted and (usual is None or present == usual)
        return present.source not in _STATED
    return dataclasses.replace(present, source=stated.source) == stated
