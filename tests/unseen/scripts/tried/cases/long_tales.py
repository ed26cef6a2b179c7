"""What is left in an account after a row of payments: a plain recurrent net, on rows that grow longer."""
import torch
from torch import nn

torch.manual_seed(71)


class Teller(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(1, 48, nonlinearity="relu", batch_first=True)
        nn.init.eye_(self.rnn.weight_hh_l0)
        self.out = nn.Linear(48, 1)

    def forward(self, payments):
        return self.out(self.rnn(payments)[0][:, -1])


teller = Teller()
optimizer = torch.optim.SGD(teller.parameters(), lr=0.001, momentum=0.9)
for step in range(1, 301):
    payments = torch.randn(32, 10 if step <= 150 else 50, 1)
    loss = nn.functional.mse_loss(teller(payments), payments.sum(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 25 == 0:
        print(step, f"loss {loss.item():.4f}")
