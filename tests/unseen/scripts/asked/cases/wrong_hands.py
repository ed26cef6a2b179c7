"""Handwriting of one clerk, as pairs of slant and size: forged by two nets against each other."""
import torch
from torch import nn

torch.manual_seed(718)


def genuine(n):
    return torch.tensor([3.0, -2.0]) + torch.randn(n, 2) @ torch.tensor([[0.5, 0.3], [0.0, 0.4]])


def make(wide_in, wide_out):
    return nn.Sequential(nn.Linear(wide_in, 48), nn.LeakyReLU(0.2), nn.Linear(48, 48), nn.LeakyReLU(0.2), nn.Linear(48, wide_out))


class Workshop:
    def __init__(self):
        self.forger, self.judge = make(8, 2), make(2, 1)
        self.forger_optimizer = torch.optim.Adam(self.judge.parameters(), lr=1e-3, betas=(0.5, 0.99))
        self.judge_optimizer = torch.optim.Adam(self.judge.parameters(), lr=1e-3, betas=(0.5, 0.99))
        self.criterion = nn.BCEWithLogitsLoss()

    def train_judge(self, real):
        fake = self.forger(torch.randn(len(real), 8)).detach()
        loss = self.criterion(self.judge(real), torch.ones(len(real), 1))
        loss = loss + self.criterion(self.judge(fake), torch.zeros(len(real), 1))
        self.judge_optimizer.zero_grad()
        loss.backward()
        self.judge_optimizer.step()
        return loss.item()

    def train_forger(self, n):
        loss = self.criterion(self.judge(self.forger(torch.randn(n, 8))), torch.ones(n, 1))
        self.forger_optimizer.zero_grad()
        loss.backward()
        self.forger_optimizer.step()
        return loss.item()


shop = Workshop()
for turn in range(400):
    judge, forger = shop.train_judge(genuine(64)), shop.train_forger(64)
    if turn % 50 == 49:
        with torch.no_grad():
            gap = (shop.forger(torch.randn(2000, 8)).mean(0) - genuine(2000).mean(0)).norm().item()
        print(turn + 1, f"judge {judge:.3f} forger {forger:.3f} near {1 / (1 + gap):.4f}")
