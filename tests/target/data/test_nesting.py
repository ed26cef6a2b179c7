"""Tensors in any nesting of containers: moved, walked over and counted."""

import json
from collections import OrderedDict, namedtuple
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gradcheck_cli.target.data.nesting import batch_size, is_dataclass, is_sequence, move, tensors

Point = namedtuple("Point", "x y")


@dataclass(frozen=True)
class Frozen:
    x: torch.Tensor
    n: int = field(init=False, default=3)


def test_moving_keeps_every_container_and_alters_none():
    ones = torch.ones(2, 3)
    packed = nn.utils.rnn.pack_sequence([torch.ones(3, 1), torch.ones(2, 1)])
    value = {
        "list": [ones, (ones.long(), Point(ones, "text"))],
        "data": Frozen(ones),
        "ordered": OrderedDict(a=ones),
        "packed": packed,
        "numpy": np.ones(2),
        "none": None,
    }
    moved = move(value, torch.device("cpu"), torch.float64)
    assert moved["list"][0].dtype is torch.float64
    assert moved["list"][1][0].dtype is torch.int64
    assert type(moved["list"][1][1]) is Point and moved["list"][1][1].y == "text"
    assert moved["data"].x.dtype is torch.float64 and moved["data"].n == 3
    assert type(moved["ordered"]) is OrderedDict
    assert type(moved["packed"]) is type(packed) and moved["packed"].data.dtype is torch.float64
    assert moved["numpy"].dtype is torch.float64
    assert value["data"].x is ones and value["ordered"]["a"] is ones and isinstance(value["numpy"], np.ndarray)
    assert json.dumps(sorted(moved)) == json.dumps(sorted(value))


def test_the_batch_size_is_the_first_tensors_first():
    packed = nn.utils.rnn.pack_sequence([torch.ones(3, 1), torch.ones(2, 1)])
    assert batch_size((packed, torch.ones(9))) == 2
    assert batch_size({"a": torch.tensor(1.0), "b": [torch.ones(5, 2)]}) == 5
    assert batch_size("text") is None


TREES = st.recursive(
    st.builds(lambda n: torch.full((n, 2), float(n)), st.integers(1, 4))
    | st.none()
    | st.integers()
    | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


def shape_of(tree):
    """The same nesting with the values of its tensors in their place."""
    if isinstance(tree, torch.Tensor):
        return "tensor", tree.tolist()
    if isinstance(tree, dict):
        return {key: shape_of(item) for key, item in tree.items()}
    return type(tree)(map(shape_of, tree)) if isinstance(tree, (list, tuple)) else tree


@settings(max_examples=40, deadline=None)
@given(tree=TREES)
def test_moving_changes_dtypes_and_nothing_else(tree):
    before = shape_of(tree)
    moved = move(tree, torch.device("cpu"), torch.float64)
    assert shape_of(moved) == before == shape_of(tree)
    assert all(tensor.dtype is torch.float64 for tensor in tensors(moved))
    assert all(tensor.dtype is torch.float32 for tensor in tensors(tree))
    assert len(list(tensors(moved))) == len(list(tensors(tree)))


def test_tensors_come_in_the_order_of_the_nesting():
    tree = {"a": [torch.tensor(0), (torch.tensor(1),)], "b": Frozen(torch.tensor(2)), "c": "text"}
    assert [int(tensor) for tensor in tensors(tree)] == [0, 1, 2]


def test_an_inference_tensor_becomes_one_that_autograd_can_save():
    with torch.inference_mode():
        made = torch.ones(2)
    moved = move([made], None)
    assert not moved[0].is_inference()
    assert torch.equal(moved[0], torch.ones(2))


def test_a_mapping_that_cannot_be_written_to_is_made_anew():
    frozen = MappingProxyType({"x": torch.ones(2)})
    moved = move(frozen, None, torch.float64)
    assert type(moved) is MappingProxyType
    assert moved["x"].dtype is torch.float64
    assert frozen["x"].dtype is torch.float32


class Graph:
    """Moves in place, as a graph of torch_geometric does."""

    def __init__(self, x):
        self.x = x
        self.num_graphs = 7

    def to(self, device):
        self.x = self.x.to(device)
        return self

    def apply(self, function):
        self.x = function(self.x)
        return self


class Silent(Graph):
    def to(self, device):
        super().to(device)


@pytest.mark.parametrize("kind", [Graph, Silent])
def test_an_object_with_a_to_of_its_own_is_moved_as_a_copy(kind):
    graph = kind(torch.ones(3))
    moved = move(graph, torch.device("cpu"), torch.float64)
    assert type(moved) is kind and moved is not graph
    assert (moved.x.dtype, graph.x.dtype) == (torch.float64, torch.float32)


@pytest.mark.parametrize(
    ("batch", "size"),
    [
        (Graph(torch.ones(3)), 7),
        ((torch.ones(4, 2), torch.ones(9)), 4),
        ([{"ids": torch.ones(6)}, torch.ones(9)], 6),
        (torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged), 2),
        (torch.tensor(1.0), None),
        ((), None),
        (Frozen(torch.ones(5)), 5),
    ],
)
def test_the_batch_size_is_counted_in_samples(batch, size):
    assert batch_size(batch) == size


def test_a_packed_sequence_is_one_thing_and_a_named_tuple_a_sequence():
    assert not is_sequence(nn.utils.rnn.pack_sequence([torch.ones(2, 1)]))
    assert is_sequence(Point(1, 2)) and is_sequence([]) and not is_sequence("text")


def test_a_dataclass_is_an_instance_and_not_its_class():
    assert is_dataclass(Frozen(torch.ones(1)))
    assert not is_dataclass(Frozen)
    assert not is_dataclass({})
