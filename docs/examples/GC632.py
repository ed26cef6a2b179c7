# gradcheck run --quiet --no-try GC632.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)


class Last(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(4, 32, nonlinearity="relu", batch_first=True)
        self.head = nn.Linear(32, 4)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


model = Last()
nn.init.eye_(model.rnn.weight_hh_l0)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(300):
    length = 5 if step < 150 else 40  # the sequences become longer
    y = torch.randint(0, 4, (32,))
    x = 0.5 * torch.randn(32, length, 4)
    x[:, 0] += 2 * F.one_hot(y, 4)
    optimizer.zero_grad()
    F.cross_entropy(model(x), y).backward()
    optimizer.step()
