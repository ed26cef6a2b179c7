"""A loss that nothing moves, what is asked where one looks odd, and samples that become one."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from gradcheck_cli.evidence import gather
from gradcheck_cli.records.choices import About
from gradcheck_cli.records.enquiry import Distinct, Enquiry
from gradcheck_cli.records.measurement import Head, Lens, Measurement
from gradcheck_cli.rules import questions
from tests.measurements import LEAF, measurement, module, op, parameter, stats
from tests.rules.chains import LINE, chain, diagnoses, only

HEAD = Head(op=2, call=0, distinguishability=0.5, rows=64, floor=1e-14)
REGRESSION = Lens(op=0, kind="loss", output_rms=1.0, target_rms=1.0)
FLAT = Lens(op=1, kind="activation", saturated=0.97)


def moving(elasticity: float, **fields: Any) -> Measurement:
    """Layers all of which move the loss by this much, in percent a percent."""
    return chain([1.0, 1.0, 1.0], **({"loss": 0.1 / elasticity, "heads": (HEAD,)} | fields))


# --------------------------------------------------------------------------- what is asked


@pytest.mark.parametrize(
    ("elasticity", "lenses", "odd"),
    [
        (0.007, (REGRESSION,), True),
        (0.015, (REGRESSION,), False),
        (7.0, (REGRESSION,), False),
        (15.0, (REGRESSION,), True),
        (0.7, (), False),
        (1.5, (), True),
    ],
)
def test_weights_that_move_the_loss_as_usual_cost_no_further_pass(
    elasticity: float, lenses: tuple[Lens, ...], odd: bool
) -> None:
    assert bool(questions(gather(moving(elasticity, lenses=lenses)))) is odd


@pytest.mark.parametrize(("scale", "odd"), [(25.0, False), (40.0, True)])
def test_one_layer_that_puts_out_thirty_times_what_the_others_do_is_odd(scale: float, odd: bool) -> None:
    layers = [module(f"layers.{i}", output_rms=rms) for i, rms in enumerate((1.0, 1.0, scale))]
    found = replace(moving(0.1), modules=(module("", "Net"), *layers))
    assert questions(gather(found)).nulls is odd


# --------------------------------------------------------------------------- deaf layers


@pytest.mark.parametrize(("elasticity", "deaf"), [(0.7e-5, True), (1.5e-5, False)])
def test_a_layer_hardly_moves_the_loss_from_a_ten_millionth_for_a_percent(elasticity: float, deaf: bool) -> None:
    assert bool(diagnoses("GC203", moving(elasticity, lenses=(FLAT,)))) is deaf


@pytest.mark.parametrize(("over", "ill"), [(0.87, False), (0.93, True)])
def test_what_lies_a_tenth_below_one_answer_has_been_learned(over: float, ill: bool) -> None:
    found = moving(1e-6, lenses=(FLAT,))
    assert bool(diagnoses("GC203", found, enquiry=Enquiry(mean=found.loss / over))) is ill


@pytest.mark.parametrize(("over", "ill"), [(0.985, False), (0.993, True), (1.007, True), (1.015, False)])
def test_a_loss_within_a_percent_of_one_answer_is_that_of_one_answer(over: float, ill: bool) -> None:
    found = moving(1e-6)
    assert bool(diagnoses("GC203", found, enquiry=Enquiry(mean=found.loss / over))) is ill


@pytest.mark.parametrize(
    ("elasticity", "told"),
    [(0.7e-4, "ill"), (1.5e-4, "a suspicion"), (0.7e-3, "a suspicion"), (1.5e-3, "nothing")],
)
def test_weights_that_move_such_a_loss_by_a_thousandth_will_change_the_answer(elasticity: float, told: str) -> None:
    found = moving(elasticity, heads=())
    result = diagnoses("GC203", found, enquiry=Enquiry(mean=found.loss))
    assert told == ("nothing" if not result else "a suspicion" if result[0].doubt is About.WHOLE else "ill")


@pytest.mark.parametrize(("inputs", "cause"), [(0.7e-3, ["input-scale"]), (1.5e-3, [])])
def test_inputs_of_a_thousandth_explain_it(inputs: float, cause: list[str]) -> None:
    assert [d.cause for d in diagnoses("GC203", moving(1e-6, inputs=(stats("x", rms=inputs),)))] == cause


@pytest.mark.parametrize(("elasticity", "deaf"), [(0.7e-4, True), (1.5e-4, False)])
def test_the_weight_of_a_first_layer_with_faint_inputs_may_be_ten_times_as_loud(elasticity: float, deaf: bool) -> None:
    found = measurement(
        op("MseLossBackward0", 1.0, (1, 0.1), module=-1),
        op("AddmmBackward0", 0.1, (2, elasticity), (3, 0.1)),
        op(LEAF, elasticity),
        op(LEAF, 0.1),
        parameters=[
            parameter("weight", op=2, grad=elasticity),
            parameter("bias", op=3, grad=0.1, shape=(4,), numel=4),
        ],
        modules=[module("net")],
        inputs=(stats("x", rms=1e-6),),
    )
    assert bool(diagnoses("GC203", found)) is deaf


@pytest.mark.parametrize(("share", "cause"), [(0.87, []), (0.93, ["saturated-output"])])
def test_an_output_that_is_flat_at_nine_of_ten_elements_explains_it(share: float, cause: list[str]) -> None:
    found = moving(1e-6, lenses=(replace(FLAT, saturated=share),))
    assert [d.cause for d in diagnoses("GC203", found)] == cause


@pytest.mark.parametrize(("left", "cause"), [(0.7e-3, ["small-init"]), (1.5e-3, [])])
def test_a_signal_of_which_a_thousandth_is_left_has_died(left: float, cause: list[str]) -> None:
    layers = [module(f"layers.{i}", output_rms=rms) for i, rms in enumerate((1.0, 0.1, left))]
    found = replace(moving(1e-6), modules=(module("", "Net"), *layers))
    assert [d.cause for d in diagnoses("GC203", found)] == cause


@pytest.mark.parametrize(("decades", "cause"), [(2.8, []), (3.2, ["saturating-activation"])])
def test_slopes_explain_it_from_three_decades_on(decades: float, cause: list[str]) -> None:
    slope = 10 ** (-decades / 4)
    assert [d.cause for d in diagnoses("GC203", chain([slope] * 4, loss=1e6))] == cause


# --------------------------------------------------------------------------- samples that become one


def collapsed(left: float, profile: tuple[float, ...]) -> dict[str, Any]:
    head = HEAD._replace(call=4, distinguishability=left)
    found = chain([0.9] * len(profile), "ReluBackward0", heads=(head,))
    told = tuple(Distinct(1 + i, LINE, share, 64) for i, share in enumerate(profile))
    return {"found": found, "enquiry": Enquiry(profile=told)}


@pytest.mark.parametrize(("left", "told"), [(0.7e-9, None), (1.5e-9, About.WHOLE)])
def test_what_differs_by_less_than_a_billionth_is_the_same(left: float, told: About | None) -> None:
    assert only("GC207", **collapsed(left, (1.0, 1e-3, 1e-7, left))).doubt is told


@pytest.mark.parametrize(("left", "told"), [(0.7e-6, True), (1.5e-6, False)])
def test_what_differs_by_a_millionth_is_not_suspected(left: float, told: bool) -> None:
    assert bool(diagnoses("GC207", **collapsed(left, (1.0, 1e-2, 1e-4, 0.9e-6)))) is told


# --------------------------------------------------------------------------- what is learned


@pytest.mark.parametrize(("share", "learned"), [(0.007, True), (0.015, False)])
def test_a_hundredth_of_a_blind_guess_is_learned(share: float, learned: bool) -> None:
    lens = Lens(op=0, kind="loss", per_sample=share * math.log(10), length=10)
    told = diagnoses("GC612", chain([0.5, 0.5], loss=0.1, lenses=(lens,)))
    assert [d.severity for d in told] == [None] * learned
