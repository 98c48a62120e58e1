"""What speaks against a model being used as it was trained, in the window's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.services import format as fmt

if TYPE_CHECKING:
    from core.session.bench import Bench
    from core.session.proof import Proof

ORDER = (
    "Only {now} correct. The class order probably differs between model and folders. With the order found on half of "
    "the images, {found} of the other half are correct."
)
UNANSWERED = "First say on Project whether this is your network and your preprocessing."
UNORDERED = "First say on Project which order the classes are in."


def open_doubts(proof: Proof | None) -> bool:
    """Whether something speaks against the model being used as it was trained, and nobody took it as it is."""
    return proof is not None and bool(proof.doubts) and not proof.accepted


def is_order(proof: Proof) -> bool:
    """Whether what is doubtful is the order of the classes."""
    return bool(proof.doubts) and proof.order is not None and proof.order.offered


def what_first(proof: Proof | None) -> str:
    """Say what has to be answered before a run can start; "" for nothing."""
    if proof is None or not open_doubts(proof):
        return ""
    return UNORDERED if is_order(proof) else UNANSWERED


def doubt_words(proof: Proof) -> str:
    """Say what is doubtful; the candidates are listed elsewhere."""
    if is_order(proof):
        assert proof.order is not None
        now, found = fmt.percent(proof.order.accuracy_now), fmt.percent(proof.order.accuracy_better)
        return ORDER.format(now=now, found=found)
    trial = proof.trial
    if trial is None or trial.sure:
        return " ".join(proof.doubts)
    networks = {attempt.network.architecture for attempt in (trial.best, *trial.rivals)}
    several = len(networks) > 1 if trial.rivals else trial.networks > 1
    open_ = ["which network it is"] * (trial.stated or several) + ["how images are prepared"] * (not trial.stated)
    what = " and ".join(open_)
    if trial.rivals:
        told = f"Nothing says {what}, and the training images do not tell {len(trial.rivals) + 1} of those tried apart."
    else:
        told = f"Nothing says {what}. Of what was tried none is right often enough to be taken unasked."
    return " ".join([told, *proof.doubts[1:]])


def settled(bench: Bench) -> Bench:
    """Return the bench with the proof of its model, weighed now where that was not done yet; runs in a worker.

    Raises UnprovenError where something is in doubt and was not accepted.
    """
    from core.session.proof import proven

    return bench if bench.proof is not None else proven(bench)
