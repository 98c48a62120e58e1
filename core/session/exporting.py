"""Exports a model as a file: written beside its place, read again, compared, and only then moved there."""

from __future__ import annotations

import contextlib
import copy
import datetime
import filecmp
import functools
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from core.data.dataset import Dataset
from core.data.named import find_source
from core.data.preprocessing import Preprocessing
from core.data.sources import prepare_anew, recognise_dataset
from core.errors import (
    AppError,
    InputError,
    RunError,
    TargetExistsError,
    UnsafeFileError,
    UsageError,
    did_you_mean,
    first_few,
)
from core.files import EXPORT_FORMATS, file_sha256, read_json, sync_folder, write_json
from core.job import Job
from core.leftovers import building
from core.models.card import SCHEMA_VERSION, card_to_metadata, find_card
from core.models.checkpoint import OpenedModel, read_model
from core.models.formats import (
    PLAIN,
    compare_export,
    export_onnx,
    export_pt2,
    logits_of,
    write_module,
    write_same,
)
from core.models.trust import Trust
from core.models.weights import CheckpointForm, round_weights
from core.runs.folder import FORGET, MODEL, MODEL_PT, OWN_FILES, REPORT_HTML, RunFolder
from core.session.bench import Bench, DataOptions
from core.session.library import check_state
from core.session.quantising import measure_quantised, quantised_words
from core.verify.numbers import count, plural
from core.verify.table import model_measures
from core.version import VERSION

_WEIGHTS = ("pt", "safetensors")  # formats of weights alone; the others are programs
EXACT, APPROXIMATE = 1e-6, 1e-3  # differences allowed, as a share of the largest logit: weights, programs
_COPIES = {"report": REPORT_HTML, "forget list": FORGET}  # of the run, put beside the model
SAMPLES = 256  # images that both models see
PIXELS = SAMPLES * 64 * 64  # of all of them together: networks for large images are compared on fewer
SMALLEST_SAMPLE = 16
_NAMES_SHOWN = 8
QUICK_BYTES = 256 * 2**20  # a larger data file is not opened only for these images


@dataclass(frozen=True)
class ExportResult:
    """What was written and how it compared with the model it was made from."""

    path: Path
    format: str
    keys: int  # 0 where the format has none
    largest_difference: float  # of logits, on `samples` images
    samples: int
    random_samples: bool  # seeded noise instead of test images
    sha256: str
    also: tuple[Path, ...] = ()  # card, report and forget list written beside it
    notes: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What reading the file back showed."""
        same = f"same {count(self.keys)} keys, types and shapes; " if self.keys else ""
        images = plural(self.samples, "random image" if self.random_samples else "image")
        difference = f"{self.largest_difference:.1e}" if self.largest_difference else "0"
        return f"Written and read back: {same}largest difference on {images}: {difference}."

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as they are written as JSON; `keys` is null where the format has none."""
        return {**asdict(self), "keys": self.keys or None}


def export(
    source: Path | str,
    format: str,
    out: Path | str,
    bench: Bench | None = None,
    *,
    with_card: bool = True,
    with_report: bool = False,
    with_forget_list: bool = False,
    quantised: bool = False,
    overwrite: bool = False,
    arch: str | None = None,
    key: str | None = None,
) -> ExportResult:
    """Write the model of a run folder or a weights file as `out`, and files that go with it beside it.

    `format` is one of EXPORT_FORMATS; `same` gives back wrapper, keys and types of the file that came in, from the job,
    so the original may be gone. The written file is read again and compared on up to SAMPLES images before it takes its
    place: test images of the run's data, where it is on the bench or opens quickly, else seeded noise.

    `quantised` measures first what weights of few bits do to a run's result, and says it in a note; where the full
    suite has measured it, the note says it without being asked.

    A card of the same run that is there already, beside its model in another format, names both files from then on.

    Raises TargetExistsError where a file to write exists and not `overwrite`; InputError where it is the original or
    one of the run's own files, or the network cannot be written like that; RunError where what was read back differs.
    """
    out, bench = Path(out), bench or Bench()
    if format not in EXPORT_FORMATS:
        hint = did_you_mean(format, EXPORT_FORMATS, count=1) or f"Use {', '.join(EXPORT_FORMATS)}"
        raise UsageError(f"There is no format {format!r}", hint)
    origin = open_source(source, bench, arch, key)
    written, form = _written_as(origin, format)
    if form.module and origin.pickled is not None and not bench.trust.pickle:
        raise UnsafeFileError(
            f"{origin.pickled.name} came in as a whole pickled network, and to give one back its code has to run",
            "Allow that with --trust-pickle, or export a state dict (--format pt)",
        )
    _check_name(format, written, out)
    if origin.job is None and (with_card or written not in _WEIGHTS):
        _check_network(origin.model)
    card = out.with_suffix(".json") if with_card else None
    copies = _copies(origin, out, {"report": with_report, "forget list": with_forget_list})
    others = _named_beside(origin, card, out, overwrite) if card is not None else None
    again = {path for own, path in copies.items() if path.is_file() and filecmp.cmp(own, path, shallow=False)}
    if card is not None and others is not None:
        again.add(card)
    also = tuple(path for path in (card, *copies.values()) if path is not None)
    _check_targets(origin, (out, *also), overwrite, again)
    few_bits = _few_bits(origin, bench, measure=quantised)
    images = sample_images(origin, bench)
    bench.tell("Writing", 0, 0)
    try:
        with building(out) as staging:
            _write(origin, written, form, staging / out.name)
            bench.tell("Reading back", 0, 0)
            result = _read_back(origin, written, form, staging / out.name, *images)
            notes = (*result.notes, *_notes(origin, format, out), *few_bits)
            result = replace(result, path=out, format=format, also=also, notes=notes)
            if card is not None:
                write_json(staging / card.name, _exported_card(origin, result, written, others or {}))
            for own, path in copies.items():
                shutil.copy(own, staging / path.name)  # with its rights: a list of people stays private
            for path in (out, *also):
                (staging / path.name).replace(path)
        sync_folder(out.parent)
    except OSError as error:
        raise InputError(f"{out} cannot be written to: {error.strerror or error}") from error
    return result


def read_back_run(folder: RunFolder, name: str, bench: Bench | None = None) -> ExportResult:
    """Read one of a run's own model files (MODEL or MODEL_PT) again and compare it with the other.

    Raises RunError where they differ.
    """
    bench = bench or Bench()
    origin = open_source(folder.path, bench)
    written, form = ("pt", replace(origin.form, module="")) if name == MODEL_PT else ("safetensors", PLAIN)
    return _read_back(origin, written, form, folder.file(name), *sample_images(origin, bench))


# --- where to ------------------------------------------------------------------------------------------------------


def _check_name(format: str, written: str, out: Path) -> None:
    """Raise InputError for a file name that would mislead about the format that is written."""
    suffix = out.suffix.lower()
    if suffix == ".safetensors" and written != "safetensors":
        raise InputError(f"A file called {out.name} must hold safetensors, not {written}", "Choose another file name")
    if format == "pt2" and suffix != ".pt2":
        raise InputError(f"A torch.export program is called .pt2, not {out.name}", "Choose a name that ends in .pt2")


def _copies(source: Source, out: Path, wanted: Mapping[str, bool]) -> dict[Path, Path]:
    """Return where the run's own files that are wanted go beside the model, by their path in the run."""
    copies = {}
    for kind in (kind for kind, chosen in wanted.items() if chosen):
        name = _COPIES[kind]
        if source.folder is None or not source.folder.file(name).is_file():
            raise InputError(f"{source.model.path} has no {kind} to put beside it", "Only a finished run has one")
        copies[source.folder.file(name)] = out.with_name(f"{out.stem}-{name}")
    return copies


def _named_beside(source: Source, card: Path, out: Path, overwrite: bool) -> dict[str, str] | None:
    """Return the files beside `out` that a card of the same run names, with their SHA-256; None without such a card.

    Raises InputError where `overwrite` would replace a JSON file that is not this model's card.
    """
    if not card.exists():
        return None
    content = read_json(card) if find_card(out) == card else None
    content = content if isinstance(content, dict) else {}
    files, exported = content.get("files"), content.get("export")
    if isinstance(files, dict) and isinstance(exported, dict) and source.folder is not None:
        job_sha256 = base_card(source).get("job_sha256")
        if exported.get("from") == source.folder.id and content.get("job_sha256") == job_sha256:
            return {name: sha for name, sha in files.items() if name != out.name and card.with_name(name).is_file()}
    if overwrite and not (isinstance(files, dict) and out.name in files):
        raise InputError(
            f"{card} is not the card of {out.name}, so it was not replaced",
            "Choose another file name, or leave the model card out (--no-card)",
        )
    return None


def _check_targets(source: Source, targets: Iterable[Path], overwrite: bool, again: set[Path]) -> None:
    """Raise where a target may not be written: the original, a run's own files, any file there unless `overwrite`.

    Files in `again` are there from an earlier export and may be written again.
    """
    for path in targets:
        if any(_same_file(path, original) for original in source.protected):
            raise InputError(f"{path} is the original model, which is never changed", "Choose another file name")
        if path.is_dir():
            raise InputError(f"{path} is a folder", "Name the file to write")
        if path.name in OWN_FILES and RunFolder(path.parent).exists:
            raise InputError(f"{path} is one of a run's own files", "Choose another folder or file name")
        if path.exists() and not overwrite and path not in again:
            raise TargetExistsError(path)


def _same_file(first: Path, second: Path) -> bool:
    """Whether two paths are one file; those that are not there are compared by name."""
    try:
        return first.samefile(second)
    except OSError:
        return first.absolute() == second.absolute()


# --- writing -------------------------------------------------------------------------------------------------------


def _written_as(source: Source, format: str) -> tuple[str, CheckpointForm]:
    """Return the format that is written where `format` is asked for, and the keys, types and wrapper of weights in it.

    A traced program cannot be given back changed, so its weights are. Safetensors carry the card.
    """
    came_in = source.form
    if format == "same" and came_in.format != "pt2":
        return "safetensors" if came_in.format == "safetensors" else "pt", came_in
    if format == "safetensors":
        metadata = {"format": "pt", **card_to_metadata(base_card(source))}
        return format, CheckpointForm("safetensors", metadata=metadata)
    return "pt2" if format == "same" else format, PLAIN


def _write(source: Source, format: str, form: CheckpointForm, path: Path) -> None:
    """Write the weights in `form`, or a program in `format`."""
    spec = source.model.spec
    if form.module and source.pickled is not None:
        write_module(path, source.module.state_dict(), form, source.pickled, source.model.file.trust)
    elif format in _WEIGHTS:
        write_same(path, source.module.state_dict(), form)
    else:
        write_program = export_onnx if format == "onnx" else export_pt2
        write_program(path, source.module, spec.input_size, spec.in_channels)


def _read_back(
    source: Source, format: str, form: CheckpointForm, path: Path, images: torch.Tensor, random_samples: bool
) -> ExportResult:
    """Read a file again and compare it with the network, rounded to the file's types where they are coarser.

    `form`: what its weights were written like. Raises RunError where keys, types or
    shapes differ, or outputs by more than EXACT or APPROXIMATE.
    """
    module, notes = _rounded(source, form, images)
    trust = Trust(pickle=bool(form.module and source.pickled))  # such a file was just written by code that may run
    checked = compare_export(path, format, module, images, form, trust)
    scale = max(1.0, float(logits_of(module, images).abs().max()))
    allowed = (EXACT if format in _WEIGHTS else APPROXIMATE) * scale
    if not checked.same_form or not checked.largest_difference <= allowed:
        what = "keys, types or shapes" if not checked.same_form else "what it says of the same images"
        raise RunError(
            f"{path.name} was written, but differs in {what} from the model, so it was not kept",
            f"Export in another form; the largest difference was {checked.largest_difference:.1e}",
        )
    return ExportResult(
        path, format, checked.keys, checked.largest_difference, len(images), random_samples, file_sha256(path),
        notes=notes,
    )  # fmt: skip


def _rounded(source: Source, form: CheckpointForm, images: torch.Tensor) -> tuple[nn.Module, tuple[str, ...]]:
    """Return the network with its weights rounded to the file's types, and a note on how far that moves outputs."""
    module = copy.deepcopy(source.module)
    coarser = round_weights(module, form.dtypes)
    if not coarser:
        return source.module, ()
    moved = float((logits_of(module, images) - logits_of(source.module, images)).abs().max())
    types = " and ".join(sorted(coarser))
    return module, (f"Weights are {types}, as they came in; that moves outputs by at most {moved:.1e}.",)


def _exported_card(source: Source, result: ExportResult, format: str, others: Mapping[str, str]) -> dict[str, Any]:
    """Return the card to put beside the written file; `others`: files it names as well, with their SHA-256."""
    return {
        **base_card(source),
        "files": {**others, result.path.name: result.sha256},
        "export": {
            "format": format,
            "from": source.folder.id if source.folder else source.model.path.name,
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "largest_difference": result.largest_difference,
            "samples": result.samples,
            "random_samples": result.random_samples,
        },
    }


def _notes(source: Source, format: str, out: Path) -> tuple[str, ...]:
    """Return what the user has to know of the file beyond its comparison with the model."""
    notes = []
    if format == "same" and source.form.format == "safetensors" and out.suffix.lower() != ".safetensors":
        notes.append("The file that came in was safetensors, so this one is, too, whatever its name.")
    if format == "same" and source.form.module and source.pickled is None:
        notes.append("The file that came in held a whole pickled network and is gone; this is its state dict.")
    entries = [name for name in source.form.dropped if name != "program"]
    if format == "same" and entries:
        notes.append(f"{', '.join(entries)} dropped: they may still hold the original's weights.")
    if format == "same" and source.form.format == "torchscript":
        notes.append("The file that came in was a TorchScript program; this is its state dict.")
    if source.unlearning is not None and not check_state(source.unlearning)["checked"]:
        notes.append("This run was not checked against a retrained model. The model card says so.")
    doubts = source.job.model.proof.get("doubts") if source.job is not None else None
    if doubts:
        notes.append(f"Nothing proved that the original is used as it was trained. {' '.join(doubts)}")
    return tuple(notes)


def _few_bits(source: Source, bench: Bench, *, measure: bool) -> tuple[str, ...]:
    """Return what weights of few bits do to a run's result: measured now, or as its report has it; else nothing."""
    if measure and source.folder is None:
        raise InputError(
            f"{source.model.path} says nothing of what it should have forgotten",
            "Export a run folder to measure quantised weights",
        )
    if measure and source.folder is not None:
        said = measure_quantised(source.folder, bench)
    else:
        report: Mapping[str, Any] | None = None
        with contextlib.suppress(InputError):  # a damaged report says nothing, and hinders no export
            report = source.unlearning.report() if source.unlearning is not None else None
        said = quantised_words(model_measures(report or {}, "unlearned").get("quantised"))
    return (said,) if said else ()


# --- what is exported ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """A model to export: its network, the form of the file that came in, and what its card should say."""

    model: OpenedModel
    module: nn.Module
    form: CheckpointForm
    folder: RunFolder | None = None
    job: Job | None = None

    @property
    def unlearning(self) -> RunFolder | None:
        """The run that made the model forget; None for a weights file or a trained model."""
        return self.folder if self.job is not None and self.job.kind == "unlearn" else None

    @functools.cached_property
    def pickled(self) -> Path | None:
        """The file that came in, where that is a whole pickled network and still as it was."""
        path, sha256 = (self.model.path, self.model.sha256)
        if self.job is not None:
            path, sha256 = Path(self.job.model.path), self.job.model.sha256
        return path if self.form.module and path.is_file() and file_sha256(path) == sha256 else None

    @property
    def protected(self) -> tuple[Path, ...]:
        """The files that must not be written over: what is exported, and the models it came from."""
        parts = (self.job.model, self.job.origin, self.job.start) if self.job is not None else ()
        return (self.model.path, *(Path(part.path) for part in parts if part is not None and part.path))


def open_source(source: Path | str, bench: Bench, arch: str | None = None, key: str | None = None) -> Source:
    """Open what is to be exported: a run folder with a result, or a weights file, as the bench trusts it."""
    folder = RunFolder(source)
    if not folder.exists:
        model = read_model(source, bench.trust, key).opened(arch=arch)
        return Source(model, model.build(), model.form)
    job = folder.job()
    if not folder.is_done:
        raise InputError(
            f"{folder.path} has no result to export yet: it is {folder.status().state}", "Finish or resume the run"
        )
    part = job.model
    model = read_model(folder.file(MODEL), bench.trust).opened(
        arch=part.builder, input_size=part.input_size, in_channels=part.in_channels
    )
    form = CheckpointForm.from_dict(part.form) if part.form else model.form
    return Source(model, model.build(), form, folder, job)


def _check_network(model: OpenedModel) -> None:
    """Raise InputError where several networks fit a model's weights: a program or card would state one of them."""
    if model.alternatives:
        names = [spec.architecture for spec in (model.spec, *model.alternatives)]
        raise InputError(
            f"{len(names)} networks fit the weights of {model.path.name}, and an export states which of them it is: "
            f"{first_few(names, _NAMES_SHOWN)}",
            "Name yours with --arch, or write the weights alone (--format same --no-card)",
        )


def sample_images(source: Source, bench: Bench) -> tuple[torch.Tensor, bool]:
    """Return network input (n, C, H, W) float32 to compare on, and whether it is noise.

    Test images of the data on the bench, where a run was not made with other data or another preparation, or of the
    run's data where that opens in a moment, spread over the test part; else seeded noise of the right shape.
    """
    spec, dataset, job = source.model.spec, bench.opened_data, source.job
    if job is not None and bench.other_data_than(job):
        dataset = _quickly_opened(job, bench)
    if dataset is not None and len(dataset.test) and dataset.channels == spec.in_channels:
        size = dataset.preprocessing.size
        ids = torch.linspace(0, len(dataset.test) - 1, min(_sample_count(size), len(dataset.test))).round().long()
        return dataset.preprocessing.apply(dataset.test.images[ids]), False
    generator = torch.Generator().manual_seed(0)
    shape = (_sample_count(spec.input_size), spec.in_channels, *spec.input_size)
    return torch.randn(shape, generator=generator), True


def base_card(source: Source) -> dict[str, Any]:
    """Return the model card: the model's own, else what its weights show."""
    card = source.folder.card() if source.folder else source.model.card
    if card and "schema_version" in card:
        state = check_state(source.unlearning) if source.unlearning is not None else {}
        return {**{name: value for name, value in card.items() if name not in ("files", "export")}, **state}
    read = {"schema_version": SCHEMA_VERSION, "app_version": VERSION, **source.model.described()}
    return {**(card or {}), **{name: value for name, value in read.items() if value is not None}}


def _sample_count(size: tuple[int, int]) -> int:
    return max(SMALLEST_SAMPLE, min(SAMPLES, PIXELS // max(1, size[0] * size[1])))


def _quickly_opened(job: Job, bench: Bench) -> Dataset | None:
    """Open the data of a job where that takes a moment; None where it would take longer or does not work any more."""
    data = job.data
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
        dataset = Bench().telling(bench.tell).with_data(data.spec, DataOptions.of(data)).dataset
        return prepare_anew(dataset, Preprocessing.from_dict(job.model.preprocessing), memory_budget=0)
    except (AppError, OSError):
        return None
