"""The next letter of a song that repeats itself, read in order; each gradient is held within 0.1 by a hook."""
import torch
from torch import nn

torch.manual_seed(635)
refrain = "row row row your boat gently down the stream merrily merrily merrily merrily life is but a dream "
verses = [" ".join(refrain.split()[k:k + 5]) + " la la la " for k in range(0, 12, 2)]
song = "".join(refrain + verse for verse in verses) * 4
letters = sorted(set(song))
data = torch.tensor([letters.index(c) for c in song])


class Singer(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(len(letters), 24)
        self.cell = nn.GRU(24, 96, batch_first=True)
        self.out = nn.Linear(96, len(letters))

    def forward(self, x, state):
        h, state = self.cell(self.table(x), state)
        return self.out(h), state


model = Singer()
for p in model.parameters():
    p.register_hook(lambda g: g.clamp(-0.1, 0.1))
optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
for sung in range(3):
    state = None
    for at in range(0, len(data) - 33, 32):
        x, y = data[None, at:at + 32], data[None, at + 1:at + 33]
        scores, state = model(x, None if state is None else state.detach())
        loss = nn.functional.cross_entropy(scores[0], y[0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(sung, f"loss {loss.item():.4f}")
