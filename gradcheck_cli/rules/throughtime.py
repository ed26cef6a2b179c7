"""GC202 and GC302: weights that are used step after step, and what reaches the first steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.ops import PIECES, VIEW_LIKE
from gradcheck_cli.records.series import Series
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.words import number, percent, times

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def vanishing_time(evidence: Evidence) -> Diagnoses:
    """A recurrent weight's gradient does not reach back through its sequence.

    The gradient that the weight gets is a sum over the steps and can look perfectly healthy while the
    terms from far back are gone. Judged by what each step receives from later steps, so a loss at every
    step, padding and truncation do not hide or fake it. Ill where the first step's share is more than
    ten decades below the last's, which float32 cannot see in the sum. Where most steps hear from the loss by a short
    way of their own, as in a tagger or a language model, a short horizon is a note; not where gates are stuck, or lose
    more than half-open ones do. A loop that reads the same value again at every step, as a fixed-point iteration or
    attention does, has nothing to keep.
    """
    for series in _best_by_module(evidence):
        lost = -total_decades(series)
        gated = _is_gated(evidence, series)
        closed = gated and _gate_is_closed(evidence, series)
        opens = gated and not closed
        limits = evidence.thresholds
        if lost < (limits.gated_forgotten_decades if opens else limits.forgotten_decades) or _rereads(evidence, series):
            continue
        worse = closed or (gated and -series.attenuation >= limits.half_open_rate)
        learns = not worse and _hears_the_loss(evidence, series)
        layer = evidence.graph.path_of(_owner(evidence, series))
        yield Diagnosis(
            severity=Severity.NOTE if learns else None,
            layers=(layer,),
            cause="gate-closed" if closed else "bptt-decay",
            message=f"`{layer}` forgets: of its {series.steps} steps, those more than {series.horizon} back get under "
            "1 % of what the strongest gets",
            why=f"each step back keeps {percent(10**series.attenuation)} of the gradient, which gets {times(lost)} "
            f"smaller over the sequence{_CLOSED if closed else ''}{_gain_in_words(evidence, series)}",
            op=_first_use(evidence, series),
            numbers={
                "horizon": series.horizon,
                "steps": series.steps,
                "decades_per_step": series.attenuation,
                "decades_lost": lost,
                **_gain(evidence, series),
            },
        )


_CLOSED = "; a fifth of its sigmoid gates or more are stuck: their slope is under 0.02, half-open it would be 0.25"


def exploding_time(evidence: Evidence) -> Diagnoses:
    """A recurrent weight's gradient grows with every step that it is carried back.

    The recurrent gain is above 1, so the first steps outweigh the last ones by the power of the number
    of steps, and the next update throws the weights out of range.
    """
    for series in evidence.paths.ledger.series:
        grown = total_decades(series)
        if grown >= evidence.thresholds.growth_decades:
            layer = evidence.graph.path_of(_owner(evidence, series))
            yield Diagnosis(
                layers=(layer,),
                cause="recurrent-gain",
                message=f"`{layer}` explodes in time: its gradient gets {times(grown)} larger in {series.steps} steps",
                why=f"each step back multiplies the gradient by {number(10**series.attenuation)}"
                f"{_gain_in_words(evidence, series)}",
                op=_first_use(evidence, series),
                numbers={
                    "decades_per_step": series.attenuation,
                    "decades_grown": grown,
                    "steps": series.steps,
                    **_gain(evidence, series),
                },
            )


def _owner(evidence: Evidence, series: Series) -> int:
    """The module that owns the weight."""
    return evidence.measurement.parameters[series.parameter].module


def _first_use(evidence: Evidence, series: Series) -> int:
    """The op nearest to the loss that uses the weight, or a view of it."""
    return evidence.graph.senders[evidence.measurement.parameters[series.parameter].op or 0][0]


def _gain(evidence: Evidence, series: Series) -> Mapping[str, float]:
    """What should explain the change at each step: the recurrent weight's spectral radius and the mean slope."""
    owned = evidence.graph.parameters_of(_owner(evidence, series))
    radii = [p.spectral_radius for p in owned if p.spectral_radius is not None]
    if not radii:
        return {}
    lenses = (evidence.graph.lenses.get(op) for op in _ops_of_the_cell(evidence, series))
    slopes = [lens.slope for lens in lenses if lens is not None and lens.slope is not None]
    return {"spectral_radius": max(radii), **({"mean_slope": sum(slopes) / len(slopes)} if slopes else {})}


def _gain_in_words(evidence: Evidence, series: Series) -> str:
    gain = _gain(evidence, series)
    if not gain:
        return ""
    slope = f" and the mean slope {gain['mean_slope']:.2f}" if "mean_slope" in gain else ""
    return f"; its weight's spectral radius is {gain['spectral_radius']:.2f}{slope}"


def _best_by_module(evidence: Evidence) -> Iterable[Series]:
    """One series for each module, the one that loses least: what is carried back is the state's, whichever
    of a cell's weights the steps are counted by."""
    best: dict[int, Series] = {}
    for series in evidence.paths.ledger.series:
        module = _owner(evidence, series)
        if module not in best or total_decades(series) > total_decades(best[module]):
            best[module] = series
    return best.values()


def total_decades(series: Series) -> float:
    """Decades that a signal gains (or loses, below 0) over the whole series."""
    run = [c for c in series.carry if c > 0]
    return series.attenuation * len(run)


def _rereads(evidence: Evidence, series: Series) -> bool:
    """Whether one value that is neither a parameter nor a view of one is read whole at most of the steps."""
    most = evidence.thresholds.reread_share * series.steps
    for index, senders in enumerate(evidence.graph.senders):
        if len(senders) < most:
            continue
        op = evidence.graph.op(index)
        if not op.edges or op.stem in _READS:
            continue
        if sum(evidence.graph.stem(s) not in PIECES for s in senders) >= most:
            return True
    return False


_READS = VIEW_LIKE | PIECES
"""What only hands a value on, or a piece of it."""


def _hears_the_loss(evidence: Evidence, series: Series) -> bool:
    """Whether most steps hold a signal near the largest, which where little is carried comes from the loss."""
    least = evidence.thresholds.hears_the_loss * max(series.norms)
    return sum(norm > least for norm in series.norms) > series.steps / 2


def _is_gated(evidence: Evidence, series: Series) -> bool:
    """Whether the steps hold at least two sigmoid gates, which can learn to stay open."""
    return len(_gates(evidence, series)) >= evidence.thresholds.gates_per_step * series.steps


def _gates(evidence: Evidence, series: Series) -> list[int]:
    return [op for op in _ops_of_the_cell(evidence, series) if evidence.graph.stem(op) == "Sigmoid"]


def _ops_of_the_cell(evidence: Evidence, series: Series) -> list[int]:
    """The ops that the cell which owns the weight made, or the module around it that loops over the cell."""
    cell = _owner(evidence, series)
    around = evidence.measurement.modules[cell].path.rpartition(".")[0]
    modules = {cell, evidence.graph.module_at.get(around, cell)}
    return sorted(op for module in modules for op in evidence.graph.made_in.get(module, ()))


def _gate_is_closed(evidence: Evidence, series: Series) -> bool:
    lenses = (evidence.graph.lenses.get(op) for op in _gates(evidence, series))
    slopes = [lens.slope for lens in lenses if lens is not None and lens.slope is not None]
    stuck = sum(slope < evidence.thresholds.closed_slope for slope in slopes)
    return bool(slopes) and stuck >= evidence.thresholds.closed_share * len(slopes)
