"""What the window says about runs and methods: where one stands, how it ended, what it needs. Text only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from app.services import format as fmt
from app.services.translation import mark, tr
from core.events import Evaluation, StagePart, State
from core.verify.numbers import training_cost

if TYPE_CHECKING:
    from app.workers.live_run import LiveRun
    from core.job import Job
    from core.methods.base import Method
    from core.selection import Selection

PHASES = {
    "forget": mark("Forget"), "recover": mark("Recover"),
    "alternate": mark("Forget and recover"), "train": mark("Train"), "edit": mark("Edit"),
}  # fmt: skip
# A word for each state, and one of the window's five shapes: empty ○, ready ◐, running ▶, done ✓, problem !
STATES = {
    State.QUEUED: (mark("Waiting"), "empty"), State.PREPARING: (mark("Preparing"), "running"),
    State.RUNNING: (mark("Running"), "running"), State.PAUSED: (mark("Paused"), "ready"),
    State.STOPPING: (mark("Stopping"), "running"), State.STOPPED: (mark("Stopped"), "done"),
    State.DISCARDING: (mark("Discarding"), "running"), State.DISCARDED: (mark("Discarded"), "empty"),
    State.FINISHED: (mark("Finished"), "done"), State.FAILED: (mark("Failed"), "problem"),
    State.INTERRUPTED: (mark("Interrupted"), "ready"),
}  # fmt: skip
# How a run of a kind, or of any, ends.
ENDINGS = {
    ("search", State.FINISHED): mark("Settings tried."),
    ("search", State.STOPPED): mark("The search was stopped. What was tried is kept."),
    ("check", State.FINISHED): mark("Checked."),
    State.FINISHED: mark("Finished in {time}."),
    State.STOPPED: mark("Stopped at {step}. The model is kept as it was then."),
    State.DISCARDED: mark("Discarded. The original model was not touched."),
    State.FAILED: mark("Failed at {step}."),
    State.QUEUED: mark("Waiting for the run before it to end."),
}
OPENING = mark("opening model and data")
STOP_TIP = mark("Ends after this step and keeps the model as it is now.")
NO_RUN = mark("Curves appear here while a run goes. First choose what to forget.")
UNSUITABLE = mark("Not suitable here")
CORRECTING = mark("For corrections")
CORRECTING_TIP = mark("What did best on planted wrong labels and a planted trigger (python -m benchmarks.corrective).")
UNWEIGHTED = mark("This method counts all forget images alike: the weights of the list change nothing.")
OUTCOME_CODES = ("unchanged", "damage", "unseen")  # of warnings about how a run ended: they stand with its outcome
_SHOWN = 2  # classes of a forget set named before "and 3 more"
_ROUND = re.compile(r"round (\d+) of (\d+)")


def state_word(state: State) -> str:
    """Name a state: "Running"."""
    return tr(STATES[state][0])


def state_shape(state: State) -> str:
    """Return the shape that stands for a state."""
    return STATES[state][1]


def phase_parts(stage: StagePart) -> list[str]:
    """Name a stage of the plan, and its round where it has one: ["Forget", "round 2 of 4"]."""
    phase = stage["phase"]
    word = tr(PHASES[phase]) if phase in PHASES else phase.capitalize()
    found = _ROUND.search(stage["name"])
    return [word, tr("round {number} of {count}", number=found[1], count=found[2])] if found else [word]


def phase_of(stage: StagePart) -> str:
    """Name a stage of the plan for the strip: "Forget, round 2 of 4"."""
    return ", ".join(phase_parts(stage))


def stage_at(run: LiveRun, step: int) -> StagePart | None:
    """Return the stage of the plan that holds a step; the last one at the end."""
    for stage in run.stages:
        if stage["first"] <= step < stage["last"]:
            return stage
    return run.stages[-1] if run.stages and step >= run.stages[-1]["last"] else None


def step_of(run: LiveRun) -> str:
    """Return "step 310 of 920"."""
    if not run.steps:
        return tr("step {step}", step=fmt.count(run.step))
    return tr("step {step} of {steps}", step=fmt.count(run.step), steps=fmt.count(run.steps))


def headline(run: LiveRun) -> str:
    """Say where a run stands, in the parts that are known: phase, round, step, time left."""
    if run.state is State.PREPARING:
        return tr("Preparing · {what}", what=progress_of(run) or tr(OPENING))
    if run.state is State.STOPPING:
        return tr("Stopping · {what}", what=_finishing(run))
    if run.state is State.DISCARDING:
        return tr("Discarding · ends after this step, then its %n checkpoints are deleted", n=run.checkpoints)
    if run.state is State.PAUSED:
        return tr("Paused · {step}", step=step_of(run))
    return _running(run) if run.state is State.RUNNING else ending(run)


def _running(run: LiveRun) -> str:
    if run.kind == "check":
        return tr("Checking · {what}", what=progress_of(run) or tr(OPENING))
    if run.asked == "pause":
        return tr("Pausing after this step · {step}", step=step_of(run))
    if run.kind == "search":
        return _capital(progress_of(run) or tr("preparing the search for settings"))
    if run.progress is not None and (run.step >= run.steps or not run.stages):
        return _capital(progress_of(run))
    stage = stage_at(run, run.step)
    parts = [*(phase_parts(stage) if stage is not None else ()), step_of(run)]
    if run.asked == "checkpoint":
        parts.append(tr("saving a checkpoint after this step"))
    elif run.remaining is not None and run.remaining >= 0.5:
        parts.append(tr("{time} left", time=fmt.duration(run.remaining)))
    return " · ".join(parts)


def _finishing(run: LiveRun) -> str:
    if run.kind == "check":
        return tr("what it measures now is not kept")
    if run.kind == "search":
        return tr("what it tries now is not kept")
    if not run.steps:
        return tr("nothing to keep yet")
    return progress_of(run) or tr("finishing {step}, then the model is kept and measured", step=step_of(run))


def progress_of(run: LiveRun) -> str:
    """Say what goes on outside the steps: "measuring the original model, 3 of 10"."""
    progress = run.progress
    if progress is None:
        return ""
    what = progress.what[:1].lower() + progress.what[1:]
    if progress.total <= 1:
        return what
    return tr("{what}, {done} of {total}", what=what, done=fmt.count(progress.done), total=fmt.count(progress.total))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def outcome(run: LiveRun) -> str:
    """Say in words how a run ended, what became of the accuracies, and what is to be minded."""
    return " ".join(part for part in (ending(run), change(run), *outcome_warnings(run)) if part)


def ending(run: LiveRun) -> str:
    """Say in words how a run ended."""
    if run.state is State.INTERRUPTED:
        return interrupted(run.step)
    sentence = ENDINGS.get((run.kind, run.state)) or ENDINGS.get(run.state)
    if sentence is None or (run.state is State.FINISHED and run.makes_model and run.finished is None):
        return f"{state_word(run.state)}."
    return tr(sentence, step=step_of(run), time=fmt.duration(run.finished.seconds if run.finished else None))


def interrupted(step: int) -> str:
    """The sentence of an interrupted run."""
    return tr(
        "A run was interrupted at step {step}. Resuming gives the same result as if it had not been.",
        step=fmt.count(step),
    )


def change(run: LiveRun) -> str:
    """Say what became of the accuracies, each beside the original's; "" before there are both."""
    before, after = ends(run)
    if run.state not in (State.FINISHED, State.STOPPED) or after is None:
        return ""
    if run.kind == "train":
        return tr("Accuracy on unseen images: {accuracy}.", accuracy=fmt.percent(after.retain_test_accuracy))
    if before is None:
        return ""
    if run.forget_mode == "sample":
        where, forget = tr("the forget images"), (before.forget_accuracy, after.forget_accuracy)
    else:
        images = after.counts.get("forget_test", 0)
        where = tr("%n images seen before", n=images) if seen_before(run) else tr("%n unseen images", n=images)
        forget = (before.forget_test_accuracy, after.forget_test_accuracy)
    if run.job is not None and run.job.requests:
        where = tr("{images} of all requests", images=where)
    shares = (*forget, before.retain_test_accuracy, after.retain_test_accuracy)
    if set(shares) == {None}:  # of an encoder
        return ""
    names = ("forget_before", "forget_after", "retain_before", "retain_after")
    said: dict[str, Any] = {name: fmt.percent(share, unit=False) for name, share in zip(names, shares, strict=True)}
    return tr("Forget accuracy on {where} went from {forget_before} to {forget_after} %, "
              "retain accuracy on {images} from {retain_before} to {retain_after} %.",
              where=where, images=fmt.count(after.counts.get("retain_test", 0)), **said)  # fmt: skip


def seen_before(run: LiveRun) -> bool:
    """Whether the test images were set aside from the training images, so that the original has seen them."""
    return run.kind != "train" and run.job is not None and run.job.data.test_origin == "set aside"


def outcome_warnings(run: LiveRun) -> list[str]:
    """Say what is to be minded about the result of a run that ended, newest numbers last, each sentence once."""
    return list(dict.fromkeys(log.message for log in run.warnings if run.ended and log.code in OUTCOME_CODES))


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
    return tr("The folder of this run is gone: {path}", path=run.path)


def discard_question(run: LiveRun) -> str:
    """The question before a run is thrown away."""
    if not run.checkpoints:
        return tr("Discard this run? What it recorded is deleted. The original model is not touched.")
    return tr("Discard this run? Its %n checkpoints are deleted. The original model is not touched.",
              n=run.checkpoints)  # fmt: skip


def on_disk(run: LiveRun) -> str:
    """Say what of a run is on disk already, for the dialog that closes the window."""
    if run.checkpoint_step is None:
        return tr("On disk: results up to {step}.", step=step_of(run))
    return tr("On disk: a checkpoint at step {checkpoint} and results up to {step}.",
              checkpoint=fmt.count(run.checkpoint_step), step=step_of(run))  # fmt: skip


def without_window(run: LiveRun) -> str:
    """Say what becomes of a run where the window closes and work goes on."""
    if run.outlasts:
        return tr("It has a process of its own and goes on without the window; Runs shows it.")
    if run.makes_model:
        return tr("It can go on without the window, in a process of its own; Runs shows it.")
    return tr("It can be done without the window: measures that are finished are not taken again.")


def close_question(run: LiveRun) -> str:
    """The question before the window closes over a run."""
    if run.kind == "check":
        return tr("A check is going.")
    if run.kind == "search":
        return tr("A search for settings is going.")
    return tr("A run is going: {step}.", step=step_of(run)) if run.steps else tr("A run is being prepared.")


GROUPS = {  # of methods: the heading over their cards, and what they have in common
    "reference": (mark("References"), mark("What results are compared with: not ways to forget.")),
    "alignment": (mark("Alignment"), mark("Move the features of the forget images into the space of what stays.")),
    "relabelling": (mark("Relabelling"), mark("Teach the forget images other labels than their own.")),
    "distillation": (mark("Distillation"),
                     mark("Let the model follow teachers: one for what stays, another for what goes.")),
    "gradient": (mark("Gradient"), mark("Train on along or against the gradient of the usual loss.")),
    "closed form": (mark("Closed form"), mark("Change weights in one act, without training steps.")),
}  # fmt: skip
NEEDS = {  # of methods, in the order they are named
    "forget set": mark("forget images"), "retain set": mark("retain images"),
    "forget classes": mark("whole classes to forget"), "teacher": mark("the original as teacher"),
    "untrained": mark("an untrained network"),
}  # fmt: skip


def group_title(group: str) -> str:
    """The heading over a group's cards."""
    return tr(GROUPS[group][0])


def group_line(title: str) -> str:
    """What the methods under a heading have in common; "" for a heading that is no group's."""
    if title == tr(CORRECTING):
        return tr(CORRECTING_TIP)
    return next((tr(line) for heading, line in GROUPS.values() if tr(heading) == title), "")


def needs(method: Method) -> str:
    """What a method must be given: "Needs: forget images, retain images"."""
    wanted = [tr(text) for need, text in NEEDS.items() if need in method.needs]
    return tr("Needs: {what}", what=", ".join(wanted)) if wanted else tr("Needs nothing but the model")


def suits(method: Method) -> str:
    """When a method makes sense: "For whole classes and single images"."""
    if {"class", "sample"} <= set(method.suits):
        return tr("For whole classes and single images")
    return tr("For whole classes") if "class" in method.suits else tr("For single images")


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
    if selection.weights is None:
        return fmt.images(selection.count)
    return tr("%n images, weighted", n=selection.count)


def described(selection: Selection) -> str:
    """The summary line of a forget set, which also says whether its images count unequally."""
    text = selection.describe()
    return text if selection.weights is None else tr("{forget_set} · weighted", forget_set=text)


def describe_run(job: Job) -> str:
    """Name a run by method and forget set ("muda · class 3"), a training by what it leaves out."""
    if job.kind != "train":
        return f"{job.method} · {describe_forget(job)}"
    if job.forget.mode == "none":
        return tr("Training, all data")
    return tr("Training without {forget_set}", forget_set=describe_forget(job))


def describe_forget(job: Job) -> str:
    """Name a job's forget set: "class 3", "classes 3, 5 and 2 more", "37 images"."""
    names = job.forget.class_names
    if job.forget.mode == "none":
        return tr("none")
    if not names:
        return fmt.images(job.forget.count)
    shown = fmt.some(names, _SHOWN)
    text = tr("class {names}", names=shown) if len(names) == 1 else tr("classes {names}", names=shown)
    return tr("{classes} and images", classes=text) if job.forget.mode == "mixed" else text
