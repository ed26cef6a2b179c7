"""Look-ups in a graph: who sends to whom, what hangs below an op, and what each is called."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings

from gradcheck_cli.evidence.opgraph import OpGraph
from gradcheck_cli.records.measurement import Cut, Measurement, Op
from gradcheck_cli.records.ops import VIEW_LIKE
from gradcheck_cli.records.source import SourceLine
from tests.evidence.random_graphs import graphs
from tests.measurements import LEAF, measurement, module, op, parameter

LINE = SourceLine(file="net.py", line=7, code="y = f(x)")


def below(found: Measurement, index: int) -> Iterator[int]:
    """The parameters that an op reads, directly or through views, one for each way."""
    leaves = {p.op: i for i, p in enumerate(found.parameters)}
    for edge in found.ops[index].edges:
        if edge.to in leaves:
            yield leaves[edge.to]
        elif found.ops[edge.to].stem in VIEW_LIKE:
            yield from below(found, edge.to)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(graphs)
def test_an_op_is_weighted_where_a_parameter_hangs_from_it(found: Measurement) -> None:
    graph = OpGraph(found)
    for index in range(len(found.ops)):
        under = list(below(found, index))
        assert graph.weighted[index] is bool(under)
        assert list(graph.parameters_under(index)) == under


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(graphs)
def test_senders_are_edges_turned_round(found: Measurement) -> None:
    edges = sorted((index, edge.to) for index, o in enumerate(found.ops) for edge in o.edges)
    graph = OpGraph(found)
    assert sorted((s, to) for to, senders in enumerate(graph.senders) for s in senders) == edges
    assert sorted(i for made in graph.made_in.values() for i in made) == list(range(len(found.ops)))


def test_parameters_are_found_by_their_owner_in_the_models_order() -> None:
    found = measurement(
        op(LEAF, 1.0),
        parameters=[
            parameter("b.weight", op=None, grad=None, module=2),
            parameter("a.scale", op=None, grad=None, module=1, shape=(4,)),
            parameter("b.bias", op=0, grad=1.0, module=2, shape=(4,)),
        ],
        modules=[module("", "Net"), module("a"), module("b")],
    )
    graph = OpGraph(found)
    assert list(graph.owned.items()) == [(1, (1,)), (2, (0, 2))]
    assert [p.names[0] for p in graph.parameters_of(2)] == ["b.weight", "b.bias"]
    assert graph.parameters_of(0) == ()
    assert [graph.has_matrix(m) for m in (0, 1, 2)] == [False, False, True]
    assert graph.leaf_parameter == {0: 2}
    assert graph.module_at == {"": 0, "a": 1, "b": 2}


# --------------------------------------------------------------------------- gates


def product(name: str, *views: str, other: tuple[int, ...] = ()) -> OpGraph:
    """A product of a sigmoid, behind views, with another signal; `other` is what the product also reads."""
    size = len(views)
    sigmoid = 1 + size
    chain = [op(view, 1.0, (k + 2, 1.0)) for k, view in enumerate(views)]
    return OpGraph(
        measurement(
            op(name, 1.0, (1, 1.0), *((sigmoid + o, 1.0) for o in other)),
            *chain,
            op("SigmoidBackward0", 1.0, (sigmoid + 1, 1.0)),
            op("MmBackward0", 1.0),
            op("TanhBackward0", 1.0),
        )
    )


@pytest.mark.parametrize("views", [(), ("ViewBackward0",), ("TBackward0", "SelectBackward0", "ExpandBackward0")])
def test_a_sigmoid_that_multiplies_another_signal_is_a_gate(views: tuple[str, ...]) -> None:
    graph = product("MulBackward0", *views, other=(2,))
    assert graph.gates(1 + len(views))


@pytest.mark.parametrize(
    ("name", "views", "other"),
    [
        ("MulBackward0", (), (1,)),  # x * sigmoid(x) is an activation
        ("MulBackward0", (), ()),  # times a number
        ("AddBackward0", (), (2,)),
        ("MulBackward0", ("TanhBackward0",), (2,)),  # the tanh is what multiplies
        ("MulBackward", (), (2,)),  # a custom Function
    ],
)
def test_a_sigmoid_that_does_not_is_none(name: str, views: tuple[str, ...], other: tuple[int, ...]) -> None:
    assert not product(name, *views, other=other).gates(1 + len(views))


# --------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("name", "owner", "told"),
    [
        ("ReluBackward0", -1, "relu"),
        ("ReluBackward0", 0, "relu"),
        ("ReluBackward0", 1, "`act` (ReLU)"),
        ("LeakyReluBackward1", 2, "`leaky` (LeakyReLU)"),
        ("SignBackward0", 2, "sign in `leaky` (LeakyReLU)"),
        ("ReluBackward0", 3, "relu in `stem`"),
        ("MineBackward", 3, "Mine in `stem`"),
        ("SoftmaxBackward0", 4, "softmax in `block`"),  # it holds modules, so its name says little
    ],
)
def test_an_op_is_called_by_who_made_it(name: str, owner: int, told: str) -> None:
    modules = [module("", "Net"), module("act", "ReLU"), module("leaky", "LeakyReLU"), module("stem", "Linear")]
    modules += [module("block", "Softmax"), module("block.inner", "Linear")]
    parameters = [parameter("stem.weight", op=None, grad=None, module=3)]
    parameters += [parameter("block.inner.weight", op=None, grad=None, module=5)]
    found = measurement(op(name, 1.0, module=owner), parameters=parameters, modules=modules)
    assert OpGraph(found).maker_of(0) == told


@pytest.mark.parametrize(("index", "told"), [(-1, "(outside the model)"), (0, "(Net)"), (1, "a.b")])
def test_a_module_is_called_by_its_path_and_the_root_by_its_class(index: int, told: str) -> None:
    assert OpGraph(measurement(modules=[module("", "Net"), module("a.b")])).path_of(index) == told


def test_the_line_of_an_op() -> None:
    graph = OpGraph(measurement(op("LogBackward0", 1.0, source=0), op("ExpBackward0", 1.0), sources=(LINE,)))
    assert [graph.source_of(i) for i in (0, 1)] == [LINE, None]


def test_what_feeds_an_op_is_the_nearest_layer_with_parameters() -> None:
    found = measurement(
        op("MseLossBackward0", 1.0, (1, 1.0), module=-1),
        op("ReluBackward0", 1.0, (2, 1.0), module=2),
        op("AddmmBackward0", 1.0, (3, 1.0), (4, 1.0), module=1),
        op("TanhBackward0", 1.0, module=2),
        op(LEAF, 1.0),
        parameters=[parameter("layer.weight", op=4, grad=1.0, module=1)],
        modules=[module("", "Net"), module("layer"), module("act", "ReLU")],
    )
    graph = OpGraph(found)
    assert [graph.feeder(i) for i in range(4)] == [1, 1, 1, 2]


# --------------------------------------------------------------------------- cuts


def cut(name: str, *parameters: int, used: bool = True) -> Cut:
    return Cut(op=name, module=0, source=LINE, parameters=parameters, used=used)


def test_cuts_are_told_by_the_layers_behind_them() -> None:
    detach, argmax, item = cut("detach", 0, 1), cut("argmax", 1, 3), cut("item", 0, used=False)
    metric = cut("detach", 2, used=False)
    found = measurement(
        parameters=[
            parameter("a.weight", op=None, grad=None, module=1),
            parameter("b.weight", op=None, grad=None, module=2),
            parameter("c.weight", op=None, grad=None, module=3),
            parameter("d.weight", op=None, grad=None, module=4, requires_grad=False),
        ],
        modules=[module("", "Net"), *(module(name) for name in "abcd")],
        cuts=(detach, item, metric, argmax),
    )
    assert OpGraph(found).cuts == {1: (detach, item), 2: (detach, argmax)}


def test_a_layer_behind_a_cut_by_all_its_parameters_lies_behind_it_once() -> None:
    parameters = [parameter(name, op=None, grad=None) for name in ("weight", "bias")]
    assert OpGraph(measurement(parameters=parameters, cuts=(cut("detach", 0, 1),))).cuts == {0: (cut("detach", 0, 1),)}


def test_lenses_and_stems_are_found_by_op() -> None:
    ops = [Op("SigmoidBackward0", 1, 0, -1, 1.0, ()), Op("SigmoidBackward", 0, 0, -1, 1.0, ())]
    graph = OpGraph(measurement(*ops))
    assert [graph.stem(i) for i in (0, 1)] == ["Sigmoid", ""]
    assert graph.op(1) is ops[1]


@pytest.mark.parametrize(
    ("above", "told"),
    [
        (("Log", "Sum"), True),
        (("Log", "Add", "View", "Mean", "Mul"), True),
        (("Log1P",), True),
        (("Log",), False),  # of one exponential, such as a variance
        (("Sum", "Log"), False),
        (("Tanh", "Sum"), False),
    ],
)
def test_a_logsumexp_by_hand_is_seen(above: tuple[str, ...], told: bool) -> None:
    ops = [op(f"{stem}Backward0", 1.0, (place + 1, 1.0)) for place, stem in enumerate(above)]
    graph = OpGraph(measurement(*ops, op("ExpBackward0", 1.0, source=0), sources=(LINE,)))
    assert graph.takes_log_of_sum(LINE) is told
    assert graph.takes_exponential(LINE) and not graph.takes_log_of_sum(None)
