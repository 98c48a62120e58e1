"""Earlier requests: what an opened model has forgotten in the runs it came from, and when those runs ended."""

from __future__ import annotations

import datetime
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from app.services.translation import tr
from core.data.dataset import Dataset
from core.errors import AppError
from core.models.checkpoint import OpenedModel
from core.runs.folder import CARD
from core.session.jobs import chain_of, earlier_run, unknown_requests
from core.session.library import request_text


@dataclass(frozen=True)
class Earlier:
    """All requests before the next one in words, oldest first; `mask`: (n,) bool, the training images they forgot.

    `warning` says where images were forgotten that nobody can name.
    """

    requests: tuple[str, ...]
    mask: np.ndarray
    warning: str = ""


def earlier_requests(model: OpenedModel, dataset: Dataset) -> Earlier:
    """Return what a model has forgotten in earlier runs; nothing for an original. Runs in a worker.

    Raises the AppErrors of `core.session.jobs.chain_of`: a later request cannot be made from such a model.
    """
    path = Path(model.path)
    chain = chain_of(path, dataset)
    if chain is None:
        return Earlier((), np.zeros(len(dataset.train), bool), unknown_requests(model.card, path))
    days, told = _ended(path), []
    for number, request in enumerate(chain.requests, start=1):
        text, day = request_text(asdict(request)), days.get(request.job_sha256)
        said = tr("{number}. {request}, on {day}", number=number, request=text, day=day)
        told.append(said if day is not None else f"{number}. {text}")
    return Earlier(tuple(told), chain.mask)


def _ended(model: Path) -> dict[str, datetime.date]:
    """Return when the runs a model came from ended, by the hash of their job, walking back from the newest."""
    days: dict[str, datetime.date] = {}
    folder = earlier_run(model)
    try:
        while folder is not None and (digest := folder.job_sha256()) not in days:
            ended = folder.file(CARD).stat().st_mtime  # the card is not written again once a run has ended
            days[digest] = datetime.date.fromtimestamp(ended)
            before = folder.job().model.path
            folder = earlier_run(Path(before)) if before else None
    except (AppError, OSError):
        pass  # a run further back is gone: its request is shown without its day
    return days
