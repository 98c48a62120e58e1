"""What a user allows of files that are opened: nothing is taken for granted, and nothing of it is written down."""

from __future__ import annotations

from dataclasses import dataclass

from core.models.user_code import is_factory


@dataclass(frozen=True)
class Trust:
    """`pickle`: files may be unpickled, which can run code; `code`: programs that bring a network may run.

    only: SHA-256 of the files this holds for, looked at in the very bytes that run; None: of those that are named.
    """

    pickle: bool = False
    code: bool = False
    only: frozenset[str] | None = None

    def runs(self, user_code: str) -> bool:
        """Whether the file of "path.py:factory", or the pickled network "path.pt:Class", may run."""
        return self.code if is_factory(user_code) else self.pickle


NO_TRUST = Trust()
