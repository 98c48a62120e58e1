"""`export`: gives a run's model, or a model file, back in another form, and reads it again before saying so."""

from __future__ import annotations

import argparse

from core.cli import options
from core.cli.output import Screen, bytes_text, facts, shown
from core.cli.progress import Loading

FORMATS = ("same", "safetensors", "pt", "onnx", "pt2")  # core.models.formats.FORMATS, which a test compares


def declare_export(parser: argparse.ArgumentParser) -> None:
    """Declare what `export` takes."""
    parser.add_argument("source", type=options.path, metavar="RUN|MODEL", help="a run folder, or a weights file")
    group = parser.add_argument_group("result")
    group.add_argument(
        "--format", required=True, type=options.one_of(FORMATS), metavar="F",
        help="same (wrapper, keys and types of the file that came in), safetensors, pt, onnx or pt2",
    )  # fmt: skip
    group.add_argument("--out", required=True, type=options.path, metavar="FILE", help="the file to write")
    group.add_argument("--force", action="store_true", help="replace the file where it exists")
    group.add_argument("--no-card", action="store_true", help="write no model card beside it")
    group.add_argument("--report", action="store_true", help="put a copy of the run's report beside it")
    group.add_argument("--forget-list", action="store_true", help="put a copy of the run's forget list beside it")
    options.add_architecture(parser.add_argument_group("model"))
    options.add_trust(parser)


def run_export(given: argparse.Namespace, screen: Screen) -> int:
    """Export to --out."""
    from core.session.exporting import export

    result = export(
        given.source, given.format, given.out,
        options.bench_option(given, Loading(screen)), with_card=not given.no_card, with_report=given.report,
        with_forget_list=given.forget_list, overwrite=given.force, arch=options.architecture_option(given),
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
