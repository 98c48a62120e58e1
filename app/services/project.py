"""The session every page shares: what is open, chosen, measured and in view, and what the rail says of each page."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from PySide6.QtCore import QObject, Signal

from app.services.translation import mark, tr

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from app.workers.live_run import LiveRun
    from core.data.dataset import Dataset
    from core.job import StartPart
    from core.models.checkpoint import OpenedModel
    from core.runs.folder import RunFolder
    from core.selection import Selection
    from core.session.attempts import Trial
    from core.session.bench import Bench, DataOptions
    from core.session.proof import Proof

UNANSWERED = mark("First say on Project whether this is your network and your preprocessing.")
UNORDERED = mark("First say on Project which order the classes are in.")
PAGE_STATES = ("", "empty", "ready", "running", "done", "problem")


class PageStates(QObject):
    """State and caption by page id; the rail follows `changed`."""

    changed = Signal(str, str, str)  # page id, state and caption

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._states: dict[str, tuple[str, str]] = {}

    def set(self, page_id: str, state: str, caption: str = "") -> None:
        """Set a page's state (one of `PAGE_STATES`) and caption."""
        if state not in PAGE_STATES:
            raise ValueError(f"{state!r} is not one of {PAGE_STATES}")
        if self._states.get(page_id) != (state, caption):
            self._states[page_id] = (state, caption)
            self.changed.emit(page_id, state, caption)

    def get(self, page_id: str) -> tuple[str, str]:
        """State and caption of a page."""
        return self._states.get(page_id, ("", ""))


_Packed = tuple[bytes, dict[str, Any], tuple[bool, Any]]
"""A selection without its labels: a bit a sample, the columns of the chosen ones where there are any, and whether it
is a correction, of which trigger."""


class History:
    """Undo and redo of selections over the same samples; old ones are kept packed, at most `limit` of them."""

    def __init__(self, initial: Selection, limit: int = 200) -> None:
        self._current = initial
        self._past: deque[_Packed] = deque(maxlen=limit)
        self._future: deque[_Packed] = deque()

    @property
    def current(self) -> Selection:
        """The selection in force."""
        return self._current

    @property
    def can_undo(self) -> bool:
        """Whether there is a step back."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step forward."""
        return bool(self._future)

    def push(self, selection: Selection) -> Selection:
        """Make `selection` current; what was undone before is forgotten. One equal to the current changes nothing."""
        if selection != self._current:
            self._past.append(_pack(self._current))
            self._future.clear()
            self._current = selection
        return selection

    def undo(self) -> Selection:
        """Go one step back, where there is one, and return what is current then."""
        return self._step(self._past, self._future)

    def redo(self) -> Selection:
        """Go one step forward, where there is one, and return what is current then."""
        return self._step(self._future, self._past)

    def _step(self, steps: deque[_Packed], back: deque[_Packed]) -> Selection:
        import numpy as np

        from core.selection import Selection

        current = self._current
        if steps:
            back.append(_pack(current))
            packed, columns, correction = steps.pop()
            bits = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=current.total)
            selection = Selection(bits.view(bool), current.labels, current.class_names)
            self._current = selection.with_samples(selection.indices, **columns).correcting(*correction)
        return self._current


def _pack(selection: Selection) -> _Packed:
    columns = {"weights": selection.weights, "similar": selection.similar}
    held = {name: values[selection.mask] for name, values in columns.items() if values is not None}
    return selection.packed, held, (selection.corrective, selection.trigger)


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
    return tr(UNORDERED if is_order(proof) else UNANSWERED)


class ProjectState(QObject):
    """The session: opened model, data set, forget set with its history, evaluation, run in view.

    Setters swap whole, valid objects: a failed load never reaches this class.
    """

    model_changed = Signal()
    dataset_changed = Signal()
    selection_changed = Signal()
    evaluation_changed = Signal()
    start_changed = Signal()
    run_changed = Signal()
    compared_changed = Signal()
    overlaid_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.opened_model: OpenedModel | None = None
        self.dataset: Dataset | None = None
        self.data_options: DataOptions | None = None  # how the data was opened besides its name
        self.start: StartPart | None = None  # where the model's own training began, as the user said
        self.trial: Trial | None = None  # how what nobody stated about model and images was found
        self._bench: Bench | None = None  # with both, made when it is asked for
        self.history: History | None = None
        self.evaluation: dict[str, Any] = {}  # what was measured of the opened model on the data, by name
        self.forgotten_before: NDArray[np.bool_] | None = None  # (n,): images the open model forgot in earlier runs
        self.run: LiveRun | None = None  # the run in view (live or from disk)
        self.overlaid: tuple[Path, ...] = ()  # folders of further runs, drawn with the one in view
        self.compared: tuple[RunFolder, ...] = ()  # run folders held side by side; empty: one run is looked at
        self.batch: Path | Literal[""] | None = None  # the batch file whose runs are; "": the one queued last

    @property
    def selection(self) -> Selection | None:
        """The forget set as it stands; None without data."""
        return self.history.current if self.history is not None else None

    @property
    def ready(self) -> bool:
        """Whether model and data are both open."""
        return self.opened_model is not None and self.dataset is not None

    @property
    def proof(self) -> Proof | None:
        """What makes it certain that the model is used as it was trained, and what is doubtful; None before that."""
        return self.evaluation.get("proof")

    @property
    def bench(self) -> Bench | None:
        """Model, data and how the data was opened: what everything works on. None until both are open.

        It has the proof that the model is used as it was trained, where nothing is doubtful or the user took it as it
        is.
        """
        if self.opened_model is None or self.dataset is None:
            return None
        from core.session.bench import Bench, DataOptions  # loads torch, which both have loaded already

        kept = self._bench
        if kept is None or kept.opened_model is not self.opened_model or kept.opened_data is not self.dataset:
            options = self.data_options or DataOptions()
            kept = Bench(self.opened_model, self.dataset, options, trial=self.trial)
        proof = None if open_doubts(self.proof) else self.proof
        if kept.proof is not proof or kept.start is not self.start:
            kept = dataclasses.replace(kept, proof=proof, start=self.start)
        self._bench = kept
        return kept

    def set_opened(
        self,
        model: OpenedModel | None,
        dataset: Dataset | None,
        options: DataOptions | None = None,
        trial: Trial | None = None,
    ) -> None:
        """Swap model and data at once, so that nobody sees one with the other's predecessor; trial: of the two.

        What was measured goes where one of them changed; the forget set stays where the data is the same.
        """
        new_model, new_data = model is not self.opened_model, dataset is not self.dataset
        old_data = self.dataset
        self.opened_model, self.dataset, self.data_options, self.trial = model, dataset, options, trial
        if new_model or new_data:
            self.evaluation = {}
        if new_model:
            self.start = None
        kept = not new_data or _same_content(dataset, old_data)
        if not kept:
            self.history = _new_history(dataset)
        if new_model:
            self.model_changed.emit()
        if new_data:
            self.dataset_changed.emit()
        if new_model or new_data:
            self.evaluation_changed.emit()
        if not kept:
            self.selection_changed.emit()

    def set_selection(self, selection: Selection) -> None:
        """Make `selection` the forget set; can be undone."""
        if self.history is None:
            return
        self.history.push(selection)
        self.selection_changed.emit()

    def undo_selection(self) -> None:
        """Take the last change of the forget set back."""
        if self.history is not None:
            self.history.undo()
            self.selection_changed.emit()

    def redo_selection(self) -> None:
        """Make the change again."""
        if self.history is not None:
            self.history.redo()
            self.selection_changed.emit()

    def set_start(self, start: StartPart) -> None:
        """Take where the open model's own training began, as the user says."""
        self.start = start
        self.start_changed.emit()

    def set_evaluation(self, **results: Any) -> None:
        """Add measurements of the opened model."""
        self.evaluation = {**self.evaluation, **results}
        self.evaluation_changed.emit()

    def set_run(self, run: LiveRun | None) -> None:
        """Show another run."""
        self.set_compared(())
        self.run = run
        self.run_changed.emit()

    def set_overlaid(self, paths: Iterable[Path]) -> None:
        """Draw the curves of other runs with those of the one in view."""
        self.overlaid = tuple(dict.fromkeys(paths))
        self.overlaid_changed.emit()

    def set_compared(self, folders: tuple[RunFolder, ...]) -> None:
        """Hold runs side by side, or go back to the one in view."""
        if folders != self.compared or self.batch is not None:
            self.compared, self.batch = folders, None
            self.compared_changed.emit()

    def show_batch(self, file: Path | Literal[""] = "") -> None:
        """Hold the runs of a batch file side by side; "": of the one queued last."""
        self.compared, self.batch = (), file
        self.compared_changed.emit()

    @property
    def side_by_side(self) -> bool:
        """Whether several runs are looked at, in place of one."""
        return bool(self.compared) or self.batch is not None


def _same_content(one: Dataset | None, other: Dataset | None) -> bool:
    return one is not None and other is not None and one.fingerprint == other.fingerprint


def _new_history(dataset: Dataset | None) -> History | None:
    if dataset is None:
        return None
    from core.selection import Selection

    return History(Selection.empty(dataset.train.labels.numpy(), dataset.classes))
