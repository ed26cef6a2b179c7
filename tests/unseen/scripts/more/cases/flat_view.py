"""Which of six gestures is it? A recurrent net over readings of a glove, time first."""
import torch
from torch import nn

torch.manual_seed(303)
GESTURES = torch.randn(6, 15, 4)


def batch(n=32):
    gesture = torch.randint(0, 6, (n,))
    return GESTURES[gesture] + 0.4 * torch.randn(n, 15, 4), gesture


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(4, 32)
        self.head = nn.Linear(32, 6)

    def forward(self, x):
        x = x.view(x.size(1), x.size(0), x.size(2))     # (batch, time, channels) to (time, batch, channels)
        out, _ = self.rnn(x)
        return self.head(out[-1])


reader = Reader()
optimizer = torch.optim.Adam(reader.parameters(), lr=3e-3)
for step in range(1, 301):
    x, y = batch()
    logits = reader(x)
    loss = nn.functional.cross_entropy(logits, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(step, f"loss {loss.item():.3f} accuracy {(logits.argmax(1) == y).float().mean().item():.2f}")
