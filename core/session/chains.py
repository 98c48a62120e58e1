"""Chains: a model that is the result of an earlier run has forgotten images that must stay forgotten.

They stay outside the retain set of the new run and of its retrained references. The result is judged on the forget sets
of all requests together, against the model before the first request; so all of them are forgetting, or corrections of
the same fault.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from core.data.dataset import Dataset
from core.errors import ForgetSetError, InputError, MismatchError
from core.files import file_sha256, references_home, runs_home
from core.job import CORRECTIVE, OriginPart, RequestPart
from core.runs.folder import FORGET, MODEL, RunFolder
from core.selection import Selection
from core.session.forget_sets import run_selection
from core.session.starts import earlier_run


@dataclass(frozen=True)
class Chain:
    """The requests behind a model and the images they forgot; `requests` and `jobs` (job hashes) are oldest first."""

    requests: tuple[RequestPart, ...]
    jobs: tuple[str, ...]
    origin: OriginPart
    mask: np.ndarray  # (n,) bool: the images of all earlier requests
    weights: np.ndarray | None  # (n,) float, None where all count the same

    def require_same_purpose(self, selection: Selection) -> None:
        """Raise ForgetSetError where `selection` cannot follow, because a verdict on all requests could not be on both.

        A correction is judged by its own fault, and forgetting by what a retrained model does.
        """
        for request in self.requests:
            if (request.corrective, request.trigger) == (selection.corrective, selection.trigger):
                continue
            asked = "A correction" if selection.corrective else "Forgetting"
            was = "was forgetting" if not request.corrective else "was a correction"
            was = "corrected another fault" if request.corrective and selection.corrective else was
            raise ForgetSetError(
                f"{asked} cannot follow the run {request.run}, which {was}: no verdict could be on both",
                f"Start from {self.origin.path} instead, with a run for each of the two, or with one run of one kind "
                "for all of these images",
            )

    def joined(self, selection: Selection) -> Selection:
        """Return the forget set of all requests together: of the earlier ones and of `selection`, which may be empty.

        Raises ForgetSetError where it cannot follow.
        """
        if selection.count:
            self.require_same_purpose(selection)
        ids, last = np.flatnonzero(self.mask & ~selection.mask), self.requests[-1]
        joined = selection.with_samples(ids, weights=None if self.weights is None else self.weights[ids])
        return joined.correcting(last.corrective, last.trigger)

    def added(self, selection: Selection) -> Selection:
        """Return the images of `selection` that no earlier request forgot; all of it where there are none."""
        new = selection.mask & ~self.mask
        return replace(selection, mask=new) if new.any() else selection


def chain_of(model: Path, dataset: Dataset) -> Chain | None:
    """Return what a model file has forgotten in earlier runs; None where it is an original.

    Raises MismatchError where that was other data, and InputError where the earlier forget list is gone or changed:
    without it, forgotten images would be trained on again.
    """
    folder = earlier_run(model)
    if folder is None:
        return None
    job = folder.job()
    if job.forget.mode == "none":
        return None
    if job.data.fingerprint != dataset.fingerprint:
        raise MismatchError(
            f"{folder.id}, the run that made this model, was about other data than {dataset.spec}",
            "Open the data it was made with, so that what it forgot is known",
        )
    if not folder.file(FORGET).is_file():
        raise InputError(
            f"The forget list of {folder.id}, the run that made this model, is gone, so nobody knows which images must "
            "not come back",
            "Export the model, start from the exported file, and name the earlier images again with the new ones",
        )
    earlier = run_selection(folder, dataset)
    if job.kind != "unlearn":  # what a training left out it never learnt, whatever it was left out for
        earlier = earlier.correcting(False)
    digest = folder.job_sha256()
    own = job.requests[-1] if job.requests else request_part(job.method, earlier)
    requests = (*job.requests[:-1], replace(own, run=folder.id, job_sha256=digest))
    if job.origin is not None:
        origin = job.origin
    elif job.kind == "unlearn":
        origin = OriginPart(path=job.model.path, sha256=job.model.sha256, key=job.model.key)
    else:  # a model trained without images has no original: it is the first there is
        file = folder.file(MODEL) if model.is_dir() else model
        origin = OriginPart(path=str(file.resolve()), sha256=file_sha256(file))
    return Chain(requests, (*job.chain, digest), origin, earlier.mask, earlier.weights)


def request_part(method: str, selection: Selection) -> RequestPart:
    """Describe one request in a job."""
    names = tuple(selection.class_names[index] for index in selection.complete_classes)
    return RequestPart(
        method=method, mode=selection.mode, class_names=names, count=selection.count,
        purpose=CORRECTIVE if selection.corrective else "", trigger=selection.trigger,
    )  # fmt: skip


def all_requests(model: Path, selection: Selection, dataset: Dataset) -> Selection:
    """Return the forget set a run that starts from `model` has: that of earlier requests and of this one."""
    chain = chain_of(model, dataset)
    return selection if chain is None else chain.joined(selection)


def unknown_requests(card: dict[str, Any] | None, model: Path) -> str:
    """Return a sentence where a model has forgotten images, as its card says, but its file has left the run that did.

    Such an exported model does not tell which images. Empty where it has forgotten none, or its run is known.
    """
    forgotten = (card or {}).get("forgotten") or {}
    if not forgotten.get("count") or earlier_run(model) is not None:
        return ""
    made = made_by(str((card or {}).get("job_sha256") or ""))
    where = f"Start from {made.path} instead" if made is not None else "Start from its run folder"
    count = int(forgotten["count"])
    return (
        f"{model.name} has already forgotten {count:,} {'image' if count == 1 else 'images'} that its model card does "
        f"not list, so they are taken for images to keep. {where}, or name them again."
    )


def made_by(job_sha256: str) -> RunFolder | None:
    """Return the run with this job hash among the runs this application knows of; None where there is none."""
    if not job_sha256:
        return None
    for home in (runs_home(), references_home()):
        for child in sorted(home.iterdir()) if home.is_dir() else ():
            folder = RunFolder(child)
            if folder.exists and folder.job_sha256() == job_sha256:
                return folder
    return None
