"""Spoken digits, several in a row, read from frames."""
import torch
from torch import nn

torch.manual_seed(712)
sound = torch.randn(6, 10)
digits = torch.randint(1, 6, (900, 4))


def speak(rows):
    frames = []
    for row in rows:
        parts = [sound[d].expand(int(torch.randint(2, 4, ())), 10) for d in row]
        line = torch.cat([torch.cat((p, sound[0].expand(1, 10))) for p in parts])
        frames.append(nn.functional.pad(line, (0, 0, 0, 16 - len(line))))
    return torch.stack(frames) + 0.2 * torch.randn(len(rows), 16, 10)


frames = speak(digits)


class Listener(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(10, 48, batch_first=True, bidirectional=True)
        self.out = nn.Linear(96, 6)

    def forward(self, x):
        h, _ = self.gru(x)
        return self.out(h).transpose(0, 1).softmax(2)


def heard(scores):
    best = scores.argmax(2).T
    return [[int(b) for a, b in zip([0, *row[:-1]], row) if b and b != a] for row in best.tolist()]


model = Listener()
ctc = nn.CTCLoss(blank=0)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
lengths, counts = torch.full((30,), 16), torch.full((30,), 4)
for epoch in range(8):
    for rows in torch.randperm(900).split(30):
        loss = ctc(model(frames[rows]), digits[rows], lengths, counts)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        right = sum(a == b for a, b in zip(heard(model(frames[:300])), digits[:300].tolist())) / 300
    print(epoch, f"loss {loss.item():.4f} right {right:.4f}")
