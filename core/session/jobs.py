"""Jobs: all that a run needs to know, checked before its folder is made; whether two are the same."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Mapping
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from core import distributed
from core.data.dataset import Dataset
from core.data.preprocessing import numbers_of
from core.devices import PRECISIONS, choose_precision, default_threads
from core.errors import ForgetSetError, MismatchError, UsageError
from core.files import read_bytes
from core.job import (
    CORRECTIVE,
    DataPart,
    ForgetPart,
    Job,
    Launcher,
    ModelPart,
    Purpose,
    StartPart,
    purpose_from,
)
from core.methods import get_method, method_of, plugin_part
from core.methods.base import WHOLE, Facts, MadeFor, Method, Preset
from core.methods.retrain import RETRAIN, assumed_recipe
from core.models.architectures import (
    ENCODER_PREFIX,
    ModelSpec,
    build_on_meta,
    get_architecture,
    is_deep,
    is_transformer,
    network_key,
)
from core.models.starting import begin_from, read_start
from core.parameters import Values, resolve
from core.runs.folder import FORGET, TUNING, RunFolder
from core.selection import Selection
from core.session.bench import Bench
from core.session.chains import all_requests, chain_of, request_part
from core.session.forget_lists import forget_list_bytes
from core.session.starts import JOB as SAID_BY_JOB
from core.session.starts import settled_start
from core.version import VERSION

LIBRARIES = ("torch", "torchvision", "numpy", "scikit-learn", "safetensors")


def preset_values(
    bench: Bench, selection: Selection, method_id: str, preset: str = "", settings: Mapping[str, Any] | None = None
) -> Values:
    """Return a method's values for a model and a forget set: defaults, then the preset, then `settings`.

    The first preset of a method that trains a fresh model is the original's recipe (`recipe_for`). Raises
    ParameterError naming all that is wrong, NotFoundError for an unknown method or preset.
    """
    method = get_method(method_id)
    chosen = chosen_preset(bench, selection, method, preset)
    recipe: Mapping[str, Any] = {}
    first = method.presets[0].name if method.presets else ""
    if method.starts_from == "fresh" and preset in ("", first):
        recipe, _ = recipe_for(bench.model.card, len(bench.dataset.train))
    return resolve(method.parameters, chosen.values, recipe, settings or {}, owner=method.id)


def purpose_of(bench: Bench, selection: Selection | None) -> Purpose:
    """Return what a method is asked for, by the model and the forget set."""
    corrective, trigger = (False, None) if selection is None else (selection.corrective, selection.trigger)
    return purpose_from(not bench.model.spec.num_classes, corrective, trigger)


def presets_for(bench: Bench, selection: Selection, method: Method) -> tuple[Preset, ...]:
    """Return a method's presets for a model and a forget set, the recommended one first."""
    return method.presets_for(selection.kinds or WHOLE, _made_for(bench, selection, method))


def chosen_preset(bench: Bench, selection: Selection, method: Method, name: str = "") -> Preset:
    """Return the preset of that name, or the recommended one for a model and a forget set.

    Raises NotFoundError, and UsageError where a method needs classes and the network names none.
    """
    purpose = purpose_of(bench, selection)
    if purpose == "encoder" and not method.takes_encoders:
        raise UsageError(
            f"{method.title} needs a network that names classes, and {bench.model.path.name} is an encoder",
            "Choose muda, whose alignment looks at features alone",
        )
    return method.preset(name, selection.kinds or WHOLE, _made_for(bench, selection, method))


def _made_for(bench: Bench, selection: Selection, method: Method) -> MadeFor:
    """Return what a preset is to be made for: the purpose, else the kind of the network.

    "deep" only where the original is known to have begun with fresh weights: what is made for that mixes them in, which
    pretrained features would not survive.
    """
    if purpose := purpose_of(bench, selection):
        return purpose
    tensors = bench.model.state_dict
    if is_transformer(tensors):
        return "transformer"
    if not is_deep(tensors) or all(preset.made_for != "deep" for preset in method.presets):
        return ""  # so that no card is read for methods that have no such preset
    start = settled_start(bench.start, Path(bench.model.path))
    return "deep" if start is not None and not start.pretrained else ""


def recipe_for(card: Mapping[str, Any] | None, images: int) -> tuple[dict[str, Any], str]:
    """Return the recipe for training a model as the original was trained, and where it comes from.

    It is that on the original's card, without parameters that this version does not know, else one that suits so many
    training images.
    """
    recipe = (card or {}).get("recipe")
    if isinstance(recipe, Mapping) and recipe:
        names = {parameter.name for parameter in RETRAIN.parameters}
        return {name: value for name, value in recipe.items() if name in names}, "the original's model card"
    return assumed_recipe(images), "the preset of this application: the original's own recipe is not known"


def make_unlearn_job(
    bench: Bench,
    selection: Selection,
    method_id: str,
    *,
    preset: str = "",
    settings: Mapping[str, Any] | None = None,
    monitoring_budget: float = 0.1,
    **options: Any,
) -> Job:
    """Describe one unlearning run on the bench. Raises AppErrors for anything that could not run.

    `options`: seed, checkpoint_seconds and launcher. Where the model is the result of an earlier run, the forget set is
    that of all requests together.
    """
    bench.model.require_trainable()
    selection.check()
    method = get_method(method_id)
    model = bench.model
    chain = chain_of(model.path, bench.dataset)
    if chain is not None:
        request = request_part(method.id, chain.added(selection))
        selection = chain.joined(selection)
        options |= {"chain": chain.jobs, "requests": (*chain.requests, request), "origin": chain.origin}
    values = preset_values(bench, selection, method.id, preset, settings)
    require_data(method, values, selection, bench.dataset, purpose_of(bench, selection))
    if bench.start is not None and bench.start.pretrained:
        require_start(bench, replace(model.spec, input_size=bench.dataset.preprocessing.size), bench.start)
    source = {"path": str(Path(model.path).resolve()), "sha256": model.sha256, "form": model.form.to_dict()}
    source |= {"proof": bench.proof.as_dict()} if bench.proof is not None else {}
    return _job(
        bench,
        kind="unlearn",
        model=_model_part(model.spec, bench.dataset, **source),
        start=settled_start(bench.start, Path(model.path)),
        forget=_forget_part(selection),
        method=method.id,
        plugin=plugin_part(method.id),
        preset=chosen_preset(bench, selection, method, preset).name,
        parameters=dict(values),
        monitoring_budget=monitoring_budget,
        **options,
    )


def make_train_job(
    bench: Bench,
    architecture: str,
    *,
    exclude: Selection | None = None,
    recipe: Mapping[str, Any] | None = None,
    user_code: str = "",
    start: StartPart | None = None,
    monitoring_budget: float = 0.05,
    **options: Any,
) -> Job:
    """Describe the training of an original model or, with `exclude`, of a retrained reference on the bench's data.

    start: pretrained weights to begin with; None: fresh ones. `options`: seed, checkpoint_seconds and launcher. Raises
    AppErrors for anything that could not run.
    """
    dataset = bench.dataset
    if exclude is not None and exclude.count:
        exclude.check()
    if not user_code:
        get_architecture(architecture)
        if architecture.startswith(ENCODER_PREFIX):
            raise UsageError(
                "An encoder is not trained here: labels are not what it learns from", "Name a network with a head"
            )
    values = resolve(RETRAIN.parameters, recipe or {}, owner="the recipe")
    spec = ModelSpec(architecture, dataset.num_classes, dataset.channels, dataset.preprocessing.size, user_code)
    if not user_code:
        build_on_meta(spec)  # refuses images that are too small, before a folder is made
    if start is not None and start.pretrained:
        require_start(bench, spec, start)
    nothing = ForgetPart(mode="none", total=len(dataset.train))
    return _job(
        bench,
        kind="train",
        model=_model_part(spec, dataset),
        start=start or StartPart(kind="fresh", said_by=SAID_BY_JOB),
        forget=_forget_part(exclude) if exclude is not None and exclude.count else nothing,
        method=RETRAIN.id,
        parameters=dict(values),
        monitoring_budget=monitoring_budget,
        **options,
    )


def require_start(bench: Bench, spec: ModelSpec, start: StartPart) -> None:
    """Raise MismatchError where the weights that a training is to begin with are not those of its network."""
    begin_from(bench.untrained(_model_part(spec, bench.dataset), 0), read_start(start, bench.trust))


def _job(bench: Bench, *, monitoring_budget: float, **parts: Any) -> Job:
    """Return a job on the bench's data and machine. Raises UsageError for what this machine has not."""
    if not 0 <= monitoring_budget <= 1:
        raise UsageError(f"The monitoring budget must be between 0 and 1, got {monitoring_budget:g}")
    if bench.precision not in PRECISIONS:
        raise UsageError(f"Precision must be one of {', '.join(PRECISIONS)}, got {bench.precision!r}")
    away = Launcher.parse(parts.get("launcher", "thread")).remote  # what that machine has shows there
    if not away:
        choose_precision(bench.precision, bench.place, convolutional=True)  # refuses what the device has not
    if bench.threads < 0:
        raise UsageError(f"--threads must be at least 1, got {bench.threads}")
    data = bench.dataset
    return Job(
        data=DataPart(
            spec=data.spec, fingerprint=data.fingerprint, test_origin=data.test_origin,
            notices=data.said, **asdict(bench.options),
        ),
        device=bench.device if away else str(bench.place),
        precision=bench.precision,
        threads=bench.threads if away else bench.threads or default_threads(),
        monitoring_budget=monitoring_budget,
        app_version=VERSION,
        libraries=_library_versions(),
        **parts,
    )


def _model_part(spec: ModelSpec, dataset: Dataset, **source: Any) -> ModelPart:
    """Describe the network in a job, for images prepared as the data set's. `source`: of weights to start from."""
    facts = {**vars(spec), "input_size": dataset.preprocessing.size}
    return ModelPart(classes=dataset.classes, preprocessing=dataset.preprocessing.to_dict(), **facts, **source)


def _forget_part(selection: Selection) -> ForgetPart:
    """Describe a forget set in a job."""
    classes = selection.complete_classes
    return ForgetPart(
        mode=selection.mode,
        classes=classes,
        class_names=tuple(selection.class_names[index] for index in classes),
        count=selection.count,
        total=selection.total,
        sha256=selection.digest(),
        weights_sha256=selection.weights_digest(),
        similar=selection.similar_count,
        similar_from=selection.similar_from,
        purpose=CORRECTIVE if selection.corrective else "",
        trigger=selection.trigger,
    )


def _library_versions() -> dict[str, str]:
    """Return the versions of what results depend on; one that is not installed is left out."""
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def require_data(
    method: Method, values: Values, selection: Selection, dataset: Dataset, purpose: Purpose = ""
) -> Facts:
    """Return what a plan may depend on. Raises ForgetSetError where the forget set is empty or all there is, or where
    the method cannot work on it or on this data.
    """  # noqa: D205
    selection.check()
    singles = selection.loose_count
    facts = Facts(
        selection.count - singles, singles, selection.total - selection.count, dataset.num_classes,
        len(dataset.imageless), purpose,
    )  # fmt: skip
    if facts.encoder and selection.corrective:
        raise ForgetSetError(
            "A correction is judged by the labels that a network gives, and an encoder gives none",
            "Forget whole classes, not as a correction",
        )
    if facts.encoder and singles:
        raise ForgetSetError(
            "An encoder forgets whole classes only: the features of single images say nothing once their class stays",
            "Choose whole classes",
        )
    if facts.encoder:
        method.plan(values, facts)  # refuses settings that need classes
    if not facts.kinds <= method.suits:
        raise ForgetSetError(
            f"{method.title} works on {method.forgets} only", f"Choose {method.forgets} alone, or another method"
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


def require_shareable(method: Method) -> None:
    """Raise UsageError where several processes cannot share a run of a method, as its record says."""
    if not method.shared:
        raise UsageError(
            f"Several processes cannot share a run of {method.title}: it changes the weights at one go, without steps "
            "that could be divided",
            "Run it in one process",
        )


def decides(job: Job) -> dict[str, Any]:
    """Return what decides the result of a job, by the name it goes by in a sentence.

    Device, precision and number of threads are left out: they change the last digits only.
    """
    pretrained = job.start is not None and job.start.pretrained and method_of(job).starts_from == "fresh"
    return {
        **({"starting weights": job.start.weights_id} if job.start is not None and pretrained else {}),
        "model": (job.model.sha256, job.model.key),
        "architecture": network_key(job.model),
        "data": job.data.fingerprint,
        "preparation of the images": numbers_of(job.model.preprocessing),
        "forget set": job.forget.sha256,
        "weights of the forget list": job.forget.weights_sha256,
        **_correction(job.forget if job.kind == "unlearn" else None),
        "method": job.method,
        "parameters": job.parameters,
        "seed": job.seed,
    }


def _correction(forget: ForgetPart | None) -> dict[str, Any]:
    """Return what a correction adds to what decides a result; nothing of plain forgetting, nor of a training."""
    if forget is None or not forget.corrective:
        return {}
    return {"purpose (a correction)": True} | ({"trigger": forget.trigger.as_dict()} if forget.trigger else {})


def differences(job: Job, other: Job) -> list[str]:
    """Return the names of what differs between two jobs; parameters of the same method are named one by one."""
    first, second = decides(job), decides(other)
    names = [name for name in {**first, **second} if name != "parameters" and first.get(name) != second.get(name)]
    if job.method == other.method:
        mine, its = job.parameters, other.parameters
        names += [name for name in sorted(mine | its) if mine.get(name) != its.get(name)]
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


def create_run(
    path: Path | str, job: Job, selection: Selection | None, dataset: Dataset, tries: Path | None = None
) -> RunFolder:
    """Make the run folder with the job and the forget list; raises InputError where it already holds a run.

    `selection` is what the job was made with; images of earlier requests are added. `tries`: the file of the search
    that gave the job its settings. Of several processes that share the run the first one makes the folder.
    """
    if distributed.is_first():
        RunFolder.create(path, job, run_files(job, selection, dataset, tries))
    distributed.barrier()
    return RunFolder(path)


def run_files(
    job: Job, selection: Selection | None, dataset: Dataset, tries: Path | None = None
) -> dict[str, bytes]:
    """Return what a run folder holds beside its job as it is made, by name; parameters are those of `create_run`."""
    tuned = {TUNING: read_bytes(tries)} if tries is not None else {}
    return {FORGET: forget_list(job, selection, dataset), **tuned}


def forget_list(job: Job, selection: Selection | None, dataset: Dataset) -> bytes:
    """Return forget.csv of a job that was made with `selection`: images of earlier requests are added."""
    chosen = selection if selection is not None else Selection.empty(dataset.train.labels.numpy(), dataset.classes)
    if job.chain:
        chosen = all_requests(Path(job.model.path), chosen, dataset)
    return forget_list_bytes(chosen, dataset.train.paths)
