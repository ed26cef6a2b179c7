"""Running sums of digits; the strings get longer in three stages, and the loss is summed along them."""
import torch
from torch import nn

torch.manual_seed(124)


class Summer(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.embed = nn.Embedding(5, 16)
        self.gru = nn.GRU(16, width, batch_first=True)
        self.read = nn.Linear(width, 1)

    def forward(self, digits):
        return self.read(self.gru(self.embed(digits))[0]).squeeze(-1)


def strings(length, n=32):
    digits = torch.randint(0, 5, (n, length))
    return digits, (digits - 2).float().cumsum(1) / 2


def main():
    net = Summer()
    optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
    step = 0
    for length, steps in ((3, 120), (8, 120), (20, 160)):
        for _ in range(steps):
            step += 1
            digits, sums = strings(length)
            loss = (net(digits) - sums).square().sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimizer.step()
            if step % 40 == 0:
                print(f"step {step} length {length} loss {loss.item():.3f}")
    with torch.no_grad():
        digits, sums = strings(20, 500)
        print("explained", 1 - ((net(digits) - sums).square().mean() / sums.var()).item())


main()
