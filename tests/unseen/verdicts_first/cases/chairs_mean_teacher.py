import copy

import torch
import torch.nn as nn
import torch.nn.functional as F


def backbone(width=24):
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(4 * width, 6),
    )


class MeanTeacher(nn.Module):
    def __init__(self, decay=0.95):
        super().__init__()
        self.decay = decay
        self.student = backbone()
        self.teacher = copy.deepcopy(self.student)
        for p in self.teacher.parameters():
            p.requires_grad_(False)

    @torch.no_grad()
    def after_step(self):
        for s, t in zip(self.student.parameters(), self.teacher.parameters()):
            t.lerp_(s, 1 - self.decay)

    def forward(self, weak, strong):
        with torch.no_grad():
            soft = F.softmax(self.teacher(weak), 1)
        return self.student(strong), soft


def build_model():
    torch.manual_seed(300)
    return MeanTeacher()


def make_batch(n=72, labelled=36):
    g = torch.Generator().manual_seed(301)
    y = torch.arange(n) % 6
    proto = torch.randn(6, 1, 4, 4, generator=g)
    x = F.interpolate(proto, size=(12, 12), mode="bilinear")[y]
    weak = x + 0.2 * torch.randn(n, 1, 12, 12, generator=g)
    strong = x + 0.5 * torch.randn(n, 1, 12, 12, generator=g)
    return weak, strong, y[:labelled]


def compute_loss(model, batch):
    weak, strong, y = batch
    logits, soft = model(weak, strong)
    sup = F.cross_entropy(logits[:len(y)], y)
    cons = F.mse_loss(F.softmax(logits, 1), soft)
    return sup + 10.0 * cons
