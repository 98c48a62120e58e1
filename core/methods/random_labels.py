"""Random labels: teaches the images to forget wrong labels, and the others their own again.

    for each pass:
        forget:   CE(forget batch, wrong labels)
        recover:  CE(retain batch, true labels)          or both sets shuffled together

Three recipes go by this name. "Amnesiac": one wrong label an image, both sets shuffled. The other two draw new labels
in every pass, the true one included: forget set first, or both sets shuffled. Ours, the default: one wrong label an
image, never its own and never another class that is to be forgotten, forget set first.
"""

from __future__ import annotations

from core.methods.base import STEP_SIZE_SEARCH, Facts, Method, Preset, SearchRange, Train
from core.methods.common import optimiser_parameters
from core.methods.relabelling import RELABELLING, relabelling_stages
from core.parameters import Values


def plan(values: Values, facts: Facts) -> list[Train]:
    """Pass after pass of relabelling and recovering."""
    return relabelling_stages(values, facts)


def explain(values: Values, facts: Facts) -> tuple[str, ...]:
    """Say what images are taught where that is not what it seems."""
    parts = []
    if values.labels == "any class":
        parts.append(f"One in {facts.num_classes} images is taught its own label again: any class may be drawn.")
    if facts.single_images:
        parts.append("Single images are taught to be wrong, which unseen images of their class are not.")
    return tuple(parts)


RANDOM_LABELS = Method(
    id="random-labels",
    title="Random labels",
    summary="Teaches the images to forget wrong labels, then the others their own again. Outputs on the forget set end "
    "up less sure than a retrained network's.",
    citation="Graves et al. 2021, amnesiac unlearning (arXiv 2010.10981); Golatkar et al. 2020 (arXiv 1911.04933); "
    "variants as in the code of Fan et al. 2024 (arXiv 2310.12508, MIT licence)",
    status="baseline",
    group="relabelling",
    parameters=(*RELABELLING, *optimiser_parameters(lr=0.03, schedule="cosine", batch=64)),
    plan=plan,
    needs=frozenset({"forget set", "retain set"}),
    presets=(
        Preset(
            "samples",
            "Single images",
            "Ours, with small steps, because a wrong label is more than unseen images have.",
            {"lr": 0.01, "epochs": 1},
            frozenset({"sample"}),
        ),
        Preset(
            "default",
            "Default",
            "Ours: one wrong label an image, a class that stays, forget set first, at most 10 steps of it in a pass; "
            "chosen on digits and Fashion-MNIST.",
            {"lr": 0.01, "epochs": 4, "max_steps": 10},
        ),
        Preset(
            "amnesiac",
            "Amnesiac",
            "As published in 2021: one wrong label an image, both sets shuffled together, 3 passes of AdamW at 0.0001.",
            {"labels": "other classes", "order": "mixed", "epochs": 3, "optimiser": "adamw", "lr": 1e-4, "batch": 128},
        ),
        Preset(
            "every-pass",
            "New labels, forget set first",
            "As in the code of SalUn for 10 classes: any class in every pass, forget set first; step sizes there go "
            "from 0.001 to 0.1.",
            {
                "labels": "any class",
                "draw": "every pass",
                "epochs": 10,
                "batch": 256,
                "lr": 0.013,
                "weight_decay": 5e-4,
            },
        ),
        Preset(
            "every-pass-mixed",
            "New labels, shuffled",
            "As in the code of SalUn for 100 classes: any class in every pass, both sets shuffled together.",
            {
                "labels": "any class",
                "draw": "every pass",
                "order": "mixed",
                "epochs": 10,
                "batch": 256,
                "lr": 0.013,
                "weight_decay": 5e-4,
            },
        ),
    ),
    notes=(
        "Published code lets any class be drawn, so some images are taught their own label; the default never does, "
        "nor does it name another class that is to be forgotten.",
        "Batch-norm statistics stay as they are while only forget images pass; published code lets them move. Every "
        "stage starts with fresh momentum.",
    ),
    explain=explain,
    honours_weights=True,
    search=(STEP_SIZE_SEARCH, SearchRange("epochs", 1, 6, log=False)),
)
