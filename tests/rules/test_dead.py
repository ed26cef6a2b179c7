"""Units that are off: nearly all, half of them, or all that bend."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradcheck_cli.records.choices import Severity
from gradcheck_cli.records.measurement import Lens, Measurement
from gradcheck_cli.records.thresholds import Thresholds
from tests.measurements import LEAF, judged, measurement, module, op, parameter
from tests.rules.chains import chain, diagnoses

# --------------------------------------------------------------------------- rectifiers


def mostly_dead(dead: float, *, at: int = 1, samples: int = 64, units: int = 32) -> Lens:
    return Lens(op=at, kind="activation", dead=dead, samples=samples, units=units)


@pytest.mark.parametrize(
    ("lens", "found"),
    [
        (mostly_dead(0.97), True),
        (mostly_dead(0.6), False),
        (mostly_dead(0.97, samples=8), False),  # a unit can be off on eight by chance
        (mostly_dead(0.97, units=4), False),  # of four units a share says nothing
    ],
)
def test_a_layer_most_of_whose_units_are_off_is_a_warning(lens: Lens, found: bool) -> None:
    told = diagnoses("GC403", chain([0.5, 0.5], "ReluBackward0", lenses=(lens,)))
    assert [(d.severity, d.layers, d.cause) for d in told] == [(Severity.WARNING, ("layers.1",), "dead-relu")] * found


def test_the_share_of_dead_units_can_be_moved() -> None:
    found = chain([0.5, 0.5], "ReluBackward0", lenses=(mostly_dead(0.97),))
    assert diagnoses("GC403", found, thresholds=Thresholds(dead_share=0.99)) == []


@pytest.mark.parametrize(("other", "dead"), [(0.96, True), (0.2, False)])
def test_a_layer_that_is_used_twice_is_dead_only_where_both_uses_are(other: float, dead: bool) -> None:
    found = measurement(
        op("AddBackward0", 1.0, (1, 0.5), (2, 0.5)),
        op("ReluBackward0", 0.5, (3, 0.3)),
        op("ReluBackward0", 0.5, (3, 0.3)),
        op("MmBackward0", 0.5, (4, 0.5)),
        op(LEAF, 0.5),
        parameters=[parameter("weight", op=4, grad=0.5)],
        lenses=(mostly_dead(0.97), mostly_dead(other, at=2)),
    )
    assert bool(diagnoses("GC403", found)) is dead


# --------------------------------------------------------------------------- units that are off


@pytest.mark.parametrize("always", [0.4, 0.1])
def test_half_of_the_units_off_is_a_note_and_an_illness_where_nothing_else_bends(always: float) -> None:
    lens = replace(mostly_dead(0.6), always=always)
    found = measurement(
        op("MseLossBackward0", 1.0, (1, 0.5), module=-1),
        op("ReluBackward0", 0.5, (2, 0.3)),
        op("MmBackward0", 0.5, (3, 0.5), module=1),
        op(LEAF, 0.5),
        parameters=[parameter("body.weight", op=3, grad=0.5, module=1)],
        modules=[module("", "Net"), module("body")],
        lenses=(lens,),
    )
    linear = always == 0.4
    assert [(d.layers, d.cause) for d in diagnoses("GC410", found)] == [(("body",), "dead-relu")] * linear
    (told,) = (f for f in judged(found).findings if f.code in ("GC410", "GC415"))
    assert told.severity is (Severity.WARNING if linear else Severity.NOTE)
    assert {k: told.evidence[k] for k in ("dead_units", "units", "samples")} == {
        "dead_units": 19,
        "units": 32,
        "samples": 64,
    }


# --------------------------------------------------------------------------- over several batches


def rectified(off: set[int], units: int = 32, samples: int = 64) -> Measurement:
    """A layer some of whose units are off."""
    lens = Lens(op=1, kind="activation", dead=len(off) / units, off=tuple(sorted(off)), samples=samples, units=units)
    return chain([0.5, 0.5], "ReluBackward0", lenses=(lens,))


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], "20 of 32 units behind `layers.1` are off for the whole batch"),
        ([set(range(20))], "20 of 32 units behind `layers.1` are off in all of 2 batches"),
        ([set(range(2, 24)), set(range(18))], "16 of 32 units behind `layers.1` are off in all of 3 batches"),
        ([set(range(10, 32))], None),  # twelve of the twenty fire
        ([set()], None),
    ],
    ids=["alone", "same", "fewer", "others", "none"],
)
def test_a_unit_is_dead_that_fires_in_no_batch(others: list[set[int]], expected: str | None) -> None:
    first = rectified(set(range(20)))
    batches = (first, *map(rectified, others)) if others else ()
    told = diagnoses("GC415", first, batches=batches)
    assert [d.message for d in told] == ([expected] if expected else [])
    assert all(d.numbers["samples"] == 64 * (1 + len(others)) for d in told)


def test_a_layer_that_comes_alive_in_another_batch_is_not_mostly_dead() -> None:
    first, second = rectified(set(range(32)) - {0}), rectified(set(range(8)))
    assert [d.cause for d in diagnoses("GC403", first)] == ["dead-relu"]
    assert diagnoses("GC403", first, batches=(first, second)) == []


def test_batches_whose_units_do_not_compare_are_told_of_one_by_one() -> None:
    first, other = rectified(set(range(20))), rectified(set(range(10)), units=16)
    (told,) = diagnoses("GC415", first, batches=(first, other))
    assert told.message.endswith("20 of 32 units behind `layers.1` are off for the whole batch")
