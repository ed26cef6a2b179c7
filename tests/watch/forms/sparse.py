"""An embedding with sparse gradients."""
import torch
from torch import nn

bag, head = nn.EmbeddingBag(20, 4, sparse=True), nn.Linear(4, 1)
optimizers = [torch.optim.SparseAdam(bag.parameters(), lr=0.01), torch.optim.Adam(head.parameters(), lr=0.01)]
for step in range(7):
    ids = torch.randint(0, 20, (8, 3))
    loss = (head(bag(ids)).squeeze(1) - ids.float().mean(1)).square().mean()
    for optimizer in optimizers:
        optimizer.zero_grad()
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()
