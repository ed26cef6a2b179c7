"""GC202 and GC302: weights that are used step after step, and what reaches the first steps."""

from __future__ import annotations

from collections.abc import Iterable

from gradcheck_cli.records.choices import Family, Severity
from gradcheck_cli.records.report import Finding
from gradcheck_cli.records.series import Series
from gradcheck_cli.rules.evidence import VIEW_LIKE, Evidence, Findings
from gradcheck_cli.rules.wording import number, percent, times

_GATED_RATE = 0.5
"""Decades a step. Half open, as they start, the gates of an LSTM or a GRU lose log10(2) = 0.3 a step."""


def vanishing_time(evidence: Evidence) -> Findings:
    """A recurrent weight's gradient does not reach back through its sequence.

    The gradient that the weight gets is a sum over the steps and can look perfectly healthy while the
    terms from far back are gone. Judged by what each step receives from later steps, so a loss at every
    step, padding and truncation do not hide or fake it. Ill where the first step's share is more than
    ten decades below the last's, which float32 cannot see in the sum. Gated cells that hear from the loss at most
    of their steps learn to keep more than they start with: a note, unless it is lost faster than half-open gates
    explain. A loop that reads the same value again at every step, as a fixed-point iteration or attention does,
    has nothing to keep.
    """
    for series in _best_by_module(evidence):
        lost = -total_decades(series)
        gated = _is_gated(evidence, series)
        closed = gated and _gate_is_closed(evidence, series)
        opens = gated and not closed
        limits = evidence.thresholds
        if lost < (limits.gated_forgotten_decades if opens else limits.forgotten_decades) or _rereads(evidence, series):
            continue
        learns = opens and -series.attenuation < _GATED_RATE and _hears_the_loss(series)
        parameter = evidence.measurement.parameters[series.parameter]
        layer = evidence.path_of(parameter.module)
        op = next(i for i in evidence.senders.get(parameter.op or 0, ()))
        yield Finding(
            code="GC202",
            rule="vanishing-time",
            family=Family.VANISHING,
            severity=Severity.NOTE if learns else Severity.ERROR,
            layers=(layer,),
            cause="gate-closed" if closed else "bptt-decay",
            message=f"`{layer}` forgets: of its {series.steps} steps, those more than {series.horizon} back get under "
            "1 % of what the strongest gets",
            why=f"each step back keeps {percent(10**series.attenuation)} of the gradient, which gets {times(lost)} "
            "smaller over the sequence" + (_CLOSED if closed else "") + _gain_in_words(evidence, parameter.module),
            op=evidence.op(op).name,
            source=evidence.source_of(op),
            evidence={
                "horizon": series.horizon,
                "steps": series.steps,
                "decades_per_step": series.attenuation,
                "decades_lost": lost,
                **_gain(evidence, parameter.module),
            },
        )


_CLOSED = "; a fifth of its sigmoid gates or more are stuck: their slope is under 0.02, half-open it would be 0.25"


def exploding_time(evidence: Evidence) -> Findings:
    """A recurrent weight's gradient grows with every step that it is carried back.

    The recurrent gain is above 1, so the first steps outweigh the last ones by the power of the number
    of steps, and the next update throws the weights out of range.
    """
    for series in evidence.ledger.series:
        grown = total_decades(series)
        if grown >= evidence.thresholds.growth_decades:
            parameter = evidence.measurement.parameters[series.parameter]
            layer = evidence.path_of(parameter.module)
            op = next(iter(evidence.senders.get(parameter.op or 0, ())))
            yield Finding(
                code="GC302",
                rule="exploding-time",
                family=Family.EXPLODING,
                severity=Severity.ERROR,
                layers=(layer,),
                cause="recurrent-gain",
                message=f"`{layer}` explodes in time: its gradient gets {times(grown)} larger in {series.steps} steps",
                why=f"each step back multiplies the gradient by {number(10**series.attenuation)}"
                + _gain_in_words(evidence, parameter.module),
                op=evidence.op(op).name,
                source=evidence.source_of(op),
                evidence={
                    "decades_per_step": series.attenuation,
                    "decades_grown": grown,
                    "steps": series.steps,
                    **_gain(evidence, parameter.module),
                },
            )


def _gain(evidence: Evidence, module: int) -> dict[str, float]:
    """What should explain the change at each step: the recurrent weight's spectral radius and the mean slope."""
    radii = [p.spectral_radius for p in evidence.parameters_of(module) if p.spectral_radius is not None]
    root = evidence.measurement.modules[module].path
    slopes = [
        lens.slope
        for lens in evidence.measurement.lenses
        if lens.slope is not None and (at := evidence.op(lens.op).module) >= 0 and _inside(evidence, at, root)
    ]
    if not radii:
        return {}
    return {"spectral_radius": max(radii), **({"mean_slope": sum(slopes) / len(slopes)} if slopes else {})}


def _gain_in_words(evidence: Evidence, module: int) -> str:
    gain = _gain(evidence, module)
    if not gain:
        return ""
    slope = f" and the mean slope {gain['mean_slope']:.2f}" if "mean_slope" in gain else ""
    return f"; its weight's spectral radius is {gain['spectral_radius']:.2f}{slope}"


def _best_by_module(evidence: Evidence) -> Iterable[Series]:
    """One series for each module, the one that loses least: what is carried back is the state's, whichever
    of a cell's weights the steps are counted by."""
    best: dict[int, Series] = {}
    for series in evidence.ledger.series:
        module = evidence.measurement.parameters[series.parameter].module
        if module not in best or total_decades(series) > total_decades(best[module]):
            best[module] = series
    return best.values()


def total_decades(series: Series) -> float:
    """Decades that a signal gains (or loses, below 0) over the whole series."""
    run = [c for c in series.carry if c > 0]
    return series.attenuation * len(run)


def _rereads(evidence: Evidence, series: Series) -> bool:
    """Whether one value that is neither a parameter nor a view of one is read whole at most of the steps."""
    most = 0.75 * series.steps
    for index, senders in evidence.senders.items():
        op = evidence.op(index)
        if len(senders) < most or not op.edges or op.name.startswith((*VIEW_LIKE, *_PARTS)):
            continue
        if sum(not evidence.op(s).name.startswith(_PARTS) for s in senders) >= most:
            return True
    return False


_PARTS = ("Select", "Slice", "Index", "Unbind", "Split", "Narrow", "Gather", "Chunk")
"""Ops that read a part of a sequence."""


def _hears_the_loss(series: Series) -> bool:
    """Whether most steps hold a signal near the largest, which where little is carried comes from the loss."""
    return sum(norm > 1e-4 * max(series.norms) for norm in series.norms) > series.steps / 2


def _is_gated(evidence: Evidence, series: Series) -> bool:
    """Whether the steps hold at least two sigmoid gates, which can learn to stay open."""
    return len(_gates(evidence, series)) >= 1.5 * series.steps


def _gates(evidence: Evidence, series: Series) -> list[int]:
    module = evidence.measurement.parameters[series.parameter].module
    root = evidence.measurement.modules[module].path
    return [
        i
        for i, op in enumerate(evidence.measurement.ops)
        if op.name.startswith("Sigmoid") and op.module >= 0 and _inside(evidence, op.module, root)
    ]


def _inside(evidence: Evidence, module: int, root: str) -> bool:
    """Whether a module is the cell that owns the weight, or the one that loops over it."""
    path = evidence.measurement.modules[module].path
    return path == root or path == root.rpartition(".")[0]


def _gate_is_closed(evidence: Evidence, series: Series) -> bool:
    lenses = [evidence.lenses[i] for i in _gates(evidence, series) if i in evidence.lenses]
    slopes = [lens.slope for lens in lenses if lens.slope is not None]
    return bool(slopes) and sum(s < 0.02 for s in slopes) >= 0.2 * len(slopes)
