"""Data that a machine with Python and scikit-learn has: nothing is fetched.

Tables come with inputs at mean 0 and deviation 1, as one would feed them; a target of a regression likewise, but where
a name says `raw`.
"""

from __future__ import annotations

import argparse
import codecs
import contextlib
import functools
import inspect
import io
import string
import textwrap
import warnings
from typing import NamedTuple

import torch
from torch import Tensor


class Table(NamedTuple):
    """Rows (N, ...) and their targets: classes (N,), or numbers (N,)."""

    x: Tensor
    y: Tensor


def standardised(x: Tensor) -> Tensor:
    return (x - x.mean(0)) / x.std(0).clamp_min(1e-6)


@functools.cache
def shipped(name: str) -> Table:
    """A table of scikit-learn: digits (1797, 64), wine (178, 13), breast_cancer (569, 30), diabetes (442, 10)."""
    import sklearn.datasets

    loaded = getattr(sklearn.datasets, f"load_{name}")()
    x = torch.tensor(loaded.data, dtype=torch.float32)
    target = torch.tensor(loaded.target)
    y = target.float() if name == "diabetes" else target.long()
    return Table(x / 16 if name == "digits" else standardised(x), y)


@functools.cache
def text() -> str:
    """Text that Python ships: the Zen, and sources of its library."""
    with contextlib.redirect_stdout(io.StringIO()):
        import this
    zen = codecs.decode(this.s, "rot13")
    return "\n".join([zen * 3, *(inspect.getsource(module) for module in (textwrap, string, warnings, argparse))])


@functools.cache
def letters() -> Tensor:
    """The first 20,000 characters (N,) of the text, as classes 0 to 63."""
    known = "\n " + string.ascii_lowercase + string.digits + "._()=:,'\"#[]-+*/<>!%{}@&"
    return torch.tensor([known.index(c) if c in known else 1 for c in text().lower()[:20_000]])


VOCABULARY = 64
