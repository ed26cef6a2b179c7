"""Every number that a verdict turns on: its rule, unit, bounds, meaning and source, and whether a user may move it.

Rules and remedies read them from `Evidence.thresholds`, never from a module's constant, so that what is moved in a
gradcheck.yaml is moved everywhere. A *share* is between 0 and 1, a *decade* a factor of ten, an *elasticity* the
relative change of the loss over that of a layer's weights.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple


class Bounds(NamedTuple):
    """What a threshold belongs to and may be: `low` <= value <= `high`; `movable` says whether a user may move it.

    `source` says why it is what it is, and begins with how that is known: by what the tool defines, by a derivation, by
    a paper, or by a measurement that a command repeats. A name in it is another threshold's.
    """

    rule: str
    low: float
    high: float
    unit: str
    meaning: str
    source: str
    movable: bool


_MEASURED = "Measured (python -m tests.corpus.quantities):"
_REAL = "Measured (python -m tests.corpus.quantities --zoo):"
"""On the labelled models, and on real architectures, all of which train."""


def _movable(
    rule: str, default: float, unit: str, meaning: str, source: str, *, low: float = 0.0, high: float = 1e30
) -> Any:
    return field(default=default, metadata={"bounds": Bounds(rule, low, high, unit, meaning, source, True)})


def _fixed(rule: str, value: float, unit: str, meaning: str, source: str) -> Any:
    return field(default=value, metadata={"bounds": Bounds(rule, value, value, unit, meaning, source, False)})


@dataclass(frozen=True, kw_only=True, slots=True)
class Thresholds:
    """One number a field."""

    # ------------------------------------------------------------ vanishing with depth
    slower_decades: float = _movable(
        "GC201",
        4.0,
        "decades",
        "Decades that a layer's relative gradient may lie below the typical layer's.",
        "Definition: at one rate for all, such a layer trains ten thousand times slower, so that it stays "
        f"as it was initialised in any run of usual length. {_REAL} the slowest layer is 1.5 decades behind in "
        "the median and 4.8 in one of twenty, where the other conditions of the rule tell it apart.",
    )
    near_decades: float = _fixed(
        "GC201",
        1.0,
        "decades",
        "Within so many decades of its threshold an illness is a suspicion, which training decides.",
        "Derivation: gradients differ by a factor of four between batches (`headroom`), on both sides of "
        "the comparison, which is 1.2 decades at most: within one, another batch may give the other "
        "verdict.",
    )
    working_elasticity: float = _fixed(
        "GC201",
        1e-4,
        "elasticity",
        "From here a layer counts as one that moves the loss, and so as typical.",
        "Derivation: a hundredth of the least that is usual for a model's most influential layer (`usual_least`).",
    )
    working_share: float = _fixed(
        "GC201",
        1e-2,
        "ratio",
        "The same, over the largest elasticity of all layers.",
        "Definition: a layer that moves the loss a hundredth as much as another is no example of how layers "
        "of this model learn; two decades, as for a part that opens (`open_decades`).",
    )
    small_gain: float = _fixed(
        "GC201",
        -0.6,
        "decades per weight",
        "Below this the weights are too small, rather than too many.",
        "Derivation: a factor of four a weight. U(-1/sqrt(n), 1/sqrt(n)), PyTorch's default, keeps a third of "
        "the variance (-0.24 decades of the norm), a rectifier behind it half of that (-0.15; He et al. 2015, "
        "Delving Deep into Rectifiers), so that -0.39 is what depth alone makes of usual weights.",
    )
    explaining_share: float = _fixed(
        "GC201",
        0.5,
        "share",
        "Share of the decades lost (or won) that a cause has to explain.",
        "Definition: a cause explains at least half of what is to be explained; where nothing does, it is unknown.",
    )
    true_decades: float = _fixed(
        "GC201",
        0.3,
        "decades",
        "How far a custom Function's backward may be from differences of its forward.",
        "Derivation: a factor of two. Central differences at the cube root of the rounding error agree with a "
        "true derivative to parts in a thousand, and eight random directions make a norm known to about a "
        "third (1/sqrt(8)).",
    )
    true_likeness: float = _fixed(
        "GC201",
        0.9,
        "cosine",
        "How alike the two have to be.",
        "Derivation: the cosine of two vectors one of which is the other plus noise of half its norm "
        "(1/sqrt(1 + 0.25)); unrelated ones have about 0, a straight-through estimate of another function far "
        "less than 0.9.",
    )
    one_hot_share: float = _fixed(
        "GC204",
        0.5,
        "share",
        "Share of a softmax's rows that are one-hot.",
        f"{_MEASURED} 0.33 at most in healthy models, from 0.8 in ill ones.",
    )
    one_hot_rest: float = _fixed(
        "GC204",
        1e-4,
        "share",
        "What all but the largest of a one-hot row have at most.",
        "Derivation: the gradient of a row is p (1 - p), here less than 1e-4 for every element: what "
        "`one_hot_passes` is for all rows.",
    )
    one_hot_passes: float = _fixed(
        "GC204",
        1e-4,
        "ratio",
        "Share of its gradient that a saturated softmax lets through at most.",
        "Derivation: a uniform row of n passes 1/n, so that this is what attention spread over ten "
        f"thousand keys would pass. {_MEASURED} softmaxes that are stuck pass 1.3e-5 at most; with --zoo "
        "the only one that is one-hot passes 0.02.",
    )
    # ------------------------------------------------------------ through time
    forgotten_decades: float = _movable(
        "GC202",
        10.0,
        "decades",
        "Decades that a gradient may lose over a sequence.",
        "Derivation: float32 resolves 7.2 decades (2^-24): what is ten decades smaller than the largest "
        "term leaves no trace in a sum, even where the others cancel to a thousandth of themselves. "
        f"{_REAL} below 9 in 95 % of the models.",
    )
    gated_forgotten_decades: float = _movable(
        "GC202",
        30.0,
        "decades",
        "The same for cells with open gates, which learn to keep more.",
        "Derivation: half-open gates keep half a step (0.3 decades), as an LSTM or a GRU starts, and learn to "
        "keep all of it; a hundred such steps, a usual length of a sequence, lose 30.",
    )
    half_open_rate: float = _fixed(
        "GC202",
        0.5,
        "decades per step",
        "What gates that are about half open lose at most.",
        "Derivation: a gate that is half open keeps half a step, 0.3 decades; half as much again is for the "
        "weights and the slope of the tanh beside it.",
    )
    gates_per_step: float = _fixed(
        "GC202",
        1.5,
        "sigmoids per step",
        "From here a cell counts as gated.",
        "Derivation: a GRU has two sigmoids a step and an LSTM three, a cell whose activation is a sigmoid "
        "one: halfway between.",
    )
    closed_slope: float = _fixed(
        "GC202",
        0.02,
        "slope",
        "Below this a sigmoid gate is stuck; half open it has 0.25.",
        "Derivation: s (1 - s) is below 0.02 where a gate s is below 0.02 or above 0.98: a fiftieth is "
        "what it lets through, or what it keeps back. Half open it has 0.25.",
    )
    closed_share: float = _fixed(
        "GC202",
        0.2,
        "share",
        "Share of a cell's gates that are stuck in one that is closed.",
        "Derivation: an LSTM has three gates and a GRU two; where one of them is stuck for three of five "
        "units it is 0.2 of an LSTM's and 0.3 of a GRU's gates.",
    )
    hears_the_loss: float = _fixed(
        "GC202",
        1e-4,
        "ratio",
        "Signal of a step over the largest, from which on it hears from the loss directly.",
        "Derivation: `working_elasticity`, for steps in place of layers: a step whose signal came down "
        "from later ones alone has lost decades before it is as faint.",
    )
    reread_share: float = _fixed(
        "GC202",
        0.75,
        "share",
        "Share of the steps that read one and the same value whole.",
        "Definition: most of the steps; a quarter is left for those at the ends of a loop, which may read it "
        "otherwise.",
    )
    growth_decades: float = _movable(
        "GC302",
        3.0,
        "decades",
        "Decades that a gradient may grow over a sequence.",
        f"Derivation: clipping at the usual norm of 1 then leaves a thousandth of a step. {_MEASURED} 0.1 at most "
        "in healthy models, from 8 in ill ones.",
    )
    # ------------------------------------------------------------ a loss that nothing moves
    insensitive_elasticity: float = _movable(
        "GC203",
        1e-5,
        "elasticity",
        "Elasticity below which a layer hardly moves the loss.",
        "Definition: one percent of its weights moves the loss by a ten-millionth, which is what float32 "
        "resolves (2^-24 is 6e-8).",
    )
    usual_least: float = _fixed(
        "GC203",
        1e-2,
        "elasticity",
        "Below this largest elasticity the losses of the null predictions are taken.",
        f"{_REAL} nine of ten lie between 0.16 and 24, without --zoo most between 4e-4 and 23. Outside of "
        "the two bounds a forward pass more is spent, and no verdict falls.",
    )
    usual_most: float = _fixed(
        "GC303",
        10.0,
        "elasticity",
        "Above this largest elasticity likewise.",
        f"{_REAL} as for `usual_least`.",
    )
    usual_growth: float = _fixed(
        "GC303",
        30.0,
        "ratio",
        "From this largest over the median activation likewise.",
        f"{_REAL} 11 at most in 95 % of the models, without --zoo 12 at most in healthy ones. Beyond it a "
        "forward pass more is spent, and no verdict falls.",
    )
    unknown_most: float = _fixed(
        "GC303",
        1.0,
        "elasticity",
        "The same where the loss is of no known kind.",
        f"{_REAL} 0.96 in the median: a loss whose chance is not known is looked at from there on, which costs "
        "a forward pass.",
    )
    learned: float = _fixed(
        "GC203",
        0.9,
        "share",
        "Loss over that of one answer for every sample, below which something has been learned.",
        f"{_REAL} a model that has learned nothing yet is at 1 in the median and above 0.98 in nineteen of "
        "twenty: a tenth below is more than chance.",
    )
    at_chance_share: float = _fixed(
        "GC409",
        0.01,
        "share",
        "How far below one answer for every sample a copy that learned nothing ends at most.",
        "Derivation: `null_share`, on the lower side alone: no step of training has parted the samples' answers.",
    )
    null_share: float = _fixed(
        "GC203",
        0.01,
        "ratio",
        "How near the loss lies to that of one answer for every sample where the model gives one answer.",
        f"{_MEASURED} ill models lie at 1 in the median; dropout and normalisation by batch, which the "
        "loss of one answer is taken under as well, part the two by about a percent.",
    )
    null_elasticity: float = _fixed(
        "GC203",
        1e-3,
        "elasticity",
        "Below this largest elasticity no weight moves such a loss.",
        f"{_REAL} 95 % of the models move their loss by 0.16 or more. A hundredth of a weight then moves it by "
        "less than what is read as the same loss (`null_share`).",
    )
    loss_over_zeroed: float = _movable(
        "GC303",
        1e3,
        "ratio",
        "First loss over that of no prediction, with the head's parameters at 0.",
        f"{_REAL} 880 at most, 1.5 in 95 % of the models; without --zoo exploding ones 2,900 in the "
        "median, up to 4e20. Half of its decades are a suspicion.",
    )
    unreachable_share: float = _fixed(
        "GC209",
        0.05,
        "share",
        "Targets that may lie outside of what the output can be; of more training decides.",
        "Definition: one target in twenty, as outliers are; of more, training decides.",
    )
    bound_rounding: float = _fixed(
        "GC209",
        1e-4,
        "ratio",
        "How far beyond the end of what an output can be a target counts as reached, over that end.",
        "Derivation: targets at the end of a range, computed in float32, are off by 6e-8, and by a few "
        "hundred times that after the sums of a scaling; those count as reached.",
    )
    label_rounding: float = _fixed(
        "GC209",
        1e-3,
        "label",
        "By how much labels may lie beyond 0 or 1 by rounding.",
        "Derivation: the next number of float16 above 1 is 1.00098 (1 + 2^-10), so that a label of 1 that was "
        "rounded once stays within it.",
    )
    outweighing_penalty: float = _fixed(
        "GC216",
        30.0,
        "ratio",
        "Gradient of a penalty over that of an error, where both come together.",
        f"{_REAL} 0.64 at most. An optimiser follows the penalty alone from ten times on; three times that, "
        "since it may be as large only at the start.",
    )
    outweighing_error: float = _fixed(
        "GC216",
        1e4,
        "ratio",
        "The same of one error over another.",
        "Definition: `slower_decades`, for terms in place of layers: the lighter one is learned ten "
        f"thousand times slower. {_REAL} 4.5 at most, and without --zoo 2.8e5 in a healthy model, so that "
        "it is a note.",
    )
    clipped_share: float = _fixed(
        "GC416",
        0.95,
        "share",
        "Terms of a loss that may be clamped flat; of more training decides.",
        "Definition: one term in twenty is left, as for `unreachable_share`; of more, training decides.",
    )
    few_classes: float = _fixed(
        "GC214",
        20,
        "classes",
        "From so many on, whole numbers under a single output are counts.",
        "Derivation: sets of labels that are kept as one column have 2 to 20 classes as a rule (PASCAL VOC "
        "has 20; Everingham et al. 2010, The PASCAL Visual Object Classes (VOC) Challenge); above, whole "
        "numbers are counts. It is a note.",
    )
    samples_of_class: float = _fixed(
        "GC214",
        4,
        "samples",
        "Samples of each class that make whole numbers a pattern.",
        "Derivation: of numbers that are drawn at random, each seen four times in the mean, one in fifty "
        "(e^-4) is not seen at all; labels come often.",
    )
    alike_targets: float = _fixed(
        "GC213",
        4,
        "targets",
        "Fewer than these can be alike by chance.",
        "Derivation: of two classes in balance, four labels are alike by chance in one batch of eight, three "
        "in one of four.",
    )
    flat_passes: float = _fixed(
        "GC215",
        0.01,
        "ratio",
        "Share of its gradient that a term which is flat passes at most.",
        "Derivation: the slope of log(1 - p) at the logit is p: a hundredth of its largest, as `flat_slope`.",
    )
    # ------------------------------------------------------------ samples that become one
    collapsed_distinguishability: float = _movable(
        "GC207",
        1e-9,
        "share",
        "Share of what feeds the head that differs between samples, below which they are one and the same to it.",
        "Paper: it falls by a constant factor a layer in the ordered phase (Schoenholz et al. 2017, Deep "
        f"Information Propagation, arXiv:1611.01232). {_REAL} 1e-3 at least, without --zoo 3e-7 in healthy "
        "models and 6e-16 in the median of ill ones; float32 resolves 4e-15 (2^-48).",
        high=1.0,
    )
    faint_distinguishability: float = _fixed(
        "GC207",
        1e-6,
        "share",
        "Below this it is a suspicion, and looked at by depth.",
        f"{_REAL} 1e-3 at least; without --zoo 0.02 at least in 95 % of healthy models, 3e-7 in one that "
        "trains: it is a suspicion only.",
    )
    faint_input: float = _fixed(
        "GC203",
        1e-3,
        "RMS",
        "Below this inputs are too small; layers are made for about 1.",
        "Derivation: layers are initialised for inputs of about 1 (LeCun et al. 1998, Efficient BackProp), "
        "and biases alike: at a thousandth of that the biases decide what a layer puts out.",
    )
    faint_margin: float = _fixed(
        "GC203",
        10.0,
        "ratio",
        "By how much more the weight of a first layer with faint inputs may move the loss.",
        "Definition: the weight and the bias of one layer share a gradient; a decade is for how much "
        "better the bias may be heard.",
    )
    saturated_output_share: float = _fixed(
        "GC203",
        0.9,
        "share",
        "Share of an output's elements with next to no slope that explains a deaf loss.",
        f"Definition: nine of ten elements hand nothing on. {_REAL} of hidden layers 0.63 at most.",
    )
    shrunk_signal: float = _fixed(
        "GC203",
        1e-3,
        "ratio",
        "What the layers put out, last over first, where it dies.",
        "Derivation: at a thousandth the biases, which start at the scale of the weights, decide the output; "
        "see `faint_input`.",
    )
    lost_in_slopes: float = _fixed(
        "GC203",
        3.0,
        "decades",
        "What slopes have to take to be the cause.",
        "Derivation: three decades of the five that a gradient has lost before `insensitive_elasticity` is "
        "reached: most of them.",
    )
    saturated_share: float = _movable(
        "GC206",
        0.95,
        "share",
        "Share of elements whose slope is below a hundredth of the largest.",
        f"{_REAL} 0.63 at most, without --zoo 0.03 at most in healthy models, 1 in ill ones. One in twenty "
        "of a layer's elements is left.",
        high=1.0,
    )
    saturated_elements: float = _fixed(
        "GC206",
        64,
        "elements",
        "On fewer than these such a share can be chance.",
        "Derivation: with a true share of three quarters, 61 of 64 elements or more are saturated by chance "
        "less than once in 10,000 layers.",
    )
    flat_slope: float = _fixed(
        "GC206",
        0.01,
        "ratio",
        "Slope of an activation over its largest, below which it is saturated.",
        "Definition: a hundredth of the function's largest slope: two such layers take four decades, which is "
        "`slower_decades`.",
    )
    # ------------------------------------------------------------ exploding
    exploding_elasticity: float = _movable(
        "GC301",
        1e3,
        "elasticity",
        "Elasticity above which a layer's gradient explodes.",
        "Definition: to first order a thousandth of a layer's weights changes the loss by its own size, and "
        "1e-3 is the usual size of a step. It is a suspicion only.",
    )
    exploding_growth: float = _fixed(
        "GC301",
        2.0,
        "decades",
        "What such a gradient has to grow on its way down, since a loss near 0 inflates elasticity too.",
        "Derivation: two layers of ten times the usual gain, or one of a hundred times, which no usual "
        "initialisation has; what did not grow is large because the loss is small.",
    )
    loss_over_chance: float = _movable(
        "GC303",
        100.0,
        "ratio",
        "First loss over ln C, the loss of guessing among C classes.",
        "Derivation: logits of standard deviation s lose about s sqrt(2 ln C): a hundred times ln C are "
        f"logits tens of times too large. {_REAL} 1.5 in 95 % of the models, 33 at most.",
    )
    target_over_output: float = _movable(
        "GC303",
        1e3,
        "ratio",
        "RMS of a regression's targets over that of its first output.",
        "Derivation: Adam at 1e-3 moves a bias by 1 in a thousand steps, and by such targets in a million.",
    )
    output_over_target: float = _movable(
        "GC303",
        30.0,
        "ratio",
        "RMS of a regression's first output over that of its targets.",
        "Derivation: the squared error is then a thousand times that of predicting nothing, "
        f"`loss_over_zeroed`. {_REAL} 24 at most.",
    )
    uneven_columns: float = _fixed(
        "GC212",
        1e4,
        "ratio",
        "RMS of the largest column of the inputs over that of the median one.",
        "Definition: `slower_decades`, for columns in place of layers: the gradient of a weight is as "
        f"large as its column. {_MEASURED} 2 in 95 % of healthy models; training decides.",
    )
    offset_columns: float = _fixed(
        "GC212",
        100.0,
        "ratio",
        "How far the median column of the inputs lies from 0, in its standard deviations.",
        "Derivation: in the squares one part in ten thousand of what the first layer reads differs "
        "between samples, the condition number by which gradient descent is slowed (LeCun et al. 1998, "
        f"Efficient BackProp). {_MEASURED} 3.3 at most in healthy models.",
    )
    far_input: float = _fixed(
        "GC217",
        100.0,
        "RMS",
        "From here inputs are told to be far from 1, with no other finding.",
        "Derivation: the gradient of a first layer is as large as the square of its inputs, so ten "
        "thousand times the usual. It is a note.",
    )
    square_overflows: float = _fixed(
        "GC304",
        1.8e19,
        "gradient",
        "From here the square of a gradient is no float32.",
        "Derivation: the square root of the largest float32, 3.4e38.",
    )
    shared_share: float = _fixed(
        "GC304",
        0.7,
        "share",
        "Share of the decades above where the layers' paths part that makes it the loss's scale.",
        "Definition: two thirds and more: what the layers' own paths add is a third of it, so that no cure of "
        "a layer helps.",
    )
    large_input: float = _fixed(
        "GC303",
        30.0,
        "RMS",
        "Above this inputs are too large; layers are made for about 1.",
        "Derivation: a squared error is then a thousand times the usual, `loss_over_zeroed`, and weights of "
        "PyTorch's default with inputs of 30 saturate a sigmoid in most units. A third of it is what is left "
        "behind a first layer of usual weights and its rectifier (sqrt(1/6) = 0.41).",
    )
    least_growth: float = _fixed(
        "GC303",
        1.0,
        "decades",
        "What a cause of growth has to add at least.",
        "Definition: a cause explains a factor of ten, one decade, at least.",
    )
    residual_merges: float = _fixed(
        "GC303",
        3,
        "branches",
        "From so many merges on a path is a residual stream.",
        "Derivation: a single block has one sum, and one around it makes two; three are a stream of blocks.",
    )
    usual_branch: float = _fixed(
        "GC303",
        0.5,
        "decades",
        "What a branch may add to be one that is well, of which there are too many.",
        "Derivation: a branch that is as large as the stream doubles it (0.3 decades), and half as much again "
        "is usual at initialisation; what adds a factor of three by itself is too large by itself.",
    )
    # ------------------------------------------------------------ no gradient
    dead_share: float = _movable(
        "GC403",
        0.95,
        "share",
        "Share of units at zero over the whole batch.",
        f"{_MEASURED} 0.88 at most in healthy models, with --zoo 0.32 in 95 % of the models. One unit in "
        "twenty is left, as for `saturated_share`.",
        high=1.0,
    )
    dead_samples: float = _fixed(
        "GC403",
        16,
        "elements",
        "A unit seen on fewer can be 0 on all of them by chance.",
        "Derivation: a unit that fires for half of all samples is off for 16 by chance once in 65,000.",
    )
    chance_units: float = _fixed(
        "GC403",
        3,
        "units",
        "Fewer than these are off for a whole batch by chance one time in four or more.",
        "Derivation: each unit of a squeeze, whose input hardly differs between samples, is off every other "
        "time: two at once one time in four, three one time in eight.",
    )
    partly_dead: float = _fixed(
        "GC415",
        0.5,
        "share",
        "Share of units at zero from which on they are told of.",
        "Definition: the larger part of the layer is off. It is a note.",
    )
    idle_share: float = _fixed(
        "GC409",
        0.25,
        "share",
        "Share of all weights that modules which are never called hold at least, to be odd.",
        "Definition: one weight in four, more than a head or a spare branch that a configuration leaves out. "
        "Training decides.",
    )
    dropped_share: float = _fixed(
        "GC220",
        0.8,
        "share",
        "Share that dropout puts to 0, from which on its noise is twice the signal.",
        "Derivation: what is left of a signal after inverted dropout has a noise of sqrt(p / (1 - p)) of "
        f"it (Srivastava et al. 2014, Dropout), which is 2 at 0.8. {_MEASURED} 0.5 at most in healthy models.",
    )
    dead_units: float = _fixed(
        "GC403",
        8,
        "units",
        "Of fewer a share says nothing.",
        "Derivation: where each unit is off every other time by its start alone (`chance_units`), eight "
        "are at once one time in 256.",
    )
    constant_passes: float = _fixed(
        "GC404",
        1e-3,
        "ratio",
        "What rounding leaves at most of a gradient that is 0 by algebra.",
        "Derivation: float16 rounds to one part in 2,000 (2^-11), and that is what it leaves of a gradient "
        "that is 0 by algebra.",
    )
    copies_spread: float = _fixed(
        "GC218",
        1e-5,
        "ratio",
        "How far the rows of a gradient may differ, over its largest element, where units are copies.",
        "Derivation: rows of a gradient that are equal by algebra differ by the order in which float32 sums "
        "up: 1e-7 of the largest a step of the sum, and a hundred times that for long ones.",
    )
    # ------------------------------------------------------------ precision
    flushed_share: float = _fixed(
        "GC501",
        0.1,
        "share",
        "Share of a layer's gradient that may be flushed to 0.",
        f"Derivation: rounding of the forward pass alone moves a few rectified elements across 0. {_MEASURED} "
        "healthy models lose none, ill ones up to all.",
    )
    flushed_most: float = _fixed(
        "GC501",
        0.5,
        "share",
        "The same, from which on it is an error.",
        "Definition: the larger part of the gradient is gone.",
    )
    largest_scale: float = _fixed(
        "GC501",
        2.0**24,
        "loss scale",
        "The largest that is recommended.",
        "Derivation: it lifts the smallest number of float16 (2^-24) to 1; what is smaller in float32 would "
        "not be rescued by more. GradScaler starts at 2^16.",
    )
    headroom: float = _fixed(
        "GC502",
        4.0,
        "ratio",
        "Factor that a gradient should stay below the largest number of its dtype.",
        "Derivation: two powers of two: GradScaler doubles its scale in one step, and a gradient may "
        "double from one batch to the next.",
    )
    # ------------------------------------------------------------ the first steps
    largest_update: float = _movable(
        "GC601",
        0.3,
        "ratio",
        "L2 norm of the first update over that of the layer's weights.",
        "Derivation: a step of 0.3 of a layer's norm turns it by up to 17 degrees (atan 0.3), so that "
        f"five of them leave nothing of what it was. {_REAL} Adam's first at 1e-3 is 0.05 in the median and "
        "0.07 in 95 % of the models.",
    )
    smallest_update: float = _movable(
        "GC602",
        1e-6,
        "ratio",
        "The same, for a step that is too small.",
        f"Derivation: ten thousand steps along one line move a layer by a hundredth of itself. {_REAL} Adam's "
        "first at 1e-3 moves the layer it moves most by 0.001 at least.",
    )
    raised_loss: float = _movable(
        "GC603",
        0.1,
        "ratio",
        "Rise of a batch's loss by its own update, over that loss, from which it is a suspicion.",
        f"{_REAL} under Adam at 1e-3 it falls in 95 % of the models, without --zoo likewise, and rises "
        "only where it is next to 0 already. It is a suspicion only.",
    )
    raised_far: float = _fixed(
        "GC603",
        1e4,
        "ratio",
        "The same, from which nothing need decide it.",
        "Derivation: Adam's first update at 1e-2 moves ten weights as one, an output by 0.1: of a "
        "regression whose targets are of 1e-3, which is well, the squared error rises by 1e4.",
    )
    repeats: float = _fixed(
        "GC603",
        1e-3,
        "ratio",
        "How far the loss of the same pass on a copy may lie from the one that was measured.",
        "Derivation: one step of float16 (2^-10), in which a loss may be computed. Sums in another order "
        "differ by 1e-7 in float32, another draw of dropout by a percent and more.",
    )
    moved_share: float = _fixed(
        "GC605",
        0.01,
        "share",
        "Share of the weights with a gradient that the first update moves, below which it moves nothing.",
        f"{_REAL} 0.89 at least. Where fewer than one weight in a hundred moves, a step is rounding and no step.",
    )
    warmup_steps: float = _fixed(
        "GC606",
        10,
        "steps",
        "How many updates a copy takes at the full rate.",
        "Derivation: the gradients of a deep post-norm network are largest at its initialisation (Xiong "
        "et al. 2020, On Layer Normalization in the Transformer Architecture, arXiv:2002.04745), so that "
        "the first steps tell; ten on two copies cost 22 passes of the 800 that trials may take.",
    )
    norms_on_the_way: float = _fixed(
        "GC606",
        12,
        "normalisations",
        "From so many on the strongest path of a layer a copy takes these updates.",
        "Derivation: six encoder layers of two normalisations each, the depth of the first Transformer "
        "(Vaswani et al. 2017, Attention Is All You Need), which needed warm-up; in a pre-norm network the "
        "strongest path passes one.",
    )
    trained: float = _fixed(
        "GC633",
        0.85,
        "share",
        "Loss of a trained copy, or of a run, over that at chance, below which what looked extreme is a note.",
        "Derivation: `learned`, with half as much again for the noise between batches and that of a hundred steps.",
    )
    clip_norms: float = _fixed(
        "GC611",
        4,
        "batches",
        "From so many gradient norms on a clipping threshold is told.",
        "Derivation: the ninth tenth of fewer than four norms is the largest of them, which tells nothing of "
        "the others.",
    )
    clip_quantile: float = _fixed(
        "GC611",
        0.9,
        "share",
        "Share of the batches that stay below that threshold.",
        "Definition: nine of ten steps pass as they are, and clipping is for outliers.",
    )
    fitted: float = _fixed(
        "GC612",
        0.01,
        "ratio",
        "What is left of the loss at chance, or of the targets' spread, in a batch that is learned.",
        "Definition: 99 % of what there was to learn is learned.",
    )
    # ------------------------------------------------------------ what trials decide
    open_decades: float = _fixed(
        "GC201",
        2.0,
        "decades",
        "How far behind its peers a part that opens may be.",
        "Definition: two decades, half of what makes a part slow: a hundredth of its peers' pace brings it on "
        "within the steps that are usual.",
    )
    keeps_up: float = _fixed(
        "GC201",
        1 / 3,
        "ratio",
        "What a part's weights move by, over its peers, where they keep up.",
        "Definition: a factor of three, half a decade, as for `clear_decades`.",
    )
    takes_part: float = _fixed(
        "GC201",
        0.1,
        "ratio",
        "What weights move by, over their size, that is enough in any case.",
        "Derivation: a hundred steps of Adam at 1e-3 move a weight of 1 by 0.1 where they agree: what moves "
        "as far takes part, whatever its peers do.",
    )
    stays_put: float = _fixed(
        "GC201",
        1e-3,
        "ratio",
        "What weights move by, over their size, below which they do not.",
        "Derivation: a hundredth of `takes_part`, what a hundred steps of Adam at 1e-5 would do.",
    )
    clear_decades: float = _fixed(
        "GC201",
        0.5,
        "decades",
        "By how much a remedy has to move a finding's number to count.",
        "Definition: a factor of three.",
    )
    same_loss: float = _fixed(
        "GC201",
        0.02,
        "share",
        "By how much two losses of trained copies have to differ to count.",
        "Definition: two percent, twice what counts as the same answer (`null_share`).",
    )
    learnt: float = _fixed(
        "GC201",
        0.02,
        "share",
        "Loss of a trained copy over that at its start, below which all is learned.",
        "Definition: twice `fitted`, in which losses are told apart by their noise alone.",
    )
    clearly_lower: float = _fixed(
        "GC201",
        0.8,
        "share",
        "Loss under a remedy over that without, where training confirms it.",
        "Definition: ten times `same_loss`, in which a remedy that only hurries training falls short of it.",
    )


BOUNDS: dict[str, Bounds] = {each.name: each.metadata["bounds"] for each in fields(Thresholds)}
"""What every threshold belongs to, by its name."""
TUNABLE: dict[str, Bounds] = {name: bounds for name, bounds in BOUNDS.items() if bounds.movable}
"""Those that a user may move."""
USUAL = Thresholds()
"""As they are: where no evidence is at hand, those that nobody moves are read from it."""
