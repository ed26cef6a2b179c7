"""Models whose gradient fades or blows up through time: recurrent nets, by module and by hand."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.corpus.case import Built, ill
from tests.corpus.parts import blobs, curve, fill, recall, supervised
from tests.corpus.provers import (
    ADAM,
    SGD,
    Recipe,
    all_of,
    diverges,
    forgets,
    moves_less,
    stays_at_chance,
)


class LastStep(nn.Module):
    """A recurrent module read at its last step."""

    def __init__(self, recurrent: nn.Module, hidden: int, out: int = 4):
        super().__init__()
        self.recurrent = recurrent
        self.out = nn.Linear(hidden, out)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.recurrent(x)[0][:, -1])


def orthogonal(param: Tensor, gain: float) -> None:
    nn.init.orthogonal_(param, gain)


@ill(
    family="vanishing",
    causes=("bptt-decay", "small-init"),
    field="timeseries",
    proof=all_of(forgets(), stays_at_chance()),
)
def tanh_rnn_200_steps() -> Built:
    """nn.RNN asked for what it saw 200 steps ago, at the default initialisation."""
    x, y = recall(32, 200)
    return supervised(LastStep(nn.RNN(4, 48, batch_first=True), 48), x, y)


@ill(
    family="vanishing",
    causes=("bptt-decay", "small-init"),
    field="text",
    proof=all_of(forgets(), stays_at_chance()),
)
def stacked_rnn_100_steps() -> Built:
    """Two stacked tanh RNN layers over 100 steps."""
    x, y = recall(32, 100)
    return supervised(LastStep(nn.RNN(4, 32, num_layers=2, batch_first=True), 32), x, y)


class HandCell(nn.Module):
    """A recurrent cell written by hand."""

    def __init__(self, inputs: int, hidden: int, gain: float, act: Callable[[Tensor], Tensor]):
        super().__init__()
        self.inp = nn.Linear(inputs, hidden)
        self.weight = nn.Parameter(torch.empty(hidden, hidden))
        orthogonal(self.weight, gain)
        self.act = act

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        return self.act(self.inp(x) + h @ self.weight)


class Loop(nn.Module):
    """A cell in a Python loop."""

    def __init__(self, cell: nn.Module, hidden: int, out: int = 4):
        super().__init__()
        self.cell = cell
        self.out = nn.Linear(hidden, out)
        self.hidden = hidden

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(len(x), self.hidden)
        for step in x.unbind(1):
            h = self.cell(step, h)
        return self.out(h)


@ill(
    family="vanishing",
    causes=("bptt-decay", "small-init"),
    field="timeseries",
    proof=all_of(forgets(), stays_at_chance(recipes=SGD)),
)
def hand_cell_half_gain() -> Built:
    """A hand-written tanh cell, recurrent weight 0.5 * orthogonal, 100 steps."""
    x, y = recall(32, 100)
    return supervised(Loop(HandCell(4, 32, 0.5, torch.tanh), 32), x, y)


@ill(
    family="vanishing",
    causes=("bptt-decay", "saturating-activation"),
    field="timeseries",
    proof=all_of(forgets(), stays_at_chance()),
)
def sigmoid_cell_60_steps() -> Built:
    """A hand-written sigmoid cell over 60 steps."""
    x, y = recall(32, 60)
    return supervised(Loop(HandCell(4, 32, 1.0, torch.sigmoid), 32), x, y)


@ill(
    family="vanishing",
    causes=("bptt-decay", "small-init"),
    field="physics",
    proof=all_of(forgets(), stays_at_chance(recipes=SGD)),
)
def linear_recurrence_08() -> Built:
    """A linear state-space model with rho = 0.8 over 150 steps."""
    x, y = recall(32, 150)
    return supervised(Loop(HandCell(4, 32, 0.8, lambda h: h), 32), x, y)


@ill(
    family="vanishing",
    causes=("bptt-decay", "small-init"),
    field="text",
    proof=all_of(forgets(), stays_at_chance()),
)
def default_gru_200_steps() -> Built:
    """A default GRU asked for what it saw 200 steps ago: half is forgotten at every step."""
    x, y = recall(32, 200)
    return supervised(LastStep(nn.GRU(4, 24, batch_first=True), 24), x, y)


class Seq2Seq(nn.Module):
    """An encoder whose last state alone feeds the decoder."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.RNN(4, 32, batch_first=True)
        self.decoder = nn.RNNCell(4, 32)
        self.out = nn.Linear(32, 4)

    def forward(self, x: Tensor) -> Tensor:
        h = self.encoder(x)[1][0]
        token, outputs = x.new_zeros(len(x), 4), []
        for _ in range(3):
            h = self.decoder(token, h)
            token = self.out(h)
            outputs.append(token)
        return torch.stack(outputs, dim=2)


@ill(
    family="vanishing",
    causes=("bptt-decay", "small-init"),
    field="text",
    proof=all_of(forgets(), stays_at_chance()),
)
def seq2seq_long_source() -> Built:
    """Sequence to sequence without attention, 120 source steps through a tanh RNN."""
    x, y = recall(32, 120)
    return supervised(Seq2Seq(), x, y[:, None].expand(-1, 3))


def gate_bias(module: nn.Module, gate: int, hidden: int, value: float) -> nn.Module:
    """Set one gate's bias in every layer; torch stores the gates one after the other."""
    for name, param in module.named_parameters():
        if "bias" in name:
            fill(param.data[gate * hidden : (gate + 1) * hidden], value / 2)
    return module


@ill(
    family="vanishing",
    causes=("gate-closed", "bptt-decay", "saturating-activation"),
    field="timeseries",
    proof=all_of(forgets(), stays_at_chance()),
)
def lstm_forgets() -> Built:
    """An LSTM with a forget bias of -10: the cell is wiped at every step."""
    x, y = recall(32, 40)
    return supervised(LastStep(gate_bias(nn.LSTM(4, 32, batch_first=True), 1, 32, -10.0), 32), x, y)


@ill(
    family="vanishing",
    causes=("gate-closed", "saturating-activation"),
    field="audio",
    proof=all_of(moves_less("recurrent.weight_ih_l0", bias=0.0), stays_at_chance(recipes=(*SGD, *ADAM))),
)
def lstm_input_gate_closed(bias: float = -30.0) -> Built:
    """An LSTM whose input gate has a bias of -30: nothing is ever written."""
    x, y = recall(32, 8)
    return supervised(LastStep(gate_bias(nn.LSTM(4, 32, batch_first=True), 0, 32, bias), 32), x, y)


@ill(
    family="vanishing",
    causes=("gate-closed", "saturating-activation"),
    field="text",
    proof=all_of(moves_less("recurrent.weight_ih_l0", bias=0.0), stays_at_chance()),
)
def gru_never_updates(bias: float = 30.0) -> Built:
    """A GRU whose update gate is shut (bias 30 keeps the old state): it stays at zero."""
    x, y = recall(32, 8)
    return supervised(LastStep(gate_bias(nn.GRU(4, 32, batch_first=True), 1, 32, bias), 32), x, y)


@ill(
    family="vanishing",
    causes=("gate-closed", "saturating-activation"),
    field="rl",
    proof=all_of(moves_less("cell", bias=0.0), stays_at_chance(recipes=SGD)),
)
def grucell_memory_frozen(bias: float = 30.0) -> Built:
    """A recurrent policy on nn.GRUCell with its update gate shut; policy gradient."""
    states, actions = recall(32, 10)
    advantage = torch.rand(32) + 0.5
    model = Loop(gate_bias(nn.GRUCell(4, 32), 1, 32, bias), 32)

    def step(model: nn.Module, batch: tuple) -> Tensor:
        states, actions, advantage = batch
        return (F.cross_entropy(model(states), actions, reduction="none") * advantage).mean()

    return model, (states, actions, advantage), step


class HandLstm(nn.Module):
    """An LSTM written from its equations."""

    def __init__(self, inputs: int, hidden: int, forget: float):
        super().__init__()
        self.gates = nn.Linear(inputs + hidden, 4 * hidden)
        fill(self.gates.bias.data[hidden : 2 * hidden], forget)
        self.out = nn.Linear(hidden, 4)
        self.hidden = hidden

    def forward(self, x: Tensor) -> Tensor:
        h = c = x.new_zeros(len(x), self.hidden)
        for step in x.unbind(1):
            i, f, o, g = self.gates(torch.cat([step, h], 1)).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        return self.out(h)


@ill(
    family="vanishing",
    causes=("gate-closed", "bptt-decay", "saturating-activation"),
    field="timeseries",
    proof=all_of(forgets(), stays_at_chance()),
)
def hand_lstm_forgets() -> Built:
    """A hand-written LSTM with a forget bias of -8."""
    x, y = recall(32, 50)
    return supervised(HandLstm(4, 32, -8.0), x, y)


@ill(
    family="exploding",
    causes=("recurrent-gain", "large-init"),
    field="timeseries",
    proof=diverges(gain=0.9),
)
def linear_recurrence_15(gain: float = 1.5) -> Built:
    """A linear recurrence with rho = 1.5 over 60 steps; regression on its last state."""
    x, y = recall(32, 60)
    target = F.one_hot(y, 4).float()
    return supervised(Loop(HandCell(4, 32, gain, lambda h: h), 32), x, target, F.mse_loss)


@ill(
    family="exploding",
    causes=("recurrent-gain", "large-init"),
    field="text",
    proof=diverges(gain=1.0),
)
def relu_rnn_twice_identity(gain: float = 2.0) -> Built:
    """An IRNN whose recurrent weight was set to twice the identity."""
    x, y = recall(32, 50)
    recurrent = nn.RNN(4, 32, nonlinearity="relu", batch_first=True)
    recurrent.weight_hh_l0.data = gain * torch.eye(32)
    return supervised(LastStep(recurrent, 32), x, y)


@ill(
    family="exploding",
    causes=("recurrent-gain", "large-init"),
    field="physics",
    proof=diverges(rate=0.1),
)
def euler_rollout_unstable(rate: float = 4.0) -> Built:
    """A learned linear ODE rolled out by Euler for 100 steps with a growing mode."""

    class Rollout(nn.Module):
        def __init__(self):
            super().__init__()
            self.dynamics = nn.Linear(6, 6, bias=False)
            self.dynamics.weight.data = rate * torch.eye(6) + 0.1 * torch.randn(6, 6)

        def forward(self, state: Tensor) -> Tensor:
            for _ in range(100):
                state = state + 0.05 * self.dynamics(state)
            return state

    x = torch.randn(32, 6)
    return supervised(Rollout(), x, 0.5 * x.flip(1), F.mse_loss)


@ill(
    family="exploding",
    causes=("recurrent-gain", "large-init"),
    field="timeseries",
    proof=diverges(Recipe("sgd", 0.01, 60), spread=0.15),
)
def weight_tied_growth(spread: float = 0.4) -> Built:
    """A weight-tied ReLU layer applied thirty times with too much gain."""

    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.inp, self.cell, self.out = nn.Linear(8, 64), nn.Linear(64, 64), nn.Linear(64, 1)
            nn.init.normal_(self.cell.weight, std=spread)

        def forward(self, x: Tensor) -> Tensor:
            z = self.inp(x)
            for _ in range(30):
                z = F.relu(self.cell(z))
            return self.out(z)

    x, y = curve()
    return supervised(Tied(), x, y, F.mse_loss)


@ill(
    family="exploding",
    causes=("recurrent-gain", "large-init"),
    field="meta-learning",
    proof=diverges(inner=0.05),
)
def unrolled_inner_loop(inner: float = 0.3) -> Built:
    """Meta-learning: 25 inner gradient steps at a rate at which each step overshoots."""

    class Learner(nn.Module):
        def __init__(self):
            super().__init__()
            self.start = nn.Linear(20, 1)

        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            weight = self.start.weight
            for _ in range(25):
                error = F.linear(x, weight, self.start.bias) - y
                weight = weight - inner * 2 * error.T @ x / len(x)
            return F.linear(x, weight, self.start.bias)

    x, _ = blobs()
    y = x @ torch.randn(20, 1) + 0.1 * torch.randn(64, 1)
    return Learner(), (x, y), lambda model, batch: F.mse_loss(model(*batch), batch[1])
