"""`unlearn`: makes a model forget classes or samples; leaves a run folder."""

from __future__ import annotations

import argparse

from core.cli import forget, options
from core.cli.output import Screen
from core.cli.progress import Loading
from core.cli.running import run_to_end, stop_on_interrupt
from core.cli.tuning import tuning_text


def declare_unlearn(parser: argparse.ArgumentParser) -> None:
    """Declare what `unlearn` takes."""
    options.add_model(parser)
    options.add_data(parser)
    forget.add_forget(parser)
    method = parser.add_argument_group("method")
    method.add_argument("--method", required=True, metavar="NAME", help="`methods` lists them")
    method.add_argument("--preset", default="", metavar="P", help="a named set of its parameters")
    method.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="K=V", help="single parameters, over the preset's"
    )
    method.add_argument(
        "--tune", type=options.number(1, 10_000, whole=True), metavar="N",
        help="try N settings on held-out images first and run the best; what --set names stays fixed",
    )  # fmt: skip
    options.add_run(parser)
    options.add_machine(parser)
    options.add_trust(parser)


def run_unlearn(given: argparse.Namespace, screen: Screen) -> int:
    """Run the job into --out."""
    forget.check_forget_options(given, required=True)
    from core.devices import choose_device
    from core.engine.control import Control
    from core.methods import get_method
    from core.parameters import parse_assignments, resolve
    from core.runs.folder import RunFolder
    from core.session.jobs import make_unlearn_job
    from core.session.tuning import ready_run

    # What can be wrong without looking at model and data is told before they are opened.
    settings = parse_assignments(given.set, "--set")
    method = get_method(given.method)
    choose_device(given.device)
    resolve(method.parameters, method.preset(given.preset).values, settings, owner=method.id)
    folder = RunFolder.wanted(given.out, resume=given.resume)
    resumed = folder.exists
    control = Control()
    with stop_on_interrupt(control):
        bench = options.open_both(given, Loading(screen), lambda: control.ending)
        bench.model.require_trainable()
        selection = forget.forget_selection(given, bench.dataset, screen)
        selection = forget.with_earlier(bench.model, selection, bench.dataset, screen)
        job = make_unlearn_job(
            bench, selection, method.id, preset=given.preset, settings=settings, **options.run_options(given)
        )
        folder, search = ready_run(folder, job, selection, bench, control, tries=given.tune or 0, fixed=settings)
        if search is not None:
            screen.say(tuning_text(search))
        elif given.tune and not resumed:
            screen.notice(f"{method.title} has no setting to search for; it runs as it is.")
        screen.say(selection.describe())
        return run_to_end(folder, control, screen, bench, resume=given.resume)
