import pytest

from gradcheck_cli.evidence import gather
from tests.corpus import CASES, Case
from tests.probe.comparing import assert_as_plain, made, probed, unbalanced
from tests.sweeping import sampled

FINITE = [case for case in CASES if case.family != "nonfinite"]
NONFINITE = [case for case in CASES if case.family == "nonfinite"]


@pytest.mark.parametrize("case", sampled(FINITE, 4, lambda case: case.name))
def test_as_plain_backward(case: Case) -> None:
    assert_as_plain(case.build)


@pytest.mark.parametrize("case", NONFINITE, ids=lambda case: case.name)
def test_accounts_of_what_stayed_finite_balance(case: Case) -> None:
    measurement = probed(*made(case.build))
    ledger = gather(measurement).paths.ledger
    accounted = {measurement.parameters[a.parameter].names[0] for a in ledger.accounts}
    assert accounted.isdisjoint({p.names[0] for p in measurement.parameters if p.nan_count or p.inf_count})
    assert {name: error for name, error in unbalanced(measurement, ledger).items() if name in accounted} == {}
