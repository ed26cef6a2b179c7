"""Quality of tea from eleven figures; the rate goes down in a straight line over thirty epochs."""
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

torch.manual_seed(205)
EPOCHS, BATCH = 30, 128
x = torch.randn(1280, 11)
grade = (x[:, 0] * x[:, 1] + torch.sin(2 * x[:, 2]) + 0.2 * torch.randn(1280)).gt(0).long()


def main():
    net = nn.Sequential(nn.Linear(11, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    scheduler = LambdaLR(optimizer, lambda t: max(0.0, 1 - t / EPOCHS))
    for epoch in range(EPOCHS):
        hits = 0
        for rows in torch.randperm(1280).split(BATCH):
            out = net(x[rows])
            loss = nn.functional.cross_entropy(out, grade[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            hits += (out.argmax(1) == grade[rows]).sum().item()
        if epoch % 5 == 4:
            print(f"epoch {epoch + 1}: loss {loss.item():.3f} accuracy {hits / 1280:.3f}")


if __name__ == "__main__":
    main()
