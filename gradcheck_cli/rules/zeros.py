"""Gradients that are exactly zero: at which op they become so, and what that means."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from gradcheck_cli.rules.evidence import Evidence

STEP_FUNCTIONS = ("Round", "Sign", "Floor", "Ceil", "Trunc", "Heaviside")
RECTIFIERS = (
    "Relu",
    "Threshold",
    "LeakyRelu",
    "Hardtanh",
    "Hardswish",
    "Hardsigmoid",
    "Elu",
    "PreluKernel",
    "Clamp",
)
_SATURATING = ("Sigmoid", "Tanh", "Softmax", "LogSoftmax", "Gelu", "Silu", "Softplus", "Mish", "Erf", "Exp")


def zero_layers(evidence: Evidence) -> tuple[int, ...]:
    """Modules that are on the graph and whose gradients are all exactly zero."""
    return tuple(
        module
        for module, layer in evidence.layers.items()
        if layer.grad_norm == 0 and layer.status == "ok" and evidence.has_matrix(module)
    )


def blockers_of(evidence: Evidence, module: int) -> set[int]:
    """The ops above a layer that received a gradient and sent exactly nothing towards it."""
    leaves = [p.op for p in evidence.parameters_of(module) if p.op is not None]
    stack, seen, found = list(leaves), set(leaves), set()
    while stack:
        for sender in evidence.senders.get(stack.pop(), ()):
            if sender in seen:
                continue
            seen.add(sender)
            if evidence.op(sender).total > 0:
                found.add(sender)
            else:
                stack.append(sender)
    return found


def classify(evidence: Evidence, blockers: Iterable[int]) -> str:
    """The rule that explains a set of blocking ops: the gravest where they differ is the least certain,
    so a way that will open, or that this batch merely did not take, decides."""
    names = [(op, evidence.op(op).name) for op in blockers]
    if any(opening(evidence, op) for op, _ in names):
        return "by-design-zero"
    if any(name.startswith(STEP_FUNCTIONS) for _, name in names):
        return "step-function"
    if any(name.startswith(RECTIFIERS) and evidence.op(op).module >= 0 for op, name in names):
        return "dead-activation"
    if any(op in evidence.lenses and evidence.lenses[op].length == 1 for op, _ in names):
        return "single-element"
    if any(name.startswith(_SATURATING) for _, name in names):
        return "saturated"
    return "masked"


def saturated_ops(evidence: Evidence) -> dict[int, tuple[int, ...]]:
    """Layers whose gradient is exactly zero at a saturating op, by that op."""
    groups: dict[int, list[int]] = defaultdict(list)
    for module in zero_layers(evidence):
        blockers = blockers_of(evidence, module)
        if blockers and classify(evidence, blockers) == "saturated":
            groups[min(b for b in blockers if evidence.op(b).name.startswith(_SATURATING))].append(module)
    return {op: tuple(modules) for op, modules in groups.items()}


def opening(evidence: Evidence, op: int) -> str | None:
    """The factor that is all zero, that gets a gradient, and that closes this op. A zero bias closes nothing."""
    name = evidence.op(op).name
    parameters = [evidence.measurement.parameters[i] for i in evidence.parameters_under(op)]
    if name.startswith(("Native", "Cudnn", "FusedRms")):
        parameters = parameters[:1]  # weight, then bias
    elif not name.startswith(("Mul", "Div")):
        parameters = [p for p in parameters if len(p.shape) >= 2]
    return next((p.names[0] for p in parameters if p.weight_norm == 0 and (p.grad_norm or 0) > 0), None)
