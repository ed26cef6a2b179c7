# gradcheck check GC611.py --batches 4 --no-try
import torch
import torch.nn.functional as F
from torch import nn

model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 4))
data = torch.utils.data.TensorDataset(torch.randn(64, 20), torch.arange(64) % 4)
loader = torch.utils.data.DataLoader(data, batch_size=16)
loss = F.cross_entropy
