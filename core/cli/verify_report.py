"""`verify-report`: computes the hashes again that a report names."""

from __future__ import annotations

import argparse

from core.cli import options
from core.cli.output import Screen, facts, shown

SUMMARY = "Compute the hashes again that a report names; a file that was changed or is missing is named."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `verify-report` takes."""
    parser.add_argument("file", metavar="FILE", help="report.json or report.html in a run folder, or the folder")
    options.add_output(parser)


def run(given: argparse.Namespace, screen: Screen) -> int:
    """Check the report's files."""
    from core.runs.folder import RunFolder
    from core.session.overview import check_report_files

    report, hashes = check_report_files(options.path_option(given.file))
    screen.say(facts((name, sha256) for name, sha256 in hashes.items()))
    removed = {name: noted["removed"] for name, noted in RunFolder(report.parent).removed().items() if "/" not in name}
    for name, when in removed.items():
        screen.say(f"{name} was removed on request ({when}); its hash was what the report says.")
    screen.say(f"All {len(hashes)} files are what {shown(report)} says.")
    screen.document({"report": str(report), "files": hashes, "removed": removed, "valid": True})
    return 0
