"""What is far too large, and why."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gradcheck_cli.evidence import gather
from gradcheck_cli.records.choices import About
from gradcheck_cli.records.enquiry import Enquiry
from gradcheck_cli.records.measurement import Lens, Measurement
from gradcheck_cli.rules.growth import growth_cause
from tests.measurements import LEAF, measurement, module, op, parameter, stats
from tests.rules.chains import chain, deep, diagnoses, only


@pytest.mark.parametrize(("over", "explodes"), [(80.0, False), (150.0, True)])
def test_a_cross_entropy_of_a_hundred_blind_guesses_explodes(over: float, explodes: bool) -> None:
    lens = Lens(op=0, kind="loss", per_sample=over * math.log(10), length=10)
    assert bool(diagnoses("GC303", chain([0.5] * 3, lenses=(lens,)))) is explodes


@pytest.mark.parametrize(
    ("output", "target", "cause"),
    [(1.0, 800.0, []), (1.0, 1500.0, ["target-scale"]), (25.0, 1.0, []), (40.0, 1.0, ["unknown"])],
)
def test_an_error_of_a_thousand_times_that_of_no_prediction_is_one_of_scale(
    output: float, target: float, cause: list[str]
) -> None:
    lens = Lens(op=0, kind="loss", output_rms=output, target_rms=target)
    assert [d.cause for d in diagnoses("GC303", chain([0.5] * 3, lenses=(lens,)))] == cause


@pytest.mark.parametrize(
    ("over", "told"), [(25.0, "nothing"), (40.0, "a suspicion"), (800.0, "a suspicion"), (1500.0, "ill")]
)
def test_any_other_loss_is_suspected_from_half_of_the_decades_that_make_it_ill(over: float, told: str) -> None:
    scales = [module("", "Net"), *(module(f"layers.{i}", output_rms=10.0 ** (3 * i)) for i in range(3))]
    found = diagnoses("GC303", replace(chain([0.5] * 3, loss=over), modules=tuple(scales)), enquiry=Enquiry(zeroed=1.0))
    assert told == ("nothing" if not found else "a suspicion" if found[0].doubt is About.WHOLE else "ill")


@pytest.mark.parametrize(("elasticity", "steep"), [(800.0, False), (1500.0, True)])
def test_a_layer_is_steep_where_a_thousandth_of_it_is_all_of_the_loss(elasticity: float, steep: bool) -> None:
    found = deep(("MmBackward0", 1e6), loss=1e5 / elasticity)
    assert bool(diagnoses("GC301", found)) is steep


@pytest.mark.parametrize(("decades", "steep"), [(1.8, False), (2.2, True)])
def test_a_loss_near_0_makes_no_gradient_explode_that_grew_less_than_a_hundredfold(decades: float, steep: bool) -> None:
    found = deep(("MmBackward0", 10**decades), loss=1e-6)
    assert [d.layers for d in diagnoses("GC301", found)] == [("body",)] * steep


@pytest.mark.parametrize(("share", "cause"), [(0.65, "large-init"), (0.75, "loss-scale")])
def test_the_loss_is_too_large_where_most_decades_lie_above_the_first_layer(share: float, cause: str) -> None:
    found = deep(("MmBackward0", 10 ** (25 * (1 - share))), signal=10 ** (25 * share), loss=1e25)
    assert only("GC304", found).cause == cause


# --------------------------------------------------------------------------- why it grew


def reading(inputs: float, first: float, *steps: tuple[str, float]) -> Measurement:
    modules = [module("", "Net"), module("head", output_rms=first), module("body", output_rms=first)]
    return deep(*steps, ("MmBackward0", 1.0), modules=modules, inputs=(stats("x", rms=inputs),))


@pytest.mark.parametrize(
    ("inputs", "first", "cause"),
    [
        (25.0, 25.0, "unknown"),
        (40.0, 40.0, "input-scale"),
        (100.0, 8.0, "unknown"),  # the first layer already takes it back
        (100.0, 12.0, "input-scale"),
        (1.0, 8.0, "unknown"),
        (1.0, 12.0, "large-init"),
    ],
)
def test_inputs_of_thirty_or_a_first_layer_of_ten_are_too_large(inputs: float, first: float, cause: str) -> None:
    assert growth_cause(gather(reading(inputs, first))) == cause


@pytest.mark.parametrize(("decades", "cause"), [(0.8, "unknown"), (1.2, "small-denominator")])
def test_a_cause_of_growth_makes_a_decade_at_least(decades: float, cause: str) -> None:
    assert growth_cause(gather(reading(1.0, 1.0, ("DivBackward0", 10**decades)))) == cause


def blocks(count: int, inside: float) -> Measurement:
    """Blocks x + f(x), in each of which f multiplies a gradient by `inside`; the way through f is the strongest."""
    ops, total = [op("MseLossBackward0", 1.0, (1, 1.0), module=-1, sequence=99)], 1.0
    for k in range(count):
        start = 1 + 3 * k
        ops.append(op("AddBackward0", total, (start + 1, total), (start + 3, total)))
        ops.append(op("AddmmBackward0", total, (start + 2, total * inside)))
        ops.append(op("ReluBackward0", total * inside, (start + 3, total * inside)))
        total *= inside + 1
    ops += [op("MmBackward0", total, (len(ops) + 1, total)), op(LEAF, total)]
    weight = parameter("weight", op=len(ops) - 1, grad=total)
    return measurement(*ops, parameters=[weight], modules=[module("stem")])


@pytest.mark.parametrize(
    ("count", "inside", "cause"),
    [
        (2, 3.0, "unknown"),  # two sums are no stream
        (4, 3.0, "residual-growth"),
        (4, 2.5, "residual-growth"),
        (4, 4.0, "large-init"),  # a branch that adds more than half a decade by itself
    ],
)
def test_three_branches_make_a_stream_that_grows_by_their_number(count: int, inside: float, cause: str) -> None:
    assert growth_cause(gather(blocks(count, inside))) == cause
