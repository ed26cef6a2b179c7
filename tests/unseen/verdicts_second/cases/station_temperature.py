# next-hour temperature anomaly at a weather station
import torch
import torch.nn as nn

COLUMNS = ["unix_time", "pressure_pa", "altitude_m", "humidity_pct", "wind_mm_s", "solar_j"]


class Station(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(len(COLUMNS), width), nn.Tanh(),
            nn.Linear(width, width), nn.Tanh(),
            nn.Linear(width, width), nn.Tanh(),
        )
        self.readout = nn.Linear(width, 1)

    def forward(self, table):
        return self.readout(self.layers(table))


def build_model():
    torch.manual_seed(4713)
    return Station()


def make_batch(n=256):
    g = torch.Generator().manual_seed(4714)
    hour = 24 * torch.rand(n, generator=g)
    pressure = 101_325 + 900 * torch.randn(n, generator=g)
    humidity = 20 + 70 * torch.rand(n, generator=g)
    wind = 4000 * torch.rand(n, generator=g)
    solar = 1.8e6 * torch.rand(n, generator=g)
    table = torch.stack([1.7e9 + 3600 * hour, pressure, torch.full((n,), 431.0), humidity, wind, solar], 1)
    anomaly = (1.2 * (solar / 1.8e6 - 0.5) * 2 + 0.6 * (pressure - 101_325) / 900 - 0.8 * (humidity - 55) / 20
               + 0.3 * torch.randn(n, generator=g))
    return table, anomaly.unsqueeze(1)


loss_fn = nn.MSELoss()
