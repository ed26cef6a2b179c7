"""An update on a copy is the one that the run makes, and leaves no trace in it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import (
    ASGD,
    LBFGS,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    NAdam,
    Optimizer,
    RAdam,
    RMSprop,
    Rprop,
)
from torch.optim.optimizer import register_optimizer_step_pre_hook

from gradcheck_cli.records.retrying import UpdateChange, UpdateVariant
from gradcheck_cli.watch.attempts import Attempt
from gradcheck_cli.watch.copyupdate import UpdateStart, here, holding, made, why_not

AS_RUN = UpdateVariant(change=UpdateChange.AS_RUN)
MAKERS: dict[str, Callable[[Any], Optimizer]] = {
    "sgd": lambda p: SGD(p, lr=0.1),
    "momentum": lambda p: SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda p: Adam(p, lr=0.01),
    "amsgrad": lambda p: Adam(p, lr=0.01, amsgrad=True),
    "adamw": lambda p: AdamW(p, lr=torch.tensor(0.01), weight_decay=0.1),
    "fused": lambda p: AdamW(p, lr=0.01, fused=True),
    "foreach": lambda p: Adam(p, lr=0.01, foreach=True),
    "rmsprop": lambda p: RMSprop(p, lr=0.01, momentum=0.9, centered=True),
    "adagrad": lambda p: Adagrad(p, lr=0.1),
    "adadelta": lambda p: Adadelta(p),
    "adamax": lambda p: Adamax(p),
    "nadam": lambda p: NAdam(p),
    "radam": lambda p: RAdam(p),
    "asgd": lambda p: ASGD(p),
    "rprop": lambda p: Rprop(p),
    "groups": lambda p: SGD([{"params": list(p)[:1], "lr": 1.0}, {"params": list(p)[1:]}], lr=0.1, momentum=0.5),
}


def trained(maker: Callable[[Any], Optimizer], steps: int = 3) -> Attempt:
    """An optimiser with a state, whose parameters have gradients."""
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2))
    optimizer = maker(list(model.parameters()))
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(8, 4)).square().mean().backward()
        optimizer.step()
    optimizer.zero_grad()
    model(torch.randn(8, 4)).square().mean().backward()
    return Attempt(optimizer, 0, steps + 1, None)


def all_of(attempt: Attempt) -> Any:
    held = list(attempt.parameters())
    return copy.deepcopy((held, [p.grad for p in held], attempt.optimizer.state_dict(), torch.get_rng_state()))


def assert_same(one: Any, other: Any) -> None:
    assert repr(one) == repr(other)
    for x, y in zip(torch.utils._pytree.tree_leaves(one), torch.utils._pytree.tree_leaves(other), strict=True):
        assert not isinstance(x, Tensor) or torch.equal(x, y)


@pytest.mark.parametrize("name", MAKERS)
def test_the_update_is_the_one_that_the_run_then_makes_and_nothing_moved(name: str) -> None:
    attempt = trained(MAKERS[name])
    before = all_of(attempt)
    update = made(attempt, here(attempt), AS_RUN)
    assert_same(all_of(attempt), before)
    values = [p.detach().clone() for p in attempt.parameters()]
    attempt.optimizer.step()
    ratios = []
    for parameter, value in zip(attempt.parameters(), values, strict=True):
        assert torch.equal(update.values[id(parameter)], parameter)
        if parameter.dim() > 1:
            ratios.append(float((parameter - value).norm() / value.norm()))
    assert update.size == pytest.approx(max(ratios), rel=1e-5)


def one(lr: float = 0.5, **options: Any) -> Attempt:
    """w = (3, 4), g = (6, 8): |g| = 10."""
    weight = nn.Parameter(torch.tensor([[3.0, 4.0]]))
    weight.grad = torch.tensor([[6.0, 8.0]])
    return Attempt(SGD([weight], lr=lr, **options), 0, 1, None)


@pytest.mark.parametrize(
    ("tried", "expected"),
    [
        (AS_RUN, [0.0, 0.0]),
        (UpdateVariant(change=UpdateChange.LOWER_RATE, amount=0.1), [2.7, 3.6]),
        (UpdateVariant(change=UpdateChange.HIGHER_RATE, amount=2.0), [-3.0, -4.0]),
        (UpdateVariant(change=UpdateChange.CLIPPED, amount=1.0), [2.7, 3.6]),
    ],
)
def test_changes_of_a_plain_step(tried: UpdateVariant, expected: list[float]) -> None:
    attempt = one()
    (weight,) = attempt.parameters()
    update = made(attempt, here(attempt), tried)
    assert update.values[id(weight)].flatten().tolist() == pytest.approx(expected, abs=1e-5)
    assert weight.tolist() == [[3.0, 4.0]] and weight.grad is not None and weight.grad.tolist() == [[6.0, 8.0]]


def test_a_larger_eps_and_a_state_that_is_begun_anew() -> None:
    """Adam's first step is lr g / (|g| + eps); with the averages of silence it is lr times 0.1 / sqrt(0.001)."""
    weight = nn.Parameter(torch.tensor([[1.0]]))
    optimizer = Adam([weight], lr=0.01)
    for _ in range(5000):
        weight.grad = torch.zeros_like(weight)
        optimizer.step()
    weight.grad = torch.tensor([[2.0]])
    attempt = Attempt(optimizer, 0, 5001, None)

    def step(tried: UpdateVariant) -> float:
        return 1.0 - float(made(attempt, here(attempt), tried).values[id(weight)])

    assert step(AS_RUN) == pytest.approx(0.01 * 0.1 / 0.001**0.5, rel=1e-2)
    assert step(UpdateVariant(change=UpdateChange.ANEW)) == pytest.approx(0.01, rel=1e-4)
    assert step(UpdateVariant(change=UpdateChange.EPS, amount=2.0)) == pytest.approx(
        0.01 * 0.2 / (2 * 0.001**0.5 + 2.0), rel=1e-2
    )


def test_no_hook_and_no_scheduler_hears_of_it() -> None:
    attempt = one()
    scheduler = torch.optim.lr_scheduler.StepLR(attempt.optimizer, 1)
    heard: list[str] = []
    hooks = [
        register_optimizer_step_pre_hook(lambda *args: heard.append("all")),
        attempt.optimizer.register_step_post_hook(lambda *args: heard.append("own")),
    ]
    assert not why_not(attempt)
    made(attempt, here(attempt), AS_RUN)
    for hook in hooks:
        hook.remove()
    assert heard == [] and scheduler.last_epoch == 0
    assert getattr(attempt.optimizer, "_opt_called", False) is False


def test_a_scaler_that_has_not_unscaled_yet() -> None:
    """Gradients are taken as they come after it, also where the script has asked for that already."""
    weight = nn.Parameter(torch.tensor([[1.0]]))
    optimizer = SGD([weight], lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for unscaled in (False, True):
        optimizer.zero_grad()
        scaler.scale((3 * weight).sum()).backward()
        if unscaled:
            scaler.unscale_(optimizer)
        start = here(Attempt(optimizer, 0, 1, scaler))
        assert start.gradients[id(weight)].item() == 3.0


def test_parameters_hold_other_values_for_a_while() -> None:
    weight = nn.Parameter(torch.ones(2))
    version, memory = weight._version, weight.data_ptr()
    with holding([weight], {id(weight): torch.zeros(2)}):
        assert weight.tolist() == [0.0, 0.0]
    assert (weight._version, weight.data_ptr(), weight.tolist()) == (version, memory, [1.0, 1.0])


class Own(SGD):
    def step(self, closure: Any = None) -> None:
        super().step(closure)


def hooked() -> Attempt:
    attempt = one()
    attempt.optimizer.register_step_pre_hook(lambda *args: None)
    return attempt


def replaced() -> Attempt:
    attempt = one()
    attempt.optimizer.step = lambda closure=None: None  # type: ignore[method-assign, assignment]
    return attempt


def sparse() -> Attempt:
    attempt = one()
    (weight,) = attempt.parameters()
    weight.grad = torch.eye(2)[:1].to_sparse()
    return attempt


def of_a_class() -> Attempt:
    class Special(nn.Parameter):
        pass

    return Attempt(SGD([Special(torch.ones(2))], lr=0.1), 0, 1, None)


@pytest.mark.parametrize(
    ("maker", "why"),
    [
        (lambda: None, "the parameters are updated by hand"),
        (
            lambda: Attempt(LBFGS([nn.Parameter(torch.ones(1))]), 0, 1, None, closure=True),
            "the backward pass runs inside the update",
        ),
        (
            lambda: Attempt(Own([nn.Parameter(torch.ones(1))], lr=0.1), 0, 1, None),
            "Own is none of torch's own optimisers: its step may do more than move parameters",
        ),
        (hooked, "hooks of its own run before the step of the SGD"),
        (replaced, "the step of the SGD was replaced"),
        (lambda: one(differentiable=True), "the SGD is differentiable"),
        (sparse, "a gradient is a Tensor of torch.sparse_coo"),
        (of_a_class, "a parameter is a Special"),
        (one, ""),
    ],
)
def test_why_an_update_is_not_made_on_a_copy(maker: Callable[[], Attempt | None], why: str) -> None:
    assert why_not(maker()) == why


def test_from_other_values() -> None:
    attempt = one()
    (weight,) = attempt.parameters()
    start = UpdateStart({id(weight): torch.tensor([[1.0, 1.0]])}, {id(weight): torch.tensor([[2.0, 0.0]])}, {})
    assert made(attempt, start, AS_RUN).values[id(weight)].tolist() == [[0.0, 1.0]]
