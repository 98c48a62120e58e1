"""Two of the best of the unlearning challenge of NeurIPS 2023: convolutions are disturbed, then learn again.

Neither tells an image to forget what it is to become. They take something from the network that all images used, and
fine-tuning gives back what the images to keep need. "Deep Unlearn" (arXiv 2410.01276) found these two best of eighteen.

Masked small gradients (MSG):
    g <- mean gradient of CE over the forget set - that over as many images to keep
    in each convolution: the `share` of weights with the smallest |g| gets fresh weights, normal with variance 2/fan_out
    fine-tune on the retain set; gradients of the weights that stayed are multiplied by `old_rate`

Convolution transpose (CT):
    every square kernel is mirrored at its diagonal:  w[o, i, y, x] <- w[o, i, x, y]
    fine-tune on the retain set

Definitions and constants are those of Deep Unlearn's code, which adapts the notebooks of two entries, there called the
second and the fifth, and names no licence. Step sizes, lengths and what is not the preset "published" are ours.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from core.data.batches import derive_seed
from core.errors import RunError
from core.methods.base import Aux, Context, Edit, Facts, Method, Preset, SearchRange, Stage
from core.methods.common import Group, keeping, optimiser_parameters
from core.methods.losses import cross_entropies
from core.parameters import Values

DISTURBING = Group("Disturbance")
RECOVERY = Group("Recovery")

LENGTH = (
    RECOVERY.passes(3.0, "Passes over the images to keep after the disturbance."),
    RECOVERY.fewest_steps("a small set of images to keep"),
)


def weights_in(context: Context, kinds: tuple[type[nn.Module], ...]) -> dict[str, torch.Tensor]:
    """Return the weights, by parameter name, of all layers of these kinds that a run may train."""
    trained = context.model.trained_parameters()
    names = (f"{name}.weight" for name, module in context.model.module.named_modules() if isinstance(module, kinds))
    return {name: trained[name].detach() for name in names if name in trained}


def smallest_share(gradient: torch.Tensor, share: float) -> torch.Tensor:
    """Return where the `share` of a layer's entries that are smallest by size lies: bool in its shape.

    Exactly round(share * entries) are True, also where many are equal.
    """
    sizes = gradient.abs().flatten()
    chosen = torch.zeros(len(sizes), dtype=torch.bool, device=sizes.device)
    chosen[sizes.topk(round(share * len(sizes)), largest=False, sorted=False).indices] = True
    return chosen.reshape(gradient.shape)


def fresh_weights(weight: torch.Tensor, seed: int) -> torch.Tensor:
    """Return weights in the shape of `weight`, normal with variance 2 / fan_out, the same on every device.

    fan_out: outputs times positions of the kernel, as published.
    """
    fan_out = weight.shape[0] * weight[0, 0].numel()
    drawn = torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed))
    return (drawn * math.sqrt(2 / fan_out)).to(weight)


def renew_small_gradients(context: Context) -> Aux:
    """Change the network: fresh weights where the gradient is small. Returns "rate/<parameter>" for the old ones."""
    values = context.values
    kinds = (nn.Conv2d,) if values.layers == "convolutions" else (nn.Conv2d, nn.Linear)
    weights = weights_in(context, kinds)
    weights.pop(f"{context.model.head_name}.weight", None)
    if not weights:
        raise RunError(f"The network has no {values.layers} to renew", 'Choose layers="all", or another method')
    forget = context.gradient("forget", cross_entropies)
    retain = context.gradient("retain", cross_entropies, limit=context.facts.forget)
    renewed, rates = {}, {}
    for name, weight in weights.items():
        small = smallest_share(forget[name] - retain[name], values.share)
        renewed[name] = torch.where(small, fresh_weights(weight, derive_seed(context.seed, "msg", name)), weight)
        rates[f"rate/{name}"] = torch.where(small, 1.0, float(values.old_rate))
    context.model.write(renewed)
    return rates


def from_small_gradients(values: Values, facts: Facts) -> list[Stage]:
    """Return the edit that renews weights, and the stage that recovers, in which old ones move slowly."""
    gradients = facts.forget + min(facts.forget, facts.retain)
    renew = Edit("renew small gradients", renew_small_gradients, gradients=gradients)
    return [renew, keeping("fine-tune", values)]


def explain_small_gradients(values: Values, facts: Facts) -> tuple[str, ...]:
    """Say how much begins anew."""
    where = "every convolution" + (" and linear layer but the head" if values.layers == "all" else "")
    return (f"{100 * values.share:.0f} % of the weights of {where} begin anew.",)


MSG = Method(
    id="msg",
    title="Masked small gradients (MSG)",
    summary="Gives fresh weights to the convolutions' weights that tell forget from retain images least, then "
    "fine-tunes on the images to keep, where the old weights move slowly.",
    citation="An entry of the NeurIPS 2023 unlearning challenge, as in Cadet et al. 2024, Deep Unlearn "
    "(arXiv 2410.01276); constants from their code, which names no licence",
    parameters=(
        DISTURBING.share(
            "share", 0.3, "Share of each layer's weights that begins anew; published: 0.3.", title="Share renewed"
        ),
        DISTURBING.choice(
            "layers",
            ("convolutions", "all"),
            "convolutions",
            "Whether convolutions alone are renewed, as published, or linear layers too, except the head.",
        ),
        DISTURBING.share(
            "old_rate",
            0.1,
            "Factor on the gradients of weights that stay, in the layers that are renewed; published: 0.1.",
            title="Rate of old weights",
        ),
        *LENGTH,
        *optimiser_parameters(lr=0.2, schedule="one-cycle", weight_decay=5e-4, batch=64),
    ),
    plan=from_small_gradients,
    needs=("forget set", "retain set"),
    presets=(
        Preset.for_singles(
            "The published share and a small step: enough to lose what was learnt by heart.", {"lr": 0.05}
        ),
        Preset.default(
            "Half of the weights at a larger step, and 200 steps at least; chosen on digits and Fashion-MNIST.",
            {"share": 0.5, "min_steps": 200},
        ),
        Preset(
            "published",
            "As published",
            "The challenge's setting: five passes at a step of 0.001.",
            {"epochs": 5.0, "lr": 0.001},
        ),
    ),
    notes=(
        "Published code takes convolutions alone, so nothing happens in a network without any, and little in a vision "
        'transformer, whose only convolution cuts patches: layers="all" is ours, for those.',
        "Gradients are means over the sets, in evaluation mode; published code adds up means of batches.",
        "Published step sizes rise for half of the run and fall for the other half, pass by pass; here they rise for a "
        "fifth of it, step by step.",
        "A wrong label is never taught, so images are not pushed to where no unseen image is.",
    ),
    explain=explain_small_gradients,
    copies=lambda values, facts: 1.0,  # the rates of gradients
    search=(SearchRange("share", 0.1, 0.9, log=False),),
)


def transpose_kernels(context: Context) -> None:
    """Change the network: every square kernel of more than one position is mirrored at its diagonal."""
    turned = {
        name: weight.transpose(2, 3).contiguous()
        for name, weight in weights_in(context, (nn.Conv2d,)).items()
        if weight.shape[2] == weight.shape[3] > 1
    }
    if not turned:
        raise RunError("The network has no square kernels to transpose", "Choose another method for this network")
    context.model.write(turned)


def from_transposed_kernels(values: Values, facts: Facts) -> list[Stage]:
    """Return the edit that transposes, and the stage that recovers."""
    return [Edit("transpose kernels", transpose_kernels), keeping("fine-tune", values)]


def explain_transposed(values: Values, facts: Facts) -> tuple[str, ...]:
    """Say what it does not look at."""
    return ("The images to forget are never read: whatever the images to keep do not bring back is gone.",)


CT = Method(
    id="ct",
    title="Convolution transpose (CT)",
    summary="Mirrors every convolution's kernel at its diagonal, which spoils what the network knows, then fine-tunes "
    "on the images to keep. It never looks at the images to forget.",
    citation="An entry of the NeurIPS 2023 unlearning challenge, as in Cadet et al. 2024, Deep Unlearn "
    "(arXiv 2410.01276); constants from their code, which names no licence",
    parameters=(*LENGTH, *optimiser_parameters(lr=0.1, schedule="cosine", weight_decay=5e-4, batch=64)),
    plan=from_transposed_kernels,
    explain=explain_transposed,
    needs=("retain set",),
    presets=(
        Preset.for_singles("Published length at a step that loses what was learnt by heart.", {"lr": 0.05}),
        Preset.default(
            "Published length at a larger step, and 400 steps at least; chosen on digits and Fashion-MNIST.",
            {"min_steps": 400},
        ),
        Preset("published", "As published", "The challenge's setting: three passes at a step of 0.001.", {"lr": 0.001}),
    ),
    notes=(
        "A network of convolutions and poolings alone then sees transposed images as it saw them upright before: what "
        "is lost is what a linear layer on positions, or the images' own direction, makes of it.",
        "Kernels of one position stay as they are, and those that are not square, whose sides would be swapped.",
    ),
)
