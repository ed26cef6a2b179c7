"""Small training loops in pairs: one with a fault of the loop, and one that looks like it and is as it should be.

Each takes the number of updates to make.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.nn import functional as F
from torch.optim import SGD, Adam, lr_scheduler
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset

Script = Callable[[int], None]
ILL: list[tuple[str, Script]] = []
"""The code of the fault, and the loop."""
WELL: list[Script] = []


def ill(code: str) -> Callable[[Script], Script]:
    def known(script: Script) -> Script:
        ILL.append((code, script))
        return script

    return known


def well(script: Script) -> Script:
    WELL.append(script)
    return script


def net(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for below, above in pairwise(sizes):
        layers += [nn.Linear(below, above), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def batches(steps: int, seed: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        x = torch.randn(16, 8, generator=generator)
        yield x, x[:, :1].sin()


def small() -> tuple[nn.Sequential, SGD]:
    model = net(8, 16, 1)
    return model, SGD(model.parameters(), lr=0.05)


def mse(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return F.mse_loss(model(x), y)


# ---------------------------------------------------------------- gradients and their order


@ill("GC650")
def never_cleared(steps: int) -> None:
    model, optimizer = small()
    for x, y in batches(steps):
        mse(model, x, y).backward()
        optimizer.step()


@ill("GC650")
def another_is_cleared(steps: int) -> None:
    model, optimizer = small()
    other, _ = small()
    for x, y in batches(steps):
        other.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()


@well
def cleared_after_the_step(steps: int) -> None:
    model, optimizer = small()
    for x, y in batches(steps):
        mse(model, x, y).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)


@well
def cleared_by_hand(steps: int) -> None:
    model, optimizer = small()
    for x, y in batches(steps):
        for p in model.parameters():
            p.grad = None
        mse(model, x, y).backward()
        optimizer.step()


@well
def accumulates(steps: int) -> None:
    model, optimizer = small()
    for place, (x, y) in enumerate(batches(4 * steps)):
        (mse(model, x, y) / 4).backward()
        if place % 4 == 3:
            optimizer.step()
            optimizer.zero_grad()


@well
def momentum_by_hand(steps: int) -> None:
    """What is kept of old gradients is kept on purpose: each is multiplied first."""
    model, optimizer = small()
    for x, y in batches(steps):
        for p in model.parameters():
            if p.grad is not None:
                p.grad.mul_(0.9)
        mse(model, x, y).backward()
        optimizer.step()


@well
def game(steps: int) -> None:
    """The generator's backward pass leaves gradients in the discriminator, which are cleared before its own."""
    made, told = net(4, 16, 8), net(8, 16, 1)
    one, two = Adam(made.parameters(), lr=1e-3), Adam(told.parameters(), lr=1e-3)
    for x, _ in batches(steps):
        z = torch.randn(16, 4)
        one.zero_grad()
        F.softplus(-told(made(z))).mean().backward()
        one.step()
        two.zero_grad()
        (F.softplus(told(made(z).detach())) + F.softplus(-told(x))).mean().backward()
        two.step()


@ill("GC674")
def mixed_game(steps: int) -> None:
    """What the generator's loss leaves in the discriminator is stepped on with its own."""
    made, told = net(4, 16, 8), net(8, 16, 1)
    one, two = Adam(made.parameters(), lr=1e-3), Adam(told.parameters(), lr=1e-3)
    for x, _ in batches(steps):
        z = torch.randn(16, 4)
        one.zero_grad()
        F.softplus(-told(made(z))).mean().backward()
        one.step()
        (F.softplus(told(made(z).detach())) + F.softplus(-told(x))).mean().backward()
        two.step()
        two.zero_grad()


@well
def two_losses_before_the_steps(steps: int) -> None:
    body, heads = net(8, 16), [net(16, 1), net(16, 1)]
    one, two = Adam(body.parameters(), lr=1e-3), Adam([p for head in heads for p in head.parameters()], lr=1e-3)
    for x, y in batches(steps):
        one.zero_grad()
        two.zero_grad()
        F.mse_loss(heads[0](body(x)), y).backward()
        F.l1_loss(heads[1](body(x)), y).backward()
        one.step()
        two.step()


def _by_hand(steps: int, clear: Callable[[Tensor, int], None]) -> None:
    model = net(8, 16, 1)
    for place, (x, y) in enumerate(batches(steps)):
        mse(model, x, y).backward()
        for p in model.parameters():
            p.data -= 0.01 * p.grad  # type: ignore[operator]
            clear(p, place)


@ill("GC650")
def by_hand_and_never_cleared(steps: int) -> None:
    _by_hand(steps, lambda p, place: None)


def _clipped_by_hand(steps: int, fade: float) -> None:
    model = net(8, 16, 1)
    for x, y in batches(steps):
        mse(model, x, y).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        for p in model.parameters():
            p.data.add_(p.grad, alpha=-0.01)  # type: ignore[arg-type]
            if fade < 1:
                p.grad.mul_(fade)  # type: ignore[union-attr]


@ill("GC650")
def by_hand_clipped_and_never_cleared(steps: int) -> None:
    _clipped_by_hand(steps, 1.0)


@well
def by_hand_clipped_and_faded(steps: int) -> None:
    _clipped_by_hand(steps, 0.9)


@well
def by_hand_and_cleared(steps: int) -> None:
    def clear(p: Tensor, place: int) -> None:
        p.grad = None

    _by_hand(steps, clear)


@well
def by_hand_and_faded(steps: int) -> None:
    """Momentum: what is left of the gradient is multiplied."""

    def fade(p: Tensor, place: int) -> None:
        p.grad.mul_(0.9)  # type: ignore[union-attr]

    _by_hand(steps, fade)


@ill("GC651")
def cleared_between(steps: int) -> None:
    model, optimizer = small()
    for x, y in batches(steps):
        mse(model, x, y).backward()
        optimizer.zero_grad()
        optimizer.step()


@ill("GC651")
def zeroed_between(steps: int) -> None:
    model, optimizer = small()
    for x, y in batches(steps):
        loss = mse(model, x, y)
        loss.backward()
        for p in model.parameters():
            assert p.grad is not None
        model.zero_grad(set_to_none=False)
        optimizer.step()


@ill("GC651")
def steps_before_backward(steps: int) -> None:
    model, optimizer = small()
    for x, y in batches(steps):
        optimizer.zero_grad()
        optimizer.step()
        mse(model, x, y).backward()


@ill("GC652")
def no_backward(steps: int) -> None:
    model, optimizer = small()
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y)
        optimizer.step()


@well
def gradients_by_hand(steps: int) -> None:
    model, optimizer = small()
    parameters = list(model.parameters())
    for x, y in batches(steps):
        for p, g in zip(parameters, torch.autograd.grad(mse(model, x, y), parameters), strict=True):
            p.grad = g
        optimizer.step()


@well
def two_share_a_loss(steps: int) -> None:
    model = net(8, 16, 1)
    one, two = SGD(model[0].parameters(), lr=0.05), Adam(model[2].parameters(), lr=1e-3)
    for x, y in batches(steps):
        one.zero_grad()
        two.zero_grad()
        mse(model, x, y).backward()
        one.step()
        two.step()


@ill("GC653")
def steps_twice(steps: int) -> None:
    model, optimizer = small()
    for x, y in batches(steps // 2):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()
        optimizer.step()


@well
def steps_by_closure(steps: int) -> None:
    model = net(8, 16, 1)
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=4)
    for x, y in batches(steps):

        def closure(x: Tensor = x, y: Tensor = y) -> Tensor:
            optimizer.zero_grad()
            loss = mse(model, x, y)
            loss.backward()
            return loss

        optimizer.step(closure)


@ill("GC654")
def only_the_last(steps: int) -> None:
    model, optimizer = small()
    for place, (x, y) in enumerate(batches(4 * steps)):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        if place % 4 == 3:
            optimizer.step()


@well
def surgery(steps: int) -> None:
    model, optimizer = small()
    for x, y in batches(steps):
        kept: list[list[Tensor]] = []
        output = model(x)
        for loss in (F.mse_loss(output, y), output.square().mean()):
            optimizer.zero_grad()
            loss.backward(retain_graph=True)
            kept.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
        for p, one, two in zip(model.parameters(), *kept, strict=True):
            p.grad = one + two - two * min(0.0, float((one * two).sum() / two.square().sum()))
        optimizer.step()


@well
def sharpness_aware(steps: int) -> None:
    model, optimizer = small()
    for x, y in batches(steps):
        for first in (True, False):
            optimizer.zero_grad()
            mse(model, x, y).backward()
            if first:
                moved = [0.05 * p.grad for p in model.parameters() if p.grad is not None]
                with torch.no_grad():
                    torch._foreach_add_(list(model.parameters()), moved)
        with torch.no_grad():
            torch._foreach_sub_(list(model.parameters()), moved)
        optimizer.step()


# ---------------------------------------------------------------- clipping and loss scales


def scaled(steps: int, order: str) -> None:
    model, optimizer = small()
    scaler = GradScaler("cpu", init_scale=1024.0)
    for x, y in batches(steps):
        optimizer.zero_grad()
        scaler.scale(mse(model, x, y)).backward()
        for call in order:
            if call == "u":
                scaler.unscale_(optimizer)
            else:
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()


@ill("GC655")
def clips_what_is_scaled(steps: int) -> None:
    scaled(steps, "c")


@ill("GC655")
def clips_and_then_unscales(steps: int) -> None:
    scaled(steps, "cu")


@well
def unscales_and_then_clips(steps: int) -> None:
    scaled(steps, "uc")


@well
def clips_under_a_scale_of_one(steps: int) -> None:
    model, optimizer = small()
    scaler = GradScaler("cpu", enabled=False)
    for x, y in batches(steps):
        optimizer.zero_grad()
        scaler.scale(mse(model, x, y)).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()


@ill("GC656")
def clips_too_late(steps: int) -> None:
    model, optimizer = small()
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)


@well
def measures_the_norm(steps: int) -> None:
    model, optimizer = small()
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()
        nn.utils.clip_grad_norm_(model.parameters(), math.inf)


@ill("GC657")
def clips_nothing(steps: int) -> None:
    model = net(8, 16, 1)
    parameters = model.parameters()
    optimizer = SGD(parameters, lr=0.05)
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()


@well
def clips_a_generator(steps: int) -> None:
    model, optimizer = small()
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        nn.utils.clip_grad_value_((p for p in model.parameters()), 1.0)
        optimizer.step()


@ill("GC658")
def loss_is_not_scaled(steps: int) -> None:
    model, optimizer = small()
    scaler = GradScaler("cpu", init_scale=1024.0)
    for x, y in batches(steps):
        optimizer.zero_grad()
        loss = mse(model, x, y)
        scaler.scale(loss)
        loss.backward()
        scaler.step(optimizer)
        scaler.update()


@well
def scaled_loss_is_divided(steps: int) -> None:
    model, optimizer = small()
    scaler = GradScaler("cpu", init_scale=1024.0)
    for x, y in batches(steps):
        optimizer.zero_grad()
        for part in (slice(8), slice(8, 16)):
            (scaler.scale(mse(model, x[part], y[part])) / 2).backward()
        scaler.step(optimizer)
        scaler.update()


@ill("GC659")
def takes_what_is_scaled(steps: int) -> None:
    model, optimizer = small()
    scaler = GradScaler("cpu", init_scale=1024.0)
    for x, y in batches(steps):
        optimizer.zero_grad()
        scaler.scale(mse(model, x, y)).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


@well
def unscales_and_steps(steps: int) -> None:
    model, optimizer = small()
    scaler = GradScaler("cpu", init_scale=1024.0)
    for x, y in batches(steps):
        optimizer.zero_grad()
        scaler.scale(mse(model, x, y)).backward()
        scaler.unscale_(optimizer)
        optimizer.step()
        scaler.update()


# ---------------------------------------------------------------- modes, losses, batches


@ill("GC660")
def held_by_two(steps: int) -> None:
    model = net(8, 16, 1)
    one, two = SGD(model.parameters(), lr=0.05), Adam(model[2].parameters(), lr=1e-3)
    for x, y in batches(steps):
        one.zero_grad()
        mse(model, x, y).backward()
        one.step()
        two.step()


@well
def two_in_stages(steps: int) -> None:
    model = net(8, 16, 1)
    first, then = Adam(model.parameters(), lr=1e-3), SGD(model.parameters(), lr=0.05)
    for place, (x, y) in enumerate(batches(steps)):
        optimizer = first if place < steps // 2 else then
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()


@well
def two_take_turns(steps: int) -> None:
    """A shared body, and two losses with a backward pass and an optimiser each."""
    body, heads = net(8, 16), [net(16, 1), net(16, 1)]
    optimizers = [Adam([*body.parameters(), *head.parameters()], lr=1e-3) for head in heads]
    for x, y in batches(steps):
        for head, optimizer in zip(heads, optimizers, strict=True):
            optimizer.zero_grad()
            F.mse_loss(head(body(x)), y).backward()
            optimizer.step()


def with_dropout() -> tuple[nn.Sequential, Adam]:
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 1))
    return model, Adam(model.parameters(), lr=1e-3)


@ill("GC661")
def left_in_eval(steps: int) -> None:
    model, optimizer = with_dropout()
    for place, (x, y) in enumerate(batches(steps)):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()
        if place == 4:
            model.eval()
            with torch.no_grad():
                mse(model, x, y)


@ill("GC661")
def always_in_eval(steps: int) -> None:
    model, optimizer = with_dropout()
    model.eval()
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()


@well
def evaluates_now_and_then(steps: int) -> None:
    model, optimizer = with_dropout()
    for place, (x, y) in enumerate(batches(steps)):
        model.train()
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()
        if place % 5 == 4:
            model.eval()
            with torch.no_grad():
                mse(model, x, y)


@well
def frozen_norms(steps: int) -> None:
    model, optimizer = with_dropout()
    for place, (x, y) in enumerate(batches(steps)):
        model.train()
        if place > 4:
            model[1].eval()
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()


@well
def eval_without_a_matter(steps: int) -> None:
    model, optimizer = small()
    model.eval()
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()


@ill("GC662")
def made_anew(steps: int) -> None:
    model, optimizer = small()
    for x, y in batches(steps):
        optimizer.zero_grad()
        loss = torch.tensor(mse(model, x, y).item(), requires_grad=True)
        loss.backward()
        optimizer.step()


@ill("GC662")
def detached_output(steps: int) -> None:
    model, optimizer = small()
    for x, y in batches(steps):
        optimizer.zero_grad()
        output = model(x).detach().requires_grad_()
        F.mse_loss(output, y).backward()
        optimizer.step()


@well
def detached_target(steps: int) -> None:
    model, optimizer = small()
    for x, y in batches(steps):
        optimizer.zero_grad()
        output = model(x)
        F.mse_loss(output, 0.5 * (output.detach() + y)).backward()
        optimizer.step()


def loader() -> DataLoader[tuple[Tensor, ...]]:
    x = torch.randn(64, 8, generator=torch.Generator().manual_seed(1))
    return DataLoader(TensorDataset(x, x[:, :1].sin()), batch_size=16)


@ill("GC663")
def first_batch_only(steps: int) -> None:
    model, optimizer = small()
    data = loader()
    for _ in range(steps):
        x, y = next(iter(data))
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()


@well
def one_batch_on_purpose(steps: int) -> None:
    model, optimizer = small()
    x, y = next(iter(loader()))
    for _ in range(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()


@well
def breaks_off(steps: int) -> None:
    model, optimizer = small()
    data = loader()
    for _ in range(steps):
        for x, y in data:
            optimizer.zero_grad()
            mse(model, x, y).backward()
            optimizer.step()
            break


@well
def all_as_one_batch(steps: int) -> None:
    model, optimizer = small()
    data = loader()
    whole = DataLoader(data.dataset, batch_size=64)
    for _ in range(steps):
        for x, y in whole:
            optimizer.zero_grad()
            mse(model, x, y).backward()
            optimizer.step()


@ill("GC664")
def reseeded(steps: int) -> None:
    model, optimizer = small()
    data = torch.randn(64, 8, generator=torch.Generator().manual_seed(1))
    for _ in range(steps):
        torch.manual_seed(7)
        x = data[torch.randperm(64)[:16]]
        optimizer.zero_grad()
        mse(model, x, x[:, :1].sin()).backward()
        optimizer.step()


@ill("GC664")
def same_masks(steps: int) -> None:
    model, optimizer = with_dropout()
    for x, y in batches(steps):
        torch.manual_seed(7)
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()


@well
def seeded_by_the_step(steps: int) -> None:
    model, optimizer = with_dropout()
    for place, (x, y) in enumerate(batches(steps)):
        torch.manual_seed(place)
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()


@well
def seeded_for_nothing(steps: int) -> None:
    model, optimizer = small()
    for x, y in batches(steps):
        torch.manual_seed(7)
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()


# ---------------------------------------------------------------- weights, optimisers, schedules


@ill("GC665")
def loads_each_step(steps: int) -> None:
    model, optimizer = small()
    start = copy.deepcopy(model.state_dict())
    for x, y in batches(steps):
        model.load_state_dict(start)
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()


@well
def weights_are_clamped(steps: int) -> None:
    model, optimizer = small()
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()
        with torch.no_grad():
            for p in model.parameters():
                p.clamp_(-0.3, 0.3)


@well
def averages_are_swapped_in(steps: int) -> None:
    model, optimizer = small()
    average = copy.deepcopy(model.state_dict())
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()
        now = copy.deepcopy(model.state_dict())
        average = {name: 0.9 * average[name] + 0.1 * now[name] for name in now}
        model.load_state_dict(average)
        with torch.no_grad():
            mse(model, x, y)
        model.load_state_dict(now)


@ill("GC666")
def adam_in_the_loop(steps: int) -> None:
    model = net(8, 16, 1)
    for x, y in batches(steps):
        optimizer = Adam(model.parameters(), lr=1e-3)
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()


@well
def sgd_in_the_loop(steps: int) -> None:
    model = net(8, 16, 1)
    for x, y in batches(steps):
        optimizer = SGD(model.parameters(), lr=0.05)
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()


@ill("GC667")
def schedules_another(steps: int) -> None:
    model, optimizer = small()
    scheduler = lr_scheduler.StepLR(optimizer, 5)
    optimizer = SGD(model.parameters(), lr=0.05, momentum=0.9)
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()
        scheduler.step()


@well
def schedules_its_own(steps: int) -> None:
    model, optimizer = small()
    scheduler = lr_scheduler.SequentialLR(
        optimizer,
        [
            lr_scheduler.LinearLR(optimizer, 0.1, total_iters=3),
            lr_scheduler.CosineAnnealingLR(optimizer, steps - 3),
        ],
        [3],
    )
    for x, y in batches(steps + 3):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()
        scheduler.step()


@ill("GC668")
def copied_model(steps: int) -> None:
    model, optimizer = small()
    model = copy.deepcopy(model)
    for x, y in batches(steps):
        optimizer.zero_grad()
        model.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()


@ill("GC668")
def replaced_head(steps: int) -> None:
    model, optimizer = small()
    model[2] = nn.Linear(16, 1)
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()


@ill("GC668")
def assigned_on_the_way(steps: int) -> None:
    model, optimizer = small()
    for place, (x, y) in enumerate(batches(steps)):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()
        if place == 9:
            model.load_state_dict(copy.deepcopy(model.state_dict()), assign=True)


@well
def twin_that_waits(steps: int) -> None:
    """Both are asked to step each time, and learn by turns of ten."""
    pair = [small(), small()]
    for place, (x, y) in enumerate(batches(steps)):
        for _, optimizer in pair:
            optimizer.zero_grad()
        mse(pair[place // 10 % 2][0], x, y).backward()
        for _, optimizer in pair:
            optimizer.step()


@well
def target_network(steps: int) -> None:
    model, optimizer = small()
    target = copy.deepcopy(model)
    for place, (x, y) in enumerate(batches(steps)):
        optimizer.zero_grad()
        F.mse_loss(model(x), y + 0.5 * target(x)).backward()
        optimizer.step()
        if place % 10 == 9:
            target.load_state_dict(model.state_dict())


@ill("GC669")
def forgotten_decoder(steps: int) -> None:
    encoder, decoder = net(8, 16), net(16, 16, 1)
    optimizer = SGD(encoder.parameters(), lr=0.05)
    for x, y in batches(steps):
        optimizer.zero_grad()
        F.mse_loss(decoder(encoder(x)), y).backward()
        optimizer.step()


class Listed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = [nn.Linear(8, 16), nn.Linear(16, 16)]
        self.head = nn.Linear(16, 1)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.hidden:
            x = layer(x).tanh()
        out: Tensor = self.head(x)
        return out


@ill("GC669")
def listed_layers(steps: int) -> None:
    model = Listed()
    optimizer = SGD([*model.head.parameters(), nn.Parameter(torch.zeros(1))], lr=0.05)
    extra = net(1, 8, 1)
    optimizer.add_param_group({"params": list(extra.parameters())})
    for x, y in batches(steps):
        optimizer.zero_grad()
        F.mse_loss(model(x) + extra(x[:, :1]), y).backward()
        optimizer.step()


def trained_first(model: nn.Module, steps: int) -> None:
    optimizer = SGD(model.parameters(), lr=0.05)
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()


@ill("GC669")
def head_replaced_after_pretraining(steps: int) -> None:
    model = net(8, 16, 16, 1)
    trained_first(model, 2 * steps)
    optimizer = SGD(model.parameters(), lr=0.05)
    model[2] = nn.Linear(16, 16)
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()


@well
def a_new_head_alone_after_pretraining(steps: int) -> None:
    model = net(8, 16, 16, 1)
    trained_first(model, 2 * steps)
    model[2] = nn.Linear(16, 16)
    optimizer = SGD(model[2].parameters(), lr=0.05)
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()


@well
def a_head_alone(steps: int) -> None:
    model = net(8, 16, 1)
    optimizer = SGD(model[2].parameters(), lr=0.05)
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()


@well
def moved_by_hand(steps: int) -> None:
    encoder, decoder = net(8, 16), net(16, 16, 1)
    optimizer = SGD(encoder.parameters(), lr=0.05)
    for x, y in batches(steps):
        optimizer.zero_grad()
        decoder.zero_grad()
        F.mse_loss(decoder(encoder(x)), y).backward()
        optimizer.step()
        with torch.no_grad():
            for p in decoder.parameters():
                assert p.grad is not None
                p.sub_(0.05 * p.grad)


class Cut(nn.Module):
    def __init__(self, cut: bool) -> None:
        super().__init__()
        self.below, self.above, self.cut = nn.Linear(8, 16), nn.Linear(16, 1), cut
        self.spare = nn.Linear(16, 1)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.below(x).tanh()
        out: Tensor = self.above(hidden.detach() if self.cut else hidden)
        return out


def cut(steps: int, *, is_cut: bool) -> None:
    model = Cut(is_cut)
    optimizer = SGD(model.parameters(), lr=0.05)
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()


@ill("GC670")
def cut_below(steps: int) -> None:
    cut(steps, is_cut=True)


@ill("GC670")
def without_gradients_below(steps: int) -> None:
    below, above = net(8, 16), net(16, 1)
    optimizer = SGD([*below.parameters(), *above.parameters()], lr=0.05)
    for x, y in batches(steps):
        optimizer.zero_grad()
        with torch.no_grad():
            hidden = below(x)
        F.mse_loss(above(hidden), y).backward()
        optimizer.step()


def forger_and_expert(steps: int, *, detached: bool) -> None:
    forger, expert = net(8, 16, 8), net(8, 16, 1)
    by_forger, by_expert = Adam(forger.parameters(), lr=0.01), Adam(expert.parameters(), lr=0.01)
    for x, _ in batches(steps):
        made = forger(torch.randn(16, 8))
        made = made.detach() if detached else made
        by_expert.zero_grad()
        (F.softplus(-expert(x)) + F.softplus(expert(made.detach()))).mean().backward()
        by_expert.step()
        by_forger.zero_grad()
        F.softplus(-expert(made)).mean().backward()
        by_forger.step()


@ill("GC670")
def forger_gets_nothing(steps: int) -> None:
    forger_and_expert(steps, detached=True)


@well
def forger_learns(steps: int) -> None:
    forger_and_expert(steps, detached=False)


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.one, self.other = nn.Linear(8, 64), nn.Linear(64, 1), nn.Linear(64, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.body(x).tanh()
        return self.one(hidden), self.other(hidden)


@well
def a_head_that_no_loss_uses(steps: int) -> None:
    model = TwoHeads()
    optimizer = SGD(model.parameters(), lr=0.05)
    for x, y in batches(steps):
        optimizer.zero_grad()
        F.mse_loss(model(x)[0], y).backward()
        optimizer.step()


@well
def spare_layer(steps: int) -> None:
    cut(steps, is_cut=False)


@ill("GC671")
def frozen_head(steps: int) -> None:
    model = net(8, 64, 1)
    model[2].requires_grad_(False)
    optimizer = SGD(model.parameters(), lr=0.05)
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()


@well
def frozen_body(steps: int) -> None:
    model = net(8, 16, 1)
    model[0].requires_grad_(False)
    optimizer = SGD(model.parameters(), lr=0.05)
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()


@well
def distilled(steps: int) -> None:
    """A random network, frozen, is what another one learns to foretell (RND)."""
    model, optimizer = small()
    fixed = net(8, 16, 1).requires_grad_(False)
    for x, _ in batches(steps):
        optimizer.zero_grad()
        F.mse_loss(model(x), fixed(x)).backward()
        optimizer.step()


class Distilled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.told, self.fixed = net(8, 64, 4), net(8, 64, 4).requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return F.mse_loss(self.told(x), self.fixed(x))


@well
def distilled_within_one_module(steps: int) -> None:
    model = Distilled()
    optimizer = SGD(model.parameters(), lr=0.05)
    for x, _ in batches(steps):
        optimizer.zero_grad()
        model(x).backward()
        optimizer.step()


@well
def checkpointed(steps: int) -> None:
    """The graph of what is computed again in the backward pass is not touched before."""
    model, optimizer = small()
    calls = []

    def below(x: Tensor) -> Tensor:
        calls.append(1)
        return F.tanh(model[0](x))

    for x, y in batches(steps):
        optimizer.zero_grad()
        F.mse_loss(model[2](checkpoint(below, x, use_reentrant=False)), y).backward()
        optimizer.step()
    assert len(calls) == 2 * steps


def scheduled(steps: int, period: int) -> None:
    model, optimizer = small()
    scheduler = lr_scheduler.PolynomialLR(optimizer, period)
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()
        scheduler.step()


@ill("GC672")
def rate_ends_early(steps: int) -> None:
    scheduled(2 * steps, 5)


@well
def rate_ends_at_the_end(steps: int) -> None:
    scheduled(2 * steps, 2 * steps - 8)


@well
def warms_up_from_zero(steps: int) -> None:
    model, optimizer = small()
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, step / 10))
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()
        scheduler.step()


@ill("GC673")
def rounded_away(steps: int) -> None:
    model = net(8, 16, 1).to(torch.bfloat16)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(1.0)
    optimizer = SGD(model.parameters(), lr=1e-6)
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x.bfloat16(), y.bfloat16()).backward()
        optimizer.step()


@well
def low_precision(steps: int) -> None:
    model = net(8, 16, 1).to(torch.bfloat16)
    optimizer = SGD(model.parameters(), lr=0.05)
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x.bfloat16(), y.bfloat16()).backward()
        optimizer.step()


class _Sharpness(torch.optim.Optimizer):
    """Steps with the gradient at the worst point near by (SAM), and clears gradients itself."""

    def __init__(self, base: SGD) -> None:
        super().__init__(base.param_groups, {})
        self.base = base

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor]) -> None:  # type: ignore[override]
        held = [p for group in self.param_groups for p in group["params"]]
        away = [0.05 * p.grad / (1e-12 + p.grad.norm()) for p in held]
        for p, shift in zip(held, away, strict=True):
            p.add_(shift)
        self.zero_grad()
        torch.enable_grad()(closure)()
        for p, shift in zip(held, away, strict=True):
            p.sub_(shift)
        self.base.step()
        self.zero_grad()


@well
def clears_inside_its_step(steps: int) -> None:
    model, base = small()
    optimizer = _Sharpness(base)

    for x, y in batches(steps):

        def closure(x: Tensor = x, y: Tensor = y) -> Tensor:
            loss = mse(model, x, y)
            loss.backward()
            return loss

        closure()
        optimizer.step(closure)


# ---------------------------------------------------------------- optimisers that never step


@ill("GC675")
def steps_in_a_branch(steps: int) -> None:
    model, optimizer = small()
    scaler = GradScaler("cpu", enabled=False)
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        if scaler.is_enabled():
            scaler.step(optimizer)


@ill("GC675")
def never_full(steps: int) -> None:
    """Accumulates over more batches than an epoch has, and clears at the start of each."""
    model, optimizer = small()
    for epoch in range(3):
        optimizer.zero_grad()
        for place, (x, y) in enumerate(batches(steps // 3, epoch)):
            (mse(model, x, y) / 64).backward()
            if (place + 1) % 64 == 0:
                optimizer.step()


@ill("GC675")
def second_never_steps(steps: int) -> None:
    body, head = net(8, 16, 8), net(8, 1)
    of_body, of_head = SGD(body.parameters(), lr=0.05), SGD(head.parameters(), lr=0.05)
    for x, y in batches(steps):
        of_body.zero_grad()
        of_head.zero_grad()
        F.mse_loss(head(body(x)), y).backward()
        of_head.step()


@well
def accumulates_all(steps: int) -> None:
    """One update at the very end."""
    model, optimizer = small()
    for x, y in batches(steps):
        (mse(model, x, y) / steps).backward()
    optimizer.step()


@well
def measures_a_trained_model(steps: int) -> None:
    """Gradients alone are wanted, of weights that nothing drew."""
    model = net(8, 16, 1)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
    optimizer = SGD(model.parameters(), lr=0.05)
    probe, trained = small()
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        trained.zero_grad()
        mse(probe, x, y).backward()
        trained.step()


@well
def replaced_by_another(steps: int) -> None:
    model, _unused = small()
    optimizer = Adam(model.parameters(), lr=0.01)
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()


@well
def moved_by_hand_beside_it(steps: int) -> None:
    model, optimizer = small()
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        with torch.no_grad():
            for p in model.parameters():
                p.sub_(0.05 * p.grad)


@well
def sensitivity_first(steps: int) -> None:
    """Gradients of many batches at initialisation, as for pruning, before training."""
    model, optimizer = small()
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()


# ---------------------------------------------------------------- weights of the start, and outputs without a loss


def _in_rounds(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int, between: Callable[[], None]) -> None:
    for epoch in range(4):
        for x, y in batches(steps // 4, epoch):
            optimizer.zero_grad()
            mse(model, x, y).backward()  # type: ignore[arg-type]
            optimizer.step()
        between()


@ill("GC676")
def average_is_never_updated(steps: int) -> None:
    model, optimizer = small()
    shadow = [p.detach().clone() for p in model.parameters()]

    def apply() -> None:
        for p, kept in zip(model.parameters(), shadow, strict=True):
            p.data.copy_(kept)

    _in_rounds(model, optimizer, steps, apply)


@well
def average_is_updated(steps: int) -> None:
    model, optimizer = small()
    shadow = [p.detach().clone() for p in model.parameters()]

    def apply() -> None:
        for p, kept in zip(model.parameters(), shadow, strict=True):
            kept.lerp_(p.detach(), 0.5)
            p.data.copy_(kept)

    _in_rounds(model, optimizer, steps, apply)


@well
def every_fold_begins_anew(steps: int) -> None:
    """The optimiser's state goes back too: that is meant."""
    model, optimizer = small()
    start = copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())

    def again() -> None:
        model.load_state_dict(start[0])
        optimizer.load_state_dict(start[1])

    _in_rounds(model, optimizer, steps, again)


class _Coder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder, self.pooler = net(8, 16, 4), net(4, 16, 8), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        code = self.encoder(x)
        decoded = self.decoder(code)
        return code, decoded, self.pooler(decoded)


@ill("GC677")
def compares_the_input_with_itself(steps: int) -> None:
    model = _Coder()
    optimizer = Adam(model.parameters(), lr=0.01)
    for x, _ in batches(steps):
        code, _, _ = model(x)
        loss = F.mse_loss(x, x) + 0.1 * code.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@well
def pooler_is_not_asked(steps: int) -> None:
    model = _Coder()
    optimizer = Adam(model.parameters(), lr=0.01)
    for x, _ in batches(steps):
        code, decoded, _ = model(x)
        loss = F.mse_loss(decoded, x) + 0.1 * code.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@well
def heads_by_turns(steps: int) -> None:
    model = _Coder()
    optimizer = Adam(model.parameters(), lr=0.01)
    for place, (x, y) in enumerate(batches(steps)):
        code, decoded, _ = model(x)
        loss = F.mse_loss(decoded, x) if place % 2 else F.mse_loss(code[:, :1], y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


# ---------------------------------------------------------------- labels


def _classifies(steps: int, label: Callable[[Tensor], Tensor], ignore: int = -100) -> None:
    model = net(8, 16, 3)
    optimizer = SGD(model.parameters(), lr=0.05)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        x = torch.randn(1000, 8, generator=generator)
        optimizer.zero_grad()
        F.cross_entropy(model(x), label(x), ignore_index=ignore).backward()
        optimizer.step()


@ill("GC678")
def chances_as_whole_numbers(steps: int) -> None:
    _classifies(steps, lambda x: torch.sigmoid(x[:, 0]).long())


@ill("GC678")
def real_class_is_ignored(steps: int) -> None:
    _classifies(steps, lambda x: (x[:, 0] > 0).long(), ignore=0)


@well
def rare_class(steps: int) -> None:
    _classifies(steps, lambda x: (x[:, 0] > 2.9).long())


@well
def padding_is_ignored(steps: int) -> None:
    _classifies(steps, lambda x: torch.where(x[:, 1] > 0, -1, (x[:, 0] > 0).long()), ignore=-1)


@well
def fixed_labels_of_a_contrastive_loss(steps: int) -> None:
    """The first of 64 candidates is always the right one."""
    encoder = net(8, 16, 8)
    optimizer = SGD(encoder.parameters(), lr=0.05)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        x = torch.randn(400, 8, generator=generator)
        codes, others = encoder(x), encoder(torch.randn(63, 8, generator=generator))
        positive = (codes * encoder(x + 0.1)).sum(1, keepdim=True)
        optimizer.zero_grad()
        F.cross_entropy(torch.cat([positive, codes @ others.T], 1), torch.zeros(400, dtype=torch.long)).backward()
        optimizer.step()


def _batch_by_batch(steps: int, kind: Callable[[int], int]) -> None:
    model = net(8, 16, 3)
    optimizer = SGD(model.parameters(), lr=0.05)
    for place, (x, _) in enumerate(batches(2 * steps)):
        optimizer.zero_grad()
        F.cross_entropy(model(x + kind(place)), torch.full((16,), kind(place))).backward()
        optimizer.step()


@ill("GC679")
def sorted_and_not_shuffled(steps: int) -> None:
    _batch_by_batch(steps, lambda place: place // 8 % 3)


def _slices(steps: int, size: int, *, shuffled: bool) -> None:
    model = net(8, 16, 3)
    optimizer = SGD(model.parameters(), lr=1.0, momentum=0.9)
    labels = torch.arange(3).repeat_interleave(120)
    labels = labels[torch.randperm(360)] if shuffled else labels
    x = torch.randn(3, 8)[labels] + torch.randn(360, 8)
    for place in range(steps):
        rows = torch.arange(place * size, (place + 1) * size) % 360
        optimizer.zero_grad()
        F.cross_entropy(model(x[rows]), labels[rows]).backward()
        optimizer.step()


@ill("GC679")
def slices_with_borders(steps: int) -> None:
    _slices(steps, 17, shuffled=False)


@well
def shuffled_slices(steps: int) -> None:
    _slices(steps, 17, shuffled=True)


@well
def classes_by_turns(steps: int) -> None:
    """As a discriminator is trained."""
    _batch_by_batch(steps, lambda place: place % 2)


# ---------------------------------------------------------------- what a loss is made of


@ill("GC680")
def mask_leaves_nothing(steps: int) -> None:
    model, optimizer = small()
    for x, y in batches(steps):
        output, mask = model(x), (y > 2).float()
        optimizer.zero_grad()
        ((mask * F.mse_loss(output, y, reduction="none")).mean() + 0.1 * output.square().mean()).backward()
        optimizer.step()


@ill("GC680")
def term_is_multiplied_by_nothing(steps: int) -> None:
    model, optimizer = small()
    for x, y in batches(steps):
        output = model(x)
        optimizer.zero_grad()
        (0.0 * F.mse_loss(output, y) + (output - 1).square().mean()).backward()
        optimizer.step()


@well
def weight_grows_from_nothing(steps: int) -> None:
    model, optimizer = small()
    for place, (x, y) in enumerate(batches(steps)):
        output, weight = model(x), max(0.0, (place - 8) / steps)
        optimizer.zero_grad()
        (F.mse_loss(output, y) + weight * F.l1_loss(output, 2 * y)).backward()
        optimizer.step()


@well
def outputs_round_the_targets_off(steps: int) -> None:
    """What is too large hears no target, and the targets are not why."""
    model, optimizer = small()
    for x, y in batches(steps):
        optimizer.zero_grad()
        (1e-20 * F.mse_loss(1e9 * model(x), y)).backward()
        optimizer.step()


def _views(steps: int, compare: Callable[[nn.Module, Tensor, Tensor], Tensor]) -> None:
    encoder = net(8, 16, 4)
    optimizer = SGD(encoder.parameters(), lr=0.01)
    for x, _ in batches(steps):
        loss = compare(encoder, x + 0.1 * torch.randn_like(x), x + 0.1 * torch.randn_like(x))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@ill("GC681")
def two_views_and_nothing_else(steps: int) -> None:
    _views(steps, lambda encoder, a, b: (encoder(a) - encoder(b)).square().sum(1).mean())


@well
def spread_is_kept(steps: int) -> None:
    def compare(encoder: nn.Module, a: Tensor, b: Tensor) -> Tensor:
        one, other = encoder(a), encoder(b)
        return (one - other).square().sum(1).mean() + torch.relu(1 - (one.var(0) + 1e-4).sqrt()).mean()

    _views(steps, compare)


@well
def one_side_is_stopped(steps: int) -> None:
    _views(steps, lambda encoder, a, b: (encoder(a) - encoder(b).detach()).square().sum(1).mean())


@well
def others_are_pushed_away(steps: int) -> None:
    def compare(encoder: nn.Module, a: Tensor, b: Tensor) -> Tensor:
        return F.cross_entropy(encoder(a) @ encoder(b).T, torch.arange(len(a)))

    _views(steps, compare)


# ---------------------------------------------------------------- beneath a wrapper, and beside an optimiser


class Wrapper(nn.Module):
    """Is in train mode, whatever its model is in."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.model(x)
        return output


def _wrapped(steps: int, model: nn.Module) -> None:
    whole = Wrapper(model.eval())
    optimizer = SGD(whole.parameters(), lr=0.01)
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(whole, x, y).backward()
        optimizer.step()


@ill("GC661")
def inside_a_wrapper_in_eval_mode(steps: int) -> None:
    _wrapped(steps, nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Linear(16, 1)))


class Hiding(nn.Module):
    """Keeps its model from `modules()`, so that `train` does not come through."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        object.__setattr__(self, "hidden", model)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.hidden(x)
        return output


def _hidden(steps: int, *, trains: bool) -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Linear(16, 1)).train(trains)
    whole, optimizer = Hiding(model).train(), SGD(model.parameters(), lr=0.01)
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(whole, x, y).backward()
        optimizer.step()


@ill("GC661")
def hidden_in_eval_mode(steps: int) -> None:
    _hidden(steps, trains=False)


@well
def hidden_in_train_mode(steps: int) -> None:
    _hidden(steps, trains=True)


@well
def inside_a_wrapper_with_statistics(steps: int) -> None:
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Linear(16, 1))
    for x, _ in batches(4):
        model(x)
    _wrapped(steps, model)


def _one_layer_is_left_out(steps: int, fill: Callable[[Tensor], object]) -> None:
    model = net(8, 16, 16, 1)
    fill(model[0].weight)  # type: ignore[arg-type]
    model[0].bias.requires_grad_(requires_grad=False)  # type: ignore[union-attr, operator]
    optimizer = SGD([*model[2].parameters(), *model[4].parameters()], lr=0.05)
    for x, y in batches(steps):
        optimizer.zero_grad()
        mse(model, x, y).backward()
        optimizer.step()


@ill("GC669")
def orthogonal_layer_is_left_out(steps: int) -> None:
    _one_layer_is_left_out(steps, nn.init.orthogonal_)


@well
def loaded_layer_is_left_out(steps: int) -> None:
    """Filled at random first, as every layer is, and loaded then, through `.data`."""
    trained = torch.randn(16, 8) ** 3 / 8

    def load(weight: Tensor) -> None:
        nn.init.orthogonal_(weight)
        weight.data.copy_(trained)

    _one_layer_is_left_out(steps, load)
