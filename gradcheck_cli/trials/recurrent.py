"""Plans for weights that are used step after step: gated cells, open gates, orthogonal and identity weights."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import nn

from gradcheck_cli.records.ops import SQUASHING_CALLS
from gradcheck_cli.trials import edits
from gradcheck_cli.trials.planning import Edit, Plan, PlanningContext, some
from gradcheck_cli.trials.torchcalls import NotTriable


def _recurrent(context: PlanningContext, kinds: tuple[type[nn.Module], ...]) -> list[str]:
    layers = context.finding.layers
    found = [path for path, module in context.model.named_modules() if isinstance(module, kinds)]
    return [path for path in found if path in layers] or ([] if layers and found == [""] else found)


def _memory(context: PlanningContext) -> float:
    """ln T, with which a sigmoid gate keeps 1/e over T steps (Tallec and Ollivier, 2018)."""
    steps = max((series.steps for series in context.evidence.paths.ledger.series), default=0)
    return round(math.log(max(steps, 2.72)), 2)


def gated(cell: str) -> Callable[[PlanningContext], Plan]:
    """What plans an LSTM or a GRU in the place of every plain RNN that is to blame."""

    def make(context: PlanningContext) -> Plan:
        kinds = (nn.RNN,) if cell == "lstm" else (nn.RNN, nn.RNNCell)
        paths = some(_recurrent(context, kinds), "only an nn.RNN can be replaced, and this is none", NotTriable)
        arguments = {"cell": cell, "bias": _memory(context), "seed": context.seed}
        return Plan(
            edits=tuple(Edit(function=edits.replace_rnn, arguments={"path": path, **arguments}) for path in paths)
        )

    return make


def forget_bias(context: PlanningContext) -> Plan:
    """Gates that remember: of torch's own cells by their bias, of written ones by what goes into them."""
    kinds = (nn.LSTM, nn.GRU, nn.LSTMCell, nn.GRUCell)
    paths = _recurrent(context, kinds)
    if not paths:
        return _opened_by_hand(context)
    biases = {path: _memory(context) for path in paths}
    if not all(context.model.get_submodule(path).bias for path in paths):
        raise NotTriable("the layer has no biases")
    return Plan(edits=(Edit(function=edits.open_gates, arguments={"biases": biases}),))


def _opened_by_hand(context: PlanningContext) -> Plan:
    """Gates that are written out: what goes into the closed ones is shifted to where a bias would put it."""
    gates = [c for c in context.calls if c.name in ("sigmoid", "sigmoid_") and c.mean < -2]
    gates = [c for c in gates if context.evidence.graph.gates(c.op)]
    some(gates, "no closed gate was found in the model's code")
    shifts = {c.place: round(_memory(context) - c.mean, 1) for c in gates}
    return Plan(edits=(Edit(function=edits.shift_arguments, arguments={"shifts": shifts}),))


def orthogonal(context: PlanningContext) -> Plan:
    """Orthogonal recurrent weights; a sigmoid between them, whose slope is 1/4 at best, becomes a tanh."""
    arguments = {"names": _carrying(context), "seed": context.seed}
    edit = Edit(function=edits.orthogonalise, arguments=arguments)
    sigmoids = context.activations(("sigmoid", "sigmoid_"))
    if not sigmoids:
        return Plan(edits=(edit,))
    return Plan(edits=(context.swap(sigmoids, "tanh"), edit))


_NO_SQUARE = "no square recurrent weight was found"


def identity_recurrence(context: PlanningContext) -> Plan:
    """ReLU and an identity for the recurrent weight: the IRNN of Le, Jaitly and Hinton (2015)."""
    names = [n for n in _carrying(context) if len(set(context.model.get_parameter(n).shape)) == 1]
    calls = context.activations(SQUASHING_CALLS)
    if any(module.nonlinearity != "relu" for module in context.model.modules() if isinstance(module, nn.RNN)):
        raise NotTriable("the cell is torch's own; its activation cannot be swapped")
    edit = Edit(function=edits.identify, arguments={"names": tuple(some(names, _NO_SQUARE))})
    if not calls:
        return Plan(edits=(edit,))
    return Plan(edits=(context.swap(calls, "relu"), edit))


def _carrying(context: PlanningContext) -> tuple[str, ...]:
    """The recurrent weights: used at many steps, and square or a stack of squares."""
    measured = context.evidence.measurement.parameters
    names = {n for s in context.evidence.paths.ledger.series for n in measured[s.parameter].names[:1]}
    shapes = context.free
    square = [n for n in names if len(shapes.get(n, ())) == 2 and shapes[n][0] % shapes[n][1] == 0]
    return tuple(sorted(some(square, _NO_SQUARE)))
