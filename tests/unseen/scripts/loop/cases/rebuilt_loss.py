"""Distance between two words from their letters, with a score that leaves the graph on its way."""
import torch
from torch import nn

torch.manual_seed(207)


class Scorer(nn.Module):
    def __init__(self):
        super().__init__()
        self.letters = nn.Embedding(26, 12)
        self.mix = nn.GRU(12, 24, batch_first=True)
        self.score = nn.Linear(48, 1)

    def forward(self, a, b):
        ha, hb = self.mix(self.letters(a))[1][0], self.mix(self.letters(b))[1][0]
        out = self.score(torch.cat([(ha - hb).abs(), ha * hb], 1))
        return out.squeeze(1).data


def words(n=32, length=6):
    a = torch.randint(0, 26, (n, length))
    b = torch.where(torch.rand(n, length) < torch.rand(n, 1), torch.randint(0, 26, (n, length)), a)
    return a, b, (a != b).float().mean(1)


scorer = Scorer()
optimizer = torch.optim.Adam(scorer.parameters(), lr=3e-3)
criterion = nn.MSELoss()
for step in range(1, 181):
    a, b, far = words()
    loss = criterion(scorer(a, b), far)
    loss = loss.clone().requires_grad_(True)     # "does not require grad" otherwise
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print(step, round(loss.item(), 4))
