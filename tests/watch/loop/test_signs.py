"""Signs of faults: what has to be there, and what has to be absent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradcheck_cli.records.source import SourceLine
from gradcheck_cli.watch.loop import signs
from gradcheck_cli.watch.loop.classorder import ByClass
from gradcheck_cli.watch.loop.facts import Facts, Holding

LINE = SourceLine(file="train.py", line=7)
USUAL = Facts(step=5, own_step=5, made=LINE, stepped=LINE, backward=LINE, norm=1.0, rate=0.1)


def test_a_usual_update_shows_nothing() -> None:
    assert [code for code, _, shows in signs.BY_ROW if shows(USUAL)] == []
    whole = Holding(held=4, reached=4)
    assert [code for code, holds in signs.BY_HOLDING if holds(USUAL, whole)] == []


@pytest.mark.parametrize(
    ("sign", "there", "excuse"),
    [
        (signs.never_cleared, {"leftover": 4}, {"empty": True}),
        (signs.cleared_too_early, {"cleared": LINE}, {"unsure": True}),
        (signs.no_backward, {"passes": 0, "reaching": 0, "empty": True}, {"unsure": True}),
        (signs.used_twice, {"again": True}, {"rival": True}),
        (signs.two_optimizers, {"again": True, "rival": True}, {"rival": False}),
        (signs.only_the_last, {"lost": 3}, {"unsure": True}),
        (signs.clipped_scaled, {"clipped_scaled": LINE, "scale": 1024.0}, {"scale": 1.0}),
        (signs.clipped_late, {"clipped_late": LINE}, {"clipped": LINE}),
        (signs.clipped_nothing, {"clipped_nothing": LINE}, {"clipped": LINE}),
        (signs.unscaled_loss, {"scale": 1024.0, "scalings": 0}, {"scalings": None}),
        (signs.taken_scaled, {"taken_scaled": 1024.0}, {"unsure": True}),
        (signs.evaluating, {"evaluates": True, "trained_before": True}, {"trained_before": False}),
        (signs.cut_loss, {"detached": True, "reaching": 0}, {"unsure": True}),
        (signs.same_batch, {"restarted": LINE}, {"restarted": None}),
        (signs.same_randomness, {"reseeded": LINE}, {"reseeded": None}),
        (signs.weights_reset, {"reset": True}, {"reset": False}),
        (signs.replaced, {"replaced": 4, "empty": True}, {"own_step": 3}),
        (signs.in_blocks, {"by_class": ByClass(25, 25, 2, 0, 1.0)}, {"by_class": ByClass(15, 15, 2, 0, 1.0)}),
        (signs.in_blocks, {"by_class": ByClass(25, 22, 3, 3, 0.9)}, {"by_class": ByClass(25, 22, 3, 2, 0.9)}),
        (signs.in_blocks, {"by_class": ByClass(90, 80, 5, 3, 0.9)}, {"by_class": ByClass(90, 80, 6, 3, 0.9)}),
        (signs.remade, {"remade": True, "remembers": True, "own_step": 1}, {"remembers": False}),
        (signs.schedules_another, {"rated_other": LINE}, {"rated_other": None}),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_a_sign_is_seen_unless_there_is_an_excuse(
    sign: signs.Shows, there: dict[str, object], excuse: dict[str, object]
) -> None:
    facts = replace(USUAL, **there)  # type: ignore[arg-type]
    assert sign(facts) is not None
    assert sign(replace(facts, **excuse)) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sign", "holding", "excuse"),
    [
        (signs.stale, Holding(held=4, reached=2, twins=2), {"twins": 0}),
        (signs.without_optimizer, Holding(held=4, reached=4, unheld=("head.weight",)), {"only_the_top": True}),
        (signs.without_gradient, Holding(held=4, reached=2, cut=("below.weight",)), {"cut": ()}),
        (signs.without_gradient, Holding(held=4, reached=0, cut=("below.weight",)), {"cut": ()}),
        (signs.frozen_top, Holding(held=2, reached=2, frozen_top="head"), {"frozen_top": ""}),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_a_sign_of_what_is_held(sign: signs.Holds, holding: Holding, excuse: dict[str, object]) -> None:
    assert sign(USUAL, holding) is not None
    assert sign(USUAL, replace(holding, **excuse)) is None  # type: ignore[arg-type]


def test_a_loss_that_leads_nowhere_is_told_as_such_alone() -> None:
    none = Holding(held=4, reached=0, cut=("below.weight",))
    assert signs.without_gradient(replace(USUAL, detached=True), none) is None


def test_who_makes_updates_and_batches_by_hand_is_told() -> None:
    by_hand = signs.never_cleared(replace(USUAL, leftover=4, by_hand=True))
    assert by_hand is not None and by_hand.evidence["updates"] == "by hand"
    cut = signs.in_blocks(replace(USUAL, by_class=ByClass(25, 25, 2, 0, 1.0)))
    assert cut is not None and cut.evidence["batches_cut"] == "by hand"
    loaded = signs.in_blocks(replace(USUAL, by_class=ByClass(25, 25, 2, 0, 1.0), loads=True))
    assert loaded is not None and "batches_cut" not in loaded.evidence


def test_names_are_told_up_to_four() -> None:
    names = tuple(f"layers.{i}.weight" for i in range(6))
    sign = signs.without_optimizer(USUAL, Holding(held=1, reached=1, unheld=names))
    assert sign is not None
    assert sign.message.endswith("layers.3.weight and 2 more") and sign.evidence == {"parameters": 6}
