"""What to pass from outside, by what the user's line calls."""

from __future__ import annotations

import pytest

from gradcheck_cli.remedies import ROWS
from gradcheck_cli.remedies.calling import from_outside


@pytest.mark.parametrize(
    ("remedy", "op", "code", "told"),
    [
        ("eps", "div", "y = F.normalize(x, dim=-1)", "F.normalize(x, dim=-1, eps=1e-6)"),
        ("clamp", "xlogy", "loss = f(dist.log_prob(a), old)", "a = a.clamp(1e-6, 1 - 1e-6)"),
        ("clamp", "log", "return focal(p, y)", "p = p.clamp(min=1e-8)  # before focal()"),
        ("zero-infinity", "ctc_loss", "loss = nn.CTCLoss()(p, t, n, m)", "nn.CTCLoss(zero_infinity=True)"),
        ("finite-min", "sub", "kl = kl_divergence(p, q)", "masked_fill(mask, -1e4)"),
        ("double-where", "div", "y = helper(z)", "z = torch.where(z != 0, z, 1.0)"),
    ],
)
def test_what_the_call_takes_is_told(remedy: str, op: str, code: str, told: str) -> None:
    found = from_outside(ROWS[remedy].remedy, op, code)
    assert found is not None and told in found.code
    assert found.trial.note.startswith("untried")


def test_what_lies_between_0_and_1_is_kept_from_both_ends() -> None:
    found = from_outside(ROWS["clamp"].remedy, "log", "return focal(p, y)", shares=True)
    assert found is not None and found.code.startswith("p = p.clamp(1e-7, 1 - 1e-7)")


@pytest.mark.parametrize("code", ["y = x + 1", "(g,) = torch.autograd.grad(e.sum(), x)", "y = f("])
def test_nothing_is_told_where_nothing_is_called_or_a_derivative_is_taken(code: str) -> None:
    assert from_outside(ROWS["clamp"].remedy, "div", code) is None
