"""What the healthy runs learn: models, their losses on the next mini-batch, and what each is held against.

A task is made anew for each run, from torch's random state. What it ends with, the mean loss of the last tenth of the
run unless it measures something of its own, is held against chance: the loss of one answer for every row.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from tests.unseen.healthy.corpora import VOCABULARY, Table, letters, shipped, standardised
from tests.unseen.healthy.models import Factors, Recurrent, Residual, Transformer, Variational, Window, cnn, mlp

Loss = Callable[[], Tensor]


@dataclass
class Task:
    """What is trained: each player with its own loss, by turns within a step."""

    players: list[tuple[nn.Module, Loss]]
    chance: float
    measure: Callable[[], float] | None = None
    is_log_density: bool = False
    after: Callable[[int], None] = lambda step: None
    before: tuple[nn.Module, Loss] | None = None  # what a run that tunes finely is trained on first


def endless(*columns: Tensor, size: int) -> Iterator[list[Tensor]]:
    """Shuffled batches, epoch after epoch; a DataLoader makes those of small tables."""
    rows = len(columns[0])
    while True:
        if rows < 600:
            yield from DataLoader(TensorDataset(*columns), batch_size=size, shuffle=True, drop_last=True)
            continue
        for at in torch.randperm(rows)[: rows - rows % size].view(-1, size):
            yield [column[at] for column in columns]


def entropy(classes: Tensor) -> float:
    shares = classes.bincount().double() / len(classes)
    return float(-(shares * shares.clamp_min(1e-12).log()).sum())


def classify(model: nn.Module, table: Table, *, size: int = 32, loss: Callable[..., Tensor] = F.cross_entropy) -> Task:
    batches = endless(*table, size=size)

    def of_a_batch() -> Tensor:
        x, y = next(batches)
        return loss(model(x), y)

    return Task([(model, of_a_batch)], chance=entropy(table.y))


def noisy(table: Table, share: float) -> Table:
    """A share of the labels is drawn anew."""
    other = torch.randint(0, int(table.y.max()) + 1, table.y.shape)
    return Table(table.x, torch.where(torch.rand(len(other)) < share, other, table.y))


def digits(model: nn.Module, **options: object) -> Task:
    return classify(model, shipped("digits"), **options)  # type: ignore[arg-type]


def mixed_up(model: nn.Module) -> Task:
    """Mixup: rows and labels are blended by pairs."""
    table = shipped("digits")
    batches = endless(*table, size=48)

    def loss() -> Tensor:
        (x, y), share = next(batches), float(torch.rand(()))
        other = torch.randperm(len(x))
        logits = model(share * x + (1 - share) * x[other])
        return share * F.cross_entropy(logits, y) + (1 - share) * F.cross_entropy(logits, y[other])

    return Task([(model, loss)], chance=entropy(table.y))


def smoothed(logits: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(logits, y, label_smoothing=0.1)


def focal(logits: Tensor, y: Tensor) -> Tensor:
    picked = F.log_softmax(logits, -1).gather(1, y[:, None])[:, 0]
    return -((1 - picked.exp()) ** 2 * picked).mean()


def binary(model: nn.Module) -> Task:
    """Malignant or benign, by one logit."""
    table = shipped("breast_cancer")
    return classify(model, table, loss=lambda logit, y: F.binary_cross_entropy_with_logits(logit[:, 0], y.float()))


def hinge(model: nn.Module) -> Task:
    table = shipped("breast_cancer")
    task = classify(model, table, loss=lambda out, y: (1 - out[:, 0] * (2.0 * y - 1)).clamp_min(0).mean())
    task.chance = 2 * float(min(table.y.float().mean(), 1 - table.y.float().mean()))  # all on the commoner side
    return task


def regress(model: nn.Module, table: Table, *, size: int = 32, loss: Callable[..., Tensor] = F.mse_loss) -> Task:
    batches = endless(*table, size=size)

    def of_a_batch() -> Tensor:
        x, y = next(batches)
        return loss(model(x)[:, 0], y)

    best = min(float(loss(c.expand(len(table.y)), table.y)) for c in table.y.quantile(torch.linspace(0.1, 0.9, 81)))
    return Task([(model, of_a_batch)], chance=best)


def diabetes(model: nn.Module, *, raw: bool = False, **options: object) -> Task:
    table = shipped("diabetes")
    return regress(model, table if raw else Table(table.x, standardised(table.y)), **options)  # type: ignore[arg-type]


def copied(model: nn.Module) -> Task:
    """An autoencoder of the digits."""
    x = shipped("digits").x
    batches = endless(x, size=48)

    def loss() -> Tensor:
        (rows,) = next(batches)
        return F.mse_loss(model(rows), rows)

    return Task([(model, loss)], chance=float(x.var(0, unbiased=False).mean()))


def denoised(model: nn.Module) -> Task:
    task, x = copied(model), shipped("digits").x
    batches = endless(x, size=48)

    def loss() -> Tensor:
        (rows,) = next(batches)
        return F.mse_loss(model(rows + 0.3 * torch.randn_like(rows)), rows)

    return Task([(model, loss)], chance=task.chance)


def variational(weight: float = 1.0) -> Task:
    x = shipped("digits").x
    model, batches = Variational(64), endless(x, size=48)

    def loss() -> Tensor:
        (rows,) = next(batches)
        logits, mean, log_var = model(rows)
        fit = F.binary_cross_entropy_with_logits(logits, rows, reduction="none").sum(1).mean()
        return fit - weight * 0.5 * (1 + log_var - mean**2 - log_var.exp()).sum(1).mean()

    usual = x.mean(0).clamp(1e-6, 1 - 1e-6)
    chance = float(F.binary_cross_entropy(usual.expand_as(x), x, reduction="none").sum(1).mean())
    return Task([(model, loss)], chance)


def spelled(model: nn.Module, *, window: int = 0, size: int = 16) -> Task:
    """The next character: at every place of 24, or after a window of them."""
    text = letters()

    def loss() -> Tensor:
        length = window or 24
        starts = torch.randint(0, len(text) - length - 1, (size,))
        rows = text[starts[:, None] + torch.arange(length + 1)]
        if window:
            return F.cross_entropy(model(rows[:, :-1]), rows[:, -1])
        return F.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())

    return Task([(model, loss)], chance=entropy(text))


def neighbours() -> Task:
    """Characters as vectors, by those beside them against others (skip-gram with negative samples)."""
    text = letters()
    model = nn.ModuleDict({"here": nn.Embedding(VOCABULARY, 16), "there": nn.Embedding(VOCABULARY, 16)})

    def loss() -> Tensor:
        at = torch.randint(1, len(text) - 1, (128,))
        here = model["here"](text[at])
        near = (here * model["there"](text[at + torch.randint(0, 2, (128,)) * 2 - 1])).sum(1)
        far = (here * model["there"](text[torch.randint(0, len(text), (128,))])).sum(1)
        return -F.logsigmoid(near).mean() - F.logsigmoid(-far).mean()

    return Task([(model, loss)], chance=2 * math.log(2))


def tuned(*, frozen: bool, drops: float = 0.0) -> Task:
    """A net that knows the digits 0 to 4 learns 5 to 9, with a head of its own."""
    x, y = shipped("digits")
    first, second = Table(x[y < 5], y[y < 5]), Table(x[y >= 5], y[y >= 5] - 5)
    body, head = mlp(64, 64, 32, act=nn.ReLU, drop=drops), nn.Linear(32, 5)
    body.append(nn.ReLU())
    before = classify(nn.Sequential(body, head), first).players[0]
    whole = nn.Sequential(body, nn.Linear(32, 5))
    task = classify(whole, second)
    if frozen:
        task.players = [(whole[1], task.players[0][1])]
    task.before = before
    return task


def distilled() -> Task:
    """A small net learns the answers of a larger one that learned the digits before."""
    x, y = shipped("digits")
    teacher, student = mlp(64, 96, 10), mlp(64, 16, 10)
    batches = endless(x, y, size=32)

    def loss() -> Tensor:
        rows, _ = next(batches)
        with torch.no_grad():
            told = F.softmax(teacher(rows) / 2, -1)
        return F.cross_entropy(student(rows) / 2, told)

    task = Task([(student, loss)], chance=math.log(10))
    task.before = classify(teacher, Table(x, y)).players[0]
    return task


def contrasted() -> Task:
    """Two noisy views of a digit are to be found among those of the batch."""
    x = shipped("digits").x
    model, batches = mlp(64, 64, 16), endless(x, size=32)

    def loss() -> Tensor:
        (rows,) = next(batches)
        one, two = (F.normalize(model(rows + 0.15 * torch.randn_like(rows)), dim=1) for _ in range(2))
        return F.cross_entropy(one @ two.T / 0.2, torch.arange(len(rows)))

    return Task([(model, loss)], chance=math.log(32))


def triplets() -> Task:
    x, y = shipped("digits")
    model = mlp(64, 48, 8)

    def loss() -> Tensor:
        at, like = torch.randint(0, len(x), (48,)), torch.randint(0, len(x), (48, 64))
        same = like[torch.arange(48), (y[like] == y[at][:, None]).float().argmax(1)]
        other = like[torch.arange(48), (y[like] != y[at][:, None]).float().argmax(1)]
        return F.triplet_margin_loss(model(x[at]), model(x[same]), model(x[other]), margin=0.5)

    return Task([(model, loss)], chance=0.5)


def two_heads(*, by_turns: bool) -> Task:
    """The digit, and how much ink it has."""
    x, y = shipped("digits")
    ink = standardised(x.sum(1))
    body, kind, amount = mlp(64, 48), nn.Linear(48, 10), nn.Linear(48, 1)
    model = nn.ModuleDict({"body": nn.Sequential(body, nn.ReLU()), "kind": kind, "amount": amount})
    batches, turn = endless(x, y, ink, size=32), iter(range(10**9))

    def loss() -> Tensor:
        rows, classes, inks = next(batches)
        h = model["body"](rows)
        parts = F.cross_entropy(kind(h), classes), F.mse_loss(amount(h)[:, 0], inks)
        return parts[next(turn) % 2] if by_turns else sum(parts)  # type: ignore[return-value]

    chance = entropy(y) + 1.0
    return Task([(model, loss)], chance=chance / 2 if by_turns else chance)


def adversarial(kind: str) -> Task:
    """Points on a ring, made from noise; held against how far the radius of what is made is off, at the start."""
    maker, judge = mlp(4, 32, 32, 2, act=nn.LeakyReLU), mlp(2, 32, 32, 1, act=nn.LeakyReLU)

    def real() -> Tensor:
        angle = torch.rand(64) * 2 * math.pi
        return torch.stack((angle.cos(), angle.sin()), 1) * 2 + 0.1 * torch.randn(64, 2)

    def made() -> Tensor:
        return maker(torch.randn(64, 4))

    def judged() -> Tensor:
        x, fake = real(), made().detach()
        if kind == "hinge":
            return (1 - judge(x)).clamp_min(0).mean() + (1 + judge(fake)).clamp_min(0).mean()
        if kind == "penalty":
            mix = (x + (fake - x) * torch.rand(64, 1)).requires_grad_()
            (slope,) = torch.autograd.grad(judge(mix).sum(), mix, create_graph=True)
            return judge(fake).mean() - judge(x).mean() + 5 * ((slope.norm(dim=1) - 1) ** 2).mean()
        if kind == "squares":
            return ((judge(x) - 1) ** 2).mean() + (judge(fake) ** 2).mean()
        return F.softplus(-judge(x)).mean() + F.softplus(judge(fake)).mean()

    def fooled() -> Tensor:
        score = judge(made())
        if kind == "squares":
            return ((score - 1) ** 2).mean()
        return F.softplus(-score).mean() if kind == "plain" else -score.mean()

    @torch.no_grad()
    def off() -> float:
        return float((maker(torch.randn(500, 4)).norm(dim=1) - 2).abs().mean())

    return Task([(judge, judged), (maker, fooled)], chance=off(), measure=off)


def bandit(kind: str) -> Task:
    """Ten arms whose pay depends on what is seen; held against the pay that is missed by guessing."""
    pays = torch.randn(6, 10)
    policy, worth = mlp(6, 32, 10, act=nn.Tanh), mlp(6, 32, 10 if kind == "q" else 1, act=nn.Tanh)
    model = nn.ModuleDict({"policy": policy, "worth": worth}) if kind == "critic" else policy
    average = [0.0]

    def loss() -> Tensor:
        seen = torch.randn(32, 6)
        logits = policy(seen)
        if kind == "q":
            arm = torch.where(torch.rand(32) < 0.2, torch.randint(0, 10, (32,)), logits.argmax(1))
            pay = (seen @ pays)[torch.arange(32), arm] + 0.5 * torch.randn(32)
            return F.smooth_l1_loss(logits[torch.arange(32), arm], pay)
        drawn = torch.distributions.Categorical(logits=logits)
        arm = drawn.sample()
        pay = (seen @ pays)[torch.arange(32), arm] + 0.5 * torch.randn(32)
        if kind == "critic":
            value = worth(seen)[:, 0]
            gain = pay - value.detach()
            return -(drawn.log_prob(arm) * gain).mean() + 0.5 * F.mse_loss(value, pay) - 0.01 * drawn.entropy().mean()
        gain = pay - average[0]
        average[0] += 0.05 * float(pay.mean() - average[0])
        return -(drawn.log_prob(arm) * gain).mean()

    @torch.no_grad()
    def missed() -> float:
        seen = torch.randn(1000, 6)
        pay = seen @ pays
        return float((pay.max(1).values - pay[torch.arange(1000), policy(seen).argmax(1)]).mean())

    return Task([(model, loss)], chance=missed(), measure=missed)


def corridor() -> Task:
    """Deep Q-learning with a target net, on a corridor whose end pays; held against the first error of its values."""
    net, state = mlp(8, 32, 2, act=nn.Tanh), torch.eye(8)
    target = copy.deepcopy(net)
    true = torch.stack((0.9 ** (9.0 - torch.arange(8)).clamp_max(8.0), 0.9 ** (7.0 - torch.arange(8))), 1)
    true[0, 0] = true[0, 1] * 0.9

    def loss() -> Tensor:
        at, go = torch.randint(0, 8, (64,)), torch.randint(0, 2, (64,))
        to = (at + go * 2 - 1).clamp_min(0)
        done = to == 8
        with torch.no_grad():
            ahead = torch.where(done, 0.0, 0.9 * target(state[to.clamp_max(7)]).max(1).values)
        return F.mse_loss(net(state[at])[torch.arange(64), go], done.float() + ahead)

    def after(step: int) -> None:
        if step % 15 == 14:
            target.load_state_dict(net.state_dict())

    @torch.no_grad()
    def error() -> float:
        return float((net(state)[:, 1] - true[:, 1]).abs().mean())

    return Task([(net, loss)], chance=error(), measure=error, after=after)


def spread() -> Task:
    """Mean and deviation of a target whose noise depends on the input: a log density, which may be below 0."""
    model = mlp(1, 48, 2, act=nn.Tanh)

    def loss() -> Tensor:
        x = torch.rand(64, 1) * 4 - 2
        y = (2 * x).sin() + (0.05 + 0.1 * x.abs()) * torch.randn_like(x)
        mean, log_dev = model(x).chunk(2, 1)
        return (log_dev + 0.5 * ((y - mean) / log_dev.exp()) ** 2).mean()

    return Task([(model, loss)], chance=math.log(0.72) + 0.5, is_log_density=True)


def flow() -> Task:
    """A flow of affine couplings: the log density of two moons."""
    model = nn.ModuleList(mlp(1, 32, 2, act=nn.Tanh) for _ in range(4))

    def moons(count: int) -> Tensor:
        angle, side = torch.rand(count) * math.pi, torch.randint(0, 2, (count,)) * 2.0 - 1
        points = torch.stack((side * angle.cos() + side * 0.5, side * angle.sin() - side * 0.25), 1)
        return points + 0.08 * torch.randn(count, 2)

    def loss() -> Tensor:
        x, grown = moons(64), torch.zeros(64)
        for i, net in enumerate(model):
            kept, moved = x[:, i % 2 : i % 2 + 1], x[:, 1 - i % 2 : 2 - i % 2]
            scale, shift = net(kept).chunk(2, 1)
            moved = moved * scale.tanh().exp() + shift
            grown = grown + scale.tanh()[:, 0]
            x = torch.cat((kept, moved) if i % 2 == 0 else (moved, kept), 1)
        return (0.5 * x.pow(2).sum(1) + math.log(2 * math.pi) - grown).mean()

    gaussian = 1 + math.log(2 * math.pi) + 0.5 * float(moons(4000).T.cov().logdet())
    return Task([(model, loss)], chance=gaussian, is_log_density=True)


def curve(
    model: nn.Module, *, noise: float = 0.1, loss: Callable[..., Tensor] = F.mse_loss, tails: bool = False
) -> Task:
    """A sine of two inputs, with noise; its tails may be those of Student's t with 2 degrees."""

    def of_a_batch() -> Tensor:
        x = torch.rand(48, 2) * 4 - 2
        error = torch.randn(48) / (torch.rand(48).clamp_min(1e-4) ** 0.5 if tails else 1)
        return loss(model(x)[:, 0], (1.5 * x[:, 0]).sin() + 0.5 * x[:, 1] + noise * error)

    y = torch.rand(4000, 2) * 4 - 2
    y = (1.5 * y[:, 0]).sin() + 0.5 * y[:, 1]
    return Task([(model, of_a_batch)], chance=float(loss(torch.zeros(4000), y)))


def pinball(out: Tensor, y: Tensor) -> Tensor:
    return torch.maximum(0.8 * (y - out), 0.2 * (out - y)).mean()


def counts() -> Task:
    """Counts by their log rate: the Poisson loss lies below 0 where counts are high."""
    model, w = mlp(5, 32, 1), torch.randn(5) * 0.5
    x = torch.randn(4000, 5)
    y = torch.poisson((x @ w + 1.0).exp())
    task = regress(model, Table(x, y), loss=F.poisson_nll_loss)
    task.is_log_density = True
    task.chance = float(F.poisson_nll_loss(y.mean().log().expand(4000), y))
    return task


def ratings(*, sparse: bool = False) -> Task:
    users, items = torch.randn(60, 3), torch.randn(40, 3)
    model = Factors(60, 40, 4, sparse=sparse)

    def loss() -> Tensor:
        pairs = torch.stack((torch.randint(0, 60, (128,)), torch.randint(0, 40, (128,))), 1)
        return F.mse_loss(model(pairs), (users[pairs[:, 0]] * items[pairs[:, 1]]).sum(1))

    return Task([(model, loss)], chance=float((users @ items.T).var()))


def recalled(kind: str) -> Task:
    """Which of four signs stood first, of eight."""
    model = Recurrent(kind, 8, letters=True, width=32)

    def loss() -> Tensor:
        signs = torch.randint(4, 8, (32, 8))
        signs[:, 0] -= 4
        return F.cross_entropy(model(signs)[:, -1], signs[:, 0])

    return Task([(model, loss)], chance=math.log(4))


def spirals(model: nn.Module) -> Task:
    turn, side = torch.rand(2000), torch.randint(0, 2, (2000,))
    angle = 5 * turn + math.pi * side
    x = torch.stack((angle.cos(), angle.sin()), 1) * (turn * 2 + 0.2)[:, None] + 0.03 * torch.randn(2000, 2)
    return classify(model, Table(x, side), size=64)


def harder() -> Task:
    """A curriculum: pixels are hidden, ever more of them."""
    x, y = shipped("digits")
    model, batches, stage = mlp(64, 64, 10), endless(x, y, size=32), [0.0]

    def loss() -> Tensor:
        rows, classes = next(batches)
        return F.cross_entropy(model(rows * (torch.rand_like(rows) >= stage[0])), classes)

    def after(step: int) -> None:
        stage[0] = 0.25 * (step // 100)

    return Task([(model, loss)], chance=entropy(y), after=after)


def one_batch(model: nn.Module) -> Task:
    x, y = shipped("digits")
    return Task([(model, lambda: F.cross_entropy(model(x[:32]), y[:32]))], chance=entropy(y[:32]))


def rare() -> Task:
    """One class in twelve: the weights of the loss make up for it."""
    x, y = shipped("digits")
    y = (y == 3).long()
    weight = torch.tensor([0.55, 5.0])
    return classify(mlp(64, 32, 2), Table(x, y), loss=lambda logits, t: F.cross_entropy(logits, t, weight=weight))


def diffused() -> Task:
    """Noise of many strengths is to be told from what it was put on."""
    x = standardised(shipped("digits").x[:, torch.arange(16, 32)])
    model, batches = Residual(48, 2, 16, below=17), endless(x, size=64)

    def loss() -> Tensor:
        (rows,) = next(batches)
        strength, noise = torch.rand(len(rows), 1), torch.randn_like(rows)
        mixed = (1 - strength).sqrt() * rows + strength.sqrt() * noise
        return F.mse_loss(model(torch.cat((mixed, strength), 1)), noise)

    return Task([(model, loss)], chance=1.0)


TASKS: dict[str, Callable[[], Task]] = {
    "digits-mlp": lambda: digits(mlp(64, 64, 10)),
    "digits-deep-mlp": lambda: digits(mlp(64, 64, 64, 64, 64, 10, norm=True)),
    "digits-sigmoid": lambda: digits(mlp(64, 32, 10, act=nn.Sigmoid)),
    "digits-dropout": lambda: digits(mlp(64, 96, 96, 10, drop=0.4)),
    "digits-linear": lambda: digits(mlp(64, 10)),
    "digits-cnn": lambda: digits(cnn(10)),
    "digits-cnn-pooled": lambda: digits(cnn(10, pooled=True)),
    "digits-cnn-plain": lambda: digits(cnn(10, norm=False)),
    "digits-residual": lambda: digits(Residual(48, 6, 10, below=64)),
    "digits-gru": lambda: digits(Recurrent("GRU", 10)),
    "digits-lstm": lambda: digits(Recurrent("LSTM", 10)),
    "digits-rnn": lambda: digits(Recurrent("RNN", 10)),
    "digits-transformer": lambda: digits(Transformer(10)),
    "digits-transformer-post": lambda: digits(Transformer(10, pre=False, drop=0.1)),
    "digits-noisy": lambda: classify(mlp(64, 64, 10), noisy(shipped("digits"), 0.3)),
    "digits-mixup": lambda: mixed_up(mlp(64, 64, 10)),
    "digits-smoothed": lambda: digits(cnn(10), loss=smoothed),
    "digits-focal": lambda: digits(mlp(64, 64, 10), loss=focal),
    "digits-small-batch": lambda: digits(mlp(64, 64, 10), size=4),
    "digits-large-batch": lambda: digits(mlp(64, 64, 10), size=512),
    "digits-two-heads": lambda: two_heads(by_turns=False),
    "digits-by-turns": lambda: two_heads(by_turns=True),
    "digits-tuned": lambda: tuned(frozen=False),
    "digits-head-only": lambda: tuned(frozen=True),
    "digits-distilled": distilled,
    "digits-contrasted": contrasted,
    "digits-triplets": triplets,
    "digits-autoencoder": lambda: copied(mlp(64, 32, 8, 32, 64)),
    "digits-bottleneck": lambda: copied(nn.Sequential(nn.Linear(64, 6), nn.Linear(6, 64))),
    "digits-denoised": lambda: denoised(mlp(64, 64, 16, 64, 64, act=nn.GELU)),
    "digits-vae": variational,
    "digits-beta-vae": lambda: variational(0.2),
    "digits-curriculum": harder,
    "digits-one-batch": lambda: one_batch(mlp(64, 64, 10)),
    "digits-rare": rare,
    "digits-diffused": diffused,
    "wine-mlp": lambda: classify(mlp(13, 24, 3, act=nn.Tanh), shipped("wine"), size=16),
    "wine-linear": lambda: classify(mlp(13, 3), shipped("wine"), size=16),
    "cancer-mlp": lambda: binary(mlp(30, 32, 1)),
    "cancer-linear": lambda: binary(mlp(30, 1)),
    "cancer-hinge": lambda: hinge(mlp(30, 16, 1)),
    "diabetes-mlp": lambda: diabetes(mlp(10, 32, 1)),
    "diabetes-linear": lambda: diabetes(mlp(10, 1)),
    "diabetes-huber": lambda: diabetes(mlp(10, 32, 1), loss=F.smooth_l1_loss),
    "diabetes-pinball": lambda: diabetes(mlp(10, 32, 1), loss=pinball),
    "diabetes-raw": lambda: diabetes(mlp(10, 64, 64, 1), raw=True),
    "text-gru": lambda: spelled(Recurrent("GRU", VOCABULARY, letters=True)),
    "text-lstm": lambda: spelled(Recurrent("LSTM", VOCABULARY, letters=True)),
    "text-transformer": lambda: spelled(Transformer(VOCABULARY, letters=True)),
    "text-transformer-drop": lambda: spelled(Transformer(VOCABULARY, letters=True, drop=0.2)),
    "text-window": lambda: spelled(Window(VOCABULARY), window=8, size=64),
    "text-neighbours": neighbours,
    "gan": lambda: adversarial("plain"),
    "gan-hinge": lambda: adversarial("hinge"),
    "gan-squares": lambda: adversarial("squares"),
    "gan-penalty": lambda: adversarial("penalty"),
    "bandit-policy": lambda: bandit("policy"),
    "bandit-critic": lambda: bandit("critic"),
    "bandit-q": lambda: bandit("q"),
    "corridor-q": corridor,
    "spread": spread,
    "flow": flow,
    "curve": lambda: curve(mlp(2, 48, 48, 1, act=nn.Tanh)),
    "curve-noisy": lambda: curve(mlp(2, 48, 48, 1), noise=0.5),
    "curve-tails": lambda: curve(mlp(2, 48, 48, 1), noise=0.3, loss=F.smooth_l1_loss, tails=True),
    "curve-exact": lambda: curve(mlp(2, 64, 64, 1, act=nn.Tanh), noise=0.0),
    "counts": counts,
    "ratings": ratings,
    "ratings-sparse": lambda: ratings(sparse=True),
    "recalled-gru": lambda: recalled("GRU"),
    "recalled-lstm": lambda: recalled("LSTM"),
    "spirals": lambda: spirals(mlp(2, 64, 64, 2)),
    "spirals-tanh": lambda: spirals(mlp(2, 64, 64, 2, act=nn.Tanh)),
}  # fmt: skip
"""Every task by its name; what begins with digits, wine, cancer, diabetes or text is of real data."""
REAL = ("digits", "wine", "cancer", "diabetes", "text")
