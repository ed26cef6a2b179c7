"""An average of the weights, and a target network that is copied now and then."""
import copy

import torch
from torch import nn

net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
target, average = copy.deepcopy(net), copy.deepcopy(net)
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for step in range(12):
    state, following = torch.randn(16, 3), torch.randn(16, 3)
    with torch.no_grad():
        goal = 1 + 0.9 * target(following).max(1).values
    value = net(state).gather(1, torch.randint(0, 2, (16, 1))).squeeze(1)
    loss = nn.functional.smooth_l1_loss(value, goal)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for a, p in zip(average.parameters(), net.parameters()):
            a.mul_(0.9).add_(p, alpha=0.1)
    if step % 4 == 3:
        target.load_state_dict(net.state_dict())
