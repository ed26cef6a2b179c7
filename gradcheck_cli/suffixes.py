"""What the suffix of a file's name says that it holds: the one table."""

from __future__ import annotations

from pathlib import PurePath

PYTHON, NOTEBOOK = ".py", ".ipynb"
CSV, NPY, NPZ, SAFETENSORS = ".csv", ".npy", ".npz", ".safetensors"
PICKLES = (".pt", ".pth")
"""What torch.save writes under these names is data or weights."""

CODE = (PYTHON, NOTEBOOK)
SETTINGS = (".yaml", ".yml", ".toml")
DATA = (*PICKLES, NPY, NPZ, SAFETENSORS, CSV)
WEIGHTS = (*PICKLES, ".ckpt", ".bin", SAFETENSORS)
INPUTS = (PYTHON, *WEIGHTS, *DATA)
"""What a check can be given."""
SOURCES = (*CODE, *SETTINGS, *WEIGHTS, *DATA)
"""Code, settings and data: no report is written over these, even where nobody named them."""


def suffix_of(path: str | PurePath) -> str:
    """The suffix of a file's name in lower case, with its dot; empty where there is none."""
    return PurePath(path).suffix.lower()
