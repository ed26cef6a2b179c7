# gradcheck run --quiet --no-try GC632.py
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)


class Echo(nn.Module):
    """Tells the first symbol of a sequence."""

    def __init__(self):
        super().__init__()
        self.embed, self.out = nn.Embedding(8, 64), nn.Linear(64, 8)
        self.rnn = nn.RNN(64, 64, nonlinearity="relu", batch_first=True)
        nn.init.orthogonal_(self.rnn.weight_hh_l0, gain=1.02)

    def forward(self, x):
        return self.out(self.rnn(self.embed(x))[0][:, -1])


model = Echo()
optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
for step in range(180):
    length = 6 if step < 50 else 24  # the sequences become longer
    x = torch.randint(0, 8, (32, length))
    loss = F.cross_entropy(model(x), x[:, 0])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
