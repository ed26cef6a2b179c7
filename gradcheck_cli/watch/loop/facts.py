"""What is known of one attempted update by the calls that were seen: numbers, flags and lines, no tensors."""

from __future__ import annotations

from dataclasses import dataclass

from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.watch.loop.classorder import NO_ORDER, ByClass


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """Which parameters take part in training, and which of them an optimiser holds. Names are paths in the model.

    Attributes:
        held: Parameters of the optimiser that require a gradient.
        reached: Those of them that received one so far.
        cut: Those that never did although the loss depends on them, and that are as they were initialised; where none
            ever did, those whose modules are called with gradients at every update.
        aside: Those that never did since the loss does not depend on them, although their modules are called with
            gradients at every update, and that are as they were initialised; empty where they are few of all.
        aside_share: Their share of the elements that the optimiser holds.
        unheld: Parameters that received a gradient, that no optimiser holds, that nothing else moves, and that are as
            they were initialised.
        twins: As many of those that no optimiser holds as have the shapes of held ones that were never reached.
        only_the_top: Whether the optimiser holds nothing but the last module of a model of several.
        ignored_target: The line of a loss that is the same to the last bit with other targets, where all losses are.
        matched_itself: The line of a loss of nothing but outputs of one model, which is 0 where these are all alike.
        frozen_top: The last module of the model, where it is as it was initialised and takes no gradient, while what
            lies below it learns; "" else.
    """

    held: int
    reached: int
    cut: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    aside_share: float = 0.0
    unheld: tuple[str, ...] = ()
    twins: int = 0
    only_the_top: bool = False
    frozen_top: str = ""
    ignored_target: SourceLine | None = None
    matched_itself: SourceLine | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """One attempted update. Lines are those of the user's calls; None where there was no such call.

    Attributes:
        step: Attempted updates over all optimisers, from 1.
        optimizer: The optimiser's number in order of its first update.
        own_step: Its own attempted updates, from 1.
        made: Where the optimiser was made.
        stepped: Where it was asked to step.
        backward: Where the last backward pass was started that reached its parameters, or the last of all.
        rate: Its highest learning rate; None where it is not known.
        remembers: Whether its updates depend on those before, as with momentum.
        dtype: That of its parameters, by name; of the first one.
        norm: The norm of the gradient that it is about to use, as the last backward pass left it.
        passes: Backward passes since its last update.
        reaching: Those of them that reached its parameters.
        unsure: Whether gradients may have been made in ways that are not seen: by hand, by autograd.grad.
        leftover: How many of its parameters still hold the gradient of its last update beneath the new one.
        mixed: How many of them hold gradients of two losses between which another optimiser has stepped.
        empty: Whether none of its parameters has a gradient.
        replaced: Where none has, how many parameters of their shapes are trained instead that no optimiser holds.
        cleared: The call that cleared all of its gradients after the last backward pass.
        again: Whether all that it is about to use was used by an update before, with no backward pass in between.
        rival: Whether that was another optimiser's.
        lost: Backward passes since its last update whose gradients were cleared before another one was added.
        clipped: Where its gradients were clipped after the last backward pass.
        clip_limit: The L2 norm that they were clipped to; None where that is not known.
        clipped_scaled: Where they were clipped while the loss scale was in them.
        clipped_late: Where they were clipped between its last update and the next backward pass.
        clipped_nothing: Where clipping was given no gradient at all.
        scale: The loss scale of the GradScaler that was asked for the update; None without one.
        scalings: Backward passes since its last update that came from what a GradScaler had scaled; None where that
            was not looked at.
        taken_scaled: The loss scale that is still in gradients which the optimiser takes without the GradScaler.
        skipped: Whether the GradScaler skips this update.
        moved: Whether its last update moved any parameter; None where that was not looked at.
        reset: Whether its parameters are again, bit for bit, what they were before the last update, which moved them.
        over: Whether its parameters are again, bit for bit, what they were before its first update, which moved them,
            and its own state is not that of then.
        evaluates: Whether the model that is trained is in eval mode, with layers to which that matters.
        trained_before: Whether it was in train mode at an update before.
        untouched_norms: Whether it has batch norms that have never seen a batch in train mode.
        put_to_eval: The call that put it into eval mode.
        detached: Whether the losses since its last update lead to no parameter at all.
        restarted: Where a loader of several batches was begun anew for this update, with the batch of the last one.
        reseeded: Where the random state was set to what it was at the last update, and randomness is used.
        rated: Where a scheduler was stepped last that moves this optimiser's learning rate.
        rated_times: How often.
        rated_other: Where a scheduler is stepped again and again that moves an optimiser which never steps and holds
            the same parameters.
        remade: Whether it was made since the last update, by the same line as the one before and for the same
            parameters.
        labels: How many labels there were so far, while all that count are of one class; 0 where they are not.
        label: That class.
        ignored: Labels that the loss leaves out.
        by_class: The batches so far, where their classes come one after the other.
        labelled: Where the loss is called that they are given to.
        by_hand: Whether no optimiser made the update.
        loads: Whether a loader of several batches was begun so far.
        holding: Looked at once, when it has stepped a few times.
        heeds_targets: Whether other targets change its loss, where they did not then; looked at now and then.
    """

    step: int
    optimizer: int = 0
    own_step: int = 1
    made: SourceLine | None = None
    stepped: SourceLine | None = None
    backward: SourceLine | None = None
    rate: float | None = None
    remembers: bool = False
    dtype: str = "float32"
    norm: float | None = None
    passes: int = 1
    reaching: int = 1
    unsure: bool = False
    leftover: int = 0
    mixed: int = 0
    empty: bool = False
    replaced: int = 0
    cleared: SourceLine | None = None
    again: bool = False
    rival: bool = False
    lost: int = 0
    clipped: SourceLine | None = None
    clip_limit: float | None = None
    clipped_scaled: SourceLine | None = None
    clipped_late: SourceLine | None = None
    clipped_nothing: SourceLine | None = None
    scale: float | None = None
    scalings: int | None = None
    taken_scaled: float | None = None
    skipped: bool = False
    moved: bool | None = None
    reset: bool = False
    over: bool = False
    evaluates: bool = False
    trained_before: bool = False
    untouched_norms: bool = False
    put_to_eval: SourceLine | None = None
    detached: bool = False
    restarted: SourceLine | None = None
    reseeded: SourceLine | None = None
    rated: SourceLine | None = None
    rated_times: int = 0
    rated_other: SourceLine | None = None
    remade: bool = False
    labels: int = 0
    label: int = 0
    ignored: int = 0
    by_class: ByClass = NO_ORDER
    labelled: SourceLine | None = None
    by_hand: bool = False
    loads: bool = False
    holding: Holding | None = None
    heeds_targets: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class LoopFault:
    """A fault of the loop.

    Attributes:
        code: The rule's.
        message: What was seen, with its numbers.
        line: The call that is wrong, or before or after which one is missing.
        evidence: The numbers by name.
        since: The step at which it was first seen.
    """

    code: str
    message: str
    line: SourceLine | None
    evidence: dict[str, float | int | str]
    since: int
