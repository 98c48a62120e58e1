"""What a path is (model, data set, run, forget list, report, batch file): a quick look first, then a description.

The quick look reads names and first bytes only and loads nothing heavy, so that it can answer while a file is dragged
over the window; `inspect` begins with it and opens the file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.errors import InputError, NotFoundError, nearest
from core.files import SUFFIXES, ending, read_json
from core.runs.folder import JOB, REPORT_HTML, REPORT_JSON, RunFolder, list_runs
from core.session.library import MEASURES, describe_run, request_lines
from core.verify.numbers import count, percent

if TYPE_CHECKING:
    from core.data.dataset import Dataset
    from core.models.checkpoint import OpenedModel
    from core.session.bench import Bench, DataOptions

Kind = Literal["run", "runs", "model", "dataset", "report", "forget list", "batch"]

LIST_SUFFIXES = frozenset((".csv", ".tsv", ".txt", ".list", ".lst"))
BATCH_SUFFIX = ".toml"
_MODEL, _SAVED = "model.safetensors", "dataset_info.json"
_ENTRIES = 200  # looked at in a folder before it is taken for none of ours
_NAMES_SHOWN = 12
_FILES_SHOWN = 20


@dataclass(frozen=True)
class Description:
    """What a path is: `facts` are lines for people, `data` the same for programs."""

    path: str
    kind: Kind
    title: str
    facts: tuple[tuple[str, str], ...]
    data: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return plain data with `kind` first."""
        return {"kind": self.kind, "path": self.path, **self.data}


def kind_of(path: Path) -> Kind | None:
    """Return what a path looks like, from names and first bytes; None for what is none of it or cannot be looked at.

    Only a table (CSV, TSV) loads more: its first line is read by the code that opens such data.
    """
    try:
        if path.is_dir():
            return _kind_of_folder(path)
        if not path.is_file():
            return None
    except OSError:
        return None
    suffix = ending(path)
    if path.name == JOB:
        return "run"
    if path.name in (REPORT_JSON, REPORT_HTML):
        return "report"
    if suffix == ".bin":
        return "model" if _first_bytes(path, 2) in (b"PK", b"\x80\x02") else None
    if suffix in SUFFIXES:
        return "model"
    if suffix in (".npz", ".tar"):
        return "dataset"
    if suffix == BATCH_SUFFIX:
        return "batch"
    if suffix in (".csv", ".tsv"):
        from core.data.table import looks_like_table

        return "dataset" if looks_like_table(path) else "forget list"
    return "forget list" if suffix in LIST_SUFFIXES else None


def inspect(
    text: str, bench: Bench | None = None, options: DataOptions | None = None, *, arch: str | None = None
) -> Description:
    """Describe a path, or a data set known by name; files are opened as an empty bench trusts them.

    Raises NotFoundError with the nearest names, UnsafeFileError where looking inside would run code, and InputError
    where it is damaged or nothing this program opens.
    """
    from core.data.named import find_source
    from core.data.sources import recognise_dataset
    from core.session.bench import Bench, DataOptions

    path, options, bench = Path(text).expanduser(), options or DataOptions(), bench or Bench()
    if not path.exists():
        if find_source(text) is not None:
            return _dataset(text, bench, options)
        raise _missing(path, text)
    kind = kind_of(path)
    if path.is_dir() and kind in (None, "dataset"):  # the quick look stops at the first sub-folder
        kind = "dataset" if recognise_dataset(path) is not None else None
    if kind == "model":
        return _model(bench.with_model(path, arch=arch).model)
    if kind == "dataset":
        return _dataset(str(path), bench, options)
    if kind is not None:
        describe = {"run": _run, "runs": _runs, "report": _report, "forget list": _forget_list, "batch": _batch}[kind]
        return describe(path)
    what = "folder" if path.is_dir() else "file"
    raise InputError(
        f"{path} is no model, data set, run or forget list that can be opened", f"The guide lists what a {what} may be"
    )

def _kind_of_folder(path: Path) -> Kind | None:
    if (path / JOB).is_file():
        return "run"
    if (path / _MODEL).is_file():
        return "model"
    dataset = False
    for number, entry in enumerate(path.iterdir()):
        if number >= _ENTRIES:
            break
        if (entry / JOB).is_file():
            return "runs"
        # Class folders; IDX files, Hugging Face's own format, shards.
        dataset |= entry.is_dir() and not entry.name.startswith(".")
        dataset |= "ubyte" in entry.name or entry.name == _SAVED or ending(entry) == ".tar"
    return "dataset" if dataset else None


def _first_bytes(path: Path, number: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(number)
    except OSError:
        return b""


def _missing(path: Path, text: str) -> NotFoundError:
    from core.data.sources import catalogue

    names = [source.id for source in catalogue()] if path.name == text else []
    alike = nearest(text, names, count=1)
    if path.parent.is_dir():
        there = sorted(child.name for child in path.parent.iterdir() if not child.name.startswith("."))
        alike += [str(path.parent / name) for name in nearest(path.name, there, count=2)]
    hint = f"Did you mean {' or '.join(alike)}?" if alike else "Check the path"
    return NotFoundError(f"There is no file or folder {path}", hint)


# --- one function a kind -------------------------------------------------------------------------------------------


def _model(model: OpenedModel) -> Description:
    from core.models.weights import pack

    form, spec, card = model.form, model.spec, model.card or {}
    dtypes = sorted(set(form.dtypes.values()))
    data: dict[str, Any] = {
        "format": form.format,
        "architecture": spec.architecture,
        "num_classes": spec.num_classes,
        "in_channels": spec.in_channels,
        "input_size": list(spec.input_size) if model.size_known else None,
        "classes": list(model.classes) if model.classes else None,
        "parameters": model.parameters,
        "preprocessing": model.preprocessing.to_dict() if model.preprocessing else None,
        "form": {
            "container": form.container,
            "prefix": form.prefix,
            "keys": len(form.dtypes),
            "dtypes": dtypes,
            "scalars": pack(form.scalars),
            "dropped": list(form.dropped),
        },
        "card": bool(card),
        "forgotten": card.get("forgotten"),
        "evaluation_only": model.evaluation_only,
        "sha256": model.sha256,
    }
    size = " × ".join(map(str, spec.input_size)) if model.size_known else "any size that fits"
    wrapper = [f"under {form.container!r}"] if form.container else []
    wrapper += [f"keys begin with {form.prefix!r}"] if form.prefix else []
    facts = [
        ("Architecture", f"{spec.architecture}, {count(model.parameters)} parameters"),
        ("Outputs", f"{count(spec.num_classes)}{_names(model.classes)}"),
        ("Input", f"{spec.in_channels} channel{'s' if spec.in_channels != 1 else ''}, {size}"),
        ("Form", ", ".join([form.format, f"{len(form.dtypes)} keys", *dtypes, *wrapper])),
        ("Preprocessing", "in the model card" if model.preprocessing else "not known"),
        ("Model card", "yes" if card else "none"),
        ("SHA-256", model.sha256),
    ]
    if form.scalars:
        beside = [f"{name}={_shortened(str(value))}" for name, value in form.scalars.items()]
        facts.append(("Beside the weights", ", ".join(beside)))
    if form.dropped:
        facts.append(("Not given back", f"{', '.join(form.dropped)} (they may still hold this model's weights)"))
    if (forgotten := card.get("forgotten") or {}).get("count"):
        names = ", ".join(forgotten.get("classes") or ()) or "single images"
        how = "trained without" if card.get("kind") == "train" else "unlearned"
        facts.append(("Forgotten", f"{names} ({count(forgotten['count'])} images, {how})"))
    if model.evaluation_only:
        facts.append(("Use", "evaluation only: TorchScript cannot be unlearned"))
    return Description(str(model.path), "model", f"{model.path.name}: a model", tuple(facts), data)


def _dataset(spec: str, bench: Bench, options: DataOptions) -> Description:
    from core.data.dataset import SET_ASIDE

    dataset, without_test = _open_any(spec, bench, options)
    train, test = len(dataset.train), len(dataset.test)
    if without_test:
        train, test = train + test, 0
    totals = dataset.train.labels.bincount(minlength=dataset.num_classes)
    if without_test:
        totals = totals + dataset.test.labels.bincount(minlength=dataset.num_classes)
    height, width = dataset.image_size
    preprocessing = dataset.preprocessing
    data = {
        "title": dataset.title,
        "num_classes": dataset.num_classes,
        "classes": list(dataset.classes),
        "channels": dataset.channels,
        "image_size": [height, width],
        "train": train,
        "test": test,
        "test_origin": None if without_test else dataset.test_origin,
        "per_class": dict(zip(dataset.classes, totals.tolist(), strict=True)),
        "preprocessing": preprocessing.to_dict(),
        "unreadable": [{"path": file.path, "reason": file.reason} for file in dataset.listed],
        "fingerprint": None if without_test else dataset.fingerprint,
    }
    origin = ", set aside" if dataset.test_origin == SET_ASIDE else ""
    tests = "none: set some aside with --test-fraction" if without_test else f"{count(test)}{origin}"
    mean = ", ".join(f"{value:g}" for value in preprocessing.mean)
    std = ", ".join(f"{value:g}" for value in preprocessing.std)
    facts = [
        ("Classes", f"{count(dataset.num_classes)}{_names(dataset.classes)}"),
        ("Training images", count(train)),
        ("Test images", tests),
        ("Images", f"{height} × {width}, {dataset.channels} channel{'s' if dataset.channels != 1 else ''}"),
        ("Per class", f"{count(int(totals.min()))} to {count(int(totals.max()))} training images"),
        ("Preprocessing", f"mean {mean}; std {std} (from: {preprocessing.source})"),
    ]
    facts += _left_out(dataset)
    if not without_test:
        facts.append(("Fingerprint", dataset.fingerprint))
    return Description(spec, "dataset", f"{dataset.title}: a data set", tuple(facts), data)


def _left_out(dataset: Dataset) -> list[tuple[str, str]]:
    """Return lines that list the files left out, with reasons."""
    listed = dataset.listed
    if not listed:
        return []
    lines = [file.text for file in listed[:_FILES_SHOWN]]
    if len(listed) > len(lines):
        lines.append(f"and {count(len(listed) - len(lines))} more, which --json lists")
    return [("Left out", count(len(listed))), *(("", line) for line in lines)]


def _open_any(spec: str, bench: Bench, options: DataOptions) -> tuple[Dataset, bool]:
    """Open a data set also where it has no test images; the second value says that it has none."""
    from core.data.dataset import SET_ASIDE

    if options.test_fraction is not None:
        return bench.with_data(spec, options).dataset, False
    # A test part of its own is not touched by the fraction.
    dataset = bench.with_data(spec, replace(options, test_fraction=0.5)).dataset
    return dataset, dataset.test_origin == SET_ASIDE


def _run(path: Path) -> Description:
    folder = RunFolder(path.parent if path.name == JOB else path)
    folder.job()  # a damaged job says so
    data = describe_run(folder)
    state = data["state"]
    if data["steps"] and state != "finished":
        state += f" at step {count(data['step'])} of {count(data['steps'])}"
    facts = [
        ("State", state),
        ("Method", data["method"] + (f", preset {data['preset']}" if data["preset"] else "")),
        ("Forget set", data["forget_text"]),
        *(("Requests" if not index else "", line) for index, line in enumerate(request_lines(folder.job()))),
        ("Model", data["architecture"]),
        ("Data", data["data"]),
    ]
    labels = ("Retain", "Forget", "Retain-test", "Forget-test")
    if data["forget"]["mode"] == "none":
        labels = ("Training", "", "Test", "")
    measured = [(label, data[key]) for label, key in zip(labels, MEASURES, strict=True) if data[key] is not None]
    facts += [(f"{label} accuracy", percent(value)) for label, value in measured]
    if data["verdict"]:
        facts.append(("Verdict", data["verdict"].replace("_", " ")))
    if data["error"]:
        facts.append(("Failed", data["error"]))
    return Description(str(folder.path), "run", f"{folder.id}: a run", tuple(facts), data)


def _runs(path: Path) -> Description:
    rows = [describe_run(folder) for folder in list_runs(path)]
    facts = tuple((row["run"], f"{row['state']}: {row.get('method', 'a job that cannot be read')}") for row in rows)
    return Description(str(path), "runs", f"{path.name}: a folder of runs", facts, {"runs": rows})


def _report(path: Path) -> Description:
    from core.session.report_files import check_report_files

    report, hashes = check_report_files(path)
    content = read_json(report)
    verdict = content.get("verdict") or {}
    data = {key: content.get(key) for key in ("run", "method", "forget_classes", "forget_count", "verdict")}
    facts = (
        ("Run", str(content.get("run", ""))),
        ("Method", str(content.get("method", ""))),
        ("Verdict", str(verdict.get("sentence", ""))),
        ("Hashes", f"all {len(hashes)} files are what the report says"),
    )
    return Description(str(path), "report", f"{path.name}: a report", facts, {**data, "files": hashes})


def _forget_list(path: Path) -> Description:
    from core.forget_list import read_list_text, summarise_forget_list

    summary = summarise_forget_list(read_list_text(path))
    data = {
        "entries": summary.entries,
        "by_index": summary.by_index,
        "by_name": summary.by_name,
        "classes": list(summary.classes),
        "weighted": summary.weighted,
    }
    facts = [("Entries", count(summary.entries))]
    facts += [("By index", count(summary.by_index))] if summary.by_index else []
    facts += [("By name", count(summary.by_name))] if summary.by_name else []
    facts += [("Classes", _names(summary.classes).removeprefix(": "))] if summary.classes else []
    facts += [("Weights", "some differ from 1")] if summary.weighted else []
    return Description(str(path), "forget list", f"{path.name}: a forget list", tuple(facts), data)


def _batch(path: Path) -> Description:
    from core.session.batch_file import read_batch

    batch = read_batch(path)
    names = [item.name for item in batch.items()]
    data = {"model": str(batch.model), "dataset": batch.dataset, "runs": names}
    facts = (
        ("Model", str(batch.model)),
        ("Data", batch.dataset),
        ("Runs", f"{count(len(names))}{_names(tuple(names))}"),
    )
    return Description(str(path), "batch", f"{path.name}: a batch file", facts, data)


def _shortened(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _names(names: tuple[str, ...] | None) -> str:
    if not names:
        return ""
    return f": {', '.join(names[:_NAMES_SHOWN])}{', …' if len(names) > _NAMES_SHOWN else ''}"
