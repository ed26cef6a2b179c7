"""The grid: what is trained how. It was written before the tool saw any of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.optim import lr_scheduler as schedulers

from tests.unseen.healthy.tasks import TASKS

STEPS = 300
SEEDS = (0, 1000, 2000)
Parameters = Iterable[nn.Parameter]
OPTIMIZERS: dict[str, Callable[[Parameters, float], torch.optim.Optimizer]] = {
    "sgd": lambda p, lr: torch.optim.SGD(p, lr),
    "momentum": lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9),
    "nesterov": lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9, nesterov=True, weight_decay=1e-4),
    "adam": lambda p, lr: torch.optim.Adam(p, lr),
    "adam-gan": lambda p, lr: torch.optim.Adam(p, lr, betas=(0.5, 0.99)),
    "adamw": lambda p, lr: torch.optim.AdamW(p, lr, weight_decay=0.05),
    "amsgrad": lambda p, lr: torch.optim.Adam(p, lr, amsgrad=True),
    "rmsprop": lambda p, lr: torch.optim.RMSprop(p, lr),
    "adagrad": lambda p, lr: torch.optim.Adagrad(p, lr),
    "adadelta": lambda p, lr: torch.optim.Adadelta(p, lr),
    "nadam": lambda p, lr: torch.optim.NAdam(p, lr),
    "sparse-adam": lambda p, lr: torch.optim.SparseAdam(list(p), lr),
}
SCHEDULES: dict[str, Callable[[torch.optim.Optimizer], schedulers.LRScheduler]] = {
    "constant": lambda o: schedulers.LambdaLR(o, lambda step: 1.0),
    "step": lambda o: schedulers.StepLR(o, 100, 0.3),
    "cosine": lambda o: schedulers.CosineAnnealingLR(o, STEPS),
    "warm-up": lambda o: schedulers.LambdaLR(o, lambda step: min(1.0, (step + 1) / 40)),
    "warm-up-cosine": lambda o: schedulers.LambdaLR(
        o, lambda step: min((step + 1) / 30, 0.5 * (1 + math.cos(math.pi * step / STEPS)))
    ),
    "one-cycle": lambda o: schedulers.OneCycleLR(o, [group["lr"] * 3 for group in o.param_groups], STEPS),
    "restarts": lambda o: schedulers.CosineAnnealingWarmRestarts(o, 75),
    "exponential": lambda o: schedulers.ExponentialLR(o, 0.99),
    "cyclic": lambda o: schedulers.CyclicLR(
        o,
        [group["lr"] / 5 for group in o.param_groups],
        [group["lr"] for group in o.param_groups],
        25,
        cycle_momentum=False,
    ),
    "linear-to-zero": lambda o: schedulers.LambdaLR(o, lambda step: max(0.0, 1 - step / 270)),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One training run, but for its seed."""

    task: str
    optimizer: str
    lr: float
    schedule: str = "constant"
    clip: float | None = None
    accumulate: int = 1
    bf16: bool = False

    @property
    def name(self) -> str:
        extras = (
            f"/clip{self.clip}" * bool(self.clip) + f"/x{self.accumulate}" * (self.accumulate > 1) + "/bf16" * self.bf16
        )
        return f"{self.task}/{self.optimizer}-{self.lr:g}/{self.schedule}{extras}"


def _runs(tasks: str, ways: str) -> list[Run]:
    """Every task with every way: an optimiser, its learning rate, and perhaps a schedule."""
    runs = []
    for task in tasks.split():
        for way in ways.split():
            optimizer, lr, *schedule = way.split(":")
            runs.append(Run(task=task, optimizer=optimizer, lr=float(lr), schedule=(schedule or ["constant"])[0]))
    return runs


GRID: tuple[Run, ...] = (
    *_runs(
        "digits-mlp",
        "sgd:0.1 momentum:0.05:step momentum:0.05:one-cycle adam:0.002 adamw:0.003:cosine "
        "rmsprop:0.001 adagrad:0.03 adadelta:1:step nesterov:0.05:restarts nadam:0.002:warm-up "
        "amsgrad:0.003:exponential sgd:0.2:cyclic adam:0.003:linear-to-zero",
    ),
    *_runs(
        "digits-cnn",
        "sgd:0.05:cosine momentum:0.02 adam:0.002:one-cycle adamw:0.002:warm-up-cosine "
        "rmsprop:0.0007:step adagrad:0.02",
    ),
    *_runs("digits-deep-mlp digits-residual", "momentum:0.03:cosine adamw:0.002:warm-up"),
    *_runs("digits-sigmoid digits-linear", "adam:0.01 momentum:0.2:step"),
    *_runs("digits-dropout digits-cnn-plain digits-cnn-pooled", "adam:0.002 nesterov:0.03:warm-up"),
    *_runs("digits-gru digits-lstm digits-rnn", "adam:0.003:cosine rmsprop:0.002"),
    *_runs("digits-transformer digits-transformer-post", "adamw:0.002:warm-up-cosine adam:0.001"),
    *_runs("digits-noisy digits-mixup digits-smoothed", "adam:0.003 momentum:0.05:cosine"),
    *_runs(
        "digits-focal digits-small-batch digits-large-batch digits-two-heads digits-by-turns "
        "digits-rare",
        "adam:0.002",
    ),
    *_runs("digits-small-batch digits-large-batch", "momentum:0.01:restarts"),
    *_runs("digits-tuned digits-head-only", "adam:0.002 momentum:0.02:one-cycle"),
    *_runs("digits-distilled digits-contrasted digits-triplets digits-curriculum digits-one-batch", "adam:0.003"),
    *_runs("digits-autoencoder digits-denoised digits-diffused", "adam:0.003:cosine adamw:0.003"),
    *_runs("digits-bottleneck digits-vae digits-beta-vae", "adam:0.003 rmsprop:0.001"),
    *_runs("wine-mlp wine-linear", "sgd:0.1 adam:0.01:restarts"),
    *_runs("cancer-mlp cancer-linear cancer-hinge", "momentum:0.02:step adam:0.003"),
    *_runs("diabetes-mlp diabetes-linear diabetes-huber diabetes-pinball", "sgd:0.03 adam:0.005:cosine"),
    *_runs("diabetes-raw", "adam:0.01:warm-up"),
    *_runs("text-gru text-lstm", "adam:0.005 rmsprop:0.003:step"),
    *_runs("text-transformer text-transformer-drop", "adamw:0.003:warm-up-cosine adam:0.002"),
    *_runs("text-window", "adam:0.005 momentum:0.1:step adagrad:0.05"),
    *_runs("text-neighbours", "adam:0.01 adagrad:0.1"),
    *_runs("gan gan-hinge gan-squares gan-penalty", "adam-gan:0.001 rmsprop:0.0005"),
    *_runs("bandit-policy bandit-critic bandit-q", "adam:0.01 rmsprop:0.003"),
    *_runs("corridor-q", "adam:0.005 momentum:0.1"),
    *_runs("spread flow", "adam:0.005 adamw:0.005:cosine"),
    *_runs("curve curve-noisy curve-tails curve-exact", "adam:0.005:cosine momentum:0.05:warm-up"),
    *_runs("counts", "adam:0.003 sgd:0.01"),
    *_runs("ratings", "adam:0.03 adagrad:0.3"),
    *_runs("ratings-sparse", "sparse-adam:0.03"),
    *_runs("recalled-gru recalled-lstm", "adam:0.01"),
    *_runs("spirals spirals-tanh", "adam:0.01 momentum:0.2:one-cycle"),
    *(replace(run, clip=1.0) for run in _runs(
        "digits-mlp text-lstm digits-gru bandit-critic",
        "momentum:0.1 adam:0.005",
    )),
    *(replace(run, accumulate=4) for run in _runs(
        "digits-small-batch text-gru digits-cnn",
        "adam:0.003 momentum:0.03",
    )),
    *(replace(run, bf16=True) for run in _runs(
        "digits-mlp digits-cnn text-transformer digits-autoencoder",
        "adam:0.002 adamw:0.003:cosine",
    )),
)  # fmt: skip
BY_NAME = {run.name: run for run in GRID}
assert len(BY_NAME) == len(GRID) and {run.task for run in GRID} == set(TASKS)
