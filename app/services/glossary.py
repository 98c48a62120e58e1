"""The words of the product, two sentences each and a little more: for dotted terms and the glossary."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices

from app.services.translation import mark, tr

HELP = "unlearn-help"  # of links that lead into the window


@dataclass(frozen=True)
class Term:
    """One word: `short` is shown in a pop-up, `more` in the glossary; `forms` are other ways to write it in a title."""

    key: str
    word: str
    short: str
    more: str = ""
    forms: tuple[str, ...] = ()


TERMS: dict[str, Term] = {  # texts to be given to `tr` where they are shown
    term.key: term
    for term in (
        Term("original", mark("Original model"),
             mark("The model that was opened. It is only read, never changed."),
             mark("Everything is compared with it: its numbers say where forgetting started.")),
        Term("forget_set", mark("Forget set"),
             mark("The training images to remove. All other training images are the retain set."),
             mark("Both have a test side as well: images of the same classes the model was not trained on."),
             (mark("Forget"),)),
        Term("retain_set", mark("Retain set"),
             mark("All training images that stay. What the model knows about them should not suffer."),
             mark("The retain features also give the space that alignment is measured in.")),
        Term("class_forgetting", mark("Class forgetting"),
             mark("The forget set is one or more whole classes. A retrained model then does not know them at all."),
             mark("Alignment, clustering and class means are made for this case.")),
        Term("sample_forgetting", mark("Sample forgetting"),
             mark("The forget set is some images of classes that stay. A retrained model still recognises most of "
                  "them."),
             mark("Losses and membership attacks tell more here than accuracy, and alignment tells nothing.")),
        Term("retrained", mark("Retrained model"),
             mark("A model trained from scratch without the forget set. It shows what forgetting would look like."),
             mark("Two retrained models also differ from each other; that spread is how close one can get.")),
        Term("head_only", mark("Head-only edit (control)"),
             mark("The original with only its last layer edited. Its outputs forget while its features do not."),
             mark("A method that does no better than this control has hidden the class, not forgotten it.")),
        Term("fresh", mark("Untrained model"),
             mark("The same network before any training. It shows what a measure gives by chance.")),
        Term("method", mark("Method"),
             mark("A way of making a model forget. A preset is a set of its parameters with a reason."),
             mark("Which one is best depends on model, data and forget set: a check tells, and several can be run "
                  "side by side."),
             (mark("Methods"),)),
        Term("run", mark("Run"),
             mark("One execution of a method. All of it lies in one folder that can be opened again, also while it "
                  "goes."),
             mark("A run that was started from a terminal is the same and can be opened here."),
             (mark("All runs"),)),
        Term("later_request", mark("Later request"),
             mark("A request that starts from the model of an earlier run. What was forgotten before stays "
                  "forgotten: those images are kept out of the retain set, of the run and of its retrained models."),
             mark("The result is judged on all requests together, against the model before the first of them."),
             (mark("Earlier requests"),)),
        Term("batch", mark("Batch"),
             mark("Several forget sets, methods and seeds on one model and data, written down in a file. Every "
                  "combination is a run, and the results are one table."),
             mark("What has its result is skipped when the file is opened again."),
             (mark("Batch results"),)),
        Term("phase", mark("Phase, round, step"),
             mark("A step is one change of the weights. A phase is one part of a method, and a round is one pass "
                  "over its phases.")),
        Term("alignment", mark("Dimensional alignment"),
             mark("Share of the forget features' energy that lies in the leading directions of the retain features, "
                  "from 0 to 1. The goal is the value of a retrained model, not 1."),
             mark("It is always given with k, the number of directions, the share of retain energy in them, and "
                  "whether features were centred. Near the retrained value is necessary, not sufficient.")),
        Term("eigenspectrum", mark("Eigenspectrum"),
             mark("The eigenvalues of the features' Gram matrix, largest first. They show how many directions a set "
                  "of images uses, and how strongly."),
             mark("When a class is forgotten in the features, its own directions shrink."),
             (mark("Eigenspectra"), mark("Eigenvalues"))),
        Term("energy", mark("Energy"),
             mark("How much of a set's features, squared, lies along each of the k directions that the retain "
                  "features use most. What lies beyond them is what the classes that stay do not use."),
             mark("A class that was never learnt lies within these directions, so forgetting moves its energy into "
                  "them.")),
        Term("feature_map", mark("Feature map"),
             mark("The same images in one plane of the features of the model at the start. All features are rotated "
                  "together to fit the start, so what still moves on the map is a real change."),
             mark("The map shows two of many directions, so it says how much of the variance they hold. Retrained "
                  "models are rotated in the same way.")),
        Term("probe", mark("Linear probe"),
             mark("A new linear classifier trained on the model's features. If it finds the class again, the "
                  "features still hold it."),
             mark("Accuracy 0 with a probe near the original's is hidden, not forgotten.")),
        Term("membership", mark("Membership attack"),
             mark("Tries to tell whether an image was trained on. 0.5 means that it cannot."),
             mark("The score is the area under the ROC curve; the share found at few false alarms is given too.")),
        Term("gap_closed", mark("Gap closed"),
             mark("How far a measure moved from the original's value (0) to the retrained model's (1). Above 1 is "
                  "further than retraining goes."),
             mark("A measure on which the two differ by no more than chance is not usable and is left out of the "
                  "verdict.")),
        Term("relearning", mark("Relearning time"),
             mark("How fast the model learns the forgotten images again. Much faster than a retrained model means "
                  "that it still held them.")),
        Term("nmi", mark("Clustering"),
             mark("How well the features fall into groups that match the forgotten classes, from 0 to 1. Lower than "
                  "the original means that the groups dissolve.")),
        Term("verdict", mark("Verdict"),
             mark("The sentence that says whether the result is closer to the original or to a retrained model. It "
                  "follows written rules; the thresholds stand in the report.")),
        Term("seen_before", mark("Seen before"),
             mark("These images were set aside from the training images, so the model has already seen them. Results"
                  " on them look better than they are.")),
        Term("fingerprint", mark("Fingerprint"),
             mark("A checksum of the data's content. A run or forget list made for other data is refused by it.")),
        Term("preprocessing", mark("Preprocessing"),
             mark("Size, mean and spread that images are brought to before the network. Wrong values look like a bad"
                  " model.")),
        Term("monitoring_budget", mark("Monitoring budget"),
             mark("Largest share of the time spent on measuring while a run goes. Less gives fewer points in the "
                  "curves, not a different result.")),
    )
}  # fmt: skip


def term_of(text: str) -> Term | None:
    """Return the term a title names, in any case; None where the glossary does not hold it."""
    wanted = text.casefold()
    return next((t for t in TERMS.values() if wanted in (tr(f).casefold() for f in (t.word, *t.forms))), None)


def open_help(part: str, place: str) -> None:
    """Have the window open its "glossary" at a term, or its "guide" where a hint points to; Qt finds the window."""
    url = QUrl()
    url.setScheme(HELP)
    url.setPath(f"{part}/{place}")
    QDesktopServices.openUrl(url)
