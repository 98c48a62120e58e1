"""The verdict: one sentence on where the measures put an unlearned model between the original and retraining.

A measure decides where original and retrained models differ by more than chance explains (`closure.Yardstick`). The
first rule that holds gives the code:

    no_reference  no retrained model was given
    nothing       no measure decides, or those that do tell the model no better from the head-only edit than chance
    close         at least CLOSE_SHARE of the deciding measures match retraining, the others are at least CLOSE_FLOOR
                  of the way, and no measure moved away from retraining
    hidden        a whole class goes, forget accuracy matches retraining, and every deciding feature measure (there is
                  one, so there was a gap to be closed) is still near the original
    not           half or more of the deciding measures are still near the original
    partly        everything else; the measure farthest from retraining is named

A measure the method was trained on is shown and never decides. Single images are judged by outputs on themselves, and
in words of their own: their class stays, so a model that never saw them may name them rightly.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from core.runs.shapes import Light
from core.verify.closure import (
    CLOSED,
    CONFIDENCE,
    MEASURES,
    MINIMUM_GAP,
    NORMAL,
    PRIOR_FREEDOM,
    SEED_FACTOR,
    Closure,
    Measure,
    closure_of,
    look_up,
)
from core.verify.lamps import NEAR_ORIGINAL, lamps_of, light_of, near_original
from core.verify.numbers import from_to, percent, plural, points, whole_percent

if TYPE_CHECKING:
    from core.data.splits import Splits

Code = Literal[
    "close", "partly", "hidden", "not", "nothing", "no_reference", "corrected", "partly_corrected", "not_corrected"
]
"""The last three are those of `correction.py`."""

CLOSE_SHARE = 0.9
"""Share of deciding measures that must match retraining for "close"."""

CLOSE_FLOOR = 0.5
"""A deciding measure that does not match retraining must be this share of the way for "close"."""

NOT_SHARE = 0.5
"""Share of deciding measures near the original from which a model counts as not forgotten."""

DAMAGE = 0.01
"""Loss of retain accuracy against retraining, one point, from which the rest counts as damaged …"""

DAMAGE_SPREADS = 2.0
"""… if it is also more than this many standard deviations of the retrained models, and than images explain."""

HalfWidths = Mapping[str, Mapping[str, float]]
"""Model -> measure -> half-width of the 95 % interval, over images, of the model − the mean of retrained ones."""

SINGLE = "_single"  # ends the key of a measure on single images beside whole classes

_UNSEEN_DISTANCE = ("distances", "retain_test", "js_to_retrained")


@dataclass(frozen=True)
class Forgotten:
    """What a verdict is on: how many classes go as a whole, and how many images alone."""

    classes: int = 1
    singles: int = 0

    @classmethod
    def of(cls, splits: Splits) -> Forgotten:
        """Count what a run forgets."""
        return cls(len(splits.forget_classes), len(splits.forget_single_train))

    @property
    def images(self) -> str:
        """The single images in words: "these 30 images", "this image"."""
        return "this image" if self.singles == 1 else f"these {plural(self.singles, 'image')}"

    @property
    def are(self) -> str:
        """The verb that follows `images`."""
        return "is" if self.singles == 1 else "are"


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
    spread: float | None  # of retrained models alone; None: unknown with one
    half_width: float | None  # of the 95 % interval of unlearned − retrained, over images and seeds
    deviation: float  # |unlearned − retrained| in half-widths
    closure: float | None
    position: float | None  # 0 original, 1 retrained, signed
    informative: bool
    closed: bool
    moved_away: bool  # further from retraining than the original is, by more than chance explains
    like_control: bool  # whether the head-only edit passes as retrained, or lies no further from the model than chance
    trained_on: bool
    light: Light  # what it says for its lamp (core/verify/lamps.py) …
    control_light: Light  # … and what it says of the head-only edit
    note: str = ""  # why it does not decide

    @property
    def decides(self) -> bool:
        """Whether the verdict may rest on it."""
        return self.informative and not self.trained_on

    @property
    def within_chance(self) -> bool:
        """Whether it matches retraining only because what is left of the gap lies within chance."""
        return self.closed and (self.closure or 0.0) < CLOSED

    @property
    def beyond(self) -> bool:
        """Whether the model lies beyond the retrained value, seen from the original."""
        return self.kind == "value" and self.position is not None and self.position > 1

    @property
    def near_original(self) -> bool:
        """Whether hardly anything of the gap is closed."""
        return near_original(self.closure, self.kind, self.position)

    @property
    def forbids_close(self) -> bool:
        """Whether "close" is out of the question: the model is less than half the way to retraining, or moved away."""
        return self.moved_away or (self.decides and not self.closed and (self.closure or 0.0) < CLOSE_FLOOR)

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
    purpose: str = ""  # "corrective": judged by correction.py, not against retrained models

    @property
    def lamps(self) -> dict[str, dict[str, Light]]:
        """What outputs, features and attacks say: model -> lamp -> light."""
        return lamps_of(row.as_dict() for row in self.measures)

    def as_dict(self) -> dict[str, Any]:
        """Return the contract's keys as plain data."""
        return {
            "code": self.code, "damaged": self.damaged, "sentence": self.sentence,
            "thresholds": dict(self.thresholds), "lamps": self.lamps,
            "measures": [row.as_dict() for row in self.measures],
            **({"purpose": self.purpose} if self.purpose else {}),
        }


def decide(
    models: Mapping[str, Mapping[str, Any] | None],
    retrained: Sequence[Mapping[str, Any]],
    trained_on: Collection[str] = (),
    *,
    forgotten: Forgotten | None = None,
    half_widths: HalfWidths | None = None,
) -> Verdict:
    """Judge `models["unlearned"]` against `models["original"]` and the `retrained` models' measures.

    `forgotten` says what the sentence is on (a class where it is left out). `models` and `retrained` hold measures
    under the contract's keys. `trained_on` names the measures that the method optimises. With a single retrained model
    a measure without a half-width, of `original` and of `unlearned`, does not decide.
    """
    rows = verdict_rows(models, retrained, trained_on, half_widths=half_widths or {})
    forgotten = forgotten or Forgotten()
    code = _code(rows, bool(retrained), forgotten)
    loss = _damage(models, retrained)
    sentence = _sentence(code, rows, look_up(models.get("unlearned"), ("counts", "forget_train")), forgotten)
    if loss is not None:
        sentence += f" The rest suffered: retain accuracy is {points(loss)} points below retraining."
    return Verdict(code, loss is not None, sentence, thresholds(len(retrained)), rows)


def verdict_rows(
    models: Mapping[str, Mapping[str, Any] | None],
    retrained: Sequence[Mapping[str, Any]],
    trained_on: Collection[str] = (),
    *,
    half_widths: HalfWidths | None,
) -> tuple[MeasureRow, ...]:
    """Return a row for each measure that original or unlearned model has a value of.

    `half_widths` None: they are not known yet, as while a check goes on, and rows are not held to them.
    """
    rows = [_row(measure, models, retrained, trained_on, half_widths) for measure in MEASURES]
    return tuple(row for row in rows if row.unlearned is not None or row.original is not None)


def thresholds(references: int) -> dict[str, float]:
    """Return the constants a verdict rests on, by name, with the number of retrained models."""
    return {
        "closed": CLOSED, "close_share": CLOSE_SHARE, "close_floor": CLOSE_FLOOR, "near_original": NEAR_ORIGINAL,
        "not_share": NOT_SHARE, "minimum_gap": MINIMUM_GAP, "confidence": CONFIDENCE, "seed_factor": SEED_FACTOR,
        "prior_freedom": PRIOR_FREEDOM, "damage": DAMAGE, "damage_spreads": DAMAGE_SPREADS,
        "retrained_models": references,
    }  # fmt: skip


def _row(
    measure: Measure,
    models: Mapping[str, Mapping[str, Any] | None],
    retrained: Sequence[Mapping[str, Any]],
    trained_on: Collection[str],
    half_widths: HalfWidths | None,
) -> MeasureRow:
    values = {name: measure.read(models.get(name)) for name in ("original", "unlearned", "head_only")}
    images = {name: (half_widths or {}).get(name, {}).get(measure.key) for name in values}
    references = [measure.read(model) for model in retrained]

    def judged(name: str) -> Closure:
        if not retrained:
            return Closure(None, None, None, None, None, False, "no retrained model")
        return closure_of(
            measure.kind, values["original"], values[name], references,
            images=(images["original"], images[name]), unseen=look_up(models.get("original"), _UNSEEN_DISTANCE),
            seed_factor=measure.seed_factor, provisional=half_widths is None,
        )  # fmt: skip

    result, control_result = judged("unlearned"), judged("head_only")
    model, control = values["unlearned"], values["head_only"]
    by_chance = model is not None and control is not None and abs(model - control) <= (result.half_width or 0.0)
    return MeasureRow(
        key=measure.key, title=measure.title, group=measure.group, kind=measure.kind, unit=measure.unit,
        original=values["original"], unlearned=values["unlearned"], head_only=values["head_only"],
        retrained=result.retrained, spread=result.spread, half_width=result.half_width, deviation=result.deviation,
        closure=result.value, position=result.position, informative=result.informative, closed=result.closed,
        moved_away=result.moved_away, like_control=control_result.closed or by_chance,
        trained_on=measure.key in trained_on, light=light_of(result, measure.kind, measure.key in trained_on),
        control_light=light_of(control_result, measure.kind, measure.key in trained_on),
        note="the method was trained on it" if measure.key in trained_on else result.reason,
    )  # fmt: skip


def _code(rows: Sequence[MeasureRow], has_reference: bool, forgotten: Forgotten) -> Code:
    if not has_reference:
        return "no_reference"
    deciding = [row for row in rows if row.decides]
    if not deciding:
        return "nothing"
    like_control = all(row.like_control for row in deciding)
    if sum(row.closed for row in deciding) >= CLOSE_SHARE * len(deciding) and not any(
        row.forbids_close for row in rows
    ):
        return "nothing" if like_control else "close"
    features = [row for row in deciding if row.group == "feature"]
    outputs_closed = any(row.key == "forget_accuracy" and row.closed for row in deciding)
    if forgotten.classes and outputs_closed and features and all(row.near_original for row in features):
        return "hidden"
    if sum(row.near_original for row in deciding) >= NOT_SHARE * len(deciding):
        return "not"
    return "nothing" if like_control and not any(row.moved_away for row in rows) else "partly"


def _sentence(code: Code, rows: Sequence[MeasureRow], forget_count: float | None, forgotten: Forgotten) -> str:
    if code == "no_reference":
        return _without_reference(rows, forgotten)
    if code == "nothing":
        return _nothing(rows, forget_count)
    if not forgotten.classes:
        return _on_singles(code, rows, forgotten)
    deciding = [row for row in rows if row.decides]
    if code == "hidden":
        best = max(0.0, *(row.closure or 0.0 for row in deciding if row.group == "feature"))
        named = "the class" if forgotten.classes == 1 else f"the {forgotten.classes} classes"
        text = (
            f"Hidden, not forgotten. Outputs no longer name {named}, but the features are as in the original: at most "
            f"{math.ceil(round(100 * best, 9))} % of any feature gap is closed."
        )
    elif code == "close":
        text = f"Close to retrained on {_usable(sum(row.closed for row in deciding), len(deciding))}."
    elif code == "not":
        text = f"Not forgotten. Like the original on {_near_original(deciding)}."
    else:
        text = f"Partly forgotten. {_partly(rows)}."
    if not any(row.group == "feature" for row in deciding):
        text += " No feature measure could tell."
    return f"{text} {_beside(deciding, forgotten)}" if forgotten.singles else text


def _on_singles(code: Code, rows: Sequence[MeasureRow], forgotten: Forgotten) -> str:
    """Say a verdict on single images alone: how the model treats them, against one that never saw them."""
    deciding = [row for row in rows if row.decides]
    images, are = forgotten.images, forgotten.are
    if code == "close":
        matching = _usable(sum(row.closed for row in deciding), len(deciding))
        return f"Close to retrained on {matching}: {images} {are} treated as images that were never trained on."
    if code == "not":
        like = f"like the original on {_near_original(deciding)}"
        return f"Not forgotten. {images.capitalize()} {are} still treated as training images: {like}."
    found = _partly(rows)
    return f"Partly forgotten. On {images} {found[:1].lower()}{found[1:]}."


def _beside(deciding: Sequence[MeasureRow], forgotten: Forgotten) -> str:
    """Say how the single images beside whole classes fared."""
    judged = [row for row in deciding if row.key.endswith(SINGLE)]
    images = "the single image" if forgotten.singles == 1 else f"the {plural(forgotten.singles, 'single image')}"
    if not judged:
        return f"On {images} no measure could tell."
    matching = sum(row.closed for row in judged)
    return f"On {images} {_usable(matching, len(judged))} match{'es' * (matching == 1)} retraining."


def _near_original(deciding: Sequence[MeasureRow]) -> str:
    return _usable(sum(row.near_original for row in deciding), len(deciding))


def _nothing(rows: Sequence[MeasureRow], forget_count: float | None) -> str:
    if any(row.decides for row in rows):
        return "Nothing to tell: on the usable measures a head-only edit, which forgets nothing, does as well."
    images = "images" if forget_count is None else plural(round(forget_count), "image")
    text = (
        f"Nothing to tell: on {'this' if forget_count == 1 else 'these'} {images} no measure can tell the original "
        "from a retrained model."
    )
    away = _farthest([row for row in rows if row.moved_away])
    return f"{text} But {away.title} moved away from retraining." if away else text


def _partly(rows: Sequence[MeasureRow]) -> str:
    """Say how many usable measures match retraining, and where the one farthest from it is."""
    deciding = [row for row in rows if row.decides]
    total, matching = len(deciding), sum(row.closed for row in deciding)
    by_chance = sum(row.within_chance for row in deciding)
    share = "" if by_chance == matching else f", {by_chance} of them"
    chance = f"{share} within chance" if by_chance else ""
    farthest = _farthest([row for row in rows if row.moved_away or (row.decides and not row.closed)])
    assert farthest is not None  # else the verdict were "close"
    place = f"{farthest.title} {_place(farthest)}"
    if matching == total:
        return f"{_usable(total, total).capitalize()} match{'es' * (total == 1)} retraining{chance}, but {place}"
    if total == 1 and farthest.decides:
        return f"The one usable measure, {farthest.title}, {_place(farthest)}"
    return f"{matching} of {total} usable measures match{'es' * (matching == 1)} retraining{chance}; {place}"


def _farthest(rows: Sequence[MeasureRow]) -> MeasureRow | None:
    """Return the row farthest from retraining, counted in what images and retrained models vary by."""
    return max(rows, key=lambda row: row.deviation, default=None)


def _place(row: MeasureRow) -> str:
    if row.moved_away:
        return "moved away from retraining"
    if row.beyond and row.position is not None:
        return f"lies beyond retraining by {whole_percent(row.position - 1)} % of the gap"
    return f"is {whole_percent(max(0.0, row.closure or 0.0))} % of the way"


def _usable(number: int, total: int) -> str:
    if number < total:
        return f"{number} of {total} usable measures"
    return {1: "the one usable measure", 2: "both usable measures"}.get(total, f"all {total} usable measures")


def _without_reference(rows: Sequence[MeasureRow], forgotten: Forgotten) -> str:
    by_key = {row.key: row for row in rows}
    text = "No retrained model, so no verdict."
    accuracy, probe = by_key.get("forget_accuracy"), by_key.get("probe")
    if accuracy is None or accuracy.original is None or accuracy.unlearned is None:
        return text
    change = from_to(accuracy.original, accuracy.unlearned)
    if not forgotten.classes:
        may = "many of them" if forgotten.singles != 1 else "it"
        return (
            f"{text} Accuracy on {forgotten.images} went {change}; a model that never saw "
            f"{'it' if forgotten.singles == 1 else 'them'} may name {may} rightly as well."
        )
    text += f" Forget accuracy went {change}"
    control = [] if accuracy.head_only is None else [percent(accuracy.head_only, unit=False)]
    if probe is not None and probe.original is not None and probe.unlearned is not None:
        text += f", the linear probe {from_to(probe.original, probe.unlearned, places=0)}"
        if control and probe.head_only is not None:
            control.append(percent(probe.head_only, unit=False, places=0))
    text += "."
    return f"{text} A head-only edit gets {' and '.join(control)} %." if control else text


def _damage(models: Mapping[str, Mapping[str, Any] | None], retrained: Sequence[Mapping[str, Any]]) -> float | None:
    """Return how far retain accuracy on unseen images lies below retraining, 0..1; None where that is no damage.

    A loss that so few images show by chance alone is none: it must exceed 1.96 binomial standard errors of the
    difference, where the number of images is known.
    """
    kept = look_up(models.get("unlearned"), ("retain_test_accuracy",))
    references = [value for value in (look_up(m, ("retain_test_accuracy",)) for m in retrained) if value is not None]
    if kept is None or not references:
        return None
    loss = round(statistics.fmean(references) - kept, 9)  # 0.91 − 0.90 is not more than a point
    spread = statistics.stdev(references) if len(references) > 1 else 0.0
    images = look_up(models.get("unlearned"), ("counts", "retain_test"))
    shares = (kept, statistics.fmean(references))
    chance = NORMAL * math.sqrt(sum(share * (1 - share) for share in shares) / images) if images else 0.0
    return loss if loss > max(DAMAGE, DAMAGE_SPREADS * spread, chance) else None
