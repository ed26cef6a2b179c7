"""The UCI wine measurements for the samples beside this file; data/README.md says where they come from."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

DATA = Path(__file__).parent / "data"


def load() -> tuple[Tensor, Tensor]:
    """Return 12 measurements of 178 wines, float32 [N, 12], and their proline content, float32 [N, 1]."""
    table = np.loadtxt(DATA / "wine.csv", delimiter=",", skiprows=1, dtype=np.float32)
    return torch.from_numpy(table[:, :12]), torch.from_numpy(table[:, 12:13])


def standardised(columns: Tensor) -> Tensor:
    """Return every column with mean 0 and standard deviation 1."""
    return (columns - columns.mean(0)) / columns.std(0)
