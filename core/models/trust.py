"""What a user allows of files that are opened: nothing is taken for granted, and nothing of it is written down."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Trust:
    """`pickle`: files may be unpickled, which can run code; `code`: programs that bring a network may run."""

    pickle: bool = False
    code: bool = False


NO_TRUST = Trust()
