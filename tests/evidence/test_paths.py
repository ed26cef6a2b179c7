"""Reading the ledger: factors along one path, and sums over all of them against a climb from each op."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings

from gradcheck_cli.evidence import Evidence, gather
from gradcheck_cli.evidence.paths import Paths
from gradcheck_cli.records.measurement import Measurement
from gradcheck_cli.records.source import SourceLine
from tests.evidence.random_graphs import graphs
from tests.measurements import LEAF, measurement, module, op, parameter

FAST = settings(max_examples=80, deadline=None, derandomize=True, database=None)
LINE = SourceLine(file="net.py", line=7)


def two_layers() -> Evidence:
    """loss -> head -> sigmoid -> body, each weight with a leaf; the body's line is not known, the sigmoid's is."""
    found = measurement(
        op("MseLossBackward0", 1.0, (1, 0.1), module=-1, sequence=9),
        op("AddmmBackward0", 0.1, (2, 0.2), (3, 0.4), module=1, sequence=7),
        op("SigmoidBackward0", 0.2, (4, 0.02), module=0, sequence=5, source=0),
        op(LEAF, 0.4, sequence=-1),
        op("AddmmBackward0", 0.02, (5, 0.06), (6, 0.01), module=2, sequence=2),
        op(LEAF, 0.06, sequence=-1),
        op(LEAF, 0.01, sequence=-1),
        parameters=[
            parameter("head.weight", op=3, grad=0.4, module=1),
            parameter("body.weight", op=5, grad=0.06, module=2),
            parameter("body.bias", op=6, grad=0.01, module=2, shape=(4,)),
        ],
        modules=[module("", "Net"), module("head"), module("body")],
        sources=(LINE,),
    )
    return gather(found)


def test_the_factors_of_a_path_from_the_leaf_up() -> None:
    paths = two_layers().paths
    account = paths.accounts[1]
    assert list(paths.climb(account.leaf)) == [5, 4, 2, 1, 0]
    assert list(paths.factors(account)) == [
        (op_, pytest.approx(math.log10(o))) for op_, o in [(4, 3.0), (2, 0.1), (1, 2.0), (0, 0.1)]
    ]


def test_a_module_is_told_by_its_largest_gradient() -> None:
    paths = two_layers().paths
    strongest = paths.strongest(2)
    assert strongest is not None and strongest.parameter == 1
    assert paths.strongest(0) is None


def test_a_layers_position_and_line_are_those_next_to_its_leaf() -> None:
    paths = two_layers().paths
    assert [paths.position(m) for m in (2, 1, 0)] == [2, 7, math.inf]
    assert [paths.source_of(m) for m in (2, 1, 0)] == [LINE, None, None]


def test_an_op_that_sends_nothing_has_no_factor() -> None:
    found = measurement(op("SigmoidBackward0", 1.0, (1, 0.0)), op(LEAF, 0.0))
    paths = gather(found).paths
    assert [paths.factor(i) for i in (0, 1)] == [None, None]


def test_what_lies_above_and_below_in_closed_form() -> None:
    paths = two_layers().paths
    assert [paths.weights_above(i) for i in range(7)] == [0, 0, 1, 1, 1, 2, 2]
    assert paths.under(2) == [False, False, True, False, True, True, True]
    assert paths.shared_by([1, 2]) == {0, 1}
    assert paths.shared_by([2]) == {0, 1, 2, 4, 5}
    assert paths.shared_by([]) == paths.shared_by([0]) == frozenset()


# --------------------------------------------------------------------------- against a climb from each op


def climbed(paths: Paths, op: int) -> list[int]:
    found = [op]
    while paths.ledger.parent[found[-1]] >= 0:
        found.append(paths.ledger.parent[found[-1]])
    return found


@FAST
@given(graphs)
def test_the_weights_above_an_op_are_those_that_a_climb_meets(found: Measurement) -> None:
    evidence = gather(found)
    for index in range(len(found.ops)):
        above = climbed(evidence.paths, index)[1:]
        assert evidence.paths.weights_above(index) == sum(evidence.graph.weighted[i] for i in above)


@FAST
@given(graphs)
def test_what_paths_share_is_their_intersection(found: Measurement) -> None:
    evidence = gather(found)
    paths = evidence.paths
    for modules in ([1], [2], [1, 2], [0, 1, 2]):
        leaves = [account.leaf for m in modules if (account := paths.strongest(m)) is not None]
        shared = (
            frozenset.intersection(*(frozenset(climbed(paths, leaf)) for leaf in leaves)) if leaves else frozenset()
        )
        assert paths.shared_by(modules) == shared


@FAST
@given(graphs)
def test_an_op_is_under_those_that_its_climb_meets(found: Measurement) -> None:
    paths = gather(found).paths
    for above in range(len(found.ops)):
        assert [i for i, under in enumerate(paths.under(above)) if under] == [
            i for i in range(len(found.ops)) if above in climbed(paths, i)
        ]
