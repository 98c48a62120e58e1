"""What a path is (model, data set, run, forget list, report, batch file): a quick look first, then a description.

The quick look reads names and first bytes only and loads nothing heavy, so that it can answer while a file is dragged
over the window; `inspect` begins with it and opens the file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.errors import InputError, NotFoundError, first_few, nearest
from core.files import SUFFIXES, WEIGHTS_NAME, decoded, ending, is_card, user_path, write_atomic
from core.models import foreign
from core.runs.folder import JOB, REPORT_HTML, REPORT_JSON, RunFolder, list_runs
from core.session.library import MEASURES, describe_run, request_lines
from core.text import named, shorten
from core.verify.numbers import count, percent, plural

if TYPE_CHECKING:
    from core.data.dataset import Dataset
    from core.models.checkpoint import OpenedModel
    from core.session.bench import Bench, DataOptions

Kind = Literal["run", "runs", "model", "dataset", "report", "forget list", "batch"]

_KINDS_BY_NAME: dict[str, Kind] = {JOB: "run", REPORT_JSON: "report", REPORT_HTML: "report"}
_KINDS_BY_ENDING: dict[str, Kind] = {
    **dict.fromkeys({*SUFFIXES} - {".bin"}, "model"), ".toml": "batch",
    **dict.fromkeys((".npz", ".npy", ".tar", ".parquet"), "dataset"),
    **dict.fromkeys((".txt", ".list", ".lst"), "forget list"),
}  # fmt: skip
_CALLED: dict[Kind, str] = {"dataset": "data set", "runs": "folder of runs", "batch": "batch file"}
_SAVED = "dataset_info.json"
_WEIGHTS = re.compile(r"((pytorch_|adapter_|tf_|flax_)?model\.(bin|safetensors|h5|msgpack))(\.index\.json)?")
_ENTRIES = 200  # looked at in a folder before it is taken for none of ours
_NAMES_SHOWN = 12
_FILES_SHOWN = 20
_BEGINNING = 256  # bytes of a file that are looked at
_LARGEST_CARD = 2**20  # bytes; a larger JSON file is data
OF_ENCODER = "an embedding: an encoder without a head"
_NOT_GIVEN_BACK = "(they may still hold this model's weights)"


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

    Only a table (CSV, TSV) and JSON load more: they are looked at by the code that opens such data.
    """
    suffix = ending(path)
    try:
        if path.is_dir():
            return _kind_of_folder(path)
        if not path.is_file():
            return None
        begins_as_model = _begins_as_model(path)
    except OSError:
        return None
    if suffix in (".csv", ".tsv"):
        from core.data.tables import find_table

        return "forget list" if find_table(path) is None else "dataset"
    known = _KINDS_BY_NAME.get(path.name) or _KINDS_BY_ENDING.get(suffix)
    if suffix == ".json" and known is None:
        from core.data.coco import find_coco

        known = None if find_coco(path) is None else "dataset"
    return known or ("model" if begins_as_model or _describes_model(path) else None)


def describe(path: Path) -> Description | None:
    """Describe a run, folder of runs, report, forget list or batch file; None for anything else.

    None of these needs a network or images, so that only a batch file loads anything heavy. Raises InputError where the
    file is damaged.
    """
    kind = kind_of(path)
    if kind is None or kind in ("model", "dataset"):
        return None
    return {"run": _run, "runs": _runs, "report": _report, "forget list": _forget_list, "batch": _batch}[kind](path)


def inspect(
    text: str,
    bench: Bench | None = None,
    options: DataOptions | None = None,
    *,
    arch: str | None = None,
    key: str | None = None,
    preview: Path | None = None,
) -> Description:
    """Describe a path, or a data set known by name; files are opened as an empty bench trusts them.

    `preview` names a PNG to be written: training images before and after their preparation.

    Raises NotFoundError with the nearest names, UnsafeFileError where looking inside would run code, and InputError
    where it is damaged or nothing this program opens.
    """
    path = user_path(text)
    if described := describe(path):
        return described
    from core.data.foreign import refuse_foreign_data
    from core.data.named import find_source
    from core.data.sources import recognise_dataset
    from core.session.bench import Bench, DataOptions

    options, bench = options or DataOptions(), bench or Bench()
    if not path.exists():
        if find_source(text) is not None:
            return _dataset(text, bench, options, preview)
        raise _missing(path, text)
    kind = kind_of(path)
    if kind == "model":
        if preview is not None:
            raise InputError(f"{path} is a model", "Name data to see how its images are prepared for it")
        return _model(bench.with_model(path, arch=arch, key=key).model)
    # The quick look stops at the first sub-folder.
    if recognise_dataset(path) is not None or _holds_images(path) if path.is_dir() else kind == "dataset":
        return _dataset(str(path), bench, options, preview)
    refuse_foreign_data(path)
    what = "folder" if path.is_dir() else "file"
    raise InputError(
        f"{path} is no model, data set, run or forget list that can be opened", f"The guide lists what a {what} may be"
    )


def _holds_images(folder: Path) -> bool:
    """Whether images lie in a folder itself: it is no data set, and opening it says what is missing."""
    from core.data.images import is_image

    return any(is_image(entry.name) for entry in islice(folder.iterdir(), _ENTRIES))


def require_data(text: str) -> None:
    """Raise InputError for a path that is something else than data, and names the data where it is a run."""
    path = user_path(text)
    kind = kind_of(path)
    if kind in (None, "dataset") or (kind == "model" and path.is_dir()):
        return
    data = "the data set"
    if kind == "run":
        data = RunFolder(path.parent if path.name == JOB else path).job().data.spec
    raise InputError(
        f"{path} is a {_CALLED.get(kind, kind)}, and what lies near a forget set is looked for in data",
        f"Name {data} in its place" + (", and the model with --model" if kind in ("run", "model") else ""),
    )


def _kind_of_folder(path: Path) -> Kind | None:
    """Return what a folder looks like from the names of its first entries."""
    if (path / JOB).is_file():
        return "run"
    if (path / WEIGHTS_NAME).is_file():
        return "model"
    dataset = False
    for number, entry in enumerate(path.iterdir()):
        if number >= _ENTRIES:
            break
        if (entry / JOB).is_file():
            return "runs"
        if _WEIGHTS.fullmatch(entry.name) or foreign.is_of_model(entry.name):
            return "model"
        # Class folders; IDX files, Hugging Face's own format, shards.
        dataset |= entry.is_dir() and not entry.name.startswith(".")
        dataset |= "ubyte" in entry.name or entry.name == _SAVED or _KINDS_BY_ENDING.get(ending(entry)) == "dataset"
    return "dataset" if dataset else None


def _begins_as_model(path: Path) -> bool:
    """Whether a file of any name is one that torch.save or safetensors wrote, or another program's model."""
    with path.open("rb") as file:
        start = file.read(_BEGINNING)
    if start.startswith(b"PK") and (ending(path) == ".bin" or b"/data.pkl" in start):
        return True
    header = int.from_bytes(start[:8], "little")  # of safetensors: its length
    is_safetensors = start[8:9] == b"{" and header < path.stat().st_size
    return start.startswith(b"\x80\x02") or is_safetensors or foreign.kind_of_file(path, start) is not None


def _describes_model(path: Path) -> bool:
    """Whether a file is a model's card."""
    return path.suffix.lower() == ".json" and path.stat().st_size <= _LARGEST_CARD and is_card(path)


def _missing(path: Path, text: str) -> NotFoundError:
    """Return the error for a path that is not there, with the names most like it there and among the data sets."""
    from core.data.named import SOURCES

    names = [source.id for source in SOURCES] if path.name == text else []
    alike = nearest(text, names, count=1)
    if path.parent.is_dir():
        there = sorted(child.name for child in path.parent.iterdir() if not child.name.startswith("."))
        alike += [str(path.parent / name) for name in nearest(path.name, there, count=2)]
    hint = f"Did you mean {' or '.join(alike)}?" if alike else "Check the path"
    return NotFoundError(f"There is no file or folder {path}", hint)


# --- one function a kind -------------------------------------------------------------------------------------------


def _description(
    path: Path | str, kind: Kind, name: str, facts: Iterable[tuple[str, str]], data: dict[str, Any]
) -> Description:
    """Put together a description; facts of which nothing is known are left out."""
    known = tuple(fact for fact in facts if fact[1])
    return Description(str(path), kind, f"{named(name)}: a {_CALLED.get(kind, kind)}", known, data)


def _model(model: OpenedModel) -> Description:
    from core.models.hub import HUB_CONFIG
    from core.models.plain import pack
    from core.models.wrappers import listed

    form, spec, card = model.form, model.spec, model.card or {}
    dtypes = sorted(set(form.dtypes.values()))
    data = {
        "format": form.format,
        **model.described(),
        "alternatives": (others := [one.architecture for one in model.alternatives]),
        "classes": list(model.names) if model.names else None,
        "parameters": model.parameters,
        "form": {
            "key": form.key or None,
            "container": form.container,
            "prefix": form.prefix,
            "keys": len(form.dtypes),
            "dtypes": dtypes,
            "scalars": pack(form.scalars),
            "foreign": list(form.foreign),
            "dropped": list(form.dropped),
        },
        "entries": dict(model.file.weights.entries),
        "card": bool(card),
        "forgotten": card.get("forgotten"),
        "evaluation_only": model.evaluation_only,
        "sha256": model.sha256,
    }
    size = " × ".join(map(str, spec.input_size)) if model.size_known else "any size that fits"
    wrapper = [f"under {form.container!r}"] if form.container else []
    wrapper += [f"keys begin with {form.prefix!r}"] if form.prefix else []
    wrapper += [f"a whole network of class {form.module}"] if form.module else []
    entries = [f"{name} ({words})" for name, words in listed(model.file.weights.entries)]
    forgotten, prepared = card.get("forgotten") or {}, model.preprocessing
    classes = ", ".join(forgotten.get("classes") or ())
    how = "trained without" if card.get("kind") == "train" else "unlearned"
    images = f"({count(forgotten.get('count'))} images, {how})"
    facts = (
        ("Architecture", f"{spec.architecture}, {count(model.parameters)} parameters"),
        ("Fits as well", f"{first_few(others)}: told apart on the data, or by --arch" if others else ""),
        ("Outputs", f"{count(spec.num_classes)}{_names(model.names)}" if spec.num_classes else OF_ENCODER),
        ("Input", f"{plural(spec.in_channels, 'channel')}, {size}"),
        ("Form", ", ".join([form.format, f"{len(form.dtypes)} keys", *dtypes, *wrapper])),
        ("Entries", f"{', '.join(entries)}: --key NAME chooses" if len(entries) > 1 else ""),
        ("Preprocessing", prepared.words if prepared else "not known: tried on the data, or stated with --preprocess"),
        ("Model card", "none" if not card else HUB_CONFIG if model.file.where == HUB_CONFIG else "yes"),
        ("SHA-256", model.sha256),
        ("Beside the weights", ", ".join(f"{name}={shorten(str(value), 60)}" for name, value in form.scalars.items())),
        ("Beside the network", f"{first_few(form.foreign, _NAMES_SHOWN)} (given back as is)" if form.foreign else ""),
        ("Not given back", f"{', '.join(form.dropped)} {_NOT_GIVEN_BACK}" if form.dropped else ""),
        ("Forgotten", f"{classes or 'single images'} {images}" if forgotten.get("count") else ""),
        ("Use", "evaluation only: TorchScript cannot be unlearned" if model.evaluation_only else ""),
    )  # fmt: skip
    return _description(model.path, "model", model.path.name, facts, data)


def _dataset(spec: str, bench: Bench, options: DataOptions, preview: Path | None) -> Description:
    from core.data.dataset import SET_ASIDE
    from core.data.preview import preview_sheet

    # Also data without test images opens with a share to set aside; a test part of its own is not touched by it.
    dataset = bench.with_data(spec, replace(options, test_fraction=options.test_fraction or 0.5)).dataset
    if preview is not None:
        try:
            write_atomic(preview, preview_sheet(dataset))
        except OSError as error:
            what = f"{preview} cannot be written: {error.strerror or error}"
            raise InputError(what, "Choose another file") from error
    set_aside = dataset.test_origin == SET_ASIDE
    without_test = set_aside and options.test_fraction is None
    training = (dataset.train, dataset.test) if without_test else (dataset.train,)
    images = Counter(label for part in training for label in part.labels.tolist())
    per_class = {name: images[index] for index, name in enumerate(dataset.classes)}
    test = 0 if without_test else len(dataset.test)
    columns = {name: len(set(values)) for name, values in dataset.train.columns.items()}
    height, width = dataset.image_size
    data = {
        "title": dataset.title,
        "num_classes": dataset.num_classes,
        "classes": list(dataset.classes),
        "channels": dataset.channels,
        "image_size": [height, width],
        "train": images.total(),
        "test": test,
        "test_origin": None if without_test else dataset.test_origin,
        "per_class": per_class,
        "columns": columns,
        "preprocessing": {**dataset.preprocessing.to_dict(), "words": dataset.preparation},
        "files": {"total": sum(dataset.files.values()), **dataset.files} if dataset.files else None,
        "unreadable": [{"path": file.path, "reason": file.reason} for file in dataset.listed],
        "notices": list(dataset.notices),
        "fingerprint": None if without_test else dataset.fingerprint,
    }
    tests = f"{count(test)}{', set aside' if set_aside else ''}"
    facts = (
        ("Classes", f"{count(dataset.num_classes)}{_names(dataset.classes)}"),
        ("Training images", count(images.total())),
        ("Test images", "none: set some aside with --test-fraction" if without_test else tests),
        ("Images", f"{height} × {width}, {plural(dataset.channels, 'channel')}"),
        ("Per class", f"{count(min(per_class.values()))} to {count(max(per_class.values()))} training images"),
        ("Columns", ", ".join(f"{name} ({plural(number, 'value')})" for name, number in columns.items())),
        ("Preprocessing", dataset.preparation),
        ("Preview", str(preview or "")),
        *_files(dataset),
        *(("Note" if not place else "", notice) for place, notice in enumerate(dataset.notices)),
        *_left_out(dataset),
        ("Fingerprint", "" if without_test else dataset.fingerprint),
    )
    return _description(spec, "dataset", dataset.title, facts, data)


def _files(dataset: Dataset) -> list[tuple[str, str]]:
    """Return lines that say what became of every file there is; none where images are no files."""
    files = dataset.files
    counts = sorted(((number, what) for what, number in files.items() if what != "used"), reverse=True)
    lines = [f"{count(sum(files.values()))}, of which {count(files['used'])} used"] if counts else []
    return [*(("Files", line) for line in lines), *(("", f"{count(number)}: {what}") for number, what in counts)]


def _left_out(dataset: Dataset) -> list[tuple[str, str]]:
    """Return lines that list the files left out, with reasons."""
    listed = dataset.listed
    lines = [file.text for file in listed[:_FILES_SHOWN]]
    if len(listed) > len(lines):
        lines.append(f"and {count(len(listed) - len(lines))} more, which --json lists")
    return [("Left out", count(len(listed)) if listed else ""), *(("", line) for line in lines)]


def _run(path: Path) -> Description:
    folder = RunFolder(path.parent if path.name == JOB else path)
    folder.job()  # a damaged job says so
    folder.status()  # and one of a newer version
    data, damaged = describe_run(folder), folder.damaged_events()
    state = data["state"]
    if data["steps"] and state != "finished":
        state += f" at step {count(data['step'])} of {count(data['steps'])}"
    labels = ("Retain", "Forget", "Retain-test", "Forget-test")
    if data["forget"]["mode"] == "none":
        labels = ("Training", "", "Test", "")
    measured = [(label, data[key]) for label, key in zip(labels, MEASURES, strict=True)]
    facts = (
        ("State", state),
        ("Method", data["method"] + (f", preset {data['preset']}" if data["preset"] else "")),
        ("Forget set", data["forget_text"]),
        *(("Requests" if not index else "", line) for index, line in enumerate(request_lines(folder.job()))),
        ("Model", data["architecture"]),
        ("Data", data["data"]),
        *((f"{label} accuracy", percent(value)) for label, value in measured if value is not None),
        ("Verdict", (data["verdict"] or "").replace("_", " ")),
        ("Note" if data["state"] == "interrupted" else "Failed", data["error"] or ""),
        ("Damaged", data["damage"] or ""),
        ("Event log", f"{plural(damaged, 'damaged line')} passed over" if damaged else ""),
    )
    return _description(folder.path, "run", folder.id, facts, data)


def _runs(path: Path) -> Description:
    rows = [describe_run(folder) for folder in list_runs(path)]
    facts = ((row["run"], f"{row['state']}: {row.get('method', 'a job that cannot be read')}") for row in rows)
    return _description(path, "runs", path.name, facts, {"runs": rows})


def _report(path: Path) -> Description:
    from core.session.report_files import check_report_files

    checked = check_report_files(path)
    content, hashes = decoded(checked.content, dict[str, Any], checked.path), checked.hashes
    data = {key: content.get(key) for key in ("run", "method", "forget_classes", "forget_count", "verdict")}
    facts = (
        ("Run", str(data["run"])),
        ("Method", str(data["method"])),
        ("Verdict", str((content.get("verdict") or {}).get("sentence") or "")),
        ("Hashes", f"all {len(hashes)} files are what the report says"),
    )
    return _description(path, "report", path.name, facts, {**data, "files": hashes})


def _forget_list(path: Path) -> Description:
    from core.session.forget_lists import heading_of, read_list_text, summarise_forget_list

    text = read_list_text(path)
    summary = summarise_forget_list(text)
    heads = heading_of(text) if not summary.classes else ()
    facts = (
        ("Entries", count(summary.entries)),
        ("By index", count(summary.by_index) if summary.by_index else ""),
        ("By name", count(summary.by_name) if summary.by_name else ""),
        ("Classes", first_few(summary.classes, _NAMES_SHOWN)),
        ("Weights", "some differ from 1" if summary.weighted else ""),
        ("Note", _note_on(heads)),
    )
    return _description(path, "forget list", path.name, facts, asdict(summary))


def _note_on(heads: Sequence[str]) -> str:
    """Say that a list's heads must be known from the data's table; two or more could be meant as those of data."""
    if len(heads) == 1:
        return f"its column {heads[0]} must be one of the data's table"
    named = f"its columns {first_few(heads, _NAMES_SHOWN)} must be those of the data's table"
    return f"{named}; were it data, they would be called path and label" if heads else ""


def _batch(path: Path) -> Description:
    from core.session.batch_file import read_batch

    batch = read_batch(path)
    names = [item.name for item in batch.items()]
    data = {"model": str(batch.model), "dataset": batch.dataset, "runs": names}
    facts = (("Model", str(batch.model)), ("Data", batch.dataset), ("Runs", f"{count(len(names))}{_names(names)}"))
    return _description(path, "batch", path.name, facts, data)


def _names(names: Sequence[str] | None) -> str:
    return f": {first_few(names, _NAMES_SHOWN)}" if names else ""
