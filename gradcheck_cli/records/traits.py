"""What a model has that remedies act on: a residual sum, a softmax, a loss over classes, a recurrent weight, ..."""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

from gradcheck_cli.records.choices import Family


class Trait(Enum):
    """One thing that a checked model has, or what the gradient of a finding does."""

    HIDDEN = "one weighted layer lies before another"
    CONVOLUTIONAL = "it convolves"
    SQUASHING = "a sigmoid or a tanh, which is no gate, lies between two weights"
    RECTIFYING = "it has an activation that is flat on one side"
    RECTIFIED_OUTPUT = "nothing but the loss follows such an activation"
    SOFTMAX = "it takes a softmax"
    RESIDUAL = "what went into a layer is added to what came out of it"
    GATED = "a sigmoid multiplies another signal"
    PLAIN_RECURRENT = "a weight is used step after step, without gates"
    RECURRENT = "a weight is used step after step"
    BATCH_NORMALISED = "it has a normalisation over the batch"
    CROSS_ENTROPY = "its loss is one over classes"
    BINARY = "its loss is one over yes and no"
    REGRESSION = "its loss measures a distance to numbers"
    OTHER_LOSS = "nothing tells of what kind its loss is"
    FLOATING_INPUTS = "its inputs are quantities"
    LARGE_INPUTS = "and they are large"
    LOW_WEIGHTS = "its weights are of a low precision"
    UNREACHED = "its targets lie outside of what its output can be"
    VANISHING = "the gradient of the finding vanishes"
    EXPLODING = "the gradient of the finding explodes"
    SCALED = "a GradScaler scales its loss"
    UNDERFLOWN = "its gradient is 0 in float32, and not in float64"
    UPDATED = "what fails is the update, not the gradient"
    MOVED_BY_HAND = "its parameters are moved by hand, without an optimiser"
    CUT_BY_HAND = "its batches are cut from tensors by hand, without a loader"


Traits: TypeAlias = frozenset[Trait]
"""All that a model has."""


def named(words: str) -> Traits:
    """The traits of these names: `cross-entropy|binary`.

    Raises:
        KeyError: There is none of such a name.
    """
    return frozenset(Trait[word.upper().replace("-", "_")] for word in words.split("|"))


def traits_of_family(family: Family) -> Traits:
    """What the gradient of a finding does."""
    if family is Family.DYNAMICS:
        return frozenset((Trait.UPDATED,))
    if family is Family.EXPLODING:
        return frozenset((Trait.EXPLODING,))
    return frozenset((Trait.VANISHING,)) if family in (Family.VANISHING, Family.NO_GRADIENT) else frozenset()
