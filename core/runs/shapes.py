"""What a report, a model card and the note of removed files hold, as declared structures.

A file is held against its structure where it is read, and what reads on may rely on it: types, numbers of a size that
can be drawn and written, and lists that belong together of one length. Fields that are not named here may hold
anything and are kept. None is required but what no version left out, so reports of earlier versions still open.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from core.events import Count, Number

Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Images = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Plain = bool | Whole | Number | str | None
"""A value of a setting, or of a fact about a machine."""

Light = Literal["original", "between", "retrained", "unknown"]
"""What a lamp of a verdict can say."""

Numbers = dict[str, Number | None]


class Alignment(Struct):
    """Dimensional alignment at k directions, and by the number of directions."""

    k: Count
    value: Number | None = None
    energy: Number | None = None
    floor: Number | None = None
    centred: bool | None = None
    profile: list[Number] = []


class Spectra(Struct):
    """Eigenvalues of the features, and their effective ranks."""

    retain: list[Number] = []
    forget: list[Number] = []
    retain_rank: Number | None = None
    forget_rank: Number | None = None


class Roc(Struct):
    """A curve of an attack."""

    fpr: list[Number]
    tpr: list[Number]

    def __post_init__(self) -> None:
        """Refuse lists of different lengths."""
        _require(len(self.fpr) == len(self.tpr), "fpr and tpr must be of one length")


class Share(Struct):
    """A share with its 95 % interval."""

    value: Number
    low: Number
    high: Number


class Attack(Struct):
    """What a membership attack came to; without a curve, why."""

    auc: Number | None = None
    low: Number | None = None
    high: Number | None = None
    members: Count | None = None
    nonmembers: Count | None = None
    references: Count | None = None
    reason: str | None = None
    roc: Roc | None = None
    fitted: Share | None = None

    def __post_init__(self) -> None:
        """Refuse a curve that does not say of how many images it is."""
        _require(self.roc is None or None not in (self.members, self.nonmembers), "a curve needs its numbers of images")


class Relearning(Struct):
    """Accuracy by samples seen while relearning."""

    samples: Annotated[list[Count], Meta(min_length=1)]
    forget: list[Number]
    shots: Count
    draws: Count

    def __post_init__(self) -> None:
        """Refuse lists of different lengths."""
        _require(len(self.samples) == len(self.forget), "samples and forget must be of one length")


class Confusion(Struct):
    """Images by class and by the class they are called."""

    counts: list[list[Count]] = []


class PluginValue(Struct):
    """What a measure of an installed package came to; without a value, why."""

    value: Number | None = None
    reason: str | None = None


class PluginMeasure(Struct):
    """What a report says of such a measure."""

    id: str
    title: str
    unit: Literal["percent", "ratio", "number", "count", "seconds"]
    explanation: str = ""
    better: str = ""
    package: str = ""


class Measures(Struct):
    """The measures of one model that are read by name; all others are looked up as numbers, wherever they stand."""

    retain_accuracy: Number | None = None
    forget_accuracy: Number | None = None
    retain_test_accuracy: Number | None = None
    forget_test_accuracy: Number | None = None
    nmi: Number | None = None
    probe: Numbers | None = None
    counts: dict[str, Images | None] | None = None
    per_class: list[Number | None] | None = None
    forget_predictions: list[Number] | None = None
    confusion: Confusion | None = None
    dimensional_alignment: Alignment | None = None
    spectra: Spectra | None = None
    membership: dict[str, Attack | None] | None = None
    relearn: Relearning | None = None
    relearn_others: Share | None = None
    neighbour_class: Share | None = None
    quantised: dict[str, dict[str, Share]] | None = None
    trigger: Numbers | None = None
    plugins: dict[str, PluginValue] | None = None


class Row(Struct):
    """A measure of a verdict."""

    key: str
    title: str
    group: Literal["feature", "output"]
    kind: str = "value"
    original: Number | None = None
    unlearned: Number | None = None
    head_only: Number | None = None
    retrained: Number | None = None
    half_width: Number | None = None
    closure: Number | None = None
    position: Number | None = None
    informative: bool | None = None
    closed: bool | None = None
    decides: bool | None = None
    moved_away: bool | None = None
    trained_on: bool | None = None
    light: Light | None = None
    control_light: Light | None = None

    def __post_init__(self) -> None:
        """Refuse a measure that says something, and not what."""
        known = self.closure is not None and self.position is not None
        _require(not self.informative or known, "an informative measure needs its closure and its position")


class Lamps(Struct):
    """The lamps of one model."""

    outputs: Light
    features: Light
    attacks: Light


class VerdictPart(Struct):
    """The verdict in words and the measures it rests on."""

    code: str | None = None
    sentence: str | None = None
    damaged: bool | None = None
    thresholds: dict[str, Plain] | None = None
    lamps: dict[Literal["unlearned", "head_only"], Lamps] | None = None
    measures: list[Row] | None = None
    purpose: str | None = None


class Data(Struct):
    """The data set."""

    title: str | None = None
    spec: str | None = None
    fingerprint: str | None = None
    test_origin: str | None = None
    classes: list[str] | None = None
    notices: list[str] | None = None
    test_images: Count | None = None


class Original(Struct):
    """The model that results are compared with."""

    path: str | None = None
    sha256: str | None = None
    architecture: str | None = None
    encoder: bool | None = None


class Details(Struct):
    """The method in words, and its parameters."""

    title: str | None = None
    preset: str | None = None
    citation: str | None = None
    notes: list[str] | None = None
    parameters: dict[str, Plain | list[Plain]] | None = None


class Request(Struct):
    """One request of a chain."""

    method: str
    class_names: list[str] | None = None
    count: Count | None = None
    run: str | None = None


class Retraining(Struct):
    """How the retrained models came about."""

    recipe: str | None = None
    seeds: list[Whole] | None = None
    brought: list[str] | None = None
    seconds: Number | None = None


class Start(Struct):
    """Where the original's training began."""

    kind: Literal["fresh", "pretrained"]
    name: str = ""
    sha256: str = ""
    key: str = ""
    said_by: str = ""


class Similar(Struct):
    """How many images look like others, from which agreement on."""

    count: Count | None = None
    exact: Count | None = None
    threshold: Number | None = None
    complete: bool | None = None

    def __post_init__(self) -> None:
        """Refuse a number of images that does not say how alike they are."""
        _require(not self.count or self.threshold is not None, "a count needs its threshold")


class Prepared(Struct):
    """How images are prepared."""

    words: str | None = None


class Proof(Struct):
    """That the original is used as it was trained."""

    network: str | None = None
    doubts: list[str] | None = None
    accepted: bool | None = None


class Report(Struct):
    """report.json."""

    created: str | None = None
    app_version: str | None = None
    run: str | None = None
    state: str | None = None
    forget_classes: list[str] | None = None
    forget_count: Count | None = None
    forget_mode: str | None = None
    forget_purpose: str | None = None
    forget_similar: Similar | None = None
    total: Count | None = None
    chain: list[Request] | None = None
    similar_kept: Similar | None = None
    method: str | None = None
    method_details: Details | None = None
    dataset: Data | None = None
    model: Original | None = None
    preprocessing: Prepared | None = None
    suite: str | None = None
    suite_version: Whole | None = None
    models: dict[str, Measures | None] | None = None
    plugin_measures: list[PluginMeasure] | None = None
    retrained: dict[str, Measures] | None = None
    retrained_notes: Retraining | None = None
    verdict: VerdictPart | None = None
    closure: Numbers | None = None
    published: dict[str, dict[str, Any] | None] | None = None
    cost: Numbers | None = None
    unchanged: bool | None = None
    proof: Proof | None = None
    start: Start | None = None
    warnings: list[str] | None = None
    seed: Whole | None = None
    device: str | None = None
    precision: str | None = None
    libraries: dict[str, Plain] | None = None
    machine: dict[str, Plain] | None = None
    files: dict[str, str] | None = None

    def __post_init__(self) -> None:
        """Refuse lists of classes and curves of retrained models that are of different lengths."""
        measured = [*(self.models or {}).values(), *(self.retrained or {}).values()]
        classes = self.dataset and self.dataset.classes
        for values in (values for model in measured if model for values in (model.per_class, model.forget_predictions)):
            _require(not values or not classes or len(values) == len(classes), "a list of classes has too few or many")
        curves = {len(model.relearn.samples) for model in (self.retrained or {}).values() if model.relearn}
        _require(len(curves) <= 1, "curves of relearning must be of one length")


class Forgotten(Struct):
    """The forget set in short."""

    mode: str | None = None
    classes: list[str] | None = None
    count: Count | None = None


class Card(Struct):
    """model.json of a run, as far as it tells of the run; what it says of the model is proven when that is opened."""

    kind: str | None = None
    method: str | None = None
    seed: Whole | None = None
    forgotten: Forgotten | None = None
    dataset: Data | None = None
    measures: Measures | None = None
    cost: Numbers | None = None
    verdict: VerdictPart | None = None  # of earlier versions, which had no report then
    checked: bool | None = None


class RemovedFile(Struct):
    """A file that was removed on request."""

    sha256: str
    removed: str


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)
