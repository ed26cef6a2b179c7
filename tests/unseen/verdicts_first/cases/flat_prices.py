import torch
import torch.nn as nn
import torch.nn.functional as F


class PriceModel(nn.Module):
    def __init__(self, n_features=9):
        super().__init__()
        self.fc1 = nn.Linear(n_features, 64)
        self.fc2 = nn.Linear(64, 32)
        self.fc3 = nn.Linear(32, 1)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


def build_model():
    torch.manual_seed(42)
    return PriceModel()


def make_batch():
    torch.manual_seed(43)
    x = torch.randn(200, 9)                       # StandardScaler on the features
    price = 310_000 + 60_000 * x[:, :1] - 45_000 * x[:, 1:2] + 25_000 * x[:, 2:3] * x[:, 3:4] + 8_000 * torch.randn(200, 1)
    return x, price


loss_fn = nn.MSELoss()


def compute_loss(model, batch):
    x, price = batch
    return loss_fn(model(x), price)
