from gradcheck_cli.records.raterise import RateRise

RISE = RateRise(first_step=20, first_rate=1e-3, last_step=40, last_rate=0.1)


def test_a_rise_is_told_with_its_ends() -> None:
    assert RISE.told == "the learning rate rose from 0.001 to 0.1 between steps 20 and 40"


def test_an_alarms_numbers_hold_it() -> None:
    assert RateRise.of({"loss": 3.0, **RISE.evidence}) == RISE
    assert RateRise.of({"loss": 3.0}) is None
