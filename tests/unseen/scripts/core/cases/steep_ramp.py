"""Shapes in small pictures, a plain conv net; the learning rate is warmed up over the whole run."""
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

torch.manual_seed(112)
PEAK, STEPS = 1.5, 240


def pictures(n=32):
    kind = torch.randint(0, 4, (n,))
    img = 0.3 * torch.randn(n, 1, 10, 10)
    for i, k in enumerate(kind):
        r = int(torch.randint(1, 8, ()))
        if k == 0:
            img[i, 0, r] += 1.0
        elif k == 1:
            img[i, 0, :, r] += 1.0
        elif k == 2:
            img[i, 0] += torch.eye(10)
        else:
            img[i, 0, r:r + 2, r:r + 2] += 1.5
    return img, kind


net = nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32 * 36, 64), nn.ReLU(), nn.Linear(64, 4))
optimizer = torch.optim.SGD(net.parameters(), lr=PEAK, momentum=0.9)
warmup = LambdaLR(optimizer, lambda s: (s + 1) / STEPS)
for step in range(1, STEPS + 1):
    img, kind = pictures()
    out = net(img)
    loss = nn.functional.cross_entropy(out, kind)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    warmup.step()
    if step % 20 == 0:
        print(step, f"lr {warmup.get_last_lr()[0]:.3f} loss {loss.item():.3f} accuracy {(out.argmax(1) == kind).float().mean().item():.2f}")
