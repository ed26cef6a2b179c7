"""Every number that an alarm of a run, or its judgement, turns on.

None is movable: what tells a spike that matters from one that does not is what comes next (THEORY.md, section 7), so
the numbers that raise an alarm decide only how often a step is explained, and those that judge it compare the run with
itself.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarming:
    """One number a field; a *sigma* is 1.4826 times the median absolute deviation, an update one of one optimiser."""

    # ------------------------------------------------------------ when one is raised
    window: int = 50
    """Updates that the statistics are taken over: the sigma is then known to a sixth (its error is 1.17/sqrt(n))."""
    warm_up: int = 20
    """Updates before there are statistics: the sigma is known to a quarter."""
    spike: float = 8.0
    """Sigmas above the median that are a spike. Healthy scripts reach 6.5 where layers are thawed, a recurrent net that
    blew up 11 and 18 (THEORY.md, section 7); higher ones of healthy runs come back, and are judged by that."""
    novel: float = 1.5
    """How much higher than anything in the window, and than any spike the run came back from, a spike is: half as high
    again, since of fifty values the greatest is often a bit above the last."""
    norm_sigma: float = 0.1
    """The least sigma of a gradient norm's logarithm: between two batches of one run it differs by 10 % at least."""
    loss_sigma: float = 4e-3
    """The least sigma of a loss, over its median: one step of bfloat16, in which some losses are computed (2^-8)."""
    noticed: float = 1e-3
    """The least sigma over what has been learned since the start: a spike (8 of them) is then a hundredth of that, and
    what a converged loss does below is no loss of what was learned."""
    explosion: float = 1e3
    """Factor by which a loss or a gradient norm explodes where there are no statistics yet. Healthy first losses are up
    to 880 times that of no prediction (`loss_over_zeroed`): what lies beyond was not there at the start."""
    drift: float = 0.5
    """Share of what was learned that a loss has lost when it is said to climb: the larger part, as for `lost`."""
    # ------------------------------------------------------------ how it is judged
    level: int = 5
    """Updates whose median loss is the level just before an alarm, and that which the run comes back to: two outliers
    do not move it."""
    back: float = 2.0
    """Sigmas above the level before within which the run is back: within the noise that it had."""
    patience: int = 25
    """Updates after an alarm that a run is given at least to come back: half of a window. Their median is the level it
    stays at."""
    recovery: int = 100
    """Updates that it is given at most, two windows. In between: as many as the run had taken before the alarm, since
    what was learned in n updates is learned again in n."""
    lost: float = 0.5
    """Share of what was learned since the first updates that is lost in a run that stays bad: the larger part, since a
    new phase of a curriculum or another rate costs some."""
    lost_in_a_burst: float = 0.1
    """The same, where the gradient norm burst with it: the first loss may be many times that of no prediction."""
    regained: float = 0.5
    """Share of what an event cost that is learned again in a run that is on its way back: the larger part."""
    at_once: float = 0.5
    """Share of the loss's rise that an event made itself, within its first 20 updates: the larger part; else the loss
    climbed."""
    climbed: float = 100.0
    """Factor of the largest loss of before by which a slow climb is more than the drift of a reward or a game: a decade
    in what is squared."""
    wiped_out: float = 2.0**23
    """Factor by which a loss has grown for several updates, from which nothing of before is left: it is below the
    rounding of float32."""
    # ------------------------------------------------------------ a run that does not learn
    standing: int = 100
    """Updates that a run is given to learn something: those of a second opinion (THEORY.md, section 4d)."""
    suspected: int = 400
    """Updates after which a run that learned nothing bears out what was only suspected: of 479 library models that
    train 23 are still at chance after 30, and slow is not ill (THEORY.md, sections 4a and 4d)."""
    samples: int = 3
    """Sampled steps, an eighth of the run apart, that are taken together: the fewest that have a median."""
    at_chance: float = 0.95
    """Loss over Lm of the same batch (THEORY.md, section 4a) from which nothing is learned: half of the way to 0.9."""
    learned_well: float = 0.7
    """The same, below which something was learned beyond doubt: of healthy models 61 of 65 come below 0.89."""
    near_chance: float = 1.1
    """The same, up to which the loss is that of one answer: Lm is the best one for the batch, and a run's is a bit off.
    Models that move their own target are at 1.4 to 4 and well (THEORY.md, section 4a)."""
    far_above: float = 10.0
    """The same, from which the loss is far worse than one answer, whatever moves its target."""
    moved_on: float = 0.9
    """Loss over that of halfway through, below which a run makes progress: a tenth of it, as for `learned`."""
    swings: float = 0.25
    """Share of updates that raise the loss of their own batch from which a run without progress swings: healthy ones
    mostly 0 to 0.15, runs about to blow up 0.25 and more (THEORY.md, section 7)."""
    swing_samples: int = 8
    """Sampled updates that such a share is taken over at least: of as many, two are seldom chance."""
    raises: float = 0.01
    """Share of its loss by which an update has to raise it: less is rounding, or noise of the model's own."""
    descends: float = 0.8
    """Share of updates that lower the loss of their own batch where the step is only too small: of a step that is too
    large, or next to no step (rounding), half of them do."""
    moved_in_all: float = 1e-2
    """What all updates together may have moved a layer by at most, of itself, where they are too small: of the hundred
    that there are at least each less than a tenth of the usual 1e-3 (THEORY.md, section 4)."""
    thrown: float = 10.0
    """Factor by which all weights together have grown from which a signal of scale 1 is none any more: a decade a
    layer."""
    in_blocks: float = 0.5
    """Share of the targets' spread that lies between batches, from which rows of one batch tell less of a target than
    the place in the order does; of shuffled rows it is 1 over their number."""
    with_blocks: float = 0.5
    """Correlation of the loss with the change of the targets from which the order makes the loss swing: a quarter of
    its variance over 50 batches, where chance makes 0.28 once in 40."""
    few: float = 0.5
    """Share of dead units, or of saturated elements, that a layer has at most while it is well (GC403, GC206)."""
    nearly_all: float = 0.95
    """The same, from which the layer is out of use: one in twenty is left (`dead_share`, `saturated_share`)."""
    # ------------------------------------------------------------ loss scales
    skips_in_a_row: int = 10
    """Skipped updates in a row that are told as a scale that collapses: a start at 2^24 needs 9 to reach PyTorch's
    default loss scale of 2^16."""
    regrown: int = 5
    """Times within a window that a scale falls anew, from which a tenth of all updates is lost for good: PyTorch's own
    interval of 2,000 updates makes one of it in forty windows."""
    smallest_scale: float = 1.0
    """Loss scale below which scaling makes gradients smaller, so that half precision cannot hold them at all."""
    skips_for_good: int = 40
    """Skipped updates in a row that bring the largest scale, 2^24, under the smallest normal number of float16, 2^-14:
    38 halve it so often."""
    settled: int = 10
    """Updates in a row that were made, after which a scale has settled: as many as make a collapse."""


ALARMING = Alarming()
