"""Tags for words: a recurrent encoder, and a layer of its own in front that joins two kinds of features."""
import torch
from torch import nn

torch.manual_seed(410)
rule = torch.randn(40, 4)


def sentences(n=32, length=9):
    features = torch.randn(n, length, 40)
    return features, (features @ rule).argmax(-1)


class Join(nn.Module):
    def __init__(self, of, to):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(to, of))
        nn.init.orthogonal_(self.weight)

    def forward(self, x):
        return x @ self.weight.T


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.join = Join(40, 3)
        self.encoder = nn.GRU(3, 32, batch_first=True)
        self.tag = nn.Linear(32, 4)

    def forward(self, x):
        return self.tag(self.encoder(self.join(x))[0])


model = Tagger()
groups = [{"params": model.encoder.parameters(), "lr": 5e-3}, {"params": model.tag.parameters(), "lr": 1e-2}]
optimizer = torch.optim.Adam(groups)
for step in range(1, 301):
    x, y = sentences()
    loss = nn.functional.cross_entropy(model(x).flatten(0, 1), y.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(step, f"loss {loss.item():.4f}")
