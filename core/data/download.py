"""Fetch the files of a data set: checked against their published checksums, and in place whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from core.data.loaded import Reporter

_TIMEOUT = 30.0  # seconds without an answer
_CHUNK = 256 * 1024


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch: its name, the addresses to try in turn, its published MD5, and what to take out of it."""

    name: str
    urls: tuple[str, ...]
    md5: str
    unpack: tuple[str, ...] = ()  # names of files inside a tar archive; the archive itself is not kept


def fetch(files: tuple[RemoteFile, ...], folder: Path, what: str, report: Reporter) -> None:
    """Fetch `files` into `folder`, made where missing.

    Everything arrives in a temporary folder beside it and moves only when complete and checked, so a failure, a
    cancel or a killed process leaves `folder` as it was. Raises OSError or ValueError with a reason in words.
    """
    made = _make(folder)
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".incoming-") as name:
            staging = Path(name)
            ready: list[Path] = []
            for number, file in enumerate(files, start=1):
                label = what if len(files) == 1 else f"{what}, file {number} of {len(files)}"
                archive = staging / file.name
                _fetch_one(file, archive, label, report)
                ready += _unpack(archive, file.unpack, staging) if file.unpack else [archive]
            for path in ready:
                os.replace(path, folder / path.name)  # noqa: PTH105  (replaces on every platform)
    except BaseException:
        for empty in made:
            with contextlib.suppress(OSError):
                empty.rmdir()
        raise


def _fetch_one(file: RemoteFile, target: Path, what: str, report: Reporter) -> None:
    problem = "no address is known"
    for url in file.urls:
        try:
            _stream(url, target, what, report)
        except urllib.error.HTTPError as error:
            problem = f"the server answered {error.code}"
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError):
            problem = "no connection"
        except OSError as error:
            raise OSError(error.strerror or "it could not be written") from error
        else:
            if _md5(target) == file.md5:
                return
            problem = f"{file.name} arrived damaged"
        target.unlink(missing_ok=True)
    raise ValueError(problem)


def _stream(url: str, target: Path, what: str, report: Reporter) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": "unlearn-studio"})
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer, target.open("wb") as out:
        total = int(answer.headers.get("Content-Length") or 0)
        done = 0
        report(what, done, total)
        while chunk := answer.read(_CHUNK):
            out.write(chunk)
            done += len(chunk)
            report(what, done, total)


def _unpack(archive: Path, names: tuple[str, ...], staging: Path) -> list[Path]:
    wanted = set(names)
    ready: list[Path] = []
    try:
        with tarfile.open(archive) as tar:
            # Only plain files, only wanted names, without the folders the archive claims: nothing can land elsewhere.
            for member in tar:
                name = PurePosixPath(member.name).name
                source = tar.extractfile(member) if member.isfile() and name in wanted else None
                if source is None:
                    continue
                target = staging / f"unpacked-{len(ready)}" / name
                target.parent.mkdir()
                with source, target.open("wb") as out:
                    shutil.copyfileobj(source, out)
                wanted.discard(name)
                ready.append(target)
    except (tarfile.TarError, EOFError) as error:
        raise ValueError(f"{archive.name} cannot be unpacked") from error
    if wanted:
        raise ValueError(f"{archive.name} lacks {', '.join(sorted(wanted))}")
    return ready


def _make(folder: Path) -> list[Path]:
    """Make `folder` and return the folders that were missing, deepest first."""
    missing = []
    for path in (folder, *folder.parents):
        if path.exists():
            break
        missing.append(path)
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
