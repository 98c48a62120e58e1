"""The commands that make a run or go on with one (`train`, `unlearn`, `resume`), and what is asked of one.

Ctrl+C: the first stops and keeps, the second ends the program at once. SIGTERM and SIGHUP, by which a system ends its
programs, leave a run that is gone on with.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Any

from core import distributed
from core.cli import ended_by_signals, options
from core.cli.output import Loading, RunProgress, Screen, bytes_text, facts, table, wrapped
from core.cli.result import result_document, result_text
from core.errors import InputError, StoppedError, UsageError
from core.job import Job, Launcher, StartPart
from core.runs.asked import ASKS, Ask, ask
from core.runs.folder import RunFolder
from core.session.library import check_resumable
from core.verify.numbers import DASH, about, count, duration, percent, plural, ratio, training_cost

if TYPE_CHECKING:
    from core.engine.control import Control
    from core.selection import Selection
    from core.session.bench import Bench
    from core.session.tuning import Try, Tuning

RUN = (
    "Stopping after this step and keeping the model as it is then. Ctrl+C again ends at once.",
    "Ended at once. Checkpoints stay; `resume` goes on from the last one.",
    "Told to end: leaving after this step with a checkpoint. `resume` goes on from it.",
)
CHECK = (
    "Stopping the check. Ctrl+C again ends at once.",
    "Ended at once. Finished measures stay; the same command goes on from them.",
    "Told to end: leaving the check. The same command goes on from the measures that are finished.",
)
"""What the first and the second Ctrl+C are answered with, and a signal by which the system ends programs."""


def declare_train(parser: argparse.ArgumentParser) -> None:
    """Declare what `train` takes."""
    options.add_data(parser)
    model = parser.add_argument_group("model")
    options.add_architecture(model, "that of --from where left out")
    model.add_argument(
        "--from", dest="started_from", metavar="FILE",
        help="begin with the weights of this file, a pretrained network or encoder; a head of another size is fresh",
    )  # fmt: skip
    options.add_start_key(model)
    model.add_argument(
        "--recipe", nargs="+", action="extend", default=[], metavar="K=V",
        help="how to train: epochs, lr, batch and so on, as `methods retrain` lists them",
    )  # fmt: skip
    options.add_forget(parser, "left out, for a retrained reference", "exclude", "train without", random=False)
    options.add_run(parser)
    options.add_machine(parser)
    options.add_trust(parser)


def run_train(given: argparse.Namespace, screen: Screen) -> int:
    """Train an original model or, with exclusions, a retrained reference into --out."""
    from core.devices import choose_device
    from core.methods import get_method
    from core.models.architectures import ModelSpec, build_model, get_architecture, is_user_code
    from core.parameters import parse_assignments, resolve
    from core.session.jobs import make_train_job
    from core.session.running import ready_run

    recipe = parse_assignments(given.recipe, "--recipe")
    if given.on is None or given.on.kind != "ssh":  # that machine says itself what it has
        choose_device(given.device)
    resolve(get_method("retrain").parameters, recipe, owner="the recipe")  # wrong ones are told before data is read
    arch, start = _network_and_start(given)
    user_code = arch if is_user_code(arch) else ""
    if not user_code:
        get_architecture(arch)
    folder = RunFolder.wanted(given.out, resume=given.resume)
    data = options.data_options(given)
    with stop_on_interrupt(screen) as control:
        with _before_run():
            bench = options.bench_option(given, Loading(screen), lambda: control.ending).with_data(given.dataset, data)
        dataset = bench.dataset
        options.tell_notices(bench, screen)
        if user_code:  # code that fails is told before a folder is made
            size = dataset.preprocessing.size
            spec = ModelSpec(arch, dataset.num_classes, dataset.channels, size, arch)
            build_model(spec, trust_code=bench.trust.runs(arch))
        exclude = options.forget_selection(given, dataset, screen)
        job = make_train_job(
            bench, arch, exclude=exclude, recipe=recipe, user_code=user_code, start=start, **options.run_options(given)
        )
        folder, _ = ready_run(folder, job, exclude, bench, control)
        return run_to_end(folder, control, screen, bench, resume=given.resume, launcher=given.on)


def _network_and_start(given: argparse.Namespace) -> tuple[str, StartPart | None]:
    """Return the network to train, as --arch or the file of --from says it, and what that training begins with.

    An encoder gets the head that its network has.

    Raises UsageError where neither says which network it is, and the AppErrors of opening a model.
    """
    from core.models.architectures import ENCODER_PREFIX
    from core.models.starting import read_start

    trust = options.bench_option(given).trust
    start, arch = options.start_option(given, trust), options.architecture_option(given)
    if arch is None and start is not None and start.pretrained:
        model = read_start(start, trust).opened()
        if not model.alternatives:
            return model.spec.user_code or model.spec.architecture.removeprefix(ENCODER_PREFIX), start
    if arch is None:
        raise UsageError("Nothing says which network to train", "Name it with --arch, or a file of it with --from")
    return arch, start


def declare_unlearn(parser: argparse.ArgumentParser) -> None:
    """Declare what `unlearn` takes."""
    options.add_model(parser)
    options.add_data(parser)
    options.add_accuracy(parser)
    options.add_start(parser)
    options.add_forget(parser, corrective=True)
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
    method.add_argument(
        "--plan", action="store_true", help="say what the run would take (stages, time, memory, disk) and do not run"
    )
    options.add_run(parser)
    options.add_machine(parser)
    options.add_trust(parser)


def run_unlearn(given: argparse.Namespace, screen: Screen) -> int:
    """Make a model forget classes or samples; leaves a run folder in --out."""
    options.check_forget_options(given, required=True)
    from core.devices import choose_device
    from core.methods import get_method
    from core.parameters import parse_assignments, resolve
    from core.session.jobs import make_unlearn_job, require_shareable
    from core.session.running import ready_run
    from core.session.starts import start_words

    # What can be wrong without looking at model and data is told before they are opened.
    settings = parse_assignments(given.set, "--set")
    method = get_method(given.method)
    _refuse_shared({"--plan": given.plan, "--tune": given.tune})
    if distributed.world_size() > 1 or (given.on is not None and given.on.kind == "torchrun"):
        require_shareable(method)
    if given.on is None or given.on.kind != "ssh":
        choose_device(given.device)
    resolve(method.parameters, method.preset(given.preset).values, settings, owner=method.id)
    folder = RunFolder.wanted(given.out, resume=given.resume)
    resumed = folder.exists
    with stop_on_interrupt(screen) as control:
        with _before_run():
            bench = options.open_both(given, Loading(screen), lambda: control.ending)
        bench = replace(bench, start=options.start_option(given, bench.trust))
        bench.model.require_trainable()
        options.tell_notices(bench, screen)
        selection = _with_earlier(bench, options.forget_selection(given, bench.dataset, screen), screen)
        bench = options.prove(bench, given, screen)
        job = make_unlearn_job(
            bench, selection, method.id, preset=given.preset, settings=settings, **options.run_options(given)
        )
        if job.start is not None and job.start.pretrained:
            screen.notice(f"The original began with {start_words(job.start)}, and so will models retrained for it.")
        if given.plan:
            return _show_plan(given, bench, selection, job, screen)
        folder, search = ready_run(folder, job, selection, bench, control, tries=given.tune or 0, fixed=settings)
        if search is not None:
            screen.say(tuning_text(search))
        elif given.tune and not resumed:
            screen.notice(f"{method.title} has no setting to search for; it runs as it is.")
        screen.say(selection.describe())
        return run_to_end(folder, control, screen, bench, resume=given.resume, launcher=given.on)


def _refuse_shared(asked: Mapping[str, Any]) -> None:
    """Raise UsageError where several processes were started for an option, by name, whose work they cannot share."""
    for option in (name for name, value in asked.items() if value and distributed.world_size() > 1):
        raise UsageError(f"Several processes cannot share the work of {option}", "Start it without torchrun")


def _show_plan(given: argparse.Namespace, bench: Bench, selection: Selection, job: Job, screen: Screen) -> int:
    """Say what the job would take, measured in a second or two where no step was timed yet; nothing is run."""
    from core.session.planning import estimate, retraining_seconds

    planned = estimate(
        bench, selection, job.method, job.parameters, monitoring_budget=job.monitoring_budget, runs_folder=given.out
    )
    share = planned.share_of(retraining_seconds(bench, selection))
    screen.end_line()
    rows = [
        ("Forget", selection.describe()),
        ("Steps", count(planned.steps)),
        ("Cost", training_cost(share, job.method) or DASH),
        ("Time", about(planned.seconds)),
        ("Memory", f"about {bytes_text(planned.memory_bytes)} more"),
        ("Disk", f"{bytes_text(planned.disk_bytes)} of {bytes_text(planned.disk_free)} free"),
    ]
    if given.tune:
        rows.insert(3, ("Search", f"{plural(given.tune, 'try', 'tries')} before it, which the time leaves out"))
    stages = [(stage["name"], f"{count(stage['first'] + 1)} to {count(stage['last'])}") for stage in planned.stages]
    for block in (facts(rows), table(["stage", "steps"], stages), *(wrapped(line) for line in planned.explain)):
        screen.say(f"{block}\n")
    screen.document({
        "method": job.method, "preset": job.preset, "parameters": job.parameters, "forget": selection.describe(),
        "steps": planned.steps, "stages": planned.stages, "seconds": planned.seconds, "share_of_retraining": share,
        "memory_bytes": planned.memory_bytes, "disk_bytes": planned.disk_bytes, "disk_free": planned.disk_free,
        "explain": planned.explain,
    })  # fmt: skip
    return 0


def _with_earlier(bench: Bench, asked: Selection, screen: Screen) -> Selection:
    """Return the forget set together with those of the runs that made the model, and say so where there are any.

    Raises InputError or MismatchError where the earlier images cannot be named any more.
    """
    from core.session.chains import chain_of, unknown_requests

    asked.check()
    chain = chain_of(bench.model.path, bench.dataset)
    if chain is None:
        if warning := unknown_requests(bench.model.card, bench.model.path):
            screen.notice(warning)
        return asked
    together, before = chain.joined(asked), int(chain.mask.sum())
    images = f"the {plural(before, 'image')} it forgot"
    if together.count == before:
        screen.notice(f"This model is the result of an earlier run, and {images} already hold all that is asked for.")
    elif together.count != asked.count:
        screen.notice(f"This model is the result of an earlier run: {images} already stay forgotten and count as well.")
    return together


def tuning_text(search: Tuning) -> str:
    """Lay out the tries of a search for settings, best first, and what they should come to."""
    columns = {"retain-test": "retain", "forget-test": "forget", "forget set": "samples", "trigger": "trigger"}
    columns = {title: name for title, name in columns.items() if getattr(search.goal, name) is not None}
    distance = any(tried.distance is not None for tried in search.tries)

    def row(tried: Try) -> list[str]:
        mark = "best" if search.best is tried else "" if tried.allowed else "retain too low"
        return [
            str(tried.number),
            *(f"{tried.values[name]:g}" for name in search.searched),
            *(percent(getattr(tried, name)) for name in columns.values()),
            *([ratio(tried.distance)] if distance else []),
            DASH if tried.score is None else f"{tried.score:.4f}",
            duration(tried.seconds),
            tried.reason if tried.score is None else mark,
        ]

    header = ["try", *search.searched, *columns, *(["JS"] if distance else []), "score", "time", ""]
    order = sorted(search.tries, key=lambda tried: (tried.score is None, not tried.allowed, tried.score, tried.number))
    goal = ["goal", *[""] * len(search.searched), *(percent(getattr(search.goal, name)) for name in columns.values())]
    goal += [""] * (len(header) - len(goal))
    images = "all" if search.images == search.total else f"{count(search.images)} of {count(search.total)}"
    note = (
        f"Each try ran on {images} training images. Accuracies are those of the calibration half of the test images, "
        f"which no other number is taken from. Judged by {search.judged_by}; the smallest score is best."
    )
    return f"{table(header, [*map(row, order), goal])}\n{wrapped(note)}\n"


def declare_resume(parser: argparse.ArgumentParser) -> None:
    """Declare what `resume` takes."""
    parser.add_argument("run", type=options.path, metavar="RUN", help="the run folder")
    options.add_launcher(parser)
    options.add_trust(parser)


def run_resume(given: argparse.Namespace, screen: Screen) -> int:
    """Resume the run; one that has a result is shown and left as it is."""
    folder = RunFolder.open(given.run)
    if distributed.first_says(lambda: not folder.is_done):
        check_resumable(folder.job())
    with stop_on_interrupt(screen) as control:
        bench = options.bench_option(given)
        return run_to_end(folder, control, screen, bench, resume=True, launcher=given.on)


def declare_ask(parser: argparse.ArgumentParser) -> None:
    """Declare what `ask` takes."""
    parser.add_argument("run", type=options.path, metavar="RUN", help="the folder of a run that is going")
    parser.add_argument(
        "what", type=options.one_of(ASKS), metavar="WHAT",
        help="pause, resume (after a pause), checkpoint (save one now), stop (and keep the model as it is then), leave "
        "(with a checkpoint, to be resumed) or discard (and keep nothing)",
    )  # fmt: skip


def run_ask(given: argparse.Namespace, screen: Screen) -> int:
    """Ask a run that another process works on for something; it answers after its step."""
    folder = RunFolder.open(given.run)
    if not folder.locked:
        raise InputError(f"No process works on {folder.path}", "`resume` goes on with a run that was interrupted")
    ask(folder, given.what)
    screen.say(f"Asked {folder.id} to {WISHES[given.what]}.")
    screen.document({"run": str(folder.path), "asked": given.what})
    return 0


WISHES: dict[Ask, str] = {
    "pause": "pause", "resume": "go on", "checkpoint": "save a checkpoint", "stop": "stop and keep the model",
    "leave": "leave with a checkpoint", "discard": "end and keep nothing",
}  # fmt: skip
"""What is asked, in words that follow "to"."""

def run_to_end(
    folder: RunFolder, control: Control, screen: Screen, bench: Bench, *, resume: bool = False,
    then: Callable[[], object] | None = None, launcher: Launcher | None = None,
) -> int:  # fmt: skip
    """Run or resume the job in `folder`, show what it came to, and return the exit code.

    A run that has a result already is shown as it is. `then` goes on with a run that was not stopped before it is
    shown. launcher: what starts it, where not what its job names.
    """
    from core.events import State
    from core.launch import launch

    if distributed.first_says(lambda: folder.is_done):
        screen.say("This run already has its result; nothing was changed.")
    state = launch(folder, control, RunProgress(screen), bench, resume=resume, launcher=launcher)
    if not distributed.is_first():  # the first process shows what the run came to
        return 0
    if state is State.DISCARDED:
        how = "stopped before its first step, so there is nothing to keep" if control.stopping else "discarded"
        raise StoppedError(f"The run was {how}", "Start it again")
    if state is State.INTERRUPTED:
        raise StoppedError(f"Stopped; {folder.path} is interrupted and its checkpoints stay", "Resume it when you like")
    if then is not None and state is State.FINISHED:
        then()
        screen.end_line()
    screen.say()
    screen.say(result_text(folder))
    screen.document(result_document(folder))
    return StoppedError.exit_code if state is State.STOPPED else 0


@contextlib.contextmanager
def _before_run() -> Iterator[None]:
    """Say of an opening that was stopped that no run began."""
    try:
        yield
    except StoppedError:
        raise StoppedError.before_run() from None


@contextlib.contextmanager
def stop_on_interrupt(screen: Screen, answers: tuple[str, str, str] = RUN) -> Iterator[Control]:
    """Give the control of a run, and turn Ctrl+C into its `stop()`, SIGTERM and SIGHUP into its `leave()`.

    A second signal ends the process, and what is on disk stays as it is. `answers`: what they are answered with. Of
    several processes that share a run the first one answers.
    """
    from core.engine.control import Control
    from core.launch.children import end_at_once

    control = Control()

    def interrupted(number: int, frame: FrameType | None) -> None:
        if not distributed.is_first():  # torchrun tells all of them; the first one decides for the others
            return
        if control.ending:
            _tell(answers[1])
            screen.error_at_once(StoppedError("Stopped at once", answers[1]))
            end_at_once()
            os._exit(StoppedError.exit_code)
        if number == signal.SIGINT:
            control.stop()
            _tell(answers[0])
        else:
            control.leave()
            _tell(answers[2])

    with ended_by_signals(interrupted, ("SIGINT", "SIGTERM", "SIGHUP")):
        yield control


def _tell(text: str) -> None:
    """Write past Python's buffers: a signal may come in the middle of a write, which must not be entered again."""
    with contextlib.suppress(OSError):
        os.write(2, f"\n{text}\n".encode())
