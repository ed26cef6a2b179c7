"""Every number that a verdict turns on: its rule, unit, bounds, meaning and origin, and whether a user may move it.

Rules and remedies read them from `Evidence.thresholds`, never from a module's constant, so that what is moved in a
gradcheck.yaml is moved everywhere. A *share* is between 0 and 1, a *decade* a factor of ten, an *elasticity* the
relative change of the loss over that of a layer's weights.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple


class Bounds(NamedTuple):
    """What a threshold belongs to and may be: `low` <= value <= `high`; `movable` says whether a user may move it."""

    rule: str
    low: float
    high: float
    unit: str
    meaning: str
    movable: bool


def _movable(rule: str, default: float, unit: str, meaning: str, *, low: float = 0.0, high: float = 1e30) -> Any:
    return field(default=default, metadata={"bounds": Bounds(rule, low, high, unit, meaning, True)})


def _fixed(rule: str, value: float, unit: str, meaning: str) -> Any:
    return field(default=value, metadata={"bounds": Bounds(rule, value, value, unit, meaning, False)})


@dataclass(frozen=True, kw_only=True, slots=True)
class Thresholds:
    """One number a field."""

    # ------------------------------------------------------------ vanishing with depth
    slower_decades: float = _movable(
        "GC201",
        4.0,  # it would train ten thousand times slower (THEORY.md, section 4)
        "decades",
        "Decades that a layer's relative gradient may lie below the typical layer's.",
    )
    working_elasticity: float = _fixed(
        "GC201",
        1e-4,  # healthy layers lie at 1e-3 to 10
        "elasticity",
        "From here a layer counts as one that moves the loss, and so as typical.",
    )
    working_share: float = _fixed(
        "GC201",
        1e-2,
        "ratio",
        "The same, over the largest elasticity of all layers.",
    )
    small_gain: float = _fixed(
        "GC201",
        -0.6,  # PyTorch's default for linear and convolution layers keeps 1/3 of the variance: -0.24
        "decades per weight",
        "Below this the weights are too small, rather than too many.",
    )
    explaining_share: float = _fixed(
        "GC201",
        0.5,  # THEORY.md, section 4c
        "share",
        "Share of the decades lost (or won) that a cause has to explain.",
    )
    true_decades: float = _fixed(
        "GC201", 0.3, "decades", "How far a custom Function's backward may be from differences of its forward."
    )
    true_likeness: float = _fixed("GC201", 0.9, "cosine", "How alike the two have to be.")
    one_hot_share: float = _fixed(
        "GC204",
        0.5,  # no healthy model of the calibration corpus has more than a third
        "share",
        "Share of a softmax's rows that are one-hot.",
    )
    one_hot_passes: float = _fixed(
        "GC204",
        1e-4,  # a uniform row of n passes 1/n
        "ratio",
        "Share of its gradient that a saturated softmax lets through at most.",
    )
    # ------------------------------------------------------------ through time
    forgotten_decades: float = _movable(
        "GC202",
        10.0,  # float32 resolves 7.2 decades: what is this much smaller leaves no trace in the sum
        "decades",
        "Decades that a gradient may lose over a sequence.",
    )
    gated_forgotten_decades: float = _movable(
        "GC202", 30.0, "decades", "The same for cells with open gates, which learn to keep more."
    )
    half_open_rate: float = _fixed(
        "GC202",
        0.5,  # half open, as they start, the gates of an LSTM or a GRU lose log10(2) = 0.3 a step
        "decades per step",
        "What gates that are about half open lose at most.",
    )
    gates_per_step: float = _fixed("GC202", 1.5, "sigmoids per step", "From here a cell counts as gated.")
    closed_slope: float = _fixed("GC202", 0.02, "slope", "Below this a sigmoid gate is stuck; half open it has 0.25.")
    closed_share: float = _fixed("GC202", 0.2, "share", "Share of a cell's gates that are stuck in one that is closed.")
    hears_the_loss: float = _fixed(
        "GC202", 1e-4, "ratio", "Signal of a step over the largest, from which on it hears from the loss directly."
    )
    reread_share: float = _fixed("GC202", 0.75, "share", "Share of the steps that read one and the same value whole.")
    growth_decades: float = _movable("GC302", 3.0, "decades", "Decades that a gradient may grow over a sequence.")
    # ------------------------------------------------------------ a loss that nothing moves
    insensitive_elasticity: float = _movable(
        "GC203",
        1e-5,  # 1 % of its weights moves the loss by a ten-millionth
        "elasticity",
        "Elasticity below which a layer hardly moves the loss.",
    )
    usual_least: float = _fixed(
        "GC203",
        1e-2,  # of 457 library models that train, few lie outside 1e-2 to 10 (THEORY.md, section 4a)
        "elasticity",
        "Below this largest elasticity the losses of the null predictions are taken.",
    )
    usual_most: float = _fixed("GC303", 10.0, "elasticity", "Above this largest elasticity likewise.")
    usual_growth: float = _fixed("GC303", 30.0, "ratio", "From this largest over the median activation likewise.")
    unknown_most: float = _fixed("GC303", 1.0, "elasticity", "The same where the loss is of no known kind.")
    learned: float = _fixed(
        "GC203",
        0.9,  # what is learned lies below it; ill ones reach 0.87 (THEORY.md, section 4a)
        "ratio",
        "Loss over that of one answer for every sample, below which something has been learned.",
    )
    null_share: float = _fixed(
        "GC203",
        0.01,  # 25 of 29 ill ones within 0.1 %, the others 0.87 to 0.97 (THEORY.md, section 4a)
        "ratio",
        "How near the loss lies to that of one answer for every sample where the model gives one answer.",
    )
    null_elasticity: float = _fixed(
        "GC203",
        1e-3,  # ill 3e-14 to 7e-4, healthy exactly 0 by design or from 1.3e-3 (THEORY.md, section 4a)
        "elasticity",
        "Below this largest elasticity no weight moves such a loss.",
    )
    loss_over_zeroed: float = _movable(
        "GC303",
        1e3,  # library models that train 0.88 to 1.54, labelled healthy to 190, exploding 270 to 1e25
        "ratio",
        "First loss over that of no prediction, with the head's parameters at 0.",
    )
    unreachable_share: float = _fixed(
        "GC209", 0.05, "share", "Targets that may lie outside of what the output can be; of more training decides."
    )
    outweighing_penalty: float = _fixed(
        "GC216",
        30.0,  # labelled ill ones 74 to 1,450; of healthy penalties none has more than the error
        "ratio",
        "Gradient of a penalty over that of an error, where both come together.",
    )
    outweighing_error: float = _fixed(
        "GC216",
        1e4,  # heads of several tasks differ by 200 to 1,200 and learn
        "ratio",
        "The same of one error over another.",
    )
    clipped_share: float = _fixed(
        "GC416", 0.95, "share", "Terms of a loss that may be clamped flat; of more training decides."
    )
    # ------------------------------------------------------------ samples that become one
    collapsed_distinguishability: float = _movable(
        "GC207",
        1e-9,  # ill 1e-10 to 1e-19; 477 of 479 library models above 1e-7 (THEORY.md, section 4b)
        "share",
        "Share of what feeds the head that differs between samples, below which they are one and the same to it.",
        high=1.0,
    )
    faint_distinguishability: float = _fixed(
        "GC207",
        1e-6,  # healthy trunks from 3e-6 (THEORY.md, section 4b)
        "share",
        "Below this it is a suspicion, and looked at by depth.",
    )
    faint_input: float = _fixed("GC203", 1e-3, "RMS", "Below this inputs are too small; layers are made for about 1.")
    faint_margin: float = _fixed(
        "GC203", 10.0, "ratio", "By how much more the weight of a first layer with faint inputs may move the loss."
    )
    saturated_output_share: float = _fixed(
        "GC203", 0.9, "share", "Share of an output's elements with next to no slope that explains a deaf loss."
    )
    shrunk_signal: float = _fixed("GC203", 1e-3, "ratio", "What the layers put out, last over first, where it dies.")
    lost_in_slopes: float = _fixed("GC203", 3.0, "decades", "What slopes have to take to be the cause.")
    saturated_share: float = _movable(
        "GC206",
        0.95,  # no healthy model of the calibration corpus, trained ones included, has half of a layer there
        "share",
        "Share of elements whose slope is below a hundredth of the largest.",
        high=1.0,
    )
    saturated_elements: float = _fixed("GC206", 64, "elements", "On fewer than these such a share can be chance.")
    # ------------------------------------------------------------ exploding
    exploding_elasticity: float = _movable(
        "GC301",
        1e3,  # 0.1 % of a layer's weights changes the loss by its own size (THEORY.md, section 4)
        "elasticity",
        "Elasticity above which a layer's gradient explodes.",
    )
    exploding_growth: float = _fixed(
        "GC301",
        2.0,
        "decades",
        "What such a gradient has to grow on its way down, since a loss near 0 inflates elasticity too.",
    )
    loss_over_chance: float = _movable(
        "GC303",
        100.0,  # logits of standard deviation s lose about s * sqrt(2 ln C): tens of times too large
        "ratio",
        "First loss over ln C, the loss of guessing among C classes.",
    )
    target_over_output: float = _movable(
        "GC303", 1e3, "ratio", "RMS of a regression's targets over that of its first output."
    )
    output_over_target: float = _movable(
        "GC303",
        30.0,  # the first squared error is a thousand times that of predicting nothing
        "ratio",
        "RMS of a regression's first output over that of its targets.",
    )
    uneven_columns: float = _fixed(
        "GC212", 1e4, "ratio", "RMS of the largest column of the inputs over that of the median one."
    )
    offset_columns: float = _fixed(
        "GC212",
        100.0,  # one part in ten thousand of what the first layer reads differs between samples
        "ratio",
        "How far the median column of the inputs lies from 0, in its standard deviations.",
    )
    far_input: float = _fixed(
        "GC217", 100.0, "RMS", "From here inputs are told to be far from 1, with no other finding."
    )
    square_overflows: float = _fixed(
        "GC304",
        1.8e19,  # the square root of the largest float32
        "gradient",
        "From here the square of a gradient is no float32.",
    )
    shared_share: float = _fixed(
        "GC304", 0.7, "share", "Share of the decades above where the layers' paths part that makes it the loss's scale."
    )
    large_input: float = _fixed("GC303", 30.0, "RMS", "Above this inputs are too large; layers are made for about 1.")
    least_growth: float = _fixed("GC303", 1.0, "decades", "What a cause of growth has to add at least.")
    residual_merges: float = _fixed("GC303", 3, "branches", "From so many merges on a path is a residual stream.")
    usual_branch: float = _fixed(
        "GC303", 0.5, "decades", "What a branch may add to be one that is well, of which there are too many."
    )
    # ------------------------------------------------------------ no gradient
    dead_share: float = _movable(
        "GC403",
        0.95,  # healthy ReLU nets, trained ones included, stay below 0.6
        "share",
        "Share of units at zero over the whole batch.",
        high=1.0,
    )
    dead_samples: float = _fixed("GC403", 16, "elements", "A unit seen on fewer can be 0 on all of them by chance.")
    chance_units: float = _fixed(
        "GC403",
        3,  # a squeeze, whose input hardly differs between samples, has each unit off every other time
        "units",
        "Fewer than these are off for a whole batch by chance one time in four or more.",
    )
    partly_dead: float = _fixed("GC415", 0.5, "share", "Share of units at zero from which on they are told of.")
    idle_share: float = _fixed(
        "GC409", 0.25, "share", "Share of all weights that modules which are never called hold at least, to be odd."
    )
    dropped_share: float = _fixed(
        "GC220", 0.8, "share", "Share that dropout puts to 0, from which on its noise is twice the signal."
    )
    dead_units: float = _fixed("GC403", 8, "units", "Of fewer a share says nothing.")
    constant_passes: float = _fixed(
        "GC404", 1e-3, "ratio", "What rounding leaves at most of a gradient that is 0 by algebra."
    )
    # ------------------------------------------------------------ precision
    flushed_share: float = _fixed(
        "GC501",
        0.1,  # rounding alone moves a few elements of a ReLU net
        "share",
        "Share of a layer's gradient that may be flushed to 0.",
    )
    flushed_most: float = _fixed("GC501", 0.5, "share", "The same, from which on it is an error.")
    largest_scale: float = _fixed("GC501", 2.0**24, "loss scale", "The largest that is recommended.")
    headroom: float = _fixed(
        "GC502",
        4.0,  # a gradient changes as much between batches
        "ratio",
        "Factor that a gradient should stay below the largest number of its dtype.",
    )
    # ------------------------------------------------------------ the first steps
    largest_update: float = _movable(
        "GC601",
        0.3,  # throws away much of what a layer is; healthy are 1e-4 to 1e-2 (THEORY.md, section 4)
        "ratio",
        "L2 norm of the first update over that of the layer's weights.",
    )
    smallest_update: float = _movable(
        "GC602",
        1e-6,  # ten thousand steps move a layer by a hundredth of itself
        "ratio",
        "The same, for a step that is too small.",
    )
    raised_loss: float = _movable(
        "GC603",
        0.1,  # of 150 healthy models under Adam at 1e-3 only those whose loss is next to 0 get worse at all
        "ratio",
        "Rise of a batch's loss by its own update, over that loss, from which it is a suspicion.",
    )
    raised_far: float = _fixed(
        "GC603",
        1e4,  # a healthy one whose targets are of 1e-3 rises 7,000 times under Adam at 1e-2, and trains
        "ratio",
        "The same, from which nothing need decide it.",
    )
    moved_share: float = _fixed(
        "GC605",
        0.01,  # a healthy net in bfloat16 moves 9 % under SGD at 1e-2, all others nearly all
        "share",
        "Share of the weights with a gradient that the first update moves, below which it moves nothing.",
    )
    warmup_steps: float = _fixed("GC606", 10, "steps", "How many updates a copy takes at the full rate.")
    norms_on_the_way: float = _fixed(
        "GC606",
        12,  # six encoder layers; a pre-norm network has one
        "normalisations",
        "From so many on the strongest path of a layer a copy takes these updates.",
    )
    run_learned: float = _fixed(
        "GC633",
        0.85,  # `learned`, with some room for the noise between batches
        "ratio",
        "Loss at the end of a run over that at chance, below which what looked extreme at its first step is a note.",
    )
    clip_norms: float = _fixed("GC611", 4, "batches", "From so many gradient norms on a clipping threshold is told.")
    clip_quantile: float = _fixed("GC611", 0.9, "share", "Share of the batches that stay below that threshold.")
    fitted: float = _fixed(
        "GC612",
        0.01,
        "ratio",
        "What is left of the loss at chance, or of the targets' spread, in a batch that is learned.",
    )


BOUNDS: dict[str, Bounds] = {each.name: each.metadata["bounds"] for each in fields(Thresholds)}
"""What every threshold belongs to, by its name."""
TUNABLE: dict[str, Bounds] = {name: bounds for name, bounds in BOUNDS.items() if bounds.movable}
"""Those that a user may move."""
