"""The bench everything works on: where to compute, what is trusted, whom to tell, and the model and data on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from core.data.batches import Augmentation, ImageStore
from core.data.dataset import Dataset
from core.data.preprocessing import Preprocessing, numbers_of
from core.data.sources import open_dataset, prepare_anew
from core.data.splits import Splits
from core.devices import choose_device, choose_precision, set_threads
from core.engine.experiment import Experiment, convolutional
from core.engine.outputs import FullOutputs, kept_outputs, outputs_file
from core.errors import InputError, MismatchError, NotFoundError
from core.events import Tell, untold
from core.files import file_sha256, user_path
from core.job import DataPart, Job, ModelPart, OriginPart, StartPart
from core.methods import method_of
from core.models.architectures import ModelSpec, build_model, network_key
from core.models.checkpoint import ModelFile, OpenedModel, read_model
from core.models.class_lists import is_binding, same_names, settle_classes
from core.models.encoders import tapped
from core.models.fit import check_channels, check_fit
from core.models.starting import begin_from, read_start
from core.models.tap import TappedModel
from core.models.trust import NO_TRUST, Trust
from core.parameters import Values
from core.received import located
from core.selection import Selection
from core.session.attempts import Trial
from core.session.library import gone
from core.session.preparations import UNDECIDED, prepared_alike, seen_alike, stated_in
from core.session.trials import channels_of, find_out, never_trained, worth_trying
from core.session.written import write_class_order, write_preprocessing

if TYPE_CHECKING:
    from core.session.proof import Proof

Images = tuple[ImageStore, ImageStore]
"""A data set's training and test images, where a device can use them."""


class CardOrderError(MismatchError):
    """The model card lists the classes of the data in another order; `names` is the card's."""

    def __init__(self, error: MismatchError, names: tuple[str, ...]) -> None:
        self.names = names
        super().__init__(error.message, error.hint)


@dataclass(frozen=True)
class DataOptions:
    """How a data set is opened besides its name or path; a job keeps it."""

    data_root: str = ""
    test_fraction: float | None = None
    classes_file: str = ""
    preprocess_file: str = ""

    @classmethod
    def of(cls, part: DataPart) -> DataOptions:
        """Return the options a job's data set was opened with."""
        files = (located(file) for file in (part.classes_file, part.preprocess_file))
        return cls(part.data_root, part.test_fraction, *files)

    def absolute(self) -> DataOptions:
        """Return the options with absolute paths, `~` expanded: a run is resumed from other folders, too."""
        paths: dict[str, Any] = {
            name: str(user_path(text).absolute())
            for name, text in vars(self).items()
            if isinstance(text, str) and text
        }
        return dataclasses.replace(self, **paths)


def _never() -> bool:
    """Return False: nobody cancels."""
    return False


@dataclass(frozen=True, eq=False)
class Bench:
    """Model and data that fit each other, either or neither of them open yet, and how to work with them.

    A change makes a new bench, or raises and leaves this one as it is. `arch` is what the user said the model is, where
    its weights do not tell; `threads` 0 leaves the number to the program. `tell` gets what goes on and may raise to end
    it; `cancelled` says, while data is read, that it is not wanted any more.
    """

    opened_model: OpenedModel | None = None
    opened_data: Dataset | None = None
    options: DataOptions = DataOptions()
    arch: str | None = None
    trust: Trust = NO_TRUST
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0
    tell: Tell = untold
    cancelled: Callable[[], bool] = _never
    trial: Trial | None = None  # how what nobody stated about model and images was found
    proof: Proof | None = None  # that the model is used as it was trained, once that was weighed
    start: StartPart | None = None  # where the model's own training began, as the user says
    _outputs: dict[Path, FullOutputs] = field(default_factory=dict, repr=False)  # of its model, by their file

    # -- what is on it ---------------------------------------------------------------------------------------------

    @property
    def model(self) -> OpenedModel:
        """The model. Raises InputError where none is open."""
        if self.opened_model is None:
            raise InputError("No model is open")
        return self.opened_model

    @property
    def dataset(self) -> Dataset:
        """The data. Raises InputError where none is open."""
        if self.opened_data is None:
            raise InputError("No data is open")
        return self.opened_data

    @property
    def place(self) -> torch.device:
        """The device to compute on. Raises UsageError where this machine has none of that name."""
        return choose_device(self.device)

    # -- another bench ---------------------------------------------------------------------------------------------

    def on(self, device: str = "auto", precision: str = "auto", threads: int = 0) -> Bench:
        """Return this bench for computing elsewhere."""
        return dataclasses.replace(self, device=device, precision=precision, threads=threads)

    def telling(self, tell: Tell | None, cancelled: Callable[[], bool] | None = None) -> Bench:
        """Return this bench with other functions to tell of progress and to ask whether reading was cancelled."""
        return dataclasses.replace(self, tell=tell or untold, cancelled=cancelled or _never)

    def trusting(self, trust: Trust) -> Bench:
        """Return this bench with another trust in the files to be opened."""
        return dataclasses.replace(self, trust=trust)

    def open(
        self, model: Path | str, data: str, options: DataOptions = DataOptions(), *, arch: str | None = None,
        key: str | None = None, prepared: Preprocessing | None = None,
    ) -> Bench:
        """Open a model file and a data set; what is stated neither by caller nor files is tried on the data (`trial`).

        prepared: how images are prepared, which wins over what the file says. Raises the AppErrors of both, and
        MismatchError where they do not fit.
        """
        bench = dataclasses.replace(self, opened_data=None).with_model(model, arch=arch, key=key)
        return bench.with_data(data, options, prepared=prepared)

    def with_model(self, path: Path | str, *, arch: str | None = None, key: str | None = None) -> Bench:
        """Open another model; the data is read again where images are prepared for this one in another way.

        `key` is the entry of the file that is the network, where it holds several. Raises the AppErrors of opening a
        model, and MismatchError where it does not fit the data.
        """
        self.tell(f"Opening {Path(path).name}", 0, 0)
        file = read_model(path, self.trust, key)
        if self.opened_data is None:
            opened = file.opened(arch=arch)
            return dataclasses.replace(self, opened_model=opened, arch=arch, trial=None, proof=None, start=None)
        dataset, options = self._data_as_read(self.options)
        stated = stated_in(file)
        if options.preprocess_file or (stated is not None and not prepared_alike(dataset.preprocessing, stated)):
            dataset = self._read(dataset.spec, options, model=file.opened(arch=arch))
        return dataclasses.replace(self, start=None)._put(file, arch, dataset, options)

    def with_data(
        self, spec: str, options: DataOptions = DataOptions(), *, prepared: Preprocessing | None = None
    ) -> Bench:
        """Open other data, or the same with other options; the model is fitted to its size and channels.

        prepared: how images are prepared, where it is known. Raises the AppErrors of opening data, and MismatchError
        where the model does not fit it.
        """
        if self.opened_data is not None:
            _, options = self._data_as_read(options)
        dataset = self._read(spec, options, prepared, self.opened_model)
        if self.opened_model is None:
            return dataclasses.replace(self, opened_data=dataset, options=options)
        return self._put(self.opened_model.file, self.arch, dataset, options, stated=prepared is not None)

    def with_class_order(self, names: tuple[str, ...]) -> Bench:
        """Open the data again with its classes in this order: that of the model's outputs."""
        options = dataclasses.replace(self.options, classes_file=str(write_class_order(names)))
        return self.with_data(self.dataset.spec, options)

    def with_preprocessing(self, values: Mapping[str, Any] | None) -> Bench:
        """Open the data again with preprocessing set by hand (size, mean, std, interpolation); None: without it."""
        file = str(write_preprocessing(values)) if values is not None else ""
        return self.with_data(self.dataset.spec, dataclasses.replace(self.options, preprocess_file=file))

    def for_job(self, job: Job) -> Bench:
        """Return this bench as a job says, with its model and data: opened where others, or none, are open.

        Sets the number of processor threads. A job that trains has no model, and gets a bench without one. Raises the
        AppErrors of opening, and MismatchError where model, images or their preparation are not what the job was made
        for.
        """
        set_threads(job.threads)
        bench, options = self.on(job.device, job.precision, job.threads), DataOptions.of(job.data)
        if job.kind == "train":
            bench = dataclasses.replace(bench, opened_model=None)
            if bench.other_data_than(job):
                bench = bench.with_data(job.data.spec, options, prepared=_of_job(job))
        elif bench.other_data_than(job) or not bench.holds_model_of(job):
            if not job.model.path:
                raise InputError("The job names no model file")
            path = located(job.model.path, job.model.sha256)
            if not Path(path).exists():
                raise gone(job.model.path)
            bench = bench.open(
                path, job.data.spec, options, arch=job.model.builder, key=job.model.key or None,
                prepared=_of_job(job),
            )  # fmt: skip
            if not bench.holds_model_of(job):
                raise MismatchError(f"{job.model.path} is not the model this job was made for", "Its content changed")
        if what := bench.other_data_than(job):
            raise MismatchError(
                f"The data {job.data.spec} is not what this job was made for: {what}",
                "Open the data the run was made with, or make a new job",
            )
        return bench

    def holds_model_of(self, job: Job) -> bool:
        """Whether the open model is the one a job starts from: the same weights in the same network."""
        model, part = self.opened_model, job.model
        return model is not None and (model.weights_id, network_key(model.spec)) == (part.weights_id, network_key(part))

    def other_data_than(self, job: Job) -> str:
        """Say in what the open data differs from a job's; empty where it is the same, prepared in the same way."""
        data, stated = self.opened_data, job.model.preprocessing
        if data is None or data.fingerprint != job.data.fingerprint:
            return "its content differs"
        if stated and numbers_of(data.preprocessing.to_dict()) != numbers_of(stated):
            return "its images are prepared in another way"
        return ""

    # -- working on it ---------------------------------------------------------------------------------------------

    def open_beside(self, path: Path | str, *, arch: str | None = None, key: str | None = None) -> OpenedModel:
        """Open another model file for the data on the bench. Raises the AppErrors of opening, and MismatchError.

        Where its network stands in the same place of the file as that of the open model, it is the one taken; where
        several networks fit its weights, it is the one that the open model has, if that is among them.
        """
        alike = self.opened_model.form.key if self.opened_model is not None else ""
        try:
            file = read_model(path, self.trust, key or alike or None)
        except NotFoundError:
            if key or not alike:
                raise
            file = read_model(path, self.trust)
        if arch is None and self.opened_model is not None:
            fitting, ours = file.opened(), self.opened_model.spec.architecture
            arch = ours if ours in (other.architecture for other in fitting.alternatives) else None
        model = _fitting(file, arch, self.dataset)
        settled = self.dataset if self.options.classes_file else settle_classes(model, self.dataset)
        if settled.classes != self.dataset.classes and same_names(settled.classes, self.dataset.classes):
            raise MismatchError(
                f"{model.path.name} lists the classes in another order than the model on the bench",
                "Bring a model trained on the same class order",
            )
        stated = None if self.options.preprocess_file else stated_in(model.file)
        if stated is not None and not seen_alike(self.dataset, stated):
            raise MismatchError(
                f"{model.path.name} was trained on images prepared in another way ({stated.words})",
                f"Bring a model trained on images prepared like those here: {self.dataset.preprocessing.words}",
            )
        return model

    def first_model(self, job: Job) -> OpenedModel:
        """Return the original of a job: the model on the bench, or in a chain of requests that before the first."""
        origin = original_of(job)
        if self.opened_model is not None and self.opened_model.weights_id == origin.weights_id:
            return self.opened_model
        path = located(origin.path, origin.sha256)
        return self.open_beside(path, arch=job.model.builder, key=origin.key or None)

    def network(self, model: OpenedModel, *, layers: int = 1) -> TappedModel:
        """Build the network of an opened model with its weights, on the device; `layers` are tapped for features."""
        return self._tapped(model.build().train(), model.spec, layers)

    def untrained(self, part: ModelPart, seed: int, *, layers: int = 1) -> TappedModel:
        """Build a job's network with fresh weights on the device; the same seed draws the same ones."""
        spec = ModelSpec(part.architecture, part.num_classes, part.in_channels, part.input_size, part.user_code)
        torch.manual_seed(seed)
        module = build_model(spec, trust_code=self.trust.runs(spec.user_code), only=self.trust.only)
        return self._tapped(module, spec, layers)

    def precision_for(self, module: torch.nn.Module) -> str:
        """Return the precision to compute a network in."""
        return choose_precision(self.precision, self.place, convolutional=convolutional(module))

    def images(self, forget: torch.Tensor | None = None, weights: torch.Tensor | None = None) -> Images:
        """Put training and test images where the device can use them.

        forget: (n,) bool, the training samples to forget; weights: (n,) float, how much each of them counts.
        """
        dataset, device = self.dataset, self.place
        return (
            ImageStore(dataset.train, dataset.preprocessing, device, forget, weights),
            ImageStore(dataset.test, dataset.preprocessing, device),
        )

    def laid_out(self, selection: Selection) -> tuple[Images, Splits]:
        """Return the images where the device can use them, and the sets they fall into for a forget set."""
        forget = torch.from_numpy(selection.mask.copy())
        weights = None if selection.weights is None else torch.from_numpy(selection.weights.copy())
        return self.images(forget, weights), Splits.of(self.dataset, forget)

    def experiment(self, job: Job, values: Values, images: Images, splits: Splits, run_id: str = "") -> Experiment:
        """Return what the engine works on for a job with these values of its method.

        The network has the original's weights or, where the method begins afresh, ones drawn with the job's seed, over
        which lie those that the original's own training began with, where these are pretrained ones.
        """
        method = method_of(job)
        layers, began = method.layers(values), ""
        if method.starts_from == "original" and self.opened_model is not None:
            network = self.network(self.model, layers=layers)
        else:
            network = self.untrained(job.model, job.seed, layers=layers)
            if job.start is not None and job.start.pretrained:
                began = begin_from(network, read_start(job.start, self.trust)).sentence
        augmentation = values.get("augmentation", "none")  # a parameter of recipes
        return Experiment(
            run_id=run_id,
            method=method,
            values=values,
            seed=job.seed,
            model=network,
            splits=splits,
            train=images[0],
            test=images[1],
            class_names=self.dataset.classes,
            device=self.place,
            precision=self.precision_for(network.module),
            augmentation=Augmentation(pad=0 if augmentation == "none" else 4, flip=augmentation == "crop and flip"),
            stored=job.model.form.get("dtypes", {}),
            purpose=job.purpose,
            began=began,
        )

    def outputs(
        self, model: OpenedModel, what: str = "Measuring the model", images: Images | None = None
    ) -> FullOutputs:
        """Return a model's outputs on all training and test images: taken once, in float32, and kept in a file.

        `what` names the work for `tell`; `images` are those on the device already, where there are such.
        """
        dataset = self.dataset
        path = outputs_file(model.weights_id, network_key(model.spec), dataset)
        if path in self._outputs:
            return self._outputs[path]
        outputs = kept_outputs(
            path, lambda: self.network(model), images or self.images(),
            lambda done, total: self.tell(what, done, total),
        )  # fmt: skip
        if model is self.opened_model:  # of others it would hold more than anybody asks for again
            self._outputs[path] = outputs
        return outputs

    # -- parts -----------------------------------------------------------------------------------------------------

    def _put(
        self, file: ModelFile, arch: str | None, dataset: Dataset, options: DataOptions, *, stated: bool = False
    ) -> Bench:
        """Return a bench with a model and the data it settles the classes of; raises MismatchError where they differ.

        Classes that follow from the model are named in a file, as if `--classes` gave it: jobs then say them, too.
        """
        model, trial = file.opened(arch=arch), None
        settled = dataset if options.classes_file else settle_classes(model, dataset)
        if settled.preprocessing.source != UNDECIDED:  # nobody's, or a part of it alone
            stated = stated or bool(options.preprocess_file) or stated_in(file) is not None
        if not (stated or options.preprocess_file) and never_trained(model.state_dict):
            # It cannot prove that images are made grey or colour for it.
            check_channels(channels_of(model) or settled.stored_channels, settled.stored_channels)
        if not model.spec.num_classes:  # nothing it says tells how it is to be used: `proven` asks
            first = worth_trying(model, settled, options.preprocess_file)[0] if not stated else settled.preprocessing
            settled = settled if stated else prepare_anew(settled, first, progress=self.tell)
        elif model.alternatives or not stated:
            preparations = (settled.preprocessing,) if stated else worth_trying(model, settled, options.preprocess_file)
            trial = find_out(model, settled, preparations, self.network, self.place, self.tell)
            if trial is None and not stated and model.spec.num_classes == settled.num_classes:
                raise MismatchError(
                    f"{file.path.name} cannot run on the images of {settled.title} in any of the "
                    f"{len(preparations)} usual ways to prepare them",
                    "State how they are prepared with --preprocess",
                )
        if trial is not None and trial.best.preprocessing != settled.preprocessing:
            settled = prepare_anew(settled, trial.best.preprocessing, progress=self.tell)
            trial = trial.with_values_of(settled.preprocessing)
        network = trial.best.network.architecture if trial is not None and model.alternatives else arch
        model = dataclasses.replace(
            _fitting(file, network, settled), alternatives=model.alternatives, proof=model.proof
        )
        if settled.as_read is not None:
            options = dataclasses.replace(options, classes_file=str(write_class_order(settled.classes)))
        return dataclasses.replace(
            self, opened_model=model, opened_data=settled, options=options, arch=arch, trial=trial, proof=None
        )

    def _read(
        self, spec: str, options: DataOptions, prepared: Preprocessing | None = None, model: OpenedModel | None = None
    ) -> Dataset:
        """Read data, telling and asking whom the bench says; `prepared`: how its images are, where it is known.

        What a job knows is enough where the file it was stated in is gone. Where data is read for a model, images whose
        preparation nobody states are not decoded yet.
        """
        known: dict[str, Any] = {name: value for name, value in vars(options).items() if value}
        if prepared is not None and not Path(options.preprocess_file).is_file():
            known.pop("preprocess_file", None)
        if model is not None:
            prepared = prepared or stated_in(model.file)
            known |= {"outputs_known": True, "undecided": True, "channels": channels_of(model)}
        return open_dataset(spec, **known, preprocessing=prepared, progress=self.tell, cancelled=self.cancelled)

    def _data_as_read(self, options: DataOptions) -> tuple[Dataset, DataOptions]:
        """Return the open data, and `options`, without the class order that the open model settled."""
        data = self.dataset
        if data.as_read is None:
            return data, options
        if options.classes_file == self.options.classes_file:
            options = dataclasses.replace(options, classes_file="")
        return data.as_read, options

    def _tapped(self, module: torch.nn.Module, spec: ModelSpec, layers: int) -> TappedModel:
        """Move a network to the device, in the memory order that is faster there, and tap it."""
        module = module.to(self.place)
        if convolutional(module):
            module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return tapped(module, spec.num_classes, layers, input_shape=(spec.in_channels, *spec.input_size))


def original_of(job: Job) -> OriginPart:
    """Return the original that a job's result is compared with: the model before the first request.

    Where that file is gone or changed, it is the model the run started from.
    """
    if job.origin is not None:
        path = Path(located(job.origin.path, job.origin.sha256))
        if path.is_file() and file_sha256(path) == job.origin.sha256:
            return job.origin
    return OriginPart(path=job.model.path, sha256=job.model.sha256, key=job.model.key)


def _of_job(job: Job) -> Preprocessing | None:
    """Return how a job's images are prepared, None where it does not say."""
    return Preprocessing.from_dict(job.model.preprocessing) if job.model.preprocessing else None


def _fitting(file: ModelFile, arch: str | None, dataset: Dataset) -> OpenedModel:
    """Open a model for the size and channels of a data set. Raises MismatchError where the two do not fit."""
    try:
        model = file.opened(arch=arch, input_size=dataset.preprocessing.size, in_channels=dataset.channels)
    except MismatchError:
        model = file.opened(arch=arch)  # weights for other images: `check_fit` names both in words about the data
    try:
        check_fit(model, dataset)
    except MismatchError as error:
        names = model.classes if is_binding(model) else None
        if names and names != dataset.classes and same_names(names, dataset.classes):
            raise CardOrderError(error, names) from error
        raise
    return model
