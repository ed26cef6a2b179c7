"""From a finding and a remedy to the edits that try it, or to the reason why it cannot be tried."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from torch import Tensor, nn

from gradcheck_cli.records.report import Finding
from gradcheck_cli.rules.accounts import weights_above
from gradcheck_cli.rules.evidence import VIEW_LIKE, Evidence
from gradcheck_cli.trials import edits
from gradcheck_cli.trials.calls import Call
from gradcheck_cli.trials.edits import Place

SQUASHING = frozenset(("sigmoid", "sigmoid_", "tanh", "tanh_", "hardtanh", "hardsigmoid", "softsign", "logsigmoid"))
RECTIFYING = frozenset(("relu", "relu_", "relu6", "threshold", "clamp", "clamp_min"))
SMOOTH = frozenset(("leaky_relu", "elu", "selu", "gelu", "silu", "mish", "softplus"))
ACTIVATIONS = SQUASHING | RECTIFYING | SMOOTH
WEIGHTED = frozenset(
    ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "matmul", "__matmul__", "mm")
)
_ADDITIONS = frozenset(("add", "add_", "__add__", "__iadd__", "__radd__"))
_FACTORS = frozenset(("mul", "__mul__", "__rmul__", "div", "__truediv__", "add", "add_", "mul_"))
_SUMS = frozenset(
    (
        "sum",
        "einsum",
        "scatter_reduce",
        "matmul",
        "__matmul__",
        "mm",
        "bmm",
        "scatter_add",
        "scatter_add_",
        "index_add",
        "index_add_",
        "scatter_reduce",
    )
)
_GAINS = dict.fromkeys(RECTIFYING | SMOOTH, 2.0**0.5) | {"tanh": 5 / 3, "tanh_": 5 / 3, "selu": 0.75}
"""By the activation that follows a weight, as `torch.nn.init.calculate_gain` has them; 1 for any other."""


class NotTriable(Exception):
    """Why a remedy cannot be tried here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """One call of a function of `edits` on a model, with literal arguments."""

    function: Callable[..., None]
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def apply(self, model: nn.Module) -> None:
        """Edit the model in place."""
        self.function(model, **self.arguments)

    @property
    def changes(self) -> str:
        """What the edit does to the model, in a few words."""
        if self.function is edits.initialise and not self.arguments["deviations"]:
            return "sets biases to zero"
        return _CHANGES.get(self.function.__name__, "changes what the model computes")


_CHANGES = {
    "initialise": "draws new weights",
    "orthogonalise": "draws new weights",
    "open_gates": "sets biases",
    "standardise_inputs": "scales the inputs",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How a remedy is tried.

    Attributes:
        edits: What is done to the model.
        targets: Where the batch holds the targets, if they are standardised.
        loss_scale: What the loss is multiplied by.
        precision: "float32" or "bfloat16" in place of the low precision of the check.
    """

    edits: tuple[Edit, ...] = ()
    targets: int | str | None = None
    loss_scale: float = 1.0
    precision: str = ""


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What is known of a model when remedies for a finding are planned."""

    model: nn.Module
    batch: Any
    finding: Finding
    evidence: Evidence
    calls: tuple[Call, ...]
    seed: int

    @cached_property
    def free(self) -> Mapping[str, tuple[int, ...]]:
        """The shapes of the parameters that are trained, by name; what is frozen is not to be changed."""
        return {name: tuple(p.shape) for name, p in self.model.named_parameters() if p.requires_grad}

    def activations(self, names: Iterable[str]) -> list[Call]:
        """Calls of these activations between two weights, which are no gates."""
        names = frozenset(names)
        found = [c for c in self.calls if c.name in names and not self.evidence.gates(c.op)]
        return [c for c in found if weights_above(self.evidence, c.op) > 0]

    def weighted(self) -> list[Call]:
        """Calls that multiply by a parameter of the model."""
        return [c for c in self.calls if c.name in WEIGHTED and c.parameters]

    def hidden(self) -> list[Call]:
        """Weighted calls with another weight between them and the loss."""
        return [c for c in self.weighted() if weights_above(self.evidence, c.op) > 0]

    def places(self, calls: Sequence[Call]) -> set[Place]:
        """The places of `calls`, with None for a function whose every call in a module is among them."""
        chosen = {c.place for c in calls}
        left = {c.place[:2] for c in self.calls if c.place not in chosen}
        return {place if place[:2] in left else (*place[:2], None) for place in chosen}


def plan(remedy: str, situation: Situation) -> Plan:
    """The edits that try a remedy.

    Raises:
        NotTriable: It needs the user's hand, or finds nothing to act on.
    """
    make = PLANS.get(remedy)
    if make is None:
        raise NotTriable("it changes your code in a way that only you can choose")
    return make(situation)


def _swapped(situation: Situation, names: frozenset[str], to: str, gain: float | None) -> Plan:
    calls = _some(situation.activations(names), "no such activation is called between two layers of this model")
    swap = Edit(function=edits.swap_activations, arguments={"places": situation.places(calls), "to": to})
    if gain is None:
        return Plan(edits=(swap,))
    return Plan(edits=(swap, *_drawn(situation, {c.place for c in calls})))


def _relu(situation: Situation) -> Plan:
    return _swapped(situation, SQUASHING, "relu", 2.0**0.5)


def _gelu(situation: Situation) -> Plan:
    return _swapped(situation, SQUASHING | RECTIFYING, "gelu", 2.0**0.5)


def _leaky_relu(situation: Situation) -> Plan:
    dead = frozenset(RECTIFYING)
    calls = _some([c for c in situation.calls if c.name in dead], "no ReLU is called inside this model")
    return Plan(
        edits=(
            Edit(function=edits.swap_activations, arguments={"places": situation.places(calls), "to": "leaky_relu"}),
        )
    )


def _init(situation: Situation) -> Plan:
    return Plan(edits=_drawn(situation, set()))


def _drawn(situation: Situation, rectified: set[Place]) -> tuple[Edit, ...]:
    """He's or Xavier's deviation for every weight, by the activation that follows or that is put there."""
    shapes = situation.free
    following = _following(situation)
    deviations: dict[str, float] = {}
    for call in _some(situation.weighted(), "no weight of a linear or convolution layer is used"):
        after = following.get(call.op)
        gain = 1.0 if after is None else 2.0**0.5 if after.place in rectified else _GAINS.get(after.name, 1.0)
        for name in call.parameters:
            if len(shapes.get(name, ())) >= 2:
                deviations[name] = float(f"{gain / math.sqrt(_fan_in(call, shapes[name])):.4g}")
    zeroed = tuple(sorted({n for c in situation.weighted() for n in _biases(c, shapes)}))
    arguments = {"deviations": deviations, "zeroed": zeroed, "seed": situation.seed}
    return (Edit(function=edits.initialise, arguments=arguments),)


def _biases(call: Call, shapes: Mapping[str, tuple[int, ...]]) -> Iterable[str]:
    """Biases that go in together with a weight, and those beside it in a module of its own."""
    beside = {name.rpartition(".")[0] + ".bias" for name in call.parameters if name.endswith(".weight")}
    return [n for n in {*call.parameters, *beside} if n in shapes and len(shapes[n]) == 1]


def _fan_in(call: Call, shape: tuple[int, ...]) -> int:
    """Terms in each sum: x @ W has them along the first dimension of W, a layer along all but the first."""
    return shape[0] if call.name in ("matmul", "__matmul__", "mm") else math.prod(shape[1:])


def _following(situation: Situation) -> Mapping[int, Call]:
    """The activation that reads what an op puts out, by the op, behind views, biases and normalisations at most."""
    acting = {c.op: c for c in situation.calls if c.name in ACTIVATIONS}
    weighted = {c.op for c in situation.weighted()}
    found: dict[int, Call] = {}
    for start in weighted:
        index, senders = start, situation.evidence.senders
        for _ in range(6):
            above = [s for s in senders.get(index, ()) if s not in weighted]
            call = next((acting[s] for s in above if s in acting), None)
            if call is not None:
                found[start] = call
                break
            passing = [s for s in above if situation.evidence.op(s).name.startswith(_PASSING)]
            if not passing:
                break
            index = passing[0]
    return found


_PASSING = (*VIEW_LIKE, "Add", "NativeBatchNorm", "NativeLayerNorm", "NativeGroupNorm", "Mul", "Mm", "Bmm")


def _normalization(situation: Situation) -> Plan:
    calls = _some(situation.hidden(), "no linear or convolution layer lies before another")
    return Plan(edits=(Edit(function=edits.normalise, arguments={"places": situation.places(calls)}),))


def _residual(situation: Situation) -> Plan:
    layers = [c for c in situation.hidden() if c.name not in ("mm", "matmul", "__matmul__")]
    activations = situation.activations(ACTIVATIONS)
    _some(layers, "no layer lies before another")
    _some(activations, "no activation is called between two layers of this model")
    factor = float(f"{1 / math.sqrt(len(activations)):.4g}")
    arguments = {
        "layers": situation.places(layers),
        "activations": situation.places(activations),
        "factor": factor,
    }
    return Plan(edits=(Edit(function=edits.add_identity, arguments=arguments),))


def _residual_scaling(situation: Situation) -> Plan:
    if situation.finding.cause in ("residual-scale", "small-init"):
        calls = [c for c in situation.calls if c.name in _FACTORS and any(0 < abs(n) < 0.03 for n in c.numbers)]
        _some(calls, "no small constant factor is written in the model's code")
        return Plan(edits=(Edit(function=edits.unscale, arguments={"places": situation.places(calls)}),))
    merges = [c for c in situation.calls if c.name in _ADDITIONS and c.tensors == 2 and c.same_shape]
    merges = _some([c for c in merges if not c.parameters], "no sum of branches is made in the model's code")
    factor = float(f"{1 / math.sqrt(2 * len(merges)):.4g}")
    arguments = {"places": situation.places(merges), "factor": factor}
    return Plan(edits=(Edit(function=edits.scale_branches, arguments=arguments),))


def _scale_logits(situation: Situation) -> Plan:
    names = ("softmax", "log_softmax", *SQUASHING) if situation.finding.cause != "softmax-saturation" else ("softmax",)
    sizes = {
        c.place: c.deviation if "softmax" in c.name else math.hypot(c.mean, c.deviation)
        for c in situation.calls
        if c.name in names
    }
    calls = [c for c in situation.calls if sizes.get(c.place, 0.0) > 1]
    if not calls:
        spread = next((s.std for s in situation.evidence.measurement.outputs if s.std), 0.0)
        if spread <= 1:
            raise NotTriable("no logits of this model are larger than about 1")
        return Plan(edits=(Edit(function=edits.scale_output, arguments={"factor": float(f"{1 / spread:.3g}")}),))
    factors = {c.place: float(f"{1 / sizes[c.place]:.3g}") for c in calls}
    return Plan(edits=(Edit(function=edits.scale_arguments, arguments={"factors": factors}),))


def _remove_softmax(situation: Situation) -> Plan:
    softmaxes = [c for c in situation.calls if c.name in ("softmax", "log_softmax")]
    blamed = [c for c in softmaxes if situation.finding.op == situation.evidence.op(c.op).name]
    if situation.finding.cause == "double-softmax":
        blamed = [c for c in blamed if weights_above(situation.evidence, c.op) == 0]
    calls = _some(blamed, "the softmax is called outside the model's modules")
    if situation.finding.cause == "single-element-softmax":  # of one logit, a sigmoid is the probability that was meant
        arguments = {"places": situation.places(calls), "to": "sigmoid"}
        return Plan(edits=(Edit(function=edits.swap_activations, arguments=arguments),))
    return Plan(edits=(Edit(function=edits.skip, arguments={"places": situation.places(calls)}),))


def _softmax_dim(situation: Situation) -> Plan:
    """Over the last dimension but the batch's that holds more than one element."""
    calls = [c for c in situation.calls if c.name == "softmax" and c.op in _alone(situation, "softmax")]
    _some(calls, "the softmax is called outside the model's modules")
    dims = [d for d in range(1, len(calls[0].shape)) if calls[0].shape[d] > 1]
    arguments = {"places": situation.places(calls), "dim": _some(dims, "no dimension holds more than one element")[-1]}
    return Plan(edits=(Edit(function=edits.softmax_over, arguments=arguments),))


def _alone(situation: Situation, kind: str) -> set[int]:
    """The ops of a kind that run over one element."""
    return {x.op for x in situation.evidence.measurement.lenses if x.kind == kind and x.length == 1}


def _remove_norm(situation: Situation) -> Plan:
    norms = ("layer_norm", "batch_norm", "instance_norm", "group_norm", "rms_norm", "normalize")
    calls = [c for c in situation.calls if c.name in norms and c.op in _alone(situation, "normalization")]
    _some(calls, "the normalisation is called outside the model's modules")
    return Plan(edits=(Edit(function=edits.skip, arguments={"places": situation.places(calls)}),))


def _mean_aggregation(situation: Situation) -> Plan:
    sums = [c for c in situation.calls if c.name in _SUMS and not c.parameters and c.tensors >= 1]
    calls = _some(sums, "no sum is taken inside the model's modules")
    return Plan(edits=(Edit(function=edits.average, arguments={"places": situation.places(calls)}),))


def _recurrent(situation: Situation, kinds: tuple[type[nn.Module], ...]) -> list[str]:
    layers = situation.finding.layers
    found = [path for path, module in situation.model.named_modules() if isinstance(module, kinds)]
    return [path for path in found if path in layers] or ([] if layers and found == [""] else found)


def _memory(situation: Situation) -> float:
    """ln T, with which a sigmoid gate keeps 1/e over T steps (Tallec and Ollivier, 2018)."""
    steps = max((series.steps for series in situation.evidence.ledger.series), default=0)
    return round(math.log(max(steps, 2.72)), 2)


def _gated(cell: str) -> Callable[[Situation], Plan]:
    def make(situation: Situation) -> Plan:
        kinds = (nn.RNN,) if cell == "lstm" else (nn.RNN, nn.RNNCell)
        paths = _some(_recurrent(situation, kinds), "only an nn.RNN can be replaced, and this is none")
        arguments = {"cell": cell, "bias": _memory(situation), "seed": situation.seed}
        return Plan(
            edits=tuple(Edit(function=edits.replace_rnn, arguments={"path": path, **arguments}) for path in paths)
        )

    return make


def _forget_bias(situation: Situation) -> Plan:
    kinds = (nn.LSTM, nn.GRU, nn.LSTMCell, nn.GRUCell)
    paths = _recurrent(situation, kinds)
    if not paths:
        return _opened_by_hand(situation)
    biases = {path: _memory(situation) for path in paths}
    if not all(situation.model.get_submodule(path).bias for path in paths):
        raise NotTriable("the layer has no biases")
    return Plan(edits=(Edit(function=edits.open_gates, arguments={"biases": biases}),))


def _opened_by_hand(situation: Situation) -> Plan:
    """Gates that are written out: what goes into the closed ones is shifted to where a bias would put it."""
    gates = [c for c in situation.calls if c.name in ("sigmoid", "sigmoid_") and c.mean < -2]
    gates = _some([c for c in gates if situation.evidence.gates(c.op)], "no closed gate was found in the model's code")
    shifts = {c.place: round(_memory(situation) - c.mean, 1) for c in gates}
    return Plan(edits=(Edit(function=edits.shift_arguments, arguments={"shifts": shifts}),))


def _bias_init(situation: Situation) -> Plan:
    biases = [n for n, shape in situation.free.items() if len(shape) == 1 and shape[0] and "bias" in n]
    far = [n for n in biases if float(situation.model.get_parameter(n).detach().abs().max()) > 1]
    arguments = {"deviations": {}, "zeroed": tuple(_some(far, "no bias is larger than 1"))}
    return Plan(edits=(Edit(function=edits.initialise, arguments=arguments),))


def _orthogonal(situation: Situation) -> Plan:
    """Orthogonal recurrent weights; a sigmoid between them, whose slope is 1/4 at best, becomes a tanh."""
    arguments = {"names": _carrying(situation), "seed": situation.seed}
    edit = Edit(function=edits.orthogonalise, arguments=arguments)
    sigmoids = situation.activations(("sigmoid", "sigmoid_"))
    if not sigmoids:
        return Plan(edits=(edit,))
    swap = Edit(function=edits.swap_activations, arguments={"places": situation.places(sigmoids), "to": "tanh"})
    return Plan(edits=(swap, edit))


_NO_SQUARE = "no square recurrent weight was found"


def _identity_recurrence(situation: Situation) -> Plan:
    """ReLU and an identity for the recurrent weight: the IRNN of Le, Jaitly and Hinton (2015)."""
    names = [n for n in _carrying(situation) if len(set(situation.model.get_parameter(n).shape)) == 1]
    calls = situation.activations(SQUASHING)
    if any(module.nonlinearity != "relu" for module in situation.model.modules() if isinstance(module, nn.RNN)):
        raise NotTriable("the cell is torch's own; its activation cannot be swapped")
    edit = Edit(function=edits.identify, arguments={"names": tuple(_some(names, _NO_SQUARE))})
    if not calls:
        return Plan(edits=(edit,))
    swap = Edit(function=edits.swap_activations, arguments={"places": situation.places(calls), "to": "relu"})
    return Plan(edits=(swap, edit))


def _carrying(situation: Situation) -> tuple[str, ...]:
    """The recurrent weights: used at many steps, and square or a stack of squares."""
    measured = situation.evidence.measurement.parameters
    names = {n for s in situation.evidence.ledger.series for n in measured[s.parameter].names[:1]}
    shapes = situation.free
    square = [n for n in names if len(shapes.get(n, ())) == 2 and shapes[n][0] % shapes[n][1] == 0]
    return tuple(sorted(_some(square, _NO_SQUARE)))


def _input_normalization(situation: Situation) -> Plan:
    floating = [s for s in situation.evidence.measurement.inputs if s.dtype.startswith(("float", "bfloat"))]
    _some(floating, "the batch holds no floating input")
    return Plan(edits=(Edit(function=edits.standardise_inputs),))


def _target_normalization(situation: Situation) -> Plan:
    """The targets standardised; an output that is saturated since it could not reach them is drawn anew as well."""
    compared = situation.evidence.compared
    if compared is None:
        raise NotTriable("no output is compared with a target by a regression loss")
    key = next((key for key, value in _items(situation.batch) if _has_rms(value, compared[1])), None)
    if key is None:
        raise NotTriable("the batch holds no tensor with the targets")
    return Plan(edits=_drawn(situation, set()) if situation.finding.cause == "saturated-output" else (), targets=key)


def _loss_scaling(situation: Situation) -> Plan:
    scale = situation.finding.evidence.get("loss_scale")
    if not isinstance(scale, (int, float)):
        raise NotTriable("no scale fits all gradients")
    return Plan(loss_scale=float(scale))


def _items(batch: Any) -> Sequence[tuple[int | str, Any]]:
    if isinstance(batch, (tuple, list)):
        return list(enumerate(batch))[::-1]  # inputs stand before targets
    return [(k, v) for k, v in batch.items() if isinstance(k, str)] if isinstance(batch, dict) else []


def _has_rms(value: Any, rms: float) -> bool:
    if not isinstance(value, Tensor) or not value.is_floating_point() or value.numel() < 2:
        return False
    return math.isclose(float(value.double().square().mean().sqrt()), rms, rel_tol=1e-3)


def _some(found: Any, why: str) -> Any:
    if not found:
        raise NotTriable(why)
    return found


PLANS: Mapping[str, Callable[[Situation], Plan]] = {
    "relu": _relu,
    "gelu": _gelu,
    "leaky-relu": _leaky_relu,
    "init": _init,
    "normalization": _normalization,
    "residual": _residual,
    "residual-scaling": _residual_scaling,
    "scale-logits": _scale_logits,
    "remove-softmax": _remove_softmax,
    "softmax-dim": _softmax_dim,
    "remove-norm": _remove_norm,
    "mean-aggregation": _mean_aggregation,
    "lstm": _gated("lstm"),
    "gru": _gated("gru"),
    "forget-bias": _forget_bias,
    "bias-init": _bias_init,
    "orthogonal-init": _orthogonal,
    "identity-recurrence": _identity_recurrence,
    "input-normalization": _input_normalization,
    "target-normalization": _target_normalization,
    "loss-scaling": _loss_scaling,
    "bf16": lambda situation: Plan(precision="bfloat16"),
    "fp32": lambda situation: Plan(precision="float32"),
}
"""By remedy, what plans it."""
