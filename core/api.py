"""The public functions: what the commands do, for a notebook or another program. Importing them loads no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.engine.control import Control
    from core.events import Emit, Tell
    from core.job import StartPart
    from core.runs.folder import RunFolder
    from core.session.bench import Bench
    from core.session.exporting import ExportResult

__all__ = ["check", "export", "open_data", "open_model", "unlearn"]


def open_model(
    path: Path | str,
    *,
    arch: str | None = None,
    key: str | None = None,
    device: str = "auto",
    precision: str = "auto",
    threads: int = 0,
    trust_pickle: bool = False,
    trust_code: bool = False,
    tell: Tell | None = None,
) -> Bench:
    """Open a weights file, or the folder of a run or of a training; returns a bench that holds the model.

    path: .safetensors, .pt, .pth, .bin, .pt2 or TorchScript. arch: the architecture's name, or "file.py:factory" of
    your own; recognised from the weights where left out. key: the entry of the file that is the network ("model_ema",
    "ema.model"), where it holds several. device: "auto", "cpu", "cuda:0" or "mps". precision: "auto",
    "float32", "bfloat16" or "float16". threads: of the processor, 0: chosen by the program. trust_pickle, trust_code:
    allow files to be unpickled, and programs to run that bring a network. tell(what, done, total) is told what goes on
    and may raise to end it; total is 0 where it is not known.

    Raises NotFoundError, UnsafeFileError (opening would run code that was not allowed), AmbiguousEntryError (say `key`)
    or InputError; all are AppErrors of `core.errors`, whose text says what happened and what to do.
    """
    from core.models.trust import Trust
    from core.session.bench import Bench

    bench = Bench(trust=Trust(trust_pickle, trust_code)).on(device, precision, threads).telling(tell)
    return bench.with_model(path, arch=arch, key=key)


def open_data(
    spec: Path | str,
    model: Bench | None = None,
    *,
    data_root: Path | str = "",
    test_fraction: float | None = None,
    classes_file: Path | str = "",
    preprocess_file: Path | str = "",
) -> Bench:
    """Open a data set as `model` needs it, or on its own; returns a bench that holds both.

    spec: the name of a data set, or a folder or file of images. data_root: where data sets known by name lie.
    test_fraction: share of the images, above 0 and below 1, to set aside where the data has no test part. classes_file:
    names of all outputs of the model, one a line, in their order. preprocess_file: how images are prepared, in any
    form that `--preprocess` takes; `bench.dataset.preparation` says what is done. `bench.dataset.train` and `.test`
    hold `images`, (n, H, W, C) uint8, and `labels`, (n,) int64.

    Raises NotFoundError, NoTestPartError (say `test_fraction`), MismatchError (model and data do not fit) or
    InputError.
    """
    from core.session.bench import Bench, DataOptions

    options = DataOptions(str(data_root), test_fraction, str(classes_file), str(preprocess_file))
    return (model or Bench()).with_data(str(spec), options.absolute())


def unlearn(
    bench: Bench,
    out: Path | str,
    *,
    classes: Iterable[str] = (),
    samples: Iterable[int] = (),
    where: Iterable[str] = (),
    folders: Iterable[str] = (),
    corrective: bool = False,
    method: str = "muda",
    preset: str = "",
    settings: Mapping[str, Any] | None = None,
    tries: int = 0,
    seed: int = 0,
    accept_accuracy: bool = False,
    expect_accuracy: float | None = None,
    started_from: Path | str = "",
    resume: bool = False,
    launcher: str = "thread",
    emit: Emit | None = None,
    control: Control | None = None,
) -> RunFolder:
    """Make the model on a bench forget, as `unlearn` does; returns the run folder `out` with the result and its report.

    classes: names of classes to forget. samples: positions of single training images, from 0, in the order of
    `bench.dataset.train`. where: columns of the data's table with the values to forget ("customer=47*"). folders: of
    the data, all of whose images go. corrective: they should not have been as they are (wrong labels, poisoned
    images), and the result is judged by that. method, preset, settings: as `methods` lists them; `settings` lie over
    the preset. tries: so many settings are tried on a part of the images first, and the best is run; those named in
    `settings` stay. seed: the same seed gives the same result. accept_accuracy: go on where nothing proves that the
    model is used as it was trained; expect_accuracy: its accuracy on the test images, 0..1, as your own program
    measures it, is proof. started_from: the file of the pretrained weights that the model's own training began with,
    or "fresh", where its card does not say. resume: go on with the run that `out` holds. launcher: what starts it,
    "thread" (this one), "process" or "torchrun N". emit gets each event (`core.events`) in this thread; control
    (`core.engine.control.Control`) pauses and stops the run from any other.

    `run.report()` is the content of report.json: accuracies and shares 0..1, times in seconds. Raises UsageError and
    ParameterError (what was asked cannot be), ForgetSetError (nothing or everything would go), UnprovenError (nothing
    proves that the model is used as it was trained), InputError (`out` holds a run), RunError (the run failed; it can
    be resumed) or StoppedError (it was stopped with nothing to keep).
    """
    from core.errors import StoppedError
    from core.job import Launcher
    from core.launch import launch
    from core.runs.folder import RunFolder
    from core.session.forget_sets import named_selection
    from core.session.jobs import make_unlearn_job
    from core.session.proof import proven
    from core.session.running import ready_run

    control, emit = _or_nobody(control, emit)
    folder = RunFolder.wanted(out, resume=resume)
    selection = named_selection(bench.dataset, classes, where=where, folders=folders).with_samples(samples)
    selection = selection.correcting(corrective)
    bench = proven(replace(bench, start=_start(started_from, bench)), accept=accept_accuracy, expect=expect_accuracy)
    job = make_unlearn_job(bench, selection, method, preset=preset, settings=settings, seed=seed, launcher=launcher)
    folder, _ = ready_run(folder, job, selection, bench, control, tries=tries, fixed=settings or ())
    launch(folder, control, emit, bench, resume=resume, launcher=Launcher.parse(launcher))
    if not folder.has_result:
        raise StoppedError(f"The run in {folder.path} was stopped with nothing to keep", "Start it again")
    return folder


def check(
    run: RunFolder | Path | str,
    bench: Bench | None = None,
    *,
    seeds: Iterable[int] = (),
    retrained: Mapping[str, Path | str] | None = None,
    suite: str = "quick",
    started_from: Path | str = "",
    emit: Emit | None = None,
    control: Control | None = None,
) -> dict[str, Any]:
    """Check the result of a run against retrained models, as `verify` does; returns the content of report.json.

    bench: what is trusted, and model and data where they are open. seeds: of models to retrain without the forget set
    by the original's recipe; those on disk are taken. retrained: files of such models, by the names they go by in the
    report. suite: "quick" or "full". started_from: as that of `unlearn`. `report["verdict"]["sentence"]` says what came
    out; accuracies and shares are 0..1.

    Raises InputError (the run has no result, a model was not retrained without the forget set), MismatchError (model or
    data have changed), or StoppedError and Interrupted where `control` ended it: finished measures are kept.
    """
    from core.session import checking

    control, emit = _or_nobody(control, emit)
    brought = {name: Path(path) for name, path in (retrained or {}).items()}
    return checking.check(
        _folder(run), control, emit, bench, seeds=tuple(seeds), retrained=brought, which=suite,
        start=_start(started_from, bench),
    )  # fmt: skip


def export(
    run: RunFolder | Path | str,
    out: Path | str,
    format: str = "same",
    *,
    bench: Bench | None = None,
    with_report: bool = False,
    overwrite: bool = False,
) -> ExportResult:
    """Write the model of a run as a file and read it back, as `export` does; returns what was written and compared.

    format: "same" (wrapper, keys and types of the file that came in), "safetensors", "pt", "pt2" or "onnx".
    `result.path` is the file, `result.largest_difference` that of the logits on up to 256 images, `result.sha256` its
    hash; the model card lies beside it. bench: what is trusted, and the data where it is open. with_report: also the
    run's report.

    Raises TargetExistsError, UnsafeFileError (the network's code has to run, and was not allowed), InputError (no
    result, or a network that cannot be written so) or RunError (what was read back differs).
    """
    from core.session import exporting

    return exporting.export(_folder(run).path, format, out, bench, with_report=with_report, overwrite=overwrite)


def _folder(run: RunFolder | Path | str) -> RunFolder:
    """Return a run's folder, however it is named."""
    from core.runs.folder import RunFolder

    return run if isinstance(run, RunFolder) else RunFolder.open(Path(run))


def _start(said: Path | str, bench: Bench | None) -> StartPart | None:
    """Return the start that is stated, None for an empty text."""
    from core.models.trust import NO_TRUST
    from core.session.starts import stated_start

    return stated_start(str(said), trust=NO_TRUST if bench is None else bench.trust) if str(said) else None


def _or_nobody(control: Control | None, emit: Emit | None) -> tuple[Control, Emit]:
    """Return who may end the work and who is told, nobody where none is given."""
    from core.engine.control import Control

    return control or Control(), emit or (lambda event: None)
