"""Containers and instances get back the very objects that they held, in their order, and only where it is needed."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

from gradcheck_cli.runtime.state.containers import Names, makers
from gradcheck_cli.runtime.state.objects import UNSET, slot


def undoing(value: Any) -> Callable[[], None]:
    undos = [make(value) for make in makers(type(value))]

    def undo() -> None:
        for one in undos:
            one()

    return undo


class Bag:
    """An instance of the user's."""

    def __init__(self) -> None:
        self.first, self.cache, self.full = object(), {}, {"kept": 1}


class Slotted:
    __slots__ = ("__hidden", "one", "two")

    def __init__(self) -> None:
        self.one, self.__hidden = object(), object()

    def hide(self, value: object) -> None:
        self.__hidden = value

    @property
    def hidden(self) -> object:
        return self.__hidden


@dataclass(frozen=True, slots=True)
class Frozen:
    width: Any


class Refusing(dict):
    """As diffusers' FrozenDict: every write through its own methods raises."""

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError("it is frozen")

    def clear(self) -> None:
        raise TypeError("it is frozen")

    update = pop = clear


A, B, C = object(), object(), object()
CHANGES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "a new key": (lambda: {"a": A}, lambda d: d.update(b=B)),
    "a key that went": (lambda: {"a": A, "b": B}, lambda d: d.pop("a")),
    "another value": (lambda: {"a": A}, lambda d: d.update(a=B)),
    "another order": (lambda: {"a": A, "b": B}, lambda d: d.update(a=d.pop("a"))),
    "a dictionary that was empty": (dict, lambda d: d.update(a=A)),
    "an ordered one": (lambda: OrderedDict(a=A, b=B), lambda d: d.move_to_end("a")),
    "a counter": (lambda: Counter("aab"), lambda c: c.update("abc")),
    "keys that a default made": (lambda: defaultdict(list, a=A), lambda d: d["b"]),
    "a list that grew": (lambda: [A, B], lambda x: x.append(C)),
    "a list in another order": (lambda: [A, B], lambda x: x.reverse()),
    "a list that was emptied": (lambda: [A, B], lambda x: x.clear()),
    "a queue": (lambda: deque([A, B]), lambda q: q.rotate()),
    "a full queue, which drops": (lambda: deque([A, B], maxlen=2), lambda q: q.append(C)),
    "a set": (lambda: {A, B}, lambda s: s.symmetric_difference_update({B, C})),
    "bytes": (lambda: bytearray(b"ab"), lambda b: b.extend(b"cd")),
}


def content(value: Any) -> Any:
    if isinstance(value, dict):
        return [(key, id(item)) for key, item in value.items()]
    return value if isinstance(value, (bytearray, set)) else [id(item) for item in value]


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_container_held_comes_back(name: str) -> None:
    make, change = CHANGES[name]
    value = make()
    before, undo = content(value.copy()), undoing(value)
    for _ in range(2):  # a second pass starts from the same state
        change(value)
        assert content(value) != before
        undo()
        assert content(value) == before


def test_a_queue_keeps_its_length() -> None:
    queue = deque([A, B], maxlen=2)
    undo = undoing(queue)
    queue.append(C)
    undo()
    queue.append(C)
    assert list(queue) == [B, C]


def test_the_factory_of_a_default_comes_back() -> None:
    value = defaultdict(list)
    undo = undoing(value)
    value.default_factory = None
    undo()
    assert value.default_factory is list


def test_an_equal_object_in_place_of_the_one_that_was_there_is_a_change() -> None:
    first, second = [1], [1]
    held = [first]
    undo = undoing(held)
    held[0] = second
    undo()
    assert held[0] is first


def test_a_dictionary_that_refuses_is_left_alone_where_nothing_changed_and_put_back_where_it_did() -> None:
    value = Refusing(a=A)
    undo = undoing(value)
    undo()
    dict.__setitem__(value, "a", B)
    undo()
    assert value["a"] is A


def test_attributes_come_back_and_so_do_the_empty_dictionaries_among_them() -> None:
    bag = Bag()
    first, cache, full, undo = bag.first, bag.cache, bag.full, undoing(bag)
    bag.first, bag.new = B, C
    bag.cache["filled"] = A
    del bag.full
    undo()
    assert list(vars(bag)) == ["first", "cache", "full"]
    assert bag.first is first and bag.cache is cache and bag.full is full
    assert bag.cache == {}


def test_an_empty_dictionary_that_was_replaced_is_the_old_one_again() -> None:
    bag = Bag()
    cache, undo = bag.cache, undoing(bag)
    bag.cache["filled"] = A
    bag.cache = {"another": B}
    undo()
    assert bag.cache is cache and cache == {}


def test_slots_come_back_also_private_ones_and_those_without_a_value() -> None:
    value = Slotted()
    one, hidden, undo = value.one, value.hidden, undoing(value)
    value.one, value.two = B, C
    value.hide(A)
    undo()
    assert value.one is one and value.hidden is hidden
    assert slot(value, "two") is UNSET


def test_a_slot_that_lost_its_value_has_it_again() -> None:
    value = Slotted()
    one, undo = value.one, undoing(value)
    del value.one
    undo()
    assert value.one is one


def test_an_instance_that_forbids_writing_is_written_to_all_the_same() -> None:
    value = Frozen(A)
    undo = undoing(value)
    object.__setattr__(value, "width", B)
    undo()
    assert value.width is A


def test_an_attribute_that_is_guarded_by_a_property_is_set_past_it() -> None:
    class Guarded:
        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError("read only")

    value = Guarded()
    value.__dict__["width"] = A
    undo = undoing(value)
    value.__dict__["width"] = B
    undo()
    assert value.width is A


def test_a_lazy_module_is_lazy_again() -> None:
    lazy = nn.LazyLinear(2)
    undo = undoing(lazy)
    lazy(torch.randn(3, 4))
    assert type(lazy) is nn.Linear
    undo()
    assert type(lazy) is nn.LazyLinear


@pytest.mark.parametrize("kind", [int, str, tuple, frozenset, type(None), torch.dtype, type, torch.Generator])
def test_nothing_is_noted_of_what_cannot_change_or_is_kept_elsewhere(kind: type) -> None:
    assert list(makers(kind)) == []


def test_names_that_code_binds_anew_get_what_they_had() -> None:
    class Counting:
        total = 1

    space = {"count": 1, "gone": 2}
    undos = [undoing(Names(space, ("count", "gone", "new"))), undoing(Names(Counting, ("total", "extra")))]
    space |= {"count": 5, "new": 6}
    del space["gone"]
    Counting.total, Counting.extra = 7, 8  # type: ignore[attr-defined]
    for undo in undos * 2:
        undo()
    assert space == {"count": 1, "gone": 2}
    assert Counting.total == 1 and not hasattr(Counting, "extra")


def test_a_variable_that_is_closed_over_gets_what_it_had() -> None:
    count = 1

    def counted() -> int:
        nonlocal count
        count += 1
        return count

    (cell,) = counted.__closure__ or ()
    undo = undoing(cell)
    assert counted() == 2
    undo()
    assert counted() == 2
