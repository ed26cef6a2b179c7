"""Who belongs to which club, from who knows whom: a graph network by hand."""
import torch
from torch import nn

torch.manual_seed(717)
people, clubs = 400, 4
club = torch.randint(0, clubs, (people,))
same = club[:, None] == club[None]
knows = torch.rand(people, people) < torch.where(same, 0.06, 0.012)
knows = (knows | knows.T).float().fill_diagonal_(1)
mean = knows / knows.sum(1, keepdim=True)
about = nn.functional.one_hot(club, clubs).float() + 1.5 * torch.randn(people, clubs)
about = torch.cat((about, torch.randn(people, 12)), 1)
train = torch.rand(people) < 0.6


class Hop(nn.Module):
    def __init__(self, wide_in, wide_out):
        super().__init__()
        self.linear = nn.Linear(wide_in, wide_out)

    def forward(self, x):
        return torch.relu(self.linear(mean @ x))


class Net(nn.Module):
    def __init__(self, hops=16):
        super().__init__()
        self.hops = nn.ModuleList(Hop(16 if k == 0 else 32, 32) for k in range(hops))
        self.out = nn.Linear(32, clubs)

    def forward(self, x):
        for hop in self.hops:
            x = hop(x)
        return self.out(x)


net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(200):
    loss = nn.functional.cross_entropy(net(about)[train], club[train])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if epoch % 20 == 19:
        right = (net(about).argmax(1) == club)[~train].float().mean().item()
        print(epoch, f"loss {loss.item():.4f} accuracy {right:.3f}")
