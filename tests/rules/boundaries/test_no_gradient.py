"""Units that are off, softmaxes and normalisations that let nothing through, and layers that are never called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.measurement import Lens, Measurement
from tests.measurements import LEAF, measurement, module, op, parameter, stats
from tests.rules.chains import chain, diagnoses, only


def rectified(dead: float, *, samples: int = 64, units: int = 100) -> Measurement:
    lens = Lens(op=1, kind="activation", dead=dead, samples=samples, units=units)
    return chain([0.5, 0.5], "ReluBackward0", lenses=(lens,))


@pytest.mark.parametrize(
    ("found", "dead"),
    [
        (rectified(0.93), False),
        (rectified(0.97), True),
        (rectified(0.97, samples=15), False),  # one in 2^15 is off by chance on as many
        (rectified(0.97, samples=20), True),
        (rectified(1.0, units=7), False),
        (rectified(1.0, units=10), True),
    ],
)
def test_nineteen_of_twenty_units_are_off_and_enough_of_them_were_seen_on_enough(
    found: Measurement, dead: bool
) -> None:
    assert bool(diagnoses("GC403", found)) is dead


@pytest.mark.parametrize(("dead", "told"), [(0.45, False), (0.55, True), (0.93, True), (0.97, False)])
def test_from_half_of_the_units_on_it_is_a_note_until_it_is_a_finding(dead: float, told: bool) -> None:
    assert bool(diagnoses("GC415", rectified(dead))) is told


@pytest.mark.parametrize(("units", "severity"), [(2, Severity.NOTE), (4, None)])
def test_one_or_two_units_on_a_side_branch_are_off_by_chance(units: int, severity: Severity | None) -> None:
    """A squeeze whose rectifier is off, beside two layers that learn."""
    found = measurement(
        op("MseLossBackward0", 1.0, (1, 0.5), (4, 0.5), module=-1),
        op("ReluBackward0", 0.5, (2, 0.0)),
        op("MmBackward0", 0.0, (3, 0.0), module=1),
        op(LEAF, 0.0),
        op("MmBackward0", 0.5, (5, 0.5), (6, 0.5), module=2),
        op(LEAF, 0.5),
        op("MmBackward0", 0.5, (7, 0.5), module=3),
        op(LEAF, 0.5),
        parameters=[
            parameter("squeeze.weight", op=3, grad=0.0, module=1),
            parameter("body.weight", op=5, grad=0.5, module=2),
            parameter("stem.weight", op=7, grad=0.5, module=3),
        ],
        modules=[module("", "Net"), module("squeeze"), module("body"), module("stem")],
        lenses=(Lens(op=1, kind="activation", dead=1.0, units=units, samples=64),),
    )
    assert only("GC403", found).severity is severity


# --------------------------------------------------------------------------- saturation


@pytest.mark.parametrize(
    ("share", "samples", "told"), [(0.93, 100, False), (0.97, 100, True), (0.97, 60, False), (0.97, 70, True)]
)
def test_a_layer_is_saturated_at_nineteen_of_twenty_elements_of_enough(share: float, samples: int, told: bool) -> None:
    lens = Lens(op=4, kind="activation", saturated=share, units=1, samples=samples)
    assert bool(diagnoses("GC206", chain([0.5, 0.5], "TanhBackward0", lenses=(lens,)))) is told


@pytest.mark.parametrize(("inputs", "cause"), [(25.0, "saturating-activation"), (40.0, "input-scale")])
def test_inputs_of_thirty_saturate_it(inputs: float, cause: str) -> None:
    lens = Lens(op=4, kind="activation", saturated=0.97, units=32, samples=64)
    found = chain([0.5, 0.5], "TanhBackward0", lenses=(lens,), inputs=(stats("x", rms=inputs),))
    assert only("GC206", found).cause == cause


def attention(share: float, passed: float) -> Measurement:
    return measurement(
        op("MseLossBackward0", 1.0, (1, 1.0), module=-1),
        op("BmmBackward0", 1.0, (2, 1.0), module=1),
        op("SoftmaxBackward0", 1.0, (3, passed), module=1),
        op("MmBackward0", passed, (4, passed), module=2),
        op(LEAF, passed),
        parameters=[parameter("query.weight", op=4, grad=passed, module=2)],
        modules=[module("", "Net"), module("attention"), module("query")],
        lenses=(Lens(op=2, kind="softmax", saturated=share, length=8),),
    )


@pytest.mark.parametrize(
    ("share", "passed", "told"),
    [(0.45, 1e-6, False), (0.55, 1e-6, True), (0.9, 0.7e-4, True), (0.9, 1.5e-4, False)],
)
def test_an_attention_is_stuck_where_half_of_its_rows_are_one_hot_and_nothing_passes(
    share: float, passed: float, told: bool
) -> None:
    assert bool(diagnoses("GC204", attention(share, passed))) is told


@pytest.mark.parametrize(("passed", "told"), [(0.7e-3, True), (1.5e-3, False)])
def test_what_passes_a_constant_is_rounding_up_to_a_thousandth(passed: float, told: bool) -> None:
    found = measurement(
        op("MseLossBackward0", 1.0, (1, 1.0), module=0),
        op("NativeLayerNormBackward0", 1.0, (2, passed), module=0),
        op("AddmmBackward0", passed, (3, passed), module=1),
        op(LEAF, passed),
        parameters=[parameter("net.weight", op=3, grad=passed, module=1)],
        modules=[module("", "Net"), module("net")],
        lenses=(Lens(op=1, kind="normalization", length=1),),
    )
    assert bool(diagnoses("GC404", found)) is told


# --------------------------------------------------------------------------- modules


@pytest.mark.parametrize(("share", "odd"), [(0.2, False), (0.3, True)])
def test_a_quarter_of_all_weights_is_not_forgotten_on_purpose(share: float, odd: bool) -> None:
    found = chain([0.5, 0.5])
    used = sum(p.numel for p in found.parameters)
    idle = parameter("idle.weight", op=None, grad=None, module=3, numel=round(used * share / (1 - share)))
    left = replace(found, parameters=(*found.parameters, idle), modules=(*found.modules, module("idle", calls=0)))
    assert bool(diagnoses("GC409", left)) is odd


@pytest.mark.parametrize(("dropped", "told"), [(0.75, False), (0.85, True)])
def test_of_dropout_that_keeps_a_fifth_the_noise_is_twice_the_signal(dropped: float, told: bool) -> None:
    found = chain([0.5, 0.5])
    drops = module("drop", "Dropout", dropped=dropped)
    assert bool(diagnoses("GC220", replace(found, modules=(*found.modules, drops)))) is told
