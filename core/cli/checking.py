"""The commands that measure models: `verify` and `verify-report`, `compare`, and `evaluate` for a single one."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli import options
from core.cli.output import Loading, RunProgress, Screen, facts, shown, table, wrapped
from core.cli.result import TITLES, measures_table
from core.cli.running import CHECK, stop_on_interrupt
from core.errors import NotFoundError, RequirementError, StoppedError, UsageError, first_few
from core.files import write_atomic
from core.job import StartPart
from core.runs.folder import MODEL, REMOVED, REPORT_HTML, REPORT_JSON, RunFolder
from core.text import named, visible
from core.verify.lamps import LAMPS, LIGHTS, report_lamps
from core.verify.numbers import number, percent, ratio, whole_percent
from core.verify.table import COLUMNS, MODELS, attack_rows, gaps_shown, verdict_rows

if TYPE_CHECKING:
    from core.selection import Selection
    from core.session.bench import Bench
    from core.session.report_files import Signature
    from core.verify.shown import ShownTable

TRAIN = "train"
"""What --retrained takes in place of a path: train the references, or take those on disk."""

MOST_SEEDS = 32

SEEDS = {"quick": 1, "full": 3}
"""Retrained models to train where nobody says how many. Three tell how much retrained models differ."""

RANKS = ("partly", "close")
"""Verdicts that can be required, the weaker first, of a correction "partly corrected" and "corrected"; every other is
below both."""


def declare_verify(parser: argparse.ArgumentParser) -> None:
    """Declare what `verify` takes."""
    parser.add_argument(
        "runs", nargs="+", type=options.path, metavar="RUN",
        help="the folder of a finished run; several share their retrained models and end in one ranked table",
    )  # fmt: skip
    group = parser.add_argument_group("references")
    group.add_argument(
        "--retrained", nargs="+", action="extend", default=[], metavar="PATH",
        help="models retrained without the forget set (files, or folders `train` wrote), or the word train: train them "
        "with the original's recipe, or take those on disk. Left out: those on disk; the full suite trains",
    )  # fmt: skip
    group.add_argument(
        "--seeds", type=options.number(1, MOST_SEEDS, whole=True), metavar="N",
        help="how many to train, with seeds 1 to N (default: 1, in the full suite 3)",
    )  # fmt: skip
    options.add_start(parser)
    group = parser.add_argument_group("checks")
    group.add_argument(
        "--suite", default="quick", type=options.one_of(SEEDS), metavar="S",
        help="quick, or full: with relearning, prototype, reference, neighbour-class and quantisation attacks "
        "(default: quick)",
    )  # fmt: skip
    group.add_argument(
        "--klom", action="store_true",
        help="take runs that differ in their seed as one ensemble and hold it against all retrained models (KLoM); it "
        "needs ten of each",
    )  # fmt: skip
    group.add_argument(
        "--require", type=options.one_of(RANKS), metavar="V",
        help="close or partly: exit with 6 where a verdict is below",
    )  # fmt: skip
    options.add_table(group)
    group.add_argument(
        "--sign", type=options.path, metavar="KEY", help="sign the report with this SSH key (needs ssh-keygen)"
    )
    options.add_trust(parser)


def run_verify(given: argparse.Namespace, screen: Screen) -> int:
    """Check the runs, say what came out, and turn the verdicts into the exit code where that was asked for."""
    paths = [text for text in given.retrained if text != TRAIN]
    if given.seeds is not None and paths and TRAIN not in given.retrained:
        raise UsageError("--seeds counts models to train, and --retrained names models that are there", "Drop one")
    from core.session.report_files import check_key, sign_report
    from core.verify.shown import ensembles_block, measures_block, write_tables

    folders = _different([RunFolder.open(path) for path in given.runs], "verify")
    brought = {folder.path: _brought(paths, folder) for folder in folders}
    options.check_table(given)
    if given.klom and len(folders) < 2:
        raise UsageError("--klom compares several runs with retrained models", "Name runs of more seeds")
    if given.sign is not None:
        check_key(given.sign)
    start = options.start_option(given, options.bench_option(given).trust)
    seeds = {folder.path: _seeds(given, folder, bool(paths), screen, start) for folder in folders}
    if given.klom:
        from core.session.ensembles import require_ensemble

        require_ensemble(folders, seeds[folders[0].path], brought[folders[0].path], start)
    reports = _check(folders, start, seeds, brought, given, screen)
    if given.sign is not None:
        for folder in folders:
            sign_report(folder, given.sign)
    if len(folders) == 1:
        screen.say(_text(folders[0], reports[0]))
        tables = [measures_block(reports[0])]
        document = {**_places(folders[0]), **reports[0]}
    else:
        compared = _compared(folders)
        tables = [block for found in compared for block in _ranking(found)]
        for block in tables:
            screen.say(f"{visible(block.title)}\n\n{table(block.header, block.rows, left=4)}\n")
        screen.say(wrapped(tables[-1].note) if tables else "No run was compared with a retrained model: no ranking.")
        listed = zip(folders, reports, strict=True)
        document = {
            "runs": [{"run": str(folder.path), **_places(folder), **report} for folder, report in listed],
            "comparisons": compared,
        }
    if given.klom:
        document["klom"] = found = _ensembles(folders, seeds[folders[0].path], brought[folders[0].path], given, screen)
        block = ensembles_block({str(reports[0]["method_details"]["title"]): found})
        screen.say(f"\n{table(block.header, block.rows)}\n\n{wrapped(block.note)}")
    if given.table is not None:
        write_tables(given.table, tables)
        screen.say(f"\nTable  {shown(given.table)}")
    below = [report["verdict"]["code"] for report in reports if _is_below(report, given.require)]
    error = RequirementError(
        f"The verdict is {below[0] if below else ''!r}, and {given.require!r} was required"
        + (f" ({len(below)} of {len(reports)} runs are below)" if len(reports) > 1 else ""),
        "The report names the measures",
    )
    screen.document(document | ({"error": error.as_dict()} if below else {}))
    if below:
        raise error
    return 0


def _check(
    folders: Sequence[RunFolder], start: StartPart | None, seeds: Mapping[Path, tuple[int, ...]],
    brought: Mapping[Path, dict[str, Path]],
    given: argparse.Namespace, screen: Screen,
) -> list[dict[str, Any]]:  # fmt: skip
    """Check one run after the other; model, data and retrained models of one serve the next. Returns their reports."""
    from core.engine.control import Interrupted
    from core.session.checking import check

    reports, bench = [], options.bench_option(given)
    try:
        with stop_on_interrupt(screen, CHECK) as control:
            for number_of, folder in enumerate(folders, 1):
                if len(folders) > 1:
                    screen.say(f"[{number_of} of {len(folders)}] {shown(folder.path)}")
                    bench = bench.for_job(folder.job())
                report = check(
                    folder, control, RunProgress(screen), bench, seeds=seeds[folder.path],
                    retrained=brought[folder.path], which=given.suite, start=start,
                )  # fmt: skip
                reports.append(report)
                screen.end_line()
                screen.say(wrapped(report["verdict"]["sentence"]) + "\n" if len(folders) > 1 else "")
    except (Interrupted, StoppedError):
        raise StoppedError("The check was stopped", "Finished measures are kept; the same command goes on") from None
    return reports


def _ensembles(
    folders: Sequence[RunFolder], seeds: tuple[int, ...], brought: Mapping[str, Path], given: argparse.Namespace,
    screen: Screen,
) -> dict[str, Any]:  # fmt: skip
    from core.session.ensembles import compare_ensembles

    found = compare_ensembles(folders, options.bench_option(given, Loading(screen)), seeds, brought)
    screen.end_line()
    return found


def _is_below(report: Mapping[str, Any], required: str | None) -> bool:
    code = report["verdict"]["code"]
    code = {"corrected": "close", "partly_corrected": "partly"}.get(code, code)
    return bool(required) and code not in RANKS[RANKS.index(str(required)) :]


def _places(folder: RunFolder) -> dict[str, Path]:
    return {"report": folder.file(REPORT_JSON), "page": folder.file(REPORT_HTML)}


def _different(folders: list[RunFolder], command: str) -> list[RunFolder]:
    if len({folder.path.resolve() for folder in folders}) < len(folders):
        raise UsageError(f"`{command}` takes different runs, and one is named twice", "Name each folder once")
    return folders


def _compared(folders: Sequence[RunFolder]) -> list[dict[str, Any]]:
    """Return a comparison for each forget set that runs have in common."""
    from core.session.library import runs_of
    from core.verify.comparison import by_forget_set, compare

    return [compare(runs) for runs in by_forget_set(runs_of(folders))]


def _ranking(comparison: Mapping[str, Any]) -> list[ShownTable]:
    """Return the ranked table of a comparison, named by what its runs forget; nothing where none was compared."""
    from core.verify.ranking import ranking_block

    block = ranking_block(comparison["ranking"])
    return [replace(block, title=f"{block.title}: {comparison['forgets']}")] if block.rows else []


def _brought(paths: list[str], folder: RunFolder) -> dict[str, Path]:
    """Return the weights of models the user names, by the name they go by in the report."""
    from core.session.references import reference_from

    brought: dict[str, Path] = {}
    for text in paths:
        weights = reference_from(options.path(text), folder.job())
        name = weights.parent.name if weights.name == MODEL else weights.stem
        if weights in brought.values():
            raise UsageError(f"--retrained names {text} twice")
        unique, number = name, 1
        while unique in brought:
            number += 1
            unique = f"{name} {number}"
        brought[unique] = weights
    return brought


def _seeds(
    given: argparse.Namespace, folder: RunFolder, brought: bool, screen: Screen, start: StartPart | None
) -> tuple[int, ...]:
    """Return the seeds to train or take: as asked, else (nothing asked, no model brought) those on disk.

    start: where the original's training began, as the user says now.
    """
    if TRAIN in given.retrained or given.seeds is not None or (given.suite == "full" and not brought):
        return tuple(range(1, (given.seeds or SEEDS[given.suite]) + 1))
    if brought:
        return ()
    from core.session.references import trained_references
    from core.session.starts import told_job

    trained = tuple(seed for seed in sorted(trained_references(told_job(folder, start))) if seed <= MOST_SEEDS)
    if trained:
        screen.say(f"Retrained models on disk: seed{'s' * (len(trained) > 1)} {', '.join(map(str, trained))}.")
    return trained


def _text(folder: RunFolder, report: dict[str, Any]) -> str:
    """Lay out a checked run: measures of all models, gaps closed, warnings, verdict, and where the report lies."""
    models = {name: report["models"].get(name) for name in ("original", "unlearned", "head_only")}
    blocks = [
        f"{folder.job().forget_text} with {report['method_details']['title']}, {report['suite']} suite.",
        measures_table(models | report["retrained"]),
        _gaps(report),
        _plugins(report),
        *(wrapped(f"Warning: {text}") for text in report["warnings"]),
        wrapped(report["verdict"]["sentence"]),
        _lamps(report),
        facts([("Report", shown(folder.file(REPORT_HTML))), ("", shown(folder.file(REPORT_JSON)))]),
    ]
    return "\n\n".join(filter(None, blocks))


def _lamps(report: dict[str, Any]) -> str:
    """Lay out what outputs, features and attacks say, with the head-only edit beneath."""
    rows = [
        [MODELS[name], *(LIGHTS[light] for light in said.values())] for name, said in report_lamps(report).items()
    ]  # fmt: skip
    return table(["", *LAMPS.values()], rows, left=4) if rows else ""


def _gaps(report: dict[str, Any]) -> str:
    """Lay out the measures of the verdict, then attacks beside it, and the share of the gap that is closed.

    Of a correction without that share: no gap is to be closed there.
    """
    lines, gaps = [], gaps_shown(report)
    for row in (*verdict_rows(report), *attack_rows(report)) if report["retrained"] else ():
        closure = row.standing["closure"] if row.standing else None
        closed = "not informative here" if closure is None else f"{whole_percent(closure)} %"
        chance = "within chance" if gaps and row.within_chance and not row.trained_on else ""
        note = " · ".join(filter(None, (chance, row.note)))
        lines.append([row.title, *(number(row.values[name], row.unit) for name in COLUMNS), *([closed] * gaps), note])
    return table(["", *(MODELS[name] for name in COLUMNS), *(["gap closed"] * gaps), ""], lines) if lines else ""


def _plugins(report: Mapping[str, Any]) -> str:
    """Lay out what measures of installed packages came to: a row a measure, a column a model, and why a value lacks."""
    declared = report.get("plugin_measures") or ()
    every = {name: (values or {}).get("plugins") or {} for name, values in (report.get("models") or {}).items()}
    taken = {name: values for name, values in every.items() if values}
    rows, reasons = [], []
    for one in declared:
        found = {name: values.get(one["id"]) or {} for name, values in taken.items()}
        rows.append([one["title"], *(number(value.get("value"), one["unit"]) for value in found.values())])
        reasons += [f"{one['title']}, {TITLES.get(name, name)}: {value['reason']}"
                    for name, value in found.items() if value.get("reason")]  # fmt: skip
    if not rows:
        return ""
    return "\n".join([table(["", *(TITLES.get(name, name) for name in taken)], rows), *map(wrapped, reasons)])


def declare_verify_report(parser: argparse.ArgumentParser) -> None:
    """Declare what `verify-report` takes."""
    parser.add_argument(
        "file", type=options.path, metavar="FILE", help="report.json or report.html in a run folder, or the folder"
    )
    parser.add_argument(
        "--signers", type=options.path, metavar="FILE",
        help="require a signature by one of these (ssh-keygen's allowed_signers)",
    )  # fmt: skip


def run_verify_report(given: argparse.Namespace, screen: Screen) -> int:
    """Check the report's files and its signature, and say what the signature covers."""
    from core.session.report_files import check_report_files, check_signature

    checked = check_report_files(given.file)
    signature = check_signature(checked, given.signers)
    report = checked.path
    screen.say(facts(checked.hashes.items()))
    signed = signature is not None and REMOVED in signature.covers
    for name, when in checked.absent.items():
        who = "signed" if signed else "which nobody signed"
        screen.say(wrapped(f"{name} is gone: {REMOVED}, {who}, says that this was asked for ({when})."))
    for name in checked.unchecked:
        screen.say(wrapped(f"{name} was not checked: its hash is not in a report this old. Read {report.name}."))
    screen.say(f"All {len(checked.hashes)} files are what {shown(report)} says.")
    for line in _signature_text(signature, report.name):
        screen.say(line)
    screen.document({
        "report": report, "files": checked.hashes, "removed": checked.absent, "unchecked": checked.unchecked,
        "signature": signature, "valid": True,
    })  # fmt: skip
    return 0


def _signature_text(signature: Signature | None, report: str) -> list[str]:
    """Say what a signature proves and what not; of a report without one, what its hashes cannot show."""
    if signature is None:
        return ["It is not signed, so this shows damage and no forgery: who changes a file can change its hash, too."]
    whose = f" of {signature.signer}" if signature.signer else "; compare it with the one you know"
    covered = ", ".join(name for name in signature.covers if name != report)
    rest = f" Not covered: {first_few(signature.not_covered, 8)}." if signature.not_covered else ""
    return [
        f"The report's signature holds: {signature.key}{whose}.",
        wrapped(f"It covers {report} and with it {covered}.{rest}"),
    ]


def declare_compare(parser: argparse.ArgumentParser) -> None:
    """Declare what `compare` takes."""
    parser.add_argument(
        "runs", nargs="+", type=options.path, metavar="RUN", help="folders of finished runs, two or more"
    )
    parser.add_argument(
        "--html", type=options.target, metavar="FILE", help="write the comparison as one self-contained page"
    )
    options.add_table(parser)


def run_compare(given: argparse.Namespace, screen: Screen) -> int:
    """Compare the runs' reports."""
    from core.session.library import runs_of
    from core.verify.comparison import blocks, compare, render_comparison
    from core.verify.shown import write_tables

    folders = [RunFolder.open(path) for path in given.runs]
    if len({folder.path.resolve() for folder in folders}) < max(2, len(folders)):
        raise UsageError("`compare` takes two or more different runs", "Name their folders")
    options.check_table(given)
    comparison = compare(runs_of(folders))
    for text in comparison["differences"]:
        screen.notice(f"warning: {text}")
    for row in comparison["runs"]:
        code = (row["verdict"]["code"] or "not checked").replace("_", " ")
        screen.say(f"{named(row['run'])}: {named(row['title'])}, seed {row['seed']}, {code}")
    for block in blocks(comparison):
        screen.say(f"\n{block.title}\n")
        screen.say(table(block.header, block.rows))
        if block.note:
            screen.say(wrapped(block.note))
    if given.table is not None:
        write_tables(given.table, blocks(comparison))
        screen.say(f"\nTable  {shown(given.table)}")
    if given.html:
        methods = dict.fromkeys(str(run["title"]) for run in comparison["runs"])
        title = " and ".join(methods) if len(methods) < 4 else f"{len(methods)} methods"
        write_atomic(given.html, render_comparison(comparison, title).encode())
        screen.say(f"\nPage  {shown(given.html)}")
    screen.document(comparison)
    return 0


def declare_evaluate(parser: argparse.ArgumentParser) -> None:
    """Declare what `evaluate` takes."""
    options.add_model(parser)
    options.add_data(parser)
    options.add_accuracy(parser)
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
    options.tell_notices(bench, screen)
    selection = options.forget_selection(given, bench.dataset, screen)
    original = bench.open_beside(references["original"]) if "original" in references else None
    bench = options.prove(bench, given, screen, original)
    measures = evaluate(bench, selection, references)
    screen.end_line()
    screen.say(_measures_text(measures, bench, selection))
    screen.document(measures)
    return 0


def _references(given: list[tuple[str, Path]]) -> dict[str, Path]:
    """Return what --reference names, by its name. Raises UsageError for a name twice, NotFoundError for no file."""
    paths: dict[str, Path] = {}
    for name, path in given:
        if name in paths:
            raise UsageError(f"--reference {name} is given twice", "Name the second one retrained-2, for example")
        if not path.exists():
            raise NotFoundError(f"There is no file or folder {path}", "It is what --reference names")
        paths[name] = path
    return paths


def _measures_text(measures: dict[str, Any], bench: Bench, selection: Selection) -> str:
    """Lay out the measures of one model, and its distances to the references."""
    title = f"{shown(bench.model.path)} ({bench.model.spec.architecture}) on {named(bench.dataset.title)}"
    blocks = [f"{title}\n{selection.describe()}" if selection.count else title]
    blocks.append(measures_table({"model": measures, **measures.get("references", {})}))
    blocks.append(_plugins({"models": {"unlearned": measures, **measures.get("references", {})}, **measures}))
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
