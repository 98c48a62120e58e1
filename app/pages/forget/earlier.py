"""Earlier requests: what an opened model has forgotten in the runs it came from, and when those runs ended."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from core.data.dataset import Dataset
from core.errors import AppError
from core.job import RequestPart
from core.models.checkpoint import OpenedModel
from core.runs.folder import CARD
from core.session.jobs import chain_of, earlier_run, unknown_requests
from core.session.library import request_text


@dataclass(frozen=True)
class EarlierRequest:
    """One request: `when` is the time its run ended, in seconds since the epoch; None where its folder is gone."""

    request: RequestPart
    when: float | None

    @property
    def text(self) -> str:
        """The request in words: "class 3: 140 images, by finetune (run first)"."""
        return request_text(asdict(self.request))


@dataclass(frozen=True)
class Earlier:
    """All requests before the next one, oldest first; `mask`: (n,) bool, the training images they forgot.

    `warning` says where images were forgotten that nobody can name.
    """

    requests: tuple[EarlierRequest, ...]
    mask: np.ndarray
    warning: str = ""

    @property
    def count(self) -> int:
        """Number of images forgotten already."""
        return int(np.count_nonzero(self.mask))


def earlier_requests(model: OpenedModel, dataset: Dataset) -> Earlier:
    """Return what a model has forgotten in earlier runs; nothing for an original.

    Raises the AppErrors of `core.session.jobs.chain_of`: a later request cannot be made from such a model.
    """
    path = Path(model.path)
    chain = chain_of(path, dataset)
    if chain is None:
        return Earlier((), np.zeros(len(dataset.train), bool), unknown_requests(model.card, path))
    times = _ended(path)
    requests = tuple(EarlierRequest(request, times.get(request.job_sha256)) for request in chain.requests)
    return Earlier(requests, chain.mask)


def _ended(model: Path) -> dict[str, float]:
    """Return when the runs a model came from ended, by the hash of their job, walking back from the newest."""
    times: dict[str, float] = {}
    folder = earlier_run(model)
    try:
        while folder is not None and (digest := folder.job_sha256()) not in times:
            times[digest] = folder.file(CARD).stat().st_mtime  # the card is not written again once a run has ended
            before = folder.job().model.path
            folder = earlier_run(Path(before)) if before else None
    except (AppError, OSError):
        pass  # a run further back is gone: its request is shown without its time
    return times
