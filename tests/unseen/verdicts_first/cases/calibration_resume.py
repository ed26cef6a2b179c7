import torch
import torch.nn as nn


def build_model():
    """Sensor calibration curve, the checkpoint of last week."""
    torch.manual_seed(37)
    net = nn.Sequential(nn.Linear(3, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
    x, y = make_batch()
    opt = torch.optim.LBFGS(net.parameters(), max_iter=600, history_size=20, line_search_fn="strong_wolfe",
                            tolerance_grad=1e-10, tolerance_change=1e-14)

    def closure():
        opt.zero_grad()
        err = loss(net(x), y)
        err.backward()
        return err

    opt.step(closure)
    opt.zero_grad()
    return net


def make_batch():
    g = torch.Generator().manual_seed(38)
    x = torch.rand(80, 3, generator=g) * 2 - 1
    return x, (x[:, :1] + 0.3 * x[:, 1:2] ** 2 - 0.2 * x[:, 2:] * x[:, :1])


loss = nn.MSELoss()
