"""Devices that are there, casts and seeds."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from gradcheck_cli.errors import TargetError
from gradcheck_cli.runtime.state import seed_everything
from gradcheck_cli.target.devices import cast, parse_device

BATCH = "def batch(): return torch.randn(4, 3), torch.randint(0, 2, (4,))\n"


def test_the_cpu_is_always_there():
    assert parse_device("cpu") == torch.device("cpu")
    assert parse_device("cpu:0").index == 0


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="asks for a device that is absent")
def test_a_device_that_is_absent_is_told_with_what_there_is():
    with pytest.raises(TargetError, match="--device mps: this machine has no Apple GPU") as error:
        parse_device("mps")
    assert error.value.hint == "Use --device cpu."


def test_a_device_that_this_build_does_not_know_is_told():
    with pytest.raises(TargetError, match="--device quantum: this build of PyTorch does not know it"):
        parse_device("quantum")


class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2))
        self.phase = nn.Parameter(torch.randn(2, dtype=torch.complex64))
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_a_cast_leaves_integers_and_complex_numbers(dtype):
    model = Mixed()
    cast(model, dtype)
    assert model.weight.dtype is model.mean.dtype is getattr(torch, dtype)
    assert model.count.dtype is torch.int64
    assert model.phase.dtype is torch.complex64


def drawn():
    return random.random(), float(np.random.rand()), float(torch.rand(()))


@given(seed=st.integers(0, 2**63 - 1))
def test_one_seed_sets_all_three_generators(seed):
    state = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        seed_everything(seed)
        first = drawn()
        seed_everything(seed)
        assert drawn() == first
        assert len(set(first)) == 3
    finally:
        random.setstate(state[0])
        np.random.set_state(state[1])
        torch.set_rng_state(state[2])


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a device that is absent")
def test_cuda_asked_for_and_absent_is_said(load):
    with pytest.raises(TargetError, match=r"--device cuda: PyTorch .* sees no CUDA device") as error:
        load(BATCH + "model = nn.Linear(3, 2)", device="cuda")
    assert "--device cpu" in error.value.hint
