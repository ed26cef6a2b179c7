"""What backward passes keep alive of their inputs."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from gradcheck_cli.watch.inputmemory import inputs_of, is_much, peak
from tests.watch.running import Verifier, watched

CPU = torch.device("cpu")


def test_inputs_count_once_and_parameters_and_results_do_not() -> None:
    net, verifier, x = nn.Linear(3, 3), Verifier(0), torch.randn(4, 3)
    with watched(verifier):
        (net(x) + net(x[:2]).sum() + torch.ones(1)).sum().backward()
    assert sorted(size for _, size in inputs_of(verifier.backwards[0]).values()) == [4, 24]


def test_much_is_a_share_of_the_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    most = peak(CPU)
    assert 50e6 < most < 1e12
    half = int(0.006 * most)
    assert not is_much({1: (CPU, half)})
    assert is_much({1: (CPU, half), 2: (CPU, half)})
    assert not is_much({1: (CPU, half), 2: (torch.device("meta"), half)})


def test_where_nothing_is_counted_nothing_is_much() -> None:
    assert peak(torch.device("meta")) == math.inf
