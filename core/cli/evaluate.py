"""`evaluate`: the measures of one model, and its distance to references."""

from __future__ import annotations

import argparse
from typing import Any

from core.cli import options
from core.cli.output import Screen, shown, wrapped
from core.cli.progress import Loading
from core.cli.summary import measures_table
from core.errors import NotFoundError, UsageError
from core.verify.numbers import percent, ratio


def declare_evaluate(parser: argparse.ArgumentParser) -> None:
    """Declare what `evaluate` takes."""
    options.add_model(parser)
    options.add_data(parser)
    options.add_forget(parser)
    group = parser.add_argument_group("comparison")
    group.add_argument(
        "--reference", action="append", default=[], type=options.named_path, metavar="NAME=PATH",
        help="a model to compare it with: retrained=PATH, original=PATH; repeatable",
    )  # fmt: skip
    options.add_seed(group, "for --forget-random")
    options.add_machine(parser)
    options.add_trust(parser)


def run_evaluate(given: argparse.Namespace, screen: Screen) -> int:
    """Measure --model."""
    options.check_forget_options(given, required=False)
    references = _references(given.reference)
    from core.session.checking import evaluate

    bench = options.open_both(given, Loading(screen))
    selection = options.forget_selection(given, bench.dataset, screen)
    measures = evaluate(bench, selection, references)
    screen.end_line()
    screen.say(_text(measures, bench, selection))
    screen.document(measures)
    return 0


def _references(given: list[tuple[str, str]]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for name, text in given:
        if name in paths:
            raise UsageError(f"--reference {name} is given twice", "Name the second one retrained-2, for example")
        path = options.path(text)
        if not path.exists():
            raise NotFoundError(f"There is no file or folder {path}", "It is what --reference names")
        paths[name] = path
    return paths


def _text(measures: dict[str, Any], bench: Any, selection: Any) -> str:
    title = f"{shown(bench.model.path)} ({bench.model.spec.architecture}) on {bench.dataset.title}"
    blocks = [f"{title}\n{selection.describe()}" if selection.count else title]
    blocks.append(measures_table({"model": measures, **measures.get("references", {})}))
    blocks += [wrapped(f"Warning: {text}") for text in measures.get("warnings", ())]
    if bench.dataset.test_origin == "set aside":
        blocks.append("Test images were set aside from the training images: seen before by a model trained on all.")
    sets = measures.get("distances") or {}
    if distances := sets.get("forget_test") or sets.get("forget"):
        names = [key.removeprefix("js_to_") for key in distances if key.startswith("js_to_")]
        blocks.append(
            "\n".join(
                f"On forget images, to {name}: Jensen-Shannon {ratio(distances[f'js_to_{name}'])}, "
                f"same answer {percent(distances[f'agreement_with_{name}'])}."
                for name in names
            )
        )
    if sentence := (measures.get("verdict") or {}).get("sentence"):
        blocks.append(wrapped(sentence))
    return "\n\n".join(blocks)
