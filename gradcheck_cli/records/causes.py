"""Every cause that a finding can name, a closed list: one row a cause. Codes and causes never change meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """One cause.

    Attributes:
        name: What findings call it.
        group: What it has to do with.
        meaning: What goes wrong, in a sentence.
        note: Whether it is told as a note: no illness, and nothing to cure.
    """

    name: str
    group: str
    meaning: str
    note: bool = False


_GROUPS: Mapping[str, Mapping[str, str]] = {
    "slopes and weights": {
        "saturating-activation": "Activations are flat where the values lie, so each slope takes its share.",
        "saturated-output": "The last activation is flat, or cannot reach the targets.",
        "saturated-loss": "The loss itself is flat where the output lies, or is clipped there.",
        "missing-activation": "Layers follow each other with nothing between, and make one linear map.",
        "softmax-saturation": "A softmax is one-hot, and passes next to nothing to its scores.",
        "uniform-attention": "Attention weighs all positions alike, and its scores do not learn.",
        "single-element-softmax": "A softmax runs over one element, and is always 1.",
        "double-softmax": "A softmax is taken of what the loss takes a softmax of again.",
        "double-sigmoid": "A sigmoid is taken of what the loss takes a sigmoid or a softmax of again.",
        "wrong-dim": "A softmax, a norm or a mean runs over the wrong dimension.",
        "small-init": "The weights are so small that the signal dies on its way.",
        "large-init": "The weights are so large that the signal blows up on its way.",
        "zero-init": "Weights start at exactly 0 where that keeps others from learning.",
        "symmetric-init": "Units start alike, get the same gradient, and stay copies of each other.",
        "zero-product": "Two factors that are both 0 close each other for good.",
        "depth": "Many layers each take a little, and nothing leads past them.",
        "no-residual": "Depth without an identity path around its layers.",
        "over-smoothing": "Mixing neighbours again and again makes all nodes alike.",
        "norm-depth": "A normalisation at every layer multiplies the gradient with depth.",
        "no-normalization": "Nothing holds the scale of the signal between the layers.",
        "posterior-collapse": "A latent code that carries nothing of its input.",
        "collapsed": "All samples have become one and the same to the layers above.",
    },
    "scale": {
        "input-scale": "The inputs are far from a scale of 1, for which layers are initialised.",
        "target-scale": "The targets are far from the scale that the output starts at.",
        "loss-scale": "The loss as a whole is multiplied by too large a number.",
        "loss-balance": "One term of the loss outweighs the others by far.",
        "residual-growth": "Every residual branch adds to the stream, and nothing scales it back.",
        "residual-scale": "A constant factor makes a branch next to nothing.",
        "kernel-bandwidth": "A kernel is so narrow, or so wide, that all distances look alike.",
        "lr-too-high": "One step changes the weights by too much of themselves.",
        "lr-too-low": "One step changes the weights by next to nothing.",
        "no-warmup": "The first steps are taken at the full learning rate, and throw the weights out of range.",
        "too-few-steps": "The loss was still falling when training ended.",
        "weight-decay": "Weight decay outweighs the gradient.",
        "dropout-too-high": "Dropout leaves too little of the signal.",
        "drift": "The gradients are not those of the baseline.",
    },
    "loss and data": {
        "wrong-loss": "The loss does not fit the output or the task.",
        "missing-log": "The loss takes log-probabilities and is given probabilities.",
        "unbounded-loss": "The loss has no floor, so that training runs away along it.",
        "trivial-minimum": "The loss is least where all outputs are alike, and nothing keeps them apart.",
        "broadcast": "Shapes that broadcast compare every output with every target.",
        "label-range": "Labels or targets lie outside what the output can be.",
        "constant-target": "All targets of the batch are the same.",
        "unshuffled-batches": "Batches hold one class or one block each.",
    },
    "through time": {
        "recurrent-gain": "Each step back multiplies the gradient by more than 1.",
        "bptt-decay": "Each step back multiplies the gradient by less than 1.",
        "gate-closed": "A gate is shut, and lets next to nothing through.",
        "unrolled-instability": "A loop that is unrolled amplifies small changes at each pass.",
    },
    "no gradient": {
        "dead-relu": "Units of a rectifier are off for every sample.",
        "dead-surrogate": "Units whose surrogate gradient is 0 for every sample.",
        "graph-cut": "The graph was cut: detach, .data, numpy, no_grad.",
        "non-differentiable-op": "An op without a derivative stands in the way: argmax, round, a comparison.",
        "custom-backward": "A custom Function's backward returns the wrong thing, or nothing.",
        "masked-loss": "Nothing of the batch was left to compare.",
        "no-overlap": "What is compared does not overlap, so that moving it a little changes nothing.",
        "not-in-loss": "What the layer makes does not enter the loss.",
    },
    "non-finite": {
        "exp-overflow": "An exponential, or what grows like one, passes the largest number.",
        "exp-underflow": "An exponential far below 0, or a product of many small numbers, is 0, and so is its slope.",
        "log-zero": "The logarithm of 0.",
        "log-negative": "The logarithm or the root of a number below 0.",
        "sqrt-zero": "A root or a norm at 0, where its slope is infinite.",
        "zero-norm": "A vector of length 0 is normalised.",
        "pow-domain": "A fractional power of a number below 0, or a slope at 0 that is infinite.",
        "acos-boundary": "acos, asin or atanh at the end of its domain, or outside.",
        "zero-div-zero": "A division by 0.",
        "zero-times-inf": "0 times Inf, or Inf less Inf.",
        "small-denominator": "A division by next to nothing.",
        "where-trap": "torch.where hides a bad value forward, and its gradient comes back all the same.",
        "mask-after-nan": "A mask multiplies what is NaN already.",
        "masked-softmax-row": "A softmax over a row that is masked completely.",
        "masked-mean": "A mean over what a mask leaves, which is nothing.",
        "logsumexp-neginf": "A logsumexp over nothing but -Inf.",
        "inf-in-loss": "The loss is given an Inf that was meant as a mask.",
        "empty-reduction": "A mean or an extreme over no elements.",
        "degenerate-eigenvalues": "Equal eigenvalues, or a singular matrix, in a factorisation.",
        "negative-determinant": "The logarithm of a determinant that is not positive.",
        "zero-variance": "The spread of equal values, or of a single one.",
        "single-element-norm": "A normalisation over one element, which makes it constant.",
        "ctc-infeasible": "A CTC target that does not fit into its input.",
        "nan-input": "The batch holds NaN.",
        "inf-input": "The batch holds Inf.",
        "nan-sentinel": "A number that stands for a missing value is read as one.",
        "nan-parameter": "A parameter, a buffer or memory that was never set was NaN before it was computed with.",
        "inf-buffer": "A buffer was Inf before the pass.",
        "fp16-overflow": "A value passes 65,504, the largest of float16.",
        "fp16-underflow": "A value falls below the smallest of a low precision.",
        "sum-aggregation": "A sum grows with what is summed.",
    },
    "not known": {
        "unknown": "No single kind of factor explains it; the groups are shown.",
    },
    "of a run": {
        "missing-zero-grad": "Gradients of earlier steps are never cleared.",
        "clip-before-unscale": "Gradients are clipped while the loss scale is still in them.",
        "no-clipping": "A single large gradient passes unclipped.",
        "parameters-without-optimizer": "Parameters get gradients and belong to no optimiser.",
        "parameters-without-gradient": "Parameters of an optimiser never get a gradient.",
        "frozen-by-mistake": "What should be trained is frozen.",
        "stale-optimizer": "The optimiser holds parameters that the model no longer uses.",
        "call-order": "zero_grad, backward and step come in the wrong order.",
        "lr-zero": "The learning rate is 0.",
        "update-moves-nothing": "Steps are taken, and no parameter moves.",
        "grad-spike": "One gradient far above all before it.",
        "collapse": "The outputs fall together during training.",
        "stuck": "The loss stays where it is.",
        "minimax-loss": "A generator's loss that is flat where the discriminator is sure.",
        "missing-target-network": "A value is trained towards itself.",
        "bootstrapping": "Targets that the model itself makes run away.",
    },
}
_NOTES: Mapping[str, str] = {
    "by-design-zero": "A gradient that is 0 until a gate that starts at 0 opens.",
    "by-design-small": "A gradient that is small until a gate that starts small opens.",
    "cancelled": "Parts of a gradient that add up to nothing, because the loss does not depend on the parameter.",
    "unused": "A layer that this loss does not use.",
    "frozen": "A layer whose parameters do not require a gradient.",
    "detached": "A part that is detached on purpose.",
    "masked": "What the batch routed nothing through.",
    "partly-dead": "Some units that are off, among many that are not.",
    "converged": "A batch that is learned already.",
    "clip-threshold": "A threshold for clipping, from the norms of several batches.",
    "none": "Nothing is wrong.",
}


def _rows() -> Iterator[Cause]:
    for group, causes in _GROUPS.items():
        yield from (Cause(name=name, group=group, meaning=meaning) for name, meaning in causes.items())
    yield from (Cause(name=name, group="for notes", meaning=meaning, note=True) for name, meaning in _NOTES.items())


CAUSES: Mapping[str, Cause] = {cause.name: cause for cause in _rows()}
"""Every cause by its name."""
