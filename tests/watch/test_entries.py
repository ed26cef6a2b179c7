"""How a call's arguments and results are taken down."""

from __future__ import annotations

import typing
from collections import OrderedDict, UserDict
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

from gradcheck_cli.watch.entries import (
    Data,
    Lost,
    Named,
    Rebuilt,
    Taker,
    TapeEntry,
    flat,
    memory_of,
    parts_of,
    version_of,
)


@dataclass(frozen=True)
class Out:
    logits: Tensor
    name: str


class Pair(typing.NamedTuple):
    one: Tensor
    two: Any


class Keyed(UserDict):  # as a tokenizer's batch
    pass


def taken(value: Any) -> tuple[Any, TapeEntry]:
    entry = TapeEntry()
    return Taker({}, Data, Lost).take(value, entry), entry


def made(kept: Any) -> Any:
    """The arguments again, of what was taken down."""
    if isinstance(kept, Data):
        return kept.tensor
    if isinstance(kept, Named):
        return kept.made([made(part) for part in kept.parts])
    if isinstance(kept, Rebuilt):
        return kept.made({key: made(part) for key, part in kept.parts.items()})
    if isinstance(kept, (tuple, list)):
        return type(kept)(made(part) for part in kept)
    return {key: made(part) for key, part in kept.items()} if isinstance(kept, dict) else kept


def test_every_kind_of_container_is_flattened_and_can_be_made_again() -> None:
    a, b = torch.zeros(1), torch.ones(2)
    packed = pack_sequence([torch.zeros(3, 1), torch.zeros(2, 1)])
    for value in (
        (a, [b, None], {"k": (a,)}),
        Out(a, "x"),
        Pair(a, [b]),
        OrderedDict(k=a, other=3),
        Keyed(k=a, n=[b]),
        SimpleNamespace(states=[a, b], n=3),
        packed,
    ):
        again = made(taken(value)[0])
        assert type(again) is type(value)
        assert [id(t) for t in flat(again)] == [id(t) for t in flat(value)] != []


def test_what_holds_no_tensor_stays_what_it_is() -> None:
    plain = SimpleNamespace(n=3)
    for value in (plain, "a", 3, None, torch.float32, slice(2), nn.Linear(1, 1)):
        assert taken(value)[0] is value
    assert flat(nn.Linear(1, 1)) == []


def test_containers_are_copied_so_that_the_script_may_change_its_own() -> None:
    mine = {"x": torch.zeros(1)}
    kept = taken(mine)[0]
    mine.clear()
    assert list(kept) == ["x"]


def test_parameters_data_and_what_has_a_graph_are_told_apart() -> None:
    weight, x = nn.Parameter(torch.zeros(2)), torch.zeros(2)
    kept, entry = taken([weight, x, weight * x])
    assert kept[0] is weight and entry.leaves == [weight]
    assert isinstance(kept[1], Data) and kept[1].tensor is x
    assert isinstance(kept[2], Lost) and entry.lost is kept[2]
    assert "shape [2] (MulBackward0)" in kept[2].told
    assert [type(part) for part in parts_of({"a": (1, kept)})] == [int, nn.Parameter, Data, Lost]


def test_versions_and_memory_have_an_answer_for_every_tensor() -> None:
    x = torch.zeros(4)
    assert memory_of(x[2:]) == memory_of(x) != 0
    assert memory_of(torch.zeros(2).to_sparse()) == 0
    with torch.inference_mode():
        assert version_of(torch.zeros(1)) == -1
    x[0] = 1
    assert version_of(x) == 1
