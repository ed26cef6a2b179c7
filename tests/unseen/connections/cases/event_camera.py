import torch
import torch.nn as nn
import torch.nn.functional as F

V_TH = 4.0


class Spike(torch.autograd.Function):
    """Heaviside forward, a box around the threshold backward."""

    @staticmethod
    def forward(ctx, v):
        ctx.save_for_backward(v)
        return (v > V_TH).to(v.dtype)

    @staticmethod
    def backward(ctx, grad):
        v, = ctx.saved_tensors
        return grad * ((v - V_TH).abs() < 0.5).to(grad.dtype)


class EventNet(nn.Module):
    def __init__(self, n_in=32, hidden=64, classes=4, beta=0.8):
        super().__init__()
        self.beta = beta
        self.fc1 = nn.Linear(n_in, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.readout = nn.Linear(hidden, classes)

    def forward(self, events):
        m1 = m2 = 0.0
        rate = 0.0
        for x in events.unbind(1):
            m1 = self.beta * m1 + self.fc1(x)
            s1 = Spike.apply(m1)
            m1 = m1 - V_TH * s1.detach()
            m2 = self.beta * m2 + self.fc2(s1)
            s2 = Spike.apply(m2)
            m2 = m2 - V_TH * s2.detach()
            rate = rate + s2
        return self.readout(rate / events.shape[1])


def build_model():
    torch.manual_seed(480)
    return EventNet()


def make_batch(n=96, steps=8):
    g = torch.Generator().manual_seed(481)
    y = torch.randint(0, 4, (n,), generator=g)
    rate = 0.05 + 0.3 * torch.rand(4, 32, generator=g)
    events = (torch.rand(n, steps, 32, generator=g) < rate[y][:, None]).float()
    return events, y


def compute_loss(model, batch):
    events, y = batch
    return F.cross_entropy(model(events), y)
