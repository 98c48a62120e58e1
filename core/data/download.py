"""Fetch the files of a data set: checked against their published checksums, and in place whole or not at all."""

from __future__ import annotations

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

from core.events import Tell

_TIMEOUT = 30.0  # seconds without an answer
_CHUNK = 256 * 1024


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch: its name, the addresses to try in turn, its published MD5, and what to take out of it."""

    name: str
    urls: tuple[str, ...]
    md5: str
    unpack: tuple[str, ...] = ()  # names of files inside a tar archive; the archive itself is not kept


def fetch(files: tuple[RemoteFile, ...], folder: Path, what: str, report: Tell) -> None:
    """Fetch `files` into `folder`, made where missing; `report` is told `what` with the bytes so far and in all.

    Everything arrives in a temporary folder on the same disk and moves only when complete and checked, so a failure, a
    cancel or a killed process leaves `folder` as it was. Raises OSError or ValueError with a reason in words.
    """
    there = next(path for path in (folder, *folder.parents) if path.exists())
    with tempfile.TemporaryDirectory(dir=there, prefix=".incoming-") as name:
        staging = Path(name)
        ready: list[Path] = []
        for number, file in enumerate(files, start=1):
            label = what if len(files) == 1 else f"{what}, file {number} of {len(files)}"
            archive = staging / file.name
            _fetch_one(file, archive, label, report)
            ready += _unpack(archive, file.unpack, staging) if file.unpack else [archive]
        folder.mkdir(parents=True, exist_ok=True)
        for path in ready:
            os.replace(path, folder / path.name)  # noqa: PTH105  (replaces on every platform)


def _fetch_one(file: RemoteFile, target: Path, what: str, report: Tell) -> None:
    problem = "no address is known"
    for url in file.urls:
        try:
            if _stream(url, target, what, report) == file.md5:
                return
            problem = f"{file.name} arrived damaged"
        except urllib.error.HTTPError as error:
            problem = f"the server answered {error.code}"
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError):
            problem = "no connection"
        except OSError as error:
            raise OSError(error.strerror or "it could not be written") from error
    raise ValueError(problem)


def _stream(url: str, target: Path, what: str, report: Tell) -> str:
    """Write what an address answers into `target`; return its MD5."""
    request = urllib.request.Request(url, headers={"User-Agent": "unlearn-studio"})
    digest = hashlib.md5(usedforsecurity=False)
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer, target.open("wb") as out:
        total = int(answer.headers.get("Content-Length") or 0)
        report(what, 0, total)
        while chunk := answer.read(_CHUNK):
            out.write(chunk)
            digest.update(chunk)
            report(what, out.tell(), total)
    return digest.hexdigest()


def _unpack(archive: Path, names: tuple[str, ...], staging: Path) -> list[Path]:
    """Take the files `names` out of a tar archive, each into a folder of its own: names in it may claim any place."""
    ready: list[Path] = []
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = PurePosixPath(member.name).name
                source = tar.extractfile(member) if member.isfile() and name in names else None
                if source is not None:
                    target = staging / f"unpacked-{len(ready)}" / name
                    target.parent.mkdir()
                    with source, target.open("wb") as out:
                        shutil.copyfileobj(source, out)
                    ready.append(target)
    except (tarfile.TarError, EOFError) as error:
        raise ValueError(f"{archive.name} cannot be unpacked") from error
    if missing := sorted(set(names) - {path.name for path in ready}):
        raise ValueError(f"{archive.name} lacks {', '.join(missing)}")
    return ready
