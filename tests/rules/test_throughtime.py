"""Weights that are used step after step, and what reaches the first steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.measurement import Edge, Lens, Measurement
from gradcheck_cli.records.thresholds import Thresholds
from tests.evidence.recurrences import recurrence
from tests.measurements import judged, op
from tests.rules.chains import diagnoses, only


def carried(gain: float, steps: int = 20) -> Measurement:
    """A signal that each step back multiplies by `gain`."""
    return recurrence([gain ** (steps - 1 - k) for k in range(steps)])


def with_gates(found: Measurement, steps: int, slope: float | None, name: str = "SigmoidBackward0") -> Measurement:
    """The same cell with two sigmoids at each step, all with this slope."""
    size = len(found.ops)
    gates = [op(name, 1.0, sequence=-5) for _ in range(2 * steps)]
    lenses = [Lens(op=size + k, kind="activation", slope=slope) for k in range(2 * steps)]
    return replace(found, ops=(*found.ops, *gates), lenses=tuple(lenses))


# --------------------------------------------------------------------------- decay


def test_a_signal_that_decays_is_told_with_its_horizon() -> None:
    found = only("GC202", carried(0.1))
    assert found.cause == "bptt-decay"
    assert found.layers == ("(Net)",)
    assert found.numbers == {
        "horizon": 3,
        "steps": 20,
        "decades_per_step": pytest.approx(-1),
        "decades_lost": pytest.approx(19),
    }
    assert found.message == (
        "`(Net)` forgets: of its 20 steps, those more than 3 back get under 1 % of what the strongest gets"
    )
    assert (
        found.why == "each step back keeps 10 % of the gradient, which gets about 1e19 times smaller over the sequence"
    )


@pytest.mark.parametrize(
    ("gain", "steps", "found"), [(0.1, 20, True), (0.1, 10, False), (0.5, 30, False), (0.5, 40, True), (1.0, 90, False)]
)
def test_ten_decades_over_a_sequence_are_too_many(gain: float, steps: int, found: bool) -> None:
    assert bool(diagnoses("GC202", carried(gain, steps))) is found


def test_how_much_may_be_lost_can_be_moved() -> None:
    assert diagnoses("GC202", carried(0.1), thresholds=Thresholds(forgotten_decades=20.0)) == []


@pytest.mark.parametrize(
    ("gain", "slope", "causes"),
    [
        (0.1, 0.25, []),  # open gates learn to keep more
        (0.01, 0.25, ["bptt-decay"]),  # 38 decades are more than they explain
        (0.1, 0.01, ["gate-closed"]),
    ],
)
def test_of_gated_cells_more_is_expected_unless_their_gates_are_closed(
    gain: float, slope: float, causes: list[str]
) -> None:
    found = with_gates(carried(gain), 20, slope)
    assert [(d.cause, d.severity) for d in diagnoses("GC202", found)] == [(cause, None) for cause in causes]


@pytest.mark.parametrize(("stuck", "causes"), [(5, []), (6, ["gate-closed"])])
def test_a_fifth_of_the_gates_is_enough_to_call_a_cell_closed(stuck: int, causes: list[str]) -> None:
    found = with_gates(carried(0.1, 15), 15, 0.25)
    lenses = (*(replace(lens, slope=0.001) for lens in found.lenses[:stuck]), *found.lenses[stuck:])
    assert [d.cause for d in diagnoses("GC202", replace(found, lenses=lenses))] == causes


def hearing(rate: float, direct: bool, steps: int = 80) -> Measurement:
    """Each step back loses `rate` decades of what it carries; with `direct` the loss makes up for it at every step."""
    kept = 10**-rate
    if not direct:
        return with_gates(carried(kept, steps), steps, 0.25)
    plain = recurrence([1.0] * steps)
    states = [index for index, o in enumerate(plain.ops) if o.stem == "Tanh"]
    norms = dict.fromkeys(states[1:], kept)
    ops = [o._replace(edges=tuple(Edge(to, norms.get(to, norm)) for to, norm in o.edges)) for o in plain.ops]
    ops[0] = ops[0]._replace(edges=(*ops[0].edges, *(Edge(state, 1 - kept) for state in states[1:])))
    return with_gates(replace(plain, ops=tuple(ops)), steps, 0.25)


@pytest.mark.parametrize(
    ("rate", "direct", "severity"),
    [(0.4, True, Severity.NOTE), (0.4, False, None), (0.6, True, None)],  # half-open gates lose 0.3 a step
)
def test_gates_that_hear_from_the_loss_at_every_step_learn_to_keep_more(
    rate: float, direct: bool, severity: Severity | None
) -> None:
    found = only("GC202", hearing(rate, direct))
    assert (found.severity, found.cause) == (severity, "bptt-decay")
    assert found.numbers["decades_per_step"] == pytest.approx(-rate)


def test_custom_functions_that_are_called_after_a_sigmoid_are_no_gates() -> None:
    found = with_gates(carried(0.1), 20, 0.25, "SigmoidBackward")
    assert [d.cause for d in diagnoses("GC202", found)] == ["bptt-decay"]


def rereading(found: Measurement, reader: str) -> Measurement:
    """Each step also reads one value that a layer made of the inputs."""
    value = len(found.ops)
    ops = [o._replace(name=reader, edges=(*o.edges, Edge(value, 0.0))) if o.stem == "Mm" else o for o in found.ops]
    return replace(found, ops=(*ops, op("AddmmBackward0", 0.0, (value + 1, 0.0), sequence=-3), op("MmBackward0", 0.0)))


@pytest.mark.parametrize(("reader", "found"), [("MmBackward0", False), ("SelectBackward0", True)])
def test_a_loop_that_reads_the_same_value_again_has_nothing_to_keep(reader: str, found: bool) -> None:
    """A piece of a sequence is another value at each step."""
    assert bool(diagnoses("GC202", rereading(carried(0.1), reader))) is found


def test_of_a_cells_weights_the_one_that_loses_least_tells_what_is_kept() -> None:
    first, kept = carried(0.1), carried(0.5)
    shift = len(first.ops)
    moved = [o._replace(edges=tuple(Edge(e.to + shift, e.norm) for e in o.edges)) for o in kept.ops]
    own = replace(kept.parameters[0], names=("v",), op=shift + (kept.parameters[0].op or 0))
    both = replace(first, ops=(*first.ops, *moved), parameters=(first.parameters[0], own))
    assert len(diagnoses("GC202", first)) == 1
    assert diagnoses("GC202", both) == []


# --------------------------------------------------------------------------- growth


def test_a_signal_that_grows_is_told_with_its_gain() -> None:
    found = only("GC302", carried(2.0))
    assert (found.cause, found.numbers["steps"]) == ("recurrent-gain", 20)
    assert found.numbers["decades_grown"] == pytest.approx(19 * 0.30103)
    assert found.message == "`(Net)` explodes in time: its gradient gets about 5e5 times larger in 20 steps"
    assert found.why == "each step back multiplies the gradient by 2"


@pytest.mark.parametrize(
    ("gain", "steps", "limit", "found"),
    [(2.0, 20, 3.0, True), (2.0, 9, 3.0, False), (1.0, 90, 3.0, False), (2.0, 20, 6.0, False), (0.5, 20, 3.0, False)],
)
def test_three_decades_are_too_many(gain: float, steps: int, limit: float, found: bool) -> None:
    assert bool(diagnoses("GC302", carried(gain, steps), thresholds=Thresholds(growth_decades=limit))) is found


# --------------------------------------------------------------------------- what explains it


@pytest.mark.parametrize(
    ("slope", "told", "numbers"),
    [
        (None, "; its weight's spectral radius is 0.40", {"spectral_radius": 0.4}),
        (
            0.25,
            "; its weight's spectral radius is 0.40 and the mean slope 0.25",
            {"spectral_radius": 0.4, "mean_slope": 0.25},
        ),
    ],
)
def test_the_spectral_radius_and_the_slope_that_should_explain_it_are_told(
    slope: float | None, told: str, numbers: dict[str, Any]
) -> None:
    found = carried(0.1)
    lens = Lens(op=1, kind="activation", slope=slope)
    weight = replace(found.parameters[0], spectral_radius=0.4)
    diagnosis = only("GC202", replace(found, parameters=(weight,), lenses=(lens,)))
    assert diagnosis.why.endswith(told)
    assert {name: diagnosis.numbers[name] for name in numbers} == pytest.approx(numbers)


def test_the_op_that_is_blamed_is_the_use_nearest_to_the_loss() -> None:
    (finding,) = [f for f in judged(carried(0.1)).findings if f.code == "GC202"]
    assert finding.op == "MmBackward0"
    assert only("GC202", carried(0.1)).op == 2
