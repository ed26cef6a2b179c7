import torch
print(torch.VERSION)
