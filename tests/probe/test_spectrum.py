"""The spectral radius of recurrent weights."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from gradcheck_cli import check
from gradcheck_cli.probe.spectrum import spectral_radius


@given(size=st.integers(1, 40), seed=st.integers(0, 1000), log_scale=st.floats(-6, 6))
def test_it_is_the_largest_absolute_eigenvalue(size: int, seed: int, log_scale: float):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(size, size, generator=generator, dtype=torch.float64) * 10**log_scale
    largest = torch.linalg.eigvals(weight).abs().max().item()
    assert spectral_radius(weight) == pytest.approx(largest, rel=5e-3)


def test_the_edges():
    assert spectral_radius(torch.zeros(3, 3)) == 0.0
    assert spectral_radius(torch.tensor([[0.0, 1.0], [0.0, 0.0]])) == 0.0  # nilpotent: it forgets in two steps
    assert spectral_radius(torch.full((2, 2), math.nan)) is None


class Linear(nn.Module):
    def __init__(self, rho: float):
        super().__init__()
        torch.manual_seed(0)
        self.inputs, self.out = nn.Linear(4, 16), nn.Linear(16, 16)
        self.recurrent = nn.Parameter(rho * nn.init.orthogonal_(torch.empty(16, 16)))

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(len(x), 16)
        for step in x.unbind(1):
            state = state @ self.recurrent.T + self.inputs(step)
        return self.out(state)


@pytest.mark.parametrize("rho", [0.6, 1.3])
def test_it_explains_the_attenuation_of_a_linear_recurrence(rho: float):
    torch.manual_seed(0)
    report = check(Linear(rho), (torch.randn(8, 60, 4), torch.randint(16, (8,))), loss="cross_entropy")
    (finding,) = [f for f in report.findings if f.severity.value != "note"]
    assert finding.evidence["spectral_radius"] == pytest.approx(rho, rel=1e-3)
    assert finding.evidence["decades_per_step"] == pytest.approx(math.log10(rho), rel=1e-2)
    assert f"spectral radius is {rho:.2f}" in finding.why
