"""Measured updates as trials of remedies: their numbers, their words, and which comes first."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gradcheck_cli.records.retrying import Retried, ScalesTried, UpdateChange, UpdateVariant
from gradcheck_cli.remedies import remedies_for, with_trials


def tried(
    change: UpdateChange, loss: float, amount: float | None = None, size: float = 1e-3, share: float = 0.1
) -> UpdateVariant:
    return UpdateVariant(change=change, amount=amount, loss=loss, size=size, share=share)


def retried(*ways: UpdateVariant, as_run: float = 100.0, **fields: object) -> Retried:
    """The loss is 2, and 100 after the update as the run makes it."""
    usual: dict[str, object] = {"step": 50, "kind": "AdamW", "rate": 0.03, "loss": 2.0}
    first = UpdateVariant(change=UpdateChange.AS_RUN, loss=as_run, size=0.5)
    return Retried(**{**usual, **fields}, tried=(first, *ways))  # type: ignore[arg-type]


SPIKE = remedies_for("grad-spike")
"""Clipping, then a smaller rate."""
RATE = remedies_for("lr-too-high")
"""A smaller rate, warm-up, clipping."""


def ids(remedies: object) -> list[str]:
    return [remedy.id for remedy in remedies]  # type: ignore[attr-defined]


def test_the_rate_that_cures_is_in_title_and_code() -> None:
    found = retried(tried(UpdateChange.LOWER_RATE, 90.0, 1 / 3), tried(UpdateChange.LOWER_RATE, 1.9, 0.1))
    first = with_trials(RATE, "lr-too-high", found)[0]
    assert (first.id, first.title) == ("lower-lr", "a smaller learning rate: 0.003 instead of 0.03")
    assert first.code == "torch.optim.AdamW(model.parameters(), lr=0.003)"
    trial = first.trial
    assert (trial.outcome, trial.before, trial.after) == ("fixed", 100.0, 1.9)
    assert (trial.unit, trial.note) == ("loss of this batch after the update", "it is 2 before")
    assert not trial.of_training


def test_of_doses_that_cure_alike_the_mildest_is_told_and_of_those_that_help_the_best() -> None:
    both = retried(tried(UpdateChange.LOWER_RATE, 1.9, 1 / 3), tried(UpdateChange.LOWER_RATE, 1.5, 0.1))
    assert "0.01 instead" in with_trials(RATE, "lr-too-high", both)[0].title
    better = retried(tried(UpdateChange.LOWER_RATE, 40.0, 1 / 3), tried(UpdateChange.LOWER_RATE, 5.0, 0.1))
    assert "0.003 instead" in with_trials(RATE, "lr-too-high", better)[0].title


def test_clipping_tells_its_threshold_and_what_it_would_have_shortened() -> None:
    found = retried(tried(UpdateChange.CLIPPED, 1.9, 0.73, share=0.1), scaled=True)
    first = with_trials(SPIKE, "grad-spike", found)[0]
    assert (first.id, first.title) == ("clipping", "clip the gradient's norm at 0.73")
    assert first.detail.endswith("At 0.73 it would have shortened 10% of this run's steps before.")
    clip = "torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.73)"
    assert first.code == f"scaler.unscale_(optimizer); {clip}"
    plain = with_trials(SPIKE, "grad-spike", replace(found, scaled=False))[0]
    assert plain.code == clip


def test_a_lower_rate_that_nobody_tried_is_one_of_the_runs_own_optimiser() -> None:
    untried = Retried(step=50, kind="SGD", rate=0.9, why="--budget allows 4 passes by now, and 3 were spent")
    lower = next(each for each in with_trials(RATE, "lr-too-high", untried) if each.id == "lower-lr")
    assert lower.title.endswith(": 0.3 instead of 0.9")
    assert lower.code == "torch.optim.SGD(model.parameters(), lr=0.3)"
    assert lower.trial == remedies_for("lr-too-high")[0].trial
    assert with_trials(RATE, "lr-too-high", replace(untried, rate=None)) == tuple(RATE)


def test_what_comes_to_the_same_keeps_the_order_of_the_diagnosis() -> None:
    found = retried(tried(UpdateChange.LOWER_RATE, 0.1, 0.1), tried(UpdateChange.CLIPPED, 2.0, 1.0))
    assert ids(with_trials(SPIKE, "grad-spike", found))[:2] == ["clipping", "lower-lr"]
    assert ids(with_trials(RATE, "lr-too-high", found)) == ["lower-lr", "clipping", "warmup"]


def test_what_measured_better_comes_first_and_what_was_not_tried_before_what_had_no_effect() -> None:
    found = retried(tried(UpdateChange.LOWER_RATE, 99.0, 0.1), tried(UpdateChange.CLIPPED, 1.9, 1.0))
    assert ids(with_trials(RATE, "lr-too-high", found)) == ["clipping", "warmup", "lower-lr"]
    helps = retried(tried(UpdateChange.LOWER_RATE, 40.0, 0.1), tried(UpdateChange.CLIPPED, 4.0, 1.0))
    assert ids(with_trials(RATE, "lr-too-high", helps))[:2] == ["clipping", "lower-lr"]
    hardly = retried(tried(UpdateChange.LOWER_RATE, 40.0, 0.1), tried(UpdateChange.CLIPPED, 38.0, 1.0))
    assert ids(with_trials(RATE, "lr-too-high", hardly))[:2] == ["lower-lr", "clipping"]


def test_another_cause_keeps_its_own_cure_first() -> None:
    own = remedies_for("target-scale")
    found = with_trials(
        own, "target-scale", retried(tried(UpdateChange.CLIPPED, 1.9, 1.0), tried(UpdateChange.EPS, 1.9, 1e-4))
    )
    assert ids(found) == [*ids(own), "eps"]
    assert next(remedy for remedy in found if remedy.id == "clipping").trial.outcome == "fixed"


@pytest.mark.parametrize(("loss", "there"), [(1.9, True), (30.0, True), (90.0, False), (math.inf, False)])
def test_a_remedy_that_the_cause_does_not_name_is_added_where_it_was_measured_to_help(loss: float, there: bool) -> None:
    found = with_trials(SPIKE, "grad-spike", retried(tried(UpdateChange.EPS, loss, 1e-6)))
    assert ("eps" in ids(found)) is there
    if there:
        (eps,) = (remedy for remedy in found if remedy.id == "eps")
        assert eps.title == "a larger eps for AdamW: 1e-06"
        assert eps.code == "torch.optim.AdamW(model.parameters(), lr=0.03, eps=1e-06)"


def test_rows_are_named_and_the_others_are_what_is_told() -> None:
    found = with_trials(SPIKE, "grad-spike", retried(tried(UpdateChange.WITHOUT_ROWS, 1.9), rows=(3, 9)))
    assert (found[0].id, found[0].title) == ("data-cleaning", "mend or leave out rows 3, 9 of this batch")
    assert found[0].trial.unit == "loss of the other rows after the update"


def test_a_state_that_is_begun_anew() -> None:
    first = with_trials(SPIKE, "grad-spike", retried(tried(UpdateChange.ANEW, 1.9)))[0]
    assert (first.id, first.title) == ("new-optimizer", "start the averages of AdamW anew")


@pytest.mark.parametrize(("step", "trial"), [(3, "fixed"), (20, "fixed"), (21, "not-tried")])
def test_in_the_first_updates_a_lower_rate_is_a_warm_up(step: int, trial: str) -> None:
    found = with_trials(RATE, "lr-too-high", retried(tried(UpdateChange.LOWER_RATE, 1.9, 0.1), step=step))
    (warmup,) = (remedy for remedy in found if remedy.id == "warmup")
    assert warmup.trial.outcome == trial
    assert ("start_factor=0.1," in warmup.code) is (trial == "fixed")


def test_a_larger_rate_is_told_by_how_far_it_moves() -> None:
    ways = [tried(UpdateChange.HIGHER_RATE, 1.9999, 10.0, 1e-5), tried(UpdateChange.HIGHER_RATE, 1.99, 1000.0, 1e-3)]
    found = retried(*ways, as_run=1.99999, rate=1e-7)
    found = replace(found, tried=(replace(found.tried[0], size=1e-6), *ways))
    first = with_trials(remedies_for("lr-too-low"), "lr-too-low", found)[0]
    assert (first.id, first.title) == ("higher-lr", "a larger learning rate: 0.0001 instead of 1e-07")
    trial = first.trial
    assert (trial.outcome, trial.before, trial.after, trial.unit) == ("helps", 1e-6, 1e-3, "|dw|/|w|")
    assert trial.note == "the loss of this batch falls by 0.01 instead of 1e-05"


def test_an_oversize_update_is_told_by_its_size() -> None:
    clip = tried(UpdateChange.CLIPPED, 1.8, 1.0, size=2e-3)
    first = with_trials(SPIKE, "grad-spike", retried(clip, as_run=1.9, usual=1e-3))[0]
    trial = first.trial
    assert (first.id, trial.outcome, trial.before, trial.after) == ("clipping", "fixed", 0.5, 2e-3)
    assert (trial.unit, trial.note) == ("|dw|/|w|", "0.001 is usual")


def test_a_threshold_that_was_not_tried_is_told_and_no_trial() -> None:
    way = UpdateVariant(change=UpdateChange.CLIPPED, amount=1.0, share=0.1)
    first = with_trials(SPIKE, "grad-spike", retried(way))[0]
    assert (first.title, first.trial.outcome) == ("clip the gradient's norm at 1", "not-tried")


def scaled(now: float, fits: float | None, growth: int | None, lost: float = 0.3) -> Retried:
    return Retried(step=50, scales=ScalesTried(now=now, lost=lost, fits=fits, lost_then=0.0, growth=growth))


@pytest.mark.parametrize(
    ("found", "title", "asked"),
    [
        (scaled(1.0, 2.0**13, None), "scale the loss (GradScaler): init_scale=8192.0", "init_scale=8192.0"),
        (scaled(2.0**16, 2.0**10, 2000), "begin with a loss scale of 1,024 instead of 65,536", "init_scale=1024.0"),
        (
            scaled(2.0**20, 2.0**17, 3),
            "begin with a loss scale of 131,072 instead of 1,048,576, and let it grow after 2000 updates instead of 3",
            "init_scale=131072.0, growth_interval=2000",
        ),
    ],
)
@pytest.mark.parametrize("cause", ["fp16-overflow", "fp16-underflow"])
def test_a_loss_scale_that_fits_comes_first_with_its_numbers(
    cause: str, found: Retried, title: str, asked: str
) -> None:
    first = with_trials(remedies_for(cause), cause, found)[0]
    assert (first.id, first.title) == ("loss-scaling", title)
    assert first.code == f'scaler = torch.amp.GradScaler("cuda", {asked})'
    trial = first.trial
    assert (trial.outcome, trial.before, trial.after) == ("fixed", 0.3, 0.0)
    assert trial.unit == "share of the gradient that float16 loses"


def test_where_no_loss_scale_fits_none_is_told() -> None:
    own = remedies_for("fp16-overflow")
    assert with_trials(own, "fp16-overflow", scaled(1.0, None, 2000)) == own
    nothing = with_trials(own, "fp16-overflow", scaled(1.0, 2.0**10, 2000, lost=0.0))
    assert nothing[0] == own[0]
