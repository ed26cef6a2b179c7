"""A language of twelve signs, an LSTM, plain SGD at a rate of twenty, and nothing that clips."""
import torch
from torch import nn

torch.manual_seed(618)
follow = torch.softmax(2.5 * torch.randn(12, 12), 1)
text = [0]
for _ in range(12000):
    text.append(int(torch.multinomial(follow[text[-1]], 1)))
text = torch.tensor(text)
streams = text[:12000].view(20, 600)


class Signs(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(12, 32)
        self.cells = nn.LSTM(32, 64, 2, batch_first=True)
        self.out = nn.Linear(64, 12)

    def forward(self, signs, state):
        carried, state = self.cells(self.table(signs), state)
        return self.out(carried), state


model = Signs()
optimizer = torch.optim.SGD(model.parameters(), lr=20.0)
for epoch in range(7):
    state = None
    for at in range(0, 580, 20):
        signs, after = streams[:, at:at + 20], streams[:, at + 1:at + 21]
        if state is not None:
            state = tuple(s.detach() for s in state)
        scores, state = model(signs, state)
        loss = nn.functional.cross_entropy(scores.reshape(-1, 12), after.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, f"loss {loss.item():.4f}")
