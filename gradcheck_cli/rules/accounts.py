"""Reading an account: its factors, its order in the forward pass, and what explains a small gradient."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from gradcheck_cli.records.account import Account
from gradcheck_cli.records.thresholds import Thresholds
from gradcheck_cli.rules.evidence import Evidence

SLOWER = Thresholds().slower_decades
"""Decades that a layer's relative gradient may lie below the model's typical layer: it would train ten
thousand times slower (THEORY.md, section 4)."""
INSENSITIVE = Thresholds().insensitive_elasticity
"""Elasticity below which a layer hardly moves the loss: 1 % of its weights moves it by a ten-millionth."""
SMALL_GAIN = -0.6
"""Decades per weight below which the weights are too small, rather than too many. PyTorch's default for
linear and convolution layers keeps 1/3 of the variance: -0.24 before the activation."""
BOUNDED = ("Sigmoid", "Tanh", "Hardsigmoid", "Hardtanh", "LogSigmoid", "Softsign", "Clamp")


def position(evidence: Evidence, module: int) -> float:
    """When in the forward pass a layer's parameters were used: the sequence number next to its leaf."""
    account = evidence.strongest(module)
    climb = evidence.climb(account.leaf) if account else iter(())
    return next((evidence.op(i).sequence for i in climb if evidence.op(i).sequence >= 0), math.inf)


def factors(evidence: Evidence, account: Account) -> Iterator[tuple[int, float]]:
    """The op factors of an account in decades, by the index of the op, from the leaf up to the loss."""
    for child, op in pairwise(evidence.climb(account.leaf)):
        decades = factor(evidence, op, child)
        if decades is not None:
            yield op, decades


def factor(evidence: Evidence, op: int, child: int) -> float | None:
    """What an op made of its gradient on the way to `child`, in decades; None where nothing passed."""
    sent = max((e.norm for e in evidence.op(op).edges if e.to == child), default=0.0)
    total = evidence.op(op).total
    return math.log10(sent / total) if sent > 0 and total > 0 else None


def weights_above(evidence: Evidence, op: int) -> int:
    """How many weights stand between an op and the loss, along the strongest path."""
    count = 0
    while (op := evidence.ledger.parent[op]) >= 0:
        count += any(True for _ in evidence.parameters_under(op))
    return count


def cancels(evidence: Evidence, module: int) -> bool:
    """Whether a layer's gradient is small because large parts of it add up to nothing."""
    account = evidence.strongest(module)
    return account is not None and account.by_kind.get("merge", 0.0) < -SLOWER


def gate_learns(evidence: Evidence, op: int, decades: float, typical: float) -> bool:
    """Whether a small parameter that itself learns at speed holds the gradient back, as a layer scale does."""
    if decades > -SLOWER / 2:
        return False
    for index in evidence.parameters_under(op):
        parameter = evidence.measurement.parameters[index]
        faint = INSENSITIVE * abs(evidence.measurement.loss)
        if parameter.grad_norm and parameter.grad_norm > max(typical, faint) * parameter.weight_norm > 0:
            return True
    return False
