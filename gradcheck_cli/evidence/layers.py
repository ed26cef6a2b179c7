"""The layer table: every module that directly owns parameters, judged by its parameters together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from gradcheck_cli.evidence.opgraph import OpGraph
from gradcheck_cli.evidence.paths import Paths
from gradcheck_cli.records.measurement import ParameterMeasurement
from gradcheck_cli.records.report import Layer


def layer_table(graph: OpGraph, paths: Paths) -> Mapping[int, Layer]:
    """Layers by module index, in the model's order."""
    return {module: _layer(graph, paths, module) for module in graph.owned}


def _layer(graph: OpGraph, paths: Paths, module: int) -> Layer:
    found = graph.measurement.modules[module]
    parameters = graph.parameters_of(module)
    with_gradient = [p for p in parameters if p.grad_norm is not None]
    gradient = _joint([p.grad_norm for p in with_gradient if p.grad_norm is not None])
    weight = _joint([p.active_weight_norm for p in with_gradient] or [p.weight_norm for p in parameters])
    numel = sum(p.numel for p in with_gradient)
    loss = abs(graph.measurement.loss)
    strongest = paths.strongest(module)
    has = bool(with_gradient)
    return Layer(
        path=graph.path_of(module),
        kind=found.kind,
        parameters=sum(p.numel for p in parameters),
        grad_norm=gradient if has else None,
        grad_rms=gradient / math.sqrt(numel) if numel else None,
        grad_max=max((p.grad_max or 0.0 for p in with_gradient), default=None),
        zero_share=sum((p.zero_share or 0.0) * p.numel for p in with_gradient) / numel if numel else None,
        nan_count=sum(p.nan_count for p in parameters),
        inf_count=sum(p.inf_count for p in parameters),
        weight_norm=weight,
        relative_gradient=gradient / weight if has and weight else None,
        elasticity=gradient * weight / loss if has and loss and math.isfinite(loss) else None,
        decades=math.log10(gradient) if has and 0 < gradient < math.inf else None,
        activation_rms=found.output_rms,
        stream=_joint([graph.op(i).total for i in found.output_ops]) if found.output_ops else None,
        by_kind=dict(strongest.by_kind) if strongest else {},
        status=_status(parameters, has, found.calls),
        source=paths.source_of(module),
    )


def _status(parameters: Sequence[ParameterMeasurement], has_gradient: bool, calls: int) -> str:
    if any(p.nan_count or p.inf_count for p in parameters):
        return "non-finite"
    if not any(p.requires_grad for p in parameters):
        return "frozen"
    if has_gradient:
        return "ok"
    return "none" if calls else "unused"


def _joint(norms: Sequence[float]) -> float:
    return math.hypot(*norms) if norms else 0.0
