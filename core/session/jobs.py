"""Jobs: all that a run needs to know, checked before its folder is made, and whether two jobs are the same."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Set
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from core.data.dataset import Dataset
from core.data.preprocessing import numbers_of
from core.devices import PRECISIONS, choose_device, choose_precision, default_threads
from core.errors import ForgetSetError, MismatchError, UsageError
from core.job import DataPart, ForgetPart, Job, ModelPart
from core.methods import get_method
from core.methods.base import Facts, Method
from core.methods.retrain import assumed_recipe
from core.models.architectures import ModelSpec, build_on_meta, get_architecture, network_key
from core.models.checkpoint import OpenedModel
from core.parameters import Values, resolve
from core.runs.folder import FORGET, RunFolder
from core.selection import Selection
from core.session.bench import Bench, DataOptions
from core.session.chain import all_requests, chain_of, request_part
from core.session.forget_sets import write_forget_list
from core.version import VERSION

LIBRARIES = ("torch", "torchvision", "numpy", "scikit-learn", "safetensors")


def preset_values(
    bench: Bench, method_id: str, preset: str, kinds: Set[str], settings: Mapping[str, Any] | None = None
) -> Values:
    """Return a method's values for a model and the kinds of a forget set: defaults, then the preset, then `settings`.

    The first preset of a method that trains a fresh model is the recipe on the original's card, without parameters that
    this version does not know, else one that suits the number of images. Raises ParameterError naming all that is
    wrong, NotFoundError for an unknown method or preset.
    """
    method = get_method(method_id)
    layers: list[Mapping[str, Any]] = [method.preset(preset, kinds).values]
    first = method.presets[0].name if method.presets else ""
    if method.starts_from == "fresh" and preset in ("", first):
        names = {parameter.name for parameter in method.parameters}
        recipe = (bench.model.card or {}).get("recipe") or assumed_recipe(len(bench.dataset.train))
        layers.append({name: value for name, value in recipe.items() if name in names})
    return resolve(method.parameters, *layers, settings or {}, owner=method.id)


def make_unlearn_job(
    bench: Bench,
    selection: Selection,
    method_id: str,
    *,
    preset: str = "",
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    device: str = "",
    precision: str = "",
    threads: int = 0,
    monitoring_budget: float = 0.1,
    checkpoint_seconds: float = 20.0,
) -> Job:
    """Describe one unlearning run. Raises AppErrors for anything that could not run.

    Device, precision and threads are the bench's where they are not named. Where the model is the result of an earlier
    run, the forget set is that of all requests together.
    """
    bench.model.require_trainable()
    selection.check()
    chain = chain_of(Path(bench.model.path), bench.dataset)
    asked = selection
    if chain is not None:
        asked, selection = chain.added(selection), chain.joined(selection)
        selection.check()
    method = get_method(method_id)
    values = preset_values(bench, method.id, preset, selection.kinds, settings)
    require_data(method, values, selection, bench.dataset)
    return Job(
        kind="unlearn",
        model=model_part(bench.model, bench.dataset),
        data=data_part(bench.dataset, bench.options),
        forget=forget_part(selection),
        method=method.id,
        preset=method.preset(preset, selection.kinds).name,
        parameters=dict(values),
        chain=chain.jobs if chain is not None else (),
        requests=(*chain.requests, request_part(method.id, asked)) if chain is not None else (),
        origin=chain.origin if chain is not None else None,
        seed=seed,
        monitoring_budget=_share_of_time(monitoring_budget),
        checkpoint_seconds=checkpoint_seconds,
        **_machine(device or bench.device, precision or bench.precision, threads or bench.threads),
    )


def make_train_job(
    bench: Bench,
    architecture: str,
    *,
    exclude: Selection | None = None,
    recipe: Mapping[str, Any] | None = None,
    seed: int = 0,
    device: str = "",
    precision: str = "",
    threads: int = 0,
    user_code: str = "",
    monitoring_budget: float = 0.05,
    checkpoint_seconds: float = 20.0,
) -> Job:
    """Describe the training of an original model or, with `exclude`, of a retrained reference on the bench's data.

    Raises AppErrors for anything that could not run.
    """
    dataset = bench.dataset
    if exclude is not None and exclude.count:
        exclude.check()
    method = get_method("retrain")
    if not user_code:
        get_architecture(architecture)
    values = resolve(method.parameters, recipe or {}, owner="the recipe")
    spec = ModelSpec(architecture, dataset.num_classes, dataset.channels, dataset.preprocessing.size, user_code)
    if not user_code:
        build_on_meta(spec)  # refuses images that are too small, before a folder is made
    return Job(
        kind="train",
        model=ModelPart(
            architecture=spec.architecture,
            num_classes=spec.num_classes,
            in_channels=spec.in_channels,
            input_size=spec.input_size,
            classes=dataset.classes,
            preprocessing=dataset.preprocessing.to_dict(),
            user_code=user_code,
        ),
        data=data_part(dataset, bench.options),
        forget=forget_part(exclude)
        if exclude is not None and exclude.count
        else ForgetPart(mode="none", total=len(dataset.train)),
        method=method.id,
        parameters=dict(values),
        seed=seed,
        monitoring_budget=_share_of_time(monitoring_budget),
        checkpoint_seconds=checkpoint_seconds,
        **_machine(device or bench.device, precision or bench.precision, threads or bench.threads),
    )


def facts_of(selection: Selection, num_classes: int) -> Facts:
    """Return what a plan may depend on. Raises ForgetSetError for an empty forget set, or one of all images."""
    selection.check()
    singles = selection.loose_count
    return Facts(selection.count - singles, singles, selection.total - selection.count, num_classes)


def require_data(method: Method, values: Values, selection: Selection, dataset: Dataset) -> Facts:
    """Return the facts of a plan. Raises ForgetSetError where the data lacks what the method needs."""
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


def decides(job: Job) -> dict[str, Any]:
    """Return what decides the result of a job, by the name it goes by in a sentence.

    Device, precision and number of threads are left out: they change the last digits only.
    """
    return {
        "model": job.model.sha256,
        "architecture": network_key(job.model),
        "data": job.data.fingerprint,
        "preparation of the images": numbers_of(job.model.preprocessing),
        "forget set": job.forget.sha256,
        "weights of the forget list": job.forget.weights_sha256,
        "method": job.method,
        "parameters": job.parameters,
        "seed": job.seed,
    }


def differences(one: Job, other: Job) -> list[str]:
    """Return the names of what differs between two jobs; parameters of the same method are named one by one."""
    first, second = decides(one), decides(other)
    names = [name for name in first if name != "parameters" and first[name] != second[name]]
    if one.method == other.method:
        values, others = one.parameters, other.parameters
        names += [name for name in sorted(values | others) if values.get(name) != others.get(name)]
    return names


def require_same_job(
    folder: RunFolder,
    asked: Job,
    hint: str = "Choose another folder, or go on with it as it is: `resume` takes the job from the folder",
) -> None:
    """Raise MismatchError, naming what differs, where a folder holds the run of another job than `asked`."""
    names = differences(folder.job(), asked)
    if names:
        raise MismatchError(f"{folder.path} holds a run that differs in {', '.join(names)}", hint)


def create_run(path: Path | str, job: Job, selection: Selection | None, dataset: Dataset) -> RunFolder:
    """Make the run folder with the job and the forget list; raises InputError where it already holds a run.

    `selection` is what the job was made with; images of earlier requests are added.
    """
    chosen = selection if selection is not None else Selection.empty(dataset.train.labels.numpy(), dataset.classes)
    if job.chain:
        chosen = all_requests(Path(job.model.path), chosen, dataset)
    folder = RunFolder.create(path, job)
    write_forget_list(folder.file(FORGET), chosen, dataset.train.paths)
    return folder


def model_part(model: OpenedModel, dataset: Dataset) -> ModelPart:
    """Describe an opened model in a job."""
    return ModelPart(
        path=str(Path(model.path).resolve()),
        sha256=model.sha256,
        architecture=model.spec.architecture,
        num_classes=model.spec.num_classes,
        in_channels=model.spec.in_channels,
        input_size=dataset.preprocessing.size,
        classes=dataset.classes,
        preprocessing=dataset.preprocessing.to_dict(),
        form=model.form.to_dict(),
        user_code=model.spec.user_code,
    )


def data_part(dataset: Dataset, options: DataOptions) -> DataPart:
    """Describe an opened data set in a job."""
    return DataPart(
        spec=dataset.spec, fingerprint=dataset.fingerprint, test_origin=dataset.test_origin, **asdict(options)
    )


def forget_part(selection: Selection) -> ForgetPart:
    """Describe a forget set in a job."""
    classes = tuple(int(c) for c in selection.complete_classes)
    return ForgetPart(
        mode=selection.mode,
        classes=classes,
        class_names=tuple(selection.class_names[c] for c in classes),
        count=int(selection.count),
        total=int(selection.total),
        sha256=selection.digest(),
        weights_sha256=selection.weights_digest(),
    )


def library_versions() -> dict[str, str]:
    """Return the versions of what results depend on."""
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _share_of_time(budget: float) -> float:
    if not 0 <= budget <= 1:
        raise UsageError(f"The monitoring budget must be between 0 and 1, got {budget:g}")
    return budget


def _machine(device: str, precision: str, threads: int) -> dict[str, Any]:
    """Return what a job says of where it runs. Raises UsageError for what this machine has not."""
    if precision not in PRECISIONS:
        raise UsageError(f"Precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    chosen = choose_device(device)
    choose_precision(precision, chosen, convolutional=True)  # refuses what the device has not, before a folder is made
    if threads < 0:
        raise UsageError(f"--threads must be at least 1, got {threads}")
    return {
        "device": str(chosen),
        "precision": precision,
        "threads": threads or default_threads(),
        "app_version": VERSION,
        "libraries": library_versions(),
    }
