from dataclasses import replace

from gradcheck_cli.records.raterise import RateRise
from gradcheck_cli.records.report import Remedy, Trial
from gradcheck_cli.remedies import after_rise, remedies_for

RISE = RateRise(first_step=20, first_rate=1e-3, last_step=80, last_rate=0.1)


def told(*outcomes: str) -> tuple[Remedy, ...]:
    """Clipping, then a lower rate, as trials with such outcomes have put them."""
    found = {each.id: each for each in remedies_for("lr-too-high")}
    order = ("clipping", "lower-lr")
    return tuple(replace(found[name], trial=Trial(outcome=o)) for name, o in zip(order, outcomes, strict=True))


def test_a_lower_peak_comes_first_where_nothing_came_out_better() -> None:
    first = after_rise(told("fixed", "fixed"), RISE)[0]
    assert first.id == "lower-lr"
    assert first.title == "a lower peak of the learning rate"
    assert first.code.endswith("# what the schedule reaches, not what it starts from")


def test_what_was_measured_to_be_better_stays_first() -> None:
    assert [each.id for each in after_rise(told("fixed", "no-effect"), RISE)] == ["clipping", "lower-lr"]


def test_a_run_that_has_a_warm_up_is_not_told_to_make_one() -> None:
    warm = next(each for each in after_rise(remedies_for("lr-too-high"), RISE) if each.id == "warmup")
    assert warm.title == "let the learning rate rise more slowly"
    assert warm.detail.startswith("It rose within 60 steps.")
    assert not warm.code


def test_without_remedies_there_is_nothing_to_tell() -> None:
    assert after_rise((), RISE) == ()
