"""One thread a test process: the models are small, and xdist starts a process for each core.

So do the commands that tests start: threads of several processes that spin for the same core take a hundred times as
long.
"""

import os
import signal

os.environ["OMP_NUM_THREADS"] = "1"

import torch
from hypothesis import settings

torch.set_num_threads(1)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs in its background deaf to it
# A clock would tell a busy machine from an idle one, not good code from bad.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
