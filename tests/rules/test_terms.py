"""Terms that are flat, or that outweigh others: ill ones, and healthy ones that look like them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradcheck_cli import check
from gradcheck_cli.records.report import Finding

Z = torch.randn(64, 6, generator=torch.Generator().manual_seed(0))
ZEROS, ONES = torch.zeros(64, 1), torch.ones(64, 1)


class Gan(nn.Module):
    """A generator under a discriminator that finds logits around `logit`."""

    def __init__(self, logit: float, probability: bool) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.gen = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 8))
        self.disc = nn.Sequential(nn.Linear(8, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1)).requires_grad_(False)
        self.disc[2].bias.fill_(logit)
        self.last = nn.Sigmoid() if probability else nn.Identity()

    def forward(self, z: Tensor) -> Tensor:
        return self.last(self.disc(self.gen(z)))


def told(code: str, model: nn.Module, batch: Any, step: Callable[..., Tensor]) -> list[Finding]:
    return [f for f in check(model, batch, step=step).findings if f.code == code]


MINIMAX: dict[str, tuple[bool, Callable[[Tensor], Tensor]]] = {
    "log": (True, lambda p: torch.log(1 - p).mean()),
    "eps": (True, lambda p: (1 - p + 1e-8).log().mean()),
    "log1p": (True, lambda p: torch.log1p(-p).mean()),
    "bce": (True, lambda p: -F.binary_cross_entropy(p, ZEROS)),
    "logits": (False, lambda x: -F.binary_cross_entropy_with_logits(x, ZEROS)),
    "softplus": (False, lambda x: -F.softplus(x).mean()),
    "weighed": (True, lambda p: 1e-3 * torch.log(1 - p).mean()),
}
OTHERS: dict[str, tuple[bool, Callable[[Tensor], Tensor]]] = {
    "heuristic": (True, lambda p: -torch.log(p).mean()),
    "logits": (False, lambda x: F.binary_cross_entropy_with_logits(x, ONES)),
    "wasserstein": (False, lambda x: -x.mean()),
    "discriminator": (True, lambda p: -torch.log(1 - p).mean()),
    "discriminator-bce": (True, lambda p: F.binary_cross_entropy(p, ZEROS)),
}


@pytest.mark.parametrize("name", MINIMAX)
def test_a_generator_that_minimises_log_1_p_hears_nothing_of_a_sure_discriminator(name: str) -> None:
    probability, loss = MINIMAX[name]
    (found,) = told("GC215", Gan(-9.0, probability), Z, lambda model, z: loss(model(z)))
    assert (found.cause, found.severity.value, found.layers) == ("minimax-loss", "warning", ("gen.0", "gen.2"))
    assert [r.id for r in found.remedies][:1] == ["nonsaturating-loss"]


@pytest.mark.parametrize("name", MINIMAX)
@pytest.mark.parametrize("logit", [-1.0, 9.0], ids=["unsure", "fooled"])
def test_it_hears_one_that_is_not_sure_or_is_fooled(name: str, logit: float) -> None:
    probability, loss = MINIMAX[name]
    assert told("GC215", Gan(logit, probability), Z, lambda model, z: loss(model(z))) == []


@pytest.mark.parametrize("name", OTHERS)
def test_other_losses_of_a_sure_discriminator_are_steep_or_right(name: str) -> None:
    probability, loss = OTHERS[name]
    assert told("GC215", Gan(-9.0, probability), Z, lambda model, z: loss(model(z))) == []


# --------------------------------------------------------------------------- balance


def coder() -> nn.Module:
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 6))


def sparse(weight: float) -> Callable[..., Tensor]:
    def step(model: Any, x: Tensor) -> Tensor:
        codes = model[:2](x)
        return F.mse_loss(model[2](codes), x) + weight * codes.abs().sum(1).mean()

    return step


def decayed(weight: float) -> Callable[..., Tensor]:
    def step(model: nn.Module, x: Tensor) -> Tensor:
        loss = F.mse_loss(model(x), x)
        for p in model.parameters():
            loss = loss + weight * p.abs().sum()
        return loss

    return step


def tasks(first: float, second: float) -> Callable[..., Tensor]:
    def step(model: nn.Module, x: Tensor) -> Tensor:
        out = model(x)
        return first * F.mse_loss(out[:, :3], x[:, :3]) + second * F.mse_loss(out[:, 3:], x[:, 3:])

    return step


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (sparse(5.0), "`abs`"),
        (sparse(1e-3), None),
        (decayed(1.0), "`abs`"),
        (decayed(1e-4), None),
        (tasks(1e5, 1.0), "`mse_loss`"),
        (tasks(30.0, 1.0), None),
        (lambda model, x: F.mse_loss(model(x), x) + 1e6, None),  # a constant pulls at nothing
        (lambda model, x: 1e-6 * model(x).square().mean() + F.mse_loss(model(x), x), None),
    ],
    ids="codes codes-light weights weights-light tasks tasks-alike constant faint".split(),
)
def test_a_term_that_outweighs_the_others_is_a_note(step: Callable[..., Tensor], expected: str | None) -> None:
    found = told("GC216", coder(), Z, step)
    assert [(f.severity.value, f.cause) for f in found] == [("note", "loss-balance")] * (expected is not None)
    if expected:
        assert found[0].message.startswith(f"a term of the loss outweighs another: {expected} (line ")
        assert float(found[0].evidence["ratio"]) >= 30


def test_terms_of_different_layers_may_weigh_what_they_will() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(3)
            self.a, self.b = nn.Linear(6, 1), nn.Linear(6, 1)

    def step(model: Any, x: Tensor) -> Tensor:
        return 1e6 * model.a(x).abs().mean() + F.mse_loss(model.b(x), x[:, :1])

    assert told("GC216", Two(), Z, step) == []
