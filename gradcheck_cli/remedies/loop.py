"""Remedies for the training loop itself."""

from __future__ import annotations

from gradcheck_cli.remedies.row import remedy

_OPTIM = "PyTorch docs, torch.optim: https://docs.pytorch.org/docs/stable/optim.html"
_AMP = "PyTorch docs, automatic mixed precision examples: https://docs.pytorch.org/docs/stable/notes/amp_examples.html"
_AUTOGRAD = "PyTorch docs, autograd mechanics: https://docs.pytorch.org/docs/stable/notes/autograd.html"
_ONCE = {
    "title": "load, copy or initialise weights once, before the loop",
    "detail": "What is put into the model in the loop takes the place of what was learned. An average is copied in for "
    "an evaluation, and the own weights are put back after it.",
    "code": "kept = copy.deepcopy(model.state_dict()); ...; model.load_state_dict(kept)",
    "unless": "where each round is to begin anew: make its optimiser anew as well",
    "source": _OPTIM,
}

REMEDIES = (
    remedy(
        "zero-grad",
        "clear the gradients once an update",
        "backward() adds to what is there. Clear after the update, or before the first backward pass of the next.",
        "optimizer.zero_grad()",
        unless="between the backward passes whose gradients one update is to have",
        source=_OPTIM,
        causes="missing-zero-grad:1",
        variants={
            "moved-by-hand": {
                "code": "model.zero_grad()  # or, for each parameter p that you move: p.grad = None",
                "unless": "between the backward passes whose gradients one update is to have, or where .grad is kept "
                "and scaled on purpose, as a momentum is",
            }
        },
    ),
    remedy(
        "call-order",
        "zero_grad(), backward(), clip, step(): this order",
        "After train(). With a GradScaler: scale(loss).backward(), unscale_(optimizer), clip, scaler.step(optimizer), "
        "scaler.update(). What is made, loaded or initialised once stands before the loop.",
        "optimizer.zero_grad(); loss.backward(); optimizer.step()",
        unless="where gradients are put together by hand: then say so in the loop",
        source=f"{_OPTIM}; {_AMP}",
        causes="call-order:1 clip-before-unscale:1 no-clipping:2",
        instead={
            "GC641": _ONCE,
            "GC654": {
                "title": "clear the gradients once an update, not once a backward pass",
                "detail": "Move zero_grad() into the branch that makes the update, behind step(); divide each loss by "
                "the number of backward passes.",
                "code": "if (i + 1) % accumulate == 0: optimizer.step(); optimizer.zero_grad()",
                "unless": "where only the last pass is meant to count",
                "source": _OPTIM,
            },
            "GC661": {
                "title": "put the model back into train mode",
                "detail": "eval() stays until train() is called: call it after each evaluation, or at the begin of "
                "each epoch.",
                "code": "model.train()",
                "unless": "where batch norms are to keep their statistics on purpose: then put these alone into eval "
                "mode",
                "source": _AUTOGRAD,
            },
            "GC665": _ONCE,
            "GC666": {
                "title": "make the optimiser once, before the loop",
                "detail": "Momentum and averages are kept in it; a new one begins from nothing.",
                "code": "optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)  # before the loop",
                "unless": "at the begin of a stage, where forgetting is meant",
                "source": _OPTIM,
            },
            "GC676": _ONCE,
        },
    ),
    remedy(
        "add-to-optimizer",
        "give the optimiser all that is to learn",
        "A module that stands beside the model, or in a plain list of it, is not in model.parameters(), and one that "
        "is put into it later was not when the optimiser was made.",
        "optimizer = torch.optim.AdamW([*model.parameters(), *other.parameters()], lr=1e-3)  # once all are made",
        unless="where it is to stay as it is: requires_grad_(False) says so, and saves its gradients",
        source=_OPTIM,
        causes="parameters-without-optimizer:1",
    ),
    remedy(
        "new-optimizer",
        "make the optimiser when the model is complete",
        "An optimiser holds the tensors that it was given; copies and replacements are others. load_state_dict() "
        "writes into those that are there. The scheduler comes last.",
        "model = build().to(device); optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)",
        unless="in the loop: it would forget its averages at each step",
        source=_OPTIM,
        causes="stale-optimizer:1",
    ),
    remedy(
        "keep-apart",
        "give the loss something that keeps outputs apart",
        "Other samples of the batch as negatives, a term for the spread of the outputs, or a side without a gradient "
        "behind a predictor.",
        "loss = F.cross_entropy(a @ b.T / 0.1, torch.arange(len(a)))  # a, b: normalised codes of two views",
        unless="where a decoder or labels keep them apart already",
        source="Bardes, Ponce and LeCun 2022, VICReg, arXiv:2105.04906; Chen and He 2021, SimSiam, arXiv:2011.10566",
        causes="trivial-minimum:1",
    ),
    remedy(
        "unfreeze",
        "thaw what is new, after the freezing",
        "Freezing all and then replacing the head leaves the head free; in the other order it is frozen too.",
        "model.head.requires_grad_(True)",
        unless="where a fixed random layer is meant",
        source=_AUTOGRAD,
        causes="frozen-by-mistake:1",
    ),
    remedy(
        "schedule-per-epoch",
        "step the scheduler as often as it counts",
        "T_max, step_size and total_steps count calls of scheduler.step(): one that counts epochs is stepped outside "
        "of the loop over batches.",
        "scheduler.step()  # after the loop over batches, inside of that over epochs",
        unless="where it is made for batches: then T_max is epochs times batches",
        source=_OPTIM,
        causes="lr-zero:1",
    ),
)
