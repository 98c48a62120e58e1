"""What trying networks and preparations came to: how each attempt did, and whether the best may be taken unasked."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from core.data.preprocessing import Preprocessing
from core.models.architectures import ModelSpec
from core.session.caveats import ClassOrder

CONFIRMED = 0.15
"""Misfit of the first batch norm up to which it confirms mean and std: the right ones come to 0.07 on 160 images."""

NEARLY_ALL = 0.99
"""Accuracy on training images, on each half, from which no preparation that was not tried can be much better."""

WIDE_BELOW = 0.5
"""Accuracy on training images below which seldom changed settings of a network are tried."""

SHOWN = 8
"""Attempts that jobs, reports and questions list."""


@dataclass(frozen=True)
class Attempt:
    """A network with a preparation of the images, and how it did on training images; shares are 0..1.

    chosen: accuracy on the half that the best was chosen by, or on as much of it as it was tried on (`images`); shown:
    accuracy on the other half, None where it was clearly worse before. rival: the data does not tell it from the best,
    and it answers otherwise. misfit: how far the statistics of the network's first batch norm are from those of these
    images, in standard deviations and logarithms of variances; None without such a norm.
    """

    network: ModelSpec
    preprocessing: Preprocessing
    chosen: float
    images: int
    shown: float | None = None
    rival: bool = False
    misfit: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for a job or report."""
        return {
            "architecture": self.network.architecture,
            "preprocessing": self.preprocessing.to_dict(),
            "words": self.words,
            "chosen": self.chosen,
            "images": self.images,
            "shown": self.shown,
            "rival": self.rival,
            "misfit": self.misfit,
        }

    @property
    def words(self) -> str:
        """The preparation as one writes it."""
        return " → ".join(self.preprocessing.transforms)

    @property
    def accuracy(self) -> float:
        """Accuracy on the half it is shown on, where it was tried on that, else on what it was tried on."""
        return self.chosen if self.shown is None else self.shown


@dataclass(frozen=True)
class Trial:
    """What was tried, the best first. images: in the half that accuracies are shown on.

    networks, preparations: how many there are, of which the unlikely ones are dropped after a look at a few images;
    one preparation means that it was stated.
    order: the classes stand in another order than the outputs, and all accuracies are those in that order.
    seldom: seldom changed settings of one of the networks were tried, not of all.
    """

    attempts: tuple[Attempt, ...]
    images: int
    networks: int
    preparations: int
    order: ClassOrder | None = None
    seldom: bool = False

    @property
    def stated(self) -> bool:
        """Whether the preparation was stated, so that only networks were tried."""
        return self.preparations == 1

    @property
    def best(self) -> Attempt:
        """The attempt that fits best."""
        return self.attempts[0]

    def with_values_of(self, taken: Preprocessing) -> Trial:
        """Return the trial with the best's mean and std as they were taken: measured on all images, not on a sample."""
        said = dataclasses.replace(self.best.preprocessing, mean=taken.mean, std=taken.std, source=taken.source)
        best = dataclasses.replace(self.best, preprocessing=said)
        return dataclasses.replace(self, attempts=(best, *self.attempts[1:]))

    @property
    def rivals(self) -> tuple[Attempt, ...]:
        """Attempts that the data does not tell from the best, and that answer otherwise."""
        return tuple(attempt for attempt in self.attempts if attempt.rival)

    @property
    def sure(self) -> bool:
        """Whether the best may be taken unasked.

        It must be clearly best, and what was not tried must be unlikely to be better, as where nearly all answers are
        right. Else, of networks only the usual ones were all tried, so one of these must do well; and of preparations
        there are always others: one is taken where images stay as they are stored and the network's own statistics
        confirm the values.
        """
        if self.rivals:
            return False
        best = self.best
        right = min(best.chosen, best.accuracy)
        if right >= NEARLY_ALL:
            return True
        if self.networks > 1 and (self.seldom or right < WIDE_BELOW):
            return False
        as_stored = not best.preprocessing.steps
        confirmed = as_stored and best.misfit is not None and best.misfit <= CONFIRMED
        return self.stated or confirmed

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for a job or report: how many were tried, and the best of them."""
        return {
            "networks": self.networks, "preparations": self.preparations, "images": self.images, "sure": self.sure,
            "attempts": [attempt.as_dict() for attempt in self.attempts[:SHOWN]],
        }  # fmt: skip
