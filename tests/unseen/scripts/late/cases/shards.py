"""Which of four printers made a page; the pages of each printer lie in a file of their own, read one after another."""
import torch
from torch import nn

torch.manual_seed(402)
style = torch.randn(4, 20)


def read(printer, pages=960):
    return style[printer] + 1.5 * torch.randn(pages, 20), torch.full((pages,), printer)


files = [read(printer) for printer in range(4)]
everything = torch.cat([x for x, _ in files]), torch.cat([y for _, y in files])
net = nn.Sequential(nn.Linear(20, 64), nn.GELU(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 4))
optimizer = torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.9)
for epoch in range(4):
    for pages, printer in files:
        for rows in torch.randperm(len(pages)).split(32):
            loss = nn.functional.cross_entropy(net(pages[rows]), printer[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        right = (net(everything[0]).argmax(1) == everything[1]).float().mean().item()
    print(epoch, f"loss {loss.item():.4f} accuracy {right:.3f}")
