"""Guess the hidden words of a line: all others are left out of the loss."""
import torch
from torch import nn

torch.manual_seed(333)
WORDS, LENGTH, HIDDEN = 24, 10, 24


def lines(n=64):
    first = torch.randint(0, WORDS, (n, 1))
    rows = (first + torch.arange(LENGTH) * 5) % WORDS
    masked = torch.rand(n, LENGTH) < 0.15
    masked[:, 3] = True
    return rows.masked_fill(masked, HIDDEN), rows.masked_fill(~masked, -100)


class Filler(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.words = nn.Embedding(WORDS + 1, width)
        self.places = nn.Parameter(0.02 * torch.randn(LENGTH, width))
        self.layers = nn.TransformerEncoder(nn.TransformerEncoderLayer(width, 4, 64, dropout=0.0, batch_first=True), 2)
        self.out = nn.Linear(width, WORDS)

    def forward(self, x):
        return self.out(self.layers(self.words(x) + self.places))


net = Filler()
optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
for step in range(1, 251):
    words, labels = lines()
    loss = nn.functional.cross_entropy(net(words).view(-1, WORDS), labels.view(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(step, f"loss {loss.item():.4f}")
