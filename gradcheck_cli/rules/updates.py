"""GC603 to GC606: what the first updates make of the model, simulated on a copy where --lr was given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradcheck_cli.records.choices import About, Severity
from gradcheck_cli.records.firstupdates import Moved, Stepped
from gradcheck_cli.records.ops import NORMALIZATIONS
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.records.traits import Trait
from gradcheck_cli.rules.dynamics import descent, is_learned
from gradcheck_cli.rules.rule import Diagnoses, Diagnosis
from gradcheck_cli.words import counted, named, number, verb

if TYPE_CHECKING:
    from gradcheck_cli.evidence import Evidence


def step_not_finite(evidence: Evidence) -> Diagnoses:
    """One step of the optimiser makes weights NaN or Inf, though their gradients are finite.

    The first update is carried out on a copy of the model, by the optimiser and at the rate that --lr and --optimizer
    name. Adam divides by sqrt(v) + eps, and its eps of 1e-8 is 0 in float16: 0/0 where a gradient is 0, and Inf where
    its square is. Told only where --lr was given.
    """
    broken = [p for p in _parameters(evidence) if p.broken]
    if not broken:
        return
    layers, first = _layers(evidence, broken), broken[0]
    elements, of = sum(p.broken for p in broken), sum(p.numel for p in evidence.measurement.parameters)
    without_eps = all(p.without_eps for p in broken)
    yield Diagnosis(
        layers=layers,
        cause="fp16-underflow" if without_eps else "lr-too-high",
        message=f"{_one_step(evidence)} makes {counted(elements, 'weight')} of {of:,} NaN or Inf, in {named(layers)}",
        why=f"its eps of 1e-8 is 0 in {first.dtype}, as is the square of a small gradient, and it divides by their sum"
        if without_eps
        else f"the gradients are finite, and the weights are no longer numbers of {first.dtype}",
        source=_source(evidence, layers),
        numbers={"lr": evidence.training.lr or 0.0, "broken": elements, "weights": of, "dtype": first.dtype},
    )


def step_moves_nothing(evidence: Evidence) -> Diagnoses:
    """One step of the optimiser leaves the weights as they are, to the last bit.

    A weight takes up no change below half of the distance to the next number of its dtype: 1/512 of itself in
    bfloat16, 1/4096 in float16, 6e-8 in float32. Told where the first update, carried out on a copy, moves less than
    a hundredth of the weights that have a gradient, and only where --lr was given.
    """
    driven = [p for p in _parameters(evidence) if p.driven]
    of, moved = sum(p.driven for p in driven), sum(p.moved for p in driven)
    least = evidence.thresholds.moved_share
    if not driven or moved >= least * of or is_learned(evidence):
        return
    still = [p for p in driven if p.moved < least * p.driven]
    layers = _layers(evidence, still)
    dtypes = ", ".join(sorted({p.dtype for p in still}))
    yield Diagnosis(
        layers=layers,
        cause="update-moves-nothing",
        message=f"{_one_step(evidence)} moves {moved or 'none'} of {counted(of, 'weight')} that "
        f"{verb(range(of), 'has', 'have')} a gradient",
        why=f"the updates are less than half of the distance to the next number of {dtypes}, and round away",
        source=_source(evidence, layers),
        severity=Severity.WARNING if moved else Severity.ERROR,
        numbers={"lr": evidence.training.lr or 0.0, "moved": moved, "driven": of, "dtype": dtypes},
    )


def step_raises_loss(evidence: Evidence) -> Diagnoses:
    """One step of the optimiser raises the loss of the very batch that it was computed from.

    The first update is carried out on a copy, and the loss is taken again with the same seed. Of 150 healthy models
    none gets worse by a tenth under Adam at 1e-3 unless its loss is next to 0 already, and many do where a rate is too
    high. Such a model may still train, so it is a suspicion that training decides, unless the loss rises by a factor
    of ten thousand or is no longer finite. Told only where --lr was given.
    """
    found = descent(evidence)
    if found is None or is_learned(evidence):
        return
    before, after = found
    limits, rise = evidence.thresholds, (after - before) / abs(before) if before else 0.0
    if rise < limits.raised_loss:
        return
    yield Diagnosis(
        cause="lr-too-high",
        message=f"{_one_step(evidence)} takes the loss of its own batch from {number(before)} to {number(after)}",
        why="an update is made to lower the very loss that it was computed from; this one goes too far along its way",
        numbers={"lr": evidence.training.lr or 0.0, "before": before, "after": after},
        doubt=About.WHOLE if rise < limits.raised_far else None,
    )


def no_warmup(evidence: Evidence) -> Diagnoses:
    """At the full rate from the first step on, a deep post-norm network is ill within a few steps.

    Its gradients are ordinary before the first step (Xiong et al. 2020, arXiv:2002.04745): so a copy takes a few
    steps at the full rate, another one as many at a tenth of it, and both are judged by the same rules. Told where the
    first one is ill and the second is not; what is only suspected of it is decided by training. Tried only where --lr
    was given, where the way from the first layer to the loss leads through many normalisations and residual sums, and
    where nothing is ill before.
    """
    stepped = evidence.training.stepped
    if stepped is None or stepped.later is None or not stepped.later.findings:
        return
    later = stepped.later
    first = min(later.findings, key=lambda finding: finding.severity is Severity.NOTE)
    lr = evidence.training.lr or 0.0
    yield Diagnosis(
        layers=first.layers,
        cause="no-warmup",
        message=f"{later.steps} steps of {evidence.training.optimizer.value} at the full rate of {number(lr)} make it "
        f"ill: {first.message}",
        why=f"after as many steps at {number(lr / 10)} it is not, and the loss is {number(later.loss_slow)}, where "
        f"it is {number(later.loss)}: {first.code}, {first.why}",
        source=first.source,
        numbers={"lr": lr, "steps": later.steps, "loss": later.loss, "loss_slow": later.loss_slow, "then": first.code},
        doubt=None if first.severity is not Severity.NOTE else About.WHOLE,
    )


def steps_wanted(evidence: Evidence) -> int:
    """How many more updates the rules would see on a copy: none but for deep networks that normalise their stream."""
    limits = evidence.thresholds
    if evidence.training.stepped is None or Trait.RESIDUAL not in evidence.traits:
        return 0
    return round(limits.warmup_steps) if _norms_on_the_way(evidence) >= limits.norms_on_the_way else 0


def _norms_on_the_way(evidence: Evidence) -> int:
    """The most normalisations on the strongest path of a layer: in a pre-norm network it leads past them."""
    paths = (evidence.paths.strongest(module) for module in evidence.trainable)
    ways = (evidence.paths.climb(path.leaf) for path in paths if path is not None)
    return max((sum(evidence.graph.stem(op) in NORMALIZATIONS for op in way) for way in ways), default=0)


def _parameters(evidence: Evidence) -> tuple[Moved, ...]:
    stepped: Stepped | None = evidence.training.stepped
    return stepped.parameters if stepped is not None else ()


def _layers(evidence: Evidence, parameters: list[Moved]) -> tuple[str, ...]:
    owners = {name: p.module for p in evidence.measurement.parameters for name in p.names}
    modules = dict.fromkeys(owners[p.name] for p in parameters if p.name in owners)
    return tuple(evidence.graph.path_of(module) for module in modules)


def _source(evidence: Evidence, layers: tuple[str, ...]) -> SourceLine | None:
    known = {layer.path: layer.source for layer in evidence.layers.values()}
    return known.get(layers[0]) if layers else None


def _one_step(evidence: Evidence) -> str:
    return f"one step of {evidence.training.optimizer.value} at lr {number(evidence.training.lr or 0.0)}"
