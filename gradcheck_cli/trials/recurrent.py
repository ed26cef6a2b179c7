"""Plans for weights that are used step after step: gated cells, open gates, orthogonal and identity weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from torch import nn

from gradcheck_cli.records.ops import SQUASHING_CALLS
from gradcheck_cli.trials import edits
from gradcheck_cli.trials.calls import NotTriable
from gradcheck_cli.trials.situation import Edit, Plan, Situation, some


def _recurrent(situation: Situation, kinds: tuple[type[nn.Module], ...]) -> list[str]:
    layers = situation.finding.layers
    found = [path for path, module in situation.model.named_modules() if isinstance(module, kinds)]
    return [path for path in found if path in layers] or ([] if layers and found == [""] else found)


def _memory(situation: Situation) -> float:
    """ln T, with which a sigmoid gate keeps 1/e over T steps (Tallec and Ollivier, 2018)."""
    steps = max((series.steps for series in situation.evidence.paths.ledger.series), default=0)
    return round(math.log(max(steps, 2.72)), 2)


def gated(cell: str) -> Callable[[Situation], Plan]:
    """What plans an LSTM or a GRU in the place of every plain RNN that is to blame."""

    def make(situation: Situation) -> Plan:
        kinds = (nn.RNN,) if cell == "lstm" else (nn.RNN, nn.RNNCell)
        paths = some(_recurrent(situation, kinds), "only an nn.RNN can be replaced, and this is none", NotTriable)
        arguments = {"cell": cell, "bias": _memory(situation), "seed": situation.seed}
        return Plan(
            edits=tuple(Edit(function=edits.replace_rnn, arguments={"path": path, **arguments}) for path in paths)
        )

    return make


def forget_bias(situation: Situation) -> Plan:
    """Gates that remember: of torch's own cells by their bias, of written ones by what goes into them."""
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
    gates = [c for c in gates if situation.evidence.graph.gates(c.op)]
    some(gates, "no closed gate was found in the model's code")
    shifts = {c.place: round(_memory(situation) - c.mean, 1) for c in gates}
    return Plan(edits=(Edit(function=edits.shift_arguments, arguments={"shifts": shifts}),))


def orthogonal(situation: Situation) -> Plan:
    """Orthogonal recurrent weights; a sigmoid between them, whose slope is 1/4 at best, becomes a tanh."""
    arguments = {"names": _carrying(situation), "seed": situation.seed}
    edit = Edit(function=edits.orthogonalise, arguments=arguments)
    sigmoids = situation.activations(("sigmoid", "sigmoid_"))
    if not sigmoids:
        return Plan(edits=(edit,))
    return Plan(edits=(situation.swap(sigmoids, "tanh"), edit))


_NO_SQUARE = "no square recurrent weight was found"


def identity_recurrence(situation: Situation) -> Plan:
    """ReLU and an identity for the recurrent weight: the IRNN of Le, Jaitly and Hinton (2015)."""
    names = [n for n in _carrying(situation) if len(set(situation.model.get_parameter(n).shape)) == 1]
    calls = situation.activations(SQUASHING_CALLS)
    if any(module.nonlinearity != "relu" for module in situation.model.modules() if isinstance(module, nn.RNN)):
        raise NotTriable("the cell is torch's own; its activation cannot be swapped")
    edit = Edit(function=edits.identify, arguments={"names": tuple(some(names, _NO_SQUARE))})
    if not calls:
        return Plan(edits=(edit,))
    return Plan(edits=(situation.swap(calls, "relu"), edit))


def _carrying(situation: Situation) -> tuple[str, ...]:
    """The recurrent weights: used at many steps, and square or a stack of squares."""
    measured = situation.evidence.measurement.parameters
    names = {n for s in situation.evidence.paths.ledger.series for n in measured[s.parameter].names[:1]}
    shapes = situation.free
    square = [n for n in names if len(shapes.get(n, ())) == 2 and shapes[n][0] % shapes[n][1] == 0]
    return tuple(sorted(some(square, _NO_SQUARE)))


PLANS: Mapping[str, Callable[[Situation], Plan]] = {
    "lstm": gated("lstm"),
    "gru": gated("gru"),
    "forget-bias": forget_bias,
    "orthogonal-init": orthogonal,
    "identity-recurrence": identity_recurrence,
}
"""By remedy, what plans it."""
