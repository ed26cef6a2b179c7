"""One thread a test process: the models are small, and xdist starts a process for each core."""

import torch

torch.set_num_threads(1)
