"""Whether a report still holds: the hashes of the files it names, its page among them, and its SSH signature.

ssh-keygen makes and checks signatures, so the key never passes through this program. A signature is one of report.json
and covers by the hashes in it what that names. removed.json is written after a report was signed and excuses that the
forget list is gone; it has a signature of its own.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import InputError, MismatchError, NotFoundError, first_few
from core.files import JSON_LIMIT, decoded, file_sha256, loads, read_bytes
from core.runs.folder import FORGET, LOCK, REMOVED, REMOVED_SIGNATURE, REPORT_HTML, REPORT_JSON, SIGNATURE, RunFolder
from core.runs.shapes import Report

NAMESPACE = "unlearn-studio-report"
"""The purpose ssh-keygen signs for: a signature made for another one is refused."""

TIMEOUT = 120
"""Seconds: a key with a passphrase asks for it."""

_REMOVABLE = (FORGET,)  # of the files a report names, what `core.session.kept` removes on request


@dataclass(frozen=True)
class Signature:
    """A signature that holds: the key's fingerprint, and who it belongs to where a list of signers says so.

    covers: the files that cannot have been changed since; not_covered: what else lies beside the report.
    """

    key: str  # "ED25519 key SHA256:…"
    signer: str
    covers: tuple[str, ...]
    not_covered: tuple[str, ...]


@dataclass(frozen=True)
class CheckedReport:
    """A report whose files are what it says.

    absent: files that are gone, with the time removed.json says they were removed on request. unchecked: its page,
    where the report is of an earlier version, which noted no hash of it.
    """

    path: Path  # of report.json
    content: bytes
    hashes: dict[str, str]
    absent: dict[str, str] = field(default_factory=dict)
    note: bytes = b""  # removed.json
    unchecked: tuple[str, ...] = ()

    @property
    def removals_signature(self) -> Path:
        """The signature of removed.json."""
        return self.path.with_name(REMOVED_SIGNATURE)


def check_report_files(path: Path) -> CheckedReport:
    """Compute the SHA-256 of every file a report names; `path` is report.json, report.html or their folder.

    The forget list may be absent where removed.json notes it with the hash that the report states. Raises InputError
    where there is no report, it names no files, or is asked for a page whose hash it does not state, and MismatchError
    naming each file that was changed, is missing, or lies elsewhere.
    """
    if path.is_dir():
        path = path / REPORT_JSON
    if not path.is_file():
        raise NotFoundError(f"There is no report {path}", "Name the report.json of a run folder")
    page = path.suffix.lower() in (".html", ".htm")
    report = path.with_suffix(".json") if page else path
    if not report.is_file():
        raise NotFoundError(f"There is no {report.name} beside {path}", "Its hashes stand in that file")
    content = read_bytes(report, JSON_LIMIT)
    stated = decoded(content, Report, report).files
    if not stated:
        raise InputError(f"{report} is no report of a run: it names no files with their hashes")
    if page and path.name not in stated:
        raise InputError(f"{path} cannot be checked: {report.name} states no hash of it", _WITHOUT_PAGE)
    note, removed = _removed(report)
    hashes, absent, wrong = {}, {}, []
    for name, wanted in stated.items():
        file = report.parent / name
        if Path(name).name != name:  # a report may not make anyone read files elsewhere
            wrong.append(f"{name!r} is no file beside the report")
        elif not file.is_file() and name in _REMOVABLE and removed.get(name, {}).get("sha256") == wanted:
            absent[name] = str(removed[name].get("removed", ""))
        elif not file.is_file():
            wrong.append(f"{name} is missing")
        else:
            hashes[name] = file_sha256(file, follow=False)
            if hashes[name] != wanted:
                wrong.append(f"{name} is not what the report was written about")
    if not hashes and not wrong:
        wrong.append("none of the files it names is there")
    if wrong:
        raise MismatchError(f"{report}: {'; '.join(wrong)}", "Do not rely on this report")
    unchecked = REPORT_HTML not in stated and report.with_name(REPORT_HTML).is_file()
    return CheckedReport(report, content, hashes, absent, note, (REPORT_HTML,) if unchecked else ())


_WITHOUT_PAGE = "It was written by an earlier version: read the JSON file, or write both anew with `verify`"


def _removed(report: Path) -> tuple[bytes, dict[str, dict[str, Any]]]:
    """Return removed.json beside a report, as it stands there and as data; empty where there is none that is whole."""
    try:
        note = read_bytes(report.with_name(REMOVED), JSON_LIMIT, follow=False)
        return note, loads(note, dict[str, dict[str, Any]])
    except (InputError, ValueError):
        return b"", {}


def check_key(key: Path) -> None:
    """Raise NotFoundError where the key or ssh-keygen is missing; called before a long check begins."""
    if not key.is_file():
        raise NotFoundError(f"There is no key {key}", "`ssh-keygen -t ed25519` makes one")
    _program()


def sign_report(folder: RunFolder, key: Path) -> Path:
    """Sign report.json with an SSH key into report.json.sig beside it. Raises InputError where that fails."""
    return _sign(folder.file(REPORT_JSON), folder.file(SIGNATURE), key)


def sign_removals(folder: RunFolder, key: Path) -> Path:
    """Sign removed.json into removed.json.sig. Raises InputError where that fails or nothing was removed."""
    if not folder.file(REMOVED).is_file():
        raise InputError(f"Nothing was removed from {folder.path} that could be signed", "Name it with --remove")
    return _sign(folder.file(REMOVED), folder.file(REMOVED_SIGNATURE), key)


def _sign(file: Path, target: Path, key: Path) -> Path:
    check_key(key)
    target.unlink(missing_ok=True)
    done = _run(["-Y", "sign", "-f", str(key), "-n", NAMESPACE, str(file)])
    if done.returncode or not target.is_file():
        raise InputError(f"{file.name} was not signed: {_last_line(done.stderr)}", "Check the key and its passphrase")
    return target


def check_signature(checked: CheckedReport, signers: Path | None = None) -> Signature | None:
    """Check the signature of a report whose files hold; None where it has none. MismatchError where it does not hold.

    With `signers` (the format of ssh-keygen's allowed_signers) also that the key belongs to one of them, and that one
    of them signed the note on files that are absent; without, only that the report is what the key in the signature
    signed, so its fingerprint has to be compared by a person.
    """
    report = checked.path
    if not report.with_name(SIGNATURE).is_file():
        if signers is not None:
            raise MismatchError(f"{report} is not signed", "Ask for a signed report")
        return None
    if signers is not None and not signers.is_file():
        raise NotFoundError(f"There is no list of signers {signers}")
    key, signer = _signed_by(report, checked.content, report.with_name(SIGNATURE), signers)
    covers, note = [report.name, *checked.hashes], checked.removals_signature
    if checked.absent and (signers is not None or note.is_file()):
        if not note.is_file():
            raise MismatchError(
                f"{first_few(checked.absent)} is gone, and {REMOVED}, which says that it was asked for, is unsigned",
                "Let who removed it sign that with `kept RUN --sign KEY`",
            )
        if _signed_by(report.with_name(REMOVED), checked.note, note, signers)[0] != key:
            raise MismatchError(f"{REMOVED} was signed with another key than {report.name}", "Ask who removed what")
        covers.append(REMOVED)
    own = {*covers, LOCK, SIGNATURE, REMOVED_SIGNATURE}
    others = sorted(f"{file.name}/" if file.is_dir() else file.name for file in report.parent.iterdir())
    return Signature(key, signer, tuple(covers), tuple(name for name in others if name not in own))


def _signed_by(file: Path, content: bytes, signature: Path, signers: Path | None) -> tuple[str, str]:
    """Return the key a content was signed with, and whose it is; raises MismatchError where it does not hold."""
    signer = ""
    if signers is not None:
        search = _run(["-Y", "find-principals", "-s", str(signature), "-f", str(signers)])
        signer = search.stdout.decode(errors="replace").strip().splitlines()[0] if search.stdout.strip() else ""
        if search.returncode or not signer:
            raise MismatchError(f"{file} was not signed by anyone in {signers}", "Do not rely on this report")
        options = ["-Y", "verify", "-f", str(signers), "-I", signer, "-n", NAMESPACE, "-s", str(signature)]
    else:
        options = ["-Y", "check-novalidate", "-n", NAMESPACE, "-s", str(signature)]
    done = _run(options, content)
    if done.returncode:
        raise MismatchError(f"The signature {signature} does not hold for {file}", "Do not rely on this report")
    answer = done.stdout.decode(errors="replace")
    key = re.search(r"with (\S+ key \S+)", answer)
    return key.group(1) if key else answer.strip(), signer


def _program() -> str:
    path = shutil.which("ssh-keygen")
    if path is None:
        raise NotFoundError("ssh-keygen is not installed", "It comes with OpenSSH")
    return path


def _run(arguments: list[str], content: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run ssh-keygen with `content` as its input. Raises InputError where it does not end."""
    try:
        command = [_program(), *arguments]
        return subprocess.run(command, input=content, capture_output=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired as error:
        raise InputError("ssh-keygen did not end", "Check the key; one without a passphrase asks nothing") from error


def _last_line(text: bytes) -> str:
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "ssh-keygen said nothing"
