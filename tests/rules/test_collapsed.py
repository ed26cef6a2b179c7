"""A signal that tells no sample from another when it arrives at the head."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gradcheck_cli.records.choices import About
from gradcheck_cli.records.enquiry import Distinct, Enquiry
from gradcheck_cli.records.measurement import Head, Lens, Measurement
from tests.rules.chains import LINE, chain, codes, diagnoses, only

DEPTH = 5
SMOOTH = (1.0, 1e-3, 1e-6, 1e-9, 1e-12)


def collapsing(left: float = 1e-12, activation: str = "ReluBackward0", **fields: Any) -> Measurement:
    """Five layers, the last of which is given next to nothing that differs between samples."""
    head = Head(op=2, call=4, distinguishability=left, rows=64, floor=1e-14)
    return chain([0.9] * DEPTH, activation, heads=(head,), **fields)


def by_depth(*shares: float) -> Enquiry:
    return Enquiry(profile=tuple(Distinct(1 + i, LINE, share, 64) for i, share in enumerate(shares)))


def test_a_smooth_fall_is_told_by_its_factor_and_where_nothing_is_left() -> None:
    found = only("GC207", collapsing(), enquiry=by_depth(*SMOOTH))
    assert (found.cause, found.doubt) == ("small-init", None)
    assert found.message == (
        "all samples become the same on their way up: only 1e-12 of what `layers.4` gets still differs between them, "
        "so `layers.0` .. `layers.2` (3 layers) cannot learn to tell them apart"
    )
    assert found.why == (
        "the share that differs gets about 1,000 times smaller at each of 3 weight matrices, from 1 at `layers.0` to "
        "1e-9 at `layers.3`, since the weights are so small that biases alone are left"
    )
    assert found.numbers["distinguishability"] == 1e-12 and found.source == LINE


@pytest.mark.parametrize(
    ("activation", "cause"),
    [("SigmoidBackward0", "saturating-activation"), ("NativeLayerNormBackward0", "norm-depth")],
)
def test_over_depth_the_cause_is_what_stands_behind_each_weight(activation: str, cause: str) -> None:
    assert only("GC207", collapsing(activation=activation), enquiry=by_depth(*SMOOTH)).cause == cause


@pytest.mark.parametrize(
    ("activation", "cause"),
    [("ExpBackward0", "exp-underflow"), ("TanhBackward0", "saturating-activation"), ("ReluBackward0", "collapsed")],
)
def test_a_fall_at_once_is_blamed_on_the_flat_op_between(activation: str, cause: str) -> None:
    found = only("GC207", collapsing(activation=activation), enquiry=by_depth(1.0, 1.0, 0.9, 1e-13, 1e-13))
    assert found.cause == cause and "between `layers.2` and `layers.3`" in found.why
    assert (found.op is None) == (cause == "collapsed")


@pytest.mark.parametrize(("left", "cause"), [(0.0, "wrong-dim"), (1e-12, "collapsed")], ids=["nothing", "some"])
def test_one_position_that_is_the_same_in_all_samples_has_seen_none_of_the_others(left: float, cause: str) -> None:
    found = only("GC207", collapsing(left, "SelectBackward0"), enquiry=by_depth(1.0, 1.0, 0.9, 1e-14, 1e-14))
    assert found.cause == cause


def test_what_falls_no_faster_than_usual_weights_make_it_is_collapsed_and_no_more() -> None:
    slowly = Enquiry(profile=tuple(Distinct(min(1 + i, DEPTH), LINE, 10.0**-i, 64) for i in range(13)))
    assert only("GC207", collapsing(), enquiry=slowly).cause == "collapsed"


def test_a_squashing_op_that_has_a_slope_is_not_flat() -> None:
    found = collapsing(activation="TanhBackward0")
    tanhs = [i for i, each in enumerate(found.ops) if each.stem == "Tanh"]
    found = replace(found, lenses=tuple(Lens(op=i, kind="activation", slope=0.9, saturated=0.0) for i in tanhs))
    assert only("GC207", found, enquiry=by_depth(1.0, 1.0, 0.9, 1e-13, 1e-13)).cause == "collapsed"


def test_what_is_not_clearly_nothing_is_a_suspicion() -> None:
    assert only("GC207", collapsing(1e-8), enquiry=by_depth(1.0, 1e-2, 1e-4, 1e-7, 1e-8)).doubt is About.WHOLE


@pytest.mark.parametrize(
    ("found", "enquiry"),
    [
        (collapsing(1e-5), by_depth(*SMOOTH)),  # enough is left
        (collapsing(), by_depth(1e-12, 1e-12, 1e-12)),  # the batch holds one sample
        (collapsing(), Enquiry()),  # it was not seen by depth
        (collapsing(), replace(by_depth(*SMOOTH), mean=2.0)),  # the loss is well below that of one answer
    ],
)
def test_a_signal_that_is_there_was_never_there_or_was_learned_from(found: Measurement, enquiry: Enquiry) -> None:
    assert diagnoses("GC207", found, enquiry=enquiry) == []


def test_one_head_that_still_tells_samples_apart_is_enough() -> None:
    found = collapsing()
    other = Head(op=5, call=3, distinguishability=0.3, rows=64, floor=1e-14)
    assert diagnoses("GC207", replace(found, heads=(*found.heads, other)), enquiry=by_depth(*SMOOTH)) == []


def test_a_low_precision_cannot_tell() -> None:
    found = collapsing()
    coarse = found.heads[0]._replace(floor=6e-5)
    assert diagnoses("GC207", replace(found, heads=(coarse,)), enquiry=by_depth(*SMOOTH)) == []


def test_what_lost_its_gradient_as_well_is_told_by_that() -> None:
    lost = chain([1e-3] * DEPTH, loss=1e3, heads=collapsing().heads)
    assert [code for code, _ in codes(lost, enquiry=by_depth(*SMOOTH))] == ["GC201"]
