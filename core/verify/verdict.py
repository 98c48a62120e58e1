"""The verdict: one sentence on where the measures put an unlearned model between the original and retraining.

The first rule that holds decides:

    no_reference  no retrained model was given
    nothing       no measure can tell the original from a retrained model
    close         at least CLOSE_SHARE of the informative measures are closed and none lies below CLOSE_FLOOR (beyond
                  the retrained value and within chance of it does not count as below)
    hidden        forget accuracy is closed, every informative feature measure is still near the original
    not           half or more of all informative measures are still near the original
    partly        everything else; the weakest measure is named

A measure the method was trained on is shown and never decides.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from core.verify.closure import CONFIDENCE, MEASURES, MINIMUM_GAP, Closure, Measure, closure_of, look_up
from core.verify.numbers import count, percent, points, whole_percent

Code = Literal["close", "partly", "hidden", "not", "nothing", "no_reference"]

CLOSED = 0.9
"""A measure whose gap is closed to this share counts as closed."""

CLOSE_SHARE = 0.9
"""Share of informative measures that must be closed for "close"."""

CLOSE_FLOOR = 0.5
"""No informative measure may lie below this for "close"."""

NEAR_ORIGINAL = 0.25
"""Below this a measure still puts the model near the original."""

NOT_SHARE = 0.5
"""Share of informative measures near the original from which a model counts as not forgotten."""

DAMAGE = 0.01
"""Loss of retain accuracy against retraining, one point, from which the rest counts as damaged …"""

DAMAGE_SPREADS = 2.0
"""… if it is also more than this many standard deviations of the retrained models."""


@dataclass(frozen=True)
class MeasureRow:
    """One measure of the table: its value for each model, and what it says about the unlearned one."""

    key: str
    title: str
    group: str  # "feature" or "output"
    kind: str  # "value", or "distance" to the retrained models
    unit: str  # "percent" or "ratio"
    original: float | None
    unlearned: float | None
    head_only: float | None
    retrained: float | None  # mean; for a distance, of the retrained models to each other
    spread: float | None  # None: unknown with one retrained model
    half_width: float | None  # of the 95 % bootstrap interval of unlearned − retrained
    closure: float | None
    position: float | None  # 0 original, 1 retrained, signed
    informative: bool
    closed: bool
    trained_on: bool
    note: str = ""  # why it does not decide

    @property
    def decides(self) -> bool:
        """Whether the verdict may rest on it."""
        return self.informative and not self.trained_on

    @property
    def overshoots(self) -> bool:
        """Whether the model lies beyond the retrained value, seen from the original."""
        return self.kind == "value" and self.position is not None and self.position > 1

    @property
    def near_original(self) -> bool:
        """Whether the gap is hardly closed. Beyond the retrained value is far from it, but not near the original."""
        return self.closure is not None and self.closure < NEAR_ORIGINAL and not self.overshoots

    @property
    def falls_short(self) -> bool:
        """Whether it forbids "close": too far from the retrained value, unless it lies beyond it by no more than chance
        explains, where nothing of the original is left to find.
        """  # noqa: D205
        short = (self.closure or 0.0) < CLOSE_FLOOR
        return short and not (self.closed and self.overshoots)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {**asdict(self), "decides": self.decides}


@dataclass(frozen=True)
class Verdict:
    """The verdict in words and the table it rests on."""

    code: Code
    damaged: bool
    sentence: str
    thresholds: dict[str, float]
    measures: tuple[MeasureRow, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the contract's keys as plain data."""
        return {
            "code": self.code, "damaged": self.damaged, "sentence": self.sentence,
            "thresholds": dict(self.thresholds), "measures": [row.as_dict() for row in self.measures],
        }


def decide(
    models: Mapping[str, Mapping[str, Any] | None],
    retrained: Sequence[Mapping[str, Any]],
    trained_on: Collection[str] = (),
    *,
    intervals: Mapping[str, float] | None = None,
    forget_count: int | None = None,
) -> Verdict:
    """Judge `models["unlearned"]` against `models["original"]` and the `retrained` models' measures.

    `models` and `retrained` hold measures under the contract's keys. `trained_on` names the measures that the method
    optimises. `intervals` gives half-widths of the 95 % bootstrap interval of unlearned − retrained by measure key.
    `forget_count` is the number of forget images, by default as counted in the unlearned model's measures.
    """
    rows = tuple(_row(measure, models, retrained, trained_on, intervals or {}) for measure in MEASURES)
    rows = tuple(row for row in rows if row.unlearned is not None or row.original is not None)
    code = _code(rows, bool(retrained))
    loss = _damage(models, retrained)
    sentence = _sentence(code, rows, models, len(retrained), forget_count)
    if loss is not None:
        sentence += f" The rest suffered: retain accuracy is {points(loss)} points below retraining."
    return Verdict(code, loss is not None, sentence, thresholds(len(retrained)), rows)


def thresholds(references: int) -> dict[str, float]:
    """Return the constants a verdict rests on, by name, with the number of retrained models."""
    return {
        "closed": CLOSED, "close_share": CLOSE_SHARE, "close_floor": CLOSE_FLOOR, "near_original": NEAR_ORIGINAL,
        "not_share": NOT_SHARE, "minimum_gap": MINIMUM_GAP, "confidence": CONFIDENCE, "damage": DAMAGE,
        "damage_spreads": DAMAGE_SPREADS, "retrained_models": references,
    }


def _row(
    measure: Measure,
    models: Mapping[str, Mapping[str, Any] | None],
    retrained: Sequence[Mapping[str, Any]],
    trained_on: Collection[str],
    intervals: Mapping[str, float],
) -> MeasureRow:
    values = {name: measure.read(models.get(name)) for name in ("original", "unlearned", "head_only")}
    references = [value for value in map(measure.read, retrained) if value is not None]
    if retrained:
        found = closure_of(measure.kind, values["original"], values["unlearned"], references)
    else:
        found = Closure(None, None, None, None, None, False, "no retrained model")
    note = "the method was trained on it" if measure.key in trained_on else found.reason
    half_width = intervals.get(measure.key)
    return MeasureRow(
        key=measure.key, title=measure.title, group=measure.group, kind=measure.kind, unit=measure.unit,
        original=values["original"], unlearned=values["unlearned"], head_only=values["head_only"],
        retrained=found.retrained, spread=found.spread, half_width=half_width,
        closure=found.value, position=found.position, informative=found.informative,
        closed=_closed(measure, values["unlearned"], found, half_width),
        trained_on=measure.key in trained_on, note=note,
    )


def _closed(measure: Measure, unlearned: float | None, found: Closure, half_width: float | None) -> bool:
    """Whether a measure counts as closed: by its share, or because the rest lies within what chance explains."""
    if found.value is None or unlearned is None:
        return False
    if found.value >= CLOSED:
        return True
    rest = unlearned - (found.retrained or 0.0)
    tolerance = max(half_width or 0.0, found.spread or 0.0)
    # nearer to retrained models than they are to each other is no gap, so a distance has one side only
    return (rest if measure.kind == "distance" else abs(rest)) <= tolerance


def _code(rows: Sequence[MeasureRow], has_reference: bool) -> Code:
    if not has_reference:
        return "no_reference"
    deciding = [row for row in rows if row.decides]
    if not deciding:
        return "nothing"
    closed = sum(row.closed for row in deciding)
    if closed >= CLOSE_SHARE * len(deciding) and not any(row.falls_short for row in deciding):
        return "close"
    features = [row for row in deciding if row.group == "feature"]
    outputs_closed = any(row.key == "forget_accuracy" and row.closed for row in deciding)
    if outputs_closed and features and all(row.near_original for row in features):
        return "hidden"
    if sum(row.near_original for row in deciding) >= NOT_SHARE * len(deciding):
        return "not"
    return "partly"


def _sentence(
    code: Code,
    rows: Sequence[MeasureRow],
    models: Mapping[str, Mapping[str, Any] | None],
    references: int,
    forget_count: int | None,
) -> str:
    if code == "no_reference":
        return _without_reference(rows)
    deciding = [row for row in rows if row.decides]
    if code == "nothing":
        if forget_count is None:
            counted = look_up(models.get("unlearned"), ("counts", "forget_train"))
            forget_count = None if counted is None else int(counted)
        images = "images" if forget_count is None else f"{count(forget_count)} image{'s' * (forget_count != 1)}"
        these = "this" if forget_count == 1 else "these"
        return (
            f"None of the measures can tell the original from a retrained model on {these} {images}. They show no "
            "trace of them, and cannot show that one was removed."
        )
    total, closed = len(deciding), sum(row.closed for row in deciding)
    if code == "hidden":
        best = max(0.0, *(_share(row) for row in deciding if row.group == "feature"))
        return (
            "Hidden, not forgotten. Outputs no longer name the class, but its features still hold it: at most "
            f"{math.ceil(round(100 * best, 9))} % of any feature gap is closed."
        )
    if code == "close" and references > 1:
        text = (
            f"On {closed} of {total} informative measures this model is as close to retrained models as they are to "
            "each other."
        )
    elif code == "close":
        wide = sum(_share(row) >= CLOSED for row in deciding)
        text = (
            f"On {wide} of {total} informative measures at least {_whole(CLOSED)} % of the gap to a retrained model "
            "is closed."
        )
        if closed > wide and wide:
            text += f" On {closed - wide} more the rest is within sampling error."
        elif closed > wide:
            text = (
                f"On {closed} of {total} informative measures what is left of the gap to a retrained model is within "
                "sampling error."
            )
    elif code == "not":
        near = sum(row.near_original for row in deciding)
        text = f"Not forgotten. On {near} of {total} measures the model is still close to the original."
    else:
        weakest = min(deciding, key=_share)
        rest = "what retrained models differ by" if references > 1 else "sampling error"
        text = (
            f"Partly forgotten. {closed} of {total} measures are where retraining puts them"
            + (f" within {rest}, but the weakest, " if closed == total else "; the weakest, ")
            + f"{weakest.title}, {_progress(weakest)}."
        )
    if not any(row.group == "feature" for row in deciding):
        text = text.removesuffix(".") + ", judged by outputs only."
    if code == "close" and references == 1:
        text += " How far two retrained models differ was not measured."
    return text


def _without_reference(rows: Sequence[MeasureRow]) -> str:
    by_key = {row.key: row for row in rows}
    text = "No retrained model, so no verdict."
    accuracy, probe = by_key.get("forget_accuracy"), by_key.get("probe")
    if accuracy is None or accuracy.original is None or accuracy.unlearned is None:
        return text
    before, after = percent(accuracy.original, unit=False), percent(accuracy.unlearned)
    text += f" Forget accuracy went from {before} to {after}"
    control = [] if accuracy.head_only is None else [percent(accuracy.head_only, unit=False)]
    if probe is not None and probe.original is not None and probe.unlearned is not None:
        text += (
            f", the linear probe from {percent(probe.original, unit=False, places=0)} to "
            f"{percent(probe.unlearned, places=0)}"
        )
        if control and probe.head_only is not None:
            control.append(percent(probe.head_only, unit=False, places=0))
    text += "."
    return f"{text} A head-only edit gets {' and '.join(control)} %." if control else text


def _damage(models: Mapping[str, Mapping[str, Any] | None], retrained: Sequence[Mapping[str, Any]]) -> float | None:
    """Return how far retain accuracy on unseen images lies below retraining, 0..1; None where that is no damage."""
    kept = look_up(models.get("unlearned"), ("retain_test_accuracy",))
    known = [value for value in (look_up(m, ("retain_test_accuracy",)) for m in retrained) if value is not None]
    if kept is None or not known:
        return None
    loss = round(statistics.fmean(known) - kept, 9)  # 0.91 − 0.90 is not more than a point
    spread = statistics.stdev(known) if len(known) > 1 else 0.0
    return loss if loss > DAMAGE and loss > DAMAGE_SPREADS * spread else None


def _progress(row: MeasureRow) -> str:
    if row.overshoots and row.position is not None:
        return f"lies beyond retraining by {_whole(row.position - 1)} % of its gap"
    if round(_share(row), 9) < 0:
        return "lies further from retraining than the original does"
    return f"has closed {_whole(_share(row))} % of its gap"


def _share(row: MeasureRow) -> float:
    return row.closure if row.closure is not None else 0.0


def _whole(share: float) -> str:
    """Whole per cent of a closure: going further away closes nothing."""
    return whole_percent(max(0.0, share))
