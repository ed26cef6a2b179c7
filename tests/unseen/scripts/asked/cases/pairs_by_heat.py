"""Songs and their covers, in pairs: the temperature is learned, the scale begins too high, the rate restarts thrice."""
import math

import torch
from torch import nn

torch.manual_seed(738)
tune = torch.randn(1600, 10)
songs = torch.tanh(tune @ torch.randn(10, 40)) + 0.3 * torch.randn(1600, 40)
covers = torch.tanh(tune @ torch.randn(10, 30)) + 0.3 * torch.randn(1600, 30)


def tower(width):
    return nn.Sequential(nn.Linear(width, 96), nn.GELU(), nn.LayerNorm(96), nn.Linear(96, 24))


class Pairs(nn.Module):
    def __init__(self):
        super().__init__()
        self.song, self.cover = tower(40), tower(30)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def training_step(self, batch):
        a, b = (nn.functional.normalize(net(x), dim=1) for net, x in zip((self.song, self.cover), batch))
        logits = self.logit_scale.exp().clamp(max=100) * a @ b.T
        answer = torch.arange(len(logits))
        return (nn.functional.cross_entropy(logits, answer) + nn.functional.cross_entropy(logits.T, answer)) / 2

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=4e-3, weight_decay=0.02)
        return optimizer, torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 75)

    def fit(self, epochs):
        optimizer, schedule = self.configure_optimizers()
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**17)
        for epoch in range(epochs):
            for rows in torch.randperm(1600).split(64):
                with torch.autocast("cpu", dtype=torch.float16):
                    loss = self.training_step((songs[rows], covers[rows]))
                optimizer.zero_grad()
                scaler.scale(loss).backward()
                scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(self.parameters(), 1.0)
                scaler.step(optimizer)
                scaler.update()
                schedule.step()
            heat = 1 / self.logit_scale.exp().item()
            print(epoch, f"loss {loss.item():.4f} temperature {heat:.4f} scale {scaler.get_scale():.0f}")


Pairs().fit(12)
