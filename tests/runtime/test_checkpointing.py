"""Checkpointed and compiled blocks in their plain form: the same values, with every op in the graph."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.utils import checkpoint as torch_checkpoint
from torch.utils.checkpoint import checkpoint

from gradcheck_cli.runtime.autogradgraph import Graph
from gradcheck_cli.runtime.checkpointing import checkpointing_lifted, eagerly

X = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))


class Block(nn.Module):
    """A layer and a tanh behind a checkpoint."""

    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.reentrant, self.runs = nn.Linear(3, 3), reentrant, 0

    def inside(self, x: Tensor) -> Tensor:
        self.runs += 1
        return torch.tanh(self.layer(x))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = checkpoint(self.inside, x, use_reentrant=self.reentrant)
        return result.sum()


def gradients(block: Block, x: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(block(x), [*block.parameters()]))


@pytest.mark.parametrize(("reentrant", "kind"), [(True, "reentrant"), (False, "non-reentrant")])
def test_a_block_runs_once_and_leaves_its_ops_in_the_graph(reentrant: bool, kind: str) -> None:
    block, x = Block(reentrant), X.clone().requires_grad_()
    with checkpointing_lifted() as lifted:
        loss = block(x)
    assert {"TanhBackward0", "AddmmBackward0"} <= set(Graph(loss.grad_fn).names)
    loss.backward()
    assert (block.runs, lifted) == (1, [kind])


@pytest.mark.parametrize("reentrant", [True, False])
def test_its_gradients_are_those_of_the_checkpoint(reentrant: bool) -> None:
    x = X.clone().requires_grad_()
    kept, plain = Block(reentrant), Block(reentrant)
    kept(x).backward()
    with checkpointing_lifted():
        plain(x).backward()
    for one, other in zip(kept.parameters(), plain.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)
    assert kept.runs == 2


def test_a_reentrant_block_without_an_input_that_requires_a_gradient_gets_none_as_in_torch() -> None:
    with checkpointing_lifted():
        assert not Block(True)(X).requires_grad
        assert Block(False)(X).requires_grad


def test_checkpointing_is_torchs_again_afterwards_also_after_an_error() -> None:
    before = torch_checkpoint.CheckpointFunction, torch_checkpoint._checkpoint_without_reentrant_generator
    with pytest.raises(RuntimeError, match="of the user"), checkpointing_lifted():
        assert torch_checkpoint.CheckpointFunction is not before[0]
        raise RuntimeError("of the user")
    assert (torch_checkpoint.CheckpointFunction, torch_checkpoint._checkpoint_without_reentrant_generator) == before


def test_a_function_is_called_eagerly_with_its_result_and_its_error() -> None:
    assert eagerly(lambda: 7) == 7

    def fails() -> None:
        raise ValueError("of the user")

    with pytest.raises(ValueError, match="of the user"):
        eagerly(fails)


def test_what_the_function_itself_compiles_runs_as_it_was_written():
    def step() -> Tensor:
        doubled = torch.compile(lambda x: torch.relu(x) * 2, fullgraph=True)
        return doubled(torch.ones(2, requires_grad=True)).sum()

    before = torch.compile
    assert {"MulBackward0", "ReluBackward0"} <= set(Graph(eagerly(step).grad_fn).names)
    assert torch.compile is before
