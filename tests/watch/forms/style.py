"""An image that is optimised against a frozen network."""
import torch
from torch import nn

vgg = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3)).eval().requires_grad_(False)
image = torch.rand(1, 3, 8, 8, requires_grad=True)
goal = vgg(torch.rand(1, 3, 8, 8)).detach()
optimizer = torch.optim.Adam([image], lr=0.05)
for step in range(8):
    features = vgg(image)
    gram = features.flatten(2) @ features.flatten(2).transpose(1, 2)
    loss = nn.functional.mse_loss(features, goal) + gram.square().mean() * 1e-3
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
