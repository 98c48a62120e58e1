"""Whether a report still holds: the hashes of the files it names, and its SSH signature.

ssh-keygen makes and checks signatures, so the key never passes through this program.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from core.errors import InputError, MismatchError, NotFoundError
from core.files import file_sha256, read_json
from core.runs.folder import REPORT_JSON, SIGNATURE, RunFolder

NAMESPACE = "unlearn-studio-report"
"""The purpose ssh-keygen signs for: a signature made for another one is refused."""

TIMEOUT = 120
"""Seconds: a key with a passphrase asks for it."""


@dataclass(frozen=True)
class Signature:
    """A signature that holds: the key's fingerprint, and who it belongs to where a list of signers says so."""

    key: str  # "ED25519 key SHA256:…"
    signer: str = ""


def check_report_files(path: Path) -> tuple[Path, dict[str, str]]:
    """Compute the SHA-256 of every file a report names; `path` is report.json, report.html or their folder.

    Returns report.json's path and the hashes; files that were removed on request are left out, where what was noted
    of them is what the report says. Raises InputError where there is no report, or it names no files, and
    MismatchError naming each file that was changed, is missing, or lies elsewhere.
    """
    if path.is_dir():
        path = path / REPORT_JSON
    if not path.is_file():
        raise NotFoundError(f"There is no report {path}", "Name the report.json of a run folder")
    report = path.with_suffix(".json") if path.suffix.lower() in (".html", ".htm") else path
    if not report.is_file():
        raise NotFoundError(f"There is no {report.name} beside {path}", "Its hashes stand in that file")
    content = read_json(report)
    stated = content.get("files") if isinstance(content, dict) else None
    if not isinstance(stated, dict) or not stated:
        raise InputError(f"{report} is no report of a run: it names no files with their hashes")
    hashes, wrong = {}, []
    removed = RunFolder(report.parent).removed()
    for name, wanted in stated.items():
        file = report.parent / name
        if Path(name).name != name:  # a report may not make anyone read files elsewhere
            wrong.append(f"{name!r} is no file beside the report")
        elif not file.is_file() and (removed.get(name) or {}).get("sha256") == wanted:
            continue
        elif not file.is_file():
            wrong.append(f"{name} is missing")
        else:
            hashes[name] = file_sha256(file)
            if hashes[name] != wanted:
                wrong.append(f"{name} is not what the report was written about")
    if wrong:
        raise MismatchError(f"{report}: {'; '.join(wrong)}", "Do not rely on this report")
    return report, hashes


def check_key(key: Path) -> None:
    """Raise NotFoundError where the key or ssh-keygen is missing; called before a long check begins."""
    if not key.is_file():
        raise NotFoundError(f"There is no key {key}", "`ssh-keygen -t ed25519` makes one")
    _program()


def sign_report(folder: RunFolder, key: Path) -> Path:
    """Sign report.json with an SSH key into report.json.sig beside it. Raises InputError where that fails."""
    check_key(key)
    target = folder.file(SIGNATURE)
    target.unlink(missing_ok=True)
    done = _run(["-Y", "sign", "-f", str(key), "-n", NAMESPACE, str(folder.file(REPORT_JSON))])
    if done.returncode or not target.is_file():
        raise InputError(f"The report was not signed: {_last_line(done.stderr)}", "Check the key and its passphrase")
    return target


def check_signature(report: Path, signers: Path | None = None) -> Signature | None:
    """Check report.json's signature; None where it has none. Raises MismatchError where it does not hold.

    With `signers` (the format of ssh-keygen's allowed_signers) also that the key belongs to one of them; without, only
    that the report is what the key in the signature signed, so its fingerprint has to be compared by a person.
    """
    signature = report.with_name(SIGNATURE)
    if not signature.is_file():
        if signers is not None:
            raise MismatchError(f"{report} is not signed", "Ask for a signed report")
        return None
    content = report.read_bytes()
    signer = ""
    if signers is not None:
        if not signers.is_file():
            raise NotFoundError(f"There is no list of signers {signers}")
        search = _run(["-Y", "find-principals", "-s", str(signature), "-f", str(signers)])
        signer = search.stdout.decode(errors="replace").strip().splitlines()[0] if search.stdout.strip() else ""
        if search.returncode or not signer:
            raise MismatchError(f"{report} was not signed by anyone in {signers}", "Do not rely on this report")
        options = ["-Y", "verify", "-f", str(signers), "-I", signer, "-n", NAMESPACE, "-s", str(signature)]
    else:
        options = ["-Y", "check-novalidate", "-n", NAMESPACE, "-s", str(signature)]
    done = _run(options, content)
    if done.returncode:
        raise MismatchError(f"The signature {signature} does not hold for {report}", "Do not rely on this report")
    answer = done.stdout.decode(errors="replace")
    key = re.search(r"with (\S+ key \S+)", answer)
    return Signature(key.group(1) if key else answer.strip(), signer)


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
