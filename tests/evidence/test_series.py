"""Through time: what each step of a weight that is used again and again receives from later steps."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck_cli.evidence import gather
from gradcheck_cli.records.measurement import Measurement
from gradcheck_cli.records.series import STEPS, Series
from tests.evidence.recurrences import recurrence
from tests.measurements import LEAF, measurement, op, parameter


def series(found: Measurement) -> Series:
    (only,) = gather(found).paths.ledger.series
    return only


@pytest.mark.parametrize("gain", [0.5, 1.0, 2.0])
def test_a_geometric_series(gain: float) -> None:
    found = series(recurrence([gain**-k for k in range(20)]))
    assert found.steps == 20
    assert found.norms == pytest.approx([gain**-k for k in range(20)])
    assert found.carry == pytest.approx([gain] * 19)
    assert found.attenuation == pytest.approx(math.log10(gain), abs=1e-9)


def test_padding_is_not_decay() -> None:
    """The signal is exactly zero before step 10: nothing was there to carry."""
    found = series(recurrence([0.0] * 10 + [0.5 ** (19 - k) for k in range(10, 20)]))
    assert found.attenuation == pytest.approx(math.log10(0.5))


@pytest.mark.parametrize(("gain", "horizon"), [(0.01, 2), (0.1, 3), (0.5, 7), (0.099, 2), (1.0, 20)])
def test_horizon(gain: float, horizon: int) -> None:
    assert series(recurrence([gain ** (19 - k) for k in range(20)])).horizon == horizon


def test_the_horizon_is_counted_from_the_strongest_step() -> None:
    """The signal grows tenfold over the first five steps back, and halves at each one before those."""
    signals = [0.5 ** (14 - k) for k in range(15)] + [10 ** (-(k + 1) / 5) for k in range(5)]
    assert series(recurrence(signals)).horizon == 7


@pytest.mark.parametrize("steps", [2, 7])
def test_a_few_uses_are_no_series(steps: int) -> None:
    assert gather(recurrence([1.0] * steps)).paths.ledger.series == ()


def test_a_weight_used_side_by_side_has_no_series() -> None:
    uses: list[Any] = [op("MmBackward0", 1.0, (13, 1.0), sequence=k) for k in range(12, 0, -1)]
    found = measurement(
        op("StackBackward0", 3.5, *((k, 1.0) for k in range(1, 13)), sequence=20),
        *uses,
        op(LEAF, 3.5),
        parameters=[parameter("w", op=13, grad=3.5)],
    )
    assert gather(found).paths.ledger.series == ()


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.lists(st.floats(-2, 1).map(lambda decades: 10**decades), min_size=STEPS, max_size=30))
def test_the_series_is_what_arrives_at_each_step(gains: list[float]) -> None:
    signals = [1.0]
    for gain in gains:
        signals.insert(0, signals[0] * gain)
    found = series(recurrence(signals))
    assert found.norms == pytest.approx(signals)
    assert found.carry == pytest.approx(gains[::-1])
    assert found.attenuation == pytest.approx(sum(map(math.log10, gains)) / len(gains), abs=1e-9)


def test_a_detached_state_is_truncation_and_the_longest_run_is_told() -> None:
    signals = [0.5**k for k in range(12, 0, -1)] + [0.0] + [0.1**k for k in range(5, -1, -1)]
    found = series(recurrence(signals))
    assert found.steps == 19
    assert found.attenuation == pytest.approx(math.log10(0.5))


def test_a_bias_that_is_used_at_every_step_has_no_series_of_its_own() -> None:
    found = recurrence([1.0] * 12)
    bias = parameter("bias", op=found.parameters[0].op, grad=1.0, shape=(4,))
    plain = measurement(*found.ops, parameters=[bias])
    assert gather(plain).paths.ledger.series == ()


def test_two_names_of_the_same_uses_are_one_series() -> None:
    found = recurrence([1.0] * 12)
    both = measurement(*found.ops, parameters=[*found.parameters, *found.parameters])
    assert [s.parameter for s in gather(both).paths.ledger.series] == [0]


def test_a_transposed_weight_is_used_where_its_transpose_is() -> None:
    found = recurrence([0.5 ** (11 - k) for k in range(12)])
    leaf = len(found.ops) - 1
    ops = [*found.ops[:leaf], op("TBackward0", 1.0, (leaf + 1, 1.0), sequence=-2), op(LEAF, 1.0, sequence=-1)]
    turned = measurement(*ops, parameters=[parameter("w", op=leaf + 1, grad=1.0)])
    assert series(turned).attenuation == pytest.approx(math.log10(0.5))
