"""`host`: what a machine does for runs that others start on it through ssh. Programs call it, not people."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.cli.output import Screen

ACTIONS = {"describe": 0, "receive": 2, "begin": 0, "follow": 2, "give": 1}
"""What can be asked, and how many arguments it takes."""


def declare_host(parser: argparse.ArgumentParser) -> None:
    """Declare what `host` takes."""
    parser.add_argument("action", choices=ACTIONS)
    parser.add_argument("given", nargs="*")


def run_host(given: argparse.Namespace, screen: Screen) -> int:
    """Do what another machine asks for, and answer on stdout."""
    import msgspec

    from core.errors import UsageError
    from core.launch import host

    if len(given.given) != ACTIONS[given.action]:
        raise UsageError(f"`host {given.action}` takes {ACTIONS[given.action]} arguments")
    source, target = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")

    def answer(line: bytes) -> None:
        target.write(line)
        target.flush()

    match given.action, given.given:
        case "describe", []:
            wanted = msgspec.json.decode(source.read(), type=list[host.Wanted])
            answer(msgspec.json.encode(host.describe(wanted)))
        case "receive", [path, sha256]:
            host.receive(source, host.Wanted(path, sha256))
        case "begin", []:
            answer(msgspec.json.encode(host.begin(source)))
        case "follow", [run, offset]:
            host.follow(run, int(offset), sys.stdin, answer)
        case "give", [run]:
            host.give(run, target)
            target.flush()
    return 0
