"""Whatever nesting of containers a forward pass takes or returns."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_sequence

from gradcheck_cli.runtime.trees import named_tensors, tensors_in

A, B = torch.zeros(1), torch.ones(2)
Pair = namedtuple("Pair", "a b")


@dataclass
class Output:
    logits: Tensor
    rest: Any = None


class Graph:
    """As a torch-geometric Data."""

    num_nodes = 1

    def to_dict(self) -> dict[str, Any]:
        return {"x": A, "edge_index": B, "name": "g"}


@pytest.mark.parametrize(
    ("tree", "named"),
    [
        (A, [("", A)]),
        ((A, B), [("0", A), ("1", B)]),
        ([A, [B]], [("0", A), ("1.0", B)]),
        ({"x": A, "deep": {"y": B}}, [("x", A), ("deep.y", B)]),
        (OrderedDict(x=A), [("x", A)]),
        (Pair(A, B), [("0", A), ("1", B)]),
        (Output(A, [B]), [("logits", A), ("rest.0", B)]),
        (Graph(), [("x", A), ("edge_index", B)]),
        ((None, 3, "text", Output, {1: A}), [("4.1", A)]),
        (None, []),
    ],
)
def test_every_tensor_is_found_with_its_path(tree: Any, named: list[tuple[str, Tensor]]) -> None:
    found = list(named_tensors(tree))
    assert [name for name, _ in found] == [name for name, _ in named]
    assert all(tensor is expected for (_, tensor), (_, expected) in zip(found, named, strict=True))
    assert list(map(id, tensors_in(tree))) == [id(tensor) for _, tensor in named]


def test_of_a_packed_sequence_the_values_are_found_and_not_its_bookkeeping() -> None:
    packed = pack_sequence([torch.ones(3, 2), torch.ones(1, 2)])
    ((name, values),) = named_tensors({"x": packed})
    assert (name, values.shape) == ("x.data", (4, 2))


def test_a_tensor_that_stands_twice_is_found_twice() -> None:
    assert len(list(tensors_in({"x": A, "again": [A]}))) == 2
