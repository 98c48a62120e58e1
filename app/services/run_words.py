"""What the window says about runs and methods: where one stands, how it ended, what it needs. Text only."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from app.services import format as fmt
from core.events import Evaluation, State
from core.verify.numbers import training_cost

if TYPE_CHECKING:
    from app.workers.live_run import LiveRun
    from core.job import Job
    from core.methods.base import Method
    from core.selection import Selection

PHASES = {
    "forget": "Forget", "recover": "Recover", "alternate": "Forget and recover", "train": "Train", "edit": "Edit",
}  # fmt: skip
STATE_WORDS = {
    State.QUEUED: "Waiting", State.PREPARING: "Preparing", State.RUNNING: "Running", State.PAUSED: "Paused",
    State.STOPPING: "Stopping", State.STOPPED: "Stopped", State.DISCARDING: "Discarding",
    State.DISCARDED: "Discarded", State.FINISHED: "Finished", State.FAILED: "Failed",
    State.INTERRUPTED: "Interrupted",
}  # fmt: skip
# The five shapes of the window: empty ○, ready ◐, running ▶, done ✓, problem !
STATE_SHAPES = {
    State.QUEUED: "empty", State.PREPARING: "running", State.RUNNING: "running", State.PAUSED: "ready",
    State.STOPPING: "running", State.STOPPED: "done", State.DISCARDING: "running", State.DISCARDED: "empty",
    State.FINISHED: "done", State.FAILED: "problem", State.INTERRUPTED: "ready",
}  # fmt: skip

STOP_TIP = "Ends after this step and keeps the model as it is now."
NO_RUN = "Curves appear here while a run goes. First choose what to forget."
RECONSTRUCTION = "MUDA (reconstruction): the measure and the losses follow the paper; schedule and settings are ours."
NO_ALIGNMENT = "Alignment compares whole classes. For single images it says nothing, so losses are shown instead."
# Warnings about how a run ended: they stand with its outcome, not above the curves.
_SHOWN = 2  # classes of a forget set named before "and 3 more"
OUTCOME_CODES = ("unchanged", "damage", "unseen")
_ROUND = re.compile(r"round (\d+) of (\d+)")


def phase_of(stage: dict[str, Any]) -> str:
    """Name a stage of the plan for the strip and the head: "Forget, round 2 of 4"."""
    word = PHASES.get(str(stage.get("phase")), str(stage.get("phase", "")).capitalize())
    found = _ROUND.search(str(stage.get("name", "")))
    return f"{word}, {found.group(0)}" if found else word


def stage_at(run: LiveRun, step: int) -> dict[str, Any] | None:
    """Return the stage of the plan that holds a step; the last one at the end."""
    for stage in run.stages:
        if stage["first"] <= step < stage["last"]:
            return stage
    return run.stages[-1] if run.stages and step >= run.stages[-1]["last"] else None


def step_of(run: LiveRun) -> str:
    """Return "step 310 of 920"."""
    return f"step {fmt.count(run.step)} of {fmt.count(run.steps)}" if run.steps else f"step {fmt.count(run.step)}"


def headline(run: LiveRun) -> str:
    """Say where a run stands, in the parts that are known: phase, round, step, time left."""
    state = run.state
    if state is State.PREPARING:
        return " · ".join(["Preparing", progress_of(run) or "opening model and data"])
    if state is State.STOPPING:
        return f"Stopping · {_finishing(run)}"
    if state is State.DISCARDING:
        number = fmt.plural(run.checkpoints, "checkpoint")
        return f"Discarding · ends after this step, then its {number} are deleted"
    if state is State.PAUSED:
        return f"Paused · {step_of(run)}"
    if state is State.RUNNING:
        return _running(run)
    return ending(run)


def progress_of(run: LiveRun) -> str:
    """Say what goes on outside the steps: "measuring the original model, 3 of 10"."""
    progress = run.progress
    if progress is None:
        return ""
    what = progress.what[:1].lower() + progress.what[1:]
    if progress.total > 1:
        what = f"{what}, {fmt.count(progress.done)} of {fmt.count(progress.total)}"
    return what


def outcome(run: LiveRun) -> str:
    """Say in words how a run ended, what became of the accuracies, and what is to be minded."""
    return " ".join(part for part in (ending(run), change(run), *outcome_warnings(run)) if part)


def ending(run: LiveRun) -> str:
    """Say in words how a run ended."""
    state = run.state
    if state in (State.FINISHED, State.STOPPED) and run.kind == "search":
        return "Settings tried." if state is State.FINISHED else "The search was stopped. What was tried is kept."
    if state is State.FINISHED:
        if run.kind == "check":
            return "Checked."
        return f"Finished in {fmt.duration(run.finished.seconds)}." if run.finished else "Finished."
    if state is State.STOPPED:
        return f"Stopped at {step_of(run)}. The model is kept as it was then."
    if state is State.DISCARDED:
        return "Discarded. The original model was not touched."
    if state is State.FAILED:
        return f"Failed at {step_of(run)}."
    if state is State.INTERRUPTED:
        return interrupted(run.step)
    if state is State.QUEUED:
        return "Waiting for the run before it to end."
    return STATE_WORDS[state]


def interrupted(step: int) -> str:
    """The sentence of an interrupted run."""
    return (
        f"A run stopped at step {fmt.count(step)} when the app ended. "
        "Resuming gives the same result as if it had not."
    )


def change(run: LiveRun) -> str:
    """Say what became of the accuracies, each beside the original's; "" before there are both."""
    if run.state not in (State.FINISHED, State.STOPPED):
        return ""
    before, after = ends(run)
    if after is None:
        return ""
    if run.kind == "train":
        return f"Accuracy on unseen images: {fmt.percent(after.retain_test_accuracy)}."
    if before is None:
        return ""
    sample = run.forget_mode == "sample"
    forget = (before.forget_accuracy, after.forget_accuracy) if sample else (
        before.forget_test_accuracy, after.forget_test_accuracy
    )  # fmt: skip
    of_forget = after.counts.get("forget_test")
    where = "on the forget images" if sample else f"on {fmt.count(of_forget) + ' ' if of_forget else ''}unseen images"
    if run.job is not None and run.job.requests:
        where += " of all requests"
    of_retain = after.counts.get("retain_test")
    on = f" on {fmt.count(of_retain)}" if of_retain else ""
    return (
        f"Forget accuracy {where} went from {_from_to(*forget)}, "
        f"retain accuracy{on} from {_from_to(before.retain_test_accuracy, after.retain_test_accuracy)}."
    )


def _from_to(before: float | None, after: float | None) -> str:
    """Two percentages with one unit: "100.0 to 93.8 %"."""
    return f"{fmt.percent(before, unit=False)} to {fmt.percent(after, unit=False)} %"


def outcome_warnings(run: LiveRun) -> list[str]:
    """Say what is to be minded about the result of a run that ended, newest numbers last, each sentence once."""
    if not run.ended:
        return []
    return list(dict.fromkeys(log.message for log in run.warnings if log.code in OUTCOME_CODES))


def ends(run: LiveRun) -> tuple[Evaluation | None, Evaluation | None]:
    """Return the full evaluations at the start and at the end; None where one was not taken."""
    full = run.history.full
    before = full[0] if full and full[0].step == 0 and run.kind != "train" else None
    after = full[-1] if full and full[-1] is not before else None
    return before, after


def gone(run: LiveRun | None) -> str:
    """Say where a run's folder was deleted by somebody else; "" where it is there."""
    if run is None or run.state is State.DISCARDED or run.active or run.path.exists():
        return ""
    return f"The folder of this run is gone: {run.path}"


def discard_question(run: LiveRun) -> str:
    """The question before a run is thrown away."""
    return (
        f"Discard this run? {_checkpoints(run.checkpoints)} deleted. The original model is not touched."
    )


def on_disk(run: LiveRun) -> str:
    """Say what of a run is on disk already, for the dialog that closes the window."""
    parts = [f"results up to {step_of(run)}"]
    if run.checkpoint_step is not None:
        parts.insert(0, f"a checkpoint at step {fmt.count(run.checkpoint_step)}")
    return f"On disk: {' and '.join(parts)}."


def close_question(run: LiveRun) -> str:
    """The question before the window closes over a run."""
    if run.kind == "check":
        return "A check is going."
    if run.kind == "search":
        return "A search for settings is going."
    if not run.steps:
        return "A run is being prepared."
    return f"A run is going: {step_of(run)}."


def _checkpoints(number: int) -> str:
    if not number:
        return "What it recorded is"
    return f"Its {fmt.plural(number, 'checkpoint')} {'is' if number == 1 else 'are'}"


def _running(run: LiveRun) -> str:
    if run.kind == "check":
        return f"Checking · {progress_of(run) or 'opening model and data'}"
    if run.kind == "search":
        return (progress_of(run) or "preparing the search for settings").capitalize()
    if run.asked == "pause":
        return f"Pausing after this step · {step_of(run)}"
    if run.progress is not None and (run.step >= run.steps or not run.stages):
        return progress_of(run)[:1].upper() + progress_of(run)[1:]
    parts = []
    stage = stage_at(run, run.step)
    if stage is not None:
        parts += phase_of(stage).split(", ")
    parts.append(step_of(run))
    if run.asked == "checkpoint":
        parts.append("saving a checkpoint after this step")
    elif run.remaining is not None and run.remaining >= 0.5:
        parts.append(f"{fmt.duration(run.remaining)} left")
    return " · ".join(parts)


def _finishing(run: LiveRun) -> str:
    if run.kind == "check":
        return "what it measures now is not kept"
    if run.kind == "search":
        return "what it tries now is not kept"
    if not run.steps:
        return "nothing to keep yet"
    if run.progress is not None:
        return progress_of(run)
    return f"finishing {step_of(run)}, then the model is kept and measured"


GROUP_TITLES = {
    "reference": "References", "alignment": "Alignment", "relabelling": "Relabelling",
    "distillation": "Distillation", "gradient": "Gradient", "closed form": "Closed form",
}  # fmt: skip
GROUP_LINES = {
    "reference": "What results are held against: not ways to forget.",
    "alignment": "Move the features of the forget images into the space of what stays.",
    "relabelling": "Teach the forget images other labels than their own.",
    "distillation": "Let the model follow teachers: one for what stays, another for what goes.",
    "gradient": "Train on along or against the gradient of the usual loss.",
    "closed form": "Change weights in one act, without training steps.",
}
UNSUITABLE = "Not suitable here"
UNWEIGHTED = "This method counts all forget images alike: the weights of the list change nothing."
_NEEDS = {
    "forget set": "forget images", "retain set": "retain images", "teacher": "the original as teacher",
    "forget classes": "whole classes to forget", "untrained": "an untrained network",
}  # fmt: skip
_ORDER = ("forget set", "retain set", "forget classes", "teacher", "untrained")


def group_title(group: str) -> str:
    """The heading over a group's cards."""
    return GROUP_TITLES.get(group, group.capitalize())


def group_line(title: str) -> str:
    """What the methods under a heading have in common; "" for a heading that is no group's."""
    return next((line for group, line in GROUP_LINES.items() if GROUP_TITLES[group] == title), "")


def needs(method: Method) -> str:
    """What a method must be given: "Needs forget images and retain images"."""
    known = [need for need in _ORDER if need in method.needs]
    wanted = [*known, *sorted(set(method.needs) - set(known))]
    words = [_NEEDS.get(need, need) for need in wanted]
    if {"forget set", "retain set"} <= set(wanted):
        words = ["forget and retain images", *words[2:]]
    return f"Needs {_joined(words)}" if words else "Needs nothing but the model"


def suits(method: Method) -> str:
    """When a method makes sense: "For whole classes and single images"."""
    kinds = {"class": "whole classes", "sample": "single images"}
    return f"For {_joined([words for kind, words in kinds.items() if kind in method.suits])}"


def cost(share: float | None, method_id: str = "") -> str:
    """Training cost beside retraining's, `share` as a ratio: "About 9 % of retraining"; "" where it is not known."""
    return training_cost(share, method_id, fmt.decimal)


def haystack(method: Method) -> str:
    """What a search looks in, in lower case."""
    parts = (method.id, method.title, method.summary, method.citation, method.group, group_title(method.group))
    return " ".join(parts).lower()


def matches(text: str, wanted: str) -> bool:
    """Whether every word of `wanted` occurs in `text`; both in lower case."""
    return all(word in text for word in wanted.split())


def chosen(selection: Selection) -> str:
    """How many images are to be forgotten, and whether they count unequally: "37 images, weighted"."""
    weighted = ", weighted" if selection.weights is not None else ""
    return f"{fmt.images(selection.count)}{weighted}"


def described(selection: Selection) -> str:
    """The summary line of a forget set, which also says whether its images count unequally."""
    return f"{selection.describe()} · weighted" if selection.weights is not None else selection.describe()


def _joined(words: Iterable[str]) -> str:
    listed = list(words)
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} and {listed[-1]}" if listed else ""


def describe_run(job: Job) -> str:
    """Name a run by method and forget set ("muda · class 3"), a training by what it leaves out."""
    if job.kind == "train":
        return "Training, all data" if job.forget.mode == "none" else f"Training without {describe_forget(job)}"
    return f"{job.method} · {describe_forget(job)}"


def describe_forget(job: Job) -> str:
    """Name a job's forget set: "class 3", "classes 3, 5 and 2 more", "37 images"."""
    names = job.forget.class_names
    if job.forget.mode == "none":
        return "none"
    if not names:
        return fmt.images(job.forget.count)
    shown = ", ".join(names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{'class' if len(names) == 1 else 'classes'} {shown}{more}" + (
        " and images" if job.forget.mode == "mixed" else ""
    )
