"""Which of six states a machine is in, from sixteen currents; half precision with a gradient scaler."""
import torch
from torch import nn

torch.manual_seed(109)
STATES = torch.randn(6, 16)


def stream(step, n=48):
    state = torch.randint(0, 6, (n,))
    current = STATES[state] + 0.8 * torch.randn(n, 16)
    if step >= 120:
        current = current * 1e6              # the new logger writes microampere
    return current, state


net = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 6))
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True)
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**12, growth_interval=500)
for step in range(1, 241):
    current, state = stream(step)
    optimizer.zero_grad()
    with torch.autocast("cpu", dtype=torch.float16):
        logits = net(current)
        loss = nn.functional.cross_entropy(logits.float(), state)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    if step % 20 == 0:
        print(f"{step:4d}  loss {loss.item():.4f}  scale {scaler.get_scale():.3g}")
