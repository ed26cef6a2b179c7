"""Healthy physics: derivatives inside the loss, unrolled solvers, implicit depth."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.corpus.case import healthy
from tests.corpus.toys import blobs, classify, mlp, regress
from tests.corpus.trained import ADAM, trains


def slope(y: Tensor, x: Tensor) -> Tensor:
    """dy/dx per row, kept differentiable."""
    return torch.autograd.grad(y.sum(), x, create_graph=True)[0]


class Fourier(nn.Module):
    """Random Fourier features from a fixed buffer, then a tanh net."""

    def __init__(self, inputs: int = 1, features: int = 16, scale: float = 1.0):
        super().__init__()
        self.register_buffer("frequency", scale * torch.randn(inputs, features))
        self.net = mlp(2 * features, 32, 32, 1, act=nn.Tanh)

    def forward(self, x):
        angle = x @ self.frequency
        return self.net(torch.cat([angle.sin(), angle.cos()], 1))


@healthy(field="physics", tricky="second derivatives in the loss: the last bias does not enter the residual")
def pinn_poisson_fourier():
    """u'' = -sin(x) on [0, pi] with u = 0 at both ends."""

    def step(model, batch):
        x = batch[0].clone().requires_grad_()
        u = model(x)
        residual = slope(slope(u, x), x) + torch.sin(x)
        return residual.square().mean() + model(batch[1]).square().mean()

    return Fourier(), (math.pi * torch.rand(64, 1), torch.tensor([[0.0], [math.pi]])), step


@healthy(field="physics", tricky="residual and boundary terms differ by two orders; tanh four layers deep")
def pinn_burgers():
    """Burgers' equation, space and time as two inputs, weights 1 and 100 on the terms."""

    def step(model, batch):
        inside, start, value = batch
        point = inside.clone().requires_grad_()
        u = model(point)
        ux, ut = slope(u, point).split(1, 1)
        uxx = slope(ux, point)[:, :1]
        residual = ut + u * ux - 0.01 / math.pi * uxx
        return residual.square().mean() + 100 * F.mse_loss(model(start), value)

    space = torch.linspace(-1, 1, 32)[:, None]
    inside = torch.rand(64, 2) * torch.tensor([2.0, 1.0]) - torch.tensor([1.0, 0.0])
    start = torch.cat([space, torch.zeros_like(space)], 1)
    return mlp(2, 32, 32, 32, 1, act=nn.Tanh), (inside, start, -torch.sin(math.pi * space)), step


class Sine(nn.Module):
    """sin(omega (W x + b)) with SIREN's initialisation."""

    def __init__(self, inputs: int, outputs: int, omega: float = 30.0, first: bool = False):
        super().__init__()
        self.linear, self.omega = nn.Linear(inputs, outputs), omega
        bound = 1 / inputs if first else (6 / inputs) ** 0.5 / omega
        nn.init.uniform_(self.linear.weight, -bound, bound)

    def forward(self, x):
        return torch.sin(self.omega * self.linear(x))


@healthy(
    field="vision",
    tricky="weights of 0.01, slopes of 30; |g|/|w| differs a thousandfold between first and last layer",
    proof=trains(0.3),
)
def siren_picture():
    """A SIREN fits a picture of 16 x 16 from its coordinates."""
    line = torch.linspace(-1, 1, 16)
    grid = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1).flatten(0, 1)
    target = torch.sin(9 * grid[:, :1]) * torch.cos(7 * grid[:, 1:]) + (grid.norm(dim=1, keepdim=True) < 0.5)
    head = nn.Linear(48, 1)
    nn.init.uniform_(head.weight, -((6 / 48) ** 0.5) / 30, (6 / 48) ** 0.5 / 30)
    return nn.Sequential(Sine(2, 48, first=True), Sine(48, 48), Sine(48, 48), head), (grid, target), regress


class NeuralODE(nn.Module):
    """A vector field integrated by 40 explicit Euler steps; its last layer starts small."""

    def __init__(self, steps: int = 40):
        super().__init__()
        self.field, self.steps = mlp(2, 32, 2, act=nn.Tanh), steps

    def forward(self, x):
        for _ in range(self.steps):
            x = x + self.field(x) / self.steps
        return x


@healthy(field="physics", tricky="one small net used 40 times, each time with a factor of 1/40")
def neural_ode_euler_40_steps():
    """Learning the flow map of a damped rotation."""
    x = torch.randn(64, 2)
    turn = 0.7 * torch.tensor([[math.cos(1.0), -math.sin(1.0)], [math.sin(1.0), math.cos(1.0)]])
    return NeuralODE(), (x, x @ turn.T), regress


class Equilibrium(nn.Module):
    """z = tanh(U x + W z) iterated 30 times; W is scaled to a contraction."""

    def __init__(self, width: int = 32):
        super().__init__()
        self.inputs, self.state, self.head = (
            nn.Linear(16, width),
            nn.Linear(width, width),
            nn.Linear(width, 4),
        )
        nn.init.orthogonal_(self.state.weight, gain=0.8)

    def forward(self, x):
        drive, z = self.inputs(x), torch.zeros(len(x), self.state.in_features)
        for _ in range(30):
            z = torch.tanh(drive + self.state(z))
        return self.head(z)


@healthy(field="tabular", tricky="30 contractions: terms of early iterations vanish, as they must at a fixed point")
def deep_equilibrium_unrolled():
    """A deep equilibrium model by plain iteration."""
    return Equilibrium(), blobs(), classify


@healthy(field="physics", tricky="only derivatives enter the loss: the energy's last bias gets none")
def hamiltonian_network():
    """A Hamiltonian net for a pendulum: its symplectic gradient is compared with the true velocity."""
    state = 1.5 * torch.randn(128, 2)
    velocity = torch.stack([state[:, 1], -torch.sin(state[:, 0])], 1)

    def step(model, batch):
        point = batch[0].clone().requires_grad_()
        dq, dp = slope(model(point), point).split(1, 1)
        return F.mse_loss(torch.cat([dp, -dq], 1), batch[1])

    return mlp(2, 32, 32, 1, act=nn.Softplus), (state, velocity), step


class DeepONet(nn.Module):
    """Branch over sensors, trunk over places, joined by a dot product."""

    def __init__(self):
        super().__init__()
        self.branch, self.trunk = mlp(20, 32, 16, act=nn.GELU), mlp(1, 32, 16, act=nn.Tanh)
        self.shift = nn.Parameter(torch.zeros(1))

    def forward(self, sensors, place):
        return torch.einsum("bk,pk->bp", self.branch(sensors), self.trunk(place)) + self.shift


@healthy(field="physics", tricky="two nets multiply; their outputs are small at first")
def deep_operator_network():
    """The antiderivative operator on random sine series."""
    place = torch.linspace(0, 1, 20)[:, None]
    weight = torch.randn(32, 3)
    k = math.pi * torch.arange(1, 4)
    source = weight @ torch.sin(k[:, None] * place.T)
    answer = weight @ ((1 - torch.cos(k[:, None] * place.T)) / k[:, None])
    return DeepONet(), (source, place, answer), lambda m, b: F.mse_loss(m(b[0], b[1]), b[2])


class Spectral(nn.Module):
    """A Fourier neural operator layer with complex weights on eight modes."""

    def __init__(self, width: int = 12, modes: int = 8):
        super().__init__()
        self.modes = modes
        self.weight = nn.Parameter(torch.randn(width, width, modes, dtype=torch.cfloat) / width)
        self.local = nn.Conv1d(width, width, 1)

    def forward(self, x):
        spectrum = torch.fft.rfft(x)
        mixed = torch.einsum("bik,iok->bok", spectrum[..., : self.modes], self.weight)
        return F.gelu(torch.fft.irfft(mixed, x.shape[-1]) + self.local(x)) + x


@healthy(field="physics", tricky="complex weights; high frequencies are dropped and get no gradient")
def fourier_neural_operator():
    """One heat step on a ring: smooth a random field."""
    x = torch.randn(16, 1, 32)
    decay = torch.exp(-0.02 * torch.arange(17) ** 2)
    y = torch.fft.irfft(torch.fft.rfft(x) * decay, 32)
    return nn.Sequential(nn.Conv1d(1, 12, 1), Spectral(), Spectral(), nn.Conv1d(12, 1, 1)), (x, y), regress


class Molecule(nn.Module):
    """Pairwise radial energies with a smooth cut-off; forces are minus its gradient."""

    def __init__(self):
        super().__init__()
        self.pair = mlp(8, 32, 1, act=nn.SiLU)

    def forward(self, position):
        apart = position[:, :, None] - position[:, None]
        pairs = ~torch.eye(position.shape[1], dtype=torch.bool)
        distance = apart[:, pairs].norm(dim=-1, keepdim=True)
        features = torch.exp(-4 * (distance - torch.linspace(0.5, 4, 8)).square())
        cutoff = 0.5 * (torch.cos(math.pi * distance.clamp_max(4) / 4) + 1)
        return 0.5 * (self.pair(features) * cutoff).sum((1, 2))


@healthy(
    field="physics",
    tricky="energies of -1e2 beside forces of 1; the loss takes only forces and a centred energy",
)
def interatomic_potential_forces():
    """Fitting energy and forces of a Morse-like potential on clusters of five atoms."""
    grid = torch.tensor([[0.0, 0, 0], [1.2, 0, 0], [0, 1.2, 0], [0, 0, 1.2], [1.2, 1.2, 0]])
    position = (grid + 0.1 * torch.randn(16, 5, 3)).requires_grad_()
    distance = torch.stack([F.pdist(p) for p in position])
    energy = ((1 - torch.exp(-(distance - 1.2))) ** 2).sum(1)
    force = -slope(energy, position).detach()

    def step(model, batch):
        position, energy, force = batch
        position = position.clone().requires_grad_()
        guess = model(position)
        miss = guess - energy
        return F.mse_loss(-slope(guess, position), force) + 0.1 * (miss - miss.mean()).square().mean()

    return Molecule(), (position.detach(), energy.detach(), force), step


@healthy(
    field="physics",
    tricky="a simulator without weights lies between the loss and the only parameters",
    proof=trains(0.3, recipes=ADAM),
)
def system_identification():
    """Two physical constants, learned through 50 steps of a simulated spring."""

    class Spring(nn.Module):
        def __init__(self):
            super().__init__()
            self.log_stiffness, self.log_damping = (nn.Parameter(torch.tensor(v)) for v in (0.0, -2.0))

        def forward(self, x):
            v, track = torch.zeros_like(x), []
            for _ in range(50):
                v = v - 0.05 * (self.log_stiffness.exp() * x + self.log_damping.exp() * v)
                x = x + 0.05 * v
                track.append(x)
            return torch.stack(track, 1)

    truth, start = Spring(), torch.randn(16)
    with torch.no_grad():
        truth.log_stiffness.fill_(0.7)
        truth.log_damping.fill_(-0.5)
        track = truth(start)
    return Spring(), (start, track), regress
