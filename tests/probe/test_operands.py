"""The values that went into an op, above all where it went wrong."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from gradcheck_cli.probe.operands import Spoiled, first_spoiled, operand
from gradcheck_cli.records.measurement import Element, Operand

NAN, INF = math.nan, math.inf
VALUES = st.lists(st.sampled_from([0.0, 1.0, NAN, INF, -INF]), min_size=1, max_size=8)


@given(values=VALUES, nan=st.booleans())
def test_the_bad_elements_of_an_output_are_counted_and_the_first_three_found(values: list[float], nan: bool) -> None:
    wrong = [i for i, x in enumerate(values) if math.isnan(x) or (not nan and math.isinf(x))]
    spoiled = first_spoiled([torch.tensor(values)], nan=nan)
    if not wrong:
        assert spoiled is None
    else:
        assert spoiled is not None
        assert spoiled.bad == len(wrong)
        assert spoiled.where.flatten().tolist() == wrong[:3]


def test_the_first_output_that_went_wrong_is_told() -> None:
    clean, inf, nan = torch.zeros(2), torch.tensor([0.0, INF]), torch.tensor([NAN, 0.0])
    assert first_spoiled([clean, inf, nan], nan=False).output is inf  # type: ignore[union-attr]
    assert first_spoiled([clean, inf, nan], nan=True).output is nan  # type: ignore[union-attr]
    assert first_spoiled([], nan=True) is None


def spoiled_at(*places: tuple[int, ...], shape: tuple[int, ...]) -> Spoiled:
    output = torch.zeros(shape)
    for place in places:
        output[place] = NAN
    found = first_spoiled([output], nan=True)
    assert found is not None
    return found


def test_a_number_is_its_own_range() -> None:
    assert operand("exponent", 3, spoiled_at((0,), shape=(2,))) == Operand(
        name="exponent", shape=(), dtype="", smallest=3.0, largest=3.0
    )


def test_a_tensor_of_the_same_shape_is_read_where_the_output_is_bad() -> None:
    value = torch.tensor([[1.0, 2.0], [3.0, -4.0]])
    found = operand("self", value, spoiled_at((0, 1), (1, 1), shape=(2, 2)))
    assert (found.shape, found.dtype, found.smallest, found.largest) == ((2, 2), "float32", -4.0, 3.0)
    assert found.elements == (Element((0, 1), 2.0), Element((1, 1), -4.0))


@pytest.mark.parametrize(
    ("value", "elements"),
    [
        (torch.tensor([[7.0], [8.0]]), (Element((0, 0), 7.0), Element((1, 0), 8.0))),
        (torch.tensor([[7.0, 8.0, 9.0]]), (Element((0, 1), 8.0), Element((0, 2), 9.0))),
        (torch.tensor([7.0, 8.0, 9.0]), (Element((1,), 8.0), Element((2,), 9.0))),
        (torch.tensor(7.0), (Element((), 7.0),)),
        (torch.ones(4), ()),
        (torch.ones(1, 2, 3), ()),
        (torch.ones(0), ()),
    ],
)
def test_an_element_of_a_broadcast_operand_is_told_once_by_its_own_index(
    value: Tensor, elements: tuple[Element, ...]
) -> None:
    assert operand("other", value, spoiled_at((0, 1), (1, 2), shape=(2, 3))).elements == elements


def test_nothing_is_known_of_the_range_of_an_empty_tensor() -> None:
    found = operand("self", torch.ones(0, 3), spoiled_at((0,), shape=(2,)))
    assert (found.smallest, found.largest, found.shape) == (None, None, (0, 3))


def test_a_complex_tensor_is_told_by_its_modulus() -> None:
    found = operand("self", torch.tensor([3 + 4j, 1j]), spoiled_at((0,), shape=(2,)))
    assert (found.smallest, found.largest, found.elements) == (1.0, 5.0, (Element((0,), 5.0),))


@given(shape=st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple), data=st.data())
def test_every_element_is_the_value_at_its_index(shape: tuple[int, ...], data: st.DataObject) -> None:
    place = tuple(data.draw(st.integers(0, size - 1)) for size in shape)
    kept = tuple(data.draw(st.sampled_from([1, size])) for size in shape)
    value = torch.arange(float(math.prod(kept))).reshape(kept)
    (element,) = operand("self", value, spoiled_at(place, shape=shape)).elements
    assert element.value == float(value[element.at])
    assert element.at == tuple(p if k > 1 else 0 for p, k in zip(place, kept, strict=True))
