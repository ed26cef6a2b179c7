"""Letters from twenty strokes, in half precision with a gradient scaler and clipping."""
import argparse

import torch
from torch import nn

LETTERS = 10


def get_args():
    p = argparse.ArgumentParser()
    p.add_argument("--lr", type=float, default=0.2)
    p.add_argument("--clip", type=float, default=1.0)
    p.add_argument("--steps", type=int, default=240)
    return p.parse_args()


def train(net, args, centres):
    optimizer = torch.optim.SGD(net.parameters(), lr=args.lr)
    scaler = torch.amp.GradScaler("cpu")
    for step in range(1, args.steps + 1):
        y = torch.randint(0, LETTERS, (48,))
        x = centres[y] + 0.7 * torch.randn(48, 20)
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            loss = nn.functional.cross_entropy(net(x).float(), y)
        scaler.scale(loss).backward()
        nn.utils.clip_grad_norm_(net.parameters(), args.clip)
        scaler.step(optimizer)
        scaler.update()
        if step % 30 == 0:
            print(f"{step:4d}/{args.steps} loss {loss.item():.4f}")


if __name__ == "__main__":
    args = get_args()
    torch.manual_seed(201)
    centres = torch.randn(LETTERS, 20)
    train(nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, LETTERS)), args, centres)
