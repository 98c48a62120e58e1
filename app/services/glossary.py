"""The words of the product, two sentences each and a little more: for dotted terms and the glossary."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices

HELP = "unlearn-help"  # of links that lead into the window


@dataclass(frozen=True)
class Term:
    """One word: `short` is shown in a pop-up, `more` in the glossary; `forms` are other ways to write it in a title."""

    key: str
    word: str
    short: str
    more: str = ""
    forms: tuple[str, ...] = ()


TERMS: dict[str, Term] = {
    term.key: term
    for term in (
        Term("original", "Original model",
             "The model that was opened. It is only read, never changed.",
             "Everything is compared with it: its numbers say where forgetting started."),
        Term("forget_set", "Forget set",
             "The training images to remove. All other training images are the retain set.",
             "Both have a test side as well: images of the same classes the model was not trained on."),
        Term("retain_set", "Retain set",
             "All training images that stay. What the model knows about them should not suffer.",
             "The retain features also give the space that alignment is measured in."),
        Term("class_forgetting", "Class forgetting",
             "The forget set is one or more whole classes. A retrained model then does not know them at all.",
             "Alignment, clustering and class means are made for this case."),
        Term("sample_forgetting", "Sample forgetting",
             "The forget set is some images of classes that stay. A retrained model still recognises most of them.",
             "Losses and membership attacks tell more here than accuracy, and alignment tells nothing."),
        Term("retrained", "Retrained model",
             "A model trained from scratch without the forget set. It shows what forgetting would look like.",
             "Two retrained models also differ from each other; that spread is how close one can get."),
        Term("head_only", "Head-only edit (control)",
             "The original with only its last layer edited. Its outputs forget while its features do not.",
             "A method that does no better than this control has hidden the class, not forgotten it."),
        Term("fresh", "Untrained model",
             "The same network before any training. It shows what a measure gives by chance.", ""),
        Term("method", "Method",
             "A way of making a model forget. A preset is a set of its parameters with a reason.",
             "Which one is best depends on model, data and forget set: a check tells, and several can be run side by "
             "side.", ("Methods",)),
        Term("run", "Run",
             "One execution of a method. All of it lies in one folder that can be opened again, also while it goes.",
             "A run that was started from a terminal is the same and can be opened here.", ("All runs",)),
        Term("later_request", "Later request",
             "A request that starts from the model of an earlier run. What was forgotten before stays forgotten: those "
             "images are kept out of the retain set, of the run and of its retrained models.",
             "The result is judged on all requests together, against the model before the first of them.",
             ("Earlier requests",)),
        Term("batch", "Batch",
             "Several forget sets, methods and seeds on one model and data, written down in a file. Every combination "
             "is a run, and the results are one table.",
             "What has its result is skipped when the file is opened again.", ("Batch results",)),
        Term("phase", "Phase, round, step",
             "A step is one change of the weights. A phase is one part of a method, and a round is one pass over "
             "its phases.", ""),
        Term("alignment", "Dimensional alignment",
             "Share of the forget features' energy that lies in the leading directions of the retain features, "
             "from 0 to 1. The goal is the value of a retrained model, not 1.",
             "It is always given with k, the number of directions, the share of retain energy in them, and "
             "whether features were centred. Near the retrained value is necessary, not sufficient."),
        Term("eigenspectrum", "Eigenspectrum",
             "The eigenvalues of the features' Gram matrix, largest first. They show how many directions a set "
             "of images uses, and how strongly.",
             "When a class is forgotten in the features, its own directions shrink.",
             ("Eigenspectra", "Eigenvalues", "Ratio to the start")),
        Term("energy", "Energy",
             "How much of a set's features, squared, lies along each of the k directions that the retain features use "
             "most. What lies beyond them is what the classes that stay do not use.",
             "A class that was never learnt lies within these directions, so forgetting moves its energy into them."),
        Term("feature_map", "Feature map",
             "The same images in one plane of the features of the model at the start. All features are turned together "
             "to fit the start, so what has moved on the map, no turn brings back.",
             "Two directions of many: what leaves the plane is not seen, so the share of the variance that it holds is "
             "given. Retrained models are turned in the same way."),
        Term("probe", "Linear probe",
             "A new linear classifier trained on the model's features. If it finds the class again, the features "
             "still hold it.",
             "Accuracy 0 with a probe near the original's is hidden, not forgotten."),
        Term("membership", "Membership attack",
             "Tries to tell whether an image was trained on. 0.5 means that it cannot.",
             "The score is the area under the ROC curve; the share found at few false alarms is given too."),
        Term("gap_closed", "Gap closed",
             "How far a measure moved from the original's value (0) to the retrained model's (1). Above 1 is "
             "further than retraining goes.",
             "A measure on which the two differ by no more than chance is not usable and is left out of the verdict."),
        Term("relearning", "Relearning time",
             "How fast the model learns the forgotten images again. Much faster than a retrained model means that "
             "it still held them.", ""),
        Term("nmi", "Clustering",
             "How well the features fall into groups that match the forgotten classes, from 0 to 1. Lower than "
             "the original means that the groups dissolve.", ""),
        Term("verdict", "Verdict",
             "The sentence that says whether the result is closer to the original or to a retrained model. It "
             "follows written rules; the thresholds stand in the report.", ""),
        Term("seen_before", "Seen before",
             "These images were set aside from the training images, so the model has already seen them. Results "
             "on them look better than they are.", ""),
        Term("fingerprint", "Fingerprint",
             "A checksum of the data's content. A run or forget list made for other data is refused by it.", ""),
        Term("preprocessing", "Preprocessing",
             "Size, mean and spread that images are brought to before the network. Wrong values look like a bad "
             "model.", ""),
        Term("monitoring_budget", "Monitoring budget",
             "Largest share of the time spent on measuring while a run goes. Less gives fewer points in the "
             "curves, not a different result.", ""),
    )
}  # fmt: skip


def term_of(text: str) -> Term | None:
    """Return the term a title names, in any case; None where the glossary does not hold it."""
    wanted = text.casefold()
    return next((t for t in TERMS.values() if wanted in (t.word.casefold(), *(f.casefold() for f in t.forms))), None)


def term(key: str) -> Term:
    """Return a term; raises KeyError for a word the glossary does not hold."""
    return TERMS[key]


def open_help(part: str, place: str) -> None:
    """Have the window open its "glossary" at a term, or its "guide" where a hint points to; Qt finds the window."""
    url = QUrl()
    url.setScheme(HELP)
    url.setPath(f"{part}/{place}")
    QDesktopServices.openUrl(url)
