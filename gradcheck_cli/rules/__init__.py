"""Measurement and ledger in, findings out: one table of rules, each a pure function and a row."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from gradcheck_cli.records.account import Ledger
from gradcheck_cli.records.choices import Family, Severity
from gradcheck_cli.records.drift import Drift
from gradcheck_cli.records.measurement import Measurement
from gradcheck_cli.records.report import Finding, Layer, Waived
from gradcheck_cli.records.spec import Waiver
from gradcheck_cli.records.thresholds import Thresholds
from gradcheck_cli.records.training import Training
from gradcheck_cli.rules import (
    blocked,
    cancelling,
    cuts,
    depth,
    drift,
    dynamics,
    exploding,
    insensitive,
    nonfinite,
    precision,
    saturated,
    softmaxes,
    throughtime,
)
from gradcheck_cli.rules.evidence import Evidence
from gradcheck_cli.rules.waivers import waive


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A rule's metadata; the docstring of `check` is its only explanation."""

    code: str
    name: str
    family: Family
    severity: Severity
    causes: tuple[str, ...]
    check: Callable[[Evidence], Iterator[Finding]]


class Verdict(NamedTuple):
    """What came of judging a measurement.

    Attributes:
        layers: All layers, with their status.
        findings: Those to show, gravest first.
        hidden: How many above a note are not shown.
        waived: Those that a waiver left out, with its reason.
    """

    layers: tuple[Layer, ...]
    findings: tuple[Finding, ...]
    hidden: int
    waived: tuple[Waived, ...]


def _rule(
    code: str,
    name: str,
    family: Family,
    severity: Severity,
    causes: str,
    check: Callable[[Evidence], Iterator[Finding]],
) -> Rule:
    return Rule(code=code, name=name, family=family, severity=severity, causes=tuple(causes.split()), check=check)


_F, _S = Family, Severity
# In the order in which causes are looked for: what stands above explains away what stands below.
RULES: tuple[Rule, ...] = (
    _rule("GC101", "nonfinite-input", _F.NONFINITE, _S.ERROR, "nan-input inf-input", nonfinite.nonfinite_input),
    _rule("GC102", "nonfinite-parameter", _F.NONFINITE, _S.ERROR, "nan-parameter", nonfinite.nonfinite_parameter),
    _rule(
        "GC103",
        "nonfinite-forward",
        _F.NONFINITE,
        _S.ERROR,
        "log-zero log-negative sqrt-zero exp-overflow zero-div-zero masked-softmax-row empty-reduction masked-loss "
        "acos-boundary pow-domain zero-variance zero-times-inf logsumexp-neginf ctc-infeasible degenerate-eigenvalues "
        "small-denominator large-init fp16-overflow nan-input inf-input",
        nonfinite.nonfinite_forward,
    ),
    _rule(
        "GC104",
        "nonfinite-backward",
        _F.NONFINITE,
        _S.ERROR,
        "sqrt-zero where-trap zero-times-inf acos-boundary pow-domain zero-variance masked-softmax-row log-zero "
        "zero-div-zero exp-overflow logsumexp-neginf degenerate-eigenvalues ctc-infeasible custom-backward "
        "small-denominator masked-loss fp16-overflow",
        nonfinite.nonfinite_backward,
    ),
    _rule(
        "GC105",
        "hidden-nonfinite",
        _F.NONFINITE,
        _S.WARNING,
        "log-zero log-negative sqrt-zero exp-overflow zero-div-zero masked-softmax-row empty-reduction masked-loss "
        "acos-boundary pow-domain zero-variance zero-times-inf logsumexp-neginf ctc-infeasible degenerate-eigenvalues "
        "small-denominator large-init fp16-overflow nan-input inf-input",
        nonfinite.hidden_nonfinite,
    ),
    _rule("GC501", "gradient-underflow", _F.PRECISION, _S.ERROR, "fp16-underflow", precision.underflow),
    _rule("GC502", "gradient-near-overflow", _F.PRECISION, _S.WARNING, "fp16-overflow", precision.near_overflow),
    _rule("GC401", "graph-cut", _F.NO_GRADIENT, _S.ERROR, "graph-cut non-differentiable-op", cuts.graph_cut),
    _rule("GC406", "custom-backward", _F.NO_GRADIENT, _S.ERROR, "custom-backward", cuts.custom_backward),
    _rule(
        "GC404",
        "single-element",
        _F.NO_GRADIENT,
        _S.ERROR,
        "single-element-softmax single-element-norm",
        softmaxes.single_element,
    ),
    _rule("GC402", "step-function", _F.NO_GRADIENT, _S.ERROR, "non-differentiable-op", blocked.step_function),
    _rule("GC403", "dead-activation", _F.NO_GRADIENT, _S.ERROR, "dead-relu", blocked.dead_activation),
    _rule("GC405", "masked-loss", _F.NO_GRADIENT, _S.ERROR, "masked-loss", blocked.masked_loss),
    _rule("GC302", "exploding-time", _F.EXPLODING, _S.ERROR, "recurrent-gain", throughtime.exploding_time),
    _rule(
        "GC303",
        "exploding-loss",
        _F.EXPLODING,
        _S.ERROR,
        "large-init input-scale target-scale residual-growth sum-aggregation small-denominator",
        exploding.exploding_loss,
    ),
    _rule(
        "GC301",
        "exploding-depth",
        _F.EXPLODING,
        _S.ERROR,
        "large-init input-scale residual-growth sum-aggregation small-denominator",
        exploding.exploding_depth,
    ),
    _rule(
        "GC304",
        "exploding-scale",
        _F.EXPLODING,
        _S.ERROR,
        "loss-scale large-init input-scale residual-growth sum-aggregation small-denominator",
        exploding.exploding_scale,
    ),
    _rule("GC202", "vanishing-time", _F.VANISHING, _S.ERROR, "bptt-decay gate-closed", throughtime.vanishing_time),
    _rule("GC205", "double-softmax", _F.VANISHING, _S.ERROR, "double-softmax", softmaxes.double_softmax),
    _rule(
        "GC201",
        "vanishing-depth",
        _F.VANISHING,
        _S.ERROR,
        "saturating-activation depth small-init residual-scale gate-closed softmax-saturation saturated-output "
        "saturated-loss",
        depth.vanishing_depth,
    ),
    _rule(
        "GC203",
        "insensitive-loss",
        _F.VANISHING,
        _S.ERROR,
        "saturated-output saturating-activation gate-closed small-init input-scale",
        insensitive.insensitive,
    ),
    _rule(
        "GC206",
        "saturated-layer",
        _F.VANISHING,
        _S.WARNING,
        "saturating-activation input-scale",
        saturated.saturated_layer,
    ),
    _rule("GC204", "softmax-saturated", _F.VANISHING, _S.ERROR, "softmax-saturation", softmaxes.softmax_saturated),
    _rule("GC601", "step-too-large", _F.DYNAMICS, _S.ERROR, "lr-too-high", dynamics.step_too_large),
    _rule("GC602", "step-too-small", _F.DYNAMICS, _S.WARNING, "lr-too-low", dynamics.step_too_small),
    _rule("GC620", "gradient-drift", _F.DYNAMICS, _S.WARNING, "drift", drift.gradient_drift),
    _rule("GC611", "clip-threshold", _F.DYNAMICS, _S.NOTE, "clip-threshold", dynamics.clip_threshold),
    _rule("GC612", "converged", _F.DYNAMICS, _S.NOTE, "converged", dynamics.converged),
    _rule("GC211", "cancelled", _F.VANISHING, _S.NOTE, "cancelled", cancelling.cancelled),
    _rule("GC411", "by-design-zero", _F.NO_GRADIENT, _S.NOTE, "by-design-zero", blocked.by_design_zero),
    _rule("GC412", "masked", _F.NO_GRADIENT, _S.NOTE, "masked", blocked.masked_rows),
    _rule("GC413", "unused", _F.NO_GRADIENT, _S.NOTE, "unused", cuts.unused),
    _rule("GC414", "frozen", _F.NO_GRADIENT, _S.NOTE, "frozen", cuts.frozen),
)


def explain(rule: Rule) -> str:
    """The explanation of a rule: the docstring of its function, without indentation."""
    return inspect.cleandoc(rule.check.__doc__ or "")


def judge(
    measurement: Measurement,
    ledger: Ledger,
    training: Training = Training(),  # noqa: B008 - frozen
    *,
    select: tuple[str, ...] = (),
    ignore: tuple[str, ...] = (),
    waivers: tuple[Waiver, ...] = (),
    thresholds: Thresholds = Thresholds(),  # noqa: B008 - frozen
    drift_from: Drift | None = None,
) -> Verdict:
    """Judge a measurement.

    `select` and `ignore` hold code prefixes or rule names. They choose what is shown; what explains what
    is decided over all rules, so that ignoring a cause does not bring up its consequences. So do `waivers`.
    """
    evidence = Evidence(
        measurement=measurement, ledger=ledger, training=training, thresholds=thresholds, drift=drift_from
    )
    found = tuple(_explaining(evidence))
    wanted = tuple(f for f in found if chosen(f.code, f.rule, select, ignore))
    findings, waived = waive(wanted, waivers)
    hidden = sum(f.severity is not Severity.NOTE for f in found) - sum(
        f.severity is not Severity.NOTE for f in findings
    )
    ordered = sorted(findings, key=lambda f: list(Severity).index(f.severity))  # stable: causes stay first
    return Verdict(
        layers=tuple(_with_status(evidence, m, layer, findings) for m, layer in evidence.layers.items()),
        findings=tuple(ordered),
        hidden=hidden,
        waived=waived,
    )


def chosen(code: str, name: str, select: tuple[str, ...], ignore: tuple[str, ...]) -> bool:
    """Whether `--select` and `--ignore` let a rule through; the longer match wins, ignoring on a tie."""

    def reach(patterns: tuple[str, ...]) -> int:
        return max((len(p) for p in patterns if code.startswith(p.upper()) or name == p), default=0)

    wanted = reach(select) if select else 1
    return wanted > 0 and wanted >= reach(ignore) + bool(reach(ignore) and wanted == reach(ignore))


def _explaining(evidence: Evidence) -> Iterator[Finding]:
    """Findings in the order of the table, less the consequences of those before them."""
    explained: dict[str, str] = {}  # by layer, the cause
    exploded = False
    for rule in RULES:
        if exploded and rule.family is Family.EXPLODING:
            continue  # a loss that exploded is what a weight that explodes looks like from above
        for finding in rule.check(evidence):
            if finding.severity is not Severity.NOTE:
                if _is_explained(finding, explained):
                    continue
                explained |= dict.fromkeys(finding.layers, finding.cause)
                exploded = exploded or finding.family is Family.EXPLODING
            yield finding
            if finding.family is Family.NONFINITE:
                return


def _is_explained(finding: Finding, explained: Mapping[str, str]) -> bool:
    """Whether all layers of a finding are explained, or some of them by the very cause that it names."""
    known = [explained[layer] for layer in finding.layers if layer in explained]
    return bool(known) and (len(known) == len(finding.layers) or (finding.cause in known and finding.code != "GC401"))


def _with_status(evidence: Evidence, module: int, layer: Layer, findings: tuple[Finding, ...]) -> Layer:
    path = evidence.path_of(module)
    code = next((f.code for f in findings if path in f.layers and f.severity is not Severity.NOTE), None)
    return replace(layer, path=path, status=code or layer.status)
