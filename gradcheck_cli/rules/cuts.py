"""GC401 and the notes on layers that no gradient was meant to reach."""

from __future__ import annotations

from collections import defaultdict

from gradcheck_cli.names import plain_op
from gradcheck_cli.records.choices import Family, Severity
from gradcheck_cli.records.measurement import Cut
from gradcheck_cli.records.report import Finding
from gradcheck_cli.rules.evidence import Evidence, Findings
from gradcheck_cli.rules.wording import counted, named, number, verb
from gradcheck_cli.rules.zeros import blockers_of


def graph_cut(evidence: Evidence) -> Findings:
    """A layer ran and its values were used, but no gradient comes back: the graph was cut behind it.

    The usual knives are `.detach()`, `.data`, `torch.tensor(x)`, a trip through numpy, `no_grad` around
    a part that should learn, and choices such as argmax or comparisons, which have no derivative.
    """
    behind: dict[Cut, list[int]] = defaultdict(list)
    for module, layer in evidence.layers.items():
        cut = _cut_behind(evidence, module) if layer.status == "none" else None
        if cut is not None:
            behind[cut].append(module)
    for cut, modules in behind.items():
        choice = cut.op in _CHOICES
        layers = tuple(evidence.path_of(m) for m in modules)
        yield Finding(
            code="GC401",
            rule="graph-cut",
            family=Family.NO_GRADIENT,
            severity=Severity.ERROR,
            layers=layers,
            cause="non-differentiable-op" if choice else "graph-cut",
            message=f"{named(layers)} cannot learn: {_shown(cut.op)} cuts {verb(layers, 'it', 'them')} off from the "
            "loss",
            why=f"{verb(layers, 'it ran and has', 'they ran and have')} no gradient: the only way to the loss leads "
            f"through {_shown(cut.op)}, which no gradient passes",
            op=cut.op,
            source=cut.source,
            evidence={"layers": len(layers)},
        )


_CHOICES = frozenset(
    "argmax argmin gt lt ge le eq ne __gt_ __lt_ __ge_ __le_ bool long int "
    "bucketize searchsorted one_hot heaviside multinomial bernoulli topk sort max min median kthvalue mode".split()
)


def _cut_behind(evidence: Evidence, module: int) -> Cut | None:
    own = {i for i in evidence.owned[module] if evidence.measurement.parameters[i].requires_grad}
    cuts = [c for c in evidence.measurement.cuts if own & set(c.parameters) and (c.used or c.op == "item")]
    return max(cuts, key=lambda cut: cut.used, default=None)


def _shown(op: str) -> str:
    known = {"data": ".data", "numpy": ".numpy()", "item": ".item()", "tensor": "torch.tensor()"}
    return f"`{known.get(op, op.strip('_') + '()')}`"


def custom_backward(evidence: Evidence) -> Findings:
    """A custom autograd Function received a gradient and returned None for an input that needs one.

    Its backward has to return one gradient for each input of its forward; None stands for zero, and
    everything below the Function stops learning.
    """
    behind: dict[int, list[int]] = defaultdict(list)
    for module, layer in evidence.layers.items():
        if layer.status == "none":
            for op in blockers_of(evidence, module):
                if evidence.op(op).name.endswith("Backward"):  # torch's own nodes end in a number
                    behind[op].append(module)
    if behind:
        op = min(behind)
        layers = tuple(evidence.path_of(m) for m in sorted({m for modules in behind.values() for m in modules}))
        yield Finding(
            code="GC406",
            rule="custom-backward",
            family=Family.NO_GRADIENT,
            severity=Severity.ERROR,
            layers=layers,
            cause="custom-backward",
            message=f"{named(layers)} cannot learn: the backward of `{plain_op(evidence.op(op).name)}` returns None",
            why=f"a gradient of norm {number(evidence.op(op).total, 2)} arrives there and none leaves",
            op=evidence.op(op).name,
            source=evidence.source_of(op),
            evidence={"layers": len(layers)},
        )


_SKIPPED = "a layer that is not called learns nothing: right where a router skips it, a mistake elsewhere"


def unused(evidence: Evidence) -> Findings:
    """A layer that can learn was not used for this loss: it was not called, or its output went nowhere."""
    cut = {layer for rule in (graph_cut, custom_backward) for finding in rule(evidence) for layer in finding.layers}
    idle = [evidence.path_of(m) for m, layer in evidence.layers.items() if layer.status == "unused"]
    lost = [evidence.path_of(m) for m, layer in evidence.layers.items() if layer.status == "none"]
    for layers, what, why in (
        (tuple(idle), f"{verb(idle, 'was', 'were')} not called", _SKIPPED),
        (
            tuple(layer for layer in lost if layer not in cut),
            "ran, but the output does not reach the loss",
            "no gradient comes back: right for a target network or a head that was not asked, and a mistake elsewhere",
        ),
    ):
        if layers:
            yield _note("GC413", "unused", "unused", layers, f"{named(layers)} {what}", why)


def frozen(evidence: Evidence) -> Findings:
    """A layer's parameters do not require a gradient, so it stays as it is."""
    found = {evidence.path_of(m): layer for m, layer in evidence.layers.items() if layer.status == "frozen"}
    if found:
        layers = tuple(found)
        count = sum(layer.parameters for layer in found.values())
        message = f"{named(layers)} {verb(layers, 'is', 'are')} frozen (requires_grad is False)"
        why = f"training does not change {verb(layers, 'its', 'their')} {counted(count, 'parameter')}"
        yield _note("GC414", "frozen", "frozen", layers, message, why)


def _note(code: str, rule: str, cause: str, layers: tuple[str, ...], message: str, why: str) -> Finding:
    return Finding(code=code, rule=rule, family=Family.NO_GRADIENT, severity=Severity.NOTE, layers=layers, cause=cause,
                   message=message, why=why, evidence={"layers": len(layers)})  # fmt: skip
