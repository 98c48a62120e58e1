"""Runs the checks on methods and measures by name, and on all of the installed packages where none is named."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from inspect import getdoc
from typing import Any, NamedTuple, TypeVar

import torch

from core.cli.output import Screen, wrapped
from core.conformance import checks, measures
from core.conformance.checks import Case, Trial, cases_of
from core.errors import AppError, NotFoundError, UsageError, unknown_name
from core.methods import get_method, methods
from core.methods import plugged as plugged_methods
from core.methods.base import Method
from core.parameters import parse_assignments, resolve
from core.verify.plugged import ModelMeasure
from core.verify.plugged import plugged as plugged_measures

Subject = TypeVar("Subject")


class Outcome(NamedTuple):
    """What a check came to: "holds", "not tried" or "broken", and why not the first."""

    what: str
    said: str
    why: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the checks that are asked for; returns 0 where all hold, 1 where one is broken, else an error's exit code."""
    parser = argparse.ArgumentParser(prog="python -m unlearn_studio.conformance", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="ids of methods and measures")
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="K=V",
        help="parameters of the method over its default preset: a short run is checked sooner",
    )  # fmt: skip
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with Screen() as screen:
        try:
            return _run(given.names, parse_assignments(given.set, "--set"), screen)
        except AppError as error:
            screen.notice(f"error: {error.text}")
            return error.exit_code


def outcomes_of_method(method: Method, settings: dict[str, Any]) -> Iterator[tuple[str, list[Outcome]]]:
    """Yield what each check comes to: those of the record, then those of each kind of forget set that it suits."""
    yield method.id, [_outcome(check, method) for check in checks.RECORD_CHECKS]
    values = dict(resolve(method.parameters, method.preset("").values, settings, owner=method.id))
    found: list[Case] = []
    planned = _outcome(lambda _: found.extend(cases_of(method, values)), method, "It plans a run on the toy data.")
    if planned.what == "broken":
        yield method.id, [planned]
    for case in found:
        trial = Trial(case)
        outcomes = [_outcome(check, trial) for check in checks.CHECKS]
        for number, check in enumerate(checks.CHECKS):
            if why := trial.seen.get(check.__name__):
                outcomes[number] = outcomes[number]._replace(what="not tried", why=why)
        yield f"{method.id}, {case.mode} forgetting", outcomes


def outcomes_of_measure(measure: ModelMeasure) -> tuple[str, list[Outcome]]:
    """Return what each check of a measure comes to."""
    return measure.id, [_outcome(check, measure) for check in measures.CHECKS]


def _run(names: Sequence[str], settings: dict[str, str], screen: Screen) -> int:
    offered_methods, offered_measures = plugged_methods(), plugged_measures()
    broken = 0
    if not names:
        names = [*offered_methods.found, *offered_measures.found]
        for left_out in (*offered_methods.left_out, *offered_measures.left_out):
            screen.notice(f"error: {left_out.text}")
            broken += 1
        if not names and not broken:
            raise UsageError("No installed package brings a method or a measure", "Name a method of the program")
    for name in names:
        for title, outcomes in _outcomes(name, settings):
            screen.say(title)
            for one in outcomes:
                screen.say(wrapped(f"{one.what}: {one.said}{f' {one.why}.' if one.why else ''}", "  "))
            broken += sum(one.what == "broken" for one in outcomes)
    screen.say(f"\n{f'{broken} broken.' if broken else 'All hold.'}")
    return 1 if broken else 0


def _outcomes(name: str, settings: dict[str, str]) -> Iterator[tuple[str, list[Outcome]]]:
    """Yield what the checks come to for a method, a measure, or both where they have one name."""
    measure = plugged_measures().found.get(name)
    if measure is not None:
        yield outcomes_of_measure(measure)
    if name in methods():
        yield from outcomes_of_method(get_method(name), settings)
    elif measure is None:
        if why := plugged_methods().why_not(name) or plugged_measures().why_not(name):
            raise NotFoundError(why, "Mend the package")
        raise unknown_name("method or measure", name, [*methods(), *plugged_measures().found])


def _outcome(check: Callable[[Subject], None], subject: Subject, said: str = "") -> Outcome:
    """Run a check; what the code of a package raises is told as what breaks it."""
    said = said or " ".join((getdoc(check) or "").split("\n\n")[0].split())
    try:
        check(subject)
    except Exception as error:  # whatever the code of others does
        text = " ".join(str(error).split()).rstrip(".")
        kind = "" if isinstance(error, checks.BrokenError) else f"{type(error).__name__}: "
        return Outcome("broken", said, f"{kind}{text}")
    return Outcome("holds", said)


if __name__ == "__main__":
    sys.exit(main())
