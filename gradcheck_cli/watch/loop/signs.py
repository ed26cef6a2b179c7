"""What in the facts of one update speaks for a fault of the loop: one function a rule, all of them pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.watch.loop.classorder import ByClass
from gradcheck_cli.watch.loop.facts import Facts, Holding
from gradcheck_cli.words import count_of

ROW = 3
"""Updates in a row after which what is done at each of them is how the loop is written, and no accident."""
LONG_ROW = 8
"""The same for what a few steps may do on purpose: seeds, restarts, modes."""
BATCHES = 20
"""Batches of one class each after which data is known to come class by class."""
MANY = 4000
"""Labels of one class after which a rare class would have been seen, were it one of a thousand (98 times of 100)."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A fact that speaks for a fault: the sentence, the line, the numbers."""

    message: str
    line: SourceLine | None
    evidence: dict[str, float | int | str]


def shown(message: str, line: SourceLine | None, **evidence: float | int | str) -> Shown:
    """A sign, with the numbers by name."""
    return Shown(message, line, evidence)


def never_cleared(facts: Facts) -> Shown | None:
    """The gradient of the update before is still there when the next backward pass adds its own."""
    if not facts.leftover or facts.empty:
        return None
    return shown(
        f"backward() adds to the gradients of the update before, of {_counted(facts.leftover)}: nothing clears them",
        facts.backward,
        **({"updates": "by hand"} if facts.by_hand else {}),
        parameters=facts.leftover,
    )


def of_another_loss(facts: Facts) -> Shown | None:
    """A loss that another optimiser was to step on has left its gradient in these parameters."""
    if not facts.mixed or facts.leftover or facts.unsure:
        return None
    return shown(
        f"{_counted(facts.mixed)} still hold the gradient of a loss that another optimiser has stepped on",
        facts.backward,
        parameters=facts.mixed,
    )


def cleared_too_early(facts: Facts) -> Shown | None:
    """Gradients are cleared between the backward pass and the update."""
    if facts.cleared is None or not facts.reaching or facts.unsure:
        return None
    return shown(
        "the gradients are cleared after backward() and before step(), so that the update has none",
        facts.cleared,
    )


def no_backward(facts: Facts) -> Shown | None:
    """There was no backward pass since the last update, and there is no gradient."""
    if facts.passes or facts.unsure or not facts.empty:
        return None
    return shown("step() is called, and there was no backward() since the update before it", facts.stepped)


def used_twice(facts: Facts) -> Shown | None:
    """One gradient serves two updates of one optimiser."""
    if not facts.again or facts.rival or facts.unsure or facts.empty:
        return None
    return shown("step() is called again on gradients that it has already used", facts.stepped)


def two_optimizers(facts: Facts) -> Shown | None:
    """One gradient serves an update of each of two optimisers."""
    if not facts.again or not facts.rival or facts.unsure:
        return None
    return shown("two optimisers hold the same parameters, and both step on the same gradient", facts.made)


def only_the_last(facts: Facts) -> Shown | None:
    """Several backward passes make one update, and the gradients are cleared between them."""
    if not facts.lost or facts.unsure:
        return None
    return shown(
        f"{facts.lost + 1} backward passes lead to one update, and all but the last are cleared away",
        facts.backward,
        lost=facts.lost,
    )


def clipped_scaled(facts: Facts) -> Shown | None:
    """Clipping sees gradients that are multiplied by the loss scale."""
    if facts.clipped_scaled is None or facts.scale in (None, 1.0):
        return None
    return shown(
        f"gradients are clipped while the loss scale of {facts.scale:g} is in them: unscale_() comes before",
        facts.clipped_scaled,
        scale=float(facts.scale or 1.0),
    )


def clipped_late(facts: Facts) -> Shown | None:
    """Clipping comes after the update."""
    if facts.clipped_late is None or facts.clipped is not None:
        return None
    return shown("gradients are clipped after step(), when the update has been made", facts.clipped_late)


def clipped_nothing(facts: Facts) -> Shown | None:
    """Clipping is given no gradients, as by a generator that is used up."""
    if facts.clipped_nothing is None or facts.clipped is not None or facts.empty:
        return None
    return shown("clipping is given no parameter that has a gradient: nothing is clipped", facts.clipped_nothing)


def unscaled_loss(facts: Facts) -> Shown | None:
    """The GradScaler divides gradients by a scale that no loss was multiplied with."""
    if facts.scale in (None, 1.0) or facts.scalings != 0 or not facts.reaching or facts.unsure or facts.skipped:
        return None
    return shown(
        f"scaler.step() divides the gradients by {facts.scale:g}, and the loss was not scaled",
        facts.backward,
        scale=float(facts.scale or 1.0),
    )


def taken_scaled(facts: Facts) -> Shown | None:
    """The optimiser steps by itself on gradients of a scaled loss."""
    if facts.taken_scaled in (None, 1.0) or facts.unsure:
        return None
    return shown(
        f"optimizer.step() takes gradients of a loss that was scaled by {facts.taken_scaled:g}: "
        "scaler.step(optimizer) would unscale them",
        facts.stepped,
        scale=float(facts.taken_scaled or 1.0),
    )


def evaluating(facts: Facts) -> Shown | None:
    """The model is trained in eval mode, and was in train mode before, or its batch norms have never been."""
    if not facts.evaluates or not (facts.trained_before or facts.untouched_norms):
        return None
    if facts.trained_before:
        return shown("the model was put into eval mode, and training goes on without train()", facts.put_to_eval)
    return shown(
        "the model is trained in eval mode: its batch norms use statistics that nothing has measured",
        facts.put_to_eval,
    )


def cut_loss(facts: Facts) -> Shown | None:
    """The loss leads to no parameter."""
    if not facts.detached or not facts.passes or facts.unsure:
        return None
    return shown(
        "the loss that backward() starts from leads to no parameter: it was detached or made anew", facts.backward
    )


def same_batch(facts: Facts) -> Shown | None:
    """A loader is begun anew at every step."""
    if facts.restarted is None:
        return None
    return shown("the loader is begun anew at every step, so that each one sees the first batch again", facts.restarted)


def same_randomness(facts: Facts) -> Shown | None:
    """A seed is set at every step."""
    if facts.reseeded is None:
        return None
    return shown("the random state is set to the same at every step: same batch, same masks", facts.reseeded)


def weights_reset(facts: Facts) -> Shown | None:
    """What an update moved is put back before the next one."""
    if not facts.reset:
        return None
    return shown("the weights are back at every step where they were before the update", facts.stepped)


def starts_over(facts: Facts) -> Shown | None:
    """The weights are those of the start again."""
    if not facts.over:
        return None
    return shown(
        "again and again the weights are, bit for bit, what they were before the first update: "
        "something copies them back",
        facts.stepped,
    )


def one_class(facts: Facts) -> Shown | None:
    """All labels that there ever were are of one class."""
    if facts.labels < MANY:
        return None
    ignored = f", and {facts.ignored:,} others are ignored" if facts.ignored else ""
    return shown(
        f"all {facts.labels:,} labels so far are class {facts.label}{ignored}: one answer is right for every sample",
        facts.labelled,
        labels=facts.labels,
        label=facts.label,
        ignored=facts.ignored,
    )


def comes_by_class(by_class: ByClass) -> bool:
    """Whether batches hold one class each, one after the other; or nearly so, and the loss jumps where one begins."""
    pure = by_class.pure == by_class.batches
    return by_class.batches >= BATCHES and (pure or ROW <= by_class.rises > by_class.changes / 2)


def in_blocks(facts: Facts) -> Shown | None:
    """Batches of one class each, one class after the other."""
    by_class = facts.by_class
    if not comes_by_class(by_class):
        return None
    told = f"each of the {by_class.batches} batches so far holds one class, and the classes come one after the other"
    if by_class.pure < by_class.batches:
        told = (
            f"{by_class.pure} of the {by_class.batches} batches so far hold one class, the classes come one after the "
            f"other, and the loss jumped above the first batch's at {by_class.rises} of {by_class.changes} changes"
        )
    return shown(
        told,
        facts.labelled,
        **({} if facts.loads else {"batches_cut": "by hand"}),
        batches=by_class.batches,
        of_one_class=by_class.pure,
        changes=by_class.changes,
        share_between_batches=by_class.share,
    )


def replaced(facts: Facts) -> Shown | None:
    """None of the optimiser's parameters gets a gradient any more, and others of their shapes do, which none holds."""
    if not facts.replaced or facts.own_step <= ROW:  # at first the graph tells more
        return None
    return shown(
        f"no parameter of the optimiser gets a gradient any more: the model now uses {facts.replaced} others of the "
        "same shapes, which no optimiser holds",
        facts.made,
        twins=facts.replaced,
    )


def remade(facts: Facts) -> Shown | None:
    """A new optimiser for every update."""
    if not facts.remade or not facts.remembers or facts.own_step > 1:
        return None
    return shown("a new optimiser is made for every update, so that it never remembers the steps before", facts.made)


def schedules_another(facts: Facts) -> Shown | None:
    """The scheduler belongs to an optimiser that does not step."""
    if facts.rated_other is None:
        return None
    return shown("the scheduler moves the learning rate of an optimiser that never steps", facts.rated_other)


Shows = Callable[[Facts], "Shown | None"]
BY_ROW: tuple[tuple[str, int, Shows], ...] = (
    ("GC650", ROW, never_cleared),
    ("GC651", ROW, cleared_too_early),
    ("GC652", ROW, no_backward),
    ("GC653", ROW, used_twice),
    ("GC654", ROW, only_the_last),
    ("GC655", ROW, clipped_scaled),
    ("GC656", ROW, clipped_late),
    ("GC657", ROW, clipped_nothing),
    ("GC658", ROW, unscaled_loss),
    ("GC659", ROW, taken_scaled),
    ("GC660", ROW, two_optimizers),
    ("GC661", LONG_ROW, evaluating),
    ("GC662", ROW, cut_loss),
    ("GC663", LONG_ROW, same_batch),
    ("GC664", LONG_ROW, same_randomness),
    ("GC665", LONG_ROW, weights_reset),
    ("GC666", LONG_ROW, remade),
    ("GC667", ROW, schedules_another),
    ("GC668", ROW, replaced),
    ("GC674", ROW, of_another_loss),
    ("GC676", ROW, starts_over),
    ("GC678", LONG_ROW, one_class),
    ("GC679", ROW, in_blocks),
)
"""Rules that hold at consecutive updates: the code, how many, and what shows it."""
NOT_ONE_OPTIMIZERS = frozenset(("GC666",))
"""Rules about updates of optimisers that follow each other."""
NOT_IN_A_ROW = frozenset(("GC653", "GC676"))
"""Rules that hold at every second update, or at the first ones of rounds."""


def stale(facts: Facts, holding: Holding) -> Shown | None:
    """The optimiser holds parameters that nothing uses, and what is used has their shapes and belongs to none."""
    if not holding.twins or holding.reached == holding.held:
        return None
    return shown(
        f"the optimiser holds {_counted(holding.held - holding.reached)} that the model no longer uses; "
        f"{holding.twins} of the same shapes are trained by none",
        facts.made,
        unused=holding.held - holding.reached,
        twins=holding.twins,
    )


def without_optimizer(facts: Facts, holding: Holding) -> Shown | None:
    """Parameters that are as initialised get gradients, and no optimiser holds them."""
    if not holding.unheld or holding.twins or holding.only_the_top:
        return None
    return shown(
        f"no optimiser holds {_counted(len(holding.unheld))} with gradients that {_are(holding.unheld)} as "
        f"initialised: {_named(holding.unheld)}",
        facts.made,
        parameters=len(holding.unheld),
    )


def without_gradient(facts: Facts, holding: Holding) -> Shown | None:
    """Parameters of the optimiser whose modules are called never get a gradient."""
    if not holding.cut or facts.detached:  # then no loss leads anywhere
        return None
    return shown(
        f"{_counted(len(holding.cut))} of the optimiser are used and never get a gradient: {_named(holding.cut)}",
        facts.backward,
        parameters=len(holding.cut),
    )


def made_for_nothing(facts: Facts, holding: Holding) -> Shown | None:
    """Much of what the optimiser holds is computed at every update, and enters no loss."""
    if not holding.aside or not holding.reached:
        return None
    return shown(
        f"{_counted(len(holding.aside))} of the optimiser, {holding.aside_share:.0%} of its weights, are computed with "
        f"at every update, and the loss does not depend on them: {_named(holding.aside)}",
        facts.backward,
        parameters=len(holding.aside),
        share=holding.aside_share,
    )


def frozen_top(facts: Facts, holding: Holding) -> Shown | None:
    """The last module is random and frozen."""
    if not holding.frozen_top:
        return None
    return shown(
        f"{holding.frozen_top} is as it was initialised and frozen, while the layers below it learn",
        facts.made,
    )


IGNORES_TARGETS = "GC680"
"""The rule of targets that change nothing: the one fault of the loop that may pass."""


def ignores_targets(facts: Facts, holding: Holding) -> Shown | None:
    """Other targets leave the loss as it is."""
    if holding.ignored_target is None:
        return None
    return shown("with other targets the loss is the same to the last bit: they change nothing", holding.ignored_target)


def matches_itself(facts: Facts, holding: Holding) -> Shown | None:
    """One answer for all is the loss's minimum, and nothing in it says otherwise."""
    if holding.matched_itself is None:
        return None
    return shown(
        "the loss holds outputs of one model against each other and nothing else: with the same output for every "
        "sample it is exactly 0",
        holding.matched_itself,
    )


Holds = Callable[[Facts, Holding], "Shown | None"]
BY_HOLDING: tuple[tuple[str, Holds], ...] = (
    ("GC668", stale),
    ("GC669", without_optimizer),
    ("GC670", without_gradient),
    ("GC671", frozen_top),
    ("GC677", made_for_nothing),
    (IGNORES_TARGETS, ignores_targets),
    ("GC681", matches_itself),
)
"""Rules about which parameters take part."""


def _are(names: tuple[str, ...]) -> str:
    return "is" if len(names) == 1 else "are"


def _counted(count: int) -> str:
    return count_of(count, "parameter")


def _named(names: tuple[str, ...]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
