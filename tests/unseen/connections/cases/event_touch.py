import torch
import torch.nn as nn
import torch.nn.functional as F


class BoxSpike(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v, threshold, width):
        ctx.save_for_backward(v)
        ctx.threshold, ctx.width = threshold, width
        return (v > threshold).to(v.dtype)

    @staticmethod
    def backward(ctx, grad):
        v, = ctx.saved_tensors
        return grad * ((v - ctx.threshold).abs() < ctx.width).to(grad.dtype), None, None


class LIF(nn.Module):
    def __init__(self, beta=0.8, threshold=0.5, width=0.5):
        super().__init__()
        self.beta, self.threshold, self.width = beta, threshold, width

    def forward(self, current, mem):
        mem = self.beta * mem + current
        spk = BoxSpike.apply(mem, self.threshold, self.width)
        return spk, mem - self.threshold * spk.detach()


class TouchNet(nn.Module):
    def __init__(self, n_in=24, hidden=64, classes=4):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(n_in, hidden), LIF()
        self.fc2, self.lif2 = nn.Linear(hidden, hidden), LIF(threshold=0.3)
        self.out = nn.Linear(hidden, classes)

    def forward(self, seq):
        m1 = m2 = torch.zeros(seq.shape[0], 64)
        total = 0.0
        for x in seq.unbind(1):
            s1, m1 = self.lif1(self.fc1(x), m1)
            s2, m2 = self.lif2(self.fc2(s1), m2)
            total = total + s2
        return self.out(total / seq.shape[1])


def build_model():
    torch.manual_seed(485)
    return TouchNet()


def make_batch(n=96, steps=8):
    g = torch.Generator().manual_seed(486)
    y = torch.randint(0, 4, (n,), generator=g)
    rate = 0.05 + 0.5 * torch.rand(4, 24, generator=g)
    return (torch.rand(n, steps, 24, generator=g) < rate[y][:, None]).float(), y


def compute_loss(model, batch):
    seq, y = batch
    return F.cross_entropy(model(seq), y)
