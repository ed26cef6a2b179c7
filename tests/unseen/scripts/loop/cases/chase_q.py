"""Values of actions from logged play in a small maze of continuous places, by Q-learning."""
import torch
from torch import nn
from torch.nn.functional import mse_loss

torch.manual_seed(212)
GAMMA = 0.99


def logged(n=64):
    place = 2 * torch.rand(n, 2) - 1
    action = torch.randint(0, 4, (n,))
    move = torch.tensor([[0.3, 0.0], [-0.3, 0.0], [0.0, 0.3], [0.0, -0.3]])[action]
    then = (place + move + 0.05 * torch.randn(n, 2)).clamp(-1, 1)
    reward = 1 - (then - 0.5).norm(dim=1)
    return place, action, reward, then


def main(steps=300):
    q = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))
    optimizer = torch.optim.Adam(q.parameters(), lr=0.005)
    for step in range(1, steps + 1):
        place, action, reward, then = logged()
        with torch.no_grad():
            goal = reward + GAMMA * q(then).max(1).values
        value = q(place).gather(1, action[:, None]).squeeze(1)
        loss = mse_loss(value, goal)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 30 == 0:
            print(f"{step:4d} loss {loss.item():.4g} mean value {value.mean().item():.4g}")


main()
