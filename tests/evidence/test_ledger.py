"""The ledger on graphs written by hand: factors, merges and paths."""

import math
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck_cli.evidence import gather
from gradcheck_cli.records.account import Account, Ledger
from gradcheck_cli.records.measurement import Edge, Measurement, Op
from gradcheck_cli.records.ops import KINDS
from tests.measurements import LEAF, measurement, op, parameter


def accounts(found: Measurement) -> Mapping[str, Account]:
    return {found.parameters[a.parameter].names[0]: a for a in gather(found).paths.ledger.accounts}


def path(ledger: Ledger, leaf: int) -> list[int]:
    """Op indexes from the loss to a leaf along the strongest contributions."""
    found = [leaf]
    while ledger.parent[found[-1]] >= 0:
        found.append(ledger.parent[found[-1]])
    return found[::-1]


def test_a_chain_telescopes() -> None:
    """1 -> 0.1 at the loss -> 0.02 at the sigmoid -> 0.06 at the weight."""
    found = measurement(
        op("MseLossBackward0", 1.0, (1, 0.1)),
        op("SigmoidBackward0", 0.1, (2, 0.02)),
        op("MmBackward0", 0.02, (3, 0.06)),
        op(LEAF, 0.06),
        parameters=[parameter("w", op=3, grad=0.06)],
    )
    ledger = gather(found).paths.ledger
    (account,) = ledger.accounts
    assert path(ledger, account.leaf) == [0, 1, 2, 3]
    assert account.by_kind == pytest.approx({"loss": -1, "activation": math.log10(0.2), "weight": math.log10(3)})
    assert account.count_by_kind == {"loss": 1, "activation": 1, "weight": 1}
    assert account.decades == pytest.approx(math.log10(0.06))


def test_the_path_follows_the_largest_contribution_and_the_merge_accounts_for_the_rest() -> None:
    found = measurement(
        op("MeanBackward0", 1.0, (1, 0.3), (2, 0.4)),
        op("TanhBackward0", 0.3, (3, 0.3)),
        op("ReluBackward0", 0.4, (3, 0.4)),
        op("MmBackward0", 0.04, (4, 0.04)),
        op(LEAF, 0.04),
        parameters=[parameter("w", op=4, grad=0.04)],
    )
    ledger = gather(found).paths.ledger
    (account,) = ledger.accounts
    assert path(ledger, account.leaf) == [0, 2, 3, 4]
    assert account.by_kind["merge"] == pytest.approx(-1)
    assert account.by_kind["reduction"] == pytest.approx(math.log10(0.4))
    assert sum(account.by_kind.values()) == pytest.approx(math.log10(0.04))


@pytest.mark.parametrize("norm", [None, 0.0, math.nan, math.inf])
def test_no_account_without_a_finite_nonzero_gradient(norm: float | None) -> None:
    total = norm or 0.0
    found = measurement(
        op("MmBackward0", 1.0, (1, total)), op(LEAF, total), parameters=[parameter("w", op=1, grad=norm)]
    )
    assert gather(found).paths.ledger.accounts == ()


def test_a_parameter_that_is_not_in_the_graph_has_no_account() -> None:
    found = measurement(op("MmBackward0", 1.0), parameters=[parameter("w", op=None, grad=None)])
    assert gather(found).paths.ledger.accounts == ()


def test_a_finite_gradient_beside_a_poisoned_one_keeps_its_account() -> None:
    found = measurement(
        op("AddBackward0", 1.0, (1, 1.0), (2, 1.0)),
        op("SqrtBackward0", 1.0, (3, math.inf)),
        op("MmBackward0", 1.0, (4, 2.0)),
        op(LEAF, math.inf),
        op(LEAF, 2.0),
        parameters=[parameter("bad", op=3, grad=math.inf), parameter("good", op=4, grad=2.0)],
    )
    found_accounts = accounts(found)
    assert list(found_accounts) == ["good"]
    assert sum(found_accounts["good"].by_kind.values()) == pytest.approx(math.log10(2))


def test_nothing_to_account_for() -> None:
    assert gather(measurement()).paths.ledger == Ledger(accounts=(), series=(), parent=(), sent=())


_NAMES = ["MulBackward0", "SigmoidBackward0", "MmBackward0", "MeanBackward0", "BmmBackward0", "NllLossBackward0"]
_norms = st.floats(1e-30, 1e30)


@st.composite
def graphs(draw: st.DrawFn) -> Measurement:
    """Any graph whose every op is reached: each sends to the next one and perhaps to others further down."""
    size = draw(st.integers(1, 12))
    ops: list[Op] = []
    for index in range(size):
        further = draw(st.lists(st.integers(index + 1, size), max_size=3))
        edges = [Edge(to, draw(_norms)) for to in [index + 1, *further]]
        total = 1.0 if index == 0 else draw(_norms)
        ops.append(Op(draw(st.sampled_from(_NAMES)), size - index, -1, -1, total, tuple(edges)))
    grad = draw(_norms)
    ops.append(Op(LEAF, -1, -1, -1, grad, ()))
    return measurement(*ops, parameters=[parameter("w", op=size, grad=grad)])


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(graphs())
def test_the_sum_over_kinds_is_the_log_of_the_norm(found: Measurement) -> None:
    (account,) = gather(found).paths.ledger.accounts
    assert sum(account.by_kind.values()) == pytest.approx(account.decades, abs=1e-6)
    assert account.by_kind.keys() == account.count_by_kind.keys() <= set(KINDS)
