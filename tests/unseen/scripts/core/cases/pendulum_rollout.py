"""Learn the motion of a driven pendulum by rolling a network out; the horizon grows twice."""
import torch
from torch import nn

torch.manual_seed(111)
DT = 0.25


def truth(state):
    angle, speed = state.unbind(-1)
    return torch.stack([speed, -2.0 * torch.sin(angle) - 0.05 * speed], -1)


def track(n, horizon):
    state = torch.stack([4 * torch.rand(n) - 2, 3 * torch.rand(n) - 1.5], -1)
    states = [state]
    for _ in range(horizon):
        for _ in range(4):
            state = state + DT / 4 * truth(state)
        states.append(state)
    return torch.stack(states, 1)


class Step(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2))

    def forward(self, state):
        return state + DT * self.net(state)


def rollout(model, start, horizon):
    states = [start]
    for _ in range(horizon):
        states.append(model(states[-1]))
    return torch.stack(states, 1)


model = Step()
optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
for step in range(1, 241):
    horizon = 3 if step <= 80 else 10 if step <= 160 else 40
    states = track(24, horizon)
    loss = (rollout(model, states[:, 0], horizon) - states).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print(f"{step:4d}  horizon {horizon:2d}  loss {loss.item():.4f}")
