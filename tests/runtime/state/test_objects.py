"""The walk finds everything that a model is made of, once, and stays out of what is not its own."""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass
from enum import Enum
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gradcheck_cli.runtime.state.objects import (
    UNSET,
    children,
    enters,
    is_empty,
    own_dict,
    path_of,
    slot,
    slots,
    slots_of,
    walk,
)


class Own:
    """A class of the user's."""

    def __init__(self, **held: Any) -> None:
        vars(self).update(held)

    def method(self) -> None: ...


@dataclass(slots=True)
class Slotted:
    one: Any
    two: Any = None


class Color(Enum):
    RED = 1


def paths(root: Any, name: str = "") -> dict[str, Any]:
    """What is found first under each path; what goes by the name of its parent comes after it."""
    found = list(walk([(name, root)]))
    return {path_of(one): one[0] for one in reversed(found)}


@pytest.mark.parametrize(
    ("held", "path"),
    [
        (lambda x: [x], "held.0"),
        (lambda x: (0, x), "held.1"),
        (lambda x: {"key": x}, "held.key"),
        (lambda x: {2: [0, 0, x]}, "held.2.2"),
        (lambda x: {(1, 2): x}, "held.*"),
        (lambda x: OrderedDict(key=x), "held.key"),
        (lambda x: deque([0, x]), "held.1"),
        (lambda x: {x}, "held.0"),
        (lambda x: Own(inner=x), "held.inner"),
        (lambda x: Own(inner=x).method, "held.inner"),
        (lambda x: Slotted(x), "held.one"),
        (lambda x: SimpleNamespace(inner=x), "held.inner"),
        (lambda x: functools.partial(print, x), "held.0"),
        (lambda x: functools.partial(print, key=x), "held.key"),
        (lambda x: torch.utils.data.TensorDataset(x), "held.tensors.0"),
        (lambda x: [[[Own(inner={"deep": (x,)})]]], "held.0.0.0.inner.deep.0"),
    ],
)
def test_a_tensor_is_found_wherever_it_is_held(held, path: str) -> None:
    model, tensor = nn.Identity(), torch.ones(2)
    model.held = held(tensor)
    assert {place for place, value in paths(model).items() if value is tensor} == {path}


def test_parameters_buffers_and_modules_go_by_their_own_names() -> None:
    model = nn.Sequential(OrderedDict(conv=nn.Conv1d(1, 2, 3), norm=nn.BatchNorm1d(2)))
    found = paths(model)
    assert set(model.state_dict()) <= set(found)
    assert all(found[name] is value for name, value in (*model.named_parameters(), *model.named_buffers()))
    assert found["conv"] is model.conv


def test_what_is_held_twice_is_found_once_and_a_circle_ends() -> None:
    model, tensor = nn.Identity(), torch.ones(2)
    model.one, model.two = [tensor], (tensor,)
    model.one.append(model.one)
    model.itself = Own(model=model)
    found = [value for value, *_ in walk([("", model)])]
    assert sum(value is tensor for value in found) == 1
    assert sum(value is model for value in found) == 1


def test_a_very_deep_nest_is_no_matter() -> None:
    nest: list[Any] = []
    for _ in range(20_000):
        nest = [nest]
    assert sum(1 for _ in walk([("", nest)])) == 20_001


def test_numbers_and_strings_are_left_out() -> None:
    found = list(walk([("", [1, "a", 2.0, None, b"", True, 1j, torch.float32, torch.device("cpu"), torch.Size([1])])]))
    assert len(found) == 1


def test_roots_are_walked_in_their_order_under_their_names() -> None:
    model, batch = nn.Linear(2, 1), (torch.ones(2), {"y": torch.ones(1)})
    found = [path_of(one) for one in walk([("", model), ("the batch", batch)])]
    assert found[0] == "the model"
    assert found.index("weight") < found.index("the batch") < found.index("the batch.1.y")


class ReprRaises:
    def __repr__(self) -> str:
        raise RuntimeError("not to be shown")


def test_a_key_is_not_asked_for_its_repr() -> None:
    assert "held.*" in paths({ReprRaises(): torch.ones(1)}, "held")


def test_a_scripted_module_shows_its_parameters() -> None:
    scripted = torch.jit.script(nn.Linear(2, 1))
    assert {"weight", "bias"} <= {name for name, _ in children(scripted)}


@pytest.mark.parametrize(
    ("kind", "entered"),
    [
        (Own, True),
        (Slotted, True),
        (nn.Linear, True),
        (torch.Tensor, True),
        (torch.optim.SGD, True),
        (torch.distributions.Normal, True),
        (torch.utils.data.DataLoader, True),
        (SimpleNamespace, True),
        (Color, False),
        (type, False),
        (torch.Generator, False),
        (threading.Thread, False),
        (np.ndarray, False),
        (np.random.Generator, False),
        (torch.autograd.Function, False),
        (torch.utils.data.dataloader._SingleProcessDataLoaderIter, False),
        (int, False),
    ],
)
def test_whose_instances_are_looked_into(kind: type, entered: bool) -> None:
    assert enters(kind) is entered


def test_what_a_function_closes_over_and_what_a_thread_holds_is_not_the_models() -> None:
    tensor = torch.ones(2)
    model = nn.Identity()
    model.closure = lambda: tensor
    model.thread = threading.Thread(target=print, args=(tensor,))
    assert not any(value is tensor for value in paths(model).values())


def test_the_empty_dictionaries_of_an_instance_are_left_out() -> None:
    own = Own(hooks={}, ordered=OrderedDict(), full={"a": 1}, held=[{}])
    assert [name for name, _ in children(own)] == ["full", "held"]
    assert paths(own)["held.0"] == {}


@pytest.mark.parametrize(
    ("value", "empty"),
    [({}, True), (OrderedDict(), True), ({1: 2}, False), ([], False), (type("D", (dict,), {})(), False)],
)
def test_only_an_empty_dictionary_of_pythons_own_is_empty(value: object, empty: bool) -> None:
    assert is_empty(value) is empty


def test_attributes_are_read_past_what_the_class_computes() -> None:
    class Computing:
        def __init__(self) -> None:
            self.width = 3

        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("computed")

        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError("computed")

    assert own_dict(Computing()) == {"width": 3}
    assert own_dict(3) == {}
    assert own_dict(Slotted(1)) == {}


def test_slots_are_those_of_all_bases_and_may_have_no_value() -> None:
    class Base:
        __slots__ = ("base",)

    class Child(Base):
        __slots__ = ("__private", "child")

    value = Child()
    value.child = 1
    assert sorted(slots_of(Child)) == ["_Child__private", "base", "child"]
    assert dict(slots(value)) == {"base": UNSET, "_Child__private": UNSET, "child": 1}
    assert slot(value, "child") == 1
    assert slots_of(torch.Tensor) == ()
