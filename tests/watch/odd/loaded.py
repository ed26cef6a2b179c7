"""Weights, optimisers and models by torch.load."""
import torch, os
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
opt = torch.optim.Adam(net.parameters(), lr=0.05)
x, y = torch.randn(16, 4), torch.randn(16, 1)
torch.save({"net": net.state_dict(), "opt": opt.state_dict(), "whole": net}, "w.pt")
state = torch.load("w.pt", weights_only=False)
net.load_state_dict(state["net"], assign=True)
opt = torch.optim.Adam(net.parameters(), lr=0.05)
opt.load_state_dict(state["opt"])
for step in range(5):
    opt.zero_grad()
    loss = nn.functional.mse_loss(net(x), y)
    loss.backward()
    opt.step()
whole = state["whole"]
opt = torch.optim.SGD(whole.parameters(), lr=0.1)
for step in range(3):
    opt.zero_grad(); l2 = whole(x).square().mean(); l2.backward(); opt.step()
print(loss.item(), l2.item())
os.remove("w.pt")
