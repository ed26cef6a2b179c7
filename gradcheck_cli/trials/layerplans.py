"""Plans for layers: activations, initialisation, normalisation, identity paths, softmaxes and norms to leave out."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gradcheck_cli.records.ops import (
    ACTIVATION_CALLS,
    ADDITION_CALLS,
    EXPONENTIAL_CALLS,
    FACTOR_CALLS,
    MATMUL_CALLS,
    MULTIPLICATION_CALLS,
    NORM_CALLS,
    NORMALIZATIONS,
    RECTIFYING_CALLS,
    RELU_CALLS,
    SIGMOID_CALLS,
    SMOOTH_CALLS,
    SOFTMAX_CALLS,
    SQUASHING_CALLS,
    VIEW_LIKE,
)
from gradcheck_cli.trials import edits
from gradcheck_cli.trials.edits import Place
from gradcheck_cli.trials.planning import Edit, Plan, PlanningContext, some
from gradcheck_cli.trials.torchcalls import NotTriable, TorchCall

_GAINS = dict.fromkeys(RECTIFYING_CALLS | SMOOTH_CALLS, 2.0**0.5) | {"tanh": 5 / 3, "tanh_": 5 / 3, "selu": 0.75}
"""By the activation that follows a weight, as `torch.nn.init.calculate_gain` has them; 1 for any other."""


def relu(context: PlanningContext) -> Plan:
    """ReLU in place of squashing activations, with He initialisation."""
    return _rectified(context, SQUASHING_CALLS, "relu")


def gelu(context: PlanningContext) -> Plan:
    """GELU in place of activations that squash or cut off, with He initialisation."""
    return _rectified(context, SQUASHING_CALLS | RECTIFYING_CALLS, "gelu")


def leaky_relu(context: PlanningContext) -> Plan:
    """LeakyReLU in place of every ReLU, and of clamps that are used as one."""
    calls = [c for c in context.calls if c.name in RECTIFYING_CALLS]
    return Plan(edits=(context.swap(some(calls, "no ReLU is called inside this model", NotTriable), "leaky_relu"),))


def softplus(context: PlanningContext) -> Plan:
    """Softplus in place of the ReLU that no weight follows."""
    calls = [c for c in context.calls if c.name in RELU_CALLS and not context.evidence.is_hidden(c.op)]
    return Plan(edits=(context.swap(some(calls, "no ReLU stands between the last layer and the loss"), "softplus"),))


def _rectified(context: PlanningContext, names: frozenset[str], to: str) -> Plan:
    calls = some(context.activations(names), "no such activation is called between two layers of this model")
    return Plan(edits=(context.swap(calls, to), *drawn(context, {c.place for c in calls})))


def init(context: PlanningContext) -> Plan:
    """Every weight drawn anew for the activation that follows it."""
    return Plan(edits=drawn(context, set()))


def drawn(context: PlanningContext, rectified: set[Place]) -> tuple[Edit, ...]:
    """He's or Xavier's deviation for every weight, by the activation that follows or that is put there."""
    shapes = context.free
    following = _following(context)
    deviations: dict[str, float] = {}
    for call in some(context.weighted(), "no weight of a linear or convolution layer is used", NotTriable):
        after = following.get(call.op)
        gain = 1.0 if after is None else 2.0**0.5 if after.place in rectified else _GAINS.get(after.name, 1.0)
        gain /= _factor(context, call.op)
        for name in call.parameters:
            if len(shapes.get(name, ())) >= 2:
                deviations[name] = float(f"{gain / math.sqrt(_fan_in(call, shapes[name])):.4g}")
    zeroed = tuple(sorted({n for c in context.weighted() for n in _biases(c, shapes)}))
    arguments = {"deviations": deviations, "zeroed": zeroed, "seed": context.seed}
    return (Edit(function=edits.initialise, arguments=arguments),)


def _biases(call: TorchCall, shapes: Mapping[str, tuple[int, ...]]) -> Iterable[str]:
    """Biases that go in together with a weight, and those beside it in a module of its own."""
    beside = {name.rpartition(".")[0] + ".bias" for name in call.parameters if name.endswith(".weight")}
    return [n for n in {*call.parameters, *beside} if n in shapes and len(shapes[n]) == 1]


def _fan_in(call: TorchCall, shape: tuple[int, ...]) -> int:
    """Terms in each sum: x @ W has them along the first dimension of W, a layer along all but the first."""
    return shape[0] if call.name in MATMUL_CALLS else math.prod(shape[1:])


def _factor(context: PlanningContext, op: int) -> float:
    """The constant above 1, in size, that multiplies what an op puts out, as the rate of a sine; 1 for none.

    A constant below 1 is there to hold what follows back, and stays what it is.
    """
    senders = context.evidence.graph.senders[op]
    by = [c for c in context.calls if c.op in senders and c.name in MULTIPLICATION_CALLS and c.tensors == 1]
    return max((1.0, *(abs(number) for call in by for number in call.numbers)))


def _following(context: PlanningContext) -> Mapping[int, TorchCall]:
    """The activation that reads what an op puts out, by the op, behind views, biases and normalisations at most."""
    acting = {c.op: c for c in context.calls if c.name in ACTIVATION_CALLS}
    weighted = {c.op for c in context.weighted()}
    found: dict[int, TorchCall] = {}
    for start in weighted:
        index, senders = start, context.evidence.graph.senders
        for _ in range(6):
            above = [s for s in senders[index] if s not in weighted]
            call = next((acting[s] for s in above if s in acting), None)
            if call is not None:
                found[start] = call
                break
            passing = [s for s in above if context.evidence.graph.stem(s) in _PASSING]
            if not passing:
                break
            index = passing[0]
    return found


_PASSING = VIEW_LIKE | NORMALIZATIONS | {"Add", "Mul", "Mm", "Bmm"}


def normalization(context: PlanningContext) -> Plan:
    """A normalisation behind every layer but the last."""
    calls = some(context.hidden(), "no linear or convolution layer lies before another", NotTriable)
    return Plan(edits=(Edit(function=edits.normalise, arguments={"places": context.places(calls)}),))


def residual(context: PlanningContext) -> Plan:
    """An identity path around every block, or where there are none around every layer and its activation."""
    blocks = _blocks(context)
    if blocks:
        arguments: dict[str, Any] = {"blocks": blocks, "factor": float(f"{1 / math.sqrt(len(blocks)):.4g}")}
        return Plan(edits=(Edit(function=edits.skip_blocks, arguments=arguments),))
    layers = [c for c in context.hidden() if c.name not in MATMUL_CALLS]
    activations = context.activations(ACTIVATION_CALLS)
    some(layers, "no linear or convolution layer lies before another", NotTriable)
    some(activations, "no activation is called between two layers of this model", NotTriable)
    factor = float(f"{1 / math.sqrt(len(activations)):.4g}")
    arguments = {
        "layers": context.places(layers),
        "activations": context.places(activations),
        "factor": factor,
    }
    return Plan(edits=(Edit(function=edits.add_identity, arguments=arguments),))


def _blocks(context: PlanningContext) -> set[str]:
    """The largest group of modules of one kind in a row, each of which multiplies by a weight and holds more than that.

    Fewer than three are no row.
    """
    weighted = {call.place[0] for call in context.weighted()}
    rows: dict[tuple[str, type], set[str]] = defaultdict(set)
    for path, module in context.model.named_modules():
        parent, _, name = path.rpartition(".")
        if name.isdigit() and next(module.children(), None) is not None:
            rows[parent, type(module)].add(path)
    full = [row for row in rows.values() if all(any(f"{w}.".startswith(f"{p}.") for w in weighted) for p in row)]
    return max((row for row in full if len(row) >= _ROW), key=len, default=set())


_ROW = 3
"""Modules that are a row at least."""


def residual_scaling(context: PlanningContext) -> Plan:
    """Branches scaled to keep the size of the stream, or a small constant factor left out."""
    if context.finding.cause in ("residual-scale", "small-init"):
        calls = [c for c in context.calls if c.name in FACTOR_CALLS and any(0 < abs(n) < 0.03 for n in c.numbers)]
        some(calls, "no small constant factor is written in the model's code")
        return Plan(edits=(Edit(function=edits.unscale, arguments={"places": context.places(calls)}),))
    merges = [c for c in context.calls if c.name in ADDITION_CALLS and c.tensors == 2 and c.same_shape]
    merges = some([c for c in merges if not c.parameters], "no sum of branches is made in the model's code")
    factor = float(f"{1 / math.sqrt(2 * len(merges)):.4g}")
    arguments = {"places": context.places(merges), "factor": factor}
    return Plan(edits=(Edit(function=edits.scale_branches, arguments=arguments),))


def remove_softmax(context: PlanningContext) -> Plan:
    """The softmax that is to blame left out, or taken for a sigmoid where it runs over one logit."""
    softmaxes = [c for c in context.calls if c.name in SOFTMAX_CALLS]
    blamed = [c for c in softmaxes if context.finding.op == context.evidence.graph.op(c.op).name]
    if context.finding.cause == "double-softmax":
        blamed = [c for c in blamed if not context.evidence.is_hidden(c.op)]
    calls = some(blamed, "the softmax is called outside the model's modules", NotTriable)
    if context.finding.cause == "single-element-softmax":  # of one logit, a sigmoid is the probability that was meant
        return Plan(edits=(context.swap(calls, "sigmoid"),))
    return Plan(edits=(Edit(function=edits.skip, arguments={"places": context.places(calls)}),))


def remove_sigmoid(context: PlanningContext) -> Plan:
    """The sigmoid between the last layer and the loss left out."""
    calls = [c for c in context.calls if c.name in SIGMOID_CALLS and not context.evidence.is_hidden(c.op)]
    some(calls, "the sigmoid is called outside the model's modules", NotTriable)
    return Plan(edits=(Edit(function=edits.skip, arguments={"places": context.places(calls)}),))


def output_layer(context: PlanningContext) -> Plan:
    """The activation between the last layer and the loss left out."""
    names = ACTIVATION_CALLS | SOFTMAX_CALLS | EXPONENTIAL_CALLS
    last = [c for c in context.calls if c.name in names and not context.evidence.is_hidden(c.op)]
    calls = [c for c in last if context.finding.op == context.evidence.graph.op(c.op).name]
    some(calls, "the last activation is called outside the model's modules", NotTriable)
    return Plan(edits=(Edit(function=edits.skip, arguments={"places": context.places(calls)}),))


def lower_dropout(context: PlanningContext) -> Plan:
    """A tenth dropped where nearly all was."""
    return Plan(edits=(Edit(function=edits.drop, arguments={"layers": context.finding.layers, "p": 0.1}),))


def shape_fix(context: PlanningContext) -> Plan:
    """The output in the shape of its targets."""
    found = (c for c in context.evidence.measurement.comparisons if c.averaged and c.broadcasts)
    one = next((c for c in found if c.output.count == c.target.count), None)
    if one is None:
        raise NotTriable("it changes your code in a way that only you can choose")
    return Plan(edits=(Edit(function=edits.reshape_output, arguments={"shape": one.target.shape}),))


def softmax_dim(context: PlanningContext) -> Plan:
    """Over the last dimension but the batch's that holds more than one element."""
    calls = [c for c in context.calls if c.name == "softmax" and c.op in _alone(context, "softmax")]
    some(calls, "the softmax is called outside the model's modules", NotTriable)
    dims = [d for d in range(1, len(calls[0].shape)) if calls[0].shape[d] > 1]
    arguments = {"places": context.places(calls), "dim": some(dims, "no dimension holds more than one element")[-1]}
    return Plan(edits=(Edit(function=edits.softmax_over, arguments=arguments),))


def _alone(context: PlanningContext, kind: str) -> set[int]:
    """The ops of a kind that run over one element."""
    return {x.op for x in context.evidence.measurement.lenses if x.kind == kind and x.length == 1}


def remove_norm(context: PlanningContext) -> Plan:
    """Normalisations over a single element left out."""
    calls = [c for c in context.calls if c.name in NORM_CALLS and c.op in _alone(context, "normalization")]
    some(calls, "the normalisation is called outside the model's modules", NotTriable)
    return Plan(edits=(Edit(function=edits.skip, arguments={"places": context.places(calls)}),))


def bias_init(context: PlanningContext) -> Plan:
    """Biases that are far from 0 set to it."""
    biases = [n for n, shape in context.free.items() if len(shape) == 1 and shape[0] and "bias" in n]
    far = [n for n in biases if float(context.model.get_parameter(n).detach().abs().max()) > 1]
    arguments = {"deviations": {}, "zeroed": tuple(some(far, "no bias is larger than 1"))}
    return Plan(edits=(Edit(function=edits.initialise, arguments=arguments),))


PLANS: Mapping[str, Callable[[PlanningContext], Plan]] = {
    "relu": relu,
    "gelu": gelu,
    "leaky-relu": leaky_relu,
    "softplus": softplus,
    "init": init,
    "normalization": normalization,
    "residual": residual,
    "residual-scaling": residual_scaling,
    "remove-softmax": remove_softmax,
    "remove-sigmoid": remove_sigmoid,
    "output-layer": output_layer,
    "shape-fix": shape_fix,
    "lower-dropout": lower_dropout,
    "softmax-dim": softmax_dim,
    "remove-norm": remove_norm,
    "bias-init": bias_init,
}
"""By remedy, what plans it."""
