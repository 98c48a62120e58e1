"""The commands about files: `export` writes a model in another form, `inspect` says what a file or folder is.

With --forget-class or --forget-samples `inspect` lists kept images that show the same picture as forget images, and
those likely to be damaged.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli import options
from core.cli.output import Loading, Screen, bytes_text, facts, shown, table, wrapped
from core.errors import InputError, UsageError
from core.files import EXPORT_FORMATS, user_path
from core.likeness import level_words
from core.text import named
from core.verify.numbers import count, percent, plural, ratio

if TYPE_CHECKING:
    from core.data.dataset import Dataset
    from core.data.duplicates import Duplicates
    from core.selection import Selection
    from core.session.bench import Bench

_CLASSES, _NEAREST = 5, 8  # rows of the tables
_SHOWN = 12  # pairs in the table
_IN_JSON = 1000  # images likely to be damaged


def declare_export(parser: argparse.ArgumentParser) -> None:
    """Declare what `export` takes."""
    parser.add_argument("source", type=options.path, metavar="RUN|MODEL", help="a run folder, or a weights file")
    group = parser.add_argument_group("result")
    group.add_argument(
        "--format", required=True, type=options.one_of(EXPORT_FORMATS), metavar="F",
        help="same (wrapper, keys and types of the file that came in), safetensors, pt, onnx or pt2",
    )  # fmt: skip
    group.add_argument("--out", required=True, type=options.target, metavar="FILE", help="the file to write")
    group.add_argument("--force", action="store_true", help="replace the file where it exists")
    group.add_argument("--no-card", action="store_true", help="write no model card beside it")
    group.add_argument("--report", action="store_true", help="put a copy of the run's report beside it")
    group.add_argument("--forget-list", action="store_true", help="put a copy of the run's forget list beside it")
    group.add_argument(
        "--quantised", action="store_true",
        help="measure first whether what a run forgot comes back with int8 and 4-bit weights (opens its data)",
    )  # fmt: skip
    model = parser.add_argument_group("model")
    options.add_architecture(model)
    options.add_key(model)
    options.add_trust(parser)


def run_export(given: argparse.Namespace, screen: Screen) -> int:
    """Export to --out."""
    from core.session.exporting import export

    result = export(
        given.source, given.format, given.out,
        options.bench_option(given, Loading(screen)), with_card=not given.no_card, with_report=given.report,
        with_forget_list=given.forget_list, quantised=given.quantised, overwrite=given.force,
        arch=options.architecture_option(given), key=given.key,
    )  # fmt: skip
    screen.end_line()
    screen.say(result.sentence)
    for note in result.notes:
        screen.say(note)
    rows = [("File", f"{shown(result.path)}  ({bytes_text(result.path.stat().st_size)})"), ("SHA-256", result.sha256)]
    rows += [("" if index else "Also", shown(path)) for index, path in enumerate(result.also)]
    screen.say(facts(rows))
    screen.document(result.as_dict())
    return 0


def declare_inspect(parser: argparse.ArgumentParser) -> None:
    """Declare what `inspect` takes."""
    parser.add_argument("path", metavar="PATH", help="a file, a folder, or the name of a data set")
    model = parser.add_argument_group("model")
    options.add_architecture(model)
    options.add_key(model)
    data = parser.add_argument_group("data")
    options.add_data_options(data)
    data.add_argument(
        "--preview", type=options.target, metavar="PNG", help="write images before and after their preparation"
    )
    options.add_forget(parser, "forget set, for what lies near it", random=False)
    near = parser.add_argument_group("what lies near the forget set")
    near.add_argument(
        "--model", type=options.path, metavar="M", help="the model whose features and head are asked as well"
    )
    near.add_argument(
        "--with-similar", type=options.target, metavar="FILE",
        help="write a forget list: the forget set, and the similar images listed",
    )  # fmt: skip
    options.add_similar(near)
    options.add_trust(parser)


def run_inspect(given: argparse.Namespace, screen: Screen) -> int:
    """Describe PATH, or where a forget set is named what lies near it in the data."""
    from core.session.inspecting import describe, inspect

    if options.names_forget_set(given):
        return _near(given, screen)
    if given.with_similar or given.model:
        raise UsageError(
            "--model and --with-similar are about a forget set", "Name one with --forget-class or --forget-samples"
        )

    described = describe(user_path(given.path)) or inspect(
        given.path, options.bench_option(given, Loading(screen)), options.data_options(given),
        arch=options.architecture_option(given), key=given.key, preview=given.preview,
    )  # fmt: skip
    screen.end_line()
    screen.say(f"{described.title}\n\n{facts(described.facts)}")
    screen.document(described.as_dict())
    return 0


def _near(given: argparse.Namespace, screen: Screen) -> int:
    """Say what lies near the forget set, and write the list with its twins where that is asked for."""
    from core.session.near import near_dict, near_forget_set, similar_images
    from core.session.proof import weigh

    loading = Loading(screen)
    bench = _opened(given, loading)
    dataset, model = bench.dataset, bench.opened_model
    selection = options.forget_selection(given, dataset, screen)
    selection.check()
    outputs = bench.outputs(model) if model is not None else None
    duplicates = similar_images(dataset, selection.mask, options.similar_option(given), loading)
    screen.end_line()
    screen.say(f"{named(dataset.title)}: {selection.describe()}\n")
    document: dict[str, Any] = {
        "kind": "dataset", "path": given.path,
        "forget": {"mode": selection.mode, "count": selection.count},
        "similar": duplicates.as_dict(dataset.train.paths),
    }  # fmt: skip
    screen.say(_similar_text(document["similar"], dataset, adding=given.with_similar is not None))
    if outputs is not None and model is not None:
        document["warnings"] = weigh(bench, model, outputs).doubts
        for doubt in document["warnings"]:
            screen.notice(f"warning: {doubt}")
        document["near"] = near_dict(near_forget_set(outputs, selection.mask), dataset, _IN_JSON)
        screen.say(f"\n{_near_text(document['near'])}")
    if given.with_similar:
        document["written"] = _write(given.with_similar, selection, duplicates, dataset, screen)
    screen.document(document)
    return 0


def _similar_text(similar: Mapping[str, Any], dataset: Dataset, adding: bool) -> str:
    """Lay out kept images that show the same pictures: how many from which agreement on, and the first side by side."""
    level = level_words(similar["threshold"])
    if not similar["count"]:
        return f"Similar images kept: none found, {level}.{' Nothing is added.' if adding else ''}"

    def named(index: int) -> str:
        paths = dataset.train.paths
        return f"{index} ({dataset.classes[int(dataset.train.labels[index])]})" if paths is None else paths[index]

    split = f"{count(similar['exact'])} pixel by pixel, {count(similar['near'])} near"
    rows = [
        [named(pair["kept"]), named(pair["forgotten"]), "same pixels" if pair["exact"] else ratio(pair["agreement"])]
        for pair in similar["pairs"][:_SHOWN]
    ]
    lines = [facts([("Similar images kept", f"{count(similar['count'])} ({split})"), ("Which", level)])]
    lines.append(table(["kept", "looks like", "agreement"], rows))
    if similar["count"] > _SHOWN:
        lines.append(f"and {count(similar['count'] - _SHOWN)} more (all with --json)")
    if not similar["complete"]:
        lines.append("Only the likeliest pairs were compared, so there may be more.")
    if not adding:
        lines.append("While they stay, the model can go on knowing what you remove. --with-similar FILE adds them.")
    return "\n".join(lines)


def _near_text(near: Mapping[str, Any]) -> str:
    """Lay out the kept images likely to be damaged: classes by their share of near images, and the nearest images."""
    classes = [
        [row["class"], count(row["images"]), percent(row["near"] / row["images"]), ratio(row["features"]),
         ratio(row["gradient"])]
        for row in near["classes"][:_CLASSES]
    ]  # fmt: skip
    images = [
        [row.get("path") or f"{row['index']} ({row['class']})", ratio(row["features"]), ratio(row["gradient"])]
        for row in near["by_features"][:_NEAREST]
    ]
    note = (
        "Near the forget set: the 5 % of kept images whose features are most like a forget image's. Features: cosine "
        "to the nearest forget image. Gradient: cosine of the head's gradients; above 0 an image gets worse when the "
        "forget set's loss is driven up."
    )
    return "\n\n".join([
        "Likely to suffer:\n" + table(["class", "images kept", "near", "features", "gradient"], classes),
        table(["nearest images", "features", "gradient"], images),
        wrapped(note),
    ])  # fmt: skip


def _opened(given: argparse.Namespace, loading: Loading) -> Bench:
    """Open the data, with --model where one is named."""
    from core.session.inspecting import require_data

    require_data(given.path)
    if given.model:
        return options.open_both(given, loading, data=given.path)
    return options.bench_option(given, loading).with_data(given.path, options.data_options(given))


def _write(path: Path, selection: Selection, duplicates: Duplicates, dataset: Dataset, screen: Screen) -> str:
    """Write the forget set with its near-duplicates as a forget list; returns the path."""
    from core.session.forget_lists import write_forget_list

    joined = selection.with_samples(duplicates.kept, similar=duplicates.threshold)
    try:
        write_forget_list(path, joined, dataset.train.paths)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}", "Choose another file") from error
    number = plural(joined.count, "image")
    screen.say(f"\n{number} written to {shown(path)}, {count(len(duplicates))} of them added as similar")
    return str(path)
