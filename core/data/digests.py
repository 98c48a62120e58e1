"""Remember files' SHA-256 by size and time of change, so that known folders need not be hashed again."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
import time
from pathlib import Path

import msgspec

from core.files import write_atomic
from core.jsonio import dumps
from core.places import cache_home

_FOLDER = "fingerprints"
_SETTLED = 5.0  # seconds; the coarsest file systems count in twos
_DIGEST = re.compile("[0-9a-f]{64}")


class DigestCache:
    """The remembered digests of one folder's files.

    Files are named by a hash of their path: the cache must not keep the names of images that someone asked to forget.
    A cache that cannot be read or written costs time, nothing else. Safe to use from several threads.
    """

    def __init__(self, path: Path | None, known: dict[str, tuple[int, int, str]]) -> None:
        self._path = path
        self._known = known
        self._used: dict[str, tuple[int, int, str]] = {}
        self._lock = threading.Lock()

    @classmethod
    def open(cls, root: Path) -> DigestCache:
        """Read what is remembered of the files under `root`."""
        try:
            path = cache_home() / _FOLDER / f"{hashlib.sha256(os.fsencode(root.absolute())).hexdigest()[:32]}.json"
            known = msgspec.json.decode(path.read_bytes(), type=dict[str, tuple[int, int, str]])
        except (FileNotFoundError, msgspec.DecodeError):  # nothing yet, or nothing of use: written anew
            known = {}
        except (OSError, RuntimeError):
            return cls(None, {})
        return cls(path, known)

    def digest(self, name: str, status: os.stat_result, data: bytes) -> bytes:
        """Return the SHA-256 of `data`, the content of the file `name` with `status`."""
        key = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
        stamp = (status.st_size, status.st_mtime_ns)
        entry = self._known.get(key)
        if entry is not None and entry[:2] == stamp and _DIGEST.fullmatch(entry[2]):
            digest = entry[2]
        else:
            digest = hashlib.sha256(data).hexdigest()
        # A file changed just now may change again within the resolution of its time stamp.
        if time.time() - status.st_mtime > _SETTLED:
            with self._lock:
                self._used[key] = (*stamp, digest)
        return bytes.fromhex(digest)

    def save(self) -> None:
        """Remember the digests asked for since opening, and only those."""
        if self._path is None or self._used == self._known:
            return
        with contextlib.suppress(OSError):
            write_atomic(self._path, dumps(self._used))
