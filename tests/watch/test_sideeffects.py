"""What is kept of generators, buffers and autocast before a call."""

from __future__ import annotations

import random

import numpy as np
import torch
from torch import Tensor, nn

from gradcheck_cli.watch.sideeffects import SideEffectWatch, autocast_now, noticing_structure, region_left, torch_states


class Drawing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.register_buffer("mask", torch.ones(1000, 1000))
        self.source = "torch"

    def forward(self, x: Tensor) -> Tensor:
        if self.source == "numpy":
            x = x * float(np.random.rand())
        elif self.source == "python":
            x = x * random.random()
        elif self.source == "torch":
            x = nn.functional.dropout(x, 0.5)
        return self.norm(x) * self.mask[0, 0]


def call(watch: SideEffectWatch, net: nn.Module) -> tuple[set[str], set[str]]:
    """The generators and the buffers that are kept of one call."""
    x = torch.randn(4, 3)
    states, kept, versions = watch.before(net)
    net(x)
    states, changed = watch.after(states, kept, versions)
    return {generator.name for generator, _ in states}, {name for _, name, _ in changed}


def test_only_what_a_call_changes_is_kept() -> None:
    for source in ("torch", "numpy", "python", "none"):
        net = Drawing()
        net.source = source
        watch = SideEffectWatch(net)
        for _ in range(4):
            drawn, changed = call(watch, net)
            assert drawn == ({source} - {"none"})
            assert changed == {"running_mean", "running_var", "num_batches_tracked"}


def test_a_model_that_begins_to_learn_is_looked_at_anew() -> None:
    net = Drawing().eval()
    net.source = "none"
    watch = SideEffectWatch(net)
    for _ in range(4):
        assert call(watch, net) == (set(), set())
    net.train()
    net.source = "torch"
    for _ in range(3):
        assert call(watch, net)[1] >= {"running_mean"}
        assert call(watch, net)[0] == {"torch"}


def test_what_is_registered_later_is_noticed() -> None:
    undos = noticing_structure()
    try:
        net = nn.Sequential(nn.Linear(3, 3))
        watch = SideEffectWatch(net)
        call(watch, net)
        assert len(watch.parameters) == 2
        net.add_module("norm", nn.BatchNorm1d(3))
        watch._calls = 64
        assert call(watch, net)[1] >= {"running_mean"}
        assert len(watch.parameters) == 4
    finally:
        for undo in undos:
            undo()


def test_the_kept_values_are_those_before_the_call() -> None:
    net = Drawing()
    watch = SideEffectWatch(net)
    before = net.norm.running_mean.clone()
    states, kept, versions = watch.before(net)
    net(torch.randn(4, 3))
    _, changed = watch.after(states, kept, versions)
    value = next(value for _, name, value in changed if name == "running_mean")
    assert torch.equal(value, before) and not torch.equal(value, net.norm.running_mean)


def test_autocast_is_told_with_its_region() -> None:
    assert autocast_now() is None
    with torch.autocast("cpu", dtype=torch.bfloat16):
        one = autocast_now()
        region_left()
        two = autocast_now()
    assert one is not None and two is not None
    assert ("cpu", True, torch.bfloat16) in one[0] and one[1] is True
    assert two[2] == one[2] + 1


def test_the_states_of_torchs_generators_give_the_same_numbers() -> None:
    states = torch_states()
    one = torch.rand(3)
    for generator, state in states:
        generator.put(state)
    assert torch.equal(torch.rand(3), one)
