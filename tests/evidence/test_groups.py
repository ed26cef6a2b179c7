"""Factors in groups: what belongs together, and decades that add up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck_cli.evidence import Evidence, gather
from gradcheck_cli.evidence.groups import grouped
from gradcheck_cli.records.account import Account
from gradcheck_cli.records.group import Group
from gradcheck_cli.records.measurement import Edge, Measurement
from tests.evidence.random_graphs import graphs
from tests.measurements import LEAF, measurement, module, op, parameter
from tests.rules.chains import BODY, HEAD, chain, deep


def groups_of(found: Measurement, *common: int, layer: int = BODY) -> tuple[Group, ...]:
    evidence = gather(found)
    return grouped(evidence.paths, account_of(evidence, layer), set(common))


def account_of(evidence: Evidence, layer: int) -> Account:
    account = evidence.paths.strongest(layer)
    assert account is not None
    return account


def told(groups: tuple[Group, ...]) -> list[tuple[str, int, float]]:
    return [(group.kind, group.count, round(group.decades, 6)) for group in groups]


def test_numbered_siblings_are_one_group_and_the_largest_comes_first() -> None:
    slopes, weights = groups_of(chain([0.01] * 5), 0, 1, layer=1)[:2]
    assert (slopes.kind, slopes.count, slopes.decades) == ("sigmoid slope", 5, pytest.approx(-10))
    assert slopes.modules == (1, 2, 3, 4, 5)
    assert [decades for _, decades in slopes.factors] == pytest.approx([-2] * 5)
    assert (weights.kind, weights.decades) == ("shared", pytest.approx(-1))


def test_modules_that_are_no_siblings_are_groups_of_their_own() -> None:
    found = deep(("MmBackward0", 0.1), ("TanhBackward0", 0.1), ("MmBackward0", 0.5))
    expected = {("mse_loss", 1, -1.0), ("matrix product", 1, -1.0), ("tanh slope", 1, -1.0), ("weight", 1, -0.30103)}
    assert set(told(groups_of(found))) == expected


def test_what_another_layer_loses_too_is_one_group_and_what_is_lost_where_they_part_is_not() -> None:
    found = deep(("ExpBackward0", 1e-6), ("MmBackward0", 1.0))
    evidence = gather(found)
    head = account_of(evidence, HEAD)
    common = set(evidence.paths.climb(head.leaf))
    assert told(grouped(evidence.paths, account_of(evidence, BODY), common)) == [("exp", 1, -6.0), ("shared", 1, -1.0)]


def test_branches_that_meet_are_a_group_of_their_own() -> None:
    found = measurement(
        op("AddBackward0", 1.0, (1, 1.0), (2, 1.0)),
        op("TanhBackward0", 1.0, (2, 0.5)),
        op("MmBackward0", 10.0, (3, 10.0)),
        op(LEAF, 10.0),
        parameters=[parameter("w", op=3, grad=10.0)],
    )
    (merge,) = groups_of(found, layer=0)
    assert (merge.kind, merge.count, merge.factors) == ("merge", 1, ((2, pytest.approx(1)),))


def steps(kind: str = "LSTM", calls: int = 1, leads: int = 0) -> Measurement:
    """Four steps of a cell that uses one weight at each; the layer below hears from the last `leads` steps only."""
    ops, size = [op("MseLossBackward0", 1.0, (1, 1.0), module=-1, sequence=100)], 12
    for k in range(4):
        start, last = 1 + 2 * k, k == 3
        below = [] if last else [(start + 2, 0.5**k * 0.5)]
        aside = [(size - 2, 0.9)] if k + 1 == leads else []
        ops.append(op("TanhBackward0", 0.5**k, (start + 1, 0.5**k * 0.5), module=1, sequence=90 - 2 * k))
        ops.append(op("MmBackward0", 0.5**k * 0.5, (size - 3, 0.1), *below, *aside, module=1, sequence=89 - 2 * k))
    ops += [op(LEAF, 0.3, module=-1, sequence=-1)]
    ops += [op("EmbeddingBackward0", 0.9, (11, 0.9), module=2, sequence=1), op(LEAF, 0.9, module=-1, sequence=-1)]
    parameters = [parameter("rnn.w", op=9, grad=0.3, module=1), parameter("embed.w", op=11, grad=0.9, module=2)]
    return measurement(
        *ops, parameters=parameters, modules=[module(""), module("rnn", kind, calls=calls), module("in")]
    )


@pytest.mark.parametrize("leads", [1, 2, 4])
def test_what_a_recurrent_module_does_is_one_group_that_counts_its_steps(leads: int) -> None:
    found = groups_of(steps(leads=leads), layer=2)
    assert [(group.kind, group.count) for group in found if group.modules == (1,)] == [("step", leads)]


@pytest.mark.parametrize(
    ("kind", "calls", "one"), [("GRU", 1, True), ("MyCell", 9, True), ("MyCell", 1, False), ("X", 9, False)]
)
def test_only_what_runs_step_after_step_is_a_step(kind: str, calls: int, one: bool) -> None:
    kinds = {group.kind for group in groups_of(steps(kind, calls, leads=2), layer=2)}
    assert ("step" in kinds) is one
    assert ("tanh slope" in kinds) is not one


@pytest.mark.parametrize(("below", "kinds"), [("Cat", ["step"]), ("Log", ["step", "log"])])
def test_what_reaches_one_piece_of_the_sequence_only_was_lost_by_all_the_steps(below: str, kinds: list[str]) -> None:
    found = steps(leads=1)
    piece = found.ops[10]._replace(name=f"{below}Backward0", edges=(Edge(11, 1e-9),))
    parameters = (found.parameters[0], replace(found.parameters[1], grad_norm=1e-9))
    ops = (*found.ops[:10], piece, op(LEAF, 1e-9, module=-1, sequence=-1))
    last = replace(found, ops=ops, parameters=parameters)
    groups = [group for group in groups_of(last, layer=2) if group.kind != "mse_loss"]
    assert sorted(group.kind for group in groups) == sorted(kinds)
    (cell,) = [group for group in groups if group.kind == "step"]
    assert (cell.modules, cell.count) == ((1,), 4 if below == "Cat" else 1)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(graphs, st.data())
def test_the_groups_of_an_account_add_up_to_it_whatever_is_shared(found: Measurement, data: st.DataObject) -> None:
    evidence = gather(found)
    for account in evidence.paths.ledger.accounts:
        path = list(evidence.paths.climb(account.leaf))
        common = set(path[data.draw(st.integers(0, len(path))) :])
        groups = grouped(evidence.paths, account, common)
        assert sum(group.decades for group in groups) == pytest.approx(account.decades, abs=1e-6)
        for each in (evidence.groups(account), evidence.groups_lost(account), evidence.groups_won(account)):
            assert sum(group.decades for group in each) == pytest.approx(account.decades, abs=1e-6)
