"""`train`: trains an original model or, with exclusions, a retrained reference."""

from __future__ import annotations

import argparse

from core.cli import forget, options
from core.cli.output import Screen
from core.cli.progress import Loading
from core.cli.running import run_to_end, stop_on_interrupt


def declare_train(parser: argparse.ArgumentParser) -> None:
    """Declare what `train` takes."""
    options.add_data(parser)
    model = parser.add_argument_group("model")
    options.add_architecture(model, required=True)
    model.add_argument(
        "--recipe", nargs="+", action="extend", default=[], metavar="K=V",
        help="how to train: epochs, lr, batch and so on, as `methods retrain` lists them",
    )  # fmt: skip
    forget.add_exclude(parser)
    options.add_run(parser)
    options.add_machine(parser)
    options.add_trust(parser)


def run_train(given: argparse.Namespace, screen: Screen) -> int:
    """Train into --out."""
    from core.devices import choose_device
    from core.engine.control import Control
    from core.methods import get_method
    from core.models.architectures import ModelSpec, build_model, get_architecture, is_user_code
    from core.parameters import parse_assignments, resolve
    from core.runs.folder import RunFolder
    from core.session.jobs import make_train_job
    from core.session.tuning import ready_run

    recipe = parse_assignments(given.recipe, "--recipe")
    choose_device(given.device)
    resolve(get_method("retrain").parameters, recipe, owner="the recipe")  # wrong ones are told before data is read
    arch = options.architecture_option(given) or ""
    if not is_user_code(arch):
        get_architecture(arch)
    folder = RunFolder.wanted(given.out, resume=given.resume)
    data = options.data_options(given)
    control = Control()
    with stop_on_interrupt(control):
        bench = options.bench_option(given, Loading(screen), lambda: control.ending).with_data(given.dataset, data)
        dataset = bench.dataset
        if is_user_code(arch):  # code that fails is told before a folder is made
            size = dataset.preprocessing.size
            build_model(ModelSpec(arch, dataset.num_classes, dataset.channels, size, arch), trust_code=given.trust_code)
        exclude = forget.forget_selection(given, dataset, screen)
        job = make_train_job(
            bench, arch, exclude=exclude if exclude.count else None, recipe=recipe,
            user_code=arch if is_user_code(arch) else "", **options.run_options(given),
        )  # fmt: skip
        folder, _ = ready_run(folder, job, exclude, bench, control)
        return run_to_end(folder, control, screen, bench, resume=given.resume)
