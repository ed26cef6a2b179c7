from collections.abc import Sequence

import pytest

from gradcheck_cli.records.raterise import RateRise
from gradcheck_cli.records.timeline import Vital
from gradcheck_cli.watch.ratecourse import RateCourse


def rise(rates: Sequence[float | None]) -> RateRise | None:
    course = RateCourse()
    for step, rate in enumerate(rates, start=1):
        course.see(Vital(step=step, rate=rate))
    return course.rise


def test_a_rise_is_told_from_the_last_step_before_it() -> None:
    ramp = [1e-3 * 1.5**k for k in range(1, 6)]
    assert rise([1e-3] * 20 + ramp) == RateRise(first_step=20, first_rate=1e-3, last_step=25, last_rate=ramp[-1])


def test_a_warm_up_begins_with_the_run() -> None:
    found = rise([0.0, 0.01, 0.02, 0.02, 0.03])
    assert found == RateRise(first_step=1, first_rate=0.0, last_step=5, last_rate=0.03)


@pytest.mark.parametrize(
    "rates",
    [
        [0.1] * 30,
        [0.1 * 0.9**k for k in range(30)],
        [0.1] * 5 + [0.19],  # by less than a factor of two
        [0.1, 0.3, 0.1],  # taken back
        [0.1, 0.3] + [0.3] * 60,  # long past
        [None, None],
    ],
)
def test_what_is_no_rise_just_before(rates: list[float | None]) -> None:
    assert rise(rates) is None


def test_a_slight_fall_after_it_takes_nothing_back() -> None:
    assert rise([0.1, 0.2, 0.4, 0.39, 0.38]) == RateRise(first_step=1, first_rate=0.1, last_step=3, last_rate=0.4)


def test_a_rate_that_rested_rises_anew() -> None:
    found = rise([0.01, 0.1] + [0.1] * 60 + [0.3])
    assert found == RateRise(first_step=62, first_rate=0.1, last_step=63, last_rate=0.3)


def test_a_long_rise_is_remembered_as_long_as_it_took() -> None:
    ramp = [float(k) for k in range(1, 101)]
    assert rise(ramp + [100.0] * 45) is not None
    assert rise(ramp + [100.0] * 120) is None
