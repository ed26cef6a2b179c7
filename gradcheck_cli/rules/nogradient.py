"""GC4xx: layers that get no gradient at all, and whether that is meant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from gradcheck_cli.records import Cut, Family, Finding, Severity
from gradcheck_cli.rules.evidence import VIEW_LIKE, Evidence, Findings

_STEP_FUNCTIONS = ("Round", "Sign", "Floor", "Ceil", "Trunc", "Heaviside")
_RECTIFIERS = ("Relu", "Threshold", "LeakyRelu", "Hardtanh", "Hardswish", "Hardsigmoid", "Elu", "PreluKernel", "Clamp")
_DEAD_SHARE = 0.95
"""Above this share of units at zero over the whole batch a layer is as good as gone (healthy ReLU nets,
trained ones included, stay below 0.6)."""
_DEAD_SAMPLES = 16
"""A unit seen on fewer elements can be zero on all of them by chance."""


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
            message=f"{_names(layers)} cannot learn: {_shown(cut.op)} cuts the graph behind {_it(layers)}",
            why=f"{len(layers)} layers ran, but their gradient is None: the only way to the loss leads through {_shown(cut.op)}",
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
    known = {"no_grad": "no_grad()", "data": ".data", "numpy": ".numpy()", "item": ".item()", "tensor": "torch.tensor()"}
    return known.get(op, f"{op.strip('_')}()")


def step_function(evidence: Evidence) -> Findings:
    """An op with a derivative of zero almost everywhere stands between the loss and the layers below.

    round, sign, floor, ceil and trunc are flat between their jumps, so what comes back is exactly zero.
    """
    yield from _blocked(
        evidence,
        "GC402",
        "step-function",
        "non-differentiable-op",
        lambda name, _: name.startswith(_STEP_FUNCTIONS),
        "{op} is flat between its jumps, so {layers} get a gradient of exactly 0",
    )


def dead_activation(evidence: Evidence) -> Findings:
    """Every unit of a rectifier (or nearly every one) is off for the whole batch.

    A ReLU that is negative for all samples has a slope of exactly zero, and so does its weight's
    gradient: it cannot come back by itself. Counted per unit over the batch, never per element: half of
    all elements are zero in a healthy layer.
    """
    found = tuple(
        _blocked(
            evidence,
            "GC403",
            "dead-activation",
            "dead-relu",
            lambda name, _: name.startswith(_RECTIFIERS),
            "every unit of {op} is off for the whole batch, so {layers} get a gradient of exactly 0",
        )
    )
    yield from found
    if not found:
        yield from _mostly_dead(evidence)


def _mostly_dead(evidence: Evidence) -> Findings:
    by_layer: dict[int, list[int]] = defaultdict(list)
    for lens in evidence.measurement.lenses:
        if lens.dead is not None and lens.samples >= _DEAD_SAMPLES and lens.units >= 8:
            by_layer[_feeder(evidence, lens.op)].append(lens.op)
    dead = {  # a layer that is used several times is dead only where all uses are
        layer: ops
        for layer, ops in by_layer.items()
        if min(evidence.lenses[op].dead or 0.0 for op in ops) >= _DEAD_SHARE
    }
    if dead:
        op = next(iter(dead.values()))[0]
        lens = evidence.lenses[op]
        layers = tuple(evidence.path_of(m) for m in dead)
        yield Finding(
            code="GC403",
            rule="dead-activation",
            family=Family.NO_GRADIENT,
            severity=Severity.WARNING,
            layers=layers,
            cause="dead-relu",
            message=f"{lens.dead:.0%} of the units behind {_names(layers)} are off for the whole batch",
            why=f"{lens.units} units were seen on {lens.samples:,} elements each",
            op=evidence.op(op).name,
            source=evidence.source_of(op),
            evidence={"dead_share": lens.dead or 0.0, "units": lens.units},
        )


def _feeder(evidence: Evidence, op: int) -> int:
    """The nearest module below an op that owns parameters; the op's own module where there is none."""
    index = op
    while evidence.op(index).edges:
        if evidence.op(index).module in evidence.owned:
            return evidence.op(index).module
        index = evidence.op(index).edges[0].to
    return evidence.op(op).module


def single_element(evidence: Evidence) -> Findings:
    """A softmax or a normalisation runs over a single element, so its output is a constant.

    The softmax of one number is 1 and the normalised value of one number is 0, whatever the number is:
    nothing below it can learn. Usually the wrong `dim`, or a batch or spatial size of one.
    """
    for lens in evidence.measurement.lenses:
        op = evidence.op(lens.op)
        if lens.length != 1 or not op.total or lens.kind == "loss":
            continue
        passed = op.edges[0].norm / op.total if op.edges else 0.0
        if passed > _NOISE:
            continue
        below = [m for m in evidence.layers if _starves(evidence, m, lens.op)]
        layers = tuple(evidence.path_of(m) for m in below or ([op.module] if op.module >= 0 else []))
        kind = "softmax" if lens.kind == "softmax" else "normalisation"
        if kind == "softmax" and _weighs_values(evidence, lens.op) and not _single_unit_below(evidence, lens.op):
            continue
        yield Finding(
            code="GC404",
            rule="single-element",
            family=Family.NO_GRADIENT,
            severity=Severity.ERROR,
            layers=layers,
            cause="single-element-softmax" if lens.kind == "softmax" else "single-element-norm",
            message=f"a {kind} over a single element puts out a constant, so nothing reaches {_names(layers)}",
            why=f"a gradient of norm {op.total:.2g} arrives at {op.name} and {passed:.0e} of it leaves",
            op=op.name,
            source=evidence.source_of(lens.op),
            evidence={"passed": passed, "layers": len(layers)},
        )
        return


def _weighs_values(evidence: Evidence, op: int) -> bool:
    """Whether a softmax is an attention's, where a single key is only a short sequence."""
    above = {op}
    for _ in range(6):
        above = {s for i in above for s in evidence.senders.get(i, ())}
        if any(evidence.op(i).name.startswith(("Bmm", "Baddbmm", "Mm", "Mul")) for i in above):
            return True
    return False


def _single_unit_below(evidence: Evidence, op: int) -> bool:
    """Whether the single element is the only output of a layer: then the softmax runs over the wrong dim."""
    while evidence.op(op).edges:
        op = evidence.op(op).edges[0].to
        parameters = [evidence.measurement.parameters[i] for i in evidence.parameters_under(op)]
        matrices = [p for p in parameters if len(p.shape) >= 2]
        if matrices or not evidence.op(op).name.startswith(VIEW_LIKE):
            return any(p.shape[0] == 1 for p in matrices)
    return False


_NOISE = 1e-3
"""What rounding leaves of a gradient that is zero by algebra."""


def _starves(evidence: Evidence, module: int, op: int) -> bool:
    """Whether a layer's gradient comes through an op, or is held up there entirely."""
    account = evidence.strongest(module)
    return op in account.path if account else op in blockers_of(evidence, module)


def masked_loss(evidence: Evidence) -> Findings:
    """Every gradient is exactly 0: nothing was left to compare.

    All targets were ignored, the mask was all zero, or every term of the loss was clipped. A batch like
    this teaches nothing. A hinge loss of 0 is left alone: there every sample is right already.
    """
    layers = [m for m, layer in evidence.layers.items() if layer.status == "ok"]
    if not layers or any(evidence.layers[m].grad_norm for m in layers):
        return
    reasons = {_classify(evidence, blockers_of(evidence, m)) for m in layers}
    hinge = any(op.name.startswith(("Clamp", "Relu")) and op.module < 0 for op in evidence.measurement.ops[:8])
    if reasons == {"masked"} and not (evidence.measurement.loss == 0 and hinge):
        yield Finding(
            code="GC405",
            rule="masked-loss",
            family=Family.NO_GRADIENT,
            severity=Severity.ERROR,
            layers=tuple(evidence.path_of(m) for m in layers),
            cause="masked-loss",
            message="every gradient is exactly 0: this batch was masked or clipped out of the loss completely",
            why=f"the loss is {evidence.measurement.loss:.4g}, and none of {len(layers)} layers moves it",
            op=evidence.op(0).name,
            source=evidence.source_of(0),
            evidence={"loss": evidence.measurement.loss, "layers": len(layers)},
        )


def by_design_zero(evidence: Evidence) -> Findings:
    """A gradient is exactly zero because a parameter that is all zero gates it, and that one learns.

    LoRA's B, a zero-initialised last normalisation of a residual branch, ReZero and adaLN-zero start
    this way: the gate opens with the first step, and the layers behind it learn from then on.
    """
    yield from _blocked(
        evidence,
        "GC411",
        "by-design-zero",
        "by-design-zero",
        lambda _, op: _opens(evidence, op),
        "{layers} wait for a gate that is zero now and opens with the first step",
        severity=Severity.NOTE,
    )


def masked_rows(evidence: Evidence) -> Findings:
    """A gradient is exactly zero because the batch routed nothing through the layer.

    Rows that were not looked up, experts that were not chosen, positions behind a mask, a hinge that is
    satisfied: another batch would reach them.
    """
    yield from _blocked(
        evidence,
        "GC412",
        "masked",
        "masked",
        lambda name, _: True,
        "{layers} get a gradient of exactly 0 on this batch: {op} passed nothing on",
        severity=Severity.NOTE,
    )


def unused(evidence: Evidence) -> Findings:
    """A layer that can learn was not used for this loss: it was not called, or its output went nowhere."""
    cut = {layer for finding in graph_cut(evidence) for layer in finding.layers}
    groups: dict[str, list[str]] = {"was not called": [], "ran, but its output does not reach the loss": []}
    for module, layer in evidence.layers.items():
        if layer.status == "unused":
            groups["was not called"].append(evidence.path_of(module))
        elif layer.status == "none" and evidence.path_of(module) not in cut:
            groups["ran, but its output does not reach the loss"].append(evidence.path_of(module))
    for what, layers in groups.items():
        if layers:
            yield _note("GC413", "unused", "unused", tuple(layers), f"{_names(tuple(layers))}: {what}")


def frozen(evidence: Evidence) -> Findings:
    """A layer's parameters do not require a gradient, so it stays as it is."""
    layers = tuple(evidence.path_of(m) for m, layer in evidence.layers.items() if layer.status == "frozen")
    if layers:
        yield _note("GC414", "frozen", "frozen", layers, f"{_names(layers)} frozen (requires_grad is False)")


def _note(code: str, rule: str, cause: str, layers: tuple[str, ...], message: str) -> Finding:
    return Finding(code=code, rule=rule, family=Family.NO_GRADIENT, severity=Severity.NOTE, layers=layers, cause=cause,
                   message=message, evidence={"layers": len(layers)})  # fmt: skip


# --------------------------------------------------------------------------- exact zeros


def _blocked(
    evidence: Evidence,
    code: str,
    rule: str,
    cause: str,
    blocks: Callable[[str, int], bool],
    message: str,
    severity: Severity = Severity.ERROR,
) -> Findings:
    """One finding for each op at which a gradient becomes exactly zero and `blocks(name, op)` holds,
    over the layers whose every way to the loss is closed at such ops."""
    groups: dict[int, list[int]] = defaultdict(list)
    for module in zero_layers(evidence):
        blockers = blockers_of(evidence, module)
        if blockers and _classify(evidence, blockers) == rule:
            groups[min(blockers)].append(module)
    matching = {op: modules for op, modules in groups.items() if blocks(evidence.op(op).name, op)}
    if matching:
        first = min(matching)
        layers = tuple(evidence.path_of(m) for m in sorted({m for ms in matching.values() for m in ms}))
        yield Finding(
            code=code,
            rule=rule,
            family=Family.NO_GRADIENT,
            severity=severity,
            layers=layers,
            cause=cause,
            message=message.format(op=evidence.op(first).name, layers=_names(layers)),
            why=f"a gradient of norm {evidence.op(first).total:.2g} arrives at {evidence.op(first).name} and none leaves it",
            op=evidence.op(first).name,
            source=evidence.source_of(first),
            evidence={"layers": len(layers), "blocking_ops": len(matching)},
        )


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


def _classify(evidence: Evidence, blockers: Iterable[int]) -> str:
    """The rule that explains a set of blocking ops: the gravest where they differ is the least certain,
    so a way that will open, or that this batch merely did not take, decides."""
    names = [(op, evidence.op(op).name) for op in blockers]
    if any(_opens(evidence, op) for op, _ in names):
        return "by-design-zero"
    for rule, test in (
        ("step-function", lambda op, name: name.startswith(_STEP_FUNCTIONS)),
        ("dead-activation", lambda op, name: name.startswith(_RECTIFIERS) and evidence.op(op).module >= 0),
        ("single-element", lambda op, name: (le := evidence.lenses.get(op)) is not None and le.length == 1),
    ):
        if any(test(op, name) for op, name in names):
            return rule
    if any(name.startswith(_SATURATING) for _, name in names):
        return "saturated"
    return "masked"


_SATURATING = ("Sigmoid", "Tanh", "Softmax", "LogSoftmax", "Gelu", "Silu", "Softplus", "Mish", "Erf", "Exp")


def saturated_ops(evidence: Evidence) -> dict[int, tuple[int, ...]]:
    """Layers whose gradient is exactly zero at a saturating op, by that op."""
    groups: dict[int, list[int]] = defaultdict(list)
    for module in zero_layers(evidence):
        blockers = blockers_of(evidence, module)
        if blockers and _classify(evidence, blockers) == "saturated":
            groups[min(b for b in blockers if evidence.op(b).name.startswith(_SATURATING))].append(module)
    return {op: tuple(modules) for op, modules in groups.items()}


def _opens(evidence: Evidence, op: int) -> bool:
    """Whether a factor that is all zero, and that gets a gradient, closes this op. A zero bias closes nothing."""
    name = evidence.op(op).name
    parameters = [evidence.measurement.parameters[i] for i in evidence.parameters_under(op)]
    if name.startswith(("Native", "Cudnn", "FusedRms")):
        parameters = parameters[:1]  # weight, then bias
    elif not name.startswith(("Mul", "Div")):
        parameters = [p for p in parameters if len(p.shape) >= 2]
    return any(p.weight_norm == 0 and (p.grad_norm or 0) > 0 for p in parameters)


def _names(layers: tuple[str, ...]) -> str:
    if len(layers) <= 2:
        return " and ".join(layers)
    return f"{layers[0]} .. {layers[-1]} ({len(layers)} layers)"


def _it(layers: tuple[str, ...]) -> str:
    return "it" if len(layers) == 1 else "them"
