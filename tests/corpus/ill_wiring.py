"""Models that are put together wrongly: layers that are not called, start alike, or are fed the wrong tensor."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.corpus.case import Built, ill
from tests.corpus.faults import is_linear
from tests.corpus.parts import blobs, curve, mlp, recall, supervised
from tests.corpus.provers import Recipe, all_of, learns_less, no_gradient, stays_at_chance


class Clip(torch.autograd.Function):
    """A clamp whose backward was left for later."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return x.clamp(-1, 1)

    @staticmethod
    def backward(ctx, grad: Tensor) -> None:
        return None


@ill(family="no-gradient", causes=("custom-backward",), field="audio", proof=no_gradient("encoder", custom=False))
def backward_returns_none(custom: bool = True) -> Built:
    """A custom autograd Function whose backward returns None for its input."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Linear(20, 32)
            self.head = nn.Linear(32, 10)

        def forward(self, x: Tensor) -> Tensor:
            h = self.encoder(x)
            return self.head(Clip.apply(h) if custom else h.clamp(-1, 1))

    x, y = blobs()
    return supervised(Net(), x, y)


@ill(family="no-gradient", causes=("zero-product",), field="text", proof=no_gradient("down", "up", std=0.02))
def lora_with_both_factors_zero(std: float = 0.0) -> Built:
    """A low-rank update of a frozen layer, both factors of which start at zero."""

    class Lora(nn.Module):
        def __init__(self):
            super().__init__()
            self.base = nn.Linear(20, 32).requires_grad_(False)
            self.down, self.up = nn.Linear(20, 4, bias=False), nn.Linear(4, 32, bias=False)
            nn.init.normal_(self.down.weight, std=std)
            nn.init.normal_(self.up.weight, std=std)
            self.head = nn.Linear(32, 10)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(F.relu(self.base(x) + self.up(self.down(x))))

    x, y = blobs()
    return supervised(Lora(), x, y)


@ill(
    family="no-gradient",
    causes=("not-in-loss",),
    field="timeseries",
    proof=all_of(no_gradient("encoder", called=True), stays_at_chance()),
    try_budget=800,
)
def encoder_that_is_never_called(called: bool = False) -> Built:
    """A sequence classifier that reads out a state of zeros, since its encoder is built and not called."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.GRU(4, 16, batch_first=True)
            self.head = mlp([16, 16, 4])

        def forward(self, x: Tensor) -> Tensor:
            state = self.encoder(x)[1][0] if called else torch.zeros(len(x), 16)
            return self.head(state)

    x, y = recall(32, 6)
    return supervised(Net(), x, y)


@ill(
    family="no-gradient",
    causes=("input-scale",),
    field="tabular",
    proof=is_linear(mean=0.0),
)
def thermometers_at_37_degrees(mean: float = 37.0) -> Built:
    """Temperatures around 37 into a ReLU layer: each unit is off for all rows, or on for all."""
    x, y = curve()
    return supervised(mlp([8, 16, 1]), mean + 0.4 * x, y, F.mse_loss)


@ill(
    family="no-gradient",
    causes=("graph-cut",),
    field="timeseries",
    proof=all_of(stays_at_chance(), learns_less(recipes=(Recipe("adam", 1e-2),), cut=False)),
    try_budget=800,
)
def state_detached_before_each_step(cut: bool = True) -> Built:
    """A recurrent cell that is given its own state detached at every step of one sequence."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.GRUCell(4, 16)
            self.head = nn.Linear(16, 4)

        def forward(self, x: Tensor) -> Tensor:
            h = x.new_zeros(len(x), 16)
            for step in x.unbind(1):
                h = self.cell(step, h.detach() if cut else h)
            return self.head(h)

    x, y = recall(32, 14)
    return supervised(Net(), x, y)


@ill(family="vanishing", causes=("symmetric-init",), field="tabular", proof=learns_less(constant=None))
def weights_all_the_same(constant: float | None = 0.1) -> Built:
    """A network all of whose weights start at one constant."""
    x, y = blobs()
    model = mlp([20, 32, 32, 10])
    for layer in model[::2] if constant is not None else ():
        nn.init.constant_(layer.weight, constant)
        nn.init.zeros_(layer.bias)
    return supervised(model, x, y)


@ill(family="vanishing", causes=("wrong-dim",), field="timeseries", proof=learns_less(moved=True))
def view_for_transpose(moved: bool = False) -> Built:
    """Sequences (batch, time, features) that view() is to turn into (time, batch, features)."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.GRU(4, 16)
            self.head = nn.Linear(16, 4)

        def forward(self, x: Tensor) -> Tensor:
            batch, time, features = x.shape
            steps = x.transpose(0, 1) if moved else x.view(time, batch, features)
            return self.head(self.rnn(steps)[1][0])

    y = torch.arange(32) % 4
    x = torch.randn(4, 4)[y][:, None] + 0.3 * torch.randn(32, 10, 4)
    return supervised(Net(), x, y)


@ill(
    family="vanishing",
    causes=("dropout-too-high",),
    field="tabular",
    proof=learns_less(p=0.05),
    try_budget=800,
)
def dropout_that_keeps_a_twentieth(p: float = 0.95) -> Built:
    """nn.Dropout(0.95), where 0.95 was the share to keep."""
    x, y = blobs()
    model = nn.Sequential(
        nn.Linear(20, 32), nn.ReLU(), nn.Dropout(p), nn.Linear(32, 32), nn.ReLU(), nn.Dropout(p), nn.Linear(32, 10)
    )
    return supervised(model, x, y)
