"""The options that subcommands share, what they say, and a parser whose errors are one line with the nearest names."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from core.devices import PRECISIONS
from core.errors import UsageError, did_you_mean, nearest
from core.files import require_place, user_path
from core.job import LAUNCHERS, Launcher, StartPart
from core.likeness import LEVELS
from core.program import command_name

if TYPE_CHECKING:
    from core.cli.output import Screen
    from core.data.dataset import Dataset
    from core.events import Tell
    from core.models.checkpoint import OpenedModel
    from core.models.trust import Trust
    from core.selection import Selection
    from core.session.bench import Bench, DataOptions

LARGEST_SEED = 2**63 - 1  # what torch takes


class Parser(argparse.ArgumentParser):
    """Parses the arguments of one subcommand; raises UsageError instead of printing its usage."""

    def __init__(self, name: str, summary: str) -> None:
        super().__init__(prog=f"{command_name()} {name}", description=summary, allow_abbrev=False)

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Return the options; an option that does not exist is named before one that is missing."""
        known = [option for action in self._actions for option in action.option_strings]
        for argument in arguments:
            if argument == "--":
                break
            option = argument.partition("=")[0]
            if option.startswith("--") and option not in known:
                self.error(f"there is no option {option}", did_you_mean(option, known, count=2))
        options, rest = self.parse_known_args(list(arguments))
        if rest:
            self.error(f"unexpected: {' '.join(rest)}")
        return options

    def error(self, message: str, hint: str = "") -> NoReturn:
        """Raise UsageError."""
        message = message.removeprefix("argument ")
        message = message.replace("the following arguments are required:", "missing:")
        see = f"See `{self.prog} --help`."
        raise UsageError(message[:1].upper() + message[1:], f"{hint} {see}".strip())


# --- values --------------------------------------------------------------------------------------------------------


def number(
    low: float, high: float = math.inf, *, inside: bool = False, whole: bool = False, noun: str = ""
) -> Callable[[str], float]:
    """Return a type for numbers of a range; `inside` leaves its ends out, `whole` takes whole numbers alone.

    noun: what a value must be, in words; "": a number.
    """

    def parse(text: str) -> float:
        try:
            value = int(text) if whole else float(text)
        except ValueError:
            value = math.nan
        fits = low < value < high if inside else low <= value <= high
        if not (fits and math.isfinite(value)):
            what = noun or ("a whole number" if whole else "a number")
            to = f" to {high:,}" if math.isfinite(high) else ""
            words = f"above {low:g} and below {high:g}" if inside else f"from {low:g}{to}"
            raise argparse.ArgumentTypeError(f"must be {what} {words}, got {text!r}")
        return value

    return parse


def one_of(names: Iterable[str]) -> Callable[[str], str]:
    """Return a type for a fixed set of names, which names the nearest on an error."""
    allowed = tuple(names)

    def parse(text: str) -> str:
        if text in allowed:
            return text
        alike = nearest(text, allowed, count=1)
        meant = f"; did you mean {alike[0]}?" if alike else ""
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(allowed)}, got {text!r}{meant}")

    parse.__dict__["names"] = allowed  # what a shell offers
    return parse


def named_path(text: str) -> tuple[str, Path]:
    """Type of --reference: original=PATH, retrained=PATH, retrained-2=PATH."""
    name, _, file = text.partition("=")
    name, file = name.strip(), file.strip()
    if not (file and (name == "original" or name.startswith("retrained"))):
        raise argparse.ArgumentTypeError(f"takes original=PATH or retrained=PATH (also retrained-2=PATH), got {text!r}")
    return name, path(file)


def path(text: str) -> Path:
    """Type of files and folders: a path as given, `~` expanded."""
    if not text.strip():
        raise argparse.ArgumentTypeError("must name a file or folder, got nothing")
    return user_path(text)


def target(text: str) -> Path:
    """Type of what is written: a path that is no root and not the home folder itself."""
    place = path(text)
    try:
        require_place(place)
    except UsageError as error:
        raise argparse.ArgumentTypeError(error.text) from None
    return place


# --- groups --------------------------------------------------------------------------------------------------------


def add_output(parser: argparse.ArgumentParser) -> None:
    """--json and --debug."""
    group = parser.add_argument_group("output")
    group.add_argument("--json", action="store_true", help="print one JSON document on stdout and nothing else")
    group.add_argument("--debug", action="store_true", help="show the traceback of an error")


def add_table(group: argparse._ActionsContainer) -> None:
    """--table."""
    group.add_argument(
        "--table", type=target, metavar="FILE",
        help="write the table as FILE.csv, FILE.md (Markdown) or FILE.tex (LaTeX)",
    )  # fmt: skip


def check_table(options: argparse.Namespace) -> None:
    """Raise UsageError where --table has none of its endings, before anything is done."""
    from core.verify.shown import check_ending

    if options.table is not None:
        check_ending(options.table)


def add_trust(parser: argparse.ArgumentParser) -> None:
    """--trust-pickle and --trust-code."""
    group = parser.add_argument_group("trust")
    group.add_argument(
        "--trust-pickle", action="store_true", help="open model files that can run code when they are unpickled"
    )
    group.add_argument(
        "--trust-code",
        action="store_true",
        help="run programs: --arch FILE.py:FACTORY or the file a model's card names, .pt2 and TorchScript",
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """--model, --arch and --key."""
    group = parser.add_argument_group("model")
    group.add_argument(
        "--model", required=True, type=path, metavar="FILE", help="weights file, or the folder of a run or model"
    )
    add_architecture(group)
    add_key(group)


def add_accuracy(parser: argparse.ArgumentParser) -> None:
    """--accept-accuracy and --expect-accuracy."""
    group = parser.add_argument_group("proof that network and preprocessing are those of the training")
    group.add_argument(
        "--accept-accuracy", action="store_true",
        help="go on where the data leaves a doubt: with the best of what was tried, and with a poor accuracy",
    )  # fmt: skip
    group.add_argument(
        "--expect-accuracy", type=number(0, 1), metavar="A",
        help="accuracy on the test images, 0 to 1, that your own program measures; within half a point it is proof",
    )  # fmt: skip


def add_architecture(
    group: argparse._ActionsContainer, left_out: str = "recognised from the weights where left out"
) -> None:
    """--arch; `left_out`: what happens where it is."""
    group.add_argument(
        "--arch", metavar="NAME",
        help="architecture by name, with settings where it was changed (resnet18:stem=3,pool=max), or your own as "
        f"FILE.py:FACTORY (with --trust-code); {left_out}",
    )  # fmt: skip


def add_key(group: argparse._ActionsContainer) -> None:
    """--key."""
    group.add_argument(
        "--key", metavar="NAME",
        help="entry of the model's file that is the network, with dots where it is nested (ema.model), or the name in "
        "front of its keys; found where left out and there is one",
    )  # fmt: skip


def add_start(parser: argparse.ArgumentParser) -> None:
    """--started-from and --start-key."""
    group = parser.add_argument_group("where the original's training began, and with it retrained models")
    group.add_argument(
        "--started-from", metavar="START",
        help="the file of the pretrained weights, or the word fresh; known by itself of models this program trained",
    )  # fmt: skip
    add_start_key(group)


def add_start_key(group: argparse._ArgumentGroup) -> None:
    """--start-key."""
    group.add_argument("--start-key", metavar="NAME", help="entry of that file, where it holds several networks")


def start_option(options: argparse.Namespace, trust: Trust) -> StartPart | None:
    """Return what --started-from states; None where it is left out. Raises the AppErrors of reading a model."""
    if options.start_key and not options.started_from:
        raise UsageError("--start-key names an entry of a file, and none is named", "Name it with --started-from")
    if options.started_from is None:
        return None
    from core.session.starts import stated_start

    return stated_start(options.started_from, options.start_key, trust)


def add_data(parser: argparse.ArgumentParser) -> None:
    """--dataset and how it is opened."""
    group = parser.add_argument_group("data")
    group.add_argument("--dataset", required=True, metavar="D", help="data set by name, or a file or folder of images")
    add_data_options(group)


def add_data_options(group: argparse._ActionsContainer) -> None:
    """How a data set is opened."""
    group.add_argument("--data-root", default="", metavar="DIR", help="where named data sets are looked for first")
    group.add_argument(
        "--test-fraction", type=number(0, 1, inside=True), metavar="F",
        help="share of the images to set aside where the data has no test part",
    )  # fmt: skip
    group.add_argument("--classes", default="", metavar="FILE", help="names of all the model's outputs, in their order")
    group.add_argument(
        "--preprocess", default="", metavar="FILE",
        help="how images are prepared: JSON with resize, crop, mean and std, a list of transforms, or a configuration "
        "of timm or Hugging Face",
    )  # fmt: skip


def add_forget(
    parser: argparse.ArgumentParser,
    title: str = "forget set",
    prefix: str = "forget",
    verb: str = "forget",
    *,
    random: bool = True,
    corrective: bool = False,
) -> None:
    """--forget-class, -samples, -where, -folder and, with `random`, -random; `prefix` in place of "forget".

    corrective: --corrective and --trigger as well.
    """
    parser.set_defaults(forget_random=None, corrective=False, trigger=None)
    group = parser.add_argument_group(title)
    group.add_argument(
        f"--{prefix}-class", nargs="+", action="extend", default=[], dest="forget_class", metavar="C",
        help=f"class to {verb}, by name or index; several, and repeatable",
    )  # fmt: skip
    group.add_argument(
        f"--{prefix}-samples", type=path, dest="forget_samples", metavar="FILE",
        help=f"list of samples to {verb}: one a line, by index, path, file name or pattern (customers/47*)",
    )  # fmt: skip
    group.add_argument(
        f"--{prefix}-where", nargs="+", action="extend", default=[], dest="forget_where", metavar="COLUMN=VALUE",
        help=f"{verb} what has this in a column of the data's table: customer=4711, 'customer=47*'; several, and "
        "repeatable",
    )  # fmt: skip
    group.add_argument(
        f"--{prefix}-folder", nargs="+", action="extend", default=[], dest="forget_folder", metavar="FOLDER",
        help=f"{verb} all images in a folder of the data, by path or pattern; several, and repeatable",
    )  # fmt: skip
    group.add_argument("--allow-missing", action="store_true", help="pass over what matches nothing, and say so")
    if random:
        group.add_argument(
            "--forget-random", type=number(0, 1, inside=True), metavar="FRACTION",
            help="forget this share of the training images, drawn with --seed",
        )  # fmt: skip
    if corrective:
        group.add_argument(
            "--corrective", action="store_true",
            help="they should not have been as they are (wrong labels, poisoned images): the result is judged by that",
        )  # fmt: skip
        group.add_argument(
            "--trigger", type=path, metavar="FILE",
            help="the patch that poisoned images carry, as `suspects --trigger` writes it, with --corrective",
        )  # fmt: skip


def add_similar(group: argparse._ActionsContainer) -> None:
    """--similar."""
    words = ", ".join(f"{word} ({value:g})" for word, value in LEVELS.items())
    group.add_argument(
        "--similar", default="same", type=_level, metavar="LEVEL",
        help=f"the agreement from which kept images count as similar: {words}, or a number between (default: same)",
    )  # fmt: skip


def similar_option(given: argparse.Namespace) -> float:
    """Return the agreement from which kept images count as similar."""
    level = given.similar
    return LEVELS[level] if isinstance(level, str) else float(level)


def _level(text: str) -> str | float:
    """Read a word of LEVELS, or a number from the lowest of them to 1."""
    if text in LEVELS:
        return text
    return float(number(min(LEVELS.values()), 1, noun=f"{', '.join(LEVELS)} or a number")(text))


def add_machine(parser: argparse.ArgumentParser) -> None:
    """--device, --precision, --threads."""
    group = parser.add_argument_group("machine")
    group.add_argument("--device", default="auto", help="auto, cpu, cuda:0 or mps (default: auto)")
    group.add_argument("--precision", default="auto", type=one_of(PRECISIONS), metavar="P", help=", ".join(PRECISIONS))
    group.add_argument("--threads", default=0, type=number(1, 4096, whole=True), metavar="N", help="processor threads")


def add_seed(group: argparse._ActionsContainer, text: str) -> None:
    """--seed."""
    group.add_argument("--seed", default=0, type=number(0, LARGEST_SEED, whole=True), metavar="N", help=text)


def add_run(parser: argparse.ArgumentParser) -> None:
    """--out, --resume, --seed and what a run does beside its steps."""
    group = parser.add_argument_group("run")
    group.add_argument("--out", required=True, type=target, metavar="DIR", help="the run folder to make")
    group.add_argument("--resume", action="store_true", help="go on with the run that DIR already holds")
    add_launcher(group)
    add_seed(group, "the same seed gives the same result")
    group.add_argument(
        "--checkpoint-every", default=20.0, type=number(0), metavar="SECONDS",
        help="time between resumable checkpoints (default: 20)",
    )  # fmt: skip
    group.add_argument(
        "--monitoring-budget", default=None, type=number(0, 1), metavar="SHARE",
        help="largest share of the time that measuring while running may take",
    )  # fmt: skip


def add_launcher(group: argparse._ActionsContainer) -> None:
    """--on."""
    group.add_argument(
        "--on", type=_launcher, metavar="LAUNCHER",
        help=f"what starts the run: {LAUNCHERS} (default: thread, this process; of a run that is resumed its own)",
    )  # fmt: skip


def _launcher(text: str) -> Launcher:
    """Read a launcher in words."""
    try:
        return Launcher.parse(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(error.text) from error


# --- what they say -------------------------------------------------------------------------------------------------


def data_options(options: argparse.Namespace) -> DataOptions:
    """Return how the data is opened; paths are absolute, because a run is resumed from other folders, too."""
    from core.session.bench import DataOptions

    return DataOptions(options.data_root, options.test_fraction, options.classes, options.preprocess).absolute()


def architecture_option(options: argparse.Namespace) -> str | None:
    """Return --arch; the file of user code is absolute."""
    from core.models.architectures import anchored

    return anchored(options.arch, Path.cwd()) if options.arch else None


def run_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return what every job has beside the bench's settings, for the functions of core.session that make one."""
    settings = {"seed": options.seed, "checkpoint_seconds": options.checkpoint_every}
    settings |= {"launcher": str(options.on)} if options.on is not None else {}
    if options.monitoring_budget is not None:
        settings["monitoring_budget"] = options.monitoring_budget
    return settings


def bench_option(
    options: argparse.Namespace, tell: Tell | None = None, cancelled: Callable[[], bool] | None = None
) -> Bench:
    """Return an empty bench as the command's options say: its machine, where they name one, and what is trusted."""
    from core.models.trust import Trust
    from core.session.bench import Bench

    bench = Bench(trust=Trust(options.trust_pickle, options.trust_code)).telling(tell, cancelled)
    return bench.on(options.device, options.precision, options.threads) if "device" in options else bench


def open_both(
    options: argparse.Namespace, tell: Tell, cancelled: Callable[[], bool] | None = None, *, data: str = ""
) -> Bench:
    """Open --model with `data`, or with --dataset."""
    return bench_option(options, tell, cancelled).open(
        options.model, data or options.dataset, data_options(options), arch=architecture_option(options),
        key=options.key,
    )  # fmt: skip


def prove(bench: Bench, options: argparse.Namespace, screen: Screen, original: OpenedModel | None = None) -> Bench:
    """Return a bench with the proof that its model, or `original`, is used as it was trained; say what was found.

    Raises UnprovenError where it is in doubt and not accepted.
    """
    from core.session.proof import proven

    bench = proven(bench, accept=options.accept_accuracy, expect=options.expect_accuracy, original=original)
    tell_proof(bench, screen)
    return bench


def tell_proof(bench: Bench, screen: Screen) -> None:
    """Say what was found by trying, and against what."""
    for sentence in bench.proof.sentences if bench.proof is not None else ():
        screen.notice(sentence)


def tell_notices(bench: Bench, screen: Screen) -> None:
    """Say how images are prepared, what people should know of how the data was read, and how many are left out."""
    screen.notice(f"Images: {bench.dataset.preparation}")
    for notice in bench.dataset.said:
        screen.notice(notice)


def names_forget_set(options: argparse.Namespace) -> bool:
    """Whether classes, a list, columns or folders are named."""
    return bool(options.forget_class or options.forget_samples or options.forget_where or options.forget_folder)


def check_forget_options(options: argparse.Namespace, *, required: bool) -> None:
    """Raise UsageError for a combination that cannot be meant, before anything is opened."""
    chosen = names_forget_set(options)
    if options.forget_random is not None and chosen:
        raise UsageError(
            "--forget-random cannot be combined with --forget-class, -samples, -where or -folder", "Choose one of them"
        )
    if required and not chosen and options.forget_random is None:
        raise UsageError(
            "Nothing to forget was named",
            "Add --forget-class, --forget-samples, --forget-where, --forget-folder or --forget-random",
        )
    if options.trigger is not None and not options.corrective:
        raise UsageError("--trigger is about poisoned images", "Add --corrective")


def forget_selection(options: argparse.Namespace, dataset: Dataset, screen: Screen) -> Selection:
    """Return what --forget-… or --exclude-… chooses; empty where no such option is given.

    Raises AppErrors for unknown classes, and lines of a list that match nothing.
    """
    from core.session.forget_sets import named_selection, random_selection

    if options.forget_random is not None:
        selection = random_selection(dataset, options.forget_random, options.seed)
    else:
        selection = named_selection(
            dataset, options.forget_class, options.forget_samples, where=options.forget_where,
            folders=options.forget_folder, allow_missing=options.allow_missing, notice=screen.notice,
        )  # fmt: skip
    if not options.corrective:
        return selection
    from core.session.suspects import read_trigger

    trigger = None if options.trigger is None else read_trigger(options.trigger, dataset)
    return selection.correcting(trigger=trigger)
