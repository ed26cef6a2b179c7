"""What a sequence loses, and when that is ill."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.measurement import Edge, Lens, Measurement
from tests.evidence.recurrences import recurrence
from tests.measurements import op
from tests.rules.chains import diagnoses, only

STEPS = 21


def losing(decades: float, *, gates: int = 0, slope: float = 0.25) -> Measurement:
    """A signal that loses these decades in twenty steps back, in a cell with so many sigmoids a step of this slope."""
    found = recurrence([10 ** (-decades * k / (STEPS - 1)) for k in reversed(range(STEPS))])
    sigmoids = range(len(found.ops), len(found.ops) + gates * STEPS)
    lenses = tuple(Lens(op=k, kind="activation", slope=slope) for k in sigmoids)
    ops = (*found.ops, *(op("SigmoidBackward0", 1.0, sequence=-5) for _ in sigmoids))
    return replace(found, ops=ops, lenses=lenses)


def causes(found: Measurement, code: str = "GC202") -> list[str]:
    return [d.cause for d in diagnoses(code, found)]


@pytest.mark.parametrize(
    ("decades", "gates", "ill"),
    [(9.8, 0, False), (10.2, 0, True), (29.8, 2, False), (30.2, 2, True)],
)
def test_ten_decades_are_forgotten_and_of_open_gates_thirty(decades: float, gates: int, ill: bool) -> None:
    assert causes(losing(decades, gates=gates)) == ["bptt-decay"] * ill


@pytest.mark.parametrize(("gates", "ill"), [(1, True), (2, False)])
def test_one_sigmoid_a_step_is_an_activation_and_two_are_gates(gates: int, ill: bool) -> None:
    assert causes(losing(15, gates=gates)) == ["bptt-decay"] * ill


@pytest.mark.parametrize(("slope", "cause"), [(0.015, ["gate-closed"]), (0.03, [])])
def test_a_gate_with_a_tenth_of_its_slope_is_not_stuck_yet(slope: float, cause: list[str]) -> None:
    assert causes(losing(15, gates=2, slope=slope)) == cause


@pytest.mark.parametrize(("share", "cause"), [(0.15, []), (0.25, ["gate-closed"])])
def test_a_cell_is_closed_where_one_gate_in_five_is_stuck(share: float, cause: list[str]) -> None:
    found = losing(15, gates=2)
    stuck = round(share * len(found.lenses))
    lenses = (*(replace(lens, slope=0.001) for lens in found.lenses[:stuck]), *found.lenses[stuck:])
    assert causes(replace(found, lenses=lenses)) == cause


def told_at_every_step(heard: float, kept: float) -> Measurement:
    """A long sequence whose last step hears 1 of the loss, and all others this much; each step back keeps a part."""
    steps = 120
    arrives = [heard] * (steps - 1) + [1.0]
    found = recurrence(arrives)
    ops = [*found.ops]
    for k in range(steps - 1):
        state, later = 1 + 2 * (steps - 1 - k), 2 + 2 * (steps - 2 - k)
        carried = kept * arrives[k + 1]
        ops[later] = ops[later]._replace(
            edges=tuple(Edge(e.to, carried) if e.to == state else e for e in ops[later].edges)
        )
        ops[0] = ops[0]._replace(edges=(*ops[0].edges, Edge(state, heard)))
    gates = range(len(ops), len(ops) + 2 * steps)
    lenses = tuple(Lens(op=k, kind="activation", slope=0.25) for k in gates)
    return replace(found, ops=(*ops, *(op("SigmoidBackward0", 1.0, sequence=-5) for _ in gates)), lenses=lenses)


@pytest.mark.parametrize(("heard", "severity"), [(1.5e-4, Severity.NOTE), (0.7e-4, None)])
def test_steps_that_hear_a_ten_thousandth_from_the_loss_can_learn(heard: float, severity: Severity | None) -> None:
    assert only("GC202", told_at_every_step(heard, kept=0.4)).severity is severity


@pytest.mark.parametrize(("kept", "severity"), [(0.4, Severity.NOTE), (0.25, None)])
def test_gates_that_lose_more_than_half_open_ones_do_are_ill_though_they_hear_the_loss(
    kept: float, severity: Severity | None
) -> None:
    assert only("GC202", told_at_every_step(0.5, kept)).severity is severity


@pytest.mark.parametrize(("share", "cause"), [(0.65, ["bptt-decay"]), (0.85, [])])
def test_what_three_of_four_steps_read_again_need_not_be_kept(share: float, cause: list[str]) -> None:
    found, left = losing(15), round(share * STEPS)
    value, ops = len(found.ops), []
    for each in found.ops:
        reads = each.stem == "Mm" and left > 0
        left -= reads
        ops.append(each._replace(edges=(*each.edges, Edge(value, 0.0))) if reads else each)
    made = (op("AddmmBackward0", 0.0, (value + 1, 0.0), sequence=-3), op("MmBackward0", 0.0))
    assert causes(replace(found, ops=(*ops, *made))) == cause


@pytest.mark.parametrize(("decades", "ill"), [(2.8, False), (3.2, True)])
def test_a_gradient_that_grows_a_thousandfold_explodes(decades: float, ill: bool) -> None:
    assert causes(losing(-decades), "GC302") == ["recurrent-gain"] * ill
