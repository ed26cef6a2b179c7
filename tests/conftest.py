"""One thread a test process: the models are small, and xdist starts a process for each core."""

import torch
from hypothesis import settings

torch.set_num_threads(1)
# A clock would tell a busy machine from an idle one, not good code from bad.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
