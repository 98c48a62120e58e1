"""Files of a data set that could not be read, as they are listed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Unreadable:
    """A file that was left out of the data set, or counts as black, and why."""

    path: str
    reason: str

    @property
    def text(self) -> str:
        """Path and reason on one line, whatever is in the path."""
        path = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in self.path)
        return f"{path}: {self.reason}"
