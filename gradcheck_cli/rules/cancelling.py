"""GC211: gradients that are small because their parts add up to nothing."""

from __future__ import annotations

from gradcheck_cli.records.choices import Family, Severity
from gradcheck_cli.records.report import Finding
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.rules.accounts import SLOWER, cancels, factors
from gradcheck_cli.rules.evidence import Evidence, Findings
from gradcheck_cli.rules.wording import named, number, verb


def cancelled(evidence: Evidence) -> Findings:
    """Large parts of a gradient add up to nothing, because the loss does not depend on the parameter.

    A bias before a normalisation, the key bias under a softmax, a weight whose scale is divided out
    again: the gradient is small by algebra and what is left of it is rounding.
    """
    layers = [m for m in evidence.trainable if cancels(evidence, m)]
    biases = [m for m in evidence.trainable if m not in layers and _idle_bias(evidence, m) is not None]
    if layers:
        names = tuple(evidence.path_of(m) for m in layers)
        left = min(account.by_kind["merge"] for m in layers if (account := evidence.strongest(m)))
        yield _cancelled(
            names,
            evidence.layers[layers[0]].source,
            f"the loss does not change with {named(names)}: the parts of {verb(names, 'its', 'their')} gradient cancel",
            f"only {number(10**left, 1)} of it is left where branches add up",
        )
    if biases:
        names = tuple(evidence.path_of(m) for m in biases)
        left = min(d for m in biases if (d := _idle_bias(evidence, m)) is not None)
        yield _cancelled(
            names,
            evidence.layers[biases[0]].source,
            f"the loss does not change with the {verb(names, 'bias', 'biases')} of {named(names)}",
            f"no harm: summed over the batch {number(10**left, 1)} of the gradient is left, as where a normalisation "
            "or a softmax takes any constant out again",
        )


def _cancelled(names: tuple[str, ...], source: SourceLine | None, message: str, why: str) -> Finding:
    return Finding(
        code="GC211",
        rule="cancelled",
        family=Family.VANISHING,
        severity=Severity.NOTE,
        layers=names,
        cause="cancelled",
        message=message,
        why=why,
        source=source,
        evidence={"layers": len(names)},
    )


def _idle_bias(evidence: Evidence, module: int) -> float | None:
    """Decades that summing takes at a bias whose sum is nothing: over N rows it is normally about sqrt(N)."""
    for index in evidence.owned[module]:
        account = evidence.accounts.get(index)
        if account is not None and len(evidence.measurement.parameters[index].shape) == 1:
            _, last = next(factors(evidence, account), (0, 0.0))
            if last < -SLOWER + 1:
                return last
    return None
