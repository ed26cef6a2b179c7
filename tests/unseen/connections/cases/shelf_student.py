import torch
import torch.nn as nn
import torch.nn.functional as F


def net(width):
    return nn.Sequential(nn.Linear(30, width), nn.ReLU(), nn.Linear(width, 8))


class Distiller(nn.Module):
    def __init__(self):
        super().__init__()
        self.teacher = net(96)
        self.student = net(24)
        for p in self.teacher.parameters():
            p.data.mul_(2.5)
            p.requires_grad_(False)

    def forward(self, x):
        target = self.teacher(x).detach()
        return self.student(x), target


def build_model():
    torch.manual_seed(505)
    return Distiller()


def make_batch(n=192):
    return torch.randn(n, 30, generator=torch.Generator().manual_seed(506))


def compute_loss(model, batch):
    out, target = model(batch)
    tau = 2.0
    soft = F.softmax(target / tau, 1)
    return F.kl_div(F.log_softmax(out / tau, 1), soft, reduction="batchmean") * tau ** 2
