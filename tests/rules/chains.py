"""Measurements that rules are tried on: layers in a row, and a deep path below a head that is well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gradcheck_cli.evidence import Evidence, gather
from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.measurement import Edge, Measurement, Op, ParameterMeasurement
from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.rules import BY_CODE
from gradcheck_cli.rules.rule import Diagnosis
from tests.measurements import LEAF, judged, measurement, module, op, parameter

LINE = SourceLine(file="net.py", line=7, code="x = torch.log(x)")


def chain(slopes: Sequence[float], activation: str = "SigmoidBackward0", **fields: Any) -> Measurement:
    """Layers with weights of gain 1, each under an activation that passes on its slope; the top one is first."""
    ops: list[Op] = [op("MseLossBackward0", 1.0, (1, 0.1), module=-1, sequence=100)]
    parameters: list[ParameterMeasurement] = []
    signal, depth = 0.1, len(slopes)
    for k, slope in enumerate(slopes):
        index, owner = 1 + 3 * k, depth - k
        passed = signal * slope
        below = [(index + 3, passed)] if k + 1 < depth else []
        ops.append(op(activation, signal, (index + 1, passed), module=owner, sequence=99 - 2 * k))
        edges = [*below, (index + 2, passed)]
        ops.append(op("MmBackward0", passed, *edges, module=owner, sequence=98 - 2 * k))
        ops.append(op(LEAF, passed, module=-1, sequence=-1))
        parameters.append(parameter(f"layers.{owner - 1}.weight", op=index + 2, grad=passed, module=owner))
        signal = passed
    modules = [module("", "Net"), *(module(f"layers.{i}") for i in range(depth))]
    return measurement(*ops, parameters=parameters[::-1], modules=modules, **fields)


HEAD, BODY, FIRST = 1, 2, 3
"""Modules of the head and the body of `deep`, and the op of its first step."""


def deep(*steps: tuple[str, float], signal: float = 0.1, **fields: Any) -> Measurement:
    """A head whose weight gets `signal`, and below it (op, factor) after (op, factor) down to the body's weight."""
    ops = [
        op("MseLossBackward0", 1.0, (1, signal), module=-1, sequence=100),
        op("AddmmBackward0", signal, (2, signal), (FIRST, signal), module=HEAD, sequence=99),
        op(LEAF, signal, module=-1, sequence=-1),
    ]
    total = signal
    for k, (name, factor) in enumerate(steps):
        ops.append(op(name, total, (FIRST + k + 1, total * factor), module=BODY, sequence=98 - k, source=0))
        total *= factor
    ops.append(op(LEAF, total, module=-1, sequence=-1))
    parameters = [
        parameter("body.weight", op=len(ops) - 1, grad=total, module=BODY),
        parameter("head.weight", op=2, grad=signal, module=HEAD),
    ]
    modules = [module("", "Net"), module("head"), module("body")]
    return measurement(*ops, **({"parameters": parameters, "modules": modules, "sources": (LINE,)} | fields))


def sending(found: Measurement, index: int, *edges: tuple[int, float]) -> Measurement:
    """The measurement with more edges of one op."""
    ops = [*found.ops]
    ops[index] = ops[index]._replace(edges=(*ops[index].edges, *(Edge(*edge) for edge in edges)))
    return replace(found, ops=tuple(ops))


def unreached(found: Measurement, index: int, **fields: Any) -> Measurement:
    """The measurement with one parameter that got no gradient."""
    lost = replace(found.parameters[index], op=None, grad_norm=None, grad_max=None, zero_share=None, **fields)
    parameters = [*found.parameters]
    parameters[index] = lost
    return replace(found, parameters=tuple(parameters))


def diagnoses(code: str, found: Measurement | Evidence, **gathered: Any) -> list[Diagnosis]:
    """What one rule by itself finds."""
    evidence = found if isinstance(found, Evidence) else gather(found, **gathered)
    return list(BY_CODE[code].check(evidence))


def only(code: str, found: Measurement | Evidence, **gathered: Any) -> Diagnosis:
    """The one thing that a rule by itself finds, whose cause its row knows."""
    (diagnosis,) = diagnoses(code, found, **gathered)
    assert diagnosis.cause in BY_CODE[code].causes
    return diagnosis


def codes(found: Measurement, **asked: Any) -> list[tuple[str, str]]:
    """Code and cause of all that is found, in the order in which it is told."""
    return [(f.code, f.cause) for f in judged(found, **asked).findings]


def ill(found: Measurement, **asked: Any) -> list[tuple[str, str]]:
    """The same without the notes."""
    return [(f.code, f.cause) for f in judged(found, **asked).findings if f.severity is not Severity.NOTE]
