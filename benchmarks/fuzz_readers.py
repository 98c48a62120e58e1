"""The readers of files, each as a function of a folder that holds one; and the valid files that cases begin as."""

from __future__ import annotations

import dataclasses
import importlib
import os
import pkgutil
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import core
from benchmarks import fuzz_samples as samples
from core.events import untold
from core.runs.folder import FORGET, RunFolder

Read = Callable[[Path], object]


@dataclasses.dataclass(frozen=True)
class Reader:
    """One reader: `file` is the name, within its folder, that a case is written under, `kind` how it is damaged.

    make: writes what lies beside the file into a folder and returns valid contents of it.
    """

    name: str
    file: str
    kind: str
    read: Read
    make: Callable[[Path], list[bytes]]


def load() -> None:
    """Load what readers use, so that processes begin with all of it."""
    import scipy.stats  # noqa: F401
    import torchvision  # noqa: F401

    for module in pkgutil.walk_packages(core.__path__, "core."):
        importlib.import_module(module.name)


def make_samples(made: Path, chosen: list[int]) -> None:
    """Write the valid files of the readers with these numbers, and what lies beside each, below `made`."""
    for index in chosen:
        reader = READERS[index]
        beside, valid = made / reader.name / "beside", made / reader.name / "samples"
        beside.mkdir(parents=True)
        valid.mkdir()
        os.environ["UNLEARN_STUDIO_HOME"] = str(beside / "home")
        for number, content in enumerate(reader.make(beside)):
            (valid / f"{number:03d}").write_bytes(content)


# --- what a run folder holds ---------------------------------------------------------------------------------------


def _described(folder: Path) -> object:
    from core.session.library import describe_run

    return describe_run(RunFolder(folder))


def _page(folder: Path) -> object:
    from core.verify.report import render_report

    run = RunFolder(folder)
    return render_report(run.report() or {}, run.events())


def _compared(folder: Path) -> object:
    from core.session.library import runs_of
    from core.verify.comparison import compare, render_comparison

    others = [RunFolder(folder / "others" / name) for name in ("a", "b")]
    return render_comparison(compare(runs_of([RunFolder(folder), *others])), "runs")


def _printed(folder: Path) -> object:
    from core.cli.result import result_document, result_text

    run = RunFolder(folder)
    return result_text(run), result_document(run)


def _lanes(folder: Path) -> object:
    from core.cli.example import lanes_text
    from core.verify.lamps import report_lamps

    report = RunFolder(folder).report() or {}
    return lanes_text(report), report_lamps(report)


def _inspected(name: str, folder: Path) -> object:
    from core.session.inspecting import describe

    return describe(folder / name)


def _hashes(folder: Path) -> object:
    from core.session.report_files import check_report_files

    return check_report_files(folder)


def _measures(folder: Path) -> object:
    from core.verify.measure_log import MeasureLog

    log = MeasureLog(folder / "verify.jsonl", ("data", "forget"), folder)
    keys = [*log._kept]
    return [log._kept[key] for key in keys]


def _measures_shared(folder: Path) -> object:
    from core.verify.measure_log import MeasureLog

    log = MeasureLog(folder / "none", ("data", "forget"), folder)
    key = log._key("0" * 64, "accuracy", ())
    (folder / samples.SHARED_MEASURE).replace(folder / f"{key}.json")
    return log.find("original", "0" * 64, "accuracy", ())


def _tries(folder: Path) -> object:
    from core.session.tuning import _kept_tries

    return _kept_tries(folder / "tuning.json", {"job": "a", "references": []})


def _checkpoint(folder: Path) -> object:
    from core.runs.recorder import load_checkpoint

    run = RunFolder(folder)
    return load_checkpoint(run, run.job_sha256())


def _forget_csv(folder: Path) -> object:
    from core.session.forget_lists import read_forget_csv

    return read_forget_csv(folder / FORGET, 60)


# --- the window, as far as it needs no window -----------------------------------------------------------------------


def _row(folder: Path) -> object:
    from app.services import run_library

    run = RunFolder(folder)
    return run_library._row(run, False, run_library._stamp(run, False))


def _history(folder: Path) -> object:
    from app.workers.run_history import RunHistory
    from core.runs.following import read_new

    history = RunHistory()
    history.add(read_new(RunFolder(folder)).events)
    return history


def _tables(folder: Path) -> object:
    from app.models.measure_table import measure_lines
    from app.pages.unlearn.markers import _of_report
    from app.pages.verify.class_tabs import by_class
    from app.pages.verify.verdict_card import lamp_tip, limits
    from core.verify.lamps import LAMPS, found_again
    from core.verify.table import gaps_shown, measure_rows, verdict_rows

    report = RunFolder(folder).report() or {}
    classes = [by_class(report, measure, ("original", "unlearned")) for measure in ("per_class", "forget_predictions")]
    said = limits(report), found_again(report), [lamp_tip(report, lamp) for lamp in LAMPS]
    rows = measure_rows(report)
    lines = measure_lines(rows, gaps_shown(report))
    return lines, verdict_rows(report), classes, said, _of_report(report, "forget_test_accuracy")


def _compared_rows(folder: Path) -> object:
    from app.pages.verify.compared import read_comparison

    return read_comparison([RunFolder(folder), *(RunFolder(folder / "others" / name) for name in ("a", "b"))])


def _settings(folder: Path) -> object:
    from app.services.settings import Settings

    return Settings(folder / "settings.json").values


def _pairings(folder: Path) -> object:
    from app.services.settings import Pairings

    return Pairings(folder / "pairings.json").accepted("a", "b")


def _queue(folder: Path) -> object:
    from core.runs.waiting import UNREADABLE, read_waiting

    try:
        return read_waiting(folder)
    except UNREADABLE:
        return None


def _records(folder: Path) -> object:
    from app.workers.queue_files import records, rows_of

    return [rows_of(record) for record in records()]


# --- models ---------------------------------------------------------------------------------------------------------


def _card_of(name: str, folder: Path) -> object:
    from core.models.card import card_of, stated_preprocessing

    card, where = card_of(folder / name)
    return stated_preprocessing(folder / name, card, where)


def _weights(name: str, folder: Path) -> object:
    from core.models.weights import read_weights

    return read_weights(folder / name)


def _model(name: str, folder: Path) -> object:
    from core.models.class_lists import own_classes
    from core.session.bench import Bench

    model = Bench().with_model(folder / name).model
    return own_classes(model)


def _kind(name: str, folder: Path) -> object:
    from core.session.inspecting import kind_of

    return kind_of(folder / name)


# --- data -----------------------------------------------------------------------------------------------------------


def _data(name: str, folder: Path) -> object:
    from core.data.sources import open_dataset, recognise_dataset

    path = folder / name
    recognise_dataset(path)
    return open_dataset(str(path), test_fraction=0.5)


def _table(folder: Path) -> object:
    from core.data.tables import find_table, list_table, refuse_table

    path = folder / "data.csv"
    refuse_table(path)
    parts = find_table(path)
    return None if parts is None else list_table(parts, untold)


def _metadata(folder: Path) -> object:
    from core.data.tables import metadata_beside

    return metadata_beside(folder, [folder], ["a.png", "b.png"])


def _class_names(folder: Path) -> object:
    from core.data.classes import read_class_names

    return read_class_names(folder / "classes.txt")


def _idx(name: str, folder: Path) -> object:
    from core.data.arrays import read_idx

    return read_idx(folder / name)


def _coco(folder: Path) -> object:
    from core.data.coco import find_coco, list_coco

    parts = find_coco(folder / "coco.json")
    return None if parts is None else list_coco(parts, untold)


def _image(folder: Path) -> object:
    import numpy as np

    from core.data.images import Form, decode_into, look

    data = (folder / "image").read_bytes()
    return look(data), decode_into(np.zeros((8, 8, 3), np.uint8), data, Form((8, 8), 3))


def _preparation(folder: Path) -> object:
    from core.data.preprocessing import Preprocessing
    from core.data.stated import read_stated

    stated = read_stated(folder / "preparation")
    return Preprocessing.from_dict(stated, base=Preprocessing.unscaled(3, (8, 8)))


def _forget_list(folder: Path) -> object:
    from core.session.forget_lists import heading_of, match_forget_list, read_list_text, summarise_forget_list

    text = read_list_text(folder / "list.csv")
    return heading_of(text), summarise_forget_list(text), match_forget_list(text, samples.dataset_in(folder))


def _batch(folder: Path) -> object:
    from core.session.batch_file import read_batch

    return read_batch(folder / "batch.toml").items()


def _index_cache(folder: Path) -> object:
    from core.data import index

    (remembered,) = (folder / "home").rglob("*" + index.FILES)
    remembered.write_bytes((folder / "index").read_bytes())
    return index.recall(folder / "images", index.FILES, index._Remembered)


def _run(name: str, file: str, kind: str, read: Read) -> Reader:
    return Reader(name, file, kind, read, partial(samples.make_run, file))


READERS = tuple(
    reader
    for reader in (
        _run("job", "job.json", "json", lambda folder: RunFolder(folder).job()),
        _run("status", "status.json", "json", lambda folder: RunFolder(folder).status()),
        _run("events", "events.jsonl", "lines", lambda folder: RunFolder(folder).events()),
        _run("report", "report.json", "json", lambda folder: RunFolder(folder).report()),
        _run("card", "model.json", "json", lambda folder: RunFolder(folder).card()),
        _run("removed", "removed.json", "json", lambda folder: RunFolder(folder).removed()),
        _run("described-job", "job.json", "json", _described),
        _run("described-status", "status.json", "json", _described),
        _run("described-card", "model.json", "json", _described),
        _run("described-report", "report.json", "json", _described),
        _run("page-report", "report.json", "json", _page),
        _run("page-events", "events.jsonl", "lines", _page),
        _run("compared-report", "report.json", "json", _compared),
        _run("compared-job", "job.json", "json", _compared),
        _run("printed-report", "report.json", "json", _printed),
        _run("printed-card", "model.json", "json", _printed),
        _run("lanes-report", "report.json", "json", _lanes),
        _run("inspected-report", "report.json", "json", partial(_inspected, "report.json")),
        _run("inspected-job", "job.json", "json", partial(_inspected, "")),
        _run("inspected-card", "model.json", "json", partial(_inspected, "")),
        _run("inspected-status", "status.json", "json", partial(_inspected, "")),
        _run("inspected-events", "events.jsonl", "lines", partial(_inspected, "")),
        _run("hashes-report", "report.json", "json", _hashes),
        _run("hashes-removed", "removed.json", "json", _hashes),
        _run("verify-log", "verify.jsonl", "lines", _measures),
        Reader("verify-shared", samples.SHARED_MEASURE, "json", _measures_shared, samples.make_shared_measure),
        Reader("tuning", "tuning.json", "json", _tries, samples.make_tuning),
        _run("forget-csv", FORGET, "table", _forget_csv),
        Reader("run-checkpoint", samples.CHECKPOINT, "zip", _checkpoint, samples.make_checkpoint),
        _run("window-row-events", "events.jsonl", "lines", _row),
        _run("window-row-status", "status.json", "json", _row),
        _run("window-row-card", "model.json", "json", _row),
        _run("window-history", "events.jsonl", "lines", _history),
        _run("window-tables", "report.json", "json", _tables),
        _run("window-compared", "report.json", "json", _compared_rows),
        Reader("window-settings", "settings.json", "json", _settings, samples.make_settings),
        Reader("window-pairings", "pairings.json", "json", _pairings, samples.make_pairings),
        Reader("window-queue", "waiting.json", "json", _queue, samples.make_waiting),
        Reader("window-batches", samples.RECORD, "json", _records, samples.make_record),
        Reader("weights-pt", "a.pt", "zip", partial(_weights, "a.pt"), samples.make_pt),
        Reader("weights-pt-bytes", "a.pt", "bytes", partial(_weights, "a.pt"), samples.make_pt),
        Reader(
            "weights-safetensors",
            "a.safetensors",
            "safetensors",
            partial(_weights, "a.safetensors"),
            samples.make_safetensors,
        ),
        Reader("kind-of", "a.bin", "bytes", partial(_kind, "a.bin"), samples.make_pt),
        Reader("model-card", "model.json", "json", partial(_card_of, "model.safetensors"), samples.make_card),
        Reader("model-opened", "model.json", "json", partial(_model, ""), samples.make_card),
        Reader(
            "model-metadata", "a.safetensors", "safetensors", partial(_model, "a.safetensors"), samples.make_metadata
        ),
        Reader("config-hub", "config.json", "json", partial(_card_of, "pytorch_model.bin"), samples.make_hub),
        Reader("config-hub-opened", "config.json", "json", partial(_model, ""), samples.make_hub),
        Reader("config-timm", "config.json", "json", partial(_card_of, "pytorch_model.bin"), samples.make_timm),
        Reader(
            "config-images",
            "preprocessor_config.json",
            "json",
            partial(_card_of, "pytorch_model.bin"),
            samples.make_hub_images,
        ),
        Reader("data-npz", "data.npz", "zip", partial(_data, "data.npz"), samples.make_npz),
        Reader("data-npy", "npy/x_train.npy", "bytes", partial(_data, "npy"), samples.make_npy),
        Reader("data-idx", "a-idx3-ubyte", "bytes", partial(_idx, "a-idx3-ubyte"), samples.make_idx),
        Reader("data-idx-gz", "a-idx3-ubyte.gz", "gzip", partial(_idx, "a-idx3-ubyte.gz"), samples.make_idx_gz),
        Reader("data-table", "data.csv", "table", _table, samples.make_table),
        Reader("data-table-opened", "data.csv", "table", partial(_data, "data.csv"), samples.make_table),
        Reader("data-metadata", "metadata.csv", "table", _metadata, samples.make_metadata_csv),
        Reader("data-classes", "classes.txt", "bytes", _class_names, samples.make_class_names),
        Reader("data-coco", "coco.json", "json", _coco, samples.make_coco),
        Reader("data-shards", "data.tar", "tar", partial(_data, "data.tar"), samples.make_shard),
        Reader("data-saved-info", "saved/dataset_info.json", "json", partial(_data, "saved"), samples.make_saved_info),
        Reader(
            "data-saved-table",
            "saved/data-00000-of-00001.arrow",
            "bytes",
            partial(_data, "saved"),
            samples.make_saved_table,
        ),
        Reader("data-parquet", "data.parquet", "bytes", partial(_data, "data.parquet"), samples.make_parquet),
        Reader("data-image", "image", "bytes", _image, samples.make_images),
        Reader("data-preparation", "preparation", "json", _preparation, samples.make_preparations),
        Reader("data-preparation-text", "preparation", "bytes", _preparation, samples.make_preparation_texts),
        Reader("data-index-cache", "index", "json", _index_cache, samples.make_index_cache),
        Reader("forget-list", "list.csv", "table", _forget_list, samples.make_forget_lists),
        Reader("batch-file", "batch.toml", "toml", _batch, samples.make_batch),
    )
    if not (reader.name.startswith(("data-parquet", "data-saved")) and find_spec("pyarrow") is None)
    and not (reader.name == "config-timm" and find_spec("timm") is None)
    and not (reader.name.startswith("window-") and find_spec("PySide6") is None)
)
"""All readers whose libraries are installed."""
