"""Every number that an alarm turns on, with a run that lies just short of it and one just beyond.

`python -m tests.mutation --alarms` moves the numbers by a factor of 3 and looks whether a test notices.
"""

from __future__ import annotations

import random

import pytest

from gradcheck_cli.records.session import Sample
from gradcheck_cli.records.timeline import AlarmKind, Outcome, Vital
from gradcheck_cli.watch.lossscale import Scaling
from gradcheck_cli.watch.stalls import grown_in, raised_share
from tests.watch.standing_runs import Stood, constant, fed
from tests.watch.test_displacement import run as weights_of
from tests.watch.test_lossevent import judged
from tests.watch.test_lossmonitor import raised
from tests.watch.test_stalls import in_order

# --------------------------------------------------------------------------- raised


@pytest.mark.parametrize(("loss", "spikes"), [(1.02, False), (1.05, True)])
def test_a_loss_has_the_noise_of_bfloat16_at_least(loss: float, spikes: bool) -> None:
    assert bool(raised([*[1.0] * 60, loss])) is spikes


@pytest.mark.parametrize(("loss", "spikes"), [(5e-3, False), (12e-3, True)])
def test_a_converged_loss_has_the_noise_of_a_thousandth_of_what_it_fell_by(loss: float, spikes: bool) -> None:
    assert bool(raised([*[1.0] * 5, *[1e-6] * 60, loss])) is spikes


@pytest.mark.parametrize(("lost", "climbs"), [(0.4, False), (0.6, True)])
def test_a_loss_climbs_where_half_of_what_was_learned_is_lost(lost: float, climbs: bool) -> None:
    fall = [2.0] * 5 + [2.0 - 0.02 * i for i in range(50)] + [1.0 - 1e-6 * i for i in range(120)]
    climb = [min(1.0 + 0.01 * i, 1.0 + lost) for i in range(160)]
    assert [alarm.kind for alarm in raised([*fall, *climb])] == [AlarmKind.DIVERGING] * climbs


# --------------------------------------------------------------------------- judged: from 3 at first to 1 before


@pytest.mark.parametrize(("level", "outcome"), [(1.8, Outcome.OPEN), (2.2, Outcome.CONFIRMED)])
def test_a_run_that_stays_bad_has_lost_half_of_what_it_learned(level: float, outcome: Outcome) -> None:
    assert judged([level] * 80).outcome is outcome


@pytest.mark.parametrize(("level", "outcome"), [(1.14, Outcome.OPEN), (1.3, Outcome.CONFIRMED)])
def test_with_a_burst_of_the_norm_a_tenth_is_enough(level: float, outcome: Outcome) -> None:
    assert judged([level] * 80, norms=[20.0, 20.0, *[1.0] * 78]).outcome is outcome


@pytest.mark.parametrize(("level", "coming"), [(1.8, True), (2.2, False)])
def test_a_run_that_learned_half_of_it_again_is_on_its_way(level: float, coming: bool) -> None:
    assert judged([3.0] * 25 + [level] * 100).told.endswith("it was coming down") is coming


@pytest.mark.parametrize(("soon", "outcome"), [(1.8, Outcome.OPEN), (2.2, Outcome.CONFIRMED)])
def test_an_event_made_half_of_the_rise_itself(soon: float, outcome: Outcome) -> None:
    assert judged([soon] * 25 + [3.0] * 100).outcome is outcome


@pytest.mark.parametrize(("level", "finding"), [(200.0, False), (450.0, True)])
def test_a_hundred_times_the_largest_loss_speaks_for_itself(level: float, finding: bool) -> None:
    assert judged([level] * 20).finding is finding


@pytest.mark.parametrize(("worst", "outcome"), [(0.6, Outcome.RECOVERED), (1.5, Outcome.CONFIRMED)])
def test_growth_beyond_the_rounding_of_float32_leaves_nothing(worst: float, outcome: Outcome) -> None:
    assert judged([worst * 3.0 * 2**23] * 20 + [0.9] * 60).outcome is outcome


# --------------------------------------------------------------------------- runs that do not learn


def stands(**course: object) -> list[tuple[str, Outcome]]:
    """The causes of the alarms of a run of 300 updates, each of which is sampled, and what they come to."""
    plain: dict[str, object] = {"kind": "", "updates": 300, "noise": 0.0, "swing": 0.0, "every": 1}
    alarms = fed(Stood(**(plain | course)), random.Random(0))  # type: ignore[arg-type]
    return [(str(each.raised.evidence.get("cause", "")), each.outcome) for each in alarms]


@pytest.mark.parametrize(("ratio", "raised"), [(0.92, False), (0.97, True)])
def test_a_twentieth_below_one_answer_is_half_of_the_way_to_something_learned(ratio: float, raised: bool) -> None:
    assert stands(ratio=constant(ratio)) == [("", Outcome.OPEN)] * raised


@pytest.mark.parametrize(("ratio", "swing", "swings"), [(8.0, 0.38, False), (15.0, 0.38, True), (15.0, 0.17, False)])
def test_a_run_swings_where_a_quarter_of_the_updates_raise_a_loss_ten_times_that_of_one_answer(
    ratio: float, swing: float, swings: bool
) -> None:
    found = stands(ratio=constant(ratio), swing=swing)
    assert (("lr-too-high", Outcome.CONFIRMED) in found) is swings


@pytest.mark.parametrize(("by", "share"), [(0.007, 0.0), (0.015, 1.0)])
def test_an_update_raises_its_loss_by_a_hundredth(by: float, share: float) -> None:
    assert raised_share([Sample(step=i, loss=1.0, after=1.0 + by, chance=1.0) for i in range(9)]) == share


@pytest.mark.parametrize(
    ("in_all", "swing", "outcome"),
    [
        (0.7e-2, 0.0, Outcome.CONFIRMED),
        (1.5e-2, 0.0, Outcome.OPEN),
        (0.1e-2, 0.13, Outcome.CONFIRMED),
        (0.1e-2, 0.3, Outcome.OPEN),
    ],
)
def test_steps_are_too_small_that_lower_the_loss_and_move_a_layer_by_a_hundredth_in_all(
    in_all: float, swing: float, outcome: Outcome
) -> None:
    found = stands(ratio=constant(1.0), update=constant(in_all / 300), swing=swing)
    assert [each for _, each in found] == [outcome]


@pytest.mark.parametrize(("grown", "thrown"), [(8.0, False), (15.0, True)])
def test_weights_ten_times_as_large_are_thrown(grown: float, thrown: bool) -> None:
    assert bool(weights_of(lambda n: 1.6, lambda n: 5.0 if n == 1 else 5.0 * grown).told) is thrown


@pytest.mark.parametrize(("blocks", "swing", "ordered"), [(0.4, 0.8, False), (0.6, 0.8, True), (0.9, 0.4, False)])
def test_batches_come_in_blocks_where_half_of_the_spread_lies_between_them_and_the_loss_follows(
    blocks: float, swing: float, ordered: bool
) -> None:
    assert ("cause" in in_order(blocks=blocks, swing=swing).raised.evidence) is ordered
    assert "cause" in in_order(blocks=0.9, swing=0.6).raised.evidence


@pytest.mark.parametrize(("now", "grown"), [(0.93, False), (0.97, True)])
def test_a_layer_is_out_of_use_where_a_twentieth_of_it_is_left(now: float, grown: bool) -> None:
    assert (grown_in({"1": 0.2}, [{"1": now}] * 3) is not None) is grown


# --------------------------------------------------------------------------- loss scales


def collapse(*skips: bool) -> tuple[Outcome, Outcome]:
    """What an overflow comes to, and the collapse of a scale that is not known."""
    scaling = Scaling()
    for step, skipped in enumerate(skips, 1):
        scaling.see(Vital(step=step, skipped=skipped, finite=not skipped))
    overflow, collapsed = scaling.judged()
    return overflow.outcome, collapsed.outcome


@pytest.mark.parametrize(("skips", "outcome"), [(30, Outcome.OPEN), (50, Outcome.CONFIRMED)])
def test_forty_skips_in_a_row_leave_nothing_of_the_largest_scale(skips: int, outcome: Outcome) -> None:
    assert collapse(*[True] * skips)[1] is outcome


@pytest.mark.parametrize(("made", "outcome"), [(7, Outcome.OPEN), (15, Outcome.RECOVERED)])
def test_ten_updates_in_a_row_settle_a_scale(made: int, outcome: Outcome) -> None:
    assert collapse(*[True] * 35, *[False] * made)[0] is outcome
