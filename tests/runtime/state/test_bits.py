"""Bits come back from a copy; what is too large for one is copied just before a write, or told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gradcheck_cli.runtime.state import bits as kept_bits
from gradcheck_cli.runtime.state.bits import Memory
from gradcheck_cli.runtime.state.objects import Found, path_of


def found(value: Any, name: str = "x") -> Found:
    return value, name, None


def copied(*values: Any) -> Memory:
    return Memory(map(found, values))


@pytest.fixture
def _nothing_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_bits, "COPIED", 0)


large = pytest.mark.usefixtures("_nothing_is_copied")

TENSORS: dict[str, Callable[[], Tensor]] = {
    "float32": lambda: torch.arange(12.0).view(3, 4),
    "odd bytes": lambda: torch.arange(5, dtype=torch.uint8),
    "bool": lambda: torch.tensor([True, False, True]),
    "bfloat16": lambda: torch.arange(7).bfloat16(),
    "float8": lambda: torch.arange(7.0).to(torch.float8_e4m3fn),
    "complex": lambda: torch.tensor([1 + 2j, 3 - 4j]),
    "not finite": lambda: torch.tensor([float("nan"), float("inf"), -0.0]),
    "transposed": lambda: torch.arange(12.0).view(3, 4).t(),
    "every other": lambda: torch.arange(12.0)[::2],
    "in the middle": lambda: torch.arange(12.0)[5:7],
    "expanded": lambda: torch.ones(1, 3).expand(4, 3),
    "scalar": lambda: torch.tensor(3.0),
}


def bits(tensor: Tensor) -> bytes:
    return tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes()


@pytest.mark.parametrize("name", TENSORS)
def test_the_bits_come_back_as_often_as_they_are_asked_for(name: str) -> None:
    tensor = TENSORS[name]()
    before, kept = bits(tensor), copied(tensor)
    for value in (0, 1):
        tensor.untyped_storage().fill_(value)
        assert bits(tensor) != before
        assert kept.restore() == []
        assert bits(tensor) == before


def test_the_sparse_ones_keep_indices_and_values() -> None:
    tensor = torch.sparse_coo_tensor([[0, 2]], [1.0, 2.0], (3,))
    kept = copied(tensor)
    tensor._values().zero_()
    tensor._indices().fill_(1)
    assert kept.restore() == []
    assert tensor.to_dense().tolist() == [1.0, 0.0, 2.0]


def test_nothing_is_written_where_nothing_changed() -> None:
    tensor = torch.arange(6.0)
    version, kept = tensor._version, copied(tensor)
    assert kept.restore() == []
    assert tensor._version == version


@pytest.mark.parametrize("resize", [0, 4, 4000])
def test_a_storage_of_another_length_gets_its_bits_back(resize: int) -> None:
    tensor = torch.arange(6.0)
    kept = copied(tensor)
    tensor.untyped_storage().resize_(resize)
    assert kept.restore() == []
    assert tensor.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


ARRAYS: dict[str, Callable[[], np.ndarray]] = {
    "floats": lambda: np.arange(6.0),
    "odd bytes": lambda: np.arange(5, dtype=np.uint8),
    "by columns": lambda: np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "a part of another": lambda: np.arange(12.0)[3:9:2],
    "dates": lambda: np.array(["2020-01-01", "2021-02-03"], dtype="datetime64[D]"),
    "records": lambda: np.array([(1, 2.0), (3, 4.0)], dtype=[("a", np.int32), ("b", np.float64)]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_come_back(name: str) -> None:
    array = ARRAYS[name]()
    before, kept = array.tobytes(), copied(array)
    array[...] = array[::-1].copy()
    assert array.tobytes() != before
    assert kept.restore() == []
    assert array.tobytes() == before


@pytest.mark.parametrize(
    "array", [np.array([1, "a"], dtype=object), np.broadcast_to(np.zeros(1), (3,)), np.zeros(0)], ids=range(3)
)
def test_an_array_of_objects_one_that_is_read_only_and_an_empty_one_are_left_alone(array: np.ndarray) -> None:
    before = array.tolist()
    assert copied(array).restore() == []
    assert array.tolist() == before


def test_two_views_of_the_same_memory_are_kept_once() -> None:
    tensor = torch.arange(8.0)
    assert len(copied(tensor, tensor.view(2, 4), tensor.detach())._stretches) == 1


def test_the_smallest_are_copied_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_bits, "COPIED", 48)
    big, small, middle = torch.ones(100), torch.ones(2), torch.ones(10)
    kept = copied(big, small, middle)
    assert kept.watches
    for tensor in (big, small, middle):
        tensor.zero_()
    assert [value is big for value, *_ in kept.restore()] == [True]
    assert (small.tolist(), middle.tolist()) == ([1.0] * 2, [1.0] * 10)


def test_a_small_model_needs_nobody_to_watch_it() -> None:
    assert not copied(torch.ones(100)).watches


@large
class TestWhatIsTooLarge:
    @pytest.mark.parametrize("rows", [1, 1021, 1022, 3000])
    def test_a_change_that_nobody_announced_is_told_by_its_name(self, rows: int) -> None:
        tensor = torch.ones(rows, 3)
        kept = Memory([found(tensor, "layers.0.weight")])
        tensor[rows // 2, 1] = 2.0
        assert list(map(path_of, kept.restore())) == ["layers.0.weight"]

    @pytest.mark.parametrize("rows", [1, 1021, 3000])
    def test_one_that_was_announced_is_undone(self, rows: int) -> None:
        tensor = torch.ones(rows, 3)
        kept = copied(tensor)
        kept.before_write(tensor)
        tensor.zero_()
        assert kept.restore() == []
        assert bool((tensor == 1).all())

    def test_a_view_announces_all_of_its_storage(self) -> None:
        tensor = torch.ones(30, 3)
        kept = copied(tensor[:10], tensor[10:])
        kept.before_write([tensor.view(-1)])
        tensor.zero_()
        assert kept.restore() == []
        assert bool((tensor == 1).all())

    def test_no_change_is_told_where_there_was_none(self) -> None:
        assert copied(torch.randn(3000)).restore() == []

    def test_the_sign_of_a_zero_is_a_change(self) -> None:
        tensor = torch.zeros(3000)
        kept = copied(tensor)
        tensor[7] = -0.0
        assert len(kept.restore()) == 1

    def test_two_that_changed_places_are_a_change(self) -> None:
        tensor = torch.arange(4000.0)
        kept = copied(tensor)
        tensor[[3, 2042]] = tensor[[2042, 3]]
        assert len(kept.restore()) == 1

    def test_what_is_always_copied_needs_no_announcement(self) -> None:
        batch = torch.ones(3000)
        kept = Memory([found(batch)], always=[found(batch, "the batch")])
        assert not kept.watches
        batch.zero_()
        assert kept.restore() == []
        assert bool((batch == 1).all())

    def test_memory_that_was_given_back_is_told_and_not_read(self) -> None:
        tensor = torch.ones(3000)
        kept = copied(tensor)
        tensor.untyped_storage().resize_(0)
        assert len(kept.restore()) == 1

    @pytest.mark.parametrize("target", [None, 3, (), [None, 1.0], torch.ones(2), torch.ones(2).to_sparse()], ids=repr)
    def test_other_targets_copy_nothing(self, target: object) -> None:
        kept = copied(torch.ones(3000))
        kept.before_write(target)
        assert kept.watches
        assert kept.restore() == []


def test_memory_that_torch_does_not_show_is_watched_by_its_version() -> None:
    hidden = torch.ones(4, 4).to_mkldnn()
    kept = copied(hidden)
    assert kept.restore() == []
    hidden.add_(hidden)
    assert [value is hidden for value, *_ in kept.restore()] == [True]


def test_what_holds_no_memory_is_no_matter() -> None:
    assert copied(torch.empty(0), torch.empty(3, device="meta"), torch.nn.UninitializedBuffer()).restore() == []
