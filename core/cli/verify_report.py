"""`verify-report`: computes the hashes again that a report names, and checks its signature where it has one."""

from __future__ import annotations

import argparse

from core.cli import options
from core.cli.output import Screen, facts, shown

SUMMARY = "Compute the hashes again that a report names; a file that was changed or is missing is named."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `verify-report` takes."""
    parser.add_argument("file", metavar="FILE", help="report.json or report.html in a run folder, or the folder")
    parser.add_argument(
        "--signers", metavar="FILE", help="require a signature by one of these (ssh-keygen's allowed_signers)"
    )
    options.add_output(parser)


def run(given: argparse.Namespace, screen: Screen) -> int:
    """Check the report's files."""
    from core.runs.folder import RunFolder
    from core.session.report_files import check_report_files, check_signature

    report, hashes = check_report_files(options.path_option(given.file))
    signature = check_signature(report, options.path_option(given.signers) if given.signers else None)
    screen.say(facts((name, sha256) for name, sha256 in hashes.items()))
    removed = {name: noted["removed"] for name, noted in RunFolder(report.parent).removed().items() if "/" not in name}
    for name, when in removed.items():
        screen.say(f"{name} was removed on request ({when}); its hash was what the report says.")
    screen.say(f"All {len(hashes)} files are what {shown(report)} says.")
    if signature is not None:
        whose = f" of {signature.signer}" if signature.signer else "; compare it with the one you know"
        screen.say(f"The report's signature holds: {signature.key}{whose}.")
    signed = None if signature is None else {"key": signature.key, "signer": signature.signer}
    screen.document({
        "report": str(report), "files": hashes, "removed": removed, "signature": signed, "valid": True,
    })  # fmt: skip
    return 0
