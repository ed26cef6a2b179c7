import torch
from torch import nn

# columns: policy age in months, insured value (k), driver age, annual mileage (100 km), postcode density


class ClaimNet(nn.Module):
    def __init__(self, d_in=5, width=64):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(d_in, width), nn.ReLU(),
            nn.Linear(width, width), nn.ReLU(),
        )
        self.log_rate = nn.Linear(width, 1)

    def forward(self, x):
        return self.log_rate(self.body(x)).squeeze(1)


def build_model():
    torch.manual_seed(19)
    return ClaimNet()


def make_batch(n=256):
    g = torch.Generator().manual_seed(20)
    months = 150 * torch.rand(n, generator=g)
    value = 5 + 60 * torch.rand(n, generator=g)
    age = 18 + 60 * torch.rand(n, generator=g)
    mileage = 40 + 160 * torch.rand(n, generator=g)
    density = torch.exp(4 + 0.5 * torch.randn(n, generator=g))
    rate = torch.exp(0.5 - 0.03 * (age - 45) + 0.004 * (mileage - 120))
    return torch.stack([months, value, age, mileage, density], 1), torch.poisson(rate, generator=g)


criterion = nn.PoissonNLLLoss(log_input=True, full=False)


def compute_loss(model, batch):
    x, claims = batch
    return criterion(model(x), claims)
