import torch
import torch.nn as nn


class GoalPolicy(nn.Module):
    """The weights of the policy are made of the goal."""

    def __init__(self, scale=1.0):
        super().__init__()
        self.sizes = [10, 64, 64, 64, 64, 3]
        self.goal = nn.Sequential(nn.Linear(6, 32), nn.ReLU())
        self.make = nn.ModuleList(nn.Linear(32, a * b) for a, b in zip(self.sizes, self.sizes[1:]))
        self.shift = nn.ParameterList(nn.Parameter(torch.zeros(b)) for b in self.sizes[1:])
        for layer in self.make:
            nn.init.kaiming_normal_(layer.weight)
            layer.weight.data *= scale
            nn.init.zeros_(layer.bias)

    def forward(self, goal, state):
        code = self.goal(goal)
        x = state
        for i, (layer, shift) in enumerate(zip(self.make, self.shift)):
            weight = layer(code).view(-1, self.sizes[i + 1], self.sizes[i])
            x = torch.einsum("boi,bi->bo", weight, x) + shift
            if i < len(self.make) - 1:
                x = torch.relu(x)
        return x


def build_model(scale=1.0):
    torch.manual_seed(9401)
    return GoalPolicy(scale)


def make_batch():
    g = torch.Generator().manual_seed(9402)
    goal, state = torch.randn(96, 6, generator=g), torch.randn(96, 10, generator=g)
    act = torch.stack([goal[:, 0] * state[:, 0], goal[:, 1] - state[:, 1], state[:, 2]], dim=1)
    return goal, state, torch.tanh(act)


def compute_loss(model, batch):
    goal, state, act = batch
    return nn.functional.mse_loss(model(goal, state), act)
