"""Accounts in words: parts that add up, and kinds that users know."""

import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gradcheck_cli.evidence import gather
from gradcheck_cli.records.measurement import Measurement
from gradcheck_cli.rules.accountwords import _tenths, account_in_words, largest_loss, slopes, weights
from tests.measurements import LEAF, measurement, op, parameter
from tests.rules.chains import deep


def path(*steps: tuple[str, float]) -> Measurement:
    """A chain of ops from the loss down, each with the factor that it multiplies the gradient by, to one weight."""
    signal, ops = 1.0, []
    for index, (name, factor) in enumerate(steps):
        ops.append(op(name, signal, (index + 1, signal * factor)))
        signal *= factor
    return measurement(*ops, op(LEAF, signal), parameters=[parameter("weight", op=len(steps), grad=signal)])


def told(found: Measurement) -> str:
    evidence = gather(found)
    return account_in_words(evidence, evidence.paths.accounts[0], "net")


def sums(words: str) -> tuple[float, float]:
    """The whole that is told, and what its parts add up to."""
    whole, body = re.findall(r"(?:gains|loses) (\d+\.\d) decades", words)[0], words.partition("`: ")[2]
    along, _, against = body.partition(", less ")
    parts = sum(map(float, re.findall(r"(?:^|, |and )(\d+\.\d) (?:in|where|elsewhere)", along)))
    back = re.match(r"(\d+\.\d) (?:won back|lost again)", against)
    return float(whole), round(parts - float(back[1] if back else 0), 1)


def test_a_loss_is_told_by_kind() -> None:
    words = told(path(("MeanBackward0", 0.1), ("MulBackward0", 1e-3), ("SigmoidBackward0", 0.1), ("MmBackward0", 0.01)))
    assert words == (
        "the gradient loses 7.0 decades (powers of ten) between the loss and `net`: 3.0 in mul, 2.0 in 1 weight, "
        "1.0 in 1 sigmoid slope and 1.0 in means, sums and pooling"
    )


def test_what_is_won_back_is_told() -> None:
    words = told(path(("MseLossBackward0", 1e-3), ("DivBackward0", 10.0), ("MmBackward0", 10**-0.5)))
    assert words.endswith(": 3.0 in the loss and 0.5 in 1 weight, less 1.0 won back in div")


def test_what_is_lost_again_is_told_with_its_sum() -> None:
    words = told(path(("MseLossBackward0", 1e-2), ("DivBackward0", 1e6), ("MmBackward0", 0.1)))
    assert words.endswith(": 6.0 in div, less 3.0 lost again (2.0 in the loss and 1.0 in 1 weight)")


def test_steps_of_a_recurrent_module_are_told_as_such_and_what_is_of_one_kind_elsewhere_together() -> None:
    found = deep(*[("TanhBackward0", 0.1), ("MmBackward0", 0.1)] * 3, ("AddmmBackward0", 1.0))
    cell = replace(found, modules=(*found.modules[:2], replace(found.modules[2], kind="RNN")))
    evidence = gather(cell)
    words = account_in_words(evidence, evidence.paths.accounts[0], "body")
    assert words.endswith("between the loss and `body`: 6.0 in 1 step of `body` and 1.0 in mse_loss")


FACTORS = st.floats(-4, 4).map(lambda decades: 10**decades)
NAMES = st.sampled_from(
    ["MseLossBackward0", "MeanBackward0", "MulBackward0", "TanhBackward0", "MmBackward0", "NativeLayerNormBackward0"]
)


@given(st.lists(st.tuples(NAMES, FACTORS), min_size=2, max_size=12))
def test_the_parts_add_up_to_the_whole(steps: list[tuple[str, float]]) -> None:
    whole, parts = sums(told(path(*steps)))
    assert whole == parts


@given(st.lists(st.floats(-40, 40), min_size=1, max_size=9))
def test_rounding_moves_no_part_by_a_tenth(values: list[float]) -> None:
    tenths = _tenths(values)
    assert sum(tenths) == round(10 * sum(values))
    assert all(abs(n - 10 * value) < 1 + 1e-6 for n, value in zip(tenths, values, strict=True))


def test_products_without_a_weight_are_not_called_weights() -> None:
    found = path(("TanhBackward0", 0.1), ("MmBackward0", 0.1), ("ReluBackward0", 0.5), ("MmBackward0", 0.01))
    evidence = gather(found)
    (account,) = evidence.paths.ledger.accounts
    assert weights(evidence, account) == "2 matrix products (1 of weights)"
    assert slopes(evidence, account) == "1 relu and 1 tanh slopes"
    assert slopes(evidence, account, frozenset(("Tanh",))) == "1 tanh slope"
    where, lost = largest_loss(evidence, account)
    assert (where, round(lost, 6)) == ("in 2 matrix products (1 of weights)", 3.0)
