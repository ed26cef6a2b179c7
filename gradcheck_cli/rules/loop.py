"""GC650 to GC681: faults of the loop. The calls show them, so that a row holds no check of a step, and no threshold."""

from __future__ import annotations

import inspect

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.timeline import AlarmKind
from gradcheck_cli.rules.rule import AlarmRule


def _fault(code: str, name: str, severity: Severity, causes: str, explanation: str) -> AlarmRule:
    return AlarmRule(
        code=code,
        name=name,
        severity=severity,
        causes=tuple(causes.split()),
        kind=AlarmKind.LOOP,
        explained_by=frozenset(),
        explanation=inspect.cleandoc(explanation),
    )


LOOP = (
    _fault(
        "GC650",
        "never-cleared",
        Severity.ERROR,
        "missing-zero-grad",
        """Gradients of the last update are still there when the next backward pass adds its own.

        Each update then follows the sum of all gradients since the start: it overshoots, swings, or runs away. It is
        raised where nothing wrote into them at three updates in a row. Accumulating over several backward passes
        before one update is as it should be, and so is clearing them at any moment between the two.
        """,
    ),
    _fault(
        "GC651",
        "cleared-before-step",
        Severity.ERROR,
        "call-order",
        """Gradients are cleared after the backward pass and before the update that was to use them.

        The optimiser steps on nothing. The order is zero_grad, backward, step; zero_grad after step is as good.
        """,
    ),
    _fault(
        "GC652",
        "step-without-backward",
        Severity.ERROR,
        "call-order",
        """The optimiser steps, and there was no backward pass since its last step, nor is there any gradient.

        Parameters without a gradient are passed over, so that nothing moves and nothing is said. Gradients that are
        set by hand, or by autograd.grad, are as good as those of a backward pass.
        """,
    ),
    _fault(
        "GC653",
        "gradient-used-twice",
        Severity.WARNING,
        "call-order",
        """The optimiser steps more than once on the gradients of one backward pass.

        The second step goes on blindly along a slope that was measured somewhere else. Mostly step() stands twice in
        the loop, in a function and where that is called.
        """,
    ),
    _fault(
        "GC654",
        "only-the-last-micro-batch",
        Severity.WARNING,
        "call-order",
        """Several backward passes lead to one update, and the gradients are cleared between them.

        All but the last are thrown away. To accumulate, clear the gradients once an update. Gradients that are read
        and put together by hand, as in gradient surgery, or taken at other weights, as in SAM, are no such case.
        """,
    ),
    _fault(
        "GC655",
        "clip-before-unscale",
        Severity.WARNING,
        "clip-before-unscale",
        """Gradients are clipped while the loss scale of a GradScaler is in them.

        The limit is then thousands of times too low, and the scaler divides what is left once more: updates are next
        to nothing. scaler.unscale_(optimizer) comes before clipping.
        """,
    ),
    _fault(
        "GC656",
        "clip-after-step",
        Severity.WARNING,
        "call-order no-clipping",
        """Gradients are clipped after the update, when they have been used.

        Nothing is clipped in truth: the next backward pass begins with other gradients. Clipping to Inf, which
        measures the norm, is not meant.
        """,
    ),
    _fault(
        "GC657",
        "clips-nothing",
        Severity.WARNING,
        "no-clipping",
        """Clipping is given no parameter that has a gradient.

        model.parameters() is a generator: once the optimiser has read it, it is empty. Nothing is clipped, and
        nothing is said.
        """,
    ),
    _fault(
        "GC658",
        "unscaled-loss",
        Severity.ERROR,
        "call-order",
        """The GradScaler is asked to step, and the loss was never scaled.

        It divides the gradients by the loss scale all the same: updates are tens of thousands of times too small.
        """,
    ),
    _fault(
        "GC659",
        "scaled-gradients-taken",
        Severity.ERROR,
        "call-order",
        """The optimiser steps by itself on the gradients of a loss that a GradScaler has scaled.

        They are tens of thousands of times too large. scaler.step(optimizer) unscales them; so does
        scaler.unscale_(optimizer) before optimizer.step().
        """,
    ),
    _fault(
        "GC660",
        "parameter-in-two-optimizers",
        Severity.WARNING,
        "call-order",
        """Two optimisers hold the same parameters, and both step on the same gradient.

        These parameters move twice, and each optimiser's momentum knows of half of it. Optimisers that take turns
        with a backward pass each, or that follow each other in stages, are no such case.
        """,
    ),
    _fault(
        "GC661",
        "trained-in-eval-mode",
        Severity.WARNING,
        "call-order",
        """The model is trained in eval mode, with batch norms or dropout in it.

        Mostly it was put there to be evaluated, and train() was not called again: dropout is off, and batch norms
        use, and no longer measure, their running statistics. It is told where the model was in train mode before,
        or where its batch norms have never seen a batch. Parts that are kept in eval mode while the model itself is
        in train mode, as a frozen batch norm is, are as they should be.
        """,
    ),
    _fault(
        "GC662",
        "detached-loss",
        Severity.ERROR,
        "graph-cut",
        """backward() starts from a tensor that leads to no parameter.

        The loss was detached, turned into a number, or made anew by torch.tensor(..., requires_grad=True): that
        silences the error that autograd would raise, and nothing learns.
        """,
    ),
    _fault(
        "GC663",
        "first-batch-only",
        Severity.WARNING,
        "unshuffled-batches",
        """The loader is begun anew at every step, and gives the same batch each time.

        next(iter(loader)) in a loop makes a new iterator at each turn, whose first batch it takes. Over-fitting one
        batch that was taken once, before the loop, is as it should be.
        """,
    ),
    _fault(
        "GC664",
        "reseeded",
        Severity.WARNING,
        "unshuffled-batches",
        """The random state is set to the same at every step.

        Every step then draws the same batch, the same dropout mask, the same noise. One seed before the loop is
        enough; a seed that differs at each step is as it should be.
        """,
    ),
    _fault(
        "GC665",
        "weights-put-back",
        Severity.ERROR,
        "call-order",
        """At every step the weights are again, bit for bit, what they were before the update.

        Something in the loop loads, copies or initialises them anew, so that nothing of what was learned stays.
        """,
    ),
    _fault(
        "GC666",
        "optimizer-made-anew",
        Severity.WARNING,
        "call-order",
        """A new optimiser is made for every update, for the same parameters.

        Momentum and Adam's averages begin at zero each time: the first step of Adam moves every weight by the whole
        learning rate, whatever its gradient.
        """,
    ),
    _fault(
        "GC667",
        "schedule-of-another-optimizer",
        Severity.WARNING,
        "stale-optimizer",
        """The scheduler belongs to an optimiser that never steps, for the same parameters as one that does.

        The optimiser was made anew after the scheduler, whose learning rates reach nobody: the rate stays where it
        was when training began. Make the scheduler last.
        """,
    ),
    _fault(
        "GC668",
        "stale-optimizer",
        Severity.ERROR,
        "stale-optimizer",
        """The optimiser holds parameters that the model no longer uses.

        The model, or a layer of it, was copied, replaced or loaded by assignment after the optimiser was made, or in
        the middle of the run: what is computed with belongs to none, and what the optimiser holds is not reached.
        """,
    ),
    _fault(
        "GC669",
        "parameters-without-optimizer",
        Severity.WARNING,
        "parameters-without-optimizer",
        """Parameters get gradients, are as they were initialised, and no optimiser holds them.

        They stay as they are, whatever their gradients say, and the rest learns around what is random. Told only of
        what shows by its values that nothing has trained it, that nothing moves, and that is no copy of what is
        trained. A pretrained body under a head that alone is trained, a target network and layers that are updated by
        hand are as they should be.
        """,
    ),
    _fault(
        "GC670",
        "parameters-without-gradient",
        Severity.WARNING,
        "parameters-without-gradient",
        """Parameters of the optimiser are used, never get a gradient, and are as they were initialised.

        What is made of them is detached, or computed under no_grad, so that they stay random. Parameters that are
        not used at all, or that came trained, are not meant.
        """,
    ),
    _fault(
        "GC671",
        "frozen-head",
        Severity.WARNING,
        "frozen-by-mistake",
        """The last layer is as it was initialised and frozen, while the layers below it learn.

        Freezing was meant for a pretrained body and took the new head with it, or the head was never thawed.
        """,
    ),
    _fault(
        "GC672",
        "learning-rate-zero",
        Severity.ERROR,
        "lr-zero",
        """The learning rate is 0, or too small to move any weight, for longer than it was not.

        Mostly a scheduler that counts epochs is stepped at every batch. The last steps of a schedule may be at 0,
        and so may the first of a warm-up: both are shorter than the training.
        """,
    ),
    _fault(
        "GC673",
        "update-moves-nothing",
        Severity.ERROR,
        "update-moves-nothing",
        """There are gradients and a learning rate, and not one of the first updates moved any weight.

        They are smaller than half of the weights' last digit, as is usual for weights in bfloat16 or float16: keep
        them in float32 and let autocast compute in half precision, or raise the learning rate.
        """,
    ),
    _fault(
        "GC674",
        "gradient-of-another-loss",
        Severity.WARNING,
        "missing-zero-grad",
        """An optimiser steps on gradients that another one's loss has left in its parameters.

        The backward pass of a generator goes through the discriminator and leaves a gradient there, which has to be
        cleared before the discriminator's own; so it is with an actor's loss and its critic. Losses that are added
        up before any optimiser steps are as they should be.
        """,
    ),
    _fault(
        "GC675",
        "never-stepped",
        Severity.ERROR,
        "call-order",
        """Backward passes reach the parameters of an optimiser, and its step() is never called.

        It stands in a branch that is not taken, counts batches that an epoch never reaches, or was forgotten. Told
        when the script ends, of parameters that are as they were initialised, that nothing moves, and that no other
        optimiser trains: gradients of a trained model may be all that is wanted.
        """,
    ),
    _fault(
        "GC676",
        "training-starts-over",
        Severity.ERROR,
        "call-order",
        """Again and again the weights are, bit for bit, what they were before the optimiser's first update.

        A copy from the start is put back, as by an average that is applied and never updated, or a checkpoint that is
        never saved again: nothing is kept of what was learned between. Told at the third time. Where the optimiser is
        given its old state as well, or a new optimiser is made, each round begins anew on purpose.
        """,
    ),
    _fault(
        "GC677",
        "not-in-loss",
        Severity.ERROR,
        "not-in-loss",
        """Much of what the optimiser holds is computed with at every update, and the loss does not depend on it.

        The loss is made of another tensor than the output: of the input itself, of the targets twice, of the wrong
        one of several outputs. Told of a quarter of all weights or more, that are as they were initialised and got
        no gradient yet; a head that is not asked is less, and what learns by turns gets its gradient soon.
        """,
    ),
    _fault(
        "GC678",
        "one-class",
        Severity.ERROR,
        "constant-target",
        """All labels that the loss has been given since the start are of one class.

        The loss falls to nothing, since a bias alone can learn that, and nothing else is learned. Mostly labels were
        cut to whole numbers, read from the wrong column, or ignore_index is the number of a real class. Told after
        four thousand labels, so that a rare class is seen; the fixed labels of a contrastive loss do not count.
        """,
    ),
    _fault(
        "GC679",
        "class-by-class",
        Severity.ERROR,
        "unshuffled-batches",
        """Each batch holds one class, and the classes come one after the other.

        What one block teaches the next one takes back: the loss falls within a block and jumps at its end, and the
        last class wins. Mostly the data is sorted and the loader does not shuffle. A discriminator that is given real
        and false batches by turns is as it should be.
        """,
    ),
    _fault(
        "GC680",
        "targets-change-nothing",
        Severity.ERROR,
        "wrong-loss",
        """The loss of a step, taken again with other targets, is the same to the last bit.

        The term that compares them is multiplied by 0, or a mask leaves nothing of it, so that what is learned is
        what the other terms ask for. The targets of all losses of the step are changed at once, so that a term whose
        weight still grows from 0 beside another one is as it should be.
        """,
    ),
    _fault(
        "GC681",
        "matches-itself",
        Severity.ERROR,
        "trivial-minimum",
        """The loss holds outputs of one model against each other, and nothing else enters it.

        It is exactly 0 where all outputs are alike, which is where training goes: codes of different samples become
        one. Something has to keep them apart: other samples of the batch, their spread, a decoder, or a side that
        gets no gradient, as a target network's and that of a stopped branch.
        """,
    ),
)
"""Every fault of the loop, by code."""
BY_FAULT = {row.code: row for row in LOOP}
"""The row of every fault, by its code."""
