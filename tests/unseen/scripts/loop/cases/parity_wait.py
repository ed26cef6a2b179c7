"""The parity of three bits among sixteen: for a long time nothing, then all at once."""
import torch
from torch import nn

torch.manual_seed(223)


def bits(n=128):
    x = 2.0 * torch.randint(0, 2, (n, 16)) - 1
    return x, (x[:, 2] * x[:, 7] * x[:, 11] > 0).long()


def main(steps=400):
    net = nn.Sequential(nn.Linear(16, 256), nn.ReLU(), nn.Linear(256, 2))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.0)
    for step in range(1, steps + 1):
        x, y = bits()
        out = net(x)
        loss = nn.functional.cross_entropy(out, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 25 == 0:
            print(f"{step:4d} loss {loss.item():.4f} accuracy {(out.argmax(1) == y).float().mean().item():.2f}")
    with torch.no_grad():
        x, y = bits(4000)
        print("accuracy", (net(x).argmax(1) == y).float().mean().item())


main()
