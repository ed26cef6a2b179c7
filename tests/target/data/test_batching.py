"""Batches out of whatever holds data."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from gradcheck_cli.errors import TargetError, UserCodeError
from gradcheck_cli.target.data.batching import DATASET_BATCH, read, take

X, Y = torch.randn(70, 3), torch.randint(0, 2, (70,))
DATA = "from torch.utils.data import DataLoader, TensorDataset, Dataset, IterableDataset\n"
MODEL = "model = nn.Linear(3, 2)\nX, Y = torch.randn(70, 3), torch.randint(0, 2, (70,))\n"


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(1, 100), count=st.integers(1, 4))
def test_a_dataset_gives_its_rows_in_order_in_batches_of_the_usual_size(rows, count):
    batches = take(TensorDataset(torch.arange(rows)), count, "data")
    expected = min(rows, count * DATASET_BATCH)
    assert torch.cat([batch[0] for batch in batches]).tolist() == list(range(expected))
    assert len(batches) == -(-expected // DATASET_BATCH)


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(1, 30), size=st.integers(1, 8), count=st.integers(1, 5))
def test_a_loader_keeps_its_own_batches(rows, size, count):
    loader = DataLoader(TensorDataset(torch.arange(rows)), batch_size=size)
    found = [batch[0].tolist() for batch in take(loader, count, "loader")]
    assert found == [batch[0].tolist() for batch in itertools.islice(loader, count)]


class Endless:
    def __init__(self):
        self.given = 0

    def __iter__(self):
        return self

    def __next__(self):
        self.given += 1
        return torch.full((2,), float(self.given))


def test_no_more_is_drawn_than_is_asked_for():
    stream = Endless()
    assert [float(batch[0]) for batch in take(stream, 3, "stream")] == [1, 2, 3]
    assert stream.given == 3


class Stream(IterableDataset):
    def __iter__(self):
        return iter(range(40))


class Indexed:
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return {"x": np.full(2, index, dtype=np.float32)}


def test_samples_of_any_kind_of_dataset_are_collated():
    assert [len(batch) for batch in take(Stream(), 2, "stream")] == [32, 8]
    (batch,) = take(Indexed(), 2, "rows")
    assert batch["x"].tolist() == [[0, 0], [1, 1], [2, 2]]


@pytest.mark.parametrize(
    "value", [X, (X, Y), [X, Y], {"x": X}, np.ones(3), nn.utils.rnn.pack_sequence([torch.ones(2, 1)])], ids=type
)
def test_a_value_is_one_batch(value):
    (batch,) = take(value, 3, "batch")
    assert batch is value


@pytest.mark.parametrize("listed", [[(X, Y), (X, Y)], [{"x": X}, {"x": Y}]])
def test_a_list_of_tuples_or_dicts_is_a_list_of_batches(listed):
    found = take(listed, 3, "batches")
    assert len(found) == 2 and all(one is other for one, other in zip(found, listed, strict=True))


def test_a_function_is_called_and_a_generator_run():
    assert take(lambda: X, 1, "make")[0] is X
    assert len(take(lambda: (X for _ in range(5)), 3, "make")) == 3
    assert len(take(Indexed, 3, "Indexed")[0]["x"]) == 3


@pytest.mark.parametrize("value", [None, "text", b"bytes", True, 3, 0.5])
def test_a_plain_value_is_no_batch(value):
    with pytest.raises(TargetError, match=r"`data` is .*, which is no batch") as error:
        take(value, 1, "`data`")
    assert repr(value) in error.value.message


@pytest.mark.parametrize("value", [[], iter(()), lambda: iter(()), DataLoader([])], ids=type)
def test_what_holds_nothing_is_told_to_be_empty(value):
    with pytest.raises(TargetError, match="`data` is empty: it gave no batch") as error:
        take(value, 1, "`data`")
    assert error.value.hint == "Check the data's path and its filters."


def test_a_function_that_needs_arguments_is_not_called():
    with pytest.raises(TargetError, match="`make` needs `n`, `m`") as error:
        take(lambda n, m, k=1: X, 1, "`make`")
    assert "takes no arguments" in error.value.hint


def test_what_raises_while_it_makes_a_batch_is_the_users_own():
    def broken():
        yield X
        raise ValueError("out of rows")

    assert len(take(broken, 1, "`broken`")) == 1
    with pytest.raises(UserCodeError, match="reading a batch from `broken` raised ValueError: out of rows"):
        take(broken, 2, "`broken`")


def test_a_loader_that_drops_its_only_batch_is_explained(load):
    with pytest.raises(TargetError) as error:
        load(DATA + MODEL + "loader = DataLoader(TensorDataset(X, Y), batch_size=100, drop_last=True)")
    assert "drop_last=True" in error.value.hint


def test_a_module_is_no_batch(load):
    with pytest.raises(TargetError, match=r"is a module \(Linear\), which is no batch"):
        load("model = nn.Linear(3, 2)", batch="model")


@pytest.mark.parametrize(
    ("value", "firsts"),
    [
        (DataLoader(TensorDataset(X), batch_size=3), [0, 3]),
        (DataLoader(TensorDataset(X), batch_size=3, shuffle=True), []),
        (TensorDataset(torch.zeros(70, 2)), [0, 32]),
        ([(X, X), (X, X)], []),
    ],
)
def test_where_samples_stand_in_a_data_set_that_is_read_in_order_is_known(value, firsts):
    found = read(value, 2, "`data`").samples
    assert [(s.kind, s.holder, s.first) for s in found] == [("item", "`data`", first) for first in firsts]
